//! The commit protocol under every interleaving, up to a number of preemptions, as `loom` explores
//! them.
//!
//! A model is a few processes and the set of *all* outcomes they can have together. [`explore`]
//! runs them in every order and returns the outcomes, and the test says what they must be. So a
//! race that is never run fails a model like a race that goes wrong. Each execution also checks
//! that
//! - no process waits for ever (`loom` calls it a deadlock),
//! - memory that one process leaves for another is ordered by locks and parks, and none is touched
//!   once its process has gone on (`sync::checked`),
//! - each commit is followed by exactly one `unpark`, and each `unpark` is taken ([`Post`]),
//! - each [`Value`] is dropped exactly once.
//!
//! A deadline may come at any time: see [`Post`].
//!
//! Run them with `RUSTFLAGS="--cfg loom" cargo test -p csp-process --release --lib models`.
//! `LOOM_MAX_PREEMPTIONS=n` sets another bound, and `-- --nocapture` shows how many executions each
//! model takes. `README.md` lists the mistakes that were planted in the protocol to see the models
//! find them.
#![allow(unsafe_code)]

mod alternation;
mod barrier;
mod buffered;
mod deferred;
mod extended;
mod futures;
mod locks;
mod park;
mod plain;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod stacks;
#[cfg(feature = "compute")]
mod stand_ins;
mod termination;

use self::alt::{Gives as _, Guard as _};
use loom::thread::{self, Thread};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::Location;
use std::process::Command;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::channel::{Channel, Reader, Writer};
use crate::choice::guards::time::At;
use crate::process::group::Group;
use crate::report::termination::Termination;
use crate::wait::blocked::Blocked;
use crate::wait::lineage::{Identity, Named};
use crate::wait::park::{Children as _, Context, Park, switch_to};

/// The guards as `alt!` makes them. A guard stands in a place of its own, and leaves its value in another.
mod alt {
    pub(super) use crate::choice::guard::Guard;
    pub(super) use crate::front::private::alt::{
        Site, after, choose, choose_async, first, first_async, retired, skip, sync,
    };

    use std::mem::ManuallyDrop;

    use crate::channel::{Extended, Reader, Writer};
    use crate::choice::guard::{Entry, LeftValue};
    use crate::choice::guards::{late, read, write};

    /// A guard and its place. The guard is dropped first.
    pub(super) struct Placed<G, P> {
        guard: ManuallyDrop<G>,
        place: *mut P,
    }

    impl<G, P: Default> Placed<G, P> {
        /// Makes the guard in a new place.
        fn new<'a>(make: impl FnOnce(&'a P) -> G) -> Self
        where
            P: 'a,
        {
            let place = Box::into_raw(Box::<P>::default());
            // SAFETY: the place lives until the guard is dropped.
            Self { guard: ManuallyDrop::new(make(unsafe { &*place })), place }
        }
    }

    impl<G, P> Drop for Placed<G, P> {
        fn drop(&mut self) {
            // SAFETY: each is dropped once, here.
            unsafe {
                ManuallyDrop::drop(&mut self.guard);
                drop(Box::from_raw(self.place));
            }
        }
    }

    impl<G: Guard, P> Guard for Placed<G, P> {
        type Left = G::Left;

        fn offer(&mut self) -> Entry<'_> {
            self.guard.offer()
        }

        fn keep(&mut self, left: &G::Left) {
            self.guard.keep(left);
        }
    }

    /// The guard `end.read()`.
    pub(super) fn read<T>(end: &Reader<T>) -> Placed<read::Read<'_, T>, read::ReadAt<T>> {
        Placed::new(|place| read::read(end, place))
    }

    /// The guard `end.begin()`.
    pub(super) fn begin<T>(end: &Reader<T>) -> Placed<read::Begin<'_, T>, read::BeginAt<T>> {
        Placed::new(|place| read::begin(end, place))
    }

    /// The guard `end.write(value)`.
    pub(super) fn write<T>(
        end: &Writer<T>,
        value: T,
    ) -> Placed<write::Write<'_, T>, write::WriteAt<T>> {
        Placed::new(|place| write::write(end, value, place))
    }

    /// The guard `end.write_with(…)`.
    pub(super) fn defer<T>(end: &Writer<T>) -> Placed<late::Defer<'_, T>, late::DeferAt<T>> {
        Placed::new(|place| late::defer(end, place))
    }

    /// A guard that was chosen gives its value.
    pub(super) trait Gives {
        type Value;

        fn value(self) -> Self::Value;
    }

    impl<G: Guard<Left: Opens>> Gives for G {
        type Value = <G::Left as Opens>::Value;

        fn value(mut self) -> Self::Value {
            let left = G::Left::default();
            self.keep(&left);
            left.opened()
        }
    }

    /// A place for the value of a guard.
    pub(super) trait Opens: Default {
        type Value;

        fn opened(&self) -> Self::Value;
    }

    impl Opens for () {
        type Value = ();

        fn opened(&self) {}
    }

    impl<V> Opens for LeftValue<V> {
        type Value = V;

        fn opened(&self) -> V {
            self.open()
        }
    }

    impl<T> Opens for read::BeginLeft<T> {
        type Value = Extended<'static, T>;

        fn opened(&self) -> Extended<'static, T> {
            self.open()
        }
    }
}

/// Returns how often, at most, processes that could go on are stopped to let others go on.
fn bound(processes: usize) -> usize {
    match processes {
        ..=2 => 6,
        3 => 4,
        _ => 3,
    }
}

/// Returns all outcomes that the processes made by `setup` can have.
fn explore<P: Processes>(setup: impl Fn() -> P + Send + Sync + 'static) -> BTreeSet<P::Outcome> {
    explore_with(bound(P::COUNT), false, setup)
}

/// Does the same where locks have owners. The last process owns the locks of what `setup` makes.
fn explore_owned<P: Processes>(
    preemptions: usize,
    setup: impl Fn() -> P + Send + Sync + 'static,
) -> BTreeSet<P::Outcome> {
    explore_with(preemptions, true, setup)
}

fn explore_with<P: Processes>(
    preemptions: usize,
    owned: bool,
    setup: impl Fn() -> P + Send + Sync + 'static,
) -> BTreeSet<P::Outcome> {
    check(preemptions, move |judge| {
        CENSUS.set(0);
        begin_schedulers();
        crate::sync::let_locks_have_owners(owned);
        LIVES.with_borrow_mut(Vec::clear);
        futures::begin();
        Life::begin("setup");
        setup().run(|outcome| {
            futures::end();
            assert_eq!(CENSUS.get(), 0, "values lost (>0) or doubled (<0), with {outcome:?}");
            judge(outcome);
        });
    })
}

/// Returns whether this run has that mistake planted.
pub(crate) fn is_planted(mistake: &str) -> bool {
    static PLANTED: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    PLANTED.get_or_init(|| std::env::var("CSP_PLANTED").unwrap_or_default()) == mistake
}

loom::thread_local! {
    static LOST: Cell<Option<&'static str>> = Cell::new(None);
}

/// Lets the calling thread end at this place for good.
fn loses_this_thread(place: &'static str) {
    LOST.with(|lost| lost.set(Some(place)));
}

/// Returns whether the calling thread ends at this place.
pub(crate) fn is_lost(place: &str) -> bool {
    LOST.with(|lost| lost.get() == Some(place))
}

loom::thread_local! {
    /// The scheduler of a process. The value 0 means none.
    static SCHEDULER: Cell<usize> = Cell::new(0);
}

thread_local! {
    /// The schedulers that have nothing to do.
    static SPARE: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };

    /// The schedulers of processes that have been asked for theirs, by the addresses of their contexts.
    static SCHEDULERS: RefCell<BTreeMap<usize, usize>> = const { RefCell::new(BTreeMap::new()) };

    /// Channels have lines only when readers of a second scheduler come.
    static LINES_COME_LATER: Cell<bool> = const { Cell::new(false) };

    /// How many values may be ahead if one scheduler has all readers.
    static MOST_FOR_ONE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Lets this process have the scheduler of this number.
#[cfg(feature = "cores")]
pub(crate) fn is_on_scheduler(number: usize) {
    SCHEDULER.with(|scheduler| scheduler.set(number));
}

/// Says which schedulers have nothing to do in the rest of this execution.
#[cfg(feature = "cores")]
pub(crate) fn are_spare(numbers: &[usize]) {
    SPARE.with_borrow_mut(|spare| spare.extend_from_slice(numbers));
}

/// Returns the scheduler of the process with the context at this address. That process asks first. No such thing as a scheduler is at the
/// address that is returned.
pub(crate) fn scheduler_of<S>(context: usize) -> *const S {
    let own = || SCHEDULER.with(Cell::get);
    let number = SCHEDULERS.with_borrow_mut(|all| *all.entry(context).or_insert_with(own));
    std::ptr::without_provenance(number * 16)
}

/// Forgets what an earlier execution has said of schedulers.
pub(crate) fn begin_schedulers() {
    SPARE.with_borrow_mut(Vec::clear);
    SCHEDULERS.with_borrow_mut(BTreeMap::clear);
    LINES_COME_LATER.set(false);
    MOST_FOR_ONE.set(None);
}

/// Returns whether this scheduler has nothing to do. From then on it has something.
pub(crate) fn take_spare<S>(scheduler: *const S) -> bool {
    SPARE.with_borrow_mut(|spare| {
        let at = spare.iter().position(|number| number * 16 == scheduler.addr());
        at.map(|at| spare.swap_remove(at)).is_some()
    })
}

/// Lets channels have lines when readers of a second scheduler come, as outside models, in the rest of this execution.
#[cfg(feature = "cores")]
pub(crate) fn lines_come_later() {
    LINES_COME_LATER.set(true);
}

/// Lets so few values be ahead if one scheduler has all readers, in the rest of this execution.
#[cfg(feature = "cores")]
pub(crate) fn most_for_one_are(number: usize) {
    MOST_FOR_ONE.set(Some(number));
}

/// Returns how many that are, if a model has said so.
#[cfg(feature = "cores")]
pub(crate) fn most_for_one() -> Option<usize> {
    MOST_FOR_ONE.get()
}

/// Returns whether a channel has lines from the first reader on.
#[cfg(feature = "cores")]
pub(crate) fn has_lines_at_once() -> bool {
    !LINES_COME_LATER.get() && schedulers() != Some("later")
}

/// Returns what `CSP_SCHEDULERS` says. If it says something, each process of each model has a scheduler of its own. Then all channels
/// have lines: from the first reader on, or from the second one on if it says `later`.
fn schedulers() -> Option<&'static str> {
    static SAID: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    SAID.get_or_init(|| std::env::var("CSP_SCHEDULERS").ok()).as_deref()
}

/// Runs models with a mistake planted in each, and fails if one of these succeeds. `module` has the models, and `mistakes` names
/// each mistake and its model. A failed model cannot go on, so another OS process runs it.
pub(crate) fn all_are_found(module: &str, mistakes: &[(&str, &str)]) {
    let exe = std::env::current_exe().expect("this test");
    let here = module.split_once("::").expect("a crate").1;
    let survives = |&&(mistake, model): &&(&str, &str)| {
        let name = format!("{here}::{model}");
        let holds = |bound: Option<&str>| {
            let mut run = Command::new(&exe);
            run.args([&name, "--exact"]).env("CSP_PLANTED", mistake);
            run.envs(bound.map(|bound| ("LOOM_MAX_PREEMPTIONS", bound)));
            let run = run.output().expect("this test again");
            let ran = String::from_utf8_lossy(&run.stdout).contains("running 1 test");
            assert!(ran, "{name} did not run");
            run.status.success()
        };
        // Two preemptions show most mistakes, and each one more takes ten times as long.
        holds(Some("2")) && holds(None)
    };
    let survivors: Vec<_> = mistakes.iter().filter(survives).collect();
    assert!(survivors.is_empty(), "these hold all the same: {survivors:?}");
}

/// Runs each execution with a function that reports its outcome. Returns all outcomes.
fn check<R: Outcome>(
    preemptions: usize,
    execution: impl Fn(Box<dyn FnOnce(R)>) + Send + Sync + 'static,
) -> BTreeSet<R> {
    let mut builder = loom::model::Builder::new();
    let bound = *builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 10_000;
    let seen = Arc::new(Mutex::new((BTreeSet::new(), 0)));
    let begin = Instant::now();
    builder.check({
        let seen = Arc::clone(&seen);
        move || {
            let seen = Arc::clone(&seen);
            execution(Box::new(move |outcome| {
                let (outcomes, executions) = &mut *seen.lock().unwrap();
                outcomes.insert(outcome);
                *executions += 1;
            }));
        }
    });
    let (outcomes, executions) = std::mem::take(&mut *seen.lock().unwrap());
    let test = std::thread::current();
    let name = test.name().unwrap_or_default();
    eprintln!("{name}: {executions} executions, bound {bound}, {:.1?}", begin.elapsed());
    outcomes
}

/// A value that a process may return.
trait Outcome: Ord + fmt::Debug + Send + 'static {}

impl<R: Ord + fmt::Debug + Send + 'static> Outcome for R {}

/// A tuple of closures, each the body of a process.
trait Processes {
    /// The values that they return.
    type Outcome: Outcome;
    const COUNT: usize;

    /// Runs them all. The last to end calls `judge`.
    fn run(self, judge: impl FnOnce(Self::Outcome) + 'static);
}

macro_rules! processes {
    ($($body:ident $result:ident $index:tt),*) => {
        impl<$($body: FnOnce() -> $result + 'static, $result: Outcome),*> Processes for ($($body,)*) {
            type Outcome = ($($result,)*);
            const COUNT: usize = [$($index),*].len();

            fn run(self, judge: impl FnOnce(Self::Outcome) + 'static) {
                let results = Rc::new(($(Cell::new(None::<$result>),)*));
                let judged = Rc::clone(&results);
                let judge = move || judge(($(judged.$index.take().expect("it has ended"),)*));
                let bodies: Vec<Box<dyn FnOnce()>> = vec![$({
                    let results = Rc::clone(&results);
                    Box::new(move || results.$index.set(Some((self.$index)())))
                }),*];
                run_all(bodies, judge);
            }
        }
    };
}

processes!(A RA 0, B RB 1);
processes!(A RA 0, B RB 1, C RC 2);
processes!(A RA 0, B RB 1, C RC 2, D RD 3);

fn run_all(bodies: Vec<Box<dyn FnOnce()>>, judge: impl FnOnce() + 'static) {
    let living = Rc::new(Cell::new(bodies.len()));
    let judge = Rc::new(Cell::new(Some(judge)));
    let mut lives: Vec<_> = bodies
        .into_iter()
        .zip(["a", "b", "c", "d"])
        .map(|(body, name)| {
            let (living, judge) = (Rc::clone(&living), Rc::clone(&judge));
            move || {
                let life = Life::begin(name);
                body();
                life.end();
                living.set(living.get() - 1);
                if living.get() == 0 {
                    judge.take().expect("one process is the last")();
                }
            }
        })
        .collect();
    let last = lives.pop().expect("a model has processes");
    for life in lives {
        thread::spawn(life);
    }
    last();
}

thread_local! {
    /// The processes of the present execution. `loom` runs all its threads on one.
    static LIVES: RefCell<Vec<Remains>> = const { RefCell::new(Vec::new()) };
    /// The number of live values.
    static CENSUS: Cell<isize> = const { Cell::new(0) };
}

/// The state that makes a thread of a model a process. It is kept until the next execution begins.
struct Life {
    post: Post,
    context: OnceCell<Context>,
    of: Arc<dyn Named>,
}

impl Life {
    fn begin(name: &'static str) -> &'static Self {
        let (context, of): (_, Arc<dyn Named>) = (OnceCell::new(), Arc::new(Name(name)));
        let life = Box::leak(Box::new(Self { post: Post::new(), context, of }));
        let number = LIVES.with_borrow_mut(|lives| {
            lives.push(Remains(NonNull::from(&mut *life)));
            lives.len()
        });
        if schedulers().is_some() {
            SCHEDULER.with(|scheduler| scheduler.set(number));
        }
        let life: &'static Self = life;
        let context = life.context.get_or_init(|| Context::new(&life.post));
        // SAFETY: it never ends, and its name is dropped when the context is.
        unsafe { context.begin(Arc::as_ptr(&life.of), 0, Default::default()) };
        switch_to(context);
        life
    }

    fn end(&self) {
        assert!(!self.post.letter.lock().unwrap().there, "unparked, and never waited");
    }
}

struct Remains(NonNull<Life>);

impl Drop for Remains {
    fn drop(&mut self) {
        // SAFETY: leaked by `begin`, which alone makes one. The threads that used it have ended.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

struct Name(&'static str);

impl Named for Name {
    fn write_name(&self, _: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(self.0)
    }
}

/// A [`Park`] that checks the contract of that trait: there is never more than one `unpark` to
/// take. Its deadline comes at the moment of the call, which `loom` moves to wherever it makes a
/// difference.
struct Post {
    letter: loom::sync::Mutex<Letter>,
}

struct Letter {
    there: bool,
    waiting: Option<Thread>,
}

impl Post {
    fn new() -> Self {
        Self { letter: loom::sync::Mutex::new(Letter { there: false, waiting: None }) }
    }
}

impl Park for Post {
    fn park(&self, _: &dyn Blocked, deadline: Option<Instant>) -> bool {
        loop {
            let mut letter = self.letter.lock().unwrap();
            if std::mem::take(&mut letter.there) {
                return true;
            }
            if deadline.is_some() {
                return false;
            }
            letter.waiting = Some(thread::current());
            // Between the unlocking and the parking `loom` lets no other thread in.
            drop(letter);
            thread::park();
        }
    }

    fn unpark(&self) {
        if std::thread::panicking() {
            return;
        }
        let mut letter = self.letter.lock().unwrap();
        assert!(!letter.there, "unparked twice");
        letter.there = true;
        if let Some(thread) = letter.waiting.take() {
            thread.unpark();
        }
    }
}

/// A value that is written and read. Each is dropped once.
#[derive(Debug)]
struct Value(u8);

impl Value {
    fn new(n: u8) -> Self {
        CENSUS.set(CENSUS.get() + 1);
        Self(n)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        CENSUS.set(CENSUS.get() - 1);
    }
}

/// The way in which a channel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    Retired,
    Poisoned,
}

impl From<Termination> for How {
    fn from(termination: Termination) -> Self {
        match termination {
            Termination::Retired => Self::Retired,
            Termination::Poisoned(_) => Self::Poisoned,
        }
    }
}

/// A reader's result.
type Got = Result<u8, How>;

/// A writer's result: the value was written, or has come back.
type Wrote = Result<(), (u8, How)>;

fn read(reader: &Reader<Value>) -> Got {
    Ok(reader.read()?.0)
}

fn write(writer: &Writer<Value>, n: u8) -> Wrote {
    writer.write(Value::new(n)).map_err(|error| {
        let ended = error.termination.clone();
        (error.into_inner().0, ended.into())
    })
}

/// Makes a fair choice. The result of the chosen guard goes to the function behind it.
macro_rules! choose {
    ($($guard:expr => $then:expr),+ $(,)?) => { decide!(choose, $([$guard, $then])+) };
}

/// Makes the same choice by priority.
macro_rules! first {
    ($($guard:expr => $then:expr),+ $(,)?) => { decide!(first, $([$guard, $then])+) };
}

macro_rules! decide {
    ($how:ident, $a:tt) => { decide!(@ $how, a 0 $a) };
    ($how:ident, $a:tt $b:tt) => { decide!(@ $how, a 0 $a b 1 $b) };
    ($how:ident, $a:tt $b:tt $c:tt) => { decide!(@ $how, a 0 $a b 1 $b c 2 $c) };
    (@ $how:ident, $($name:ident $index:literal [$guard:expr, $then:expr])+) => {{
        static SITE: alt::Site = alt::Site::new();
        $(let mut $name = $guard;)+
        match alt::$how(&SITE, [$($name.offer()),+]) {
            Err(termination) => Err(How::from(termination)),
            $(Ok($index) => Ok($then($name.value())),)+
            Ok(_) => unreachable!("there is no such guard"),
        }
    }};
}

use {choose, decide, first};

/// Returns a timeout that may come at any moment.
fn timeout() -> At {
    alt::after(Duration::from_secs(3600))
}

/// The outcome of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Chose {
    Read(u8),
    Wrote,
    Retired,
    Synced,
    Late,
    /// `skip`
    Nothing,
}

fn got(value: Value) -> Chose {
    Chose::Read(value.0)
}

fn wrote((): ()) -> Chose {
    Chose::Wrote
}

fn retired((): ()) -> Chose {
    Chose::Retired
}

fn synced((): ()) -> Chose {
    Chose::Synced
}

fn late((): ()) -> Chose {
    Chose::Late
}

fn nothing((): ()) -> Chose {
    Chose::Nothing
}
