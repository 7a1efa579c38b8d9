//! Processes that are futures, beside processes of other OS processes.

use csp::{Channel, Reader, Writer, alt, multiprocess, parallel, process, try_parallel};

use crate::tests;

#[multiprocess]
fn counts(out: Writer<u32>, count: u32) -> csp::Result {
    (0..count).try_for_each(|number| Ok(out.write(number)?))
}

#[multiprocess]
fn adds(input: Reader<u32>) -> u32 {
    input.iter().sum()
}

#[process]
async fn reads(input: Reader<u32>) -> csp::Result<u32> {
    input.read_async().await
}

#[process]
async fn writes(out: Writer<u32>) -> csp::Result {
    loop {
        out.write_async(1).await?;
    }
}

#[process]
async fn streams(input: Reader<u32>) -> Option<csp::Result<u32>> {
    input.stream().next().await
}

#[process]
async fn sinks(out: Writer<u32>) -> csp::Result {
    let mut out = out.sink();
    loop {
        out.send(1).await?;
    }
}

#[process]
async fn chooses(input: Reader<u32>) -> csp::Result<u32> {
    alt! { number = input.read_async().await => number }
}

/// Reads and passes on, as the partner of a future.
#[process]
fn passes_on(input: Reader<u32>, out: Writer<u32>) -> csp::Result {
    loop {
        out.write(input.read()?)?;
    }
}

#[process]
async fn doubles(input: Reader<u32>, out: Writer<u32>) -> csp::Result {
    loop {
        out.write_async(2 * input.read_async().await?).await?;
    }
}

/// Starts a child that holds an end, and checks that the process at the other end is refused.
macro_rules! refused {
    ($there:expr, $here:expr) => {{
        let failure = try_parallel!($there, $here).unwrap_err();
        let message = failure.message();
        assert!(
            message.contains("another OS process") && message.contains("a process that waits"),
            "{failure:#}"
        );
    }};
}

tests! {
    fn who_awaits_another_os_process_is_told_what_to_do() {
        let channel = Channel::new();
        refused!(counts(channel.writer(), 5), reads(channel.reader()));
        let channel = Channel::new();
        refused!(adds(channel.reader()), writes(channel.writer()));
        let channel = Channel::new();
        refused!(counts(channel.writer(), 5), chooses(channel.reader()));
        let channel = Channel::new();
        refused!(counts(channel.writer(), 5), streams(channel.reader()));
        let channel = Channel::new();
        refused!(adds(channel.reader()), sinks(channel.writer()));
    }

    /// It stood there before, and is let go when its channel leaves the OS process.
    fn a_task_whose_channel_leaves_is_told_what_to_do() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
        let (runtime, channel) = (runtime.expect("a runtime"), Channel::new());
        let mut stream = channel.reader().stream();
        let mut waits = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::pin::pin!(stream.next()).poll(&mut waits).is_pending());
        let task = runtime.spawn(async move { stream.next().await });
        let child = csp::spawn(counts(channel.writer(), 5));
        drop(channel);
        let panicked = runtime.block_on(task).expect_err("it is refused").into_panic();
        let message = panicked.downcast_ref::<&str>().expect("text");
        assert!(message.contains("another OS process"), "{message}");
        // The panic of the task has poisoned the channel, there too.
        let ended = child.join().expect_err("nobody reads");
        assert!(format!("{ended:#}").contains("another OS process"), "{ended:#}");
    }

    fn who_waits_stands_between_a_future_and_another_os_process() {
        let [from, before, after, to] = [(); 4].map(|()| Channel::new());
        let (counted, _, _, _, sum) = parallel!(
            counts(from.writer(), 100),
            passes_on(from.reader(), before.writer()),
            doubles(before.reader(), after.writer()),
            passes_on(after.reader(), to.writer()),
            adds(to.reader()),
        );
        assert_eq!((counted, sum), (Ok(()), 9_900));
    }
}
