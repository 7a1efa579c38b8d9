#!/usr/bin/env bash
# The laws of coroutines on the engine `generator`, which targets without `slab` have.
source "$(dirname "$0")/common.sh"
export CSP_ENGINE=generator
run cargo test -p csp-tests --no-default-features --features generator --test laws --test alternation
