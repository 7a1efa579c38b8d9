//! The pipes of programs, terminals and standard input: the event queue waits for them.
//!
//! Invariant: no descriptor is made a non-blocking one. A read or write is made when the system says that it does not wait. Pipes that
//! nobody else has keep that promise. Any other descriptor is read on a thread of `io`, because another program may be faster.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::process::{Child, ChildStdin};
use std::sync::Arc;

use super::shell::text::{Broke, Lines, ReadLines};
use crate::choice::guards::call::Call;
use crate::net::{PIECE, Polled};
use crate::{Reader, Writer, alt};

/// A pipe or file that lines come from.
pub(super) struct Incoming {
    source: LineSource,
    has_ended: bool,
}

enum LineSource {
    /// A pipe that only this program reads.
    Pipe(Polled<File>, Lines),
    /// A terminal, or a pipe that others may read too.
    Shared(Polled<Arc<File>>, Call<io::Result<ReadLines>>),
    /// An ordinary file, which no queue tells of.
    Ordinary(Call<io::Result<ReadLines>>),
}

impl Incoming {
    fn new(source: LineSource) -> Self {
        Self { source, has_ended: false }
    }

    /// Takes the output of a program.
    pub(super) fn of_program(pipe: impl Into<OwnedFd>) -> Self {
        Self::new(LineSource::Pipe(Polled::new(pipe.into().into()), Lines::new()))
    }

    pub(super) fn of_file(file: File) -> Self {
        let mut lines = Lines::new();
        // If its kind is not known, a read will tell why.
        let is_waited_for = file.metadata().is_ok_and(|file| {
            let kind = file.file_type();
            kind.is_fifo() || kind.is_char_device() || kind.is_socket()
        });
        if !is_waited_for {
            return Self::new(LineSource::Ordinary(Call::new(move || lines.wait(&file))));
        }
        let file = Arc::new(file);
        let read = Arc::clone(&file);
        Self::new(LineSource::Shared(Polled::new(file), Call::new(move || lines.read(&*read))))
    }

    pub(super) fn stdin() -> io::Result<Self> {
        // The number stays open when this one is closed.
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Self::of_file(input.into()))
    }

    /// Returns the next lines, or `None` at the end of the input, and if nobody reads them any more.
    pub(super) fn next(&mut self, lines: &Writer<String>) -> io::Result<Option<Vec<String>>> {
        // A terminal would be waited for again.
        while !self.has_ended {
            // A silent program does not keep this process from hearing that the channel has ended.
            let batch = match &mut self.source {
                LineSource::Pipe(pipe, text) => {
                    let pipe = &*pipe;
                    alt! {
                        ready = pipe.readable() => {
                            ready.and_then(|()| text.read(pipe.get_ref())).map(Some)
                        },
                        retired(lines)          => Ok(None),
                    }
                }
                LineSource::Shared(file, read) => {
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
                        batch = io(read) => batch.map(Some),
                        retired(lines)   => Ok(None),
                    }
                }
                LineSource::Ordinary(read) => alt! {
                    batch = io(read) => batch.map(Some),
                    retired(lines)   => Ok(None),
                },
            };
            match batch.unwrap_or(Ok(None)) {
                Ok(Some(ReadLines { lines, is_last })) => {
                    self.has_ended = is_last;
                    // Otherwise no line is whole.
                    if !lines.is_empty() {
                        return Ok(Some(lines));
                    }
                }
                // Another program has read what there was, and has made the descriptor a non-blocking one.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(None) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// The end of a program, if the system has a descriptor that tells of it.
pub(super) struct ProgramEnd(Option<Polled<OwnedFd>>);

impl ProgramEnd {
    /// Takes the program's end, for which nobody has waited yet.
    #[cfg(target_os = "linux")]
    pub(super) fn of_program(program: &Child) -> Self {
        Self(crate::system::pidfd::open(program).ok().map(Polled::new))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn of_program(_: &Child) -> Self {
        Self(None)
    }

    /// Waits until the program has ended. Returns false at once if nothing tells of that. It tells once.
    pub(super) fn wait(&mut self) -> bool {
        self.0.take().is_some_and(|end| end.readable().is_ok())
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

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::process::{Command, Stdio};

    use super::super::shell::program::wait_for;
    use super::*;
    use crate::{process, spawn};

    /// Returns when the process of this name waits for a descriptor.
    fn until_it_waits(name: &str) {
        loop {
            let network = crate::network();
            let mut processes = network.processes().iter();
            let waits = processes.any(|process| match process.state() {
                crate::report::State::Blocked(wait) if process.path().ends_with(name) => wait
                    .wants()
                    .iter()
                    .any(|want| want.name().is_some_and(|name| name.contains("pidfd, fd "))),
                _ => false,
            });
            if waits {
                return;
            }
            crate::sleep(std::time::Duration::from_millis(1));
        }
    }

    #[test]
    fn the_end_of_a_program_is_an_event() {
        let mut command = Command::new("sh");
        command.args(["-c", "read line; exit 3"]).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let waits = process(move || {
            let (mut child, mut looks) = (child, 0);
            let end = ProgramEnd::of_program(&child);
            let status = wait_for(end, || {
                looks += 1;
                child.try_wait()
            });
            (status.unwrap().code(), looks)
        });
        let waits = spawn(waits.named("waits for an event"));
        until_it_waits("waits for an event");
        drop(input);
        assert_eq!(waits.join(), (Some(3), 2), "it looks before and after");
    }
}
