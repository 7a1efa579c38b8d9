//! Lints see what the user wrote, once.
#![deny(unused_variables, unused_mut, unused_must_use, unreachable_code)]

use csp::{Reader, alt, process};

#[process]
fn chooser(left: Reader<u64>) -> csp::Result {
    alt! {
        mut x = left.read() => {}
        y = left.read() => {
            return Ok(());
            drop(y);
        }
        left.read() => return Ok(()),
    };
    Ok(())
}

fn main() {
    let _ = chooser;
}
