#!/usr/bin/env bash
# The laws, choices and deadlocks without the feature `cores`. A plain `cargo test` has it, because the examples have it and cargo unifies
# the features of all packages that it builds together.
source "$(dirname "$0")/common.sh"

if cargo tree -p csp-tests --edges normal,dev --format '{p} {f}' --prefix none | grep -E '^csp-process .*[ ,]cores(,|$| )'; then
    echo "the feature \`cores\` is on" >&2
    exit 1
fi
limit 20m
run cargo test -p csp-tests --test laws --test alternation --test deadlocks
