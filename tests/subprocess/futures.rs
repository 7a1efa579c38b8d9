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
