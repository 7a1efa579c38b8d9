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
/// The line by which a host that has no copy of the executable asks for it. `remote.sh` writes it.
const NEED: &[u8] = b"\ncsp: this host needs the executable, protocol 1\n";
/// The longest `Hello`.
pub(super) const LONGEST: u32 = 16 << 20;

pub(super) fn greet(mut output: impl Write) -> io::Result<()> {
    output.write_all(GREETING)?;
    output.flush()
}

/// The meaning of a line of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Greeted {
    /// Its host process waits for `Hello`.
    Begins,
    /// It waits for the executable.
    NeedsExecutable,
}

/// The output of a command ahead of the link.
#[derive(Default)]
pub(super) struct Prelude {
    /// All that is no line of ours: what a shell says at a login, or why it does not go on.
    skipped: Vec<u8>,
}

impl Prelude {
    /// Waits for the next line of ours. Calls `look` now and then.
    ///
    /// # Errors
    /// Returns the reason why it does not come.
    pub(super) fn hear(
        &mut self,
        mut input: impl Read + AsFd,
        deadline: Instant,
        look: &mut dyn FnMut(),
    ) -> Result<Greeted, String> {
        let begins = self.skipped.len();
        loop {
            match is_ready(&input, PollFlags::IN, deadline, look) {
                Ok(true) => {}
                Ok(false) => return Err("it has not greeted in time".to_owned()),
                Err(error) => return Err(error.to_string()),
            }
            let mut bytes = [0; 4096];
            match input.read(&mut bytes) {
                Ok(0) => return Err("it ended before it greeted".to_owned()),
                Ok(count) => self.skipped.extend(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.to_string()),
            }
            for (line, greeted) in [(GREETING, Greeted::Begins), (NEED, Greeted::NeedsExecutable)] {
                let come = &self.skipped[begins..];
                if let Some(at) = come.windows(line.len()).position(|bytes| bytes == line) {
                    // It says nothing more before it has got what it waits for.
                    let is_last = at + line.len() == come.len();
                    self.skipped.truncate(begins + at);
                    return match is_last {
                        true => Ok(greeted),
                        false => Err("something follows its greeting".to_owned()),
                    };
                }
            }
            if self.skipped.len() > SKIPPED + GREETING.len() {
                return Err(format!("it wrote more than {SKIPPED} bytes instead of a greeting"));
            }
        }
    }

    /// Returns what was skipped.
    pub(super) fn words(&self) -> String {
        String::from_utf8_lossy(&self.skipped).trim().to_owned()
    }
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

/// Waits until the descriptor is ready, and calls `look` each second. Returns false if the time is over before.
pub(super) fn is_ready(
    descriptor: impl AsFd,
    flags: PollFlags,
    deadline: Instant,
    look: &mut dyn FnMut(),
) -> io::Result<bool> {
    loop {
        look();
        let left = deadline.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            return Ok(false);
        }
        let left = Timespec::try_from(left.min(Duration::from_secs(1))).ok();
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

    fn hear(input: impl Read + AsFd, deadline: Instant) -> Result<Greeted, (String, String)> {
        let mut prelude = Prelude::default();
        let heard = prelude.hear(input, deadline, &mut || {});
        heard.map_err(|reason| (reason, prelude.words()))
    }

    fn greeted_after(before: &[u8]) -> Result<Greeted, (String, String)> {
        let (input, mut output) = pipe().expect("a pipe");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let _ = output.write_all(before);
                let _ = greet(&mut output);
            });
            hear(input, soon())
        })
    }

    #[test]
    fn what_is_printed_ahead_of_the_greeting_is_skipped() {
        for before in [&b""[..], b"Welcome!\n", b"\ncsp: a host\n\xff\0", &[b'x'; SKIPPED - 1]] {
            assert_eq!(greeted_after(before), Ok(Greeted::Begins));
        }
    }

    #[test]
    fn what_is_printed_instead_of_the_greeting_is_kept() {
        let (reason, come) = greeted_after(&[b'x'; 2 * SKIPPED]).unwrap_err();
        assert!(reason.contains("instead of a greeting") && come.starts_with("xxx"), "{reason}");
        let (input, mut output) = pipe().expect("a pipe");
        output.write_all(b"Permission denied\n").expect("room");
        drop(output);
        let (reason, come) = hear(input, soon()).unwrap_err();
        assert_eq!((&*reason, &*come), ("it ended before it greeted", "Permission denied"));
    }

    #[test]
    fn what_is_printed_ahead_of_a_request_is_kept_as_well() {
        let (input, mut output) = pipe().expect("a pipe");
        let mut prelude = Prelude::default();
        output.write_all(&[b"Welcome", NEED].concat()).expect("room");
        let heard = prelude.hear(&input, soon(), &mut || {});
        assert_eq!(heard, Ok(Greeted::NeedsExecutable));
        output.write_all(b" and no room").expect("room");
        drop(output);
        assert!(prelude.hear(&input, soon(), &mut || {}).is_err());
        assert_eq!(prelude.words(), "Welcome and no room");
    }

    #[test]
    fn a_greeting_that_does_not_come_is_not_waited_for_for_ever() {
        let (input, _output) = pipe().expect("a pipe");
        let deadline = Instant::now() + Duration::from_millis(1);
        let (reason, _) = hear(input, deadline).unwrap_err();
        assert_eq!(reason, "it has not greeted in time");
    }
}
