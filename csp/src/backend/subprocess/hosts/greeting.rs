//! The first bytes between a starter and a host process, ahead of the link.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

/// The line by which a host process says that it waits for `Hello`.
const GREETING: &[u8] = b"\ncsp: a host process greets its starter, protocol 1\n";
/// The most that is skipped ahead of it: what a shell prints at a login, for example.
const SKIPPED: usize = 64 << 10;
/// The longest `Hello`.
const LONGEST: u32 = 16 << 20;

pub(super) fn greet(mut output: impl Write) -> io::Result<()> {
    output.write_all(GREETING)?;
    output.flush()
}

/// Waits until the greeting has come. Returns nothing but the reason why it does not, and what has come instead.
pub(super) fn await_greeting(
    mut input: impl Read + AsFd,
    deadline: Instant,
) -> Result<(), (String, String)> {
    let mut come = Vec::new();
    let failed = |reason: String, come: &[u8]| {
        Err((reason, String::from_utf8_lossy(come).trim().to_owned()))
    };
    loop {
        match is_ready(&input, PollFlags::IN, deadline) {
            Ok(true) => {}
            Ok(false) => return failed("it has not greeted in time".to_owned(), &come),
            Err(error) => return failed(error.to_string(), &come),
        }
        let mut bytes = [0; 4096];
        match input.read(&mut bytes) {
            Ok(0) => return failed("it ended before it greeted".to_owned(), &come),
            Ok(count) => come.extend(&bytes[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return failed(error.to_string(), &come),
        }
        if let Some(at) = come.windows(GREETING.len()).position(|bytes| bytes == GREETING) {
            // A host process says nothing more before it has heard `Hello`.
            return match at + GREETING.len() == come.len() {
                true => Ok(()),
                false => failed("something follows its greeting".to_owned(), &come),
            };
        }
        if come.len() > SKIPPED + GREETING.len() {
            return failed(
                format!("it wrote more than {SKIPPED} bytes instead of a greeting"),
                &come,
            );
        }
    }
}

/// Writes `Hello`. The descriptor does not block from then on.
pub(super) fn write_hello(output: impl AsFd, hello: &[u8], deadline: Instant) -> io::Result<()> {
    rustix::io::ioctl_fionbio(&output, true)?;
    let length = u32::try_from(hello.len()).ok().filter(|length| *length <= LONGEST);
    let too_long =
        || io::Error::other("the environment and the arguments of this program are too long");
    let mut bytes = length.ok_or_else(too_long)?.to_le_bytes().to_vec();
    bytes.extend(hello);
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        match rustix::io::write(&output, rest) {
            Ok(count) => rest = &rest[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                if !is_ready(&output, PollFlags::OUT, deadline)? {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

pub(super) fn read_hello(mut input: impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut hello = Vec::new();
    input.take(u64::from(length)).read_to_end(&mut hello)?;
    match hello.len() == length as usize {
        true => Ok(hello),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Waits until the descriptor is ready. Returns false if the time is over before.
fn is_ready(descriptor: impl AsFd, flags: PollFlags, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            return Ok(false);
        }
        let left = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::new(&descriptor, flags)], left.as_ref()) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Returns the SHA-256 of this executable, the very file.
pub(super) fn executable() -> io::Result<[u8; 32]> {
    static HASH: OnceLock<[u8; 32]> = OnceLock::new();
    if let Some(hash) = HASH.get() {
        return Ok(*hash);
    }
    let mut file = File::open("/proc/self/exe")?;
    let (mut hasher, mut bytes) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => hasher.update(&bytes[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(*HASH.get_or_init(|| hasher.finalize().into()))
}

#[cfg(test)]
mod tests {
    use std::io::pipe;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn greeted_after(before: &[u8]) -> Result<(), (String, String)> {
        let (input, mut output) = pipe().expect("a pipe");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let _ = output.write_all(before);
                let _ = greet(&mut output);
            });
            await_greeting(input, soon())
        })
    }

    #[test]
    fn what_is_printed_ahead_of_the_greeting_is_skipped() {
        for before in [&b""[..], b"Welcome!\n", b"\ncsp: a host\n\xff\0", &[b'x'; SKIPPED - 1]] {
            assert_eq!(greeted_after(before), Ok(()));
        }
    }

    #[test]
    fn what_is_printed_instead_of_the_greeting_is_kept() {
        let (reason, come) = greeted_after(&[b'x'; 2 * SKIPPED]).unwrap_err();
        assert!(reason.contains("instead of a greeting") && come.starts_with("xxx"), "{reason}");
        let (input, mut output) = pipe().expect("a pipe");
        output.write_all(b"Permission denied\n").expect("room");
        drop(output);
        let (reason, come) = await_greeting(input, soon()).unwrap_err();
        assert_eq!((&*reason, &*come), ("it ended before it greeted", "Permission denied"));
    }

    #[test]
    fn a_greeting_that_does_not_come_is_not_waited_for_for_ever() {
        let (input, _output) = pipe().expect("a pipe");
        let deadline = Instant::now() + Duration::from_millis(1);
        let (reason, _) = await_greeting(input, deadline).unwrap_err();
        assert_eq!(reason, "it has not greeted in time");
    }

    #[test]
    fn hello_comes_whole_or_not_at_all() {
        let hello = vec![7; 300_000];
        let (input, output) = pipe().expect("a pipe");
        std::thread::scope(|scope| {
            let read = scope.spawn(|| read_hello(&input));
            write_hello(&output, &hello, soon()).expect("a reader");
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
