//! Networks of a number of members that is known at run time only.

use std::fmt;

use super::spawn::sealed_spawn;
use super::{expect, try_parallel, try_parallel_async, try_sequence, try_sequence_async};
use crate::process::{AnyProcess, Failure, Process, Replicated};

/// A set of processes that is built at run time and run at once.
///
/// All processes have one result type. [`Process::erased`] gives different processes one type.
///
/// ```
/// # use csp::{process, Parallel};
/// #[process]
/// fn id(n: usize) -> usize { n }
///
/// let mut set: Parallel<usize> = (0..3).map(id).collect();
/// set.extend([id(3)]);
/// assert_eq!(set.len(), 4);
/// assert_eq!(set.with(2 * id(7)).run(), [0, 1, 2, 3, 7, 7]);
/// ```
#[must_use = "the processes do nothing until `run` is called"]
pub struct Parallel<R> {
    processes: Vec<AnyProcess<R>>,
}

/// A sequence of processes that is built at run time and run one after another. See also [`Parallel`].
///
/// ```
/// # use csp::{process, Sequence};
/// #[process]
/// fn id(n: usize) -> usize { n }
///
/// assert_eq!((0..3).map(id).collect::<Sequence<_>>().run(), [0, 1, 2]);
/// ```
#[must_use = "the processes do nothing until `run` is called"]
pub struct Sequence<R> {
    processes: Vec<AnyProcess<R>>,
}

macro_rules! set {
    ($name:ident, $try:ident, $try_async:ident) => {
        impl<R: Send + 'static> $name<R> {
            /// Makes an empty one.
            pub const fn new() -> Self {
                Self { processes: Vec::new() }
            }

            /// Adds a process, or the processes of a replicated process or a `Vec`.
            pub fn with(mut self, processes: impl Members<R>) -> Self {
                processes.add_to(&mut self.processes);
                self
            }

            /// Returns how many processes there are.
            pub fn len(&self) -> usize {
                self.processes.len()
            }

            /// Returns whether there are none.
            pub fn is_empty(&self) -> bool {
                self.processes.is_empty()
            }

            /// Runs the processes. Returns their results in the order in which the processes were added.
            ///
            /// # Panics
            /// Panics if one of them failed, with its path and message.
            #[track_caller]
            pub fn run(self) -> Vec<R> {
                expect(self.try_run())
            }

            /// Runs the processes. Returns their results in the order in which the processes were added.
            ///
            /// # Errors
            /// Returns the first failure, if one of them failed.
            #[track_caller]
            pub fn try_run(self) -> Result<Vec<R>, Failure> {
                $try(self.processes)
            }

            /// The `async` form of [`run`](Self::run).
            ///
            /// # Panics
            /// As [`run`](Self::run).
            #[track_caller]
            pub fn run_async(self) -> impl Future<Output = Vec<R>> {
                let results = self.try_run_async();
                async move { expect(results.await) }
            }

            /// The `async` form of [`try_run`](Self::try_run).
            ///
            /// # Errors
            /// As [`try_run`](Self::try_run).
            #[track_caller]
            pub fn try_run_async(self) -> impl Future<Output = Result<Vec<R>, Failure>> {
                $try_async(self.processes)
            }
        }

        impl<R: Send + 'static, M: Members<R>> FromIterator<M> for $name<R> {
            fn from_iter<I: IntoIterator<Item = M>>(members: I) -> Self {
                let mut set = Self::new();
                set.extend(members);
                set
            }
        }

        impl<R, M: Members<R>> Extend<M> for $name<R> {
            fn extend<I: IntoIterator<Item = M>>(&mut self, members: I) {
                for member in members {
                    member.add_to(&mut self.processes);
                }
            }
        }

        impl<R: Send + 'static> Default for $name<R> {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<R> fmt::Debug for $name<R> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(&self.processes).finish()
            }
        }
    };
}

set!(Parallel, try_parallel, try_parallel_async);
set!(Sequence, try_sequence, try_sequence_async);

/// The type of the processes that a [`Parallel`] or a [`Sequence`] accepts. This trait is sealed. [`Spawn`](crate::Spawn) says how it
/// differs from its fellows.
///
/// ```
/// use csp::{Members, Parallel, process};
///
/// fn sum(parts: impl Members<u32>) -> u32 {
///     Parallel::new().with(parts).run().into_iter().sum()
/// }
///
/// #[process]
/// fn id(n: u32) -> u32 { n }
/// assert_eq!(sum(vec![id(1), id(2)]) + sum(3 * id(3)), 12);
/// assert_eq!(sum([id(1), id(2)]) + sum(Some(id(3))), 6);
/// ```
pub trait Members<R>: sealed_spawn::Sealed {
    #[doc(hidden)]
    fn add_to(self, processes: &mut Vec<AnyProcess<R>>);
}

impl<A: Send + 'static, R: 'static> Members<R> for Process<A, R> {
    fn add_to(self, processes: &mut Vec<AnyProcess<R>>) {
        processes.push(self.erased());
    }
}

impl<A: Send + 'static, R: 'static> Members<R> for Replicated<A, R> {
    fn add_to(self, processes: &mut Vec<AnyProcess<R>>) {
        self.into_vec().add_to(processes);
    }
}

impl<R, M: Members<R>, const N: usize> Members<R> for [M; N] {
    fn add_to(self, processes: &mut Vec<AnyProcess<R>>) {
        self.into_iter().for_each(|process| process.add_to(processes));
    }
}

impl<R, M: Members<R>> Members<R> for Option<M> {
    fn add_to(self, processes: &mut Vec<AnyProcess<R>>) {
        self.into_iter().for_each(|process| process.add_to(processes));
    }
}

impl<R, M: Members<R>> Members<R> for Vec<M> {
    fn add_to(self, processes: &mut Vec<AnyProcess<R>>) {
        for process in self {
            process.add_to(processes);
        }
    }
}
