//! Processes that are futures: what is dropped between its commit and its wake-up, and who is woken.
//!
//! `drive` is a host of one process: with the head and the crowd that the real ones have.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::mem::MaybeUninit;
use std::pin::pin;
use std::task::{Context as Waking, Poll, Wake, Waker};

use super::Chose::{Late, Nothing, Read, Synced};
use super::extended::{Work, serve};
use super::*;
use crate::awaiting::{Crowd, Head, Home};
use crate::barrier::{Barrier, Bucket};
use crate::blocked::Want;
use crate::guard::Handover;
use crate::park::current;
use crate::process::Failure;
use crate::process::code::Code;
use crate::process::definition::Definition;
use crate::process::group::Ended;
use crate::process::job::{self, Join, Single};
use crate::waiter::shares;

thread_local! {
    /// What is kept until the next execution, so that whatever is touched too late is found.
    static KEPT: RefCell<VecDeque<Box<dyn std::any::Any>>> = const { RefCell::new(VecDeque::new()) };
    static CROWDS: RefCell<Vec<&'static Crowd>> = const { RefCell::new(Vec::new()) };
    /// How many heads there are.
    static HEADS: Cell<isize> = const { Cell::new(0) };
}

/// An execution begins.
pub(super) fn begin() {
    HEADS.set(0);
    shares::COUNT.set(0);
    CROWDS.with_borrow_mut(Vec::clear);
    KEPT.with_borrow_mut(VecDeque::clear);
}

/// All processes have ended: a head is freed once nothing refers to it, and only letters still may.
pub(super) fn end() {
    let letters: usize = CROWDS.with_borrow(|crowds| crowds.iter().map(|crowd| crowd.mail()).sum());
    assert_eq!(shares::COUNT.get(), 0, "gates or promises kept for nothing");
    assert_eq!(HEADS.get(), letters as isize, "heads kept for nothing (>0) or freed twice (<0)");
}

fn keep<T: 'static>(value: T) -> NonNull<T> {
    let mut value = Box::new(value);
    let place = NonNull::from(&mut *value);
    KEPT.with_borrow_mut(|kept| kept.push_back(value));
    place
}

struct Host;

impl Blocked for Host {
    fn place(&self) -> &'static Location<'static> {
        Location::caller()
    }

    fn wants(&self, _: &mut dyn FnMut(Want<'_>)) {}
}

/// Polls a future to its end, as a process of this thread.
fn drive<F: Future>(future: F) -> F::Output {
    let context = current();
    // SAFETY: kept for longer than the threads of the execution.
    let crowd: &'static Crowd = unsafe { keep(Crowd::new()).as_ref() };
    CROWDS.with_borrow_mut(|crowds| crowds.push(crowd));
    crowd.join_thread();
    let home = keep(Home {
        crowd,
        identity: |_| Identity { of: Arc::new(Name("future")), index: 0 },
        named: |_| (&Name("future"), 0),
        free: |head| {
            // SAFETY: nobody uses it any more; its memory is kept.
            unsafe { head.drop_in_place() };
            HEADS.set(HEADS.get() - 1);
        },
    });
    let place: NonNull<Head> = keep(MaybeUninit::<Head>::uninit()).cast();
    // SAFETY: there is nothing there yet; the home is kept as long.
    unsafe { place.write(Head::new(home)) };
    HEADS.set(HEADS.get() + 1);
    // SAFETY: kept, as the crowd is.
    let head: &'static Head = unsafe { &*place.as_ptr() };
    let mut future = Box::pin(future);
    let mut kept = None;
    let output = loop {
        context.resume(head, kept.as_mut(), false);
        let polled = future.as_mut().poll(&mut Waking::from_waker(&head.waker()));
        if let Poll::Ready(output) = polled {
            drop(future);
            context.suspend();
            break output;
        }
        kept = context.suspend();
        while crowd.next().is_none() {
            crowd.sleep(context, &Host);
            crowd.take_letters();
        }
    };
    // SAFETY: it is over, and not used any more.
    unsafe { Head::end(place) };
    while crowd.next().is_some() {}
    crowd.leave_thread();
    output
}

/// Wakes a thread that polls by itself.
struct Bell {
    rung: loom::sync::Mutex<bool>,
    thread: Thread,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock().unwrap() = true;
        self.thread.unpark();
    }
}

/// Polls a future to its end, in no process that is a future: as an executor of another crate does.
fn drive_elsewhere<F: Future>(future: F) -> F::Output {
    let bell = Arc::new(Bell { rung: loom::sync::Mutex::new(false), thread: thread::current() });
    let waker = Waker::from(Arc::clone(&bell));
    let mut future = Box::pin(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Waking::from_waker(&waker)) {
            return output;
        }
        while !std::mem::take(&mut *bell.rung.lock().unwrap()) {
            thread::park();
        }
    }
}

/// What it has come to when it was polled once. It is dropped then.
async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|waking| {
        Poll::Ready(match future.as_mut().poll(waking) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

/// Polls it with a waker of another kind first.
async fn moved<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let first = future.as_mut().poll(&mut Waking::from_waker(Waker::noop()));
    match first {
        Poll::Ready(output) => output,
        Poll::Pending => future.await,
    }
}

async fn read_async(reader: &Reader<Value>) -> Got {
    Ok(reader.read_async().await?.0)
}

/// A read that is dropped if it has to wait, and then another.
async fn read_again(reader: Reader<Value>) -> Got {
    match once(read_async(&reader)).await {
        Some(got) => got,
        None => read_async(&reader).await,
    }
}

async fn write_async(writer: &Writer<Value>, n: u8) -> Wrote {
    let written = writer.write_async(Value::new(n)).await;
    written.map_err(|WriteError { value, termination }| (value.0, termination.into()))
}

const RETIRED: How = How::Retired;

/// A fair choice that is awaited.
macro_rules! choose_async {
    ($a:tt) => { choose_async!(@ a 0 $a) };
    ($a:tt, $b:tt) => { choose_async!(@ a 0 $a b 1 $b) };
    (@ $($name:ident $index:literal ($guard:expr => $then:expr))+) => {{
        static SITE: alt::Site = alt::Site::new();
        $(let mut $name = $guard;)+
        match alt::choose_async(&SITE, [$($name.offer()),+]).await {
            Err(termination) => Err(How::from(termination)),
            $(Ok($index) => Ok($then($name.value())),)+
            Ok(_) => unreachable!("there is no such guard"),
        }
    }};
}

#[test]
fn a_read_is_awaited() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (
            move || drive(async move { [read_async(&reader).await, read_async(&reader).await] }),
            move || write(&writer, 1),
        )
    });
    assert_eq!(seen, BTreeSet::from([([Ok(1), Err(RETIRED)], Ok(()))]));
}

#[test]
fn two_futures_communicate() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (
            move || drive(async move { [read_async(&reader).await, read_async(&reader).await] }),
            move || {
                drive(async move { [write_async(&writer, 1).await, write_async(&writer, 2).await] })
            },
        )
    });
    assert_eq!(seen, BTreeSet::from([([Ok(1), Ok(2)], [Ok(()), Ok(())])]));
}

#[test]
fn a_future_waits_in_another_executor() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (
            move || {
                drive_elsewhere(
                    async move { [read_async(&reader).await, read_async(&reader).await] },
                )
            },
            move || write(&writer, 1),
        )
    });
    assert_eq!(seen, BTreeSet::from([([Ok(1), Err(RETIRED)], Ok(()))]));
}

/// Whoever polls it last is woken.
#[test]
fn a_read_changes_who_is_woken() {
    let seen = explore(|| {
        let channel = Channel::<Value>::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let read = async move { Ok(moved(reader.read_async()).await?.0) };
        (move || drive(read), move || write(&writer, 1))
    });
    assert_eq!(seen, BTreeSet::from([(Ok::<_, How>(1), Ok(()))]));
}

#[test]
fn a_choice_changes_who_is_woken() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::<Value>::new());
        let (a, b) = (left.reader(), right.reader());
        let (writer, other) = (left.writer(), right.writer());
        let choice = async move {
            moved(async { choose_async!((alt::read(&a) => got), (alt::read(&b) => got)) }).await
        };
        (
            move || drive(choice),
            move || {
                let _other = other;
                write(&writer, 1)
            },
        )
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Read(1)), Ok(()))]));
}

/// Two operations of one process: each of them wakes it.
#[test]
fn one_process_awaits_two_reads() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.reader());
        let (writer, other) = (left.writer(), right.writer());
        let both = async move {
            let (mut one, mut two) = (pin!(read_async(&a)), pin!(read_async(&b)));
            let (mut first, mut second) = (None, None);
            poll_fn(|waking| {
                if first.is_none()
                    && let Poll::Ready(got) = one.as_mut().poll(waking)
                {
                    first = Some(got);
                }
                if second.is_none()
                    && let Poll::Ready(got) = two.as_mut().poll(waking)
                {
                    second = Some(got);
                }
                match (first, second) {
                    (Some(first), Some(second)) => Poll::Ready((first, second)),
                    _ => Poll::Pending,
                }
            })
            .await
        };
        (move || drive(both), move || write(&writer, 1), move || write(&other, 2))
    });
    assert_eq!(seen, BTreeSet::from([((Ok(1), Ok(2)), Ok(()), Ok(()))]));
}

/// Its value is the next reader's.
#[test]
fn a_read_that_is_dropped_loses_no_value() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (move || drive(read_again(reader)), move || (write(&writer, 1), write(&writer, 2)))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), (Ok(()), Err((2, RETIRED))))]));
}

/// It goes to who waits, or comes. Who was told of the end meanwhile has no part in it.
#[test]
fn what_a_dropped_read_was_given_is_the_next_readers() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, other, writer) = (channel.reader(), channel.reader(), channel.writer());
        let reading = async move { once(read_async(&reader)).await };
        (move || drive(reading), move || read(&other), move || write(&writer, 1))
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (None, Ok(1), Ok(())),
            (None, Err(RETIRED), Ok(())),
            (Some(Ok(1)), Err(RETIRED), Ok(())),
            (Some(Err(RETIRED)), Ok(1), Ok(())),
        ])
    );
}

/// The last reader leaves: a value it was given is gone with it, and written; any other comes back.
#[test]
fn a_dropped_read_may_be_the_last() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (move || drive(async move { once(read_async(&reader)).await }), move || write(&writer, 1))
    });
    assert_eq!(
        seen,
        BTreeSet::from([(Some(Ok(1)), Ok(())), (None, Ok(())), (None, Err((1, RETIRED))),])
    );
}

/// It stands, is not polled again, and is dropped by another process of the thread's own accord.
#[test]
fn a_dropped_read_of_a_buffer_keeps_the_order() {
    let seen = explore(|| {
        let channel = Channel::buffered(1);
        let (reader, writer) = (channel.reader(), channel.writer());
        let reading = async move {
            let first = once(read_async(&reader)).await;
            let rest = [read_async(&reader).await, read_async(&reader).await];
            (first, rest)
        };
        (move || drive(reading), move || [write(&writer, 1), write(&writer, 2)])
    });
    let written = [Ok(()), Ok(())];
    assert_eq!(
        seen,
        BTreeSet::from([
            ((None, [Ok(1), Ok(2)]), written),
            ((Some(Ok(1)), [Ok(2), Err(RETIRED)]), written),
        ])
    );
}

/// It was taken, or is dropped with its future.
#[test]
fn a_write_that_is_dropped_is_done_or_not() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (move || drive(async move { once(write_async(&writer, 1)).await }), move || read(&reader))
    });
    assert_eq!(seen, BTreeSet::from([(Some(Ok(())), Ok(1)), (None, Ok(1)), (None, Err(RETIRED)),]));
}

#[test]
fn two_drops_meet() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (
            move || drive(async move { once(read_async(&reader)).await }),
            move || drive(async move { once(write_async(&writer, 1)).await }),
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (None, None),
            (None, Some(Ok(()))),
            (Some(Ok(1)), None),
            (None, Some(Err((1, RETIRED)))),
            (Some(Err(RETIRED)), None),
        ])
    );
}

#[test]
fn a_poison_meets_a_drop() {
    let seen = explore(|| {
        let channel = Channel::<Value>::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (
            move || {
                drive(async move { (once(read_async(&reader)).await, read_async(&reader).await) })
            },
            move || writer.poison("enough"),
        )
    });
    let poisoned = Err(How::Poisoned);
    assert_eq!(seen, BTreeSet::from([((Some(poisoned), poisoned), ()), ((None, poisoned), ())]));
}

#[test]
fn a_choice_that_is_dropped_loses_no_value() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.reader());
        let (writer, other) = (left.writer(), right.writer());
        let choosing = async move {
            let choice = async { choose_async!((alt::read(&a) => got), (alt::read(&b) => got)) };
            match once(choice).await {
                Some(Ok(Read(1))) => (Ok(1), read_async(&b).await),
                Some(Ok(Read(2))) => (read_async(&a).await, Ok(2)),
                None => (read_async(&a).await, read_async(&b).await),
                other => panic!("{other:?}"),
            }
        };
        (move || drive(choosing), move || write(&writer, 1), move || write(&other, 2))
    });
    assert_eq!(seen, BTreeSet::from([((Ok(1), Ok(2)), Ok(()), Ok(()))]));
}

#[test]
fn a_choice_to_write_that_is_dropped_is_done_or_not() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::<Value>::new());
        let (a, b) = (left.writer(), right.reader());
        let (reader, other) = (left.reader(), right.writer());
        let choice = async move {
            once(async {
                choose_async!((alt::write(&a, Value::new(1)) => wrote), (alt::read(&b) => got))
            })
            .await
        };
        (
            move || drive(choice),
            move || {
                let _other = other;
                read(&reader)
            },
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([(Some(Ok(Chose::Wrote)), Ok(1)), (None, Ok(1)), (None, Err(RETIRED)),])
    );
}

/// Two alternations, of which one is dropped: neither or both, or who is left does not know of the drop.
#[test]
fn a_dropped_choice_meets_a_choice() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.writer());
        let (c, d) = (right.reader(), left.writer());
        let choice = async move {
            once(async {
                choose_async!((alt::read(&a) => got), (alt::write(&b, Value::new(1)) => wrote))
            })
            .await
        };
        (
            move || drive(choice),
            move || choose!(alt::read(&c) => got, alt::write(&d, Value::new(2)) => wrote),
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (Some(Ok(Read(2))), Ok(Chose::Wrote)),
            (Some(Ok(Chose::Wrote)), Ok(Read(1))),
            (None, Ok(Chose::Wrote)),
            (None, Ok(Read(1))),
            (None, Err(RETIRED)),
        ])
    );
}

#[test]
fn an_extended_read_that_is_dropped_lets_its_writer_go() {
    let seen = explore(|| {
        let channel = Channel::<Value>::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let reading = async move {
            let begun = once(async { Ok(reader.begin_async().await?.into_inner().0) }).await;
            match begun {
                Some(got) => got,
                None => read_async(&reader).await,
            }
        };
        (move || drive(reading), move || write(&writer, 1))
    });
    assert_eq!(seen, BTreeSet::from([(Ok::<_, How>(1), Ok(()))]));
}

#[test]
fn a_write_awaits_the_end_of_an_extended_read() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let work = Work::new();
        let served = work.clone();
        let writing = async move { (write_async(&writer, 1).await, served.look()) };
        (move || drive(writing), move || serve(&reader, &work))
    });
    assert_eq!(seen, BTreeSet::from([((Ok(()), 1), Ok(1))]));
}

/// The server waits for its client in the middle of the read: which may have gone.
#[test]
fn a_write_that_is_dropped_does_not_wait_for_an_extended_read() {
    let seen = explore(|| {
        let (channel, gone) = (Channel::new(), Channel::new());
        let (reader, writer) = (channel.reader(), channel.writer());
        let (told, tells) = (gone.reader(), gone.writer());
        let writing = async move {
            let wrote = once(write_async(&writer, 1)).await;
            drop(writer);
            (wrote, write_async(&tells, 2).await)
        };
        let serving = move || {
            let begun = reader.begin();
            let told = read(&told);
            (begun.map(|value| value.0).map_err(How::from), told)
        };
        (move || drive(writing), serving)
    });
    assert_eq!(
        seen,
        BTreeSet::from(
            [((None, Ok(())), (Ok(1), Ok(2))), ((None, Ok(())), (Err(RETIRED), Ok(2))),]
        )
    );
}

fn deliver(handover: Handover<Value>) -> Chose {
    let _ = handover.deliver(Value::new(1));
    Chose::Wrote
}

/// Its maker fails before there is a value.
fn fail(handover: Handover<Value>) -> Chose {
    drop(handover);
    Nothing
}

#[test]
fn a_value_made_late_is_awaited() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (
            move || drive(async move { read_async(&reader).await }),
            move || choose!(alt::defer(&writer) => deliver),
        )
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(Chose::Wrote))]));
}

#[test]
fn a_value_never_made_leaves_who_awaits_it() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, maker, writer) = (channel.reader(), channel.writer(), channel.writer());
        (
            move || drive(async move { read_async(&reader).await }),
            move || choose!(alt::defer(&maker) => fail),
            move || write(&writer, 2),
        )
    });
    assert_eq!(seen, BTreeSet::from([(Ok(2), Ok(Nothing), Ok(())), (Ok(2), Err(RETIRED), Ok(()))]));
}

/// What is made for a reader that has gone is the next one's.
#[test]
fn a_value_made_late_outlives_its_reader() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (move || drive(read_again(reader)), move || choose!(alt::defer(&writer) => deliver))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(Chose::Wrote))]));
}

#[test]
fn a_value_is_made_late_by_a_future() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let work = Work::new();
        let served = work.clone();
        let writing = async move {
            let mut guard = alt::defer(&writer);
            static SITE: alt::Site = alt::Site::new();
            let chosen = alt::choose_async(&SITE, [guard.offer()]).await;
            assert!(chosen.is_ok());
            let _ = guard.value().deliver_async(Value::new(1)).await;
            served.look()
        };
        (move || drive(writing), move || serve(&reader, &work))
    });
    assert_eq!(seen, BTreeSet::from([(1, Ok(1))]));
}

/// A promise to a future, by a future, of which either may be dropped.
#[test]
fn a_promise_meets_a_drop() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let writing =
            async move { once(async { choose_async!((alt::defer(&writer) => deliver)) }).await };
        (move || drive(async move { once(read_async(&reader)).await }), move || drive(writing))
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (None, None),
            (None, Some(Ok(Chose::Wrote))),
            (None, Some(Err(RETIRED))),
            (Some(Err(RETIRED)), None),
        ])
    );
}

/// Nobody waits for who is dropped, and resigns.
#[test]
fn a_drop_takes_back_that_one_has_come_to_a_barrier() {
    let seen = explore(|| {
        let barrier = Barrier::new();
        let other = barrier.enrol();
        let coming = async move {
            let came = once(barrier.sync_async()).await;
            if came.is_none() {
                barrier.sync_async().await;
            }
        };
        (move || drive(coming), move || other.sync())
    });
    assert_eq!(seen, BTreeSet::from([((), ())]));
}

#[test]
fn a_drop_meets_the_choice_of_a_barrier() {
    let seen = explore(|| {
        let barrier = Barrier::new();
        let other = barrier.enrol();
        (
            move || drive(async move { once(barrier.sync_async()).await }),
            move || choose!(alt::sync(&other) => synced, timeout() => late),
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (Some(()), Ok(Synced)),
            (Some(()), Ok(Late)),
            (None, Ok(Synced)),
            (None, Ok(Late)),
        ])
    );
}

#[test]
fn a_drop_meets_a_flush() {
    let seen = explore(|| {
        let bucket = Bucket::new();
        let other = bucket.clone();
        (move || drive(async move { once(bucket.fall_in_async()).await }), move || other.flush())
    });
    assert_eq!(seen, BTreeSet::from([(None, 0), (None, 1)]));
}

#[test]
fn the_end_of_a_group_is_awaited() {
    let seen = explore(|| {
        let group = Arc::new(Group::new(Location::caller()));
        group.enter(2);
        let (one, other) = (Arc::clone(&group), Arc::clone(&group));
        let waiting = async move {
            let first = once(Ended::new(Arc::clone(&group))).await;
            Ended::new(group).await;
            first.is_some()
        };
        (move || drive(waiting), move || one.leave(1), move || other.leave(1))
    });
    assert_eq!(seen, BTreeSet::from([(true, (), ()), (false, (), ())]));
}

/// A process, and what its group hears of it: whoever drops the future of its end does not ask for it.
#[test]
fn a_process_that_ends_is_joined_or_not() {
    static DEFINITION: Definition = Definition::new("joined");
    let seen = explore(|| {
        let group = Arc::new(Group::new(Location::caller()));
        group.enter(1);
        let process = crate::__private::process(&DEFINITION, (), Code::new(|()| 1_u8));
        let job = Arc::new(Single::new(process, Arc::clone(&group), false, Location::caller()));
        let work: Arc<dyn job::Work> = job.clone();
        let joining = async move {
            let outcome = once(Join::new(Some(job), Location::caller())).await;
            outcome.map(|outcome: Result<u8, Failure>| outcome.is_ok())
        };
        (move || drive(joining), move || job::run(&work, 0))
    });
    assert_eq!(seen, BTreeSet::from([(Some(true), ()), (None, ())]));
}

#[test]
fn the_end_of_a_process_is_awaited() {
    static DEFINITION: Definition = Definition::new("joined");
    let seen = explore(|| {
        let group = Arc::new(Group::new(Location::caller()));
        group.enter(1);
        let process = crate::__private::process(&DEFINITION, (), Code::new(|()| 1_u8));
        let job = Arc::new(Single::new(process, Arc::clone(&group), false, Location::caller()));
        let work: Arc<dyn job::Work> = job.clone();
        let joining = async move { Join::new(Some(job), Location::caller()).await.ok() };
        (move || drive(joining), move || job::run(&work, 0))
    });
    assert_eq!(seen, BTreeSet::from([(Some(1), ())]));
}
