#!/usr/bin/env bash
# The benchmarks build. One round of the table of cores runs, with a work of each kind: it fails if a measurement fails.
source "$(dirname "$0")/common.sh"
run cargo bench -p csp-benches --no-run
run cargo run --release -p csp-benches -- --cores --rounds 1 \
    commstime "ring" "fan-in" "select" "(10 * nothing)" "of 8, 10 µs" "farm of 10, 10 µs" "64 jobs, 10 µs" "blocked"
