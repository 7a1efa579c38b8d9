//! The kinds of signals.

use std::fmt;

/// A kind of signal: `SIGINT`, which `Ctrl-C` sends, and its kin.
///
/// ```
/// use csp::Signal;
///
/// assert_eq!(Signal::TERM.to_string(), "SIGTERM");
/// assert_eq!(Signal::new(Signal::HUP.number()), Signal::HUP);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

/// Each kind by its name, the name of the system, and the number where the system has no such signal.
macro_rules! kinds {
    ($($(#[$about:meta])* $name:ident $long:ident $number:literal;)*) => {
        impl Signal {
            $(
                $(#[$about])*
                #[cfg(unix)]
                pub const $name: Self = Self(libc::$long);
                $(#[$about])*
                #[cfg(not(unix))]
                pub const $name: Self = Self($number);
            )*

            fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($long)),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// `SIGHUP`: the terminal has gone. Many services read their configuration again.
    HUP SIGHUP 1;
    /// `SIGINT`: `Ctrl-C` at the terminal.
    INT SIGINT 2;
    /// `SIGQUIT`: `Ctrl-\` at the terminal. With `#[csp::main(dump_on_signal)]` it also prints the network.
    QUIT SIGQUIT 3;
    /// `SIGUSR1`: means what the program says. With `#[csp::main(dump_on_signal)]` it also prints the network.
    USR1 SIGUSR1 10;
    /// `SIGUSR2`: means what the program says.
    USR2 SIGUSR2 12;
    /// `SIGPIPE`: nobody reads a pipe any more. Rust programs ignore it, and get an error from the write.
    PIPE SIGPIPE 13;
    /// `SIGALRM`: a timer of the system has run out.
    ALRM SIGALRM 14;
    /// `SIGTERM`: somebody asks the program to end, as `kill` and most supervisors of services do.
    TERM SIGTERM 15;
    /// `SIGCHLD`: a child of the program has ended or stopped.
    CHLD SIGCHLD 17;
    /// `SIGCONT`: the program goes on after it was stopped.
    CONT SIGCONT 18;
    /// `SIGTSTP`: `Ctrl-Z` at the terminal.
    TSTP SIGTSTP 20;
    /// `SIGWINCH`: the window has another size.
    WINCH SIGWINCH 28;
}

impl Signal {
    /// Returns the kind with this number on this system.
    #[must_use]
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// Returns the number on this system.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }
}

/// Writes the name of the system: `SIGINT`. A kind without a name here is `signal 40`.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("signal {}", self.0)),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
