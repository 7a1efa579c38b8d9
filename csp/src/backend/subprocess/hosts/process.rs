//! The host process: it runs no code of the user's. It starts workers for its starter, and tells of their ends.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::{env, process, thread};

use super::greeting;
use super::words::{
    Awake, CarriedBytes, FromHost, Hello, ToHost, WorkerEnd, WorkerLimits, read, say,
};
use crate::backend::subprocess::boot::launch::{Alive, ChildNews, Launched, Room};
use crate::backend::subprocess::boot::parent::{outcome, unstarted};
use crate::backend::subprocess::boot::tagged::launch_tagged;
use crate::backend::subprocess::boot::{Ended, HOST, Start, ToChild, VARIABLE, child};
use crate::backend::subprocess::node::{self, Carried, Heard, PreparedChild};
use crate::backend::subprocess::protocol::{Departure, NodeId};
use crate::backend::subprocess::transport::stream::{LinkLoss, StreamEnds};
use crate::backend::subprocess::values::text;
use crate::system::mutex::lock;
use crate::system::quiet;
use crate::wait::quietly;

/// Runs in the loader, as that of a child does.
#[used]
#[unsafe(link_section = ".init_array")]
static HOOK: extern "C" fn() = hook;

/// Makes sure that a program that uses hosts has the hook.
pub(super) fn is_here() {
    std::hint::black_box(&HOOK);
}

extern "C" fn hook() {
    // Every process that is not a host process leaves here.
    if env::var_os(VARIABLE).is_none_or(|value| value != HOST) {
        return;
    }
    // SAFETY: before `main`, on the only thread.
    unsafe { env::remove_var(VARIABLE) };
    crate::sync::barrier::is_here();
    // The standard library does this ahead of `main`, which will not run: writing to a dead peer is
    // an error, not death.
    // SAFETY: setting a signal's disposition on the only thread.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    // An unwinding hook would be undefined.
    let ended = quietly::catch(serve);
    if let Ok(Err(reason)) = ended {
        eprintln!("csp: this host process ends: {reason}");
    }
    process::exit(FAILED);
}

/// The exit status of a host process that could not even begin.
const FAILED: i32 = 101;

/// The starter, once it is known.
static STARTER: OnceLock<NodeId> = OnceLock::new();

fn tell_above(carried: Carried) {
    let Some(starter) = STARTER.get() else { return };
    let carried = CarriedBytes::from(carried);
    let asked = match &carried {
        CarriedBytes::Have(asked, Some(_)) => Some(*asked),
        _ => None,
    };
    let said = say(*starter, &FromHost::Memory(carried));
    // Memory that is too large to be sent can't be had. Nobody may wait for it.
    if let (Err(_), Some(asked)) = (said, asked) {
        let _ = say(*starter, &FromHost::Memory(CarriedBytes::Have(asked, None)));
    }
}

/// Moves standard input and output away. Everything else that is written there goes to standard error.
fn take_streams() -> io::Result<StreamEnds> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(StreamEnds { input, output })
}

fn serve() -> Result<(), String> {
    let system = |error: io::Error| error.to_string();
    // A large executable takes its time, and its starter counts silence from the greetings on.
    let executable = greeting::executable().map_err(system)?;
    // It greets, and is greeted.
    let StreamEnds { input, output } = take_streams().map_err(system)?;
    let mut output = File::from(output);
    greeting::greet(&mut output).map_err(system)?;
    let mut input = File::from(input);
    let hello = greeting::read_hello(&mut input).map_err(system)?;
    let hello: Hello = read(&hello).map_err(|error| {
        format!("its starter's greeting can't be read ({error}): is it the same executable?")
    })?;
    if executable != hello.executable {
        return Err(format!(
            "its executable, {}, is not the one of its starter: copy that to the same path here",
            env::current_exe().unwrap_or_default().display()
        ));
    }
    // It stands in for the program of its starter.
    let arguments = hello.arguments.into_iter().map(OsString::from).collect();
    child::stand_in(hello.in_main, hello.depth, arguments);
    for (name, value) in hello.environment {
        // SAFETY: before `main`, on the only thread.
        unsafe { env::set_var(OsString::from(name), OsString::from(value)) };
    }
    // The same folder, if it is there.
    if let Some(folder) = hello.folder {
        let _ = env::set_current_dir(OsString::from(folder));
    }
    // It joins the network.
    quiet::ignore_this_thread();
    let starter = hello.invitation.parent();
    let _ = STARTER.set(starter);
    let ends = StreamEnds { input: OwnedFd::from(input), output: OwnedFd::from(output) };
    let on_loss = |loss: LinkLoss| match loss {
        LinkLoss::Wild(_) => child::parent_is_wild(&loss.to_string()),
        // Its workers see the end of their parent.
        LinkLoss::Ended | LinkLoss::Failed(_) | LinkLoss::Silent(_) | LinkLoss::Unhandled(_) => {
            child::die()
        }
    };
    node::control::streams::join_stream(
        hello.invitation,
        ends,
        tell_above,
        child::parent_is_wild,
        on_loss,
    )
    .map_err(system)?;
    // It hears its starter, which says nothing before that.
    let (tell, words) = mpsc::channel();
    node::control::streams::hear_control(starter, move |word| {
        drop(tell.send((word, Awake::begin())))
    });
    say(starter, &FromHost::Ready)?;
    let (mut heard, mut workers) = (Heard::default(), HostWorkers { handles: HashMap::new() });
    for (word, awake) in words {
        match read(&word)? {
            ToHost::Prepare(worker) => workers.prepare(starter, worker),
            ToHost::Start(worker, start, limits) => workers.start(worker, start, limits, awake),
            ToHost::Kill(worker) => workers.kill(worker),
            ToHost::Memory(carried) => {
                carried.arrived().into_iter().for_each(|it| heard.carried(it));
            }
        }
    }
    Ok(())
}

/// The workers that have not ended, each with its thread. Those that have are forgotten at the next start.
struct HostWorkers {
    handles: HashMap<u64, WorkerHandle>,
}

struct WorkerHandle {
    /// Dropped, it says that the worker is not needed.
    start: Option<mpsc::Sender<(Box<Start>, WorkerLimits, Awake)>>,
    life: Arc<Mutex<WorkerLife>>,
}

#[derive(Default)]
enum WorkerLife {
    #[default]
    Begins,
    Killed,
    Runs(Arc<Launched>),
    Over,
}

impl HostWorkers {
    fn prepare(&mut self, starter: NodeId, worker: u64) {
        self.handles.retain(|_, handle| !matches!(*lock(&handle.life), WorkerLife::Over));
        let (start, started) = mpsc::channel();
        let life = Arc::default();
        let handle = WorkerHandle { start: Some(start), life: Arc::clone(&life) };
        let run = move || {
            quiet::lend_this_thread();
            // Memory or a descriptor may be missing. Nobody may wait for ever because of that.
            let ran = quietly::catch(|| run(starter, worker, &started, &life));
            let end = ran.unwrap_or_else(|panic| {
                if let WorkerLife::Runs(launched) = &*lock(&life) {
                    launched.killer().kill();
                }
                let exit = format!("its host process could not run it: {}", panic.told().0);
                Some(WorkerEnd::Exited { told: None, exit: Some(exit), broken: None })
            });
            if let Some(end) = end {
                let _awake = Awake::begin();
                // A result that is too long is told in its place.
                if let Err(reason) = say(starter, &FromHost::Ended(worker, end)) {
                    let end = WorkerEnd::Exited { told: None, exit: Some(reason), broken: None };
                    let _ = say(starter, &FromHost::Ended(worker, end));
                }
            }
            *lock(&life) = WorkerLife::Over;
            quiet::give_back_this_thread();
        };
        let name = format!("csp worker {worker}");
        match thread::Builder::new().name(name).stack_size(256 << 10).spawn(run) {
            Ok(_) => drop(self.handles.insert(worker, handle)),
            Err(error) => {
                let _ = say(starter, &FromHost::Prepared(worker, Err(unstarted(error))));
            }
        }
    }

    fn start(&mut self, worker: u64, start: Box<Start>, limits: WorkerLimits, awake: Awake) {
        if let Some(handle) = self.handles.get_mut(&worker)
            && let Some(tell) = handle.start.take()
        {
            let _ = tell.send((start, limits, awake));
        }
    }

    fn kill(&mut self, worker: u64) {
        let Some(handle) = self.handles.get_mut(&worker) else { return };
        handle.start = None;
        let life = &mut *lock(&handle.life);
        match life {
            WorkerLife::Begins => *life = WorkerLife::Killed,
            WorkerLife::Runs(launched) => launched.killer().kill_as_asked(),
            WorkerLife::Killed | WorkerLife::Over => {}
        }
    }
}

/// The place of a worker in the network. Dropping it tells that the worker was never started.
struct WorkerPlace {
    id: NodeId,
    is_taken: bool,
}

impl Drop for WorkerPlace {
    fn drop(&mut self) {
        if !self.is_taken {
            let (process, message) = ("a process".to_owned(), "it could not be started".to_owned());
            node::ended(self.id, false, Departure::Poisons, process, message);
        }
    }
}

/// Runs a worker from its start to its end. Returns `None` if its starter does not need it, or knows that it could not be prepared.
fn run(
    starter: NodeId,
    worker: u64,
    started: &mpsc::Receiver<(Box<Start>, WorkerLimits, Awake)>,
    life: &Mutex<WorkerLife>,
) -> Option<WorkerEnd> {
    let alive = Alive::begin();
    // Its place in the network.
    let prepared = Room::take().and_then(|room| Ok((room, node::prepare()?)));
    let (room, PreparedChild { id, shared }) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            let _ = say(starter, &FromHost::Prepared(worker, Err(unstarted(error))));
            return None;
        }
    };
    let mut place = WorkerPlace { id, is_taken: false };
    let _ = say(starter, &FromHost::Prepared(worker, Ok(id.0)));
    // Its start.
    let (mut start, limits, awake) = started.recv().ok()?;
    let passport = start.passport.clone();
    start.shared = Some(shared);
    let tag = text::name(format!("{}: ", passport.path));
    let (launched, hearing) = match launch_tagged(tag) {
        Ok(launched) => launched,
        Err(error) => return Some(WorkerEnd::Unstarted(unstarted(error))),
    };
    launched.killer().limit(limits.into());
    let launched = Arc::new(launched);
    launched.tell(ToChild::Start(start));
    let (killed, told) = (Arc::clone(&launched), Arc::clone(&launched));
    let tell = move |carried| told.tell(ToChild::Memory(carried));
    node::started(id, move |_| killed.kill(), tell);
    {
        let life = &mut *lock(life);
        if let WorkerLife::Killed = life {
            launched.killer().kill_as_asked();
        }
        *life = WorkerLife::Runs(Arc::clone(&launched));
    }
    drop((room, awake));
    // Its end.
    let (mut told, mut exit) = (None, None);
    for news in hearing {
        match news {
            #[cfg(test)]
            ChildNews::Note(_) => {}
            ChildNews::Ended(ended) => told = Some(ended),
            ChildNews::Exited(how) => exit = Some(how.to_string()),
        }
    }
    let _awake = Awake::begin();
    drop(alive);
    place.is_taken = true;
    let well = matches!(told, Some(Ended::Returned(_)));
    let departure = match well || passport.retires_on_panic {
        true => Departure::Retires,
        false => Departure::Poisons,
    };
    let outcome = outcome(&passport.path, told.clone(), exit.clone(), drop);
    let message =
        outcome.map_or_else(|failure| failure.message().to_owned(), |_| "it has ended".to_owned());
    let broken = node::ended(id, well, departure, passport.path, message);
    Some(WorkerEnd::Exited { told, exit, broken })
}
