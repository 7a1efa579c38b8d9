//! The way of a signal from the system to the channels.
//!
//! The handler of `signal-hook` notes a signal. A thread of the library's hears of it (`queued.rs`, or `threaded.rs` without event
//! queues), and puts the signal into each channel that is for its kind.
//!
//! Invariants:
//! - A channel holds each kind once at most, and has room for all of its kinds. So the thread never waits for a reader.
//! - A channel is in the list before its kinds are handled. So a signal without a channel is one that nobody wants.
//! - While a process stands at one of the channels, the watch does not take it that nobody can be woken.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{io, ptr};

use signal_hook::iterator::Handle;
use signal_hook::low_level;

use super::super::bell;
use super::Signal;
use crate::channel::core::Core;
use crate::sync::Arc;
use crate::system::forked::Afresh;
use crate::system::quiet;
use crate::wait::blocked::Side;

/// The post office of this OS process.
pub(super) struct Post(Mutex<Directory>);

#[derive(Default)]
struct Directory {
    /// The way to ask for more kinds, once somebody hears of signals.
    handle: Option<Handle>,
    subscribers: Vec<Subscriber>,
    handled: Vec<Handled>,
}

/// A channel for signals. The post has a writing end of it.
struct Subscriber {
    kinds: Vec<Signal>,
    channel: Arc<Core<Signal>>,
}

/// A kind that is handled.
struct Handled {
    kind: Signal,
    /// The system did with it what it does by default.
    by_default: bool,
}

impl Post {
    pub(super) fn of_this_process() -> &'static Self {
        static POST: Afresh<Post> = Afresh::new();
        POST.get(|| {
            quiet::woken_from_outside_if(|| Self::of_this_process().is_awaited());
            Self(Mutex::default())
        })
    }

    fn lock(&self) -> MutexGuard<'_, Directory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts all signals of these kinds into the channel from now on, until it ends.
    pub(super) fn deliver_to(
        &self,
        channel: &Arc<Core<Signal>>,
        kinds: &[Signal],
    ) -> io::Result<()> {
        let mut directory = self.lock();
        let ended = directory.take_ended();
        let handle = directory.handle()?;
        channel.join(Side::Writer);
        directory
            .subscribers
            .push(Subscriber { kinds: kinds.to_vec(), channel: Arc::clone(channel) });
        let handled = kinds.iter().try_for_each(|&kind| directory.handle_kind(&handle, kind));
        if handled.is_err() {
            directory.subscribers.pop();
        }
        drop(directory);
        drop(ended);
        handled
    }

    /// Puts a signal into the channels for it. Does what the system does by default if there are none.
    fn deliver(&self, kind: Signal) {
        let mut directory = self.lock();
        let ended = directory.take_ended();
        let of_kind = directory.subscribers.iter().filter(|all| all.kinds.contains(&kind));
        let channels: Vec<_> = of_kind.map(|of| Arc::clone(&of.channel)).collect();
        let by_default = directory.handled.iter().any(|of| of.kind == kind && of.by_default);
        drop(directory);
        drop(ended);
        // All channels get it, also after one of them.
        let delivered = channels.iter().filter(|channel| channel.put_once(kind)).count();
        if delivered == 0 && by_default {
            // A kind without a default that is known here is left alone.
            let _ = low_level::emulate_default_handler(kind.number());
        }
    }

    /// Returns whether a process waits for a signal.
    fn is_awaited(&self) -> bool {
        self.lock().subscribers.iter().any(|of| of.channel.is_awaited())
    }
}

impl Directory {
    /// Takes out the channels that have ended. The caller drops them when nothing is locked.
    fn take_ended(&mut self) -> Vec<Subscriber> {
        let has_ended = |of: &mut Subscriber| of.channel.termination(Side::Writer).is_some();
        self.subscribers.extract_if(.., has_ended).collect()
    }

    /// Returns the way to ask for more kinds. From the first need on somebody hears of signals.
    fn handle(&mut self) -> io::Result<Handle> {
        if let Some(handle) = &self.handle {
            return Ok(handle.clone());
        }
        let handle = bell::hear(|number| {
            Post::of_this_process().deliver(Signal::new(number));
        })?;
        self.handle = Some(handle.clone());
        Ok(handle)
    }

    fn handle_kind(&mut self, handle: &Handle, kind: Signal) -> io::Result<()> {
        if self.handled.iter().any(|of| of.kind == kind) {
            return Ok(());
        }
        let by_default = action_of(kind)?.sa_sigaction == libc::SIG_DFL;
        handle.add_signal(kind.number())?;
        self.handled.push(Handled { kind, by_default });
        use_alternate_stack(kind)
    }
}

/// Returns whether the system, and the language, let a program handle this kind.
pub(super) fn may_be_handled(kind: Signal) -> bool {
    kind.number() > 0 && !signal_hook::consts::FORBIDDEN.contains(&kind.number())
}

/// Returns what the system does with signals of this kind.
fn action_of(kind: Signal) -> io::Result<libc::sigaction> {
    // SAFETY: an action of zeros is a valid one, and the call only writes another one there.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        match libc::sigaction(kind.number(), ptr::null(), &raw mut action) {
            0 => Ok(action),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Has the handler run on the alternate stack of its thread. A coroutine may have little room left on its own.
fn use_alternate_stack(kind: Signal) -> io::Result<()> {
    let mut action = action_of(kind)?;
    action.sa_flags |= libc::SA_ONSTACK;
    // SAFETY: the action is the present one. Only the stack of its handler changes.
    match unsafe { libc::sigaction(kind.number(), &raw const action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
