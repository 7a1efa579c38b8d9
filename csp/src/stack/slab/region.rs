//! The address space of the stacks: a few reservations. Each is cut into slots of one class, and
//! committed in growing chunks.
//!
//! Two readers of the table may come at any moment: another thread, and the handler of a fault. So
//! an entry is complete before it is counted, never changes after, and is read without a lock.

use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::memory::Reservation;
use super::stack::{self, Class, Stack};
use crate::system::shared::{AtomicUsize, Mutex};

/// Each reservation is as large as all before it, beginning with this. Address space is nearly free
/// on Linux itself, if there is no limit on it. But an emulator (qemu) keeps a table of it, of 3.2
/// GB for 512 GiB. So a million stacks are in some fifteen reservations, of 512 GiB in all.
const FIRST: usize = 16 << 20;
const LAST: usize = 512 << 30;
/// A reservation is smaller if this much is not to be had (a limit on address space, 39-bit
/// addresses), down to this or one slot.
const LEAST: usize = 1 << 20;

const FIRST_CHUNK: usize = 16 << 20;
const LAST_CHUNK: usize = 1 << 30;

const MOST_REGIONS: usize = 256;

/// A reservation for one class.
#[derive(Debug)]
pub(super) struct ClassRegion {
    class: Class,
    space: Reservation,
    /// It is committed up to here.
    committed: usize,
    /// Slots were handed out up to here.
    next: usize,
}

impl ClassRegion {
    /// Reserves a region. `held`: the bytes of address space that the class already has.
    pub(super) fn new(class: Class, held: usize) -> io::Result<ClassRegion> {
        let space = reserve(class, held)?;
        publish(space.range().start, space.range().end, class)?;
        let start = space.range().start;
        Ok(ClassRegion { class, space, committed: start, next: start })
    }

    pub(super) fn bytes(&self) -> usize {
        self.space.range().len()
    }

    /// Returns a slot never used before, without a guard, or `None` if there is no more.
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
        let size = self.class.slot();
        let held = self.committed - self.space.range().start;
        let chunk = held.clamp(FIRST_CHUNK, LAST_CHUNK).max(size) / size * size;
        let chunk = chunk.min(self.space.range().end - self.committed);
        // If the system promises memory strictly, a chunk may be too much and a stack not.
        let chunk = match self.space.commit(self.committed..self.committed + chunk) {
            Ok(()) => chunk,
            Err(_) => self.space.commit(self.committed..self.committed + size).map(|()| size)?,
        };
        self.committed += chunk;
        Ok(())
    }
}

/// Reserves address space for whole slots: as much as there is already, or as much as there is to
/// be had.
fn reserve(class: Class, held: usize) -> io::Result<Reservation> {
    let size = class.slot();
    let mut wanted = held.clamp(FIRST, LAST);
    loop {
        let slots = (wanted / size).max(1);
        match Reservation::new(slots * size, class.align()) {
            Err(_) if slots > 1 && wanted > LEAST => wanted /= 2,
            reserved => return reserved,
        }
    }
}

struct Bounds {
    start: AtomicUsize,
    end: AtomicUsize,
    class: AtomicUsize,
}

static TABLE: [Bounds; MOST_REGIONS] = [const {
    Bounds { start: AtomicUsize::new(0), end: AtomicUsize::new(0), class: AtomicUsize::new(0) }
}; MOST_REGIONS];
/// The number of entries, from the first on, that are complete.
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
pub(super) struct StackSlot {
    pub(super) start: usize,
    pub(super) class: Class,
}

impl StackSlot {
    /// Finds the slot of any address, from any thread, also from a signal handler.
    pub(super) fn at(address: usize) -> Option<StackSlot> {
        // The last are the largest.
        TABLE[..COMPLETE.load(Ordering::Acquire)].iter().rev().find_map(|entry| {
            let start = entry.start.load(Ordering::Relaxed);
            (start..entry.end.load(Ordering::Relaxed)).contains(&address).then(|| {
                let class = Class::from_index(entry.class.load(Ordering::Relaxed));
                StackSlot { start: address - (address - start) % class.slot(), class }
            })
        })
    }

    pub(super) fn end(self) -> usize {
        self.start + self.class.slot()
    }

    /// Returns the end of the guard. From here up, memory may be used.
    pub(super) fn floor(self) -> usize {
        self.start + stack::guard()
    }
}
