//! The parent's side: starts a child and hears of it until it has ended.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use ipc_channel::ipc::{
    self, IpcMessage, IpcOneShotServer, IpcReceiver, IpcReceiverSet, IpcSelectionResult, IpcSender,
};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use super::super::node::Heard;
#[cfg(test)]
use super::Blob;
use super::child;
use super::descriptors;
use super::reaper::{self, Exit, Killer, Mourner};
use super::{Call, DEEPEST, Ended, FromChild, ToChild, VARIABLE};
use crate::system::cores;

/// The news of a child. The last is always `Exited`.
#[derive(Debug)]
pub(crate) enum ChildNews {
    #[cfg(test)]
    Note(Blob),
    Ended(Ended),
    Exited(Exit),
}

/// A child that has answered.
pub(crate) struct Launched {
    control: Mutex<IpcSender<ToChild>>,
    killer: Killer,
}

impl Launched {
    /// Sends the child something. The thread that hears its news must not call this, because either
    /// way holds only some messages. Returns whether it was sent. If the child is dead, its end
    /// will say so too.
    pub(crate) fn tell(&self, message: ToChild) -> bool {
        self.control.lock().unwrap_or_else(PoisonError::into_inner).send(message).is_ok()
    }

    pub(crate) fn kill(&self) {
        self.killer.kill();
    }

    /// Returns what ends the child if it exceeds its limits, or if its parent is asked to.
    pub(crate) fn killer(&self) -> &Killer {
        &self.killer
    }
}

/// The news of a child, in turn.
pub(crate) struct Hearing {
    /// `None`: there will be no more.
    messages: Option<IpcReceiverSet>,
    /// The way by which the child's messages come.
    child: u64,
    come: VecDeque<IpcMessage>,
    heard: Heard,
    exited: mpsc::Receiver<Exit>,
}

impl Hearing {
    fn new(
        messages: IpcReceiver<FromChild>,
        gone: IpcReceiver<()>,
        exited: mpsc::Receiver<Exit>,
    ) -> io::Result<Self> {
        let mut set = IpcReceiverSet::new()?;
        let child = set.add(messages)?;
        set.add(gone)?;
        let (come, heard) = (VecDeque::new(), Heard::default());
        Ok(Self { messages: Some(set), child, come, heard, exited })
    }

    /// Waits for messages, or for the child's end. The end ends the listening, because a copy of
    /// the child may keep the way of its messages open. Messages that the child had sent come with
    /// the news of its end, or earlier, because both are ready by then.
    fn listen(&mut self) {
        let Some(messages) = &mut self.messages else { return };
        let mut over = false;
        match messages.select() {
            Ok(events) => {
                for event in events {
                    match event {
                        IpcSelectionResult::MessageReceived(from, message)
                            if from == self.child =>
                        {
                            self.come.push_back(message);
                        }
                        IpcSelectionResult::MessageReceived(..) => over = true,
                        // The news of its end comes by the other way, or after this.
                        IpcSelectionResult::ChannelClosed(_) => {}
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => over = true,
        }
        if over {
            self.messages = None;
        }
    }
}

impl Iterator for Hearing {
    type Item = ChildNews;

    /// Waits for the next news. A child that has been started has one `Exited`, and nothing after
    /// it.
    fn next(&mut self) -> Option<ChildNews> {
        loop {
            while let Some(message) = self.come.pop_front() {
                match message.to() {
                    #[cfg(test)]
                    Ok(FromChild::Note(note)) => return Some(ChildNews::Note(note)),
                    Ok(FromChild::Memory(carried)) => self.heard.carried(carried),
                    Ok(FromChild::Ended(ended)) => return Some(ChildNews::Ended(ended)),
                    Ok(FromChild::Hello { .. }) => {}
                    Err(_) => self.heard.garbled(),
                }
            }
            if self.messages.is_none() {
                return self.exited.recv().ok().map(ChildNews::Exited);
            }
            self.listen();
        }
    }
}

/// Starts a child, which then waits for a [`ToChild::Start`]. Returns when the child has answered:
/// half a millisecond.
pub(crate) fn launch(stdin: Stdio) -> io::Result<(Launched, Hearing)> {
    let by = |call: &Call| {
        let mut command = command(call);
        command.stdin(stdin);
        command
    };
    launch_with(by, None)
}

/// Does the same by another command. `tagged` is the pipe of its output, and the text that stands ahead of each line.
pub(super) fn launch_with(
    command: impl FnOnce(&Call) -> Command,
    tagged: Option<(OwnedFd, String)>,
) -> io::Result<(Launched, Hearing)> {
    let (in_main, depth) = child::about();
    if depth >= DEEPEST {
        let text = format!(
            "OS processes within OS processes, {DEEPEST} deep: a process that always starts another?"
        );
        return Err(io::Error::other(text));
    }
    // A server for the child's answer, and the child.
    temporary_folder()?;
    let (server, name) = IpcOneShotServer::<FromChild>::new()?;
    let call = Call { in_main, depth: depth + 1, server: name.clone() };
    let (exit, exited) = mpsc::channel();
    let (gone, is_gone) = ipc::channel()?;
    let mut child = command(&call).spawn()?;
    let (words, tag) = tagged.unzip();
    if let Some(words) = words {
        child.stderr = Some(ChildStderr::from(words));
    }
    limit_as_before(child.id());
    let killer =
        reaper::watch(child, Some(name), Mourner { exit, gone: Some(gone), leads: false }, tag)?;
    // It returns in any case, because the reaper (the watcher of the children) calls if the child
    // does not.
    let answer = server.accept();
    descriptors::keep();
    match answer {
        Ok((messages, FromChild::Hello { control })) => {
            let hearing = Hearing::new(messages, is_gone, exited).inspect_err(|_| killer.kill())?;
            Ok((Launched { control: Mutex::new(control), killer }, hearing))
        }
        _ => {
            killer.kill();
            let exit = exited.recv().map(|exit| exit.to_string()).unwrap_or_default();
            Err(io::Error::other(format!("it ended before it began: {exit}")))
        }
    }
}

/// Descriptors for one start. Those that stay are a pidfd twice, a pipe, four sockets, two for
/// waiting, and shared memory twice. Some more are only needed meanwhile. ipc-channel panics if
/// there are none. So room is taken before any of them is, and kept until the child runs.
#[derive(Debug)]
pub(crate) struct Room;

const NEEDED: u64 = 27;
static STARTING: Mutex<u64> = Mutex::new(0);
static STARTED: Condvar = Condvar::new();
/// Longer than any start takes. A thread that serialises an argument by starting a process would
/// wait for itself.
const LONG: Duration = Duration::from_secs(5);

impl Room {
    /// Waits for other children that are starting, which need less once they run.
    pub(crate) fn take() -> io::Result<Self> {
        let since = Instant::now();
        let mut starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(limit) = getrlimit(Resource::Nofile).current {
            let open = std::fs::read_dir("/proc/self/fd")?.count() as u64;
            if open + (*starting + 1) * NEEDED <= limit {
                break;
            }
            if raise_limit() {
                continue;
            }
            if *starting == 0 || since.elapsed() > LONG {
                let text = format!("{open} descriptors are open, and {limit} may be: `ulimit -n`");
                return Err(io::Error::other(text));
            }
            starting =
                STARTED.wait_timeout(starting, LONG).unwrap_or_else(PoisonError::into_inner).0;
        }
        *starting += 1;
        Ok(Room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        *STARTING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        STARTED.notify_all();
    }
}

/// The soft limit of open descriptors, if it was raised: before and since.
static RAISED: Mutex<Option<(Rlimit, Rlimit)>> = Mutex::new(None);

/// Raises the soft limit of descriptors to the system's limit, once more are needed. The customary
/// 1,024 are a hundred children, and are kept so low only for the sake of `select(2)`. Programs
/// that are started while it is raised have the raised limit too. So it is not raised earlier, and
/// it is [lowered](lower_limit) again.
fn raise_limit() -> bool {
    let mut raised = RAISED.lock().unwrap_or_else(PoisonError::into_inner);
    let before = getrlimit(Resource::Nofile);
    let limit = Rlimit { current: before.maximum, maximum: before.maximum };
    if raised.is_some() || before.current == limit.current {
        return false;
    }
    let is_raised = setrlimit(Resource::Nofile, limit).is_ok();
    if is_raised {
        *raised = Some((before, limit));
    }
    is_raised
}

/// Sets the limit back after the end of a child, if all open descriptors fit under the former
/// limit.
fn lower_limit() {
    let starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut raised = RAISED.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((before, limit)) = *raised else { return };
    let open = std::fs::read_dir("/proc/self/fd").map_or(u64::MAX, |open| open.count() as u64);
    let fits = |most: u64| open.saturating_add((*starting + 1) * NEEDED) <= most;
    if before.current.is_none_or(fits) {
        // Another part of the program may have set another limit meanwhile.
        if getrlimit(Resource::Nofile) == limit {
            let _ = setrlimit(Resource::Nofile, before);
        }
        *raised = None;
    }
}

/// Gives a child the limit that this process was started with.
fn limit_as_before(child: u32) {
    let raised = RAISED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((before, _)) = *raised {
        let pid = i32::try_from(child).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| prlimit(Some(pid), Resource::Nofile, before));
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.messages = None;
        lower_limit();
    }
}

/// The number of processes that have an OS process of their own, or are about to have one.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// One of these.
pub(in crate::backend::subprocess) struct Alive(());

impl Alive {
    pub(in crate::backend::subprocess) fn begin() -> Self {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns the command for this executable, the very file: also if it has been deleted or built
/// anew since.
pub(super) fn command(call: &Call) -> Command {
    let mut arguments = child::arguments().into_iter();
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(arguments.next().unwrap_or_else(|| OsString::from("csp")))
        .args(arguments)
        .env(VARIABLE, call.to_text())
        .envs(cores::part(ALIVE.load(Ordering::Relaxed)))
        // A terminal's signals are for the parent. If the parent ends, the child does.
        .process_group(0)
        .stderr(Stdio::piped());
    command
}

/// The longest folder in which a socket's name is still whole. ipc-channel would cut a longer name,
/// silently.
const LONGEST_FOLDER: usize = 107 - "/.tmp123456/socket".len();

/// Makes sure that the server's socket can be made: in the folder for temporary files, or else in
/// the system's.
fn temporary_folder() -> io::Result<()> {
    let folder = tempfile::env::temp_dir();
    let Err(error) = holds_a_socket(&folder) else { return Ok(()) };
    let other = Path::new("/tmp");
    let other = match tempfile::env::override_temp_dir(other) {
        Ok(()) => other.to_owned(),
        Err(other) => other,
    };
    holds_a_socket(&other).map_err(|_| {
        let text = format!(
            "no socket can be made in the folder for temporary files, {} ({error}): `TMPDIR`",
            folder.display()
        );
        io::Error::new(error.kind(), text)
    })
}

fn holds_a_socket(folder: &Path) -> io::Result<()> {
    let name = folder.as_os_str();
    if name.len() > LONGEST_FOLDER || name.to_str().is_none() {
        let text = "its name is too long for a socket in it, or no text";
        return Err(io::Error::new(io::ErrorKind::InvalidFilename, text));
    }
    tempfile::Builder::new().tempdir_in(folder).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_holds_no_socket_is_seen() {
        let long = format!("/tmp/{}", "x".repeat(100));
        for folder in ["/proc", "/proc/self/status", "/nowhere/at/all", &long] {
            assert!(holds_a_socket(Path::new(folder)).is_err(), "{folder}");
        }
        assert!(holds_a_socket(Path::new("/tmp")).is_ok());
    }
}
