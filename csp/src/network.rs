//! Networks: processes put together, run, and joined.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::backend;
use crate::park::{self, Children as _};
use crate::process::group::{Ended, Group};
use crate::process::job::{Join, Joinable, Outcome, Replicas, Single, drop_quietly};
use crate::process::{Erased, Failure, Process, Replicated};

/// What [`parallel!`](crate::parallel) and [`sequence!`](crate::sequence) take: a process, a replicated process,
/// or a `Vec`, an array, an `Option` or a tuple of such. This trait is sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a process",
    label = "expected a process, `n * process`, or a `Vec` of processes",
    note = "a process is what a function with `#[process]` returns"
)]
///
/// ```
/// use csp::{Component, Output, parallel, process};
///
/// /// Runs twice what it is made of.
/// fn twice<C: Component>(make: impl Fn() -> C) -> (Output<C>, Output<C>) {
///     parallel!(make(), make())
/// }
///
/// #[process]
/// fn one() -> u32 { 1 }
/// assert_eq!(twice(|| (one(), 2 * one())), ((1, vec![1, 1]), (1, vec![1, 1])));
/// ```
pub trait Component: sealed::Component {}

impl<C: sealed::Component> Component for C {}

/// What a component returns when it has run.
///
/// ```
/// use csp::{Component, Output, parallel};
///
/// fn timed<C: Component>(process: C) -> (Output<C>, std::time::Duration) {
///     let start = std::time::Instant::now();
///     let (output,) = parallel!(process);
///     (output, start.elapsed())
/// }
/// # #[csp::process]
/// # fn one() -> u32 { 1 }
/// # assert_eq!(timed(one()).0, 1);
/// ```
pub type Output<C> = <C as sealed::Component>::Output;

mod sealed {
    use super::{Arc, Failure, Group, Location};

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not a process",
        label = "expected a process, `n * process`, or a `Vec` of processes",
        note = "a process is what a function with `#[process]` returns"
    )]
    pub trait Component: Sized {
        type Output;
        type Started;

        fn start(self, run: &Run) -> Self::Started;
        /// Called when all have ended and none has failed.
        fn output(started: Self::Started) -> Self::Output;
        /// Called when all have ended and one has failed: drops what the others have returned.
        fn discard(started: Self::Started);
        fn one_by_one(self, place: &'static Location<'static>) -> Result<Self::Output, Failure>;
        fn one_by_one_async(
            self,
            place: &'static Location<'static>,
        ) -> impl Future<Output = Result<Self::Output, Failure>>;
    }

    /// One run of a network.
    #[derive(Debug)]
    pub struct Run {
        pub(super) group: Arc<Group>,
        pub(super) place: &'static Location<'static>,
    }
}

use sealed::Run;

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Group")
    }
}

/// Why every part has an outcome: the whole has ended, and none has failed.
const ENDED: &str = "a network that has ended without a failure has all its results";

impl<A: Send + 'static, R: Send + 'static> sealed::Component for Process<A, R> {
    type Output = R;
    type Started = Arc<Single<A, R>>;

    fn start(self, run: &Run) -> Self::Started {
        run.group.enter(1);
        let single = Arc::new(Single::new(self, Arc::clone(&run.group), true, run.place));
        backend::start(single.clone());
        single
    }

    fn output(single: Self::Started) -> R {
        single.take_outcome().and_then(Outcome::ok).expect(ENDED)
    }

    fn discard(single: Self::Started) {
        drop_quietly(single.take_outcome());
    }

    fn one_by_one(self, place: &'static Location<'static>) -> Result<R, Failure> {
        run(self, place)
    }

    fn one_by_one_async(
        self,
        place: &'static Location<'static>,
    ) -> impl Future<Output = Result<R, Failure>> {
        run_async(self, place)
    }
}

impl<A: Send + 'static, R: Send + 'static> sealed::Component for Replicated<A, R> {
    type Output = Vec<R>;
    type Started = Arc<Replicas<A, R>>;

    fn start(self, run: &Run) -> Self::Started {
        run.group.enter(self.count);
        let replicas = Arc::new(Replicas::new(self, Arc::clone(&run.group)));
        backend::start(replicas.clone());
        replicas
    }

    fn output(replicas: Self::Started) -> Vec<R> {
        let outcomes = replicas.take_outcomes().into_iter();
        outcomes.map(|outcome| outcome.and_then(Outcome::ok).expect(ENDED)).collect()
    }

    fn discard(replicas: Self::Started) {
        replicas.take_outcomes().into_iter().for_each(drop_quietly);
    }

    fn one_by_one(self, place: &'static Location<'static>) -> Result<Vec<R>, Failure> {
        self.one_by_one().map(|process| process.one_by_one(place)).collect()
    }

    fn one_by_one_async(
        self,
        place: &'static Location<'static>,
    ) -> impl Future<Output = Result<Vec<R>, Failure>> {
        self.into_vec().one_by_one_async(place)
    }
}

impl<C: sealed::Component> sealed::Component for Vec<C> {
    type Output = Vec<C::Output>;
    type Started = Vec<C::Started>;

    fn start(self, run: &Run) -> Self::Started {
        self.into_iter().map(|component| component.start(run)).collect()
    }

    fn output(started: Self::Started) -> Self::Output {
        started.into_iter().map(C::output).collect()
    }

    fn discard(started: Self::Started) {
        started.into_iter().for_each(C::discard);
    }

    fn one_by_one(self, place: &'static Location<'static>) -> Result<Self::Output, Failure> {
        self.into_iter().map(|component| component.one_by_one(place)).collect()
    }

    async fn one_by_one_async(
        self,
        place: &'static Location<'static>,
    ) -> Result<Self::Output, Failure> {
        let mut outputs = Vec::with_capacity(self.len());
        for component in self {
            outputs.push(component.one_by_one_async(place).await?);
        }
        Ok(outputs)
    }
}

impl<C: sealed::Component, const N: usize> sealed::Component for [C; N] {
    type Output = [C::Output; N];
    type Started = [C::Started; N];

    fn start(self, run: &Run) -> Self::Started {
        self.map(|component| component.start(run))
    }

    fn output(started: Self::Started) -> Self::Output {
        started.map(C::output)
    }

    fn discard(started: Self::Started) {
        started.into_iter().for_each(C::discard);
    }

    fn one_by_one(self, place: &'static Location<'static>) -> Result<Self::Output, Failure> {
        let outputs = Vec::from(self).one_by_one(place)?;
        Ok(outputs.try_into().unwrap_or_else(|_| unreachable!("as many outputs as components")))
    }

    async fn one_by_one_async(
        self,
        place: &'static Location<'static>,
    ) -> Result<Self::Output, Failure> {
        let outputs = Vec::from(self).one_by_one_async(place).await?;
        Ok(outputs.try_into().unwrap_or_else(|_| unreachable!("as many outputs as components")))
    }
}

impl<C: sealed::Component> sealed::Component for Option<C> {
    type Output = Option<C::Output>;
    type Started = Option<C::Started>;

    fn start(self, run: &Run) -> Self::Started {
        self.map(|component| component.start(run))
    }

    fn output(started: Self::Started) -> Self::Output {
        started.map(C::output)
    }

    fn discard(started: Self::Started) {
        started.into_iter().for_each(C::discard);
    }

    fn one_by_one(self, place: &'static Location<'static>) -> Result<Self::Output, Failure> {
        self.map(|component| component.one_by_one(place)).transpose()
    }

    async fn one_by_one_async(
        self,
        place: &'static Location<'static>,
    ) -> Result<Self::Output, Failure> {
        match self {
            Some(component) => component.one_by_one_async(place).await.map(Some),
            None => Ok(None),
        }
    }
}

macro_rules! tuples {
    ($($component:ident)*) => {
        impl<$($component: sealed::Component),*> sealed::Component for ($($component,)*) {
            type Output = ($($component::Output,)*);
            type Started = ($($component::Started,)*);

            #[allow(non_snake_case, unused_variables, clippy::unused_unit)]
            fn start(self, run: &Run) -> Self::Started {
                let ($($component,)*) = self;
                ($($component.start(run),)*)
            }

            #[allow(non_snake_case, clippy::unused_unit)]
            fn output(started: Self::Started) -> Self::Output {
                let ($($component,)*) = started;
                ($($component::output($component),)*)
            }

            #[allow(non_snake_case)]
            fn discard(started: Self::Started) {
                let ($($component,)*) = started;
                $($component::discard($component);)*
            }

            #[allow(non_snake_case, unused_variables)]
            fn one_by_one(
                self,
                place: &'static Location<'static>,
            ) -> Result<Self::Output, Failure> {
                let ($($component,)*) = self;
                Ok(($($component.one_by_one(place)?,)*))
            }

            #[allow(non_snake_case, unused_variables)]
            async fn one_by_one_async(
                self,
                place: &'static Location<'static>,
            ) -> Result<Self::Output, Failure> {
                let ($($component,)*) = self;
                Ok(($($component.one_by_one_async(place).await?,)*))
            }
        }
    };
}

macro_rules! tuples_up_to {
    ($first:ident $($rest:ident)*) => {
        tuples!($first $($rest)*);
        tuples_up_to!($($rest)*);
    };
    () => { tuples!(); };
}

tuples_up_to!(A B C D E F G H I J K L M N O P Q S T U V W X Y);

fn run<C: Component>(
    component: C,
    place: &'static Location<'static>,
) -> Result<Output<C>, Failure> {
    // It would have to wait for them. What was to run is dropped: its ends tell the others of the panic.
    if std::thread::panicking() {
        return Err(Failure::unwinding(park::current()));
    }
    let run = Run { group: Arc::new(Group::new(place)), place };
    let started = component.start(&run);
    run.group.wait();
    match run.group.take_failure() {
        // Not by the last thread that lets go of its job: that may be later.
        Some(failure) => {
            C::discard(started);
            Err(failure)
        }
        None => Ok(C::output(started)),
    }
}

async fn run_async<C: Component>(
    component: C,
    place: &'static Location<'static>,
) -> Result<Output<C>, Failure> {
    assert!(
        !std::thread::panicking(),
        "a process that unwinds can't run others: it would have to wait for them"
    );
    let run = Run { group: Arc::new(Group::new(place)), place };
    let started = component.start(&run);
    let unfinished = Unfinished(&run.group);
    Ended::new(Arc::clone(&run.group)).await;
    drop(unfinished);
    match run.group.take_failure() {
        Some(failure) => {
            C::discard(started);
            Err(failure)
        }
        None => Ok(C::output(started)),
    }
}

/// Processes that run while somebody awaits their end. If that is dropped before, they are its process's children.
struct Unfinished<'a>(&'a Arc<Group>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.0.has_ended() {
            Group::adopt(self.0);
        }
    }
}

/// [`try_parallel`], awaited.
#[track_caller]
pub(crate) fn try_parallel_async<C: Component>(
    components: C,
) -> impl Future<Output = Result<Output<C>, Failure>> {
    run_async(components, Location::caller())
}

/// [`try_sequence`], awaited.
#[track_caller]
pub(crate) fn try_sequence_async<C: Component>(
    components: C,
) -> impl Future<Output = Result<Output<C>, Failure>> {
    components.one_by_one_async(Location::caller())
}

/// Runs all at once; returns when all have ended.
#[track_caller]
pub(crate) fn try_parallel<C: Component>(components: C) -> Result<Output<C>, Failure> {
    run(components, Location::caller())
}

/// Runs one after another, up to the first that fails.
#[track_caller]
pub(crate) fn try_sequence<C: Component>(components: C) -> Result<Output<C>, Failure> {
    components.one_by_one(Location::caller())
}

/// The result, or the failure as a panic of the caller.
#[track_caller]
pub(crate) fn expect<T>(result: Result<T, Failure>) -> T {
    match result {
        Ok(value) => value,
        // There is no value to go on with, and the program ends.
        Err(failure) if std::thread::panicking() => panic!(
            "a process that unwinds runs no others, for it would have to wait for them: in a destructor use the `try_` form, \
             which returns that as an error ({failure})"
        ),
        // Not in a closure, which would be the place of the panic.
        Err(failure) => failure.raise(),
    }
}

/// Starts processes without waiting for them.
///
/// They run when the caller waits (on coroutines) or at once (on threads). What has spawned ends only after
/// what it spawned has: a process waits for it behind its last statement, `main` with
/// [`#[csp::main]`](crate::main) or [`shutdown`]. A `daemon` is not waited for. The failure of a process that
/// is not joined goes to who spawned it.
///
/// Gives a [`Spawned`], for a replicated process or a `Vec` of them a `Vec` of those.
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

/// What [`spawn`] takes. This trait is sealed.
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
/// ```
pub trait Spawn: sealed_spawn::Sealed {
    /// One [`Spawned`], or a `Vec` of them.
    type Spawned;

    #[doc(hidden)]
    fn spawn_at(self, place: &'static Location<'static>) -> Self::Spawned;
}

mod sealed_spawn {
    pub trait Sealed {}
    impl<A, R> Sealed for super::Process<A, R> {}
    impl<A, R> Sealed for super::Replicated<A, R> {}
    impl<S: Sealed> Sealed for Vec<S> {}
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

/// A process that was spawned. Dropping it leaves the process alone.
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
    /// Waits for the end of the process, and gives its result.
    ///
    /// # Panics
    /// If the process panicked, with its path and message.
    #[track_caller]
    pub fn join(self) -> R {
        expect(self.try_join())
    }

    /// Waits for the end of the process: its result, or how it failed.
    ///
    /// # Errors
    /// If the process panicked, or could not be started.
    #[track_caller]
    pub fn try_join(mut self) -> Result<R, Failure> {
        let process = self.process.take().expect("it is taken only here and in `drop`");
        process.join(Location::caller())
    }

    /// [`join`](Self::join) in an `async` process. Dropped before it is done, it leaves the process alone.
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

    /// [`try_join`](Self::try_join) in an `async` process.
    ///
    /// # Errors
    /// As [`try_join`](Self::try_join).
    #[track_caller]
    pub fn try_join_async(mut self) -> impl Future<Output = Result<R, Failure>> {
        Join::new(self.process.take(), Location::caller())
    }

    /// Whether the process has ended.
    pub fn has_ended(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.has_ended())
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

/// A set of processes built at run time, to be run at once.
///
/// All have one result type; [`Process::erased`] makes one type of different processes.
///
/// ```
/// # use csp::{process, Parallel};
/// #[process]
/// fn id(n: usize) -> usize { n }
///
/// let mut set = Parallel::new();
/// for n in 0..3 {
///     set = set.with(id(n));
/// }
/// assert_eq!(set.with(2 * id(7)).run(), [0, 1, 2, 7, 7]);
/// ```
#[must_use = "the processes do nothing until `run` is called"]
pub struct Parallel<R> {
    processes: Vec<Process<Erased<R>, R>>,
}

/// A sequence of processes built at run time, to be run one after another; see [`Parallel`].
///
/// ```
/// # use csp::{process, Sequence};
/// #[process]
/// fn id(n: usize) -> usize { n }
///
/// assert_eq!((0..3).fold(Sequence::new(), |all, n| all.with(id(n))).run(), [0, 1, 2]);
/// ```
#[must_use = "the processes do nothing until `run` is called"]
pub struct Sequence<R> {
    processes: Vec<Process<Erased<R>, R>>,
}

macro_rules! set {
    ($name:ident, $try:ident, $try_async:ident) => {
        impl<R: Send + 'static> $name<R> {
            /// An empty one.
            pub const fn new() -> Self {
                Self { processes: Vec::new() }
            }

            /// One with a process more, or with those of a replicated process or a `Vec`.
            pub fn with(mut self, processes: impl Members<R>) -> Self {
                processes.add_to(&mut self.processes);
                self
            }

            /// Runs them; their results in the order in which they were added.
            ///
            /// # Panics
            /// If one of them panicked, with its path and message.
            #[track_caller]
            pub fn run(self) -> Vec<R> {
                expect(self.try_run())
            }

            /// Runs them; their results in the order in which they were added.
            ///
            /// # Errors
            /// The first failure, if one of them panicked or could not be started.
            #[track_caller]
            pub fn try_run(self) -> Result<Vec<R>, Failure> {
                $try(self.processes)
            }

            /// [`run`](Self::run) in an `async` process.
            ///
            /// # Panics
            /// As [`run`](Self::run).
            #[track_caller]
            pub fn run_async(self) -> impl Future<Output = Vec<R>> {
                let results = self.try_run_async();
                async move { expect(results.await) }
            }

            /// [`try_run`](Self::try_run) in an `async` process.
            ///
            /// # Errors
            /// As [`try_run`](Self::try_run).
            #[track_caller]
            pub fn try_run_async(self) -> impl Future<Output = Result<Vec<R>, Failure>> {
                $try_async(self.processes)
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

/// What can be added to a [`Parallel`] or a [`Sequence`]. This trait is sealed.
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
/// ```
pub trait Members<R>: sealed_spawn::Sealed {
    #[doc(hidden)]
    fn add_to(self, processes: &mut Vec<Process<Erased<R>, R>>);
}

impl<A: Send + 'static, R: 'static> Members<R> for Process<A, R> {
    fn add_to(self, processes: &mut Vec<Process<Erased<R>, R>>) {
        processes.push(self.erased());
    }
}

impl<A: Send + 'static, R: 'static> Members<R> for Replicated<A, R> {
    fn add_to(self, processes: &mut Vec<Process<Erased<R>, R>>) {
        self.into_vec().add_to(processes);
    }
}

impl<R, M: Members<R>> Members<R> for Vec<M> {
    fn add_to(self, processes: &mut Vec<Process<Erased<R>, R>>) {
        for process in self {
            process.add_to(processes);
        }
    }
}

/// The process that runs, as reports name it.
///
/// ```
/// # use csp::{Current, parallel, process};
/// #[process(name = "worker")]
/// fn works() -> Current { csp::current() }
///
/// let (workers,) = parallel!(2 * works());
/// assert_eq!(workers[1].name(), "worker[1]");
/// assert!(workers[1].path().ends_with("/worker[1]"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Current {
    name: String,
    path: String,
}

impl Current {
    /// `worker[3]`
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `main/worker[3]`
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// The process that calls this. A thread that is no process of ours goes by its own name.
///
/// ```
/// # use csp::{process, parallel};
/// #[process]
/// fn me() -> String { csp::current().name().to_owned() }
///
/// assert_eq!(parallel!(2 * me()).0, ["me[0]", "me[1]"]);
/// ```
pub fn current() -> Current {
    let context = park::current();
    Current { name: context.name(), path: context.path() }
}

/// Waits until all that the calling process has spawned have ended, daemons excepted. What
/// [`#[csp::main]`](crate::main) does at the end of `main`.
///
/// A process that unwinds does not wait here but, as every process does, at its end.
///
/// # Panics
/// If one of them failed and was not joined.
///
/// ```
/// # use csp::{process, spawn};
/// # use std::sync::atomic::{AtomicBool, Ordering};
/// static DONE: AtomicBool = AtomicBool::new(false);
///
/// #[process]
/// fn works() { DONE.store(true, Ordering::SeqCst); }
///
/// drop(spawn(works()));
/// csp::shutdown();
/// assert!(DONE.load(Ordering::SeqCst));
/// ```
#[track_caller]
pub fn shutdown() {
    if std::thread::panicking() {
        return;
    }
    if let Some(failure) = Group::wait_for_children() {
        failure.raise();
    }
}

/// [`shutdown`] in an `async` process.
///
/// # Panics
/// If one of them failed and was not joined.
///
/// ```
/// # use csp::{parallel, process, spawn};
/// # use std::sync::atomic::{AtomicBool, Ordering};
/// static DONE: AtomicBool = AtomicBool::new(false);
///
/// #[process]
/// async fn works() { DONE.store(true, Ordering::SeqCst); }
///
/// #[process]
/// async fn has_it_done() -> bool {
///     drop(spawn(works()));
///     csp::shutdown_async().await;
///     DONE.load(Ordering::SeqCst)
/// }
///
/// assert_eq!(parallel!(has_it_done()), (true,));
/// ```
pub async fn shutdown_async() {
    // They stay its children, should nobody await this to the end.
    let Some(children) = Group::children() else { return };
    Ended::new(Arc::clone(&children)).await;
    if let Some(failure) = children.take_failure() {
        failure.raise();
    }
}

/// Where the child of a `#[multiprocess]` takes over, in a program whose `main` is not marked
/// [`#[csp::main]`](crate::main), which does this by itself.
///
/// In a child it does not return. Elsewhere, and without the feature `subprocess`, it does nothing. Nobody has to call it: a
/// child is caught ahead of `main` otherwise, wherever it comes from (a test, a benchmark, a plain program). Where this is called as
/// the first thing in `main`, children begin with all that the standard library prepares for a `main`: the message for an
/// overflown stack among it.
///
/// ```
/// csp::init(); // the first statement of `main`
/// ```
pub fn init() {
    backend::subprocess::init();
}
