//! Plain threads, from their first use of the library to their end.
//!
//! On Unix the destructor of a key of the thread tells of the end. It comes when the thread ends, after the destructors of all
//! `thread_local!`s. It does not come when the program exits, unlike these. So during any destructor its thread is a process
//! as before, and an exit waits for nobody.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::park::{LATE, ThreadPark, UNPARKED, is_late};
use super::sleeping::Look;
use crate::report::termination::Poison;
use crate::sync::{Ordering, thread};
use crate::system::{quiet, thread_id};
use crate::wait::blocked::Blocked;
use crate::wait::context::{self, Context, switch_to};
use crate::wait::future::wakes::Wakes;
use crate::wait::lineage::{Identity, Named};
use crate::wait::panics;
use crate::wait::parking::Children;
use crate::wait::seen::agents::{self, Agent, Lent, Stopped};
use crate::wait::seen::observe::{Activity, Subject};

/// The state that makes a plain thread a process. It is taken over from a thread that has ended, if
/// there is one.
struct Plain {
    park: &'static ThreadPark,
    context: &'static Context,
}

// SAFETY: only one thread at a time touches a context. That is its own thread, and after the end of
// that, through the mutex below, the next. Other threads use only those parts of park and context
// that they may see.
unsafe impl Sync for Plain {}

static IDLE: std::sync::Mutex<Vec<&'static Plain>> = std::sync::Mutex::new(Vec::new());

std::thread_local! {
    /// The plain process of this thread.
    static HERE: Cell<Option<&'static Plain>> = const { Cell::new(None) };
}

impl Agent for Plain {
    /// Returns false, because it schedules no others.
    fn is_in_use(&self) -> bool {
        self.park.in_use.load(Ordering::Relaxed)
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self.park).addr()
    }

    fn stop(&'static self) -> Box<dyn Stopped> {
        Box::new(Held { plain: self, look: self.park.sleeping.look() })
    }

    fn awake(&'static self) -> Option<(String, u32)> {
        let held = Held { plain: self, look: self.park.sleeping.look() };
        if held.why().is_some() {
            return None;
        }
        drop(held);
        let path = self.context.shown(|of| of.of.path(of.index))?;
        Some((path, self.park.number.load(Ordering::Relaxed)))
    }
}

/// A plain thread that can't go on meanwhile, if it sleeps.
struct Held {
    plain: &'static Plain,
    look: Look<'static>,
}

impl Held {
    fn context(&self) -> usize {
        std::ptr::from_ref(self.plain.context).addr()
    }

    /// Returns the thing it waits for, if it sleeps and has not been woken.
    fn why(&self) -> Option<(&dyn Blocked, Option<Instant>)> {
        let woken = self.plain.park.state.load(Ordering::Acquire) == UNPARKED;
        self.look.why().filter(|_| !woken)
    }
}

impl Stopped for Held {
    fn show(&self, mut observer: Lent) {
        observer.agent(self.plain.address(), None);
        let activity = match self.why() {
            Some((why, deadline)) => Activity::Blocked { why, deadline },
            // It goes on as soon as nobody looks.
            None if self.look.why().is_some() => Activity::Ready,
            None => Activity::Running,
        };
        observer.process(Subject::Context(self.plain.context), activity);
    }

    fn still_blocked(&self, contexts: &Arc<HashSet<usize>>) -> usize {
        let blocked = self.why().is_some_and(|(_, deadline)| deadline.is_none());
        usize::from(blocked && contexts.contains(&self.context()))
    }

    fn break_off(&self, contexts: &Arc<HashSet<usize>>, joins: bool, poison: &Poison) -> Wakes {
        let mut later = Wakes::new();
        if contexts.contains(&self.context())
            && let Some((why, _)) = self.why()
        {
            agents::break_off(why, joins, poison, &mut later);
        }
        later
    }
}

impl Plain {
    fn take() -> &'static Self {
        // A model's threads are made anew in each of its executions.
        if !cfg!(loom)
            && let Some(plain) = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop()
        {
            return plain;
        }
        let park: &'static ThreadPark = Box::leak(Box::new(ThreadPark::new()));
        let context: &'static Context = Box::leak(Box::new(Context::new(park)));
        let plain: &'static Self = Box::leak(Box::new(Self { park, context }));
        if !cfg!(loom) {
            agents::know(plain);
        }
        plain
    }

    /// Ends this plain process, so that a later thread can take it over.
    fn end(&'static self) {
        self.context.leave_thread();
        HERE.set(None);
        context::leave();
        self.park.in_use.store(false, Ordering::Relaxed);
        quiet::leave();
        drop(self.context.identity.replace(None).map(ManuallyDrop::into_inner));
        *self.park.thread.lock().unwrap_or_else(PoisonError::into_inner) = None;
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(self);
    }
}

/// Keeps it until the thread ends. If there is no key to be had, the thread keeps it for ever.
fn keep_until_exit(plain: &'static Plain) {
    if !cfg!(loom) {
        HERE.set(Some(plain));
        exit::tell(plain);
    }
}

/// Makes the thread no process until it uses the library again. The thread goes on.
fn leave_before_exit() {
    if let Some(plain) = HERE.get() {
        exit::forget();
        plain.end();
    }
}

#[cfg(all(unix, not(loom)))]
mod exit {
    use std::sync::OnceLock;

    use super::{LATE, Plain};

    /// Returns the key. Returns `None` if the program has as many keys as there may be.
    fn key() -> Option<libc::pthread_key_t> {
        static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();
        *KEY.get_or_init(|| {
            let mut key = 0;
            // SAFETY: the key is written to, and read only if it was made.
            (unsafe { libc::pthread_key_create(&raw mut key, Some(ended)) } == 0).then_some(key)
        })
    }

    /// Makes the key in the loader, before `main`. Keys are destroyed in the order in which they were made, and std forgets the
    /// current thread by a key too. In a process that runs after that, `std::thread::current()` panics, and with it `io`.
    #[cfg(target_os = "linux")]
    #[used]
    #[unsafe(link_section = ".init_array")]
    static EARLY: extern "C" fn() = early;

    #[cfg(target_os = "linux")]
    extern "C" fn early() {
        let _ = key();
    }

    pub(super) fn tell(plain: &'static Plain) {
        if let Some(key) = key() {
            // SAFETY: the key was made, and is never deleted.
            unsafe { libc::pthread_setspecific(key, std::ptr::from_ref(plain).cast()) };
        }
    }

    pub(super) fn forget() {
        if let Some(key) = key() {
            // SAFETY: as above.
            unsafe { libc::pthread_setspecific(key, std::ptr::null()) };
        }
    }

    unsafe extern "C" fn ended(plain: *mut libc::c_void) {
        LATE.set(true);
        // SAFETY: it is what `tell` was given. A later use, from the destructor of another key, makes the thread a process anew.
        unsafe { &*plain.cast_const().cast::<Plain>() }.end();
    }
}

/// A destructor as others, which comes at exit too: what `main` has spawned is not waited for.
#[cfg(not(all(unix, not(loom))))]
mod exit {
    use super::{Cell, LATE, Plain};

    struct Exit(Cell<Option<&'static Plain>>);

    impl Drop for Exit {
        fn drop(&mut self) {
            if let Some(plain) = self.0.take()
                && std::thread::current().name() != Some("main")
            {
                LATE.set(true);
                plain.end();
            }
        }
    }

    std::thread_local! {
        static EXIT: Exit = const { Exit(Cell::new(None)) };
    }

    pub(super) fn tell(plain: &'static Plain) {
        // A thread that is ending already keeps it for ever.
        let _ = EXIT.try_with(|exit| exit.0.set(Some(plain)));
    }

    pub(super) fn forget() {
        let _ = EXIT.try_with(|exit| exit.0.set(None));
    }
}

impl Context {
    fn take_children(&self) -> Option<Arc<dyn Children>> {
        self.children.take()
    }

    /// Ends the processes that a thread spawned and has not joined, because the thread ends. Their remains may
    /// begin others.
    fn leave_thread(&self) {
        loop {
            if let Some(children) = self.take_children() {
                children.wait();
            } else if let Some(clear) = self.at_exit.take() {
                clear();
            } else {
                break;
            }
        }
        self.berth.stopped.set(false);
        self.stopping.replace(None::<Poison>);
    }
}

/// Makes this plain thread a process, until it ends.
#[cold]
pub(super) fn adopt() -> &'static Context {
    panics::remember();
    if !std::thread::panicking() {
        panics::forget();
    }
    let plain = Plain::take();
    let mut name = None;
    if !is_late() {
        *plain.park.thread.lock().unwrap() = Some(thread::current());
        name = std::thread::current().name().map(str::to_owned);
    }
    let context = plain.context;
    context.park_with(plain.park);
    let name = name.unwrap_or_else(|| "thread".to_owned());
    let identity = Identity { of: Arc::new(PlainName { name, scope: 0 }), index: 0 };
    // By `rename_thread`, or when the thread ends.
    context.identity.replace(Some(ManuallyDrop::new(identity)));
    context.hidden.store(false, Ordering::Relaxed);
    switch_to(context);
    plain.park.number.store(thread_id::of_this_thread(), Ordering::Relaxed);
    plain.park.in_use.store(true, Ordering::Relaxed);
    quiet::join();
    keep_until_exit(plain);
    context
}

/// Runs something that this thread does for others. If the thread was no process before, it is one only as long as that lasts.
pub(crate) fn errand(job: impl FnOnce()) {
    let before = context::here();
    job();
    match (before, context::here()) {
        (None, Some(_)) => leave_before_exit(),
        (_, Some(context)) => {
            if let Some(children) = context.take_children() {
                children.wait();
            }
            context.recover();
        }
        (_, None) => {}
    }
}

/// The process that a plain thread is: it goes by the thread's name.
struct PlainName {
    name: String,
    scope: u32,
}

impl Named for PlainName {
    fn write_name(&self, _: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(&self.name)
    }

    fn is_thread(&self) -> bool {
        true
    }

    fn scope(&self) -> u32 {
        self.scope
    }
}

/// Renames this thread, which runs no other process, but `context`.
pub(crate) fn rename_thread(context: &Context, name: &str, scope: u32) {
    let of = Arc::new(PlainName { name: name.to_owned(), scope });
    let before = context.identity.replace(Some(ManuallyDrop::new(Identity { of, index: 0 })));
    drop(before.map(ManuallyDrop::into_inner));
}
