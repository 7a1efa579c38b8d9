#!/usr/bin/env bash
# The feature `address`, which no other script builds: no warning, its tests, its documentation, and its example. Without
# the feature no crate of its engine is there.
source "$(dirname "$0")/common.sh"

run cargo tree --workspace --edges normal,build,dev --prefix none --features "$(all_features csp examples tests benches)" |
    grep -E '^(iroh|noq|netwatch)' && {
    echo "the engine of addresses is there without its feature"
    exit 1
}

# One set of features for all, so that each crate is built once. The guide speaks of all features.
packages=(-p csp-process -p csp-tests -p csp-examples)
all=(--no-default-features --features "$(all_features csp)csp-process/address,csp-tests/address,csp-examples/address")
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0
run cargo clippy "${packages[@]}" "${all[@]}" --lib --bin waits_by_an_address --test address --example meeting -- -D warnings
RUSTDOCFLAGS="-D warnings" run cargo doc --no-deps -p csp-process --no-default-features \
    --features "$(all_features csp)csp-process/address"
run cargo test "${packages[@]}" "${all[@]}" --test address
run cargo test "${packages[@]}" "${all[@]}" --lib -- subprocess::address subprocess::forging subprocess::protocol
run cargo build "${packages[@]}" "${all[@]}" --example meeting

# A person joins the room by the address in a file, and speaks.
meeting=${CARGO_TARGET_DIR:-target}/debug/examples/meeting
there=$(mktemp -d)
"$meeting" room --address "$there/address" >"$there/room" &
room=$!
trap 'kill $room; rm -rf "$there"' EXIT
# waits_until COMMAND...: the command succeeds within a minute, and the room lives until then.
waits_until() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        ! "$@" || return 0
        kill -0 $room
        sleep 0.1
    done
    echo "never true: $*"
    return 1
}
waits_until test -s "$there/address"
run timeout 60 "$meeting" join ann --address "$there/address" <<<hello
waits_until grep -x 'ann: hello' "$there/room"
