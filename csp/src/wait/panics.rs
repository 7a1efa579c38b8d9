//! The record of a panic while it unwinds. It holds the message and place that the panic hook saw, and the poison that the
//! process's ends are left with.
//!
//! Invariant: a record belongs to one panic of one process. The record goes when the library has caught that panic, and when
//! the library's hook is replaced. It also goes when its process communicates, drops an end or ends afterwards.

use std::any::Any;
use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::park;
use crate::report::termination::{Cause, Poison};

/// The message of a panic that was thrown with something else than text.
pub(crate) const NO_TEXT: &str = "a value that is not text";

/// Message and place.
pub(crate) type Record = (String, Option<String>);

struct Known {
    /// The context it happened in, by address. The value 0 means none yet.
    of: usize,
    /// How many times the hook had been replaced.
    replaced: usize,
    record: Record,
    /// The poison that the ends of the process are left with: one for all.
    poison: Option<Poison>,
}

impl Known {
    fn new(of: usize, record: Record) -> Self {
        Self { of, replaced: REPLACED.load(Ordering::Relaxed), record, poison: None }
    }

    fn is_of(&self, context: usize) -> bool {
        (self.of == context || self.of == 0) && self.replaced == REPLACED.load(Ordering::Relaxed)
    }
}

std::thread_local! {
    static LAST: RefCell<Option<Known>> = const { RefCell::new(None) };
}

/// How many times somebody has dropped the library's hook. None of them is put back: the hook is the program's.
static REPLACED: AtomicUsize = AtomicUsize::new(0);

/// Lives in the hook.
struct Witness;

impl Drop for Witness {
    fn drop(&mut self) {
        REPLACED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Remembers panics from now on, and then shows them as they were shown before.
pub(crate) fn remember() {
    static ONCE: Once = Once::new();
    // A thread that panics may not touch the hook: one that comes later will.
    if std::thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let (shown, witness) = (std::panic::take_hook(), Witness);
        std::panic::set_hook(Box::new(move |info| {
            let _ = &witness;
            see(info);
            shown(info);
        }));
    });
}

fn see(info: &PanicHookInfo<'_>) {
    let message = text_of(info.payload()).unwrap_or(NO_TEXT).to_owned();
    note(message, info.location().map(ToString::to_string));
}

/// Returns the message of a panic, if it is text.
pub(crate) fn text_of(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// Notes that the process of this thread panics, with or without the hook.
pub(crate) fn note(message: String, place: Option<String>) {
    if let Some(context) = park::running() {
        context.has_panicked();
    }
    // A panic inside another, in a destructor that catches it, does not change what the ends have begun to
    // say.
    let poison = replace(None).filter(|known| known.is_of(here())).and_then(|known| known.poison);
    replace(Some(Known { poison, ..Known::new(here(), (message, place)) }));
}

/// Returns the address of the context that runs on this thread. Returns 0 if there is none yet.
pub(crate) fn here() -> usize {
    park::running().map_or(0, |context| std::ptr::from_ref(context).addr())
}

fn replace(known: Option<Known>) -> Option<Known> {
    LAST.try_with(|last| last.replace(known)).ok().flatten()
}

/// Takes the hook's record of the panic that the process was in, because that has been caught.
pub(crate) fn take() -> Option<Record> {
    replace(None).filter(|known| known.is_of(here())).map(|known| known.record)
}

/// Puts a record back, because a panic that was caught goes on here.
pub(crate) fn put(seen: Option<Record>) {
    replace(seen.map(|record| Known::new(here(), record)));
}

/// Forgets any panic that this thread was in: it got over it.
pub(crate) fn forget() {
    drop(replace(None));
}

/// Does something whose panics, which are caught, are not the one that may unwind now.
#[inline]
pub(crate) fn apart<R>(act: impl FnOnce() -> R) -> R {
    if !std::thread::panicking() {
        return act();
    }
    let before = replace(None);
    let done = act();
    drop(replace(before));
    done
}

/// Returns the poison of the panic that unwinds the process of this context, whose path is this.
pub(crate) fn poison(context: usize, path: impl FnOnce() -> String) -> Poison {
    let known = replace(None).filter(|known| known.is_of(context));
    let mut known = known.unwrap_or_else(|| Known::new(context, (unknown().to_owned(), None)));
    let poison = known.poison.take().unwrap_or_else(|| {
        let (message, place) = known.record.clone();
        Poison::new(Cause::Panic { process: path(), message, place })
    });
    known.poison = Some(poison.clone());
    replace(Some(known));
    poison
}

/// Returns the poison of the panic that unwinds a task on the thread of this context, whose path is this. An earlier panic of another
/// task may have left a record, which the library has not seen caught. So the ends share a poison only if it tells of the same panic.
pub(crate) fn poison_of_task(context: usize, path: String) -> Poison {
    let known = replace(None).filter(|known| known.is_of(context));
    let mut known = known.unwrap_or_else(|| Known::new(context, (unknown().to_owned(), None)));
    let (message, place) = known.record.clone();
    let cause = Cause::Panic { process: path, message, place };
    let before = known.poison.take().filter(|poison| *poison.cause() == cause);
    let poison = before.unwrap_or_else(|| Poison::new(cause));
    known.poison = Some(poison.clone());
    replace(Some(known));
    poison
}

/// Returns the message for a panic that the hook did not see. Ends are dropped before the payload can be looked at.
fn unknown() -> &'static str {
    match REPLACED.load(Ordering::Relaxed) {
        0 => "its message is not known, because the panic hook was not called",
        _ => "its message is not known, because the panic hook was replaced",
    }
}
