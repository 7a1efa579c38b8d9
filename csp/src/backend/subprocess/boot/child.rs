//! The child's side: caught ahead of `main`, it runs one function and ends.
#![allow(unsafe_code)]

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{env, process, thread};

use ipc_channel::IpcError;
use ipc_channel::ipc::{self, IpcReceiver, IpcSender};

use super::super::carry::Ends;
use super::super::node;
use super::{Blob, Call, Ended, FromChild, Passport, Start, ToChild, VARIABLE};
use crate::quiet;

/// How many processes there are above this one.
static DEPTH: AtomicU32 = AtomicU32::new(0);
/// Whether `main` has passed through [`init`]: then the children of this process will too.
static INITIALISED: AtomicBool = AtomicBool::new(false);
/// What the hook has left to [`init`].
static FOR_MAIN: Mutex<Option<Call>> = Mutex::new(None);
static PARENT: OnceLock<Mutex<IpcSender<FromChild>>> = OnceLock::new();
static PASSPORT: OnceLock<Passport> = OnceLock::new();
/// The channel ends among the arguments.
static ENDS: Mutex<Ends> = Mutex::new(Ends::none());

/// Run by the loader before `main`. In whatever executable: a program, a test, a benchmark.
#[used]
#[unsafe(link_section = ".init_array")]
static HOOK: extern "C" fn() = hook;

extern "C" fn hook() {
    // Everybody but a child leaves here.
    let Some(call) = env::var_os(VARIABLE) else {
        return;
    };
    // What is started from here on is not meant by it.
    // SAFETY: before `main`, on the only thread.
    unsafe { env::remove_var(VARIABLE) };
    // An unwinding hook would be undefined; and what is no call of ours is none of ours.
    let Some(call) = call.to_str().and_then(Call::parse) else {
        return;
    };
    // What locks need of the system takes milliseconds once there is a second thread.
    crate::backend::slab::barrier::is_here();
    if call.in_main {
        *FOR_MAIN.lock().unwrap_or_else(PoisonError::into_inner) = Some(call);
        return;
    }
    // The standard library does this ahead of `main`, which will not run: writing to a dead peer is an error, not death.
    // SAFETY: setting a signal's disposition on the only thread.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let _ = catch_unwind(|| serve(call));
    process::exit(FAILED);
}

/// The exit status of a child that could not even begin.
const FAILED: i32 = 101;

/// For `main` of a program: a child goes no further.
pub(crate) fn init() {
    INITIALISED.store(true, Ordering::Relaxed);
    let call = FOR_MAIN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(call) = call {
        serve(call);
    }
}

/// What a process needs to know of itself to start children. Refers to the hook, so that who starts children has it.
pub(super) fn about() -> (bool, u32) {
    std::hint::black_box(&HOOK);
    (INITIALISED.load(Ordering::Relaxed), DEPTH.load(Ordering::Relaxed))
}

/// Sends the parent something, if this is a child and it lives.
pub(crate) fn tell_parent(message: FromChild) {
    if let Some(parent) = PARENT.get() {
        let parent = parent.lock().unwrap_or_else(PoisonError::into_inner);
        // A parent that is gone is noticed where its messages end.
        let _ = parent.send(message);
    }
}

/// Who the process is that this child runs.
pub(crate) fn passport() -> &'static Passport {
    PASSPORT.get_or_init(Passport::default)
}

/// The channel ends among the arguments, once.
pub(crate) fn ends() -> Ends {
    std::mem::take(&mut *ENDS.lock().unwrap_or_else(PoisonError::into_inner))
}

fn serve(call: Call) -> ! {
    // What runs here is awake until the parent has been told of its end.
    quiet::ignore_this_thread();
    quiet::wake();
    DEPTH.store(call.depth, Ordering::Relaxed);
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
    let Start { entry, arguments, stack, passport, shared, ends } = *start;
    if let Some(shared) = shared {
        node::join(shared);
    }
    let _ = PASSPORT.set(passport);
    *ENDS.lock().unwrap_or_else(PoisonError::into_inner) = ends;
    watch(messages);
    let ended = run(move || (entry.find()?.run)(&arguments.0), stack);
    // Before anybody learns of the end: what it has printed comes first.
    let _ = std::io::stdout().flush();
    node::settle();
    tell_parent(FromChild::Ended(ended));
    process::exit(0);
}

/// Runs the body on a fresh thread: with a guard page, a name, and a stack of the size that was asked for.
fn run(
    body: impl FnOnce() -> Result<Vec<u8>, String> + Send + 'static,
    stack: Option<usize>,
) -> Ended {
    let name = passport().name.replace('\0', "\u{fffd}");
    let mut builder = thread::Builder::new().name(name);
    if let Some(stack) = stack {
        builder = builder.stack_size(stack);
    }
    // It is counted already.
    let counted = move || {
        quiet::lend_this_thread();
        body()
    };
    let thread = match builder.spawn(counted) {
        Ok(thread) => thread,
        Err(error) => return Ended::Refused(error.to_string()),
    };
    match thread.join() {
        Ok(Ok(result)) => Ended::Returned(Blob(result)),
        Ok(Err(refused)) => Ended::Refused(refused),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            // What was thrown is the user's, and may panic when it is dropped.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            Ended::Panicked(text.unwrap_or_else(|| "something that is not text".to_owned()))
        }
    }
}

/// After `Start` comes nothing but memory (and notes, in tests) until the parent's end, which is this process's end.
fn watch(messages: IpcReceiver<ToChild>) {
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
    let builder = thread::Builder::new().name("csp control".to_owned()).stack_size(128 * 1024);
    if builder.spawn(watch).is_err() {
        die();
    }
}

fn receive(messages: &IpcReceiver<ToChild>) -> Option<ToChild> {
    loop {
        match messages.recv() {
            Ok(message) => return Some(message),
            // A signal without `SA_RESTART`.
            Err(IpcError::Io(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// Nobody is left to run for: no handler, no flush, nothing that could wait.
fn die() -> ! {
    // SAFETY: ends the process, whatever its threads do.
    unsafe { libc::_exit(FAILED) }
}

/// What a test says to a child that it has started.
#[cfg(test)]
pub(crate) mod notes {
    use std::sync::{Mutex, PoisonError};

    use super::ToChild;

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
