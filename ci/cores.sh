#!/usr/bin/env bash
# The laws with the feature `cores`: on as many schedulers as there are cores, on sixteen, and without `membarrier`.
source "$(dirname "$0")/common.sh"

limit 20m
suites=(-p csp-tests --no-default-features --features suites,cores --test laws --test alternation --test stress)
run cargo test "${suites[@]}" --test cores --test deadlocks -- cores
CSP_CORES=16 run cargo test "${suites[@]}" --test deadlocks -- cores
CSP_MEMBARRIER=off CSP_CORES=4 run cargo test "${suites[@]}" --test cores -- cores
