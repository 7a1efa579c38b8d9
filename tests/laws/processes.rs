//! Processes that several subjects need.

use csp::{Reader, Termination, WriteError, Writer};
use csp_tests::{Arrival, Wire, multiprocess};

/// Writes the values, one after another.
#[multiprocess]
pub(crate) fn source<T: Wire>(values: Vec<T>, output: Writer<T>) -> csp::Result {
    for value in values {
        output.write(value)?;
    }
    Ok(())
}

/// Returns all values that arrive until the channel ends.
#[multiprocess]
pub(crate) fn sink<T: Wire>(input: Reader<T>) -> Vec<T> {
    input.iter().collect()
}

/// Passes on the values it reads, until either channel ends.
#[multiprocess]
pub(crate) fn relay<T: Wire>(input: Reader<T>, output: Writer<T>) -> csp::Result {
    loop {
        output.write(input.read()?)?;
    }
}

/// Reads once.
#[multiprocess]
pub(crate) fn read_once<T: Wire>(input: Reader<T>, arrival: Arrival) -> Result<T, Termination> {
    arrival.announce();
    input.read()
}

/// Writes once.
#[multiprocess]
pub(crate) fn write_once<T: Wire + Sync>(
    value: T,
    output: Writer<T>,
    arrival: Arrival,
) -> Result<(), WriteError<T>> {
    arrival.announce();
    output.write(value)
}

/// Holds its argument until it is told to go.
#[multiprocess]
pub(crate) fn hold<T: Wire>(_held: T, go: Reader<()>) {
    let _ = go.read();
}
