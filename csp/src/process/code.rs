//! The function of a process value: the body, and how the body is run in another OS process.
//!
//! The macros fill in this plain data and a backend uses it. Only the backend knows whether another OS process can
//! be reached.
#![allow(missing_debug_implementations, reason = "nobody outside sees them")]

use super::{Awaiting, Body};

/// The function of a process. Each instance of a generic function has its own `Code`.
pub struct Code<A, R> {
    pub(crate) body: Body<A, R>,
    pub(crate) depart: Option<Depart<A, R>>,
}

/// Serializes arguments. An error says which argument can't be serialized, and why.
pub(crate) type Depart<A, R> = fn(&A) -> Result<Departure<R>, String>;

impl<A, R> Clone for Code<A, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, R> Copy for Code<A, R> {}

impl<A, R> Code<A, R> {
    /// Makes the code of a function that runs in this OS process only.
    pub const fn new(body: fn(A) -> R) -> Self {
        Self { body: Body::Waits(body), depart: None }
    }

    /// Makes the code of a function that returns a future. The function runs in this OS process only.
    pub fn awaiting<F: Future<Output = R> + 'static>(body: fn(A) -> F) -> Self
    where
        A: 'static,
        R: 'static,
    {
        Self { body: Body::Awaits(Awaiting::of(body)), depart: None }
    }

    /// Lets the function run in another OS process too.
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
    /// The function that runs it there.
    pub entry: &'static Entry,
    /// Its arguments, serialized.
    pub arguments: Vec<u8>,
    /// Deserializes what the process returned there.
    pub arrive: fn(&[u8]) -> Result<R, String>,
}

/// One function that can be run in another OS process, as that OS process finds it in the executable.
#[repr(C)]
pub struct Entry {
    pub(crate) magic: u64,
    pub(crate) hash: u64,
    pub(crate) name: &'static str,
    /// Names the instance of a generic function.
    pub(crate) instance: fn() -> &'static str,
    /// Takes the bytes that came with the start and returns the result as bytes, or the reason why it can't.
    pub(crate) run: fn(&[u8]) -> Result<Vec<u8>, String>,
}

impl Entry {
    /// The first field of every entry. Nothing else begins with it.
    pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"csp:proc");

    /// Makes the entry of the function `name`, whose signature has this [`hash`].
    pub const fn new(
        name: &'static str,
        hash: u64,
        instance: fn() -> &'static str,
        run: fn(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Self {
        Self { magic: Self::MAGIC, hash, name, instance, run }
    }
}

/// Returns the FNV-1a hash (Fowler, Noll, Vo) of a signature. Two builds of one signature agree in it, and two
/// signatures hardly ever do.
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
