#!/usr/bin/env bash
# By hand, for it takes minutes: kills 10,000 workers (CSP_CHAOS: so many) at random moments, in every kind of wait, and
# stops one in five for a while before. Nothing may hang, be doubled, or be lost but what a dead worker had taken.
source "$(dirname "$0")/common.sh"

export CSP_CHAOS=${CSP_CHAOS:-10000} CSP_TEST_LIMIT=${CSP_TEST_LIMIT:-1200}
run cargo test -p csp-tests --test subprocess -- --nocapture killed::nothing_is_lost
