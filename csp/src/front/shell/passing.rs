//! Lines from a pipe or file into a channel, and from a channel to where they are written.

use std::io;
use std::time::Duration;

use super::super::pipes::Incoming;
use super::text::{BLOCK, Broke};
use crate::{Reader, Writer, alt};

/// The longest wait for more lines to come together.
const PAUSE: Duration = Duration::from_millis(10);

/// Writes the lines that can be read from `input`, until either ends. Returns how many they were.
pub(super) fn pump(mut input: Incoming, lines: &Writer<String>) -> io::Result<u64> {
    let mut count = 0;
    while let Some(batch) = input.next(lines)? {
        for line in batch {
            if lines.write(line).is_err() {
                return Ok(count);
            }
            count += 1;
        }
    }
    Ok(count)
}

/// Has the lines written, some at a time, until the channel retires, or `over` does. Returns how
/// many they were.
pub(super) fn pour(
    lines: &Reader<String>,
    over: Option<&Reader<()>>,
    mut write: impl FnMut(Vec<u8>) -> Result<(), Broke>,
) -> Result<u64, Broke> {
    enum Next {
        Line(String),
        Pause,
        End,
    }
    let (mut text, mut count) = (Vec::new(), 0);
    loop {
        // More lines come together until they fill a block, or until nothing more comes.
        let next = alt! {
            line = lines.read()                    => Next::Line(line),
            if !text.is_empty(), after(PAUSE)      => Next::Pause,
            retired(lines)                         => Next::End,
            if let Some(over) = over, retired(*over) => Next::End,
        };
        if let Ok(Next::Line(line)) = &next {
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
            count += 1;
        }
        let waits_for_more = text.len() < BLOCK && matches!(next, Ok(Next::Line(_)));
        if !text.is_empty() && !waits_for_more {
            write(std::mem::take(&mut text))?;
        }
        match next {
            Ok(Next::End) => return Ok(count),
            Ok(_) => {}
            Err(termination) => return Err(Broke::Poisoned(termination)),
        }
    }
}
