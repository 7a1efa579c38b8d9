//! The pipes of programs where there is no event queue: the threads of `io` wait for them.

use std::fs::File;
use std::io::{self, Read};
use std::process::{Child, ChildStdin};
use std::sync::{Arc, Mutex, PoisonError};

use super::shell::text::{Broke, Lines, ReadLines, put};
use crate::choice::guards::call::Call;
use crate::{Reader, Writer, alt};

/// A pipe or file that lines come from.
pub(super) struct Incoming {
    read: Call<io::Result<ReadLines>>,
    has_ended: bool,
}

impl Incoming {
    fn new(mut input: impl Read + Send + 'static) -> Self {
        let mut lines = Lines::new();
        Self { read: Call::new(move || lines.wait(&mut input)), has_ended: false }
    }

    /// Takes the output of a program.
    pub(super) fn of_program(pipe: impl Read + Send + 'static) -> Self {
        Self::new(pipe)
    }

    pub(super) fn of_file(file: File) -> Self {
        Self::new(file)
    }

    #[allow(clippy::unnecessary_wraps, reason = "as the other one")]
    pub(super) fn stdin() -> io::Result<Self> {
        Ok(Self::new(io::stdin()))
    }

    /// Returns the next lines, or `None` at the end of the input, and if nobody reads them any more.
    pub(super) fn next(&mut self, lines: &Writer<String>) -> io::Result<Option<Vec<String>>> {
        if self.has_ended {
            return Ok(None);
        }
        // A silent program does not keep this process from hearing that the channel has ended.
        let batch = alt! {
            batch = io(self.read) => batch.map(Some),
            retired(lines)        => Ok(None),
        };
        let Some(ReadLines { lines, is_last }) = batch.unwrap_or(Ok(None))? else {
            return Ok(None);
        };
        self.has_ended = is_last;
        Ok(Some(lines))
    }
}

/// The end of a program, of which nothing tells.
pub(super) struct ProgramEnd;

impl ProgramEnd {
    pub(super) fn of_program(_: &Child) -> Self {
        Self
    }

    /// Waits until the program has ended. Returns false at once if nothing tells of that.
    #[allow(clippy::unused_self, reason = "as the other one")]
    pub(super) fn wait(&mut self) -> bool {
        false
    }
}

/// The input of a program.
pub(super) struct ProgramInput {
    /// The text that the call writes next.
    next: Arc<Mutex<Vec<u8>>>,
    write: Call<io::Result<()>>,
}

impl ProgramInput {
    pub(super) fn of_program(mut pipe: ChildStdin) -> Self {
        let next = Arc::<Mutex<Vec<u8>>>::default();
        let text = Arc::clone(&next);
        let write = Call::new(move || {
            let text = std::mem::take(&mut *text.lock().unwrap_or_else(PoisonError::into_inner));
            put(&mut pipe, &text)
        });
        Self { next, write }
    }

    /// Writes the text, unless the program ends before. `open` says that `lines` had not retired, and still says so afterwards.
    pub(super) fn put(
        &mut self,
        text: Vec<u8>,
        lines: &Reader<String>,
        open: &mut bool,
        over: &Reader<()>,
    ) -> Result<(), Broke> {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = text;
        loop {
            let written = alt! {
                written = io(self.write) => Some(written),
                retired(over)            => Some(Ok(())),
                if *open, retired(lines) => { *open = false; None }
            };
            if let Some(written) = written.map_err(Broke::Poisoned)? {
                return written.map_err(Broke::Failed);
            }
        }
    }
}
