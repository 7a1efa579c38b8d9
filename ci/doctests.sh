#!/usr/bin/env bash
# The examples in the documentation run on threads too, because `cargo test` has run them on coroutines. The README's run on both.
source "$(dirname "$0")/common.sh"

target=${CARGO_TARGET_DIR:-target}/debug
readme() {
    run cargo build -p csp-process "$@"
    for page in README.md csp/README.md; do
        run rustdoc --test "$page" --edition 2024 --extern "csp=$target/libcsp.rlib" -L "$target/deps"
    done
}

threads=(--no-default-features --features threads)
run cargo test -p csp-process --doc "${threads[@]}"
readme "${threads[@]}"
readme
