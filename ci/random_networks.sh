#!/usr/bin/env bash
# Runs 200,000 random networks (or CSP_NETWORKS) on all cores, dealt out and left to the schedulers. Half of them have one outcome by
# construction, and must give it. The others retire, poison and panic: each value arrives once or comes back, none is lost after `Ok`, and
# the values of one writer reach one reader in their order. It runs by hand, because it takes minutes.
source "$(dirname "$0")/common.sh"

readonly networks=${CSP_NETWORKS:-200000}
limit 60m
each() {
    local rounds=$1
    shift
    CSP_ROUNDS=$rounds CSP_TEST_LIMIT=3600 run cargo test -p csp-tests --features cores --test stress -- --exact "$@"
}
each $((networks / 4)) one_outcome::networks_without_choice_have_one_outcome::{cores,left_to_cores}
each $((networks / 8)) networks::a_thousand_random_networks::{cores,left_to_cores} \
    crowds::a_crowd_that_leaves_poisons_and_panics::{cores,left_to_cores}
