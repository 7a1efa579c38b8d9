#!/usr/bin/env bash
# The examples in the documentation run on threads too (`cargo test` has run them on coroutines), and the README's on both.
source "$(dirname "$0")/common.sh"

target=${CARGO_TARGET_DIR:-target}/debug
readme() {
    run cargo build -p csp "$@"
    run rustdoc --test README.md --edition 2024 --extern "csp=$target/libcsp.rlib" -L "$target/deps"
}

threads=(--no-default-features --features threads)
run cargo test -p csp --doc "${threads[@]}"
readme "${threads[@]}"
readme
