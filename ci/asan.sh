#!/usr/bin/env bash
# AddressSanitizer finds memory that is used after it was freed. Without arguments it leaves out the largest tests, and those with OS processes.
# `ci/asan.sh all` runs all of them. Other arguments choose tests by parts of their names: `ci/asan.sh retire`.
#
# It leaves out:
# - The stacks' own variables (`asan-stack`). A panic that unwinds on a coroutine's stack leaves marks of dead frames, and later frames would fail on them.
# - Leaks. Control blocks are kept for ever by design, and memory that only a coroutine's stack points at looks lost.
# - The standard library's own loads and stores, because it comes compiled. Its allocations are checked, and all generic code.
source "$(dirname "$0")/common.sh"

target=$(rustc -vV | sed -n 's/^host: //p')
runtime=$(rustc --print target-libdir)
compgen -G "$runtime/librustc-*_rt.asan.a" >/dev/null || skip "this toolchain has no AddressSanitizer ($runtime)"

case ${1-} in
    '') tests=(--skip many:: --skip os_processes --skip all_mixed) ;;
    all) tests=() ;;
    *) tests=("$@") ;;
esac

limit 10m
# The flag is part of every crate's fingerprint, so the build has a folder of its own. `--target` keeps the flag from macros and build scripts.
export CARGO_TARGET_DIR=target/asan RUSTC_BOOTSTRAP=1 CARGO_PROFILE_DEV_DEBUG=line-tables-only
export RUSTFLAGS="-Zsanitizer=address -Cllvm-args=-asan-stack=0"
export ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=1:${ASAN_OPTIONS-}"
export CSP_BUSY=off RUST_BACKTRACE=0 # everything is slow here
export CSP_TEST_LIMIT=300 # a test that hangs says so before the program is ended
run cargo test -p csp-tests --no-default-features --features compute,coroutines,generator,threads,subprocess \
    --target "$target" --no-fail-fast --test laws --test alternation --test asyncs --test stress -- "${tests[@]}"
