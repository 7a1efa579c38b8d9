//! The programs of the guide: `cargo run -p csp-examples --bin guide -- choice`.
//!
//! A chapter of `csp::guide` shows each program and its output. `tests/guide.rs` checks that both are the same.

/// Declares `mod`s whose files are the whole programs of the guide.
macro_rules! programs {
    ($($name:ident)*) => {
        $(
            mod $name {
                include!(concat!(stringify!($name), ".rs"));

                pub(super) fn run() {
                    main();
                }
            }
        )*

        const PROGRAMS: &[(&str, fn())] = &[$((stringify!($name), $name::run)),*];
    };
}

programs! {
    blocking
    channels
    choice
    client_server
    deadlock
    failure
    fan_in
    first_network
    parallelism
    phases
    replication
    ring
    termination
}

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    match PROGRAMS.iter().find(|(name, _)| *name == wanted) {
        Some((_, run)) => run(),
        None => {
            let names: Vec<_> = PROGRAMS.iter().map(|(name, _)| *name).collect();
            eprintln!("usage: guide {}", names.join("|"));
            std::process::exit(2);
        }
    }
}
