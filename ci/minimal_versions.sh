#!/usr/bin/env bash
# The library builds with the oldest versions that its Cargo.toml allows. Works in a copy, because it writes another Cargo.lock.
source "$(dirname "$0")/common.sh"

features=$(all_features csp)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z -- Cargo.toml csp csp-macros README.md | xargs -0 cp --parents -t "$copy"
cd "$copy"
# Only the two crates: the oldest versions of what tests and benchmarks use are of no interest.
sed -i 's/^members = .*/members = ["csp", "csp-macros"]/; s/^default-members = .*//' Cargo.toml
export CARGO_TARGET_DIR=$copy/target RUSTC_BOOTSTRAP=1
run cargo update --quiet -Z direct-minimal-versions
run cargo check --quiet -p csp-process --features "$features"
