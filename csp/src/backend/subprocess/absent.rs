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

/// This is no child.
pub(crate) fn init() {}
