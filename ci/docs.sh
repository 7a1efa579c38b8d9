#!/usr/bin/env bash
# The documentation builds without a warning: no link leads nowhere.
source "$(dirname "$0")/common.sh"
export RUSTDOCFLAGS="-D warnings"
run cargo doc --no-deps -p csp -p csp-macros --all-features
