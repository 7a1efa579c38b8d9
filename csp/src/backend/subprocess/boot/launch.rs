//! The parent's side: starts a child and hears of it until it has ended.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::{env, thread};

use ipc_channel::IpcError;
use ipc_channel::ipc::{IpcOneShotServer, IpcReceiver, IpcSender, IpcSharedMemory};

use super::child;
use super::entry::Entry;
use super::warden::{self, Exit, Killer};
use super::{Blob, Call, DEEPEST, Ended, FromChild, ToChild, VARIABLE};

/// What is heard of a child. The last is always `Exited`.
#[derive(Debug)]
pub(crate) enum News {
    Note(Blob),
    Ended(Ended),
    Exited(Exit),
}

/// A child that has been started.
pub(crate) struct Launched {
    control: Mutex<IpcSender<ToChild>>,
    killer: Killer,
}

impl Launched {
    /// Sends the child something. Not from the thread that hears its news: either way holds some messages only.
    pub(crate) fn tell(&self, message: ToChild) {
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        // That it is dead, its end will say.
        let _ = control.send(message);
    }

    pub(crate) fn kill(&self) {
        self.killer.kill();
    }
}

/// What a child is started with.
pub(crate) struct Launch {
    pub(crate) entry: &'static Entry,
    pub(crate) arguments: Vec<u8>,
    pub(crate) stack: Option<usize>,
    pub(crate) shared: Option<IpcSharedMemory>,
}

impl Launch {
    /// Starts a child; `hear` is called on a thread of its own with all that comes. Waits until the child has answered.
    pub(crate) fn start(self, hear: impl FnMut(News) + Send + 'static) -> io::Result<Launched> {
        self.start_with(command, hear)
    }

    pub(super) fn start_with(
        self,
        command: impl FnOnce(&Call) -> Command,
        mut hear: impl FnMut(News) + Send + 'static,
    ) -> io::Result<Launched> {
        let (in_main, depth) = child::about();
        if depth >= DEEPEST {
            let text = format!("subprocesses within subprocesses, {DEEPEST} deep: is this meant?");
            return Err(io::Error::other(text));
        }
        short_temporary_folder()?;
        let (server, name) = IpcOneShotServer::<FromChild>::new()?;
        let call = Call { in_main, depth: depth + 1, server: name.clone() };
        let child = command(&call).spawn()?;
        let (killer, exited) = warden::watch(child, name)?;
        let refused = |exit: Option<Exit>, why: &str| {
            let exit = exit.map(|exit| format!(": {}\n{}", exit.status, exit.last_words));
            let name = self.entry.name();
            io::Error::other(format!("`{name}` {why}{}", exit.unwrap_or_default()))
        };
        // Returns in any case: the warden calls if the child does not.
        let (messages, control) = match server.accept() {
            Ok((messages, FromChild::Hello { control })) => (messages, control),
            _ => {
                killer.kill();
                return Err(refused(exited.recv().ok(), "ended before it began"));
            }
        };
        let start = ToChild::Start {
            entry: self.entry.id(),
            arguments: Blob(self.arguments),
            stack: self.stack,
            shared: self.shared,
        };
        if control.send(start).is_err() {
            killer.kill();
            return Err(refused(exited.recv().ok(), "ended as it began"));
        }
        let builder = thread::Builder::new().name("csp child".to_owned()).stack_size(128 * 1024);
        let listen = move || {
            while let Some(message) = receive(&messages) {
                match message {
                    FromChild::Note(note) => hear(News::Note(note)),
                    FromChild::Ended(ended) => hear(News::Ended(ended)),
                    FromChild::Hello { .. } => {}
                }
            }
            if let Ok(exit) = exited.recv() {
                hear(News::Exited(exit));
            }
        };
        if let Err(error) = builder.spawn(listen) {
            killer.kill();
            return Err(error);
        }
        Ok(Launched { control: Mutex::new(control), killer })
    }
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

fn receive(messages: &IpcReceiver<FromChild>) -> Option<FromChild> {
    loop {
        match messages.recv() {
            Ok(message) => return Some(message),
            Err(IpcError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
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
