#!/usr/bin/env bash
# The models of the commit protocol, every interleaving up to a number of preemptions (LOOM_MAX_PREEMPTIONS).
source "$(dirname "$0")/common.sh"
# Of its own, because the flag is part of every crate's fingerprint.
export CARGO_TARGET_DIR=target/loom
export RUSTFLAGS="--cfg loom"
export LOOM_MAX_PREEMPTIONS="${LOOM_MAX_PREEMPTIONS:-3}"
echo "at most $LOOM_MAX_PREEMPTIONS preemptions"
run cargo test -p csp --release --lib loom
