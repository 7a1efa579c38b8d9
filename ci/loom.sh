#!/usr/bin/env bash
# The models of the protocols run every interleaving up to a number of preemptions. Each model has its own number, and
# LOOM_MAX_PREEMPTIONS overrides it.
source "$(dirname "$0")/common.sh"

# The build has a folder of its own, because the flag is part of every crate's fingerprint.
export CARGO_TARGET_DIR=target/loom
export RUSTFLAGS="--cfg loom"
export CARGO_PROFILE_RELEASE_DEBUG=false # the compiler has less to do

output=$(mktemp)
trap 'rm -f "$output"' EXIT
run cargo test -p csp-process --release --features subprocess,futures,cores --lib -- models loom_model late::histories | tee "$output"
if grep -q '^running 0 tests' "$output"; then
    echo "no model was found" >&2
    exit 1
fi
