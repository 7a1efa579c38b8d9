//! The child's side: caught ahead of `main`, it runs one function and ends.
#![allow(unsafe_code)]

use ipc_channel::IpcError;
use ipc_channel::ipc::{self, IpcReceiver, IpcSender};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::OsString;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{env, process, thread};

use super::super::node;
use super::{Blob, Call, Ended, FromChild, HOST, Passport, Start, ToChild, VARIABLE};
use crate::backend::subprocess::values::carry::Ends;
use crate::system::helper::Helper;
use crate::system::{forked, quiet};
use crate::wait::park;
use crate::wait::quietly::{self, Caught};

/// The number of processes above this one.
static DEPTH: AtomicU32 = AtomicU32::new(0);
/// Whether `main` has passed through [`init`]. The children of this process will then do so too.
static INITIALISED: AtomicBool = AtomicBool::new(false);
/// Whether neither `main` nor the standard library's preparations for it will run.
static AHEAD: AtomicBool = AtomicBool::new(false);
/// The call that the hook has left to [`init`].
static FOR_MAIN: Mutex<Option<Call>> = Mutex::new(None);
/// The arguments of the program, if they are not those of this OS process.
static ARGUMENTS: OnceLock<Vec<OsString>> = OnceLock::new();
static PARENT: OnceLock<Mutex<IpcSender<FromChild>>> = OnceLock::new();
static PASSPORT: OnceLock<Passport> = OnceLock::new();
/// The channel ends among the arguments.
static ENDS: Mutex<Ends> = Mutex::new(Ends::none());

/// Runs in the loader, before `main`, in whatever executable: a program, a test, a benchmark.
#[used]
#[unsafe(link_section = ".init_array")]
static HOOK: extern "C" fn() = hook;

extern "C" fn hook() {
    // Every process that is not a child leaves here.
    let Some(call) = env::var_os(VARIABLE) else {
        return;
    };
    // Another hook takes this one. Without it, `main` would run in the place of a host process.
    if call == HOST {
        #[cfg(not(feature = "hosts"))]
        {
            eprintln!(
                "csp: this executable was built without the feature `hosts`, so it is no host process"
            );
            process::exit(FAILED);
        }
        #[cfg(feature = "hosts")]
        return;
    }
    // Programs that are started from here on are not children because of it.
    // SAFETY: before `main`, on the only thread.
    unsafe { env::remove_var(VARIABLE) };
    // An unwinding hook would be undefined. A value that this library has not made is ignored.
    let Some(call) = call.to_str().and_then(Call::parse) else {
        return;
    };
    // The registration for locks takes milliseconds once there is a second thread.
    crate::sync::barrier::is_here();
    if call.in_main {
        *FOR_MAIN.lock().unwrap_or_else(PoisonError::into_inner) = Some(call);
        return;
    }
    // The standard library does this ahead of `main`, which will not run: writing to a dead peer is
    // an error, not death.
    // SAFETY: setting a signal's disposition on the only thread.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    AHEAD.store(true, Ordering::Relaxed);
    let _ = quietly::catch(|| serve(call));
    process::exit(FAILED);
}

/// The exit status of a child that could not even begin.
const FAILED: i32 = 101;

/// Takes a child over in the `main` of a program. A child does not return.
pub(crate) fn init() {
    INITIALISED.store(true, Ordering::Relaxed);
    let call = FOR_MAIN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(call) = call {
        serve(call);
    }
}

/// Returns the facts about this process that its children need. It refers to the hook, so a program
/// that starts children has the hook.
pub(in crate::backend::subprocess) fn about() -> (bool, u32) {
    std::hint::black_box(&HOOK);
    (INITIALISED.load(Ordering::Relaxed), DEPTH.load(Ordering::Relaxed))
}

/// Sends the parent something, if this is a child and its parent lives.
pub(crate) fn tell_parent(message: FromChild) {
    // A copy of this child, made by `fork`, has nothing to tell.
    if let Some(parent) = PARENT.get().filter(|_| !forked::is_copy()) {
        let parent = parent.lock().unwrap_or_else(PoisonError::into_inner);
        // The reader of the parent's messages notices that the parent is gone.
        let _ = parent.send(message);
    }
}

/// Returns the arguments of the program, which its children get, too.
pub(super) fn arguments() -> Vec<OsString> {
    ARGUMENTS.get().cloned().unwrap_or_else(|| env::args_os().collect())
}

/// The hook of a host process stands in for its starter, so its children are those of the program there.
#[cfg(feature = "hosts")]
pub(in crate::backend::subprocess) fn stand_in(
    in_main: bool,
    depth: u32,
    arguments: Vec<OsString>,
) {
    AHEAD.store(true, Ordering::Relaxed);
    INITIALISED.store(in_main, Ordering::Relaxed);
    DEPTH.store(depth, Ordering::Relaxed);
    let _ = ARGUMENTS.set(arguments);
}

fn tell_above(carried: node::Carried) {
    tell_parent(FromChild::Memory(carried));
}

/// Returns the name and options of the process that this child runs.
pub(crate) fn passport() -> &'static Passport {
    PASSPORT.get_or_init(Passport::default)
}

/// Returns the channel ends among the arguments, once.
pub(crate) fn ends() -> Ends {
    std::mem::take(&mut *ENDS.lock().unwrap_or_else(PoisonError::into_inner))
}

fn serve(call: Call) -> ! {
    // This process counts as awake until the parent has been told of its end.
    quiet::ignore_this_thread();
    quiet::wake();
    DEPTH.store(call.depth, Ordering::Relaxed);
    // It answers the parent's call, and is told which function to run.
    let Ok(parent) = IpcSender::connect(call.server) else {
        die();
    };
    let Ok((control, messages)) = ipc::channel() else {
        die();
    };
    if parent.send(FromChild::Hello { control }).is_err() {
        die();
    }
    let _ = PARENT.set(Mutex::new(parent));
    let Some(ToChild::Start(start)) = receive(&messages) else {
        die();
    };
    let Start {
        entry,
        arguments,
        stack,
        passport,
        shared,
        #[cfg(feature = "hosts")]
        stream,
        ends,
    } = *start;
    // It joins the network before the function runs.
    let joined = shared.map_or(Ok(()), |shared| node::join(shared, tell_above, parent_is_wild));
    #[cfg(feature = "hosts")]
    let joined = joined.and_then(|()| match stream {
        Some(stream) => super::stream::join(stream, tell_above, parent_is_wild, die),
        None => Ok(()),
    });
    let _ = PASSPORT.set(passport);
    *ENDS.lock().unwrap_or_else(PoisonError::into_inner) = ends;
    let limited = joined.and_then(|()| watch(messages)).and_then(|()| limit(self::passport()));
    let ended = match limited {
        Ok(()) => run(move || (entry.find()?.run)(&arguments.0), stack),
        Err(error) => Ended::Refused(no_thread(&error)),
    };
    // Its output comes out before anybody learns of its end.
    let _ = std::io::stdout().flush();
    node::settle();
    tell_parent(FromChild::Ended(ended));
    process::exit(0);
}

/// Runs the body on a fresh thread with a guard page, a name, and a stack of the size that was
/// asked for.
fn run(
    body: impl FnOnce() -> Result<Vec<u8>, String> + Send + 'static,
    stack: Option<usize>,
) -> Ended {
    let name = passport().name.replace('\0', "\u{fffd}");
    let mut builder = thread::Builder::new().name(name);
    if let Some(stack) = stack {
        builder = builder.stack_size(stack);
    }
    // The thread is counted already.
    let counted = move || {
        quiet::lend_this_thread();
        name_overflows();
        body()
    };
    let thread = match builder.spawn(counted) {
        Ok(thread) => thread,
        Err(error) => return Ended::Refused(no_thread(&error)),
    };
    match thread.join() {
        Ok(Ok(result)) => Ended::Returned(Blob(result)),
        Ok(Err(refused)) => Ended::Refused(refused),
        Err(payload) => Ended::Panicked(Caught::from(payload).told().0),
    }
}

/// Reads the messages after `Start`: memory (and notes, in tests) until the parent's end, which is
/// this process's end.
fn watch(messages: IpcReceiver<ToChild>) -> std::io::Result<()> {
    let watch = move || {
        quiet::ignore_this_thread();
        let mut heard = node::Heard::default();
        loop {
            match messages.recv() {
                Ok(ToChild::Memory(carried)) => heard.carried(carried),
                Ok(_message) => {
                    #[cfg(test)]
                    notes::heard(_message);
                }
                Err(IpcError::SerializationError(_)) => heard.garbled(),
                Err(IpcError::Io(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => die(),
            }
        }
    };
    static CONTROL: Helper = Helper::new("csp control", 128 << 10);
    CONTROL.need(watch)
}

/// Sets the limits of this process, ahead of its work.
fn limit(passport: &Passport) -> std::io::Result<()> {
    if let Some(seconds) = passport.cpu_time {
        // The first limit is a signal that says what has happened, and the second ends a process that ignores it.
        lower(Resource::Cpu, seconds, seconds.saturating_add(1))?;
    }
    if let Some(bytes) = passport.memory {
        lower(Resource::Data, bytes, bytes)?;
    }
    Ok(())
}

/// Lowers a limit. A limit that is lower already stays.
fn lower(resource: Resource, current: u64, maximum: u64) -> std::io::Result<()> {
    let before = getrlimit(resource);
    let maximum = before.maximum.unwrap_or(maximum).min(maximum);
    let current = before.current.unwrap_or(current).min(current).min(maximum);
    Ok(setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })?)
}

/// Names the process in the report of a stack overflow on this thread, also if `main` does not run.
pub(crate) fn name_overflows() {
    if AHEAD.load(Ordering::Relaxed) {
        crate::stack::slab::watch_stack_of_this_thread(park::write_path);
    }
}

fn no_thread(error: &std::io::Error) -> String {
    format!("its OS process could have no thread ({error}); run fewer at once")
}

fn receive(messages: &IpcReceiver<ToChild>) -> Option<ToChild> {
    loop {
        match messages.recv() {
            Ok(message) => return Some(message),
            // A signal without `SA_RESTART` interrupts the wait.
            Err(IpcError::Io(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// Ends the process at once: no handler, no flush, nothing that could wait. Nobody is left to run
/// for.
pub(in crate::backend::subprocess) fn die() -> ! {
    // SAFETY: ends the process, whatever its threads do.
    unsafe { libc::_exit(FAILED) }
}

/// Ends the process because its parent has broken a rule. The caller holds the node's lock, so a thread
/// of its own says why.
pub(in crate::backend::subprocess) fn parent_is_wild(reason: &str) {
    let text =
        format!("csp: this OS process ends because of the one that has started it: {reason}\n");
    let say = move || {
        // A parent that does not read must not keep it.
        let error = std::io::stderr();
        let mut polled = [PollFd::new(&error, PollFlags::OUT)];
        let soon = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        if poll(&mut polled, Some(&soon)).is_ok_and(|ready| ready > 0) {
            let _ = (&error).write_all(text.as_bytes());
        }
        die();
    };
    if thread::Builder::new().name("csp farewell".to_owned()).spawn(say).is_err() {
        die();
    }
}

/// The notes that a test sends to a child that it has started.
#[cfg(test)]
pub(crate) mod notes {
    use std::sync::{Mutex, PoisonError};

    use crate::backend::subprocess::boot::ToChild;

    type Handler = Box<dyn Fn(ToChild) + Send>;

    static HANDLER: Mutex<Option<Handler>> = Mutex::new(None);

    pub(crate) fn on_note(handler: impl Fn(ToChild) + Send + 'static) {
        *HANDLER.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(handler));
    }

    pub(super) fn heard(message: ToChild) {
        if let Some(handler) = &*HANDLER.lock().unwrap_or_else(PoisonError::into_inner) {
            handler(message);
        }
    }
}
