//! Operations that are awaited at channels which other OS processes have ends of.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use csp::{
    Backend, Cause, Channel, Poison, Reader, Termination, Writer, multiprocess, parallel, process,
    spawn,
};
use csp_tests::Ledger;

use crate::{adds, counts, here, tests};

#[process]
async fn reads(input: Reader<u32>) -> csp::Result<u32> {
    let mut sum = 0;
    loop {
        match input.read_async().await {
            Ok(number) => sum += number,
            Err(Termination::Retired) => return Ok(sum),
            Err(poisoned) => return Err(poisoned),
        }
    }
}

#[process]
async fn writes(out: Writer<u32>, count: u32) -> csp::Result {
    for number in 0..count {
        out.write_async(number).await?;
    }
    Ok(())
}

#[process]
async fn streams(input: Reader<u32>) -> csp::Result<u32> {
    let (mut input, mut sum) = (input.stream(), 0);
    while let Some(number) = input.next().await {
        sum += number?;
    }
    Ok(sum)
}

#[process]
async fn sinks(out: Writer<u32>, count: u32) -> csp::Result {
    let mut out = out.sink();
    for number in 0..count {
        out.send(number).await?;
    }
    Ok(())
}

#[process]
async fn begins(input: Reader<u32>, told: Writer<()>) -> csp::Result<u32> {
    let held = input.begin_async().await?;
    told.write_async(()).await?;
    Ok(held.into_inner())
}

/// Writes one value, and then says whether the reader had told of it before the write was over.
#[multiprocess]
fn writes_one(out: Writer<u32>, told: Reader<()>) -> csp::Result<bool> {
    out.write(7)?;
    Ok(told.try_read()?.is_some())
}

#[multiprocess]
fn awaits_elsewhere(input: Reader<u32>, out: Writer<u32>) -> (u32, csp::Result) {
    let (passed,) = parallel!(doubles(input, out));
    (here(), passed)
}

#[process]
async fn doubles(input: Reader<u32>, out: Writer<u32>) -> csp::Result {
    loop {
        out.write_async(2 * input.read_async().await?).await?;
    }
}

#[multiprocess]
fn writes_when_told(go: Reader<()>, out: Writer<u32>, number: u32) -> csp::Result {
    go.read()?;
    Ok(out.write(number)?)
}

#[multiprocess]
fn poisons_when_told(go: Reader<()>, out: Writer<u32>) {
    let _ = go.read();
    out.poison("no more");
}

/// Both ends of a channel.
type Channel2 = (Reader<u32>, Writer<u32>);

/// Makes a channel, lends it out, and ends when it is told.
#[multiprocess]
fn lends(to: Writer<Channel2>, go: Reader<()>) -> csp::Result {
    let channel = Channel::new();
    let both = (channel.reader(), channel.writer());
    to.write(both)?;
    drop(channel);
    let _ = go.read();
    Ok(())
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls once.
fn once<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(waker)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Polls each time anew until it is ready.
fn insist<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    loop {
        if let Some(output) = once(future.as_mut(), Waker::noop()) {
            return output;
        }
        std::thread::yield_now();
    }
}

/// Shares a channel with an OS process that lives until the sender of `go` is dropped.
fn shared() -> (Channel2, Writer<()>, csp::Spawned<()>) {
    let (runs, go, channel) = (Channel::new(), Channel::new(), Channel::new());
    let both = || (channel.reader(), channel.writer());
    let holder = spawn(holds(runs.writer(), go.reader(), both()));
    // From now on the channel is shared.
    runs.reader().read().expect("it runs");
    (both(), go.writer(), holder)
}

#[multiprocess]
fn holds(runs: Writer<()>, go: Reader<()>, _ends: Channel2) {
    runs.write(()).expect("a reader");
    let _ = go.read();
}

fn is_lost(end: &Termination) -> bool {
    matches!(end.poison().map(Poison::cause), Some(Cause::Lost { .. }))
}

tests! {
    fn an_async_process_reads_and_writes_beyond_its_os_process() {
        for backend in [Backend::Coroutine, Backend::Thread] {
            let channel = Channel::new();
            let both = parallel!(counts(channel.writer(), 100), reads(channel.reader()).on(backend));
            assert_eq!(both, (Ok(()), Ok(4950)));
            let channel = Channel::new();
            let both = parallel!(adds(channel.reader()), writes(channel.writer(), 100).on(backend));
            assert_eq!(both, (4950, Ok(())));
        }
    }

    fn a_stream_and_a_sink_do_so_too() {
        let channel = Channel::new();
        let both = parallel!(counts(channel.writer(), 100), streams(channel.reader()));
        assert_eq!(both, (Ok(()), Ok(4950)));
        let channel = Channel::new();
        let both = parallel!(adds(channel.reader()), sinks(channel.writer(), 100));
        assert_eq!(both, (4950, Ok(())));
    }

    fn one_thread_awaits_many() {
        let channels = 8 * Channel::new();
        let there: Vec<_> = channels.iter().map(|all| counts(all.writer(), 50)).collect();
        let here: Vec<_> = channels.iter().map(|all| reads(all.reader())).collect();
        drop(channels);
        let (_, sums) = parallel!(there, here);
        assert!(sums.iter().all(|sum| *sum == Ok(1225)), "{sums:?}");
    }

    fn a_future_in_an_os_process_awaits_channels_of_another() {
        let (there, back) = (Channel::new(), Channel::new());
        let (_, (id, passed), sum) = parallel!(
            writes(there.writer(), 100),
            awaits_elsewhere(there.reader(), back.writer()),
            reads(back.reader()),
        );
        assert_ne!(id, here());
        assert_eq!((passed, sum), (Err(Termination::Retired), Ok(9900)));
    }

    fn an_extended_read_keeps_a_writer_elsewhere() {
        let (channel, told) = (Channel::new(), Channel::buffered(1));
        let both = parallel!(
            writes_one(channel.writer(), told.reader()),
            begins(channel.reader(), told.writer()),
        );
        assert_eq!(both, (Ok(true), Ok(7)));
    }

    fn the_end_of_a_channel_is_told() {
        let (go, channel) = (Channel::new(), Channel::new());
        let child = spawn(poisons_when_told(go.reader(), channel.writer()));
        let reader = channel.reader();
        let mut read = pin!(reader.read_async());
        assert!(once(read.as_mut(), Waker::noop()).is_none());
        go.writer().write(()).expect("a reader");
        let end = insist(read.as_mut()).expect_err("poison");
        assert!(format!("{end:#}").contains("no more"), "{end:#}");
        assert_eq!(reader.termination(), Some(end));
        child.join();
    }

    fn a_waker_of_another_executor_is_woken_once_it_is_over() {
        let (go, channel) = (Channel::new(), Channel::new());
        let child = spawn(writes_when_told(go.reader(), channel.writer(), 3));
        let (woken, reader) = (Arc::new(Woken::default()), channel.reader());
        let waker = Waker::from(Arc::clone(&woken));
        let mut read = pin!(reader.read_async());
        // The last waker counts.
        assert!(once(read.as_mut(), Waker::noop()).is_none());
        let mut waits = once(read.as_mut(), &waker).is_none();
        assert!(waits);
        go.writer().write(()).expect("a reader");
        let mut seen = 0;
        while waits {
            // It is polled only when it was woken: because the channel has left, and because it is over.
            while woken.0.load(Ordering::SeqCst) == seen {
                std::thread::yield_now();
            }
            seen = woken.0.load(Ordering::SeqCst);
            if let Some(number) = once(read.as_mut(), &waker) {
                assert_eq!(number, Ok(3));
                waits = false;
            }
        }
        child.join().expect("written");
    }

    fn block_on_of_another_executor_reads_and_writes() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (there, back) = (Channel::new(), Channel::new());
        let child = spawn(awaits_elsewhere(there.reader(), back.writer()));
        let (writer, reader) = (there.writer(), back.reader());
        drop((there, back));
        runtime.block_on(async {
            for number in 0..100 {
                writer.write_async(number).await.expect("a reader");
                assert_eq!(reader.read_async().await, Ok(2 * number));
            }
        });
        drop(writer);
        let _ = child.join();
        // And without any runtime.
        let channel = Channel::new();
        let child = spawn(counts(channel.writer(), 3));
        let reader = channel.reader();
        drop(channel);
        let sum = on_this_thread(async {
            let mut sum = 0;
            while let Ok(number) = reader.read_async().await {
                sum += number;
            }
            sum
        });
        assert_eq!(sum, 3);
        child.join().expect("written");
    }

    fn tasks_of_many_threads_use_streams_and_sinks() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
        let (runtime, there, back) = (runtime.expect("a runtime"), Channel::new(), Channel::new());
        let child = spawn(awaits_elsewhere(there.reader(), back.writer()));
        let (mut sink, mut stream) = (there.writer().sink(), back.reader().stream());
        drop((there, back));
        let sent = runtime.spawn(async move {
            for number in 0..100 {
                sink.send(number).await.expect("a reader");
                tokio::task::yield_now().await;
            }
        });
        let sum = runtime.spawn(async move {
            let mut sum = 0;
            while let Some(number) = stream.next().await {
                sum += number.expect("a value");
            }
            sum
        });
        runtime.block_on(sent).expect("sent");
        assert_eq!(runtime.block_on(sum).expect("summed"), 9900);
        let _ = child.join();
    }

    /// It stood here before, and goes on elsewhere.
    fn an_operation_goes_on_when_its_channel_leaves() {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let mut stream = channel.reader().stream();
        let mut waits = Context::from_waker(Waker::noop());
        assert!(pin!(stream.next()).poll(&mut waits).is_pending());
        let mut read = pin!(reader.read_async());
        assert!(once(read.as_mut(), Waker::noop()).is_none());
        let child = spawn(counts(writer, 2));
        let (first, second) = {
            let mut next = pin!(stream.next());
            let (mut first, mut second) = (None, None);
            while first.is_none() || second.is_none() {
                if first.is_none() {
                    first = once(next.as_mut(), Waker::noop());
                }
                if second.is_none() {
                    second = once(read.as_mut(), Waker::noop());
                }
                std::thread::yield_now();
            }
            (first, second)
        };
        let sum = first.flatten().expect("an item").expect("a value") + second.expect("a value").expect("a value");
        assert_eq!(sum, 1);
        child.join().expect("written");
    }

    /// The home of the channel ends, and its parent answers for it.
    fn an_operation_goes_on_when_the_home_of_its_channel_ends() {
        let (ends, go) = (Channel::new(), Channel::new());
        let home = spawn(lends(ends.writer(), go.reader()));
        let (reader, writer) = ends.reader().read().expect("ends");
        let mut read = pin!(reader.read_async());
        assert!(once(read.as_mut(), Waker::noop()).is_none());
        drop(go);
        home.join().expect("lent");
        assert!(once(read.as_mut(), Waker::noop()).is_none());
        let mut write = pin!(writer.write_async(5));
        assert!(insist(write.as_mut()).is_ok());
        assert_eq!(insist(read.as_mut()), Ok(5));
    }

    fn a_channel_whose_home_is_killed_is_lost_to_who_awaits_it() {
        let (ends, go) = (Channel::new(), Channel::new());
        let home = spawn(lends_and_dies(ends.writer(), go.reader()));
        let (reader, writer) = ends.reader().read().expect("ends");
        let mut read = pin!(reader.read_async());
        assert!(once(read.as_mut(), Waker::noop()).is_none());
        drop(go);
        assert!(home.try_join().is_err());
        assert!(is_lost(&insist(read.as_mut()).expect_err("lost")));
        let error = insist(pin!(writer.write_async(5))).expect_err("lost");
        assert!(is_lost(&error.termination));
        assert_eq!(error.into_inner(), 5);
    }

    /// Nobody can have the value any more, so it goes as buffered values of a lost channel do.
    fn a_value_of_a_home_that_is_killed_is_dropped_whole() {
        let (ends, go) = (Channel::new(), Channel::new());
        let home = spawn(lends_values_and_dies(ends.writer(), go.reader()));
        let reader: Reader<Writer<u32>> = ends.reader().read().expect("an end");
        let inner = {
            let inner = Channel::new();
            // The child has one end of it in the value.
            go.writer().write(inner.writer()).expect("a reader");
            inner.reader()
        };
        {
            let woken = Arc::new(Woken::default());
            let waker = Waker::from(Arc::clone(&woken));
            let mut read = pin!(reader.read_async());
            assert!(once(read.as_mut(), &waker).is_none());
            while woken.0.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            assert!(home.try_join().is_err());
        }
        assert_eq!(inner.read(), Err(Termination::Retired));
    }

    fn a_dropped_read_leaves_its_value_to_the_next_reader() {
        let ((reader, writer), go, holder) = shared();
        for number in 0..200 {
            let mut write = pin!(writer.write_async(number));
            {
                let mut read = pin!(reader.read_async());
                assert!(once(read.as_mut(), Waker::noop()).is_none());
                // The read has been given the value, and is dropped with it.
                if number % 2 == 0 {
                    assert!(insist(write.as_mut()).is_ok());
                }
            }
            if number % 2 == 1 {
                assert!(once(write.as_mut(), Waker::noop()).is_none());
            }
            assert_eq!(insist(pin!(reader.read_async())), Ok(number));
            if number % 2 == 1 {
                assert!(insist(write.as_mut()).is_ok());
            }
        }
        drop(go);
        holder.join();
    }

    fn dropped_reads_give_their_values_back_in_order() {
        for forwards in [true, false] {
            let ((reader, writer), go, holder) = shared();
            let mut reads: VecDeque<_> = (0..3).map(|_| Box::pin(reader.read_async())).collect();
            assert!(reads.iter_mut().all(|read| once(read.as_mut(), Waker::noop()).is_none()));
            for number in 0..3 {
                assert!(insist(pin!(writer.write_async(number))).is_ok());
            }
            let mut write = pin!(writer.write_async(3));
            assert!(once(write.as_mut(), Waker::noop()).is_none());
            while let Some(read) = if forwards { reads.pop_front() } else { reads.pop_back() } {
                drop(read);
            }
            for number in 0..4 {
                assert_eq!(insist(pin!(reader.read_async())), Ok(number), "forwards: {forwards}");
            }
            drop(go);
            holder.join();
        }
    }

    /// Some of the dropped reads have been given a value by then, and some have not.
    fn no_value_of_another_os_process_is_lost_by_drops() {
        let channel = Channel::new();
        let child = spawn(counts(channel.writer(), 500));
        let reader = channel.reader();
        drop(channel);
        let (mut next, mut turns) = (0, 0u32);
        loop {
            let mut read = pin!(reader.read_async());
            let mut found = None;
            for _ in 0..turns % 7 {
                found = once(read.as_mut(), Waker::noop());
                if found.is_some() {
                    break;
                }
                std::thread::yield_now();
            }
            turns += 1;
            match found {
                None => {}
                Some(Ok(number)) => {
                    assert_eq!(number, next, "after {turns} reads");
                    next += 1;
                }
                Some(Err(end)) => {
                    assert_eq!((end, next), (Termination::Retired, 500));
                    break;
                }
            }
        }
        child.join().expect("written");
    }

    fn a_dropped_write_is_written_once_or_never() {
        let channel = Channel::new();
        let child = spawn(adds(channel.reader()));
        let writer = channel.writer();
        drop(channel);
        let mut kept = 0;
        for turn in 0..500 {
            let mut write = pin!(writer.write_async(1));
            for _ in 0..turn % 5 {
                if let Some(written) = once(write.as_mut(), Waker::noop()) {
                    written.expect("a reader");
                    kept += 1;
                    break;
                }
                std::thread::yield_now();
            }
        }
        // One that was dropped may have been written all the same. None is written twice.
        drop(writer);
        let sum = child.join();
        assert!((kept..=500).contains(&sum), "{kept} {sum}");
    }

    /// Each value comes back, or is written, and never both.
    fn a_value_is_taken_back_from_a_sink_without_an_answer() {
        let channel = Channel::new();
        let child = spawn(adds(channel.reader()));
        let mut sink = channel.writer().sink();
        drop(channel);
        let (mut sent, mut back) = (0, 0);
        for turn in 0..500 {
            let mut send = Box::pin(sink.send(1));
            let mut done = None;
            for _ in 0..turn % 5 {
                done = once(send.as_mut(), Waker::noop());
                if done.is_some() {
                    break;
                }
                std::thread::yield_now();
            }
            drop(send);
            match (done, sink.take_pending()) {
                (None, Some(value)) => back += value,
                (Some(Err(error)), _) => panic!("{error}"),
                // It never began.
                (None, None) if turn % 5 == 0 => back += 1,
                (_, taken) => {
                    assert_eq!(taken, None);
                    sent += 1;
                }
            }
        }
        drop(sink);
        assert_eq!((child.join(), sent + back), (sent, 500));
    }

    /// Nobody reads there, and the OS process that would say so does not run.
    fn a_value_is_taken_back_although_the_home_does_not_answer() {
        let ends = Channel::new();
        let home = spawn(stops_itself(ends.writer()));
        let (id, writer): (u32, Writer<u32>) = ends.reader().read().expect("an end");
        let mut sink = writer.sink();
        wait_until_stopped(id);
        {
            let mut send = pin!(sink.send(4));
            assert!(once(send.as_mut(), Waker::noop()).is_none());
        }
        assert_eq!(sink.into_pending(), Some(4));
        go_on(id);
        home.join();
    }

    fn counted_values_are_all_dropped() {
        let ledger = Ledger::new(100);
        let channel = Channel::new();
        let child = spawn(writes_counted(channel.writer(), ledger.clone()));
        let reader = channel.reader();
        drop(channel);
        let mut found = 0;
        while found < 100 {
            let mut read = pin!(reader.read_async());
            for _ in 0..found % 3 + 1 {
                match once(read.as_mut(), Waker::noop()) {
                    Some(Ok(_token)) => {
                        found += 1;
                        break;
                    }
                    Some(Err(end)) => panic!("{end:#} after {found}"),
                    None => std::thread::yield_now(),
                }
            }
        }
        drop(reader);
        child.join().expect("written");
        ledger.balance();
    }

    /// The process of the value has not made it when the read is dropped.
    fn a_dropped_read_gives_a_promise_back() {
        let (channel, go) = (Channel::new(), Channel::new());
        let child = spawn(promises(channel.writer(), go.reader()));
        let (reader, makes) = (channel.reader(), go.writer());
        drop((channel, go));
        for number in 0..20 {
            {
                let woken = Arc::new(Woken::default());
                let waker = Waker::from(Arc::clone(&woken));
                let mut read = pin!(reader.read_async());
                for _ in 0..1 + number % 50 {
                    if once(read.as_mut(), &waker).is_some() {
                        panic!("it is not made");
                    }
                    std::thread::yield_now();
                }
            }
            // The value is made only when a reader has committed.
            let (mut write, mut read) = (pin!(makes.write_async(number)), pin!(reader.read_async()));
            let (mut written, mut found) = (false, None);
            while !written || found.is_none() {
                if !written && let Some(result) = once(write.as_mut(), Waker::noop()) {
                    result.expect("a reader");
                    written = true;
                }
                found = found.or_else(|| once(read.as_mut(), Waker::noop()));
                std::thread::yield_now();
            }
            assert_eq!(found, Some(Ok(number)));
        }
        drop(makes);
        assert_eq!(insist(pin!(reader.read_async())), Err(Termination::Retired));
        let _ = child.join();
    }

    fn a_forgotten_read_does_no_harm() {
        let ((reader, writer), go, holder) = shared();
        let mut read = Box::pin(reader.read_async());
        assert!(once(read.as_mut(), Waker::noop()).is_none());
        std::mem::forget(read);
        // It takes the first value, and nobody sees that.
        assert!(insist(pin!(writer.write_async(1))).is_ok());
        let mut write = pin!(writer.write_async(2));
        assert!(once(write.as_mut(), Waker::noop()).is_none());
        assert_eq!(insist(pin!(reader.read_async())), Ok(2));
        assert!(insist(write.as_mut()).is_ok());
        drop(go);
        holder.join();
    }

    /// Two parts of one process are polled with wakers of their own, and with that of the process.
    fn a_read_changes_its_waker() {
        let channel = Channel::new();
        let both = parallel!(counts(channel.writer(), 40), changes_wakers(channel.reader()));
        assert_eq!(both, (Ok(()), 780));
    }
}

#[process]
async fn changes_wakers(input: Reader<u32>) -> u32 {
    let (turn, mut sum) = (Cell::new(0), 0);
    loop {
        let mut read = pin!(input.read_async());
        let read = poll_fn(|waking| {
            turn.set(turn.get() + 1);
            if turn.get() % 3 == 1 {
                // For nobody, and then for this process.
                if let Some(read) = once(read.as_mut(), Waker::noop()) {
                    return Poll::Ready(read);
                }
            }
            read.as_mut().poll(waking)
        });
        match read.await {
            Ok(number) => sum += number,
            Err(_) => return sum,
        }
    }
}

/// Runs a future on this thread, which sleeps meanwhile.
fn on_this_thread<F: Future>(future: F) -> F::Output {
    struct ThisThread(std::thread::Thread);
    impl Wake for ThisThread {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(ThisThread(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Some(output) = once(future.as_mut(), &waker) {
            return output;
        }
        std::thread::park();
    }
}

#[multiprocess(on_panic = retire)]
fn lends_and_dies(to: Writer<Channel2>, go: Reader<()>) {
    let channel = Channel::new();
    to.write((channel.reader(), channel.writer())).expect("a reader");
    let _ = go.read();
    std::process::abort();
}

#[multiprocess(on_panic = retire)]
fn lends_values_and_dies(to: Writer<Reader<Writer<u32>>>, go: Reader<Writer<u32>>) {
    let channel = Channel::new();
    let writer = channel.writer();
    to.write(channel.reader()).expect("a reader");
    writer.write(go.read().expect("an end")).expect("a reader");
    std::process::abort();
}

#[multiprocess]
fn stops_itself(to: Writer<(u32, Writer<u32>)>) {
    let channel = Channel::new();
    let reader = channel.reader();
    to.write((here(), channel.writer())).expect("a reader");
    drop(channel);
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
    // Nothing was written.
    assert_eq!(reader.read(), Err(Termination::Retired));
}

fn wait_until_stopped(id: u32) {
    loop {
        let status = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("it is there");
        if status.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T')) {
            return;
        }
        std::thread::yield_now();
    }
}

fn go_on(id: u32) {
    let id = rustix::process::Pid::from_raw(id as i32).expect("a process");
    rustix::process::kill_process(id, rustix::process::Signal::CONT).expect("it is there");
}

#[multiprocess]
fn writes_counted(out: Writer<csp_tests::Token>, ledger: Ledger) -> csp::Result {
    for id in 0..100 {
        out.write(ledger.token(id))?;
    }
    Ok(())
}

/// Promises a value each time, and makes it when it is told to.
#[multiprocess]
fn promises(out: Writer<u32>, go: Reader<u32>) -> csp::Result {
    loop {
        csp::alt! {
            out.write(go.read()?) => {},
        }?;
    }
}
