//! The error types that users have, in processes that read, write and fail otherwise.
#![deny(warnings)]

use std::cell::Cell;

use csp::{Channel, Termination, WriteError, Writer, parallel, process};

/// The value may be any that can be sent.
#[process]
fn with_anyhow(out: Writer<Cell<u32>>) -> anyhow::Result<()> {
    std::fs::read("/dev/null")?;
    out.write(Cell::new(1))?;
    Ok(())
}

/// An enum with the three lines that the docs of `WriteError` give.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("io: {0}")]
    Io(#[from] std::io::Error),
    #[error("csp: {0}")]
    Csp(#[from] Termination),
}

impl<T> From<WriteError<T>> for Failed {
    fn from(error: WriteError<T>) -> Self {
        Self::Csp(error.into())
    }
}

#[process]
fn with_thiserror(out: Writer<u32>) -> Result<(), Failed> {
    std::fs::read("/dev/null")?;
    out.write(1)?;
    Ok(())
}

/// An enum without them.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Ended(#[from] Termination);

#[process]
fn with_thiserror_and_no_more(out: Writer<u32>) -> Result<(), Ended> {
    out.write(1).map_err(Termination::from)?;
    Ok(())
}

#[csp::main]
fn main() {
    let (cells, numbers) = (Channel::buffered(1), Channel::buffered(2));
    let _readers = (cells.reader(), numbers.reader());
    let (a, b, c) = parallel!(
        with_anyhow(cells.writer()),
        with_thiserror(numbers.writer()),
        with_thiserror_and_no_more(numbers.writer()),
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
}
