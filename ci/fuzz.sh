#!/usr/bin/env bash
# Runs the decoders of all that comes from other OS processes, and the judge of their messages, on bytes that libFuzzer makes up: each
# for ten seconds, or as many as the first word says. With the word `keep` behind it the corpus keeps what reaches more code.
source "$(dirname "$0")/common.sh"

seconds=${1:-10}
keep=${2:-}
[[ -z $keep || $keep == keep ]] || { echo "usage: ci/fuzz.sh [SECONDS [keep]]" >&2; exit 2; }
host=$(rustc -vV | sed -n 's/^host: //p')
[[ $host == *-linux-* ]] || skip "OS processes exist on Linux only"
command -v c++ >/dev/null || skip "libFuzzer is built by a C++ compiler, and there is none"
export CARGO_TARGET_DIR=$PWD/target/fuzz
export CARGO_PROFILE_RELEASE_DEBUG=false
manifest=(--manifest-path fuzz/Cargo.toml)
cargo fetch -q "${manifest[@]}" || skip "the crate libfuzzer-sys could not be had"

# The flags of `cargo fuzz`, without a sanitizer: Rust checks all that these functions do, and flags of the compiler that are stable.
coverage=(-Cpasses=sancov-module -Ccodegen-units=1)
for flag in level=4 inline-8bit-counters pc-table trace-compares; do
    coverage+=("-Cllvm-args=-sanitizer-coverage-$flag")
done
# Only what runs there is made so, and no build script, because a target is named.
RUSTFLAGS="--cfg csp_fuzz ${coverage[*]}" run cargo build -q --release --target "$host" "${manifest[@]}"

mkdir -p fuzz/found
for target in messages notes values described machine frames; do
    program=target/fuzz/$host/release/$target
    fresh=$(mktemp -d)
    run "$program" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="fuzz/found/$target-" "$fresh" "fuzz/corpus/$target"
    if [[ $keep == keep ]]; then
        run "$program" -merge=1 -max_len=512 "fuzz/corpus/$target" "$fresh"
    fi
    rm -rf "$fresh"
done
