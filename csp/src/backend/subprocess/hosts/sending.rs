//! The bytes that a starter writes to a command ahead of the link: `Hello`, and the executable.
//!
//! Invariant: a command that closes its input is an error, also if `SIGPIPE` would end this program.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;

use super::greeting::{LONGEST, is_ready};
use crate::backend::subprocess::transport::broken_pipes::WithoutSigpipe;

/// Writes `Hello`. The descriptor does not block from then on.
pub(super) fn write_hello(output: impl AsFd, hello: &[u8], deadline: Instant) -> io::Result<()> {
    let length = u32::try_from(hello.len()).ok().filter(|length| *length <= LONGEST);
    let too_long =
        || io::Error::other("the environment and the arguments of this program are too long");
    let mut bytes = length.ok_or_else(too_long)?.to_le_bytes().to_vec();
    bytes.extend(hello);
    write_all(&output, &bytes, deadline, &mut || {})
}

/// Writes a file whose length was told. It may take long, but not `patience` without a byte. `tell` hears
/// how much was written.
pub(super) fn write_file(
    output: impl AsFd,
    mut file: File,
    patience: Duration,
    mut tell: impl FnMut(u64),
) -> io::Result<()> {
    let (mut bytes, mut written) = (vec![0; 256 << 10], 0);
    loop {
        let count = match file.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let deadline = Instant::now() + patience;
        write_all(&output, &bytes[..count], deadline, &mut || tell(written))?;
        written += count as u64;
        tell(written);
    }
}

fn write_all(
    output: &impl AsFd,
    mut rest: &[u8],
    deadline: Instant,
    look: &mut dyn FnMut(),
) -> io::Result<()> {
    rustix::io::ioctl_fionbio(output, true)?;
    let _guard = WithoutSigpipe::begin();
    while !rest.is_empty() {
        match rustix::io::write(output, rest) {
            Ok(count) => rest = &rest[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                if !is_ready(output, PollFlags::OUT, deadline, look)? {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::pipe;

    use super::super::greeting::read_hello;
    use super::*;

    #[test]
    fn hello_comes_whole_or_not_at_all() {
        let soon = Instant::now() + Duration::from_secs(60);
        let hello = vec![7; 300_000];
        let (input, output) = pipe().expect("a pipe");
        std::thread::scope(|scope| {
            let read = scope.spawn(|| read_hello(&input));
            write_hello(&output, &hello, soon).expect("a reader");
            assert_eq!(read.join().expect("no panic").expect("whole"), hello);
        });
        for cut in [&[][..], &[1, 0], &[9, 0, 0, 0, 1, 2], &[255; 9]] {
            assert!(read_hello(cut).is_err());
        }
        let (_input, output) = pipe().expect("a pipe");
        let deadline = Instant::now() + Duration::from_millis(1);
        assert!(write_hello(&output, &hello, deadline).is_err(), "nobody reads");
    }
}
