#!/usr/bin/env bash
# No warning anywhere: libraries, tests, examples, benchmarks.
source "$(dirname "$0")/common.sh"
run cargo clippy --workspace --all-targets --all-features -- -D warnings
