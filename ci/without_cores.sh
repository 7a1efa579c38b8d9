#!/usr/bin/env bash
# The laws, choices and deadlocks without the feature `cores`. A plain `cargo test` has it, because the examples have it and cargo unifies
# the features of all packages that it builds together. The placements with OS processes are left out: they wait for most of the time, and
# the feature changes little in them.
source "$(dirname "$0")/common.sh"

suites=(-p csp-tests --no-default-features --features suites)
if cargo tree "${suites[@]}" --edges normal,dev --format '{p} {f}' --prefix none | grep -E '^csp-process .*[ ,]cores(,|$| )'; then
    echo "the feature \`cores\` is on" >&2
    exit 1
fi
limit 20m
run cargo test "${suites[@]}" --test laws --test alternation --test deadlocks -- --skip os_processes --skip all_mixed
