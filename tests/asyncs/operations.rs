//! Every operation that is a future, ended in every way, and woken by every kind of waker. Nothing is lost, freed early or kept.
//!
//! An operation waits at something, its [`At`]. The other side of that is its [`Partner`], which may be anywhere and ends the wait.

use csp::io::Call;
use csp::{Alternation, Barrier, Bucket, Channel, Reader, Spawned, Writer, alt, parallel, process};
use csp_tests::{Placement, on_each_backend};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Read,
    Write,
    ExtendedRead,
    Choice,
    Alternation,
    Barrier,
    Bucket,
    Join,
    Shutdown,
    Sleep,
    Call,
    Stream,
    Sink,
}

const OPERATIONS: [Operation; 13] = [
    Operation::Read,
    Operation::Write,
    Operation::ExtendedRead,
    Operation::Choice,
    Operation::Alternation,
    Operation::Barrier,
    Operation::Bucket,
    Operation::Join,
    Operation::Shutdown,
    Operation::Sleep,
    Operation::Call,
    Operation::Stream,
    Operation::Sink,
];

/// Those that may be sent to another thread.
const ROAMING: [Operation; 2] = [Operation::Stream, Operation::Sink];

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Done,
    Dropped,
    /// It is never dropped, and the data it has borrowed is freed.
    Forgotten,
    /// It is dropped after its process has ended: by a later process of its thread, or when the thread ends.
    AfterItsProcess,
    /// It is dropped after its process has ended and its partner has come.
    AfterBoth,
    /// It is dropped while its partner comes.
    AtOnce,
    /// The same, by another thread.
    OnAnotherThread,
    /// Another thread polls it until it is done.
    DoneByAnotherThread,
}

const ENDS: [End; 8] = [
    End::Done,
    End::Dropped,
    End::Forgotten,
    End::AfterItsProcess,
    End::AfterBoth,
    End::AtOnce,
    End::OnAnotherThread,
    End::DoneByAnotherThread,
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Wakes {
    Own,
    Foreign,
    /// It uses what the operation is at, and drops another operation there.
    Reentering,
    Panicking,
    /// It takes the place of others, which were polled with before.
    Replaced,
}

const WAKES: [Wakes; 5] =
    [Wakes::Own, Wakes::Foreign, Wakes::Reentering, Wakes::Panicking, Wakes::Replaced];

type Case = (Operation, End, Wakes);

/// A value that is counted from its making to its drop.
#[derive(Debug)]
struct Counted(Counts);

#[derive(Clone, Debug, Default)]
struct Counts(Arc<AtomicUsize>);

impl Counts {
    fn one(&self) -> Counted {
        self.0.fetch_add(1, Ordering::SeqCst);
        Counted(self.clone())
    }

    fn alive(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

type Op<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// One that owns its end.
type Roaming = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The object at which an operation of each kind waits.
struct At {
    operation: Operation,
    counts: Counts,
    reader: Reader<Counted>,
    writer: Writer<Counted>,
    never: Reader<Counted>,
    barrier: Barrier,
    bucket: Bucket,
    child: Cell<Option<Spawned<Counted>>>,
    call: Call<Counted>,
}

/// The other side of an [`At`].
struct Partner {
    operation: Operation,
    counts: Counts,
    reader: Reader<Counted>,
    writer: Writer<Counted>,
    _never: Writer<Counted>,
    barrier: Barrier,
    bucket: Bucket,
    until: Writer<()>,
    calls: mpsc::Sender<()>,
    /// It ends the channel, and under the channel's lock wakes all operations that wait there.
    retires: bool,
}

#[process]
fn child(until: Reader<()>, counts: Counts) -> Counted {
    let _ = until.read();
    counts.one()
}

impl At {
    fn new(operation: Operation, retires: bool, counts: &Counts) -> (Self, Partner) {
        let (to, from, idle, ends) =
            (Channel::new(), Channel::new(), Channel::new(), Channel::new());
        let (barrier, bucket) = (Barrier::new(), Bucket::new());
        let (calls, called) = mpsc::channel();
        let counted = counts.clone();
        let call = Call::new(move || {
            let _ = called.recv();
            counted.one()
        });
        let has_child = matches!(operation, Operation::Join | Operation::Shutdown);
        let child = has_child.then(|| csp::spawn(child(ends.reader(), counts.clone())));
        let partner = Partner {
            operation,
            counts: counts.clone(),
            reader: from.reader(),
            writer: to.writer(),
            _never: idle.writer(),
            barrier: barrier.clone(),
            bucket: bucket.clone(),
            until: ends.writer(),
            calls,
            retires,
        };
        let at = Self {
            operation,
            counts: counts.clone(),
            reader: to.reader(),
            writer: from.writer(),
            never: idle.reader(),
            barrier,
            bucket,
            child: Cell::new(child),
            call,
        };
        (at, partner)
    }

    fn begin(&self) -> Op<'_> {
        match self.operation {
            Operation::Read => Box::pin(async { drop(self.reader.read_async().await) }),
            Operation::Write => {
                let value = self.counts.one();
                Box::pin(async { drop(self.writer.write_async(value).await) })
            }
            Operation::ExtendedRead => Box::pin(async { drop(self.reader.begin_async().await) }),
            Operation::Choice => Box::pin(async {
                let _ = alt! {
                    _ = self.never.read_async().await => (),
                    _ = self.reader.read_async().await => (),
                    after(Duration::from_secs(3600)).await => (),
                };
            }),
            Operation::Alternation => Box::pin(async {
                let mut choice = Alternation::new();
                choice.read(&self.never, drop);
                choice.read(&self.reader, drop);
                let _ = choice.choose_async().await;
            }),
            Operation::Barrier => Box::pin(self.barrier.sync_async()),
            Operation::Bucket => Box::pin(self.bucket.fall_in_async()),
            Operation::Join => match self.child.take() {
                Some(child) => Box::pin(async { drop(child.join_async().await) }),
                None => Box::pin(std::future::pending()),
            },
            Operation::Shutdown => {
                drop(self.child.take());
                Box::pin(csp::shutdown_async())
            }
            // The time is so long that the first poll comes before its end, also on a busy machine.
            Operation::Sleep => Box::pin(csp::sleep_async(Duration::from_millis(100))),
            Operation::Call => Box::pin(async {
                let mut choice = Alternation::new();
                choice.io(&self.call, drop);
                let _ = choice.choose_async().await;
            }),
            Operation::Stream | Operation::Sink => self.begin_roaming(),
        }
    }

    fn begin_roaming(&self) -> Roaming {
        match self.operation {
            Operation::Stream => {
                let mut stream = self.reader.clone().stream();
                Box::pin(async move { drop(stream.next().await) })
            }
            Operation::Sink => {
                let (mut sink, value) = (self.writer.clone().sink(), self.counts.one());
                Box::pin(async move { drop(sink.send(value).await) })
            }
            other => panic!("{other:?} stays on its thread"),
        }
    }

    /// Returns an action for a waker that uses the object at which the operation waits.
    fn touch(&self) -> Box<dyn Fn() + Send + Sync> {
        let (reader, writer) = (self.reader.clone(), self.writer.clone());
        let bucket = self.bucket.clone();
        match self.operation {
            Operation::Bucket => Box::new(move || _ = bucket.holding()),
            Operation::Write | Operation::Sink => Box::new(move || drop(writer.termination())),
            _ => Box::new(move || drop(reader.termination())),
        }
    }
}

impl Partner {
    /// Ends the wait of the operation.
    fn comes(self) {
        match self.operation {
            Operation::Read
            | Operation::Write
            | Operation::ExtendedRead
            | Operation::Choice
            | Operation::Alternation
            | Operation::Stream
            | Operation::Sink
                if self.retires => {}
            Operation::Write | Operation::Sink => drop(self.reader.read()),
            Operation::Barrier => self.barrier.sync(),
            Operation::Bucket => _ = self.bucket.flush(),
            Operation::Join | Operation::Shutdown => drop(self.until),
            Operation::Sleep => {}
            Operation::Call => drop(self.calls.send(())),
            Operation::Read
            | Operation::ExtendedRead
            | Operation::Choice
            | Operation::Alternation
            | Operation::Stream => drop(self.writer.write(self.counts.one())),
        }
    }
}

std::thread_local! {
    /// Operations that outlive their processes.
    static LEFT: RefCell<Vec<Op<'static>>> = const { RefCell::new(Vec::new()) };
    /// Operations that a waker drops.
    static OTHERS: RefCell<Vec<Op<'static>>> = const { RefCell::new(Vec::new()) };
}

/// A waker of another kind, which wakes the process in the end.
struct Other {
    process: Waker,
    touch: Option<Box<dyn Fn() + Send + Sync>>,
    panics: bool,
}

impl Wake for Other {
    fn wake(self: Arc<Self>) {
        if let Some(touch) = &self.touch {
            touch();
            drop(OTHERS.take());
            touch();
        }
        self.process.wake_by_ref();
        if self.panics {
            // This panic prints nothing on standard error.
            std::panic::resume_unwind(Box::new("a waker panics"));
        }
    }
}

/// The waker that is to be woken, and those that an operation is polled with before.
struct Wakers {
    before: Vec<Waker>,
    last: Waker,
}

async fn wakers(wakes: Wakes, at: &At) -> Wakers {
    let process = poll_fn(|waking| Poll::Ready(waking.waker().clone())).await;
    let other =
        |touch, panics| Waker::from(Arc::new(Other { process: process.clone(), touch, panics }));
    let (before, last) = match wakes {
        Wakes::Own => (vec![], process),
        Wakes::Foreign => (vec![], other(None, false)),
        Wakes::Panicking => (vec![], other(None, true)),
        Wakes::Reentering => (vec![], other(Some(at.touch()), false)),
        Wakes::Replaced => {
            let before = vec![process.clone(), Waker::noop().clone(), other(None, true)];
            (before, other(None, false))
        }
    };
    Wakers { before, last }
}

fn poll<F: Future + ?Sized>(op: &mut Pin<Box<F>>, wakers: &Wakers) -> Poll<F::Output> {
    op.as_mut().poll(&mut Context::from_waker(&wakers.last))
}

fn stand<F: Future + ?Sized>(op: &mut Pin<Box<F>>, wakers: &Wakers) {
    for waker in wakers.before.iter().chain([&wakers.last]) {
        assert!(op.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
}

/// Lets other operations wait at the same object. They are woken with the operation, and its waker drops them.
fn stand_others(at: &At, wakers: &Wakers) {
    for _ in 0..2 {
        let (reader, bucket) = (at.reader.clone(), at.bucket.clone());
        let mut other: Op<'static> = match at.operation {
            Operation::Read => Box::pin(async move { drop(reader.read_async().await) }),
            Operation::Stream => Box::pin(async move { drop(reader.stream().next().await) }),
            Operation::Bucket => Box::pin(async move { bucket.fall_in_async().await }),
            _ => return,
        };
        stand(&mut other, wakers);
        OTHERS.with_borrow_mut(|others| others.push(other));
    }
}

fn outliving(at: At, wakers: &Wakers) -> Op<'static> {
    let mut op: Op<'static> = Box::pin(async move { at.begin().await });
    stand(&mut op, wakers);
    op
}

#[process]
async fn stands(case: Case, partners: Writer<Partner>, counts: Counts) -> Counted {
    let (operation, end, wakes) = case;
    let reenters = wakes == Wakes::Reentering;
    // A writer would wait for the end of an extended read that is left behind.
    let is_kept = (operation, end) == (Operation::ExtendedRead, End::AfterBoth);
    let (at, partner) = At::new(operation, reenters || is_kept, &counts);
    let wakers = wakers(wakes, &at).await;
    match end {
        End::Done => {
            let mut op = at.begin();
            stand(&mut op, &wakers);
            if reenters {
                stand_others(&at, &wakers);
            }
            let _ = partners.write_async(partner).await;
            poll_fn(|_| poll(&mut op, &wakers)).await;
        }
        End::Dropped => {
            let mut op = at.begin();
            stand(&mut op, &wakers);
            drop(op);
        }
        End::AtOnce => {
            let mut op = at.begin();
            stand(&mut op, &wakers);
            let _ = partners.write_async(partner).await;
            drop(op);
        }
        End::Forgotten => {
            let at = Box::new(at);
            let mut op = at.begin();
            stand(&mut op, &wakers);
            std::mem::forget(op);
            drop(at);
            // The memory of the operation is reused for other data.
            let junk: Vec<_> = (1..64).map(|n| vec![0x41_u8; 8 * n]).collect();
            looks().await;
            let _ = partners.write_async(partner).await;
            looks().await;
            drop(junk);
        }
        End::AfterItsProcess => {
            let op = outliving(at, &wakers);
            LEFT.with_borrow_mut(|left| left.push(op));
            if matches!(operation, Operation::Join | Operation::Shutdown) {
                // The process waits for its child.
                let _ = partners.write_async(partner).await;
            }
        }
        End::AfterBoth => {
            let op = outliving(at, &wakers);
            LEFT.with_borrow_mut(|left| left.push(op));
            let _ = partners.write_async(partner).await;
        }
        End::OnAnotherThread => {
            let mut op = at.begin_roaming();
            stand(&mut op, &wakers);
            let _ = partners.write_async(partner).await;
            elsewhere(move || drop(op)).await;
        }
        End::DoneByAnotherThread => {
            let mut op = at.begin_roaming();
            stand(&mut op, &wakers);
            let _ = partners.write_async(partner).await;
            elsewhere(move || block_on(op)).await;
        }
    }
    drop(OTHERS.take());
    counts.one()
}

/// Runs something on a new thread.
async fn elsewhere(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(run);
    let joined = csp::io_async(|| thread.join()).await;
    joined.expect("it has no reason to panic");
}

/// Polls a future on this thread until it is done.
fn block_on(mut op: Roaming) {
    struct Unparks(std::thread::Thread);
    impl Wake for Unparks {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unparks(std::thread::current())).into();
    while op.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        std::thread::park();
    }
}

/// Looks at the network while the process waits.
async fn looks() {
    let network = csp::io_async(|| csp::network().to_string()).await;
    assert!(!network.is_empty());
}

#[process]
fn comes(partners: Reader<Partner>) {
    for partner in &partners {
        partner.comes();
    }
}

/// Runs a case on this thread. The caller drops the rest that it leaves in this thread, or the end of the thread does.
fn run(backend: &Placement, case: Case, counts: &Counts) {
    let partners = Channel::new();
    let stands = backend.place(stands(case, partners.writer(), counts.clone()));
    let comes = backend.place(comes(partners.reader()));
    drop(partners);
    // The result is kept with the job, which is freed with the last reference to the process.
    drop(csp::spawn(stands));
    parallel!(comes);
    csp::shutdown();
}

fn all(mut run: impl FnMut(Case)) {
    for operation in OPERATIONS {
        for end in ENDS {
            let by_another = matches!(end, End::OnAnotherThread | End::DoneByAnotherThread);
            if by_another && !ROAMING.contains(&operation) {
                continue;
            }
            for wakes in WAKES {
                run((operation, end, wakes));
            }
        }
    }
}

/// Waits until other threads have dropped their references to it.
fn is_gone(counts: &Counts) {
    while counts.alive() > 0 {
        // A wake-up message to a process may keep it alive until its thread reads its messages.
        parallel!(nothing());
        std::thread::yield_now();
    }
}

#[process]
async fn nothing() {}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn an_operation_may_end_in_every_way(backend) {
        all(|case| {
            backend.note(format!("{case:?}"));
            let counts = Counts::default();
            run(backend, case, &counts);
            drop(LEFT.take());
            if case.1 != End::Forgotten {
                is_gone(&counts);
            }
        });
    }

    fn an_operation_may_go_with_its_thread(backend) {
        all(|case| {
            if !matches!(case.1, End::AfterItsProcess | End::AfterBoth) {
                return;
            }
            for early in [true, false] {
                backend.note(format!("{case:?}"));
                let counts = Counts::default();
                let (placed, counted) = (backend.clone(), counts.clone());
                let thread = std::thread::spawn(move || {
                    // On some systems, the thread-local that is used first is dropped last.
                    if early {
                        LEFT.with_borrow(Vec::len);
                    }
                    placed.enter();
                    run(&placed, case, &counted);
                });
                thread.join().expect("it has no reason to panic");
                is_gone(&counts);
            }
        });
    }
}

/// Sends the only operation that may be sent. It may, because another thread makes the call anyway.
#[process]
async fn sends_a_call(
    to: mpsc::Sender<Pin<Box<dyn Future<Output = Counted> + Send>>>,
    counts: Counts,
) {
    let mut call = Box::pin(csp::io_async(move || counts.one()));
    poll_fn(|waking| {
        let _ = call.as_mut().poll(waking);
        Poll::Ready(())
    })
    .await;
    let _ = to.send(call);
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn a_call_may_be_dropped_on_another_thread(backend) {
        for _ in 0..20 {
            let counts = Counts::default();
            let (to, from) = mpsc::channel();
            let drops = std::thread::spawn(move || from.into_iter().for_each(drop));
            parallel!(backend.place(sends_a_call(to, counts.clone())));
            drops.join().expect("it has no reason to panic");
            is_gone(&counts);
        }
    }
}

#[process]
fn ends_late(until: Reader<()>, ended: Arc<AtomicUsize>) {
    let _ = until.read();
    // Processes that do not wait for it go on meanwhile.
    csp::sleep(Duration::from_millis(1));
    ended.fetch_add(1, Ordering::SeqCst);
}

/// Reports that its function is nearly over. Then its children are let go.
#[process]
async fn is_refused(until: Reader<()>, said: Writer<()>, ended: Arc<AtomicUsize>) {
    drop(csp::spawn(ends_late(until.clone(), Arc::clone(&ended))));
    let refused = catch_unwind(csp::shutdown);
    assert!(refused.is_err());
    let children = AssertUnwindSafe(|| parallel!(ends_late(until, ended)));
    assert!(catch_unwind(children).is_err());
    let _ = said.write_async(()).await;
}

/// Waits twice at once, beside a wait that is forgotten.
#[process]
async fn waits_twice(until: Reader<()>, said: Writer<()>, ended: Arc<AtomicUsize>) {
    drop(csp::spawn(ends_late(until, Arc::clone(&ended))));
    let mut all = [(); 3].map(|()| Box::pin(csp::shutdown_async()));
    poll_fn(|waking| {
        all.iter_mut().for_each(|one| assert!(one.as_mut().poll(waking).is_pending()));
        Poll::Ready(())
    })
    .await;
    let [forgotten, one, other] = all;
    std::mem::forget(forgotten);
    let _ = said.write_async(()).await;
    one.await;
    assert_eq!(ended.load(Ordering::SeqCst), 1);
    other.await;
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn children_stay_where_a_wait_is_refused(backend) {
        let (until, said, ended) = (Channel::new(), Channel::new(), Arc::default());
        let (go, heard) = (until.writer(), said.reader());
        let process = is_refused(until.reader(), said.writer(), Arc::clone(&ended));
        let process = csp::spawn(backend.place(process));
        drop((until, said));
        assert_eq!(heard.read(), Ok(()));
        assert!(!process.has_ended());
        drop(go);
        process.join();
        assert_eq!(ended.load(Ordering::SeqCst), 2);
    }

    fn all_that_wait_for_the_children_go_on(backend) {
        let (until, said, ended) = (Channel::new(), Channel::new(), Arc::default());
        let (go, heard) = (until.writer(), said.reader());
        let process = waits_twice(until.reader(), said.writer(), Arc::clone(&ended));
        let process = csp::spawn(backend.place(process));
        drop((until, said));
        assert_eq!(heard.read(), Ok(()));
        drop(go);
        process.join();
    }
}
