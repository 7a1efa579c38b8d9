#!/usr/bin/env bash
# No warning anywhere: libraries, tests, examples, benchmarks. `ci/address.sh` looks at the feature `address`.
source "$(dirname "$0")/common.sh"
mapfile -t members < <(sed -n 's/^members = \[\(.*\)\]/\1/p' Cargo.toml | tr , '\n' | tr -d '" ')
run cargo clippy --workspace --all-targets --features "$(all_features "${members[@]}")" -- -D warnings
