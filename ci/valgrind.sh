#!/usr/bin/env bash
# memcheck finds reads of memory that was never written or was freed, also on the stacks of coroutines. Arguments choose laws by parts of
# their names: `ci/valgrind.sh retire`. Without arguments a subset runs, which takes some minutes. `ci/valgrind.sh all` runs all of them.
#
# It leaves out laws with ten thousand processes. It also leaves out laws with OS processes, because valgrind does not let rustix read the
# kernel's clock.
#
# The engine tells valgrind its stacks, and under valgrind guards them with `mprotect`. Leaks are not checked, because control blocks are kept by design.
source "$(dirname "$0")/common.sh"

command -v valgrind >/dev/null || need valgrind

limit 10m valgrind --quiet --error-exitcode=66 --trace-children=no
export CSP_BUSY=off RUST_BACKTRACE=0 # everything is slow here
export CSP_TEST_LIMIT=300 # a test that hangs says so before the program is ended

case ${1-} in
    '') laws=(retire:: poison:: panics:: unwinding:: extended:: guards::a_) ;;
    all) laws=() ;;
    *) laws=("$@") ;;
esac
others=(--skip ::threads --skip ::async_threads --skip mixed --skip os_processes --skip many:: --skip defects::)
# These programs are those of ci/without_cores.sh.
run cargo test -p csp-tests --no-default-features --features suites --test laws --test alternation --no-fail-fast -- "${laws[@]}" "${others[@]}"
