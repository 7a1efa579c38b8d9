#!/usr/bin/env bash
# ThreadSanitizer finds data races: memory that two threads use at once with nothing that orders them. It checks processes that are threads,
# because it knows no coroutine's stack. Without arguments it leaves out the largest tests. `ci/tsan.sh all` runs all of them. Other arguments choose
# tests by parts of their names: `ci/tsan.sh retire`.
#
# The standard library has to be built with the sanitizer, or it does not see the library's locks. The sources come with Debian's own compiler
# (`rustc-web`, `cargo-web`, `rust-web-src`). The sanitizer itself comes with the toolchain that is here already.
# ThreadSanitizer does not know fences, so no access of the library is ordered by a fence alone. `sync/shown.rs` and schedulers that fall asleep
# use a fence to decide which thread sees which. An acquire and a release of the same word order the rest. The locks have no owner without the
# engine `slab`.
source "$(dirname "$0")/common.sh"

runtime=$(compgen -G "$(rustc --print target-libdir)/librustc-*_rt.tsan.a") || skip "this toolchain has no ThreadSanitizer"
[[ -x /usr/bin/cargo && -d /usr/lib/rustlib/src/rust/library ]] || need rustc-web cargo-web rust-web-src

case ${1-} in
    '') tests=(--skip many:: --skip mixture --skip networks) ;;
    all) tests=() ;;
    *) tests=("$@") ;;
esac

limit 10m
export PATH=/usr/bin:$PATH RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR=target/tsan CARGO_PROFILE_DEV_DEBUG=line-tables-only
# Debian's compiler lacks the sanitizer's runtime, so the script links it, ahead of the C libraries that it needs.
RUSTFLAGS="-Zsanitizer=thread -Zexternal-clangrt -Zpre-link-args=-Wl,--whole-archive,$runtime,--no-whole-archive"
export RUSTFLAGS+=" -Clink-arg=-Wl,--export-dynamic -Clink-arg=-lm -Clink-arg=-lresolv -Clink-arg=-lrt -Clink-arg=-lc"
export TSAN_OPTIONS="suppressions=$PWD/ci/tsan.suppressions:${TSAN_OPTIONS-}"
export CSP_BUSY=off RUST_BACKTRACE=0 # everything is slow here
export CSP_TEST_LIMIT=300 # a test that hangs says so before the program is ended
target=$(rustc -vV | sed -n 's/^host: //p')
run cargo test -Zbuild-std=std,panic_unwind,test -p csp-tests --no-default-features --features threads \
    --target "$target" --no-fail-fast --test laws --test alternation --test asyncs --test stress -- "${tests[@]}"
