#!/usr/bin/env bash
# Runs each law of channels and of alternation with OS processes that are linked by streams, as those on other hosts are.
source "$(dirname "$0")/common.sh"

[[ $(uname -s) == Linux ]] || skip "OS processes exist on Linux only"
limit 15m
# A plain `cargo test` has built these programs.
run cargo test --test laws --test alternation -- --ignored ::streams
