//! A part of a network: how it starts, and how its results come together.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use self::sealed::Run;
use crate::backend;
use crate::process::group::{Ended, Group};
use crate::process::{Failure, Process, Replicated};
use crate::process::{replicas::Replicas, single::Single, work::Outcome};
use crate::wait::park;
use crate::wait::quietly::{drop_each, drop_quietly};

/// The argument type of [`parallel!`](crate::parallel) and [`sequence!`](crate::sequence): a process, a replicated
/// process, or a `Vec`, an array, an `Option` or a tuple of these. This trait is sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a process",
    label = "expected a process, `n * process`, or a `Vec` of processes",
    note = "a process is what a function with `#[process]` returns, or `csp::process(closure)`"
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

/// The type that a component returns when it has run.
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

pub(super) mod sealed {
    use super::{Arc, Location};
    use crate::process::Failure;
    use crate::process::group::Group;

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not a process",
        label = "expected a process, `n * process`, or a `Vec` of processes",
        note = "a process is what a function with `#[process]` returns, or `csp::process(closure)`"
    )]
    pub trait Component: Sized {
        type Output;
        type Started;

        fn start(self, run: &Run) -> Self::Started;
        /// Collects the results. It is called when all processes have ended and none has failed.
        fn output(started: Self::Started) -> Self::Output;
        /// Drops the results. It is called when all processes have ended and one has failed.
        fn discard(started: Self::Started);
        /// Drops processes that will not run, quietly and one after the other. Two panics in one drop would end the
        /// program.
        fn let_go(self);
        /// Drops results in the same way.
        fn let_go_of(output: Self::Output);
        #[track_caller]
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

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Group")
    }
}

/// The reason why every part has an outcome: the whole has ended, and no part has failed.
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

    fn let_go(self) {
        drop_quietly(self);
    }

    fn let_go_of(output: R) {
        drop_quietly(output);
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
        drop_each(replicas.take_outcomes());
    }

    fn let_go(self) {
        drop_quietly(self);
    }

    fn let_go_of(output: Vec<R>) {
        drop_each(output);
    }

    fn one_by_one(self, place: &'static Location<'static>) -> Result<Vec<R>, Failure> {
        let (mut outputs, mut rest) = (Vec::with_capacity(self.count), self.one_by_one());
        while let Some(process) = rest.next() {
            match process.one_by_one(place) {
                Ok(output) => outputs.push(output),
                Err(failure) => {
                    drop_quietly(rest);
                    Self::let_go_of(outputs);
                    return Err(failure);
                }
            }
        }
        Ok(outputs)
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

    fn let_go(self) {
        self.into_iter().for_each(C::let_go);
    }

    fn let_go_of(output: Self::Output) {
        output.into_iter().for_each(C::let_go_of);
    }

    fn one_by_one(self, place: &'static Location<'static>) -> Result<Self::Output, Failure> {
        let (mut outputs, mut rest) = (Vec::with_capacity(self.len()), self.into_iter());
        while let Some(component) = rest.next() {
            match component.one_by_one(place) {
                Ok(output) => outputs.push(output),
                Err(failure) => {
                    rest.for_each(C::let_go);
                    Self::let_go_of(outputs);
                    return Err(failure);
                }
            }
        }
        Ok(outputs)
    }

    async fn one_by_one_async(
        self,
        place: &'static Location<'static>,
    ) -> Result<Self::Output, Failure> {
        let (mut outputs, mut rest) = (Vec::with_capacity(self.len()), self.into_iter());
        while let Some(component) = rest.next() {
            match component.one_by_one_async(place).await {
                Ok(output) => outputs.push(output),
                Err(failure) => {
                    rest.for_each(C::let_go);
                    Self::let_go_of(outputs);
                    return Err(failure);
                }
            }
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

    fn let_go(self) {
        self.into_iter().for_each(C::let_go);
    }

    fn let_go_of(output: Self::Output) {
        output.into_iter().for_each(C::let_go_of);
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

    fn let_go(self) {
        self.into_iter().for_each(C::let_go);
    }

    fn let_go_of(output: Self::Output) {
        output.into_iter().for_each(C::let_go_of);
    }

    fn one_by_one(self, place: &'static Location<'static>) -> Result<Self::Output, Failure> {
        // A closure would hide the caller's line from a process that must not wait.
        match self {
            Some(component) => component.one_by_one(place).map(Some),
            None => Ok(None),
        }
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

            #[allow(non_snake_case)]
            fn let_go(self) {
                let ($($component,)*) = self;
                $($component.let_go();)*
            }

            #[allow(non_snake_case, clippy::unused_unit)]
            fn let_go_of(output: Self::Output) {
                let ($($component,)*) = output;
                $($component::let_go_of($component);)*
            }

            #[allow(non_snake_case, unused_variables)]
            fn one_by_one(
                self,
                place: &'static Location<'static>,
            ) -> Result<Self::Output, Failure> {
                let ($($component,)*) = self;
                $(let $component = Waiting(Some($component));)*
                $(let $component = Done::<$component>(Some($component.take().one_by_one(place)?));)*
                Ok(($($component.take(),)*))
            }

            #[allow(non_snake_case, unused_variables)]
            async fn one_by_one_async(
                self,
                place: &'static Location<'static>,
            ) -> Result<Self::Output, Failure> {
                let ($($component,)*) = self;
                $(let $component = Waiting(Some($component));)*
                $(let $component =
                    Done::<$component>(Some($component.take().one_by_one_async(place).await?));)*
                Ok(($($component.take(),)*))
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

/// A part of a sequence that has not run.
struct Waiting<C: Component>(Option<C>);

impl<C: Component> Waiting<C> {
    fn take(mut self) -> C {
        self.0.take().expect("it is there until it is dropped")
    }
}

impl<C: Component> Drop for Waiting<C> {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(C::let_go);
    }
}

/// A part of a sequence that has run.
struct Done<C: Component>(Option<Output<C>>);

impl<C: Component> Done<C> {
    fn take(mut self) -> Output<C> {
        self.0.take().expect("it is there until it is dropped")
    }
}

impl<C: Component> Drop for Done<C> {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(C::let_go_of);
    }
}

#[track_caller]
pub(super) fn run<C: Component>(
    component: C,
    place: &'static Location<'static>,
) -> Result<Output<C>, Failure> {
    // A process that unwinds must not wait for others. The processes are dropped, and their ends tell the others
    // of the panic.
    if std::thread::panicking() {
        component.let_go();
        return Err(Failure::unwinding(park::current()));
    }
    let run = Run { group: Arc::new(Group::new(place)), place };
    let started = component.start(&run);
    let unfinished = Unfinished(&run.group);
    run.group.wait_for_all("parallel_async!(…).await");
    std::mem::forget(unfinished);
    match run.group.take_failure() {
        // Results are dropped here. Otherwise the last thread that lets go of its job would drop them, perhaps
        // later.
        Some(failure) => {
            C::discard(started);
            Err(failure)
        }
        None => Ok(C::output(started)),
    }
}

pub(super) async fn run_async<C: Component>(
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

/// Processes that run while a process waits for their end. If this is dropped before they have ended, or if the
/// wait panics, they become children of that process.
struct Unfinished<'a>(&'a Arc<Group>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.0.has_ended() {
            Group::adopt(self.0);
        }
    }
}
