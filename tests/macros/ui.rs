//! The macros' error messages: one mistake a file, and beside it the compiler's whole output, so that a second error shows.
//! `TRYBUILD=overwrite cargo test -p csp-tests-macros` writes the output anew.

use std::process::Command;

/// The compiler whose own messages are in `ui/rustc`. The messages of the macros are the same on any compiler.
const RUSTC: &str = "rustc 1.95.";

#[test]
fn what_is_right_compiles() {
    trybuild::TestCases::new().pass("ui/pass/*.rs");
}

/// They stand apart from the right ones, because trybuild then gives all of them to one run of the compiler.
#[test]
fn mistakes_are_named() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/*.rs");
    let subprocess = cfg!(feature = "subprocess");
    if subprocess {
        cases.compile_fail("ui/subprocess/*.rs");
    }
    let version = Command::new("rustc").arg("--version").output().expect("a compiler").stdout;
    if version.starts_with(RUSTC.as_bytes()) {
        cases.compile_fail("ui/rustc/*.rs");
        if subprocess {
            cases.compile_fail("ui/subprocess/rustc/*.rs");
        }
    } else {
        eprintln!("ui/rustc is not checked: it says what {RUSTC} says");
    }
}
