#!/usr/bin/env bash
# The models between OS processes that have too many states for `cargo test`.
source "$(dirname "$0")/common.sh"

# A plain `cargo test` has built this program.
run cargo test --lib -- --ignored protocol::proof::model stream::model
