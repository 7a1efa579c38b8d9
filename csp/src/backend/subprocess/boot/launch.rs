//! The parent's side: starts a child and hears of it until it has ended.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, Once, PoisonError, mpsc};
use std::time::{Duration, Instant};

use ipc_channel::IpcError;
use ipc_channel::ipc::{IpcOneShotServer, IpcReceiver, IpcSender};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::super::node::Heard;
#[cfg(test)]
use super::Blob;
use super::child;
use super::warden::{self, Exit, Killer};
use super::{Call, DEEPEST, Ended, FromChild, ToChild, VARIABLE};

/// What is heard of a child. The last is always `Exited`.
#[derive(Debug)]
pub(crate) enum News {
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
    /// Sends the child something. Not from the thread that hears its news: either way holds some messages only. Whether it has
    /// been sent; that the child is dead, its end will say too.
    pub(crate) fn tell(&self, message: ToChild) -> bool {
        self.control.lock().unwrap_or_else(PoisonError::into_inner).send(message).is_ok()
    }

    pub(crate) fn kill(&self) {
        self.killer.kill();
    }
}

/// What comes from a child, in turn.
pub(crate) struct Hearing {
    messages: Option<IpcReceiver<FromChild>>,
    heard: Heard,
    exited: mpsc::Receiver<Exit>,
}

impl Iterator for Hearing {
    type Item = News;

    /// Waits for it. Of a child that has been started there is an `Exited`, and nothing after it.
    fn next(&mut self) -> Option<News> {
        while let Some(messages) = &self.messages {
            match messages.recv() {
                #[cfg(test)]
                Ok(FromChild::Note(note)) => return Some(News::Note(note)),
                Ok(FromChild::Memory(carried)) => self.heard.carried(carried),
                Ok(FromChild::Ended(ended)) => return Some(News::Ended(ended)),
                Ok(FromChild::Hello { .. }) => {}
                Err(IpcError::SerializationError(_)) => self.heard.garbled(),
                Err(IpcError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.messages = None,
            }
        }
        self.exited.recv().ok().map(News::Exited)
    }
}

/// Starts a child, which then waits for a [`ToChild::Start`]. Returns when it has answered: half a millisecond.
pub(crate) fn launch() -> io::Result<(Launched, Hearing)> {
    launch_with(command)
}

pub(super) fn launch_with(
    command: impl FnOnce(&Call) -> Command,
) -> io::Result<(Launched, Hearing)> {
    let (in_main, depth) = child::about();
    if depth >= DEEPEST {
        let text = format!(
            "OS processes within OS processes, {DEEPEST} deep: a process that always starts another?"
        );
        return Err(io::Error::other(text));
    }
    short_temporary_folder()?;
    let (server, name) = IpcOneShotServer::<FromChild>::new()?;
    let call = Call { in_main, depth: depth + 1, server: name.clone() };
    let child = command(&call).spawn()?;
    let (killer, exited) = warden::watch(child, name)?;
    // Returns in any case: the warden calls if the child does not.
    match server.accept() {
        Ok((messages, FromChild::Hello { control })) => {
            let launched = Launched { control: Mutex::new(control), killer };
            Ok((launched, Hearing { messages: Some(messages), heard: Heard::default(), exited }))
        }
        _ => {
            killer.kill();
            let exit = exited.recv().map(|exit| exit.to_string()).unwrap_or_default();
            Err(io::Error::other(format!("it ended before it began: {exit}")))
        }
    }
}

/// Descriptors for one start: what stays (a pidfd twice, a pipe, two sockets, shared memory twice) and what is only needed meanwhile.
/// ipc-channel panics where there are none. Taken before any of them is, and kept until the child runs.
#[derive(Debug)]
pub(crate) struct Room;

const NEEDED: u64 = 24;
static STARTING: Mutex<u64> = Mutex::new(0);
static STARTED: Condvar = Condvar::new();
/// Longer than any start takes; who serialises an argument by starting a process waits for himself.
const LONG: Duration = Duration::from_secs(5);

impl Room {
    /// Waits for others that are starting, which need less once they run.
    pub(crate) fn take() -> io::Result<Self> {
        raise_limit();
        let since = Instant::now();
        let mut starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(limit) = getrlimit(Resource::Nofile).current {
            let open = std::fs::read_dir("/proc/self/fd")?.count() as u64;
            if open + (*starting + 1) * NEEDED <= limit {
                break;
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

/// Descriptors up to what the system allows: the customary 1,024 are a hundred children, and are kept so low only for
/// the sake of `select(2)`. Go's runtime does the same.
fn raise_limit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let limit = getrlimit(Resource::Nofile);
        // If it may not be raised, it stays.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    });
}

/// This executable, the very file: also if it has been deleted or built anew since.
fn command(call: &Call) -> Command {
    let mut arguments = env::args_os();
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(arguments.next().unwrap_or_else(|| OsString::from("csp")))
        .args(arguments)
        .env(VARIABLE, call.to_text())
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// The longest folder in which a socket's name is still whole: ipc-channel would cut it, silently.
const LONGEST_FOLDER: usize = 107 - "/.tmp123456/socket".len();

/// Sees to it that the server's socket gets a name that fits.
fn short_temporary_folder() -> io::Result<()> {
    let fits = |folder: &Path| folder.as_os_str().len() <= LONGEST_FOLDER;
    if fits(&tempfile::env::temp_dir()) {
        return Ok(());
    }
    match tempfile::env::override_temp_dir(Path::new("/tmp")) {
        Err(other) if !fits(&other) => {
            let text = "the folder for temporary files has too long a name for a socket in it";
            Err(io::Error::new(io::ErrorKind::InvalidFilename, text))
        }
        _ => Ok(()),
    }
}
