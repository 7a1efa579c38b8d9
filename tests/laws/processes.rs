//! The processes that several subjects need.

use csp::{Reader, Termination, WriteError, Writer, process};
use csp_tests::Arrival;

/// Writes the values, one after another.
#[process]
pub(crate) fn source<T: Send + 'static>(values: Vec<T>, output: Writer<T>) -> csp::Result {
    for value in values {
        output.write(value)?;
    }
    Ok(())
}

/// Everything that arrives until the channel ends.
#[process]
pub(crate) fn sink<T: Send + 'static>(input: Reader<T>) -> Vec<T> {
    input.iter().collect()
}

/// Passes on what it reads, until either channel ends.
#[process]
pub(crate) fn relay<T: Send + 'static>(input: Reader<T>, output: Writer<T>) -> csp::Result {
    loop {
        output.write(input.read()?)?;
    }
}

/// Reads once.
#[process]
pub(crate) fn read_once<T: Send + 'static>(
    input: Reader<T>,
    arrival: Arrival,
) -> Result<T, Termination> {
    arrival.announce();
    input.read()
}

/// Writes once.
#[process]
pub(crate) fn write_once<T: Send + 'static>(
    value: T,
    output: Writer<T>,
    arrival: Arrival,
) -> Result<(), WriteError<T>> {
    arrival.announce();
    output.write(value)
}

/// Holds whatever it is given until told to go.
#[process]
pub(crate) fn hold<T: Send + 'static>(_held: T, go: Reader<()>) {
    let _ = go.read();
}
