//! Where stacks are: a few reservations, each cut into slots of one class, and each committed in growing
//! chunks.
//!
//! Two readers of the table may come at any moment: another thread, and the handler of a fault. So an entry
//! is complete before it is counted, never changes after, and is read without a lock.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::memory::{self, Reservation};
use super::stack::{Class, Stack};

/// Address space is nearly free, a mapping is not: 2,097,152 stacks of 256 KiB in one.
const LARGE: usize = 512 << 30;
/// Where so much is not to be had (a limit on address space, 39-bit addresses): begin with this, then double.
const SMALL: usize = 16 << 20;

const FIRST_CHUNK: usize = 16 << 20;
const LAST_CHUNK: usize = 1 << 30;

const MOST_REGIONS: usize = 256;

/// A reservation for one class.
#[derive(Debug)]
pub(super) struct Region {
    class: Class,
    space: Reservation,
    /// Up to here it is committed.
    committed: usize,
    /// Up to here slots were handed out.
    next: usize,
}

impl Region {
    /// `held`: the bytes of address space that the class already has.
    pub(super) fn new(class: Class, held: usize) -> io::Result<Region> {
        let size = class.bytes();
        let space = Reservation::new(LARGE.max(size), size)
            .or_else(|_| Reservation::new(SMALL.max(held).max(size), size))
            .or_else(|_| Reservation::new(SMALL.max(size), size))?;
        publish(space.range().start, space.range().end, class)?;
        let start = space.range().start;
        Ok(Region { class, space, committed: start, next: start })
    }

    pub(super) fn bytes(&self) -> usize {
        self.space.range().len()
    }

    /// A slot never used before, without a guard; `None` when there is no more.
    pub(super) fn next(&mut self) -> io::Result<Option<Stack>> {
        if self.next == self.space.range().end {
            return Ok(None);
        }
        if self.next == self.committed {
            self.grow()?;
        }
        let stack = Stack::new(self.next, self.class);
        self.next = stack.end();
        Ok(Some(stack))
    }

    #[cold]
    fn grow(&mut self) -> io::Result<()> {
        let size = self.class.bytes();
        let held = self.committed - self.space.range().start;
        let chunk = held
            .clamp(FIRST_CHUNK, LAST_CHUNK)
            .max(size)
            .min(self.space.range().end - self.committed);
        // Where memory is promised strictly, a chunk may be too much and a stack not.
        let chunk = match self.space.commit(self.committed..self.committed + chunk) {
            Ok(()) => chunk,
            Err(_) => self.space.commit(self.committed..self.committed + size).map(|()| size)?,
        };
        self.committed += chunk;
        Ok(())
    }
}

struct Entry {
    start: AtomicUsize,
    end: AtomicUsize,
    class: AtomicUsize,
}

static TABLE: [Entry; MOST_REGIONS] = [const {
    Entry { start: AtomicUsize::new(0), end: AtomicUsize::new(0), class: AtomicUsize::new(0) }
}; MOST_REGIONS];
/// The first so many entries are complete.
static COMPLETE: AtomicUsize = AtomicUsize::new(0);

fn publish(start: usize, end: usize, class: Class) -> io::Result<()> {
    static WRITER: Mutex<()> = Mutex::new(());
    let _only = WRITER.lock().unwrap_or_else(PoisonError::into_inner);
    let index = COMPLETE.load(Ordering::Relaxed);
    let entry =
        TABLE.get(index).ok_or_else(|| io::Error::other("too many reservations for stacks"))?;
    entry.start.store(start, Ordering::Relaxed);
    entry.end.store(end, Ordering::Relaxed);
    entry.class.store(class.index(), Ordering::Relaxed);
    COMPLETE.store(index + 1, Ordering::Release);
    Ok(())
}

/// The slot that an address lies in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) start: usize,
    pub(super) class: Class,
}

impl Slot {
    /// For any address, from any thread, also from a signal handler.
    pub(super) fn at(address: usize) -> Option<Slot> {
        TABLE[..COMPLETE.load(Ordering::Acquire)]
            .iter()
            .find(|entry| {
                (entry.start.load(Ordering::Relaxed)..entry.end.load(Ordering::Relaxed))
                    .contains(&address)
            })
            .map(|entry| {
                let class = Class::from_index(entry.class.load(Ordering::Relaxed));
                Slot { start: address & !(class.bytes() - 1), class }
            })
    }

    pub(super) fn end(self) -> usize {
        self.start + self.class.bytes()
    }

    /// The end of the guard: from here up, memory may be used.
    pub(super) fn floor(self) -> usize {
        self.start + memory::page()
    }
}
