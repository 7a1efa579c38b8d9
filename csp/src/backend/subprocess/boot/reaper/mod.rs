//! Floor 5. The reaper: one thread that watches all children of this process. It passes on what they write
//! to standard error, and keeps their last words. It learns of their death by a pidfd, which cannot
//! be mistaken for another process's.
//!
//! Invariant: it waits for nothing except news of its children. Their lines go on whole, by the
//! door of all reports. While that has no room, nothing is read from the children.

mod words;

use ipc_channel::ipc::IpcSender;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_send_signal, waitid,
};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};
use std::{fmt, io};

use self::words::Words;
use crate::process::definition::Limits;
use crate::stack::slab;
use crate::system::helper::Helper;
use crate::system::{pidfd, quiet, stderr};

/// The way in which a child ended, and the last that it wrote to standard error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Exit {
    /// `None`: other code has got it.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) last_words: String,
    /// The limits that it had.
    limits: Limits,
    killed: Option<Killed>,
    lacks_memory: bool,
}

/// The reason why its parent has killed a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Killed {
    /// The parent was asked to.
    AsAsked,
    WallTime,
}

impl Exit {
    /// Says which limit has ended the child, or that it was killed, as far as the system tells.
    fn reason(&self, status: ExitStatus) -> Option<String> {
        let Limits { cpu_time, wall_time, memory } = self.limits;
        match (status.signal()?, self.killed) {
            (libc::SIGKILL, Some(Killed::AsAsked)) => Some("`kill` was called".to_owned()),
            (libc::SIGKILL, Some(Killed::WallTime)) => {
                Some(format!("its `wall_time` of {:?} is over", wall_time?))
            }
            (libc::SIGXCPU, _) => Some(format!("its `cpu_time` of {:?} is used up", cpu_time?)),
            (libc::SIGABRT, _) if self.lacks_memory => {
                Some(format!("its `memory` of {} bytes is not enough", memory?))
            }
            _ => None,
        }
    }

    /// Says of a fault that it may be an overflow, where nothing in a child names these. The standard library names them only in a
    /// program whose `main` has begun.
    fn hint(status: ExitStatus, overflows_are_named: bool) -> &'static str {
        let is_fault = matches!(status.signal(), Some(libc::SIGSEGV | libc::SIGBUS));
        if is_fault && !overflows_are_named {
            ": its stack may have overflowed (give it more by `stack = \"…\"`; the feature `slab`, or `csp::init()` first in `main`, has that named)"
        } else {
            ""
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => {
                if let Some(reason) = self.reason(status) {
                    write!(f, "{reason}: ")?;
                }
                write!(f, "{status}{}", Self::hint(status, slab::NAMES_OVERFLOWS))?;
            }
            None => write!(
                f,
                "its exit status is lost, because this program ignores SIGCHLD or waits for any child"
            )?,
        }
        match self.last_words.trim_end() {
            "" => Ok(()),
            words => write!(f, "; its last words: {words}"),
        }
    }
}

/// The thread that waits for the end of a child.
pub(in crate::backend::subprocess) struct Mourner {
    pub(in crate::backend::subprocess) exit: mpsc::Sender<Exit>,
    /// Told after `exit`, to end the listening for messages. A copy of the child may keep their way
    /// open.
    pub(in crate::backend::subprocess) gone: Option<IpcSender<()>>,
    /// The child leads a group of processes. Its killer ends these, and waits for the child.
    pub(in crate::backend::subprocess) leads: bool,
}

struct LiveChild {
    pidfd: OwnedFd,
    words: Option<Words>,
    /// The address at which the parent may still wait for its `Hello`.
    server: Option<String>,
    mourner: Mourner,
    terms: Arc<Terms>,
}

/// The terms on which a child lives.
#[derive(Default)]
struct Terms {
    /// The limits, and the end of the wall time.
    limits: OnceLock<(Limits, Option<Instant>)>,
    killed: OnceLock<Killed>,
}

impl Terms {
    /// Returns the time to kill the child, if it has not come.
    fn deadline(&self) -> Option<Instant> {
        let (_, deadline) = self.limits.get()?;
        deadline.filter(|_| self.killed.get().is_none())
    }
}

struct Reaper {
    arrivals: Mutex<Vec<LiveChild>>,
    bell: OwnedFd,
}

static THREAD: Helper = Helper::new("csp reaper", 256 << 10);

/// Kills a child, and no other process.
pub(crate) struct Killer {
    pidfd: OwnedFd,
    id: u32,
    terms: Arc<Terms>,
}

impl Killer {
    /// Returns the number of the child.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn kill(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// Kills the child because the parent was asked to, which its end will say.
    pub(crate) fn kill_as_asked(&self) {
        let _ = self.terms.killed.set(Killed::AsAsked);
        self.kill();
    }

    /// Kills all that is left of the group that the child leads. The child has died, and nobody else has waited for it, so its
    /// number is that of no other group.
    #[allow(dead_code, reason = "only the command of a host leads a group")]
    pub(crate) fn end_group(&self) {
        if let Some(group) = i32::try_from(self.id).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
    }

    /// Sets the limits of the child, once. Its wall time begins here.
    pub(crate) fn limit(&self, limits: Limits) {
        let deadline = limits.wall_time.and_then(|time| Instant::now().checked_add(time));
        let _ = self.terms.limits.set((limits, deadline));
        if let Some(reaper) = deadline.and_then(|_| reaper().ok()) {
            let _ = rustix::io::write(&reaper.bell, &1u64.to_ne_bytes());
        }
    }
}

/// Watches a child from here on, and tells `mourner` of its end. `tag` stands ahead of each line that it writes.
pub(in crate::backend::subprocess) fn watch(
    mut child: Child,
    server: Option<String>,
    mourner: Mourner,
    tag: Option<String>,
) -> io::Result<Killer> {
    let watched = (|| {
        let reaper = reaper()?;
        let pidfd = pidfd::open(&child)?;
        let terms = Arc::new(Terms::default());
        let killer = Killer { pidfd: pidfd.try_clone()?, id: child.id(), terms };
        let words = child.stderr.take().map(|pipe| Words::new(pipe, tag)).transpose()?;
        Ok((reaper, pidfd, killer, words))
    })();
    let (reaper, pidfd, killer, words) = match watched {
        Ok(watched) => watched,
        Err(error) => {
            // Unwatched, the child would become a zombie.
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
    };
    let terms = Arc::clone(&killer.terms);
    let live = LiveChild { pidfd, words, server, mourner, terms };
    reaper.arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(live);
    rustix::io::write(&reaper.bell, &1u64.to_ne_bytes())?;
    Ok(killer)
}

/// Returns the reaper, which is at work.
fn reaper() -> io::Result<&'static Reaper> {
    static REAPER: OnceLock<Reaper> = OnceLock::new();
    let reaper = match REAPER.get() {
        Some(reaper) => reaper,
        None => {
            let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            REAPER.get_or_init(|| Reaper { arrivals: Mutex::new(Vec::new()), bell })
        }
    };
    THREAD.need(|| reaper.run())?;
    Ok(reaper)
}

/// The children and pipes that the reaper watches.
#[derive(Default)]
struct LiveChildren {
    children: Vec<LiveChild>,
    /// The pipes of children that have ended. Programs that those have left behind may still write.
    left: Vec<Words>,
}

impl Reaper {
    fn run(&self) {
        // The reaper does nothing by itself: while a child lives, the thread that waits for it is
        // awake.
        quiet::ignore_this_thread();
        let mut watched = LiveChildren::default();
        loop {
            let ready = self.wait(&watched);
            // New children.
            if ready.bell {
                let _ = rustix::io::read(&self.bell, &mut [0u8; 8]);
                let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
                watched.children.append(&mut arrivals);
            }
            // Their lines, then the lines of the pipes that are left.
            for at in ready.words {
                if let Some(words) = &mut watched.children[at].words {
                    words.listen();
                }
            }
            // It goes from the end, so that the places of the others stay the same.
            for at in ready.left.into_iter().rev() {
                watched.left[at].listen();
                if watched.left[at].pipe().is_none() {
                    watched.left.swap_remove(at);
                }
            }
            // Deaths, and lines that have waited long enough for their end.
            for at in ready.deaths.into_iter().rev() {
                watched.left.extend(watched.children.swap_remove(at).bury());
            }
            // Children whose time is over. Their deaths are the next news.
            let now = Instant::now();
            for live in &watched.children {
                if live.terms.deadline().is_some_and(|deadline| deadline <= now) {
                    let _ = live.terms.killed.set(Killed::WallTime);
                    let _ = pidfd_send_signal(&live.pidfd, Signal::KILL);
                }
            }
            watched.words().for_each(|words| words.look(now));
        }
    }

    fn wait(&self, watched: &LiveChildren) -> ReadyDescriptors {
        // While nothing more can be passed on, the reaper looks now and then whether that has
        // changed.
        let listens = stderr::takes_lines();
        let mut next = (!listens).then(|| Instant::now() + FULL);
        let mut fds = vec![PollFd::new(&self.bell, PollFlags::IN)];
        let mut places = vec![DescriptorOf::Bell];
        let mut add = |fd, place| {
            fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            places.push(place);
        };
        // Each child has a pidfd, and perhaps a pipe. A line that has not ended limits the wait.
        for (at, live) in watched.children.iter().enumerate() {
            add(live.pidfd.as_fd(), DescriptorOf::Death(at));
            next = [next, live.terms.deadline()].into_iter().flatten().min();
            if let Some(words) = &live.words {
                next = [next, words.next()].into_iter().flatten().min();
                if let Some(pipe) = words.pipe().filter(|_| listens) {
                    add(pipe, DescriptorOf::Words(at));
                }
            }
        }
        for (at, words) in watched.left.iter().enumerate() {
            next = [next, words.next()].into_iter().flatten().min();
            if let Some(pipe) = words.pipe().filter(|_| listens) {
                add(pipe, DescriptorOf::Left(at));
            }
        }
        // The wait.
        let mut ready = ReadyDescriptors::default();
        let left = next.map(|next| next.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        if poll(&mut fds, left.as_ref()).is_err() {
            // A signal: look again.
            return ready;
        }
        for (fd, place) in fds.iter().zip(places) {
            if !fd.revents().is_empty() {
                match place {
                    DescriptorOf::Bell => ready.bell = true,
                    DescriptorOf::Words(at) => ready.words.push(at),
                    DescriptorOf::Death(at) => ready.deaths.push(at),
                    DescriptorOf::Left(at) => ready.left.push(at),
                }
            }
        }
        ready
    }
}

/// The time between two looks for room.
const FULL: Duration = Duration::from_millis(5);

/// The owner of a descriptor.
#[derive(Clone, Copy)]
enum DescriptorOf {
    Bell,
    Words(usize),
    Death(usize),
    Left(usize),
}

/// The descriptors that are ready, as places among the children.
#[derive(Default)]
struct ReadyDescriptors {
    bell: bool,
    words: Vec<usize>,
    deaths: Vec<usize>,
    left: Vec<usize>,
}

impl LiveChildren {
    fn words(&mut self) -> impl Iterator<Item = &mut Words> {
        let children = self.children.iter_mut().filter_map(|live| live.words.as_mut());
        children.chain(&mut self.left)
    }
}

impl LiveChild {
    /// Buries a dead child: no zombie stays, and nobody waits for it in vain. Returns its pipe if
    /// more may come by it.
    fn bury(self) -> Option<Words> {
        let LiveChild { pidfd, mut words, server, mourner, terms } = self;
        if let Some(words) = &mut words {
            words.listen();
        }
        let _ = server.as_deref().map(call);
        let last_words = words.as_mut().map(Words::last).unwrap_or_default();
        let limits = terms.limits.get().map(|(limits, _)| *limits).unwrap_or_default();
        let killed = terms.killed.get().copied();
        let lacks_memory = words.as_ref().is_some_and(Words::lacks_memory);
        let exit = Exit {
            status: status(&pidfd, mourner.leads),
            last_words,
            limits,
            killed,
            lacks_memory,
        };
        let _ = mourner.exit.send(exit);
        let _ = mourner.gone.map(|gone| gone.send(()));
        words.filter(|words| words.pipe().is_some())
    }
}

/// Returns how the child ended. It asks by the pidfd, because the number of a child that other code
/// has waited for may be another process's by now. The number of one that leads a group stays its own until its killer
/// waits for it.
fn status(pidfd: &OwnedFd, leads: bool) -> Option<ExitStatus> {
    let stays = if leads { WaitIdOptions::NOWAIT } else { WaitIdOptions::empty() };
    loop {
        match waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED | stays) {
            Ok(status) => {
                let status = status?;
                let raw = match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => (code & 0xff) << 8,
                    (None, signal) => signal? | if status.dumped() { 0x80 } else { 0 },
                };
                return Some(ExitStatus::from_raw(raw));
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

/// Calls a parent that still waits for its child to connect. Otherwise nobody is there. The call
/// does not go by ipc-channel, which keeps the socket of a call that nobody takes.
fn call(server: &str) -> io::Result<()> {
    let address = SocketAddrUnix::new(server)?;
    let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
    let socket = socket_with(AddressFamily::UNIX, kind, flags, None)?;
    Ok(connect(&socket, &address)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_may_be_an_overflow_where_nothing_names_these() {
        for (signal, named, hinted) in [
            (libc::SIGSEGV, false, true),
            (libc::SIGBUS, false, true),
            (libc::SIGSEGV, true, false),
            (libc::SIGABRT, false, false),
        ] {
            let hint = Exit::hint(ExitStatus::from_raw(signal), named);
            assert_eq!(hint.contains("its stack may have overflowed"), hinted, "{signal} {named}");
        }
    }
}
