//! What a process value knows of its function: the body, and how the body is run in another OS process.
//!
//! Plain data, for the macros to fill and a backend to use: whether there is a way to another OS process, a backend knows.
#![allow(missing_debug_implementations, reason = "nobody outside sees them")]

use super::{Awaiting, Body};

/// The function of a process. One for each instance of a generic function.
pub struct Code<A, R> {
    pub(crate) body: Body<A, R>,
    pub(crate) depart: Option<Depart<A, R>>,
}

/// Packs arguments up. An error says which of them can't be, and why.
pub(crate) type Depart<A, R> = fn(&A) -> Result<Departure<R>, String>;

impl<A, R> Clone for Code<A, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, R> Copy for Code<A, R> {}

impl<A, R> Code<A, R> {
    /// A function that runs in this OS process only.
    pub const fn new(body: fn(A) -> R) -> Self {
        Self { body: Body::Waits(body), depart: None }
    }

    /// A function that gives a future. It runs in this OS process only.
    pub fn awaiting<F: Future<Output = R> + 'static>(body: fn(A) -> F) -> Self
    where
        A: 'static,
        R: 'static,
    {
        Self { body: Body::Awaits(Awaiting::of(body)), depart: None }
    }

    /// It runs in another one too.
    pub const fn portable(mut self, depart: Depart<A, R>) -> Self {
        self.depart = Some(depart);
        self
    }

    pub(crate) fn depart(&self, arguments: &A) -> Result<Departure<R>, String> {
        match self.depart {
            Some(depart) => depart(arguments),
            None => Err(NOT_PORTABLE.to_owned()),
        }
    }
}

const NOT_PORTABLE: &str = "its function can't be run in another OS process: mark it `#[multiprocess]`, \
    or run it on a thread or a coroutine";

/// A process that is ready to be run in another OS process.
pub struct Departure<R> {
    /// What runs it there.
    pub entry: &'static Entry,
    /// Its arguments.
    pub arguments: Vec<u8>,
    /// Unpacks what it returned there.
    pub arrive: fn(&[u8]) -> Result<R, String>,
}

/// One function that can be run in another OS process, as that one finds it in the executable.
#[repr(C)]
pub struct Entry {
    pub(crate) magic: u64,
    pub(crate) hash: u64,
    pub(crate) name: &'static str,
    /// Which instance of a generic function.
    pub(crate) instance: fn() -> &'static str,
    /// Takes what came with the start and gives what becomes of it, as bytes; or says why it can't.
    pub(crate) run: fn(&[u8]) -> Result<Vec<u8>, String>,
}

impl Entry {
    /// What every entry begins with, and nothing else does.
    pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"csp:proc");

    /// The entry of the function `name`, whose signature has this [`hash`].
    pub const fn new(
        name: &'static str,
        hash: u64,
        instance: fn() -> &'static str,
        run: fn(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Self {
        Self { magic: Self::MAGIC, hash, name, instance, run }
    }
}

/// FNV-1a (Fowler, Noll, Vo): what two builds of one signature have in common, and of two hardly ever.
pub const fn hash(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}
