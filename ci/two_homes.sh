#!/usr/bin/env bash
# By hand, for it takes minutes: 2 million values (CSP_ROUNDS: so many) through choices with input and output guards over
# channels of two homes, by two OS processes, a thread and a coroutine, and a third OS process that is the second home. Each
# value arrives once. Optimised: without that a value takes four times as long.
source "$(dirname "$0")/common.sh"

export CSP_ROUNDS=${CSP_ROUNDS:-2000000} CSP_TEST_LIMIT=${CSP_TEST_LIMIT:-1200}
run cargo test --release -p csp-tests --test subprocess -- --nocapture two_homes::
