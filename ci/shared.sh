#!/usr/bin/env bash
# Counts the writes to words that the threads of all schedulers share, in a build that counts them: none for a communication, at most
# one for a process that starts.
source "$(dirname "$0")/common.sh"

export CARGO_TARGET_DIR=target/shared
export RUSTFLAGS="--cfg csp_count_shared"
run cargo test -p csp-tests --no-default-features --features coroutines,cores --test cores -- shared:: --nocapture
