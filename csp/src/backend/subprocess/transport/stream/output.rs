//! The side of a stream that writes. A thread that has sent something writes it at once, if nothing waits in front of it
//! and the stream takes it. The thread of all streams does the rest.
//!
//! Invariants: one thread at a time writes. Once the link's messages were told as left, nothing is written any more.
//! Locks: the output, then the frames.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard};

use rustix::io::Errno;

use super::frames::LinkLoss;
use super::state::{StreamState, now};
use crate::backend::subprocess::transport::broken_pipes::WithoutSigpipe;
use crate::backend::subprocess::transport::turn::WriteTurn;
use crate::system::mutex::lock;

/// A thread that has sent something writes so often, because others send meanwhile. Then the thread of all streams does so.
const ROUNDS: usize = 4;

pub(super) struct Output {
    /// The turn to write.
    pub(super) turn: WriteTurn,
    /// `None` before the thread of all streams knows it, and after the stream was closed.
    stream: Mutex<Option<StreamOutput>>,
}

pub(super) struct StreamOutput {
    pub(super) stream: OwnedFd,
    /// Bytes that were put out, from `taken` on not yet taken by the stream.
    out: Vec<u8>,
    taken: usize,
    /// Nothing is written any more.
    is_over: bool,
    /// The thread of all streams goes on when the stream takes something again.
    pub(super) is_blocked: bool,
}

/// The outcome of one write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamWrite {
    /// There was nothing to write.
    Nothing,
    /// The stream has taken something.
    Some,
    /// The stream takes nothing now.
    Blocked,
}

/// The outcome of the writing of a thread that has sent something.
#[derive(Clone, Copy, Default)]
pub(super) struct WrittenAtOnce {
    /// The thread of all streams has to go on.
    pub(super) leaves_more: bool,
    /// The node waits for the room that there is now.
    pub(super) has_room: bool,
}

impl StreamOutput {
    /// Writes once. The caller has the turn. `tells`: the node waits for the room that there is now.
    pub(super) fn write_once(
        &mut self,
        state: &Mutex<StreamState>,
        tells: &mut bool,
    ) -> Result<StreamWrite, LinkLoss> {
        if self.is_over {
            return Ok(StreamWrite::Nothing);
        }
        // The next bytes.
        if self.taken == self.out.len() {
            self.taken = 0;
            self.out.clear();
            let mut state = lock(state);
            state.frames.output(now(), &mut self.out);
            *tells |= state.has_room_at_last();
            if self.out.is_empty() {
                return Ok(StreamWrite::Nothing);
            }
            state.frames.offer(self.out.len());
        }
        // The stream takes some of them.
        match rustix::io::write(&self.stream, &self.out[self.taken..]) {
            Ok(count) => {
                self.taken += count;
                lock(state).frames.written(now(), count);
                Ok(StreamWrite::Some)
            }
            Err(Errno::INTR) => Ok(StreamWrite::Some),
            Err(Errno::AGAIN) => Ok(StreamWrite::Blocked),
            Err(Errno::PIPE | Errno::CONNRESET) => Err(LinkLoss::Ended),
            Err(error) => Err(LinkLoss::Failed(io::Error::from(error).to_string())),
        }
    }
}

impl Output {
    pub(super) fn new() -> Self {
        Self { turn: WriteTurn::new(), stream: Mutex::default() }
    }

    pub(super) fn begin(&self, stream: OwnedFd) {
        let (out, taken) = (Vec::new(), 0);
        *self.lock() = Some(StreamOutput { stream, out, taken, is_over: false, is_blocked: false });
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Option<StreamOutput>> {
        lock(&self.stream)
    }

    /// Writes nothing from now on. At the return nothing is being written.
    pub(super) fn end(&self) {
        if let Some(output) = &mut *self.lock() {
            output.is_over = true;
        }
    }

    /// Returns the stream, to which nothing is written any more.
    pub(super) fn take(&self) -> Option<OwnedFd> {
        self.lock().take().map(|output| output.stream)
    }

    /// Writes as much as can be written now, unless another thread does so.
    pub(super) fn write_at_once(&self, state: &Mutex<StreamState>) -> WrittenAtOnce {
        let mut written = WrittenAtOnce::default();
        if !self.turn.take() {
            return written;
        }
        for _ in 0..ROUNDS {
            written.leaves_more = self.write_some(state, &mut written.has_room);
            if written.leaves_more {
                break;
            } else if self.turn.end() {
                return written;
            }
        }
        self.turn.pass();
        written.leaves_more = true;
        written
    }

    /// Writes once. Returns whether the thread of all streams has to go on.
    fn write_some(&self, state: &Mutex<StreamState>, tells: &mut bool) -> bool {
        let output = &mut *self.lock();
        // That thread hears when the stream takes something again.
        let Some(output) = output.as_mut().filter(|output| !output.is_blocked) else {
            return false;
        };
        let _quiet = WithoutSigpipe::begin();
        match output.write_once(state, tells) {
            Ok(StreamWrite::Nothing) => false,
            // That thread meets an error itself.
            Ok(StreamWrite::Blocked) | Err(_) => true,
            Ok(StreamWrite::Some) => {
                let mut state = lock(state);
                *tells |= state.has_room_at_last();
                // A long message is that thread's.
                output.taken < output.out.len() || state.frames.is_backed_up()
            }
        }
    }
}

#[cfg(test)]
#[allow(unsafe_code, reason = "makes a copy of this OS process, and changes a signal")]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::process::Command;
    use std::sync::{Barrier, mpsc};
    use std::thread;

    use super::super::frame::{FrameHead, FrameKind, HEAD, LONGEST_BODY};
    use super::super::frames::{PEER_TIMEOUT, StreamSide};
    use super::super::link::{StreamEnds, StreamLink, StreamOwner};
    use super::*;
    use crate::backend::subprocess::protocol::NodeId;
    use crate::backend::subprocess::transport::inbox::StreamNews;
    use crate::backend::subprocess::transport::link::Link;
    use crate::backend::subprocess::transport::mailbox::Mailbox;

    fn link(ends: StreamEnds) -> (StreamLink, mpsc::Receiver<LinkLoss>) {
        let (news, mailbox) = (StreamNews::default(), Mailbox::default());
        let owner =
            StreamOwner { news: Box::leak(Box::new(news)), mailbox: Box::leak(Box::new(mailbox)) };
        let (tell, lost) = mpsc::channel();
        let on_loss = move |loss| drop(tell.send(loss));
        let (side, peer) = (StreamSide::Starter, NodeId(7));
        let link = StreamLink::new(ends, side, PEER_TIMEOUT, peer, owner, on_loss);
        (link.expect("a stream"), lost)
    }

    fn socket_link() -> (StreamLink, UnixStream) {
        let (here, there) = UnixStream::pair().expect("two sockets");
        (link(StreamEnds::of_socket(here).expect("a descriptor")).0, there)
    }

    /// Returns the kind of the next frame, and its bytes, if there is one.
    fn frame(from: &mut UnixStream) -> Option<(FrameKind, Vec<u8>)> {
        let mut head = [0; HEAD];
        from.read_exact(&mut head).ok()?;
        let FrameHead { kind, length, .. } = FrameHead::parse(head, LONGEST_BODY).expect("tame");
        let mut body = vec![0; length];
        from.read_exact(&mut body).expect("the rest of a frame");
        Some((kind, body))
    }

    /// Each thread has something written as it stands, and none asks the thread of all streams.
    #[test]
    fn all_that_several_threads_send_is_written() {
        const THREADS: u8 = 4;
        const EACH: usize = 500;
        let (link, mut there) = socket_link();
        let link = Mutex::new(link);
        let together = Barrier::new(usize::from(THREADS));
        thread::scope(|scope| {
            for number in 0..THREADS {
                let (link, together) = (&link, &together);
                scope.spawn(move || {
                    together.wait();
                    for _ in 0..EACH {
                        let writer = {
                            let mut link = lock(link);
                            link.send(&[number; 9], None).expect("short");
                            link.writer()
                        };
                        writer.expect("something to write").write();
                    }
                });
            }
            let mut came = [0; THREADS as usize];
            while came.iter().sum::<usize>() < EACH * usize::from(THREADS) {
                let (kind, body) = frame(&mut there).expect("a frame");
                if kind == FrameKind::Last {
                    assert_eq!(body, [body[0]; 9]);
                    came[usize::from(body[0])] += 1;
                    // The peer has handled it, so the window has room.
                    let handled = came.iter().sum::<usize>() as u64;
                    let mut answer = Vec::new();
                    FrameHead { kind: FrameKind::Handled, length: 0, handled }.put(&mut answer);
                    there.write_all(&answer).expect("a socket");
                }
            }
            assert_eq!(came, [EACH; THREADS as usize]);
        });
    }

    #[test]
    fn a_copy_of_this_os_process_writes_nothing() {
        let (mut link, mut there) = socket_link();
        // The thread has nothing to do for a while.
        assert_eq!(frame(&mut there).expect("a frame").0, FrameKind::Ping);
        link.send(&[7; 9], None).expect("short");
        let writer = link.writer().expect("something to write");
        // SAFETY: the copy takes no lock that another thread may hold, and ends without any destructor.
        unsafe {
            let copy = libc::fork();
            if copy == 0 {
                writer.write();
                libc::_exit(0);
            }
            assert_eq!(libc::waitpid(copy, std::ptr::null_mut(), 0), copy);
        }
        writer.write();
        let mut messages = 0;
        while messages == 0 {
            messages += u32::from(frame(&mut there).expect("a frame").0 == FrameKind::Last);
        }
        // The copy's bytes would come once more.
        drop((writer, link));
        while let Some((kind, _)) = frame(&mut there) {
            messages += u32::from(kind == FrameKind::Last);
        }
        assert_eq!(messages, 1);
    }

    const DEFAULT: &str = "CSP_SIGPIPE_DEFAULT";

    /// The thread that sends meets the closed pipe, mostly. Its signal is blocked only while it writes.
    fn write_to_closed_pipes() {
        // SAFETY: this OS process runs this test only.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        for _ in 0..50 {
            let (from, output) = io::pipe().expect("a pipe");
            let (input, _to) = io::pipe().expect("a pipe");
            let ends = StreamEnds { input: input.into(), output: output.into() };
            let (mut link, lost) = link(ends);
            drop(from);
            while lost.try_recv().is_err() {
                link.send(&[7; 9], None).expect("short");
                link.writer().expect("something to write").write();
            }
        }
        // SAFETY: the set is this function's own.
        let is_blocked = unsafe {
            let mut now = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut now);
            libc::sigismember(&raw const now, libc::SIGPIPE)
        };
        assert_eq!(is_blocked, 0);
    }

    #[test]
    fn a_closed_pipe_ends_no_program_that_has_sigpipe_at_its_default() {
        if std::env::var_os(DEFAULT).is_some() {
            return write_to_closed_pipes();
        }
        let name = "a_closed_pipe_ends_no_program_that_has_sigpipe_at_its_default";
        let module = module_path!().split_once("::").expect("a crate").1;
        let run = Command::new(std::env::current_exe().expect("this test"))
            .args([&format!("{module}::{name}"), "--exact"])
            .env(DEFAULT, "1")
            .output()
            .expect("this test again");
        let words = String::from_utf8_lossy(&run.stdout);
        assert!(words.contains("running 1 test") && run.status.success(), "{run:?}");
    }
}
