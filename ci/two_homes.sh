#!/usr/bin/env bash
# Passes 2 million values (or CSP_ROUNDS) through choices with input and output guards over channels of two homes. A home is the
# OS process that owns a channel. Two OS processes, a thread and a coroutine take part, and a third OS process is the second home.
# Each value arrives once. It runs by hand, because it takes minutes. It is optimised, because a value takes four times as long otherwise.
source "$(dirname "$0")/common.sh"

export CSP_ROUNDS=${CSP_ROUNDS:-2000000} CSP_TEST_LIMIT=${CSP_TEST_LIMIT:-1200}
run cargo test --release -p csp-tests --test subprocess -- --nocapture two_homes::
