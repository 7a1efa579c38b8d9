//! The laws of every process hold for futures too, and both kinds share channels.

use crate::{relay, sink, source};
use csp::{
    Barrier, Bucket, Channel, Parallel, Reader, Termination, Writer, parallel, parallel_async,
    process, sequence_async, spawn, try_parallel, try_parallel_async,
};
use csp_tests::{Ledger, Token, on_each_backend, panic_of, poisoned_by_panic, poisoned_by_reason};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[process]
fn waiting_source(count: u32, out: Writer<u32>) -> csp::Result {
    (0..count).try_for_each(|number| Ok(out.write(number)?))
}

#[process]
fn waiting_sink(input: Reader<u32>) -> Vec<u32> {
    input.iter().collect()
}

fn numbers(count: u32) -> Vec<u32> {
    (0..count).collect()
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn values_arrive_in_order_through_a_chain(backend) {
        let channels = 5 * Channel::new();
        let relays = channels.windows(2).map(|pair| relay(pair[0].reader(), pair[1].writer()));
        let relays: Vec<_> = relays.map(|relay| backend.place(relay)).collect();
        let (_, all, ends) = parallel!(
            backend.place(source(200, channels[0].writer())),
            backend.place(sink(channels[4].reader())),
            relays,
        );
        assert_eq!(all, numbers(200));
        assert!(ends.iter().all(|end| *end == Err(Termination::Retired)));
    }

    fn each_kind_serves_the_other(backend) {
        for capacity in [0, 1, 7] {
            let channel = Channel::buffered(capacity);
            let (_, all) = parallel!(
                backend.place(source(100, channel.writer())),
                backend.place(waiting_sink(channel.reader())),
            );
            assert_eq!(all, numbers(100));
            let channel = Channel::buffered(capacity);
            let (_, all) = parallel!(
                backend.place(waiting_source(100, channel.writer())),
                backend.place(sink(channel.reader())),
            );
            assert_eq!(all, numbers(100));
        }
    }

    fn each_value_goes_to_one_reader(backend) {
        let (count, channel) = (backend.many(500, 50), Channel::new());
        let sinks = backend.replicas(4, sink(channel.reader()));
        let waiting = backend.replicas(2, waiting_sink(channel.reader()));
        let (_, _, some, others) = parallel!(
            backend.place(source(count as u32, channel.writer())),
            backend.place(waiting_source(count as u32, channel.writer())),
            sinks,
            waiting,
        );
        let mut all: Vec<u32> = some.into_iter().chain(others).flatten().collect();
        all.sort_unstable();
        let twice: Vec<u32> = (0..2 * count as u32).map(|n| n / 2).collect();
        assert_eq!(all, twice);
    }

    fn main_meets_them(backend) {
        let (to, from) = (Channel::new(), Channel::new());
        let relay = spawn(backend.place(relay(to.reader(), from.writer())));
        let (to, from) = (to.writer(), from.reader());
        for number in 0..50 {
            to.write(number).unwrap();
            assert_eq!(from.read(), Ok(number));
        }
        to.retire();
        assert_eq!(relay.join(), Err(Termination::Retired));
    }
}

#[process]
async fn poisons(input: Reader<u32>, reason: &'static str) -> csp::Result {
    input.read_async().await?;
    input.poison(reason);
    Ok(())
}

#[process]
async fn crashes(input: Reader<u32>, _other: Writer<u32>) {
    let value = input.read_async().await.unwrap();
    panic!("value {value}");
}

#[process(on_panic = retire)]
async fn frail(input: Reader<u32>) {
    input.read_async().await.unwrap();
    panic!("frail");
}

#[process]
async fn gives_back(out: Writer<Token>, token: Token) -> Option<(usize, Termination)> {
    let error = out.write_async(token).await.err()?;
    let ended = error.termination.clone();
    Some((error.into_inner().id(), ended))
}

#[process]
async fn recovers(bad: Reader<u32>, out: Writer<u32>) -> csp::Result {
    assert!(bad.read_async().await.unwrap_err().poison().is_some());
    Ok(out.write_async(1).await?)
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn poison_wakes_those_who_wait_and_is_passed_on(backend) {
        let (a, b) = (Channel::new(), Channel::new());
        let (sent, _, passed, end) = parallel!(
            // There are more values than time, so the poisoner gets its turn.
            backend.place(source(u32::MAX, a.writer())),
            backend.place(poisons(a.reader(), "enough")),
            backend.place(relay(a.reader(), b.writer())),
            backend.place(reads_until_it_ends(b.reader())),
        );
        for end in [sent.unwrap_err(), passed.unwrap_err(), end] {
            assert_eq!(poisoned_by_reason(&end).as_deref(), Some("enough"), "{end:#}");
        }
    }

    fn who_has_recovered_passes_nothing_on(backend) {
        let (bad, out) = (Channel::<u32>::new(), Channel::new());
        let poisoner = bad.writer();
        poisoner.poison("bad");
        let (recovered, all) = parallel!(
            backend.place(recovers(bad.reader(), out.writer())),
            backend.place(sink(out.reader())),
        );
        assert_eq!((recovered, all), (Ok(()), vec![1]));
    }

    fn a_panic_poisons_what_was_held_and_is_named(backend) {
        let (values, others) = (Channel::new(), Channel::<u32>::new());
        let failure = try_parallel!(
            backend.place(source(1, values.writer())),
            backend.place(crashes(values.reader(), others.writer())),
            backend.place(sees_panic(others.reader(), "value 0")),
        )
        .unwrap_err();
        assert!(failure.process().ends_with("/crashes"), "{failure:#}");
        assert_eq!(failure.message(), "value 0");
        assert!(failure.place().is_some_and(|place| place.contains("laws.rs")), "{failure:#}");
    }

    fn who_may_crash_only_leaves(backend) {
        let values = Channel::new();
        let frail = spawn(backend.place(frail(values.reader())));
        let sent = spawn(backend.place(source(2, values.writer())));
        drop(values);
        assert_eq!(sent.join(), Err(Termination::Retired));
        assert_eq!(frail.try_join().unwrap_err().message(), "frail");
    }

    fn a_value_that_is_not_delivered_comes_back(backend) {
        let ledger = Ledger::new(1);
        let channel = Channel::new();
        let reader = channel.reader();
        let back = spawn(backend.place(gives_back(channel.writer(), ledger.token(0))));
        csp_tests::settle();
        reader.retire();
        assert_eq!(back.join(), Some((0, Termination::Retired)));
        ledger.balance();
    }
}

#[process]
async fn reads_until_it_ends(input: Reader<u32>) -> Termination {
    loop {
        if let Err(end) = input.read_async().await {
            return end;
        }
    }
}

#[process]
async fn sees_panic(input: Reader<u32>, message: &'static str) {
    let end = input.read_async().await.unwrap_err();
    let (process, said) = poisoned_by_panic(&end).expect("a panic");
    assert!(process.ends_with("/crashes"), "{process}");
    assert_eq!(said, message);
}

#[process]
async fn holds_its_writer(input: Reader<u32>, count: Arc<AtomicUsize>) -> csp::Result {
    loop {
        let value = input.begin_async().await?;
        csp::sleep_async(Duration::from_micros(100)).await;
        count.fetch_add(1, Ordering::SeqCst);
        drop(value);
    }
}

#[process]
fn waiting_holds_its_writer(input: Reader<u32>, count: Arc<AtomicUsize>) -> csp::Result {
    loop {
        let _value = input.begin()?;
        csp::sleep(Duration::from_micros(100));
        count.fetch_add(1, Ordering::SeqCst);
    }
}

#[process]
async fn is_held(out: Writer<u32>, count: Arc<AtomicUsize>) -> csp::Result {
    for number in 0..20 {
        out.write_async(number).await?;
        assert!(count.load(Ordering::SeqCst) > number as usize);
    }
    Ok(())
}

#[process]
fn waiting_is_held(out: Writer<u32>, count: Arc<AtomicUsize>) -> csp::Result {
    for number in 0..20 {
        out.write(number)?;
        assert!(count.load(Ordering::SeqCst) > number as usize);
    }
    Ok(())
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn an_extended_read_keeps_its_writer_waiting(backend) {
        macro_rules! pair {
            ($writer:ident, $reader:ident) => {
                let (channel, count) = (Channel::new(), Arc::new(AtomicUsize::new(0)));
                let (written, _) = parallel!(
                    backend.place($writer(channel.writer(), Arc::clone(&count))),
                    backend.place($reader(channel.reader(), count)),
                );
                assert_eq!(written, Ok(()));
            };
        }
        pair!(is_held, holds_its_writer);
        pair!(is_held, waiting_holds_its_writer);
        pair!(waiting_is_held, holds_its_writer);
    }
}

#[process]
async fn walks(steps: Barrier, log: Writer<u32>) -> csp::Result {
    for step in 0..5 {
        log.write_async(step).await?;
        steps.sync_async().await;
    }
    Ok(())
}

#[process]
fn walks_waiting(steps: Barrier, log: Writer<u32>) -> csp::Result {
    for step in 0..5 {
        log.write(step)?;
        steps.sync();
    }
    Ok(())
}

#[process]
async fn falls_in(bucket: Bucket) {
    bucket.fall_in_async().await;
}

#[process]
async fn flushes(bucket: Bucket, count: usize) {
    let mut flushed = 0;
    while flushed < count {
        flushed += bucket.flush();
        csp::sleep_async(Duration::from_micros(50)).await;
    }
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn a_barrier_lets_all_go_together(backend) {
        let (log, steps) = (Channel::new(), Barrier::new());
        let mut walkers = backend.replicas(3, walks(steps.clone(), log.writer()));
        walkers.push(backend.place(walks(steps.clone(), log.writer())));
        let waiting = backend.replicas(2, walks_waiting(steps, log.writer()));
        let (_, _, seen) = parallel!(walkers, waiting, backend.place(sink(log.reader())));
        let expected: Vec<u32> = (0..5).flat_map(|step| [step; 6]).collect();
        assert_eq!(seen, expected);
    }

    fn a_bucket_holds_them_until_it_is_flushed(backend) {
        let bucket = Bucket::new();
        let sleepers = backend.replicas(5, falls_in(bucket.clone()));
        parallel!(sleepers, backend.place(flushes(bucket, 5)));
    }
}

#[process]
async fn index() -> String {
    csp::current().path().to_owned()
}

#[process]
async fn starts_others(depth: u32) -> u32 {
    if depth == 0 {
        return 1;
    }
    let child = spawn(starts_others(depth - 1));
    let (one, two) = parallel_async!(starts_others(depth - 1), 2 * starts_others(0)).await;
    child.join_async().await + one + two.into_iter().sum::<u32>()
}

#[process]
async fn leaves_children(out: Writer<u32>) {
    for number in 0..3 {
        spawn(late(number, out.clone()));
    }
}

#[process]
async fn late(number: u32, out: Writer<u32>) -> csp::Result {
    csp::sleep_async(Duration::from_millis(1)).await;
    Ok(out.write_async(number).await?)
}

#[process]
async fn fails() {
    csp::sleep_async(Duration::from_millis(1)).await;
    panic!("I fail")
}

#[process]
async fn has_a_child_that_fails() -> u32 {
    spawn(fails());
    1
}

#[process]
async fn catches() -> String {
    let outcome = try_parallel_async!(fails()).await;
    outcome.unwrap_err().message().to_owned()
}

#[process]
async fn one_after_another(log: Writer<u32>) -> csp::Result {
    let (a, b) = sequence_async!(late(1, log.clone()), 2 * late(2, log.clone())).await;
    a?;
    b.into_iter().collect::<csp::Result<Vec<()>>>()?;
    let set = Parallel::new().with(late(3, log.clone())).with(vec![late(3, log)]);
    set.run_async().await.into_iter().collect::<csp::Result<Vec<()>>>()?;
    Ok(())
}

/// Holds a value that is not `Send` over an `await`. It may, because the process stays on its thread.
#[process]
async fn keeps_an_rc(input: Reader<u32>) -> csp::Result<u32> {
    let sum = Rc::new(std::cell::Cell::new(0));
    let other = Rc::clone(&sum);
    for _ in 0..3 {
        sum.set(sum.get() + input.read_async().await?);
    }
    Ok(other.get())
}

#[process]
async fn generic<T: std::ops::Add<Output = T> + Send + 'static>((a, b): (T, T)) -> T {
    a + b
}

#[process(name = "quiet one", on_panic = retire)]
async fn unused(_: u32, _end: Writer<u32>) {}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn names_and_replicas(backend) {
        let (paths, sums) = parallel!(3 * index(), 2 * generic((1_u8, 2)));
        for (number, path) in paths.iter().enumerate() {
            assert!(path.ends_with(&format!("/index[{number}]")), "{path}");
        }
        assert_eq!(sums, [3, 3]);
        let erased = vec![backend.place(index()).erased(), index().named("other").erased()];
        assert!(parallel!(erased).0[1].ends_with("/other"));
        parallel!(0 * index());
        let end = Channel::new();
        let reader = end.reader();
        parallel!(backend.place(unused(1, end.writer())));
        drop(end);
        assert_eq!(reader.read(), Err(Termination::Retired));
    }

    fn processes_start_processes(backend) {
        let (all,) = parallel!(backend.place(starts_others(backend.many(6, 3) as u32)));
        assert!(all > 10);
    }

    fn a_process_ends_after_what_it_spawned(backend) {
        let channel = Channel::new();
        let (_, mut all) = parallel!(
            backend.place(leaves_children(channel.writer())),
            backend.place(sink(channel.reader())),
        );
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
        let failure = try_parallel!(backend.place(has_a_child_that_fails())).unwrap_err();
        assert!(failure.process().ends_with("/has_a_child_that_fails/fails"), "{failure:#}");
        assert_eq!(parallel!(backend.place(catches())).0, "I fail");
    }

    fn sequences_and_sets(backend) {
        let log = Channel::new();
        let (ended, log) = parallel!(
            backend.place(one_after_another(log.writer())),
            backend.place(sink(log.reader())),
        );
        assert_eq!((ended, log), (Ok(()), vec![1, 2, 2, 3, 3]));
    }

    fn what_is_not_send_may_be_kept(backend) {
        let channel = Channel::new();
        let (_, sum) = parallel!(
            backend.place(source(3, channel.writer())),
            backend.place(keeps_an_rc(channel.reader())),
        );
        assert_eq!(sum, Ok(3));
    }

    fn it_sleeps_as_long_as_it_says(backend) {
        #[process]
        async fn ticks(n: u32) -> Vec<Instant> {
            let mut ticks = csp::every(Duration::from_millis(1));
            let mut all = Vec::new();
            for _ in 0..n {
                all.push(ticks.next_async().await);
            }
            csp::sleep_until_async(Instant::now()).await;
            all
        }
        let start = Instant::now();
        let (ticks,) = parallel!(backend.replicas(20, ticks(3)));
        assert!(start.elapsed() >= Duration::from_millis(3));
        assert!(ticks.iter().all(|ticks| ticks.is_sorted() && ticks.len() == 3));
    }
}

#[process]
async fn waits(input: Reader<u32>) {
    let _ = input.read();
}

#[process]
async fn waits_to_write(out: Writer<u32>) {
    let _ = out.write(1);
}

#[process]
async fn waits_for_others() {
    parallel!(index());
}

#[process]
async fn waits_at_a_barrier(barrier: Barrier) {
    barrier.sync();
}

#[process]
async fn waits_for_time() {
    csp::sleep(Duration::from_secs(1000));
}

#[process]
async fn waits_to_choose(input: Reader<u32>) {
    let _ = csp::alt! { _ = input.read() => (), after(Duration::from_secs(1000)) => () };
}

#[process]
async fn waits_to_join() {
    spawn(late(1, Channel::new().writer())).join().unwrap();
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn an_operation_that_would_wait_names_its_awaiting_form(backend) {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let barrier = Barrier::new();
        macro_rules! says {
            ($process:expr, $instead:literal) => {
                let said = panic_of(|| parallel!(backend.place($process)));
                assert!(said.contains($instead), "{said}");
            };
        }
        says!(waits(reader.clone()), "read_async().await");
        drop((reader, writer));
        let channel = Channel::new();
        let _reader = channel.reader();
        says!(waits_to_write(channel.writer()), "write_async(value).await");
        says!(waits_for_others(), "parallel_async!(…).await");
        says!(waits_at_a_barrier(barrier.clone()), "sync_async().await");
        says!(waits_for_time(), "sleep_async(duration).await");
        says!(waits_to_join(), "join_async().await");
        let channel = Channel::new();
        let _writer = channel.writer();
        says!(waits_to_choose(channel.reader()), "read_async().await");
    }
}

/// Records when it is dropped.
struct Says(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl Drop for Says {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0);
    }
}

macro_rules! says_in_turn {
    ($($name:ident $($is_async:ident)?),*) => { $(
        #[process]
        $($is_async)? fn $name(mut first: Says, second: (Says, u8), last: Says) {
            let _local = Says("local", Arc::clone(&last.1));
            // The argument is moved, and used in part.
            let moved = first;
            first = Says("new first", Arc::clone(&moved.1));
            assert_eq!(second.1, 1);
            drop(moved);
            assert_eq!(first.0, "new first");
        }
    )* };
}

says_in_turn!(drops_what_it_has async, drops_what_it_has_waiting);

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn arguments_are_dropped_in_the_order_of_a_function(backend) {
        let mut seen = Vec::new();
        for drops in [drops_what_it_has, drops_what_it_has_waiting] {
            let said = Arc::new(Mutex::new(Vec::new()));
            let says = |what| Says(what, Arc::clone(&said));
            let process = drops(says("first"), (says("second"), 1), says("last"));
            parallel!(backend.place(process));
            seen.push(std::mem::take(&mut *said.lock().unwrap()));
        }
        assert_eq!(seen[0], ["first", "local", "last", "second", "new first"]);
        assert_eq!(seen[1], seen[0]);
    }
}

#[process]
async fn holds(large: [u8; 8192], input: Reader<u8>) -> u8 {
    large[usize::from(input.read_async().await.unwrap_or_default())]
}

/// Checks that it is not held twice, once as it came and once in a variable.
#[test]
#[cfg(feature = "coroutines")]
fn an_argument_is_held_once() {
    csp_tests::watched("an_argument_is_held_once", || {
        let (channel, count) = (Channel::new(), 64);
        let crowd = spawn(count * holds([7; 8192], channel.reader()).on(csp::Backend::Coroutine));
        let before = csp_tests::held();
        csp_tests::settle();
        let grown = csp_tests::held() - before;
        assert!(grown < count as isize * 8192 * 3 / 2, "{grown} bytes");
        drop(channel.writer());
        assert!(crowd.into_iter().all(|one| one.join() == 7));
    });
}
