//! Choices that are awaited, with guards at channels which other OS processes have ends of.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use csp::{
    Alternation, Backend, Cause, Channel, Poison, Reader, Termination, Writer, alt, multiprocess,
    parallel, pri_alt, process, spawn,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};

use crate::{adds, counts, tests};

#[process]
fn counts_here(out: Writer<u32>, count: u32) -> csp::Result {
    (0..count).try_for_each(|number| Ok(out.write(number)?))
}

#[process]
fn adds_here(input: Reader<u32>) -> u32 {
    input.iter().sum()
}

/// Reads from both until both have retired. Returns the sums.
#[process]
async fn merges(left: Reader<u32>, right: Reader<u32>) -> csp::Result<(u32, u32)> {
    let (mut of_left, mut of_right) = (0, 0);
    loop {
        let read: csp::Result = alt! {
            number = left.read_async().await => { of_left += number; }
            number = right.read_async().await => { of_right += number; }
        };
        match read {
            Ok(()) => {}
            Err(Termination::Retired) => return Ok((of_left, of_right)),
            Err(poisoned) => return Err(poisoned),
        }
    }
}

#[process]
async fn merges_many(inputs: Vec<Reader<u32>>) -> u32 {
    let mut sum = 0;
    let mut choice = Alternation::new();
    for input in inputs {
        choice.read(input, |number| number);
    }
    while let Ok(number) = choice.choose_async().await {
        sum += number;
    }
    sum
}

/// Writes to the reader that is ready. Returns how many each has got.
#[process]
async fn deals(left: Writer<u32>, right: Writer<u32>, count: u32) -> csp::Result<(u32, u32)> {
    let (mut of_left, mut of_right) = (0, 0);
    for _ in 0..count {
        alt! {
            left.write_async(1).await => { of_left += 1; }
            right.write_with_async(|| 1).await => { of_right += 1; }
        }?;
    }
    Ok((of_left, of_right))
}

#[process]
async fn deals_by_alternation(left: Writer<u32>, right: Writer<u32>, count: u32) -> (u32, u32) {
    let mut dealt = (0, 0);
    let mut choice = Alternation::new();
    choice.write(left, || 1, || true);
    choice.write(right, || 1, || false);
    for _ in 0..count {
        match choice.choose_async().await {
            Ok(true) => dealt.0 += 1,
            Ok(false) => dealt.1 += 1,
            Err(_) => break,
        }
    }
    dealt
}

/// Promises each value, and makes it then.
#[multiprocess]
fn promises(out: Writer<u32>, count: u32) -> csp::Result {
    for number in 0..count {
        alt! { out.write_with(|| number) => () }?;
    }
    Ok(())
}

/// The maker of each second value panics.
#[multiprocess]
fn breaks_promises(out: Writer<u32>, count: u32) -> csp::Result {
    for number in 0..count {
        let written = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            alt! {
                out.write_with(|| if number % 2 == 0 { number } else { panic!("no value") }) => ()
            }
        }));
        if let Ok(written) = written {
            written?;
        }
    }
    Ok(())
}

#[process]
async fn begins_any(left: Reader<u32>, right: Reader<u32>) -> u32 {
    let mut sum = 0;
    while let Ok(number) = alt! {
        held = left.begin_async().await => *held,
        held = right.begin_async().await => *held,
    } {
        sum += number;
    }
    sum
}

#[process]
async fn waits_for_the_end(input: Reader<u32>, other: Reader<u32>) -> csp::Result<bool> {
    alt! {
        _ = other.read_async().await => false,
        retired(input).await => true,
    }
}

#[process]
async fn times_out(
    input: Reader<u32>,
    go: Writer<()>,
) -> (Option<u32>, Option<u32>, csp::Result<Option<u32>>) {
    let nothing = input.read_timeout_async(Duration::from_millis(1)).await.expect("open");
    let nothing_else = alt! {
        number = input.read_async().await => Some(number),
        after(Duration::from_millis(1)).await => None,
    };
    go.write_async(()).await.expect("a reader");
    let number = input.read_timeout_async(Duration::from_secs(1000)).await;
    (nothing, nothing_else.expect("open"), number)
}

#[multiprocess]
fn writes_when_told(go: Reader<()>, out: Writer<u32>, number: u32) -> csp::Result {
    go.read()?;
    Ok(out.write(number)?)
}

#[process]
async fn polls(input: Reader<u32>) -> (u32, bool) {
    let mut passes = false;
    loop {
        let read: csp::Result<Option<u32>> = pri_alt! {
            number = input.read_async().await => Some(number),
            skip => None,
        };
        match read {
            Ok(Some(number)) => return (number, passes),
            Ok(None) => passes = true,
            Err(end) => panic!("{end:#}"),
        }
        csp::alt! { after(Duration::ZERO).await => () }.expect("a guard");
    }
}

#[process]
async fn prefers(far: Reader<u32>, near: Reader<u32>) -> Vec<u32> {
    let mut all = Vec::new();
    while let Ok(number) = pri_alt! {
        number = far.read_async().await => number,
        number = near.read_async().await => number,
    } {
        all.push(number);
    }
    all
}

#[multiprocess]
fn holds(runs: Writer<()>, go: Reader<()>, _ends: (Reader<u32>, Writer<u32>)) {
    runs.write(()).expect("a reader");
    let _ = go.read();
}

#[multiprocess]
fn poisons_when_told(go: Reader<()>, out: Writer<u32>) {
    let _ = go.read();
    out.poison("no more");
}

#[multiprocess(on_panic = retire)]
fn lends_and_dies(to: Writer<(Reader<u32>, Writer<u32>)>, go: Reader<()>) {
    let channel = Channel::new();
    to.write((channel.reader(), channel.writer())).expect("a reader");
    let _ = go.read();
    std::process::abort();
}

/// Makes a channel, lends it out, and ends when it is told.
#[multiprocess]
fn lends(to: Writer<(Reader<u32>, Writer<u32>)>, go: Reader<()>) -> csp::Result {
    let channel = Channel::new();
    let both = (channel.reader(), channel.writer());
    to.write(both)?;
    drop(channel);
    let _ = go.read();
    Ok(())
}

/// A choice between both, of which the second is always away as well.
#[multiprocess]
fn chooses_there(left: Reader<u32>, right: Reader<u32>) -> csp::Result<(u32, u32)> {
    parallel!(merges(left, right)).0
}

/// Polls once.
fn once<F: Future + ?Sized>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Polls until it is ready.
fn insist<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    loop {
        if let Some(output) = once(future.as_mut()) {
            return output;
        }
        std::thread::yield_now();
    }
}

async fn either(left: &Reader<u32>, right: &Reader<u32>) -> csp::Result<u32> {
    alt! {
        number = left.read_async().await => number,
        number = right.read_async().await => number,
    }
}

type Ends = (Reader<u32>, Writer<u32>);

/// Shares a channel with an OS process that lives until the sender is dropped.
fn shared() -> (Ends, Writer<()>, csp::Spawned<()>) {
    let (runs, go, channel) = (Channel::new(), Channel::new(), Channel::new());
    let both = || (channel.reader(), channel.writer());
    let holder = spawn(holds(runs.writer(), go.reader(), both()));
    // From now on the channel is shared.
    runs.reader().read().expect("it runs");
    (both(), go.writer(), holder)
}

tests! {
    fn a_choice_between_channels_here_and_elsewhere_has_all_values() {
        for backend in [Backend::Coroutine, Backend::Thread] {
            let (near, far) = (Channel::new(), Channel::new());
            let (_, _, merged) = parallel!(
                counts_here(near.writer(), 100),
                counts(far.writer(), 100),
                merges(near.reader(), far.reader()).on(backend),
            );
            assert_eq!(merged, Ok((4950, 4950)));
        }
    }

    fn a_choice_between_channels_elsewhere_has_all_values() {
        let (one, other) = (Channel::new(), Channel::new());
        let (_, _, merged) = parallel!(
            counts(one.writer(), 100),
            counts(other.writer(), 100),
            merges(one.reader(), other.reader()),
        );
        assert_eq!(merged, Ok((4950, 4950)));
        let (one, other) = (Channel::new(), Channel::new());
        let (_, _, merged) = parallel!(
            counts(one.writer(), 100),
            counts_here(other.writer(), 100),
            chooses_there(one.reader(), other.reader()),
        );
        assert_eq!(merged, Ok((4950, 4950)));
    }

    fn an_alternation_is_awaited_elsewhere_too() {
        let channels = 6 * Channel::new();
        let far: Vec<_> = channels[..3].iter().map(|all| counts(all.writer(), 50)).collect();
        let near: Vec<_> = channels[3..].iter().map(|all| counts_here(all.writer(), 50)).collect();
        let inputs: Vec<_> = channels.iter().map(Channel::reader).collect();
        drop(channels);
        let (_, _, sum) = parallel!(far, near, merges_many(inputs));
        assert_eq!(sum, 6 * 1225);
    }

    fn output_guards_write_elsewhere() {
        for _ in 0..5 {
            let (near, far) = (Channel::new(), Channel::new());
            let (dealt, one, other) = parallel!(
                deals(near.writer(), far.writer(), 100),
                adds_here(near.reader()),
                adds(far.reader()),
            );
            assert_eq!(dealt, Ok((one, other)));
            assert_eq!(one + other, 100);
            let (one, other) = (Channel::new(), Channel::new());
            let (dealt, one, other) = parallel!(
                deals(one.writer(), other.writer(), 100),
                adds(one.reader()),
                adds(other.reader()),
            );
            assert_eq!(dealt, Ok((one, other)));
            let (one, other) = (Channel::new(), Channel::new());
            let (dealt, one, other) = parallel!(
                deals_by_alternation(one.writer(), other.writer(), 100),
                adds(one.reader()),
                adds_here(other.reader()),
            );
            assert_eq!(dealt, (one, other));
        }
    }

    /// Both sides choose, in two OS processes.
    fn choices_meet_choices() {
        let (one, other) = (Channel::new(), Channel::new());
        let (dealt, merged) = parallel!(
            deals(one.writer(), other.writer(), 200),
            chooses_there(one.reader(), other.reader()),
        );
        assert_eq!(merged, dealt);
    }

    fn promised_values_are_awaited() {
        let (one, other) = (Channel::new(), Channel::new());
        let (_, _, merged) = parallel!(
            promises(one.writer(), 50),
            breaks_promises(other.writer(), 50),
            merges(one.reader(), other.reader()),
        );
        assert_eq!(merged, Ok((1225, 600)));
    }

    fn extended_guards_keep_writers_elsewhere() {
        let (one, other) = (Channel::new(), Channel::new());
        let (_, _, sum) = parallel!(
            counts(one.writer(), 50),
            promises(other.writer(), 50),
            begins_any(one.reader(), other.reader()),
        );
        assert_eq!(sum, 2450);
    }

    fn a_guard_sees_that_a_channel_elsewhere_retires() {
        let (far, near) = (Channel::new(), Channel::new());
        let (_, ended) = parallel!(counts(far.writer(), 0), waits_for_the_end(far.reader(), near.reader()));
        assert_eq!(ended, Ok(true));
        drop(near);
    }

    fn a_limit_of_time_ends_a_wait_elsewhere() {
        let (go, channel) = (Channel::new(), Channel::new());
        let (written, timed) = parallel!(
            writes_when_told(go.reader(), channel.writer(), 3),
            times_out(channel.reader(), go.writer()),
        );
        assert_eq!((written, timed), (Ok(()), (None, None, Ok(Some(3)))));
    }

    fn skip_asks_elsewhere() {
        let (go, channel) = (Channel::new(), Channel::new());
        let child = spawn(writes_when_told(go.reader(), channel.writer(), 3));
        let polls = spawn(polls(channel.reader()));
        go.writer().write(()).expect("a reader");
        assert_eq!(polls.join().0, 3);
        child.join().expect("written");
    }

    /// The channels are at home here, so both have a writer that waits.
    fn a_guard_elsewhere_has_its_turn_before_one_here() {
        let ((reader, writer), go, holder) = shared();
        let near = Channel::new();
        let mut far_writes = pin!(writer.write_async(1));
        assert!(once(far_writes.as_mut()).is_none());
        let near_writer = near.writer();
        let mut near_writes = pin!(near_writer.write_async(2));
        assert!(once(near_writes.as_mut()).is_none());
        let near_reader = near.reader();
        let first = insist(pin!(async {
            pri_alt! {
                number = reader.read_async().await => number,
                number = near_reader.read_async().await => number,
            }
        }));
        assert_eq!(first, Ok(1));
        let second = insist(pin!(async {
            pri_alt! {
                number = reader.read_async().await => number,
                number = near_reader.read_async().await => number,
            }
        }));
        assert_eq!(second, Ok(2));
        drop(go);
        holder.join();
        let (near, far) = (Channel::new(), Channel::new());
        let (_, _, all) = parallel!(
            counts_here(near.writer(), 20),
            counts(far.writer(), 20),
            prefers(far.reader(), near.reader()),
        );
        assert_eq!((all.len(), all.iter().sum::<u32>()), (40, 380));
    }

    fn a_poisoned_channel_elsewhere_ends_a_choice() {
        let (go, far, near) = (Channel::new(), Channel::new(), Channel::new());
        let child = spawn(poisons_when_told(go.reader(), far.writer()));
        let (one, other) = (far.reader(), near.reader());
        let _open = near.writer();
        let mut choice = pin!(either(&one, &other));
        assert!(once(choice.as_mut()).is_none());
        drop(go);
        let end = insist(choice.as_mut()).expect_err("poison");
        assert!(format!("{end:#}").contains("no more"), "{end:#}");
        child.join();
    }

    fn a_choice_at_a_killed_home_is_told() {
        let (ends, go, near) = (Channel::new(), Channel::new(), Channel::new());
        let home = spawn(lends_and_dies(ends.writer(), go.reader()));
        let (reader, _writer) = ends.reader().read().expect("ends");
        let (other, _open) = (near.reader(), near.writer());
        let mut choice = pin!(either(&reader, &other));
        assert!(once(choice.as_mut()).is_none());
        drop(go);
        assert!(home.try_join().is_err());
        let end = insist(choice.as_mut()).expect_err("lost");
        assert!(matches!(end.poison().map(Poison::cause), Some(Cause::Lost { .. })), "{end:#}");
    }

    fn a_choice_goes_on_when_the_home_of_a_channel_ends() {
        let (ends, go, near) = (Channel::new(), Channel::new(), Channel::new());
        let home = spawn(lends(ends.writer(), go.reader()));
        let (reader, writer) = ends.reader().read().expect("ends");
        let (other, _open) = (near.reader(), near.writer());
        let mut choice = pin!(either(&reader, &other));
        assert!(once(choice.as_mut()).is_none());
        drop(go);
        home.join().expect("lent");
        assert!(once(choice.as_mut()).is_none());
        let mut write = pin!(writer.write_async(6));
        loop {
            if let Some(chosen) = once(choice.as_mut()) {
                assert_eq!(chosen, Ok(6));
                break;
            }
            assert!(once(write.as_mut()).is_none_or(|written| written.is_ok()));
            std::thread::yield_now();
        }
    }

    fn a_choice_goes_on_when_a_channel_leaves() {
        let (one, two) = (Channel::new(), Channel::new());
        let (left, right) = (one.reader(), two.reader());
        let _open = one.writer();
        let mut choice = pin!(either(&left, &right));
        assert!(once(choice.as_mut()).is_none());
        let child = spawn(counts(two.writer(), 1));
        assert_eq!(insist(choice.as_mut()), Ok(0));
        child.join().expect("written");
    }

    /// Some of the choices that are dropped have been given a value by then.
    fn no_value_is_lost_by_dropped_choices() {
        let (near, far) = (Channel::new(), Channel::new());
        let there = spawn(counts(far.writer(), 300));
        let here = spawn(counts_here(near.writer(), 300).on(Backend::Thread));
        let (left, right) = (near.reader(), far.reader());
        drop((near, far));
        let (mut found, mut sum, mut turns) = (0, 0, 0u32);
        while found < 600 {
            let mut choice = pin!(either(&left, &right));
            turns += 1;
            for _ in 0..turns % 7 {
                match once(choice.as_mut()) {
                    Some(Ok(number)) => {
                        (found, sum) = (found + 1, sum + number);
                        break;
                    }
                    Some(Err(end)) => panic!("{end:#} after {found} values and {turns} choices"),
                    None => std::thread::yield_now(),
                }
            }
        }
        assert_eq!(sum, 2 * 44_850);
        there.join().expect("written");
        here.join().expect("written");
    }

    /// The value is made when its reader has committed, so it goes there all the same.
    fn a_dropped_delivery_is_delivered() {
        static MADE: AtomicU32 = AtomicU32::new(0);
        for turns in 0..60 {
            let channel = Channel::new();
            let child = spawn(adds(channel.reader()));
            let writer = channel.writer();
            drop(channel);
            MADE.store(0, Ordering::SeqCst);
            {
                let mut writes = pin!(async {
                    alt! {
                        writer.write_with_async(|| { MADE.store(1, Ordering::SeqCst); 5 }).await => (),
                    }
                });
                for _ in 0..turns {
                    if once(writes.as_mut()).is_some() {
                        break;
                    }
                    std::thread::yield_now();
                }
            }
            drop(writer);
            assert_eq!(child.join(), 5 * MADE.load(Ordering::SeqCst));
        }
    }

    /// It is dropped by a panic, which poisons the ends of the process. The end that the promise has is none of them.
    fn a_delivery_that_a_panic_drops_is_delivered() {
        let ((reader, writer), go, holder) = shared();
        let mut read = pin!(reader.read_async());
        assert!(once(read.as_mut()).is_none());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut writes = pin!(async { alt! { writer.write_with_async(|| 5).await => () } });
            // The promise has been read, and its reader has not asked for the value yet.
            assert!(once(writes.as_mut()).is_none());
            panic!("it goes");
        }));
        let panic = panicked.expect_err("a panic");
        assert_eq!(panic.downcast_ref(), Some(&"it goes"));
        drop((writer, go));
        holder.join();
        assert_eq!(insist(read.as_mut()), Ok(5));
    }

    /// A value that a future was handed here goes on with its channel.
    fn a_value_that_was_handed_over_leaves_with_its_channel() {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let mut read = Box::pin(reader.read_async());
        assert!(once(read.as_mut()).is_none());
        writer.write(4).expect("a reader");
        let child = spawn(adds(channel.reader()));
        drop(read);
        drop((reader, writer, channel));
        assert_eq!(child.join(), 4);
    }

    fn values_that_were_handed_over_leave_ahead_of_the_others() {
        let (runs, go, channel) = (Channel::new(), Channel::new(), Channel::buffered(2));
        let (reader, writer) = (channel.reader(), channel.writer());
        let mut reads = [Box::pin(reader.read_async()), Box::pin(reader.read_async())];
        assert!(reads.iter_mut().all(|read| once(read.as_mut()).is_none()));
        (1..=4).for_each(|number| writer.write(number).expect("room"));
        let child = spawn(collects(runs.writer(), go.reader(), channel.reader()));
        runs.reader().read().expect("it runs");
        for read in reads {
            drop(read);
        }
        drop((reader, writer, channel, go));
        assert_eq!(child.join(), [1, 2, 3, 4]);
    }

    /// Another thread packs the buffer meanwhile, and is kept at it. A future that waited for it would keep all others of its
    /// thread waiting.
    fn drops_and_awaited_choices_do_not_wait_for_values_that_are_being_packed() {
        let channel = Channel::buffered(2);
        let (reader, writer) = (channel.reader(), channel.writer());
        let mut first = Box::pin(reader.read_async());
        let mut second = Box::pin(reader.read_async());
        assert!(once(first.as_mut()).is_none() && once(second.as_mut()).is_none());
        for number in 1..=3 {
            assert!(writer.write(Slow(number)).is_ok());
        }
        let child = spawn(collects_slow(channel.reader()));
        while !PACKS.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        // Both have been handed a value, and give it back. Ends are made and go.
        drop(first);
        drop(reader.clone());
        drop(second);
        // All kinds of guards at that channel, some with a guard that is here and some with one that is ready.
        let (here, ready) = (Channel::<u32>::new(), Channel::buffered(1));
        let (here, free) = (here.reader(), ready.writer());
        let mut choices: Vec<Pin<Box<dyn Future<Output = csp::Result> + '_>>> = vec![
            Box::pin(async { alt! { _ = reader.read_async().await => () } }),
            Box::pin(async {
                alt! {
                    _ = reader.begin_async().await => (),
                    _ = here.read_async().await => (),
                }
            }),
            Box::pin(async { alt! { writer.write_async(Slow(4)).await => () } }),
            Box::pin(async { alt! { writer.write_with_async(|| Slow(5)).await => () } }),
            Box::pin(async {
                pri_alt! {
                    _ = reader.read_async().await => (),
                    free.write_async(1).await => (),
                }
            }),
        ];
        for _ in 0..3 {
            assert!(choices.iter_mut().all(|choice| once(choice.as_mut()).is_none()));
        }
        drop(choices);
        drop((reader, writer, channel));
        GOES.store(3, Ordering::SeqCst);
        assert_eq!(child.join(), [1, 2, 3]);
    }

    /// Its writer has gone, so the reader is told.
    fn a_value_that_was_handed_over_and_cannot_leave_is_told_of() {
        let (runs, go, channel) = (Channel::new(), Channel::new(), Channel::buffered(1));
        let (reader, writer) = (channel.reader(), channel.writer());
        let mut read = Box::pin(reader.read_async());
        assert!(once(read.as_mut()).is_none());
        for number in [7, 8] {
            assert!(writer.write(Picky(number)).is_ok());
        }
        let child = spawn(collects_picky(runs.writer(), go.reader(), channel.reader()));
        runs.reader().read().expect("it runs");
        drop(read);
        drop((reader, writer, channel, go));
        let [Err(told), Ok(8)] = &child.join()[..] else { panic!("lost") };
        assert!(told.contains("seven stays"), "{told}");
    }
}

/// Returns all that comes, from the moment on at which it is told to.
#[multiprocess]
fn collects(runs: Writer<()>, go: Reader<()>, input: Reader<u32>) -> Vec<u32> {
    runs.write(()).expect("a reader");
    let _ = go.read();
    input.iter().collect()
}

/// A number. Seven can't leave its OS process.
struct Picky(u32);

impl Serialize for Picky {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            7 => Err(ser::Error::custom("seven stays")),
            number => number.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        u32::deserialize(from).map(Picky)
    }
}

#[multiprocess]
fn collects_picky(
    runs: Writer<()>,
    go: Reader<()>,
    input: Reader<Picky>,
) -> Vec<Result<u32, String>> {
    runs.write(()).expect("a reader");
    let _ = go.read();
    let mut all = Vec::new();
    loop {
        match input.read() {
            Ok(Picky(number)) => all.push(Ok(number)),
            Err(Termination::Retired) => return all,
            Err(broken) => all.push(Err(format!("{broken:#}"))),
        }
    }
}

/// A number. Three can be packed only when it is told to go.
struct Slow(u32);

static PACKS: AtomicBool = AtomicBool::new(false);
static GOES: AtomicU32 = AtomicU32::new(0);

impl Serialize for Slow {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0 == 3 {
            PACKS.store(true, Ordering::SeqCst);
        }
        while self.0 == 3 && GOES.load(Ordering::SeqCst) < 3 {
            std::thread::yield_now();
        }
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Slow {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        u32::deserialize(from).map(Slow)
    }
}

#[multiprocess]
fn collects_slow(input: Reader<Slow>) -> Vec<u32> {
    input.iter().map(|Slow(number)| number).collect()
}
