#!/usr/bin/env bash
# The benchmarks build.
source "$(dirname "$0")/common.sh"
run cargo bench -p csp-benches --no-run
