//! The words of one child, and of the programs that it has started, on standard error.
//!
//! Invariant: the bytes that are passed on end with a line's end. There are three exceptions: the
//! pipe has ended, a line is too long, or nothing more has come for [`PATIENCE`].

use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ChildStderr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::system::stderr::{self, Source};

/// The part of the last words that is kept, in bytes.
const LAST_WORDS: usize = 2048;
/// A longer line is passed on in pieces.
const LONGEST: usize = 64 << 10;
/// The time that a line may stay without its end. A line is often written in two pieces, and its
/// writer may wait for a core between them.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Words {
    /// `None`: it has ended.
    pipe: Option<ChildStderr>,
    lines: ChildLines,
    last: VecDeque<u8>,
    /// The standard library has said that an allocation failed. A backtrace may follow, which is longer than the last words.
    lacks_memory: bool,
}

/// The beginning of that sentence.
const NO_MEMORY: &[u8] = b"memory allocation of ";

impl Words {
    pub(super) fn new(pipe: ChildStderr, tag: Option<String>) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        static SOURCES: AtomicU64 = AtomicU64::new(1);
        let source = Source(SOURCES.fetch_add(1, Ordering::Relaxed));
        Ok(Self {
            pipe: Some(pipe),
            lines: ChildLines { source, tag, unended: Vec::new(), since: None },
            last: VecDeque::new(),
            lacks_memory: false,
        })
    }

    pub(super) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Passes on the present lines, but no more than a pipe holds, so that one talkative child does
    /// not keep the others waiting.
    pub(super) fn listen(&mut self) {
        let mut bytes = [0; 4096];
        for _ in 0..16 {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(&mut bytes) {
                Ok(0) => {
                    self.lines.end();
                    self.pipe = None;
                }
                Ok(read) => {
                    self.lines.add(&bytes[..read]);
                    self.last.extend(&bytes[..read]);
                    let heard = self.last.make_contiguous();
                    let fresh = heard.len().saturating_sub(read + NO_MEMORY.len());
                    let says_so = |words: &[u8]| words == NO_MEMORY;
                    self.lacks_memory |= heard[fresh..].windows(NO_MEMORY.len()).any(says_so);
                    let old = self.last.len().saturating_sub(LAST_WORDS);
                    self.last.drain(..old);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Returns when a line without its end will be passed on nevertheless.
    pub(super) fn next(&self) -> Option<Instant> {
        self.lines.since.map(|since| since + PATIENCE)
    }

    /// Passes such a line on if it is time.
    pub(super) fn look(&mut self, now: Instant) {
        if self.next().is_some_and(|next| next <= now) {
            self.lines.end();
        }
    }

    pub(super) fn lacks_memory(&self) -> bool {
        self.lacks_memory
    }

    pub(super) fn last(&mut self) -> String {
        String::from_utf8_lossy(self.last.make_contiguous()).into_owned()
    }
}

struct ChildLines {
    source: Source,
    /// Stands ahead of each line. Each line has its end then, also if it came without one.
    tag: Option<String>,
    unended: Vec<u8>,
    /// The time when the last of it came.
    since: Option<Instant>,
}

impl ChildLines {
    fn add(&mut self, bytes: &[u8]) {
        // `\r` ends a line that a program writes over.
        let ended =
            bytes.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1);
        if ended > 0 {
            let mut lines = std::mem::take(&mut self.unended);
            lines.extend(&bytes[..ended]);
            self.pass_on(lines);
        }
        self.unended.extend(&bytes[ended..]);
        self.since = (!self.unended.is_empty()).then(Instant::now);
        if self.unended.len() > LONGEST {
            self.end();
        }
    }

    fn end(&mut self) {
        let rest = std::mem::take(&mut self.unended);
        self.pass_on(rest);
        self.since = None;
    }

    fn pass_on(&self, lines: Vec<u8>) {
        stderr::pass_on(
            self.source,
            match &self.tag {
                Some(tag) => tagged(tag, &lines),
                None => lines,
            },
        );
    }
}

/// Puts the tag ahead of each line. A line that a program writes over becomes lines.
fn tagged(tag: &str, lines: &[u8]) -> Vec<u8> {
    let mut all = Vec::with_capacity(lines.len() + tag.len());
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        for part in line.split(|byte| *byte == b'\r') {
            all.extend_from_slice(tag.as_bytes());
            all.extend_from_slice(part);
            all.push(b'\n');
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_tag_and_its_end() {
        for (lines, out) in [
            ("", ""),
            ("a\n", "p: a\n"),
            ("a\n\nb", "p: a\np: \np: b\n"),
            ("a\r\nb\r", "p: a\np: b\n"),
            ("1 %\r2 %\r3 %\n", "p: 1 %\np: 2 %\np: 3 %\n"),
        ] {
            assert_eq!(String::from_utf8_lossy(&tagged("p: ", lines.as_bytes())), out, "{lines:?}");
        }
    }
}
