#!/usr/bin/env bash
# ThreadSanitizer finds data races: memory that two threads use at once with nothing that orders them. It checks processes that are threads,
# and coroutines on the schedulers of several cores. Without arguments it leaves out the largest tests. `ci/tsan.sh all` runs all of them. Other
# arguments choose tests by parts of their names: `ci/tsan.sh retire`.
#
# The standard library has to be built with the sanitizer, or the sanitizer does not see the library's locks. Its sources are rustup's `rust-src`.
# ThreadSanitizer does not know fences, so no access of the library is ordered by a fence alone. `sync/shown.rs` uses a fence to decide which
# thread sees which. An acquire and a release of the same word order the rest.
# `--cfg csp_tsan` tells the sanitizer of each switch between stacks. It also leaves out `membarrier`, which the sanitizer cannot see. So no lock has
# an owner there.
source "$(dirname "$0")/common.sh"

compgen -G "$(rustc --print target-libdir)/librustc-*_rt.tsan.a" >/dev/null || skip "this toolchain has no ThreadSanitizer"
if [[ ! -d $(rustc --print sysroot)/lib/rustlib/src/rust/library ]]; then
    command -v rustup >/dev/null && run rustup component add rust-src || skip "the sources of the standard library are missing"
fi

case ${1-} in
    '') tests=(--skip many:: --skip mixture --skip networks) ;;
    all) tests=() ;;
    *) tests=("$@") ;;
esac

limit 20m
export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/tsan CARGO_PROFILE_DEV_DEBUG=line-tables-only CARGO_PROFILE_DEV_OPT_LEVEL=1
export RUSTFLAGS="-Zsanitizer=thread --cfg csp_tsan"
export TSAN_OPTIONS="suppressions=$PWD/ci/tsan.suppressions:${TSAN_OPTIONS-}"
export CSP_BUSY=off RUST_BACKTRACE=0 # everything is slow here
export CSP_TEST_LIMIT=300 # a test that hangs says so before the program is ended
target=$(rustc -vV | sed -n 's/^host: //p')
tsan=(cargo test -Zbuild-std=std,panic_unwind,test -p csp-tests --no-default-features --target "$target" --no-fail-fast)
run "${tsan[@]}" --features threads --test laws --test alternation --test asyncs --test stress -- "${tests[@]}"
# Half of the placements of these laws are on all cores.
CSP_CORES=4 run "${tsan[@]}" --features coroutines,cores --test laws --test alternation --test stress -- cores "${tests[@]}"
