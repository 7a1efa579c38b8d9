#!/usr/bin/env bash
# Kills 10,000 workers (or CSP_CHAOS) at random moments, in every kind of wait, and stops one in five for a while before. It
# runs by hand, because it takes minutes. Nothing may hang or be doubled. Only a value that a dead worker had taken may be lost.
source "$(dirname "$0")/common.sh"

export CSP_CHAOS=${CSP_CHAOS:-10000} CSP_TEST_LIMIT=${CSP_TEST_LIMIT:-1200}
run cargo test -p csp-tests --test subprocess -- --nocapture killed::nothing_is_lost
