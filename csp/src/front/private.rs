//! The code that the macros' expansions call. It is not part of the interface.

#[allow(unused_imports, unreachable_pub, reason = "there are none without OS processes")]
pub use crate::backend::subprocess::portable::*;
pub use crate::process::code::{Code, Entry, hash};
pub use crate::process::definition::{Definition, EndsFate};
pub use crate::stack::ENGINES;
pub use crate::{
    __csp_cores as cores, __csp_on_cores as on_cores, __csp_portable as portable,
    __csp_subprocess as subprocess, __csp_thread as thread,
};

use crate::backend;
use crate::network::{self, Component, Output};
use crate::process::{Failure, Options, Process};

/// Stands behind `#[process]`. [`argument`] and [`result`] report a type that must be
/// `Send + 'static` and is not, at the type. It is reported again where the process is run.
pub fn process<A, R>(
    definition: &'static Definition,
    arguments: A,
    code: Code<A, R>,
) -> Process<A, R> {
    Process { options: Options::new(definition), arguments, code }
}

/// Has networks that this thread starts use this many cores at most.
pub fn cores_of_this_thread(n: usize) {
    backend::cores_of_test(Some(n));
}

/// Makes a process ask for no backend, though its function may. This is for tests of the default, because it leaks memory.
pub fn on_none<A, R>(mut process: Process<A, R>) -> Process<A, R> {
    process.options.ask_for_none();
    process
}

/// Links the OS process of a process by a stream, as that of another host would be. This is for tests of whole networks, of
/// which there are none now: see `transport/README.md`.
#[cfg(feature = "hosts")]
pub fn by_stream<A, R>(mut process: Process<A, R>) -> Process<A, R> {
    process.options.set().by_stream = true;
    process
}

/// Checks an argument of a process.
#[inline(always)]
pub fn argument<T: Send + 'static>(value: T) -> T {
    value
}

/// Checks the result of a process.
#[inline(always)]
pub fn result<T: Send + 'static>(value: T) -> T {
    value
}

/// Runs the body of a process.
#[inline(always)]
pub fn body<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// Stands where an `async` block of a macro would return, and tells rustc the type of the block. Nothing calls it.
#[cold]
pub fn of_type<T>() -> T {
    unreachable!("it stands behind `if false`")
}

pub use super::returned::{Decides, ProcessResult};

/// Checks the result of a process that is a future.
#[inline(always)]
pub fn result_async<T: Send + 'static>(
    future: impl Future<Output = T> + 'static,
) -> impl Future<Output = T> + 'static {
    future
}

/// The ends that a process holds and does not let out.
pub mod kept {
    use crate::{Barrier, Channel, Reader, Stop, StopToken, Writer};

    /// An argument or a variable of a process, which the macros have examined.
    #[derive(Debug)]
    pub struct Kept<'a, T>(pub &'a T);

    /// The way in which it is kept.
    #[derive(Clone, Copy, Debug)]
    pub struct How {
        /// The process never moves it.
        pub sure: bool,
        /// It is not to be used, as its name says, which begins with `_`.
        pub spare: bool,
    }

    /// Returns whether a field lies in the object itself, and was not reached by `Deref`.
    #[inline(always)]
    pub fn is_part<O, F>(object: &O, field: &F) -> bool {
        let object = std::ptr::from_ref(object).addr();
        let field = std::ptr::from_ref(field).addr();
        (object..object + size_of::<O>()).contains(&field)
    }

    /// Channel ends and similar values, and values that consist of such alone.
    pub trait Holds {
        /// Registers it as the current process's.
        fn hold(&self, how: How);
    }

    impl<T: Holds> Kept<'_, T> {
        /// Registers the current process as the holder of the ends in it.
        pub fn hold(&self, how: How) {
            self.0.hold(how);
        }
    }

    /// Every other value holds nothing that is known.
    pub trait Otherwise {
        /// Does nothing.
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

    impl Holds for Stop {
        fn hold(&self, how: How) {
            self.claim(how.sure);
        }
    }

    impl Holds for StopToken {
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

/// Stands behind `parallel!`.
#[track_caller]
pub fn parallel<C: Component>(components: C) -> Output<C> {
    network::expect(network::try_parallel(components))
}

/// Stands behind `parallel_async!`.
#[track_caller]
pub fn parallel_async<C: Component>(components: C) -> impl Future<Output = Output<C>> {
    let results = network::try_parallel_async(components);
    async move { network::expect(results.await) }
}

/// Stands behind `try_parallel_async!`.
#[track_caller]
pub fn try_parallel_async<C: Component>(
    components: C,
) -> impl Future<Output = Result<Output<C>, Failure>> {
    network::try_parallel_async(components)
}

/// Stands behind `try_parallel!`.
#[track_caller]
pub fn try_parallel<C: Component>(components: C) -> Result<Output<C>, Failure> {
    network::try_parallel(components)
}

/// Stands behind `sequence!`.
#[track_caller]
pub fn sequence<C: Component>(components: C) -> Output<C> {
    network::expect(network::try_sequence(components))
}

/// Stands behind `sequence_async!`.
#[track_caller]
pub fn sequence_async<C: Component>(components: C) -> impl Future<Output = Output<C>> {
    let results = network::try_sequence_async(components);
    async move { network::expect(results.await) }
}

/// Stands behind `try_sequence_async!`.
#[track_caller]
pub fn try_sequence_async<C: Component>(
    components: C,
) -> impl Future<Output = Result<Output<C>, Failure>> {
    network::try_sequence_async(components)
}

/// Stands behind `try_sequence!`.
#[track_caller]
pub fn try_sequence<C: Component>(components: C) -> Result<Output<C>, Failure> {
    network::try_sequence(components)
}

pub use super::harness::{Main, Test, main, test};
pub use std::time::Duration;

pub use csp_macros::{alt, pri_alt};

/// Stands behind `alt!` and `pri_alt!`.
pub mod alt {
    pub use crate::__csp_descriptor as descriptor;
    pub use crate::choice::barrier::sync;
    pub use crate::choice::choose::{Site, choose, choose_async, first, first_async};
    pub use crate::choice::guard::Guard;
    pub use crate::choice::guard::{LeftValue, Sweep, place};
    pub use crate::choice::guards::call::due as io;
    pub use crate::choice::guards::join::{join, try_join};
    pub use crate::choice::guards::late::defer;
    pub use crate::choice::guards::read::{begin, read};
    pub use crate::choice::guards::retired::retired;
    pub use crate::choice::guards::time::{after, at, skip};
    pub use crate::choice::guards::variable::{Moves, Place};
    pub use crate::choice::guards::write::write;
    #[allow(unused_imports, unreachable_pub, reason = "empty where there are no sockets")]
    pub use crate::front::descriptors::*;
}

/// Returns how many writes there were to words that the threads of all schedulers share.
#[cfg(csp_count_shared)]
pub fn shared_writes() -> u64 {
    crate::system::shared::writes()
}

/// The decoders of all that comes from other OS processes, for the targets of `fuzz/`.
#[cfg(csp_fuzz)]
pub use crate::backend::subprocess::fuzzed;
