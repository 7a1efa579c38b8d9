//! Processes that are futures, alone and among the others: the general laws, and laws of futures only.

use csp::{Reader, Writer, process};

mod auto_traits;
mod choice;
mod drops;
mod laws;
mod operations;
mod refused;
mod streams;
mod tokio;

#[global_allocator]
static ALLOCATOR: csp_tests::Counting = csp_tests::Counting;

#[process]
pub(crate) async fn source(count: u32, out: Writer<u32>) -> csp::Result {
    for number in 0..count {
        out.write_async(number).await?;
    }
    Ok(())
}

#[process]
pub(crate) async fn relay(input: Reader<u32>, out: Writer<u32>) -> csp::Result {
    loop {
        out.write_async(input.read_async().await?).await?;
    }
}

#[process]
pub(crate) async fn sink(input: Reader<u32>) -> Vec<u32> {
    let mut all = Vec::new();
    while let Ok(value) = input.read_async().await {
        all.push(value);
    }
    all
}
