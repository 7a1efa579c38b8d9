//! Text on its way between a pipe or file and lines.

use std::io::{self, Read, Write};

use crate::report::termination::Termination;

/// The number of bytes that one call reads or writes.
pub(in crate::front) const BLOCK: usize = 64 << 10;

/// The reason why it did not end by itself.
pub(in crate::front) enum Broke {
    Poisoned(Termination),
    Failed(io::Error),
}

/// The lines of one read.
#[derive(Debug, Default)]
pub(in crate::front) struct ReadLines {
    pub(in crate::front) lines: Vec<String>,
    /// The input has ended. A terminal would go on after its end.
    pub(in crate::front) is_last: bool,
}

/// Makes lines of what is read.
pub(in crate::front) struct Lines {
    block: Box<[u8]>,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
}

impl Lines {
    pub(in crate::front) fn new() -> Self {
        Self { block: vec![0; BLOCK].into(), rest: Vec::new() }
    }

    /// Reads once. Returns the lines that are whole now, perhaps none.
    pub(in crate::front) fn read(&mut self, mut input: impl Read) -> io::Result<ReadLines> {
        let size = match input.read(&mut self.block) {
            Ok(0) => {
                let rest = std::mem::take(&mut self.rest);
                let last = (!rest.is_empty()).then(|| text(&rest)).transpose()?;
                return Ok(ReadLines { lines: last.into_iter().collect(), is_last: true });
            }
            Ok(size) => size,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Ok(ReadLines::default());
            }
            Err(error) => return Err(error),
        };
        let block = &self.block[..size];
        // The bytes that came before have no line end.
        let Some(last) = block.iter().rposition(|byte| *byte == b'\n') else {
            self.rest.extend_from_slice(block);
            return Ok(ReadLines::default());
        };
        self.rest.extend_from_slice(&block[..last]);
        let whole = std::mem::replace(&mut self.rest, block[last + 1..].to_vec());
        let lines = whole.split(|byte| *byte == b'\n').map(text).collect::<io::Result<_>>()?;
        Ok(ReadLines { lines, is_last: false })
    }

    /// Reads until a line is whole, or the input ends.
    pub(in crate::front) fn wait(&mut self, mut input: impl Read) -> io::Result<ReadLines> {
        loop {
            let batch = self.read(&mut input)?;
            if batch.is_last || !batch.lines.is_empty() {
                return Ok(batch);
            }
        }
    }
}

fn text(line: &[u8]) -> io::Result<String> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8(line.to_vec())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

pub(in crate::front) fn put(out: &mut impl Write, text: &[u8]) -> io::Result<()> {
    out.write_all(text)?;
    out.flush()
}
