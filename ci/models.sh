#!/usr/bin/env bash
# The models between OS processes that have too many states for `cargo test`, optimised, because that makes them five to nine times as fast.
source "$(dirname "$0")/common.sh"

[[ $(uname -s) == Linux ]] || skip "OS processes exist on Linux only"
run cargo test --release -p csp-process --no-default-features --features hosts --lib -- --ignored protocol::proof::model stream::model
