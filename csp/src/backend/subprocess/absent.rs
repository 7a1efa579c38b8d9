//! In place of OS processes, where they are not compiled in: what may run in one runs as any other process does.

pub(crate) mod portable {
    /// Behind `#[multiprocess]`: the function as any other.
    #[doc(hidden)]
    #[macro_export]
    macro_rules! __csp_portable {
        ([$($mistakes:tt)*] [$($instance:expr)?] $name:expr, $signature:expr, $body:expr, $($ways:tt)*) => {
            $crate::__private::Code::new($body)
        };
    }
}

/// There are no other OS processes.
pub(crate) mod waves {
    use std::time::Duration;

    use crate::backend::others::{Asked, Count, Others, Shown};
    use crate::termination::Poison;

    pub(crate) fn others() -> Others {
        Others::None
    }
    pub(crate) fn tell_quiet() {}
    pub(crate) fn tally() -> Option<(u64, u64, u64)> {
        None
    }
    pub(crate) fn count(_: Duration) -> Option<Count> {
        None
    }
    pub(crate) fn show(_: Duration) -> Option<Vec<Shown>> {
        None
    }
    pub(crate) fn end(_: bool, _: &Poison) {}
    pub(crate) fn asked() -> Option<Asked> {
        None
    }
    pub(crate) fn counted(_: u64, _: Option<Count>) {}
    pub(crate) fn shown(_: u64, _: Shown) {}
}

/// This is no child.
pub(crate) fn init() {}
