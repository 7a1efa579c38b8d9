#!/usr/bin/env bash
# The models between OS processes that have too many states for `cargo test`.
source "$(dirname "$0")/common.sh"

run cargo test -p csp-process --features hosts --lib -- --ignored protocol::proof::model stream::model
