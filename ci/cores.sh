#!/usr/bin/env bash
# The laws with the feature `cores`: on sixteen schedulers, and without `membarrier`. A plain `cargo test` has the feature, because the
# examples have it. It runs these laws on as many schedulers as there are cores, so this script builds what it has built, and no more.
source "$(dirname "$0")/common.sh"

limit 20m
CSP_CORES=16 run cargo test --test laws --test alternation --test deadlocks --test stress -- cores
CSP_MEMBARRIER=off CSP_CORES=4 run cargo test --test cores --test laws --test alternation --test stress -- cores
