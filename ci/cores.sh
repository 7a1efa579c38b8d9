#!/usr/bin/env bash
# The laws with the feature `cores`: on as many schedulers as there are cores, on sixteen, and without `membarrier`.
source "$(dirname "$0")/common.sh"

limit 20m
run cargo test -p csp-tests --features cores --test cores --test laws --test alternation --test deadlocks --test stress -- cores
CSP_CORES=16 run cargo test -p csp-tests --features cores --test laws --test alternation --test deadlocks --test stress -- cores
CSP_MEMBARRIER=off CSP_CORES=4 run cargo test -p csp-tests --features cores --test cores --test laws --test alternation --test stress -- cores
