//! Processes that run beside the one that starts them.

use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use super::expect;
use crate::backend;
use crate::choice::choose::choose_first;
use crate::choice::guard::Guard as _;
use crate::choice::guards;
use crate::process::group::Group;
use crate::process::join::{Join, Joinable};
use crate::process::single::Single;
use crate::process::{Failure, Process, Replicated};
use crate::wait::park;

/// Starts processes without waiting for them.
///
/// On coroutines they run when the caller waits, on threads at once. A parent ends only after the processes that it
/// spawned have ended. A process waits for its children after its last statement. `main` waits with
/// [`#[csp::main]`](crate::main) or [`shutdown`](crate::shutdown), and any other plain thread waits when it ends. Nobody waits for a
/// `daemon`. The failure of a process that is not joined goes to its parent.
///
/// A plain `main` that returns ends the program and all processes in it. A call of `std::process::exit` does the
/// same, wherever it is made.
///
/// Returns a [`Spawned`] for a process. For a replicated process or a `Vec` of processes it returns a `Vec` of
/// them, for an array an array, and for an `Option` an `Option`.
///
/// Idea: `Spawn` of PyCSP, `ProcessManager` of JCSP, `FORK` of occam-pi.
///
/// ```
/// # use csp::{process, spawn};
/// #[process]
/// fn answer() -> u32 { 42 }
///
/// let answer = spawn(answer());
/// assert_eq!(answer.join(), 42);
/// ```
#[track_caller]
pub fn spawn<S: Spawn>(processes: S) -> S::Spawned {
    processes.spawn_at(Location::caller())
}

/// The argument type of [`spawn`]. This trait is sealed.
///
/// Three traits tell what a process, or a container of processes, is given to. A [`Component`](crate::Component) is run to its end, and its
/// output has its shape. A `Spawn` goes on beside its parent, and its handles have its shape. [`Members`](crate::Members) of a set have one
/// result type, so a tuple has none. All three take processes, replicated processes, and a `Vec`, an array or an `Option` of these.
///
/// ```
/// use csp::{Spawn, spawn};
///
/// fn begin<S: Spawn>(processes: S) -> S::Spawned {
///     println!("it begins");
///     spawn(processes)
/// }
/// # #[csp::process]
/// # fn one() -> u32 { 1 }
/// # assert_eq!(begin(one()).join(), 1);
/// # assert_eq!(begin(2 * one()).len(), 2);
/// let [first, second] = begin([one(), one()]);
/// assert_eq!(first.join() + second.join(), 2);
/// assert!(begin(Some(one())).is_some());
/// ```
pub trait Spawn: sealed_spawn::Sealed {
    /// One [`Spawned`], or as many as there are processes, in a container of the same kind.
    type Spawned;

    #[doc(hidden)]
    fn spawn_at(self, place: &'static Location<'static>) -> Self::Spawned;
}

pub(super) mod sealed_spawn {
    pub trait Sealed {}
    impl<A, R> Sealed for crate::process::Process<A, R> {}
    impl<A, R> Sealed for crate::process::Replicated<A, R> {}
    impl<S: Sealed> Sealed for Vec<S> {}
    impl<S: Sealed, const N: usize> Sealed for [S; N] {}
    impl<S: Sealed> Sealed for Option<S> {}
}

impl<A: Send + 'static, R: Send + 'static> Spawn for Process<A, R> {
    type Spawned = Spawned<R>;

    fn spawn_at(self, place: &'static Location<'static>) -> Spawned<R> {
        // Nobody waits for the group of a daemon.
        let group = if self.options.daemon() {
            Arc::new(Group::new(place))
        } else {
            Group::of_children(place)
        };
        group.enter(1);
        let single = Arc::new(Single::new(self, group, false, place));
        backend::start(single.clone());
        Spawned { process: Some(single) }
    }
}

impl<A: Send + 'static, R: Send + 'static> Spawn for Replicated<A, R> {
    type Spawned = Vec<Spawned<R>>;

    fn spawn_at(self, place: &'static Location<'static>) -> Self::Spawned {
        self.into_vec().spawn_at(place)
    }
}

impl<S: Spawn> Spawn for Vec<S> {
    type Spawned = Vec<S::Spawned>;

    fn spawn_at(self, place: &'static Location<'static>) -> Self::Spawned {
        self.into_iter().map(|process| process.spawn_at(place)).collect()
    }
}

impl<S: Spawn, const N: usize> Spawn for [S; N] {
    type Spawned = [S::Spawned; N];

    fn spawn_at(self, place: &'static Location<'static>) -> Self::Spawned {
        self.map(|process| process.spawn_at(place))
    }
}

impl<S: Spawn> Spawn for Option<S> {
    type Spawned = Option<S::Spawned>;

    fn spawn_at(self, place: &'static Location<'static>) -> Self::Spawned {
        self.map(|process| process.spawn_at(place))
    }
}

/// A spawned process. Dropping this value does not affect the process.
///
/// Its end is a guard: `result = child.join() => …` and `outcome = child.try_join() => …` in [`alt!`](crate::alt) and
/// [`pri_alt!`](crate::pri_alt), and [`Alternation::join`](crate::Alternation::join). The guard takes the result. A process that was
/// joined so counts as a channel that has retired, and can't be joined again.
///
/// ```
/// # use csp::{Channel, Reader, Spawned, alt, process, spawn};
/// #[process]
/// fn square(n: u32) -> u32 { n * n }
///
/// let (one, two) = (spawn(square(3)), spawn(square(4)));
/// let mut squares = Vec::new();
/// while let Ok(square) = alt! {
///     square = one.join() => square,
///     square = two.join() => square,
/// } {
///     squares.push(square);
/// }
/// squares.sort();
/// assert_eq!(squares, [9, 16]);
/// ```
///
/// ```
/// # use csp::{Spawned, process, spawn};
/// #[process]
/// fn answer() -> u32 { 42 }
///
/// let answers: Vec<Spawned<u32>> = spawn(2 * answer());
/// assert_eq!(answers.into_iter().map(Spawned::join).sum::<u32>(), 84);
/// ```
pub struct Spawned<R> {
    process: Option<Arc<dyn Joinable<R>>>,
}

impl<R> Spawned<R> {
    /// Waits for the end of the process. Returns its result.
    ///
    /// # Panics
    /// Panics if the process failed, with its path and message.
    #[track_caller]
    pub fn join(self) -> R {
        expect(self.try_join())
    }

    /// Waits for the end of the process. Returns its result, or its failure.
    ///
    /// # Errors
    /// Returns the [`Failure`] if the process panicked, could not be started, was stopped by a deadlock, or was
    /// lost with its OS process.
    #[track_caller]
    pub fn try_join(self) -> Result<R, Failure> {
        // Otherwise `drop` would look whether the process is still there.
        let process = ManuallyDrop::new(self).process.take();
        let process = process.expect("it is taken only here and in `drop`");
        if park::current().is_polled() && !process.has_ended() && !std::thread::panicking() {
            process.abandon();
            park::refuse_to_wait("to join a process", "join_async().await", Location::caller());
        }
        process.join(Location::caller())
    }

    /// The `async` form of [`join`](Self::join). Dropping the future before it completes does not affect the
    /// process.
    ///
    /// # Panics
    /// As [`join`](Self::join).
    ///
    /// ```
    /// # use csp::{parallel, process, spawn};
    /// #[process]
    /// async fn fibonacci(n: u32) -> u64 {
    ///     match n {
    ///         0 | 1 => u64::from(n),
    ///         _ => {
    ///             let other = spawn(fibonacci(n - 1));
    ///             let (one,) = csp::parallel_async!(fibonacci(n - 2)).await;
    ///             one + other.join_async().await
    ///         }
    ///     }
    /// }
    /// assert_eq!(parallel!(fibonacci(10)).0, 55);
    /// ```
    #[track_caller]
    pub fn join_async(self) -> impl Future<Output = R> {
        let joined = self.try_join_async();
        async move { expect(joined.await) }
    }

    /// The `async` form of [`try_join`](Self::try_join).
    ///
    /// # Errors
    /// As [`try_join`](Self::try_join).
    #[track_caller]
    pub fn try_join_async(mut self) -> impl Future<Output = Result<R, Failure>> {
        Join::new(self.process.take(), Location::caller())
    }

    /// Waits for the end of the process, but no longer than `duration`. Returns its result, or else this value, which can be joined
    /// again.
    ///
    /// In an `async` process choose between `child.join_async().await` and `after(duration)`.
    ///
    /// # Errors
    /// Returns the `Spawned` itself if the process has not ended by then.
    ///
    /// # Panics
    /// Panics if the process failed, as [`join`](Self::join) does.
    ///
    /// ```
    /// # use csp::{Channel, Reader, process, spawn};
    /// # use std::time::Duration;
    /// #[process]
    /// fn answer(question: Reader<u32>) -> u32 { question.read().unwrap_or_default() }
    ///
    /// let question = Channel::new();
    /// let answer = spawn(answer(question.reader()));
    /// let answer = answer.join_timeout(Duration::from_millis(1)).unwrap_err();
    /// question.writer().write(42).unwrap();
    /// assert_eq!(answer.join(), 42);
    /// ```
    #[track_caller]
    pub fn join_timeout(self, duration: Duration) -> Result<R, Self> {
        self.try_join_timeout(duration).map(expect)
    }

    /// Does what [`join_timeout`](Self::join_timeout) does. Returns a failure of the process, instead of a panic.
    ///
    /// # Errors
    /// As [`join_timeout`](Self::join_timeout).
    #[track_caller]
    pub fn try_join_timeout(self, duration: Duration) -> Result<Result<R, Failure>, Self> {
        let context = park::current();
        if context.is_polled() {
            park::refuse_to_wait(
                "to join a process",
                "a choice between `join_async().await` and `after(duration)`",
                Location::caller(),
            );
        }
        let (mut end, mut time) = (guards::join::try_join(&self), guards::time::after(duration));
        let guards = [end.offer(), time.offer()];
        match choose_first(context, &guards[..], Location::caller()) {
            Ok(0) => Ok(end.taken()),
            // Its time has come, or this process unwinds and does not wait.
            _ => Err(self),
        }
    }

    /// Returns the number of the OS process in which the process runs. It is `None` before that has started, after it has ended, and
    /// for a process that has no OS process of its own, or has it on another host.
    ///
    /// ```
    /// # #[csp::process]
    /// # fn answer() -> u32 { 42 }
    /// assert_eq!(csp::spawn(answer()).id(), None);
    /// ```
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref()?.grip()?.id()
    }

    /// Ends the OS process in which the process runs, whatever it does. [`try_join`](Self::try_join) then returns a [`Failure`] that says
    /// so, unless the process had ended before.
    ///
    /// The other processes go on as after any death of an OS process. They get the values that it had not taken, and its ends are poisoned, or
    /// retired with `on_panic = retire`.
    ///
    /// # Errors
    /// Returns an error if the process has no OS process of its own. Nothing ends such a process from outside. A
    /// [`StopToken`](crate::StopToken) asks it to end.
    ///
    /// ```
    /// # #[csp::process]
    /// # fn answer() -> u32 { 42 }
    /// let answer = csp::spawn(answer());
    /// assert!(answer.kill().is_err());
    /// assert_eq!(answer.join(), 42);
    /// ```
    pub fn kill(&self) -> std::io::Result<()> {
        match self.process.as_ref().and_then(|process| process.grip()) {
            Some(grip) if grip.kill() => Ok(()),
            _ => Err(std::io::Error::new(
                std::io::ErrorKind::Unsupported,
                "only an OS process can be killed, and this process has none of its own: ask it to end by a `StopToken`",
            )),
        }
    }

    /// Returns whether the process has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.has_ended())
    }
}

// The value only leads to the process's end and its result, which a join moves out whole or not at all.
impl<R> UnwindSafe for Spawned<R> {}
impl<R> RefUnwindSafe for Spawned<R> {}

impl<R> guards::join::sealed::Joined for Spawned<R> {
    type Result = R;

    #[allow(private_interfaces, reason = "the trait is sealed")]
    fn process(&self) -> Arc<dyn Joinable<R>> {
        Arc::clone(self.process.as_ref().expect("it is taken only by what consumes this"))
    }
}

impl<R> Drop for Spawned<R> {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.abandon();
        }
    }
}

impl<R> fmt::Debug for Spawned<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.process.as_ref().map(|process| process.path());
        write!(f, "Spawned(`{}`)", path.unwrap_or_default())
    }
}
