//! The pipes of programs, terminals and standard input: the event queue waits for them.
//!
//! Invariant: no descriptor is made a non-blocking one. A read or write is made when the system says that it does not wait. Pipes that
//! nobody else has keep that promise. Any other descriptor is read on a thread of `io`, because another program may be faster.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::process::ChildStdin;
use std::sync::Arc;

use super::shell::text::{Broke, Lines};
use crate::choice::guards::call::Call;
use crate::net::{PIECE, Polled};
use crate::{Reader, Writer, alt};

type NextLines = io::Result<Option<Vec<String>>>;

/// A pipe or file that lines come from.
pub(super) enum Incoming {
    /// A pipe that only this program reads.
    Pipe(Polled<File>, Lines),
    /// A terminal, or a pipe that others may read too.
    Shared(Polled<Arc<File>>, Call<NextLines>),
    /// An ordinary file, which no queue tells of.
    Ordinary(Call<NextLines>),
}

impl Incoming {
    /// Takes the output of a program.
    pub(super) fn of_program(pipe: impl Into<OwnedFd>) -> Self {
        Self::Pipe(Polled::new(pipe.into().into()), Lines::new())
    }

    pub(super) fn of_file(file: File) -> Self {
        let mut lines = Lines::new();
        // If its kind is not known, a read will tell why.
        let is_waited_for = file.metadata().is_ok_and(|file| {
            let kind = file.file_type();
            kind.is_fifo() || kind.is_char_device() || kind.is_socket()
        });
        if !is_waited_for {
            return Self::Ordinary(Call::new(move || lines.wait(&file)));
        }
        let file = Arc::new(file);
        let read = Arc::clone(&file);
        Self::Shared(Polled::new(file), Call::new(move || lines.read(&*read)))
    }

    pub(super) fn stdin() -> io::Result<Self> {
        // The number stays open when this one is closed.
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Self::of_file(input.into()))
    }

    /// Returns the next lines, or `None` at the end of the input, and if nobody reads them any more.
    pub(super) fn next(&mut self, lines: &Writer<String>) -> NextLines {
        loop {
            // A silent program does not keep this process from hearing that the channel has ended.
            let batch = match self {
                Self::Pipe(pipe, text) => {
                    let pipe = &*pipe;
                    alt! {
                        ready = pipe.readable() => ready.and_then(|()| text.read(pipe.get_ref())),
                        retired(lines)          => Ok(None),
                    }
                }
                Self::Shared(file, read) => {
                    let file = &*file;
                    if !read.is_begun() {
                        let ready = alt! {
                            ready = file.readable() => ready.map(|()| true),
                            retired(lines)          => Ok(false),
                        };
                        if !ready.unwrap_or(Ok(false))? {
                            return Ok(None);
                        }
                    }
                    alt! {
                        batch = io(read) => batch,
                        retired(lines)   => Ok(None),
                    }
                }
                Self::Ordinary(read) => alt! {
                    batch = io(read) => batch,
                    retired(lines)   => Ok(None),
                },
            };
            match batch.unwrap_or(Ok(None)) {
                // No line is whole.
                Ok(Some(batch)) if batch.is_empty() => {}
                // Another program has read what there was, and has made the descriptor a non-blocking one.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                batch => return batch,
            }
        }
    }
}

/// The input of a program: a pipe that only this program writes to.
pub(super) struct ProgramInput(Polled<ChildStdin>);

impl ProgramInput {
    pub(super) fn of_program(pipe: ChildStdin) -> Self {
        Self(Polled::new(pipe))
    }

    /// Writes the text, unless the program ends before. `open` says that `lines` had not retired, and still says so afterwards.
    pub(super) fn put(
        &mut self,
        text: Vec<u8>,
        lines: &Reader<String>,
        open: &mut bool,
        over: &Reader<()>,
    ) -> Result<(), Broke> {
        let pipe = &self.0;
        let mut left = &text[..];
        while !left.is_empty() {
            let ready = alt! {
                ready = pipe.writable()  => Some(ready),
                retired(over)            => return Ok(()),
                if *open, retired(lines) => { *open = false; None }
            };
            let Some(ready) = ready.map_err(Broke::Poisoned)? else { continue };
            let written = ready.and_then(|()| {
                let mut pipe: &ChildStdin = pipe.get_ref();
                pipe.write(&left[..left.len().min(PIECE)])
            });
            match written {
                Ok(size) => left = &left[size..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Broke::Failed(error)),
            }
        }
        Ok(())
    }
}
