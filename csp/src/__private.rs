//! What the macros expand to. Not part of the interface.

pub use crate::__csp_portable as portable;
#[allow(unused_imports, unreachable_pub, reason = "there are none without OS processes")]
pub use crate::backend::subprocess::portable::*;
pub use crate::process::code::{Code, Entry, hash};
pub use crate::process::definition::{Definition, OnPanic};

use crate::network::{self, Component, Output};
use crate::process::{Failure, Options, Process};

/// Behind `#[process]`. What must be `Send + 'static` is said by [`argument`] and [`result`], at the type that
/// is not, and again where the process is run.
pub fn process<A, R>(
    definition: &'static Definition,
    arguments: A,
    code: Code<A, R>,
) -> Process<A, R> {
    Process { options: Options::new(definition), arguments, code }
}

/// An argument of a process.
#[inline(always)]
pub fn argument<T: Send + 'static>(value: T) -> T {
    value
}

/// The result of a process.
#[inline(always)]
pub fn result<T: Send + 'static>(value: T) -> T {
    value
}

/// The result of a process that is a future.
#[inline(always)]
pub fn result_async<T: Send + 'static>(
    future: impl Future<Output = T> + 'static,
) -> impl Future<Output = T> + 'static {
    future
}

/// What a process holds and does not let out.
pub mod kept {
    use crate::{Barrier, Channel, Reader, Writer};

    /// An argument or a variable of a process, which the macros have looked at.
    #[derive(Debug)]
    pub struct Kept<'a, T>(pub &'a T);

    /// How it is kept.
    #[derive(Clone, Copy, Debug)]
    pub struct How {
        /// The process never moves it.
        pub sure: bool,
        /// It is not to be used, as its name says, which begins with `_`.
        pub spare: bool,
    }

    /// Channel ends and their like, and what is made of such alone.
    pub trait Holds {
        /// It is the current process's.
        fn hold(&self, how: How);
    }

    impl<T: Holds> Kept<'_, T> {
        /// Says who holds the ends in it.
        pub fn hold(&self, how: How) {
            self.0.hold(how);
        }
    }

    /// Everything else holds nothing that is known.
    pub trait Otherwise {
        /// Nothing.
        #[inline(always)]
        fn hold(&self, _how: How) {}
    }

    impl<T> Otherwise for Kept<'_, T> {}

    macro_rules! ends {
        ($($end:ty),*) => { $(
            impl<T> Holds for $end {
                fn hold(&self, how: How) {
                    self.claim(how.sure);
                    if how.spare {
                        self.spare();
                    }
                }
            }
        )* };
    }

    ends!(Reader<T>, Writer<T>);

    impl<T> Holds for Channel<T> {
        fn hold(&self, how: How) {
            self.claim(how.sure);
        }
    }

    impl Holds for Barrier {
        fn hold(&self, how: How) {
            self.claim(how.sure);
        }
    }

    impl<H: Holds> Holds for Vec<H> {
        fn hold(&self, how: How) {
            self.iter().for_each(|end| end.hold(how));
        }
    }

    impl<H: Holds, const N: usize> Holds for [H; N] {
        fn hold(&self, how: How) {
            self.iter().for_each(|end| end.hold(how));
        }
    }

    impl<H: Holds> Holds for Option<H> {
        fn hold(&self, how: How) {
            self.iter().for_each(|end| end.hold(how));
        }
    }

    impl<H: Holds> Holds for Box<H> {
        fn hold(&self, how: How) {
            (**self).hold(how);
        }
    }

    macro_rules! tuples {
        ($($part:ident)*) => {
            impl<$($part: Holds),*> Holds for ($($part,)*) {
                #[allow(non_snake_case)]
                fn hold(&self, how: How) {
                    let ($($part,)*) = self;
                    $($part.hold(how);)*
                }
            }
        };
    }

    tuples!(A);
    tuples!(A B);
    tuples!(A B C);
    tuples!(A B C D);
    tuples!(A B C D E);
    tuples!(A B C D E F);
}

/// Behind `parallel!`.
#[track_caller]
pub fn parallel<C: Component>(components: C) -> Output<C> {
    network::expect(network::try_parallel(components))
}

/// Behind `parallel_async!`.
#[track_caller]
pub fn parallel_async<C: Component>(components: C) -> impl Future<Output = Output<C>> {
    let results = network::try_parallel_async(components);
    async move { network::expect(results.await) }
}

/// Behind `try_parallel_async!`.
#[track_caller]
pub fn try_parallel_async<C: Component>(
    components: C,
) -> impl Future<Output = Result<Output<C>, Failure>> {
    network::try_parallel_async(components)
}

/// Behind `try_parallel!`.
#[track_caller]
pub fn try_parallel<C: Component>(components: C) -> Result<Output<C>, Failure> {
    network::try_parallel(components)
}

/// Behind `sequence!`.
#[track_caller]
pub fn sequence<C: Component>(components: C) -> Output<C> {
    network::expect(network::try_sequence(components))
}

/// Behind `sequence_async!`.
#[track_caller]
pub fn sequence_async<C: Component>(components: C) -> impl Future<Output = Output<C>> {
    let results = network::try_sequence_async(components);
    async move { network::expect(results.await) }
}

/// Behind `try_sequence_async!`.
#[track_caller]
pub fn try_sequence_async<C: Component>(
    components: C,
) -> impl Future<Output = Result<Output<C>, Failure>> {
    network::try_sequence_async(components)
}

/// Behind `try_sequence!`.
#[track_caller]
pub fn try_sequence<C: Component>(components: C) -> Result<Output<C>, Failure> {
    network::try_sequence(components)
}

pub use crate::harness::{Main, Test, main, test};
pub use std::time::Duration;

pub use csp_macros::{alt, pri_alt};

/// Behind `alt!` and `pri_alt!`.
pub mod alt {
    pub use crate::alternation::{Site, choose, choose_async, first, first_async};
    pub use crate::barrier::sync;
    pub use crate::guard::{
        Guard, Moves, Place, after, at, begin, defer, read, retired, skip, write,
    };
    pub use crate::io::due as io;
}
