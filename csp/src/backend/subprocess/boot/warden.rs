//! One thread that looks after all children of this process: it passes on what they write to standard error, keeps their
//! last words, and learns of their death by a pidfd, which no other process can be taken for.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStderr, ExitStatus};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::thread;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::quiet;

/// How a child ended, and what it wrote to standard error last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Exit {
    pub(crate) status: ExitStatus,
    pub(crate) last_words: String,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        match self.last_words.trim_end() {
            "" => Ok(()),
            words => write!(f, "; its last words: {words}"),
        }
    }
}

/// As much of the last words as is kept.
const LAST_WORDS: usize = 2048;

struct Ward {
    pidfd: OwnedFd,
    child: Child,
    stderr: Option<ChildStderr>,
    last_words: VecDeque<u8>,
    /// Where the parent may still wait for its `Hello`.
    server: String,
    exit: mpsc::Sender<Exit>,
}

struct Warden {
    arrivals: Mutex<Vec<Ward>>,
    bell: OwnedFd,
}

static WARDEN: OnceLock<Warden> = OnceLock::new();
static STARTING: Mutex<()> = Mutex::new(());

/// Kills a child, and nobody else.
pub(crate) struct Killer(OwnedFd);

impl Killer {
    pub(crate) fn kill(&self) {
        let _ = pidfd_send_signal(&self.0, Signal::KILL);
    }
}

/// Looks after a child from here on; where to learn of its end.
pub(super) fn watch(
    mut child: Child,
    server: String,
) -> io::Result<(Killer, mpsc::Receiver<Exit>)> {
    let watched = (|| {
        let warden = warden()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("a child without a number"))?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let killer = Killer(pidfd.try_clone()?);
        let stderr = child.stderr.take();
        if let Some(stderr) = &stderr {
            rustix::io::ioctl_fionbio(stderr, true)?;
        }
        Ok((warden, pidfd, killer, stderr))
    })();
    let (warden, pidfd, killer, stderr) = match watched {
        Ok(watched) => watched,
        Err(error) => {
            // Unwatched, it would be a zombie some day.
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
    };
    let (exit, exited) = mpsc::channel();
    let last_words = VecDeque::new();
    let ward = Ward { pidfd, child, stderr, last_words, server, exit };
    warden.arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(ward);
    rustix::io::write(&warden.bell, &1u64.to_ne_bytes())?;
    Ok((killer, exited))
}

fn warden() -> io::Result<&'static Warden> {
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(warden) = WARDEN.get() {
        return Ok(warden);
    }
    let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let warden = WARDEN.get_or_init(|| Warden { arrivals: Mutex::new(Vec::new()), bell });
    thread::Builder::new().name("csp warden".to_owned()).spawn(|| warden.run())?;
    Ok(warden)
}

impl Warden {
    fn run(&self) {
        // It does nothing by itself: while a child lives, the thread that waits for it is awake.
        quiet::ignore_this_thread();
        let mut wards: Vec<Ward> = Vec::new();
        loop {
            let ready = self.wait(&wards);
            if ready.bell {
                let _ = rustix::io::read(&self.bell, &mut [0u8; 8]);
                let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
                wards.append(&mut arrivals);
            }
            for at in ready.words {
                wards[at].listen();
            }
            // From the end, so that the places of the others stay what they were.
            for at in ready.deaths.into_iter().rev() {
                wards.swap_remove(at).bury();
            }
        }
    }

    fn wait(&self, wards: &[Ward]) -> Ready {
        let mut fds = vec![PollFd::new(&self.bell, PollFlags::IN)];
        let mut places = Vec::new();
        for (at, ward) in wards.iter().enumerate() {
            fds.push(PollFd::new(&ward.pidfd, PollFlags::IN));
            places.push((at, false));
            if let Some(stderr) = &ward.stderr {
                fds.push(PollFd::from_borrowed_fd(stderr.as_fd(), PollFlags::IN));
                places.push((at, true));
            }
        }
        let mut ready = Ready::default();
        if poll(&mut fds, None).is_err() {
            // A signal: look again.
            return ready;
        }
        ready.bell = !fds[0].revents().is_empty();
        for (fd, (at, words)) in fds[1..].iter().zip(places) {
            if !fd.revents().is_empty() {
                match words {
                    true => ready.words.push(at),
                    false => ready.deaths.push(at),
                }
            }
        }
        ready
    }
}

/// What the warden has to see to; wards by their place.
#[derive(Default)]
struct Ready {
    bell: bool,
    words: Vec<usize>,
    deaths: Vec<usize>,
}

impl Ward {
    /// Passes on what there is; no more than a pipe holds, so that one talker does not keep the others waiting.
    fn listen(&mut self) {
        let Some(stderr) = &mut self.stderr else {
            return;
        };
        let mut bytes = [0; 4096];
        for _ in 0..16 {
            match stderr.read(&mut bytes) {
                Ok(0) => {
                    self.stderr = None;
                    return;
                }
                Ok(read) => {
                    let _ = io::stderr().write_all(&bytes[..read]);
                    self.last_words.extend(&bytes[..read]);
                    let old = self.last_words.len().saturating_sub(LAST_WORDS);
                    self.last_words.drain(..old);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// The child is dead: no zombie stays, and nobody waits for it in vain.
    fn bury(mut self) {
        self.listen();
        let _ = call(&self.server);
        if let Ok(status) = self.child.wait() {
            let last_words = self.last_words.make_contiguous();
            let last_words = String::from_utf8_lossy(last_words).into_owned();
            let _ = self.exit.send(Exit { status, last_words });
        }
    }
}

/// If a parent still waits for its child to connect, this is the call that it gets; else there is nobody there. Not by
/// ipc-channel, which keeps the socket of a call that nobody takes.
fn call(server: &str) -> io::Result<()> {
    let address = SocketAddrUnix::new(server)?;
    let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
    let socket = socket_with(AddressFamily::UNIX, kind, flags, None)?;
    Ok(connect(&socket, &address)?)
}
