//! Processes that are futures, beside processes of other OS processes.

use csp::{Channel, Reader, Writer, parallel, process};

use crate::{adds, counts, tests};

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

tests! {
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
