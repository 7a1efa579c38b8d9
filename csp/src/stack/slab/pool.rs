//! The free stacks of the program, by class. Threads take and return them by the batch, so the lock
//! is rarely taken.
//!
//! A stack is either out (with a thread) or on one list:
//! - `warm`: used before and still holding memory. The most recently used is last, and taken first.
//! - `cold`: guarded, without memory.
//! - `bare`: without memory, without a guard. The slots of the region that were never handed out
//!   come behind it.

use std::mem;
use std::sync::{MutexGuard, PoisonError};

use super::guard::{self, GuardKind};
use super::memory;
use super::region::ClassRegion;
use super::stack::{Class, NoStack, Stack};
use crate::system::shared::Mutex;

/// The warm stacks that are kept in any case. They hold this much memory if each used 4 KiB, and
/// the second figure if each used all it has.
const MARK: usize = 1024;
const MARK_BYTES: usize = 256 << 20;

/// A thread that takes this many at once is on the way to many more, and will touch each.
const CERTAIN: usize = 64;

/// The longest time that a thread waits for the lock: as long as emptying this many stacks takes
/// (about a millisecond).
const STEP: usize = 4096;

#[derive(Debug)]
pub(super) struct Pool {
    class: Class,
    warm: Vec<Stack>,
    cold: Vec<Stack>,
    bare: Vec<Stack>,
    region: Option<ClassRegion>,
    /// Address space of all regions of this class.
    held: usize,
    out: usize,
    /// The most stacks that were out since the last tick, and in the period before it.
    peak: usize,
    peak_before: usize,
}

static POOLS: [Mutex<Pool>; Class::COUNT] = [const { Mutex::new(Pool::new()) }; Class::COUNT];

impl Pool {
    const fn new() -> Pool {
        Pool {
            class: Class::from_index(0),
            warm: Vec::new(),
            cold: Vec::new(),
            bare: Vec::new(),
            region: None,
            held: 0,
            out: 0,
            peak: 0,
            peak_before: 0,
        }
    }

    pub(super) fn of(class: Class) -> MutexGuard<'static, Pool> {
        let mut pool = POOLS[class.index()].lock().unwrap_or_else(PoisonError::into_inner);
        pool.class = class;
        pool
    }

    /// Moves some stacks to an empty list, at least one. The last one is to be used first.
    pub(super) fn withdraw(&mut self, into: &mut Vec<Stack>) -> Result<(), NoStack> {
        // Threads that use many get many at once, so that 1,000,000 take the lock some 5,000 times.
        let wanted = (self.out / 8).clamp(8, 256);
        let warm = !self.warm.is_empty();
        if warm {
            into.extend(self.warm.drain(self.warm.len().saturating_sub(wanted)..));
        } else if !self.cold.is_empty() {
            into.extend(self.cold.drain(self.cold.len().saturating_sub(wanted)..));
        } else {
            self.make(GuardKind::batch(wanted), into)?;
            into.reverse();
        }
        if !warm && into.len() >= CERTAIN {
            memory::populate(into);
        }
        self.out += into.len();
        self.peak = self.peak.max(self.out);
        Ok(())
    }

    /// Guards fresh stacks, at least one, the lowest address first.
    #[cold]
    fn make(&mut self, wanted: usize, into: &mut Vec<Stack>) -> Result<(), NoStack> {
        while into.len() < wanted {
            match self.fresh() {
                Ok(stack) => into.push(stack),
                Err(error) if into.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        let (guarded, result) = guard::guard(into);
        self.bare.extend(into.drain(guarded..).rev());
        if into.is_empty() { result } else { Ok(()) }
    }

    fn fresh(&mut self) -> Result<Stack, NoStack> {
        if let Some(stack) = self.bare.pop() {
            return Ok(stack);
        }
        loop {
            if let Some(region) = &mut self.region
                && let Some(stack) = region.next().map_err(NoStack::memory)?
            {
                return Ok(stack);
            }
            let region = ClassRegion::new(self.class, self.held).map_err(NoStack::memory)?;
            self.held += region.bytes();
            self.region = Some(region);
        }
    }

    /// Takes stacks back, the coldest first. Returns true if there are now more than are kept for
    /// long.
    pub(super) fn deposit(&mut self, stacks: impl ExactSizeIterator<Item = Stack>) -> bool {
        self.out -= stacks.len();
        self.warm.extend(stacks);
        self.warm.len() > self.mark()
    }

    fn mark(&self) -> usize {
        MARK.min(MARK_BYTES / self.class.bytes())
    }

    /// Counts a period. Returns how many warm stacks are more than a repetition of the last two
    /// periods could need.
    pub(super) fn tick(&mut self) -> usize {
        let need = self.peak.max(self.peak_before) - self.out;
        self.peak_before = mem::replace(&mut self.peak, self.out);
        self.warm.len().saturating_sub(need.max(self.mark()))
    }

    /// Gives memory back to the system: that of up to `excess` of the stacks that were not used for
    /// longest, one step of them. Returns true if more are left to do.
    pub(super) fn cool(&mut self, excess: &mut usize) -> bool {
        let step = (*excess).min(self.warm.len()).min(STEP);
        self.warm[..step].sort_unstable();
        memory::give_back(&mut self.warm[..step]);
        self.cold.extend(self.warm.drain(..step));
        *excess -= step;
        step != 0 && *excess != 0
    }

    /// Takes all cold stacks, to be made bare. Takes none if a guard is a mapping's protection,
    /// because it would be lost and still counted.
    pub(super) fn take_cold(&mut self) -> Vec<Stack> {
        if GuardKind::are_marks() { mem::take(&mut self.cold) } else { Vec::new() }
    }

    pub(super) fn put_bare(&mut self, bare: Vec<Stack>) {
        self.bare.extend(bare);
    }

    pub(super) fn put_cold(&mut self, cold: Vec<Stack>) {
        self.cold.extend(cold);
        self.warm.shrink_to(2 * self.warm.len());
    }

    /// Returns whether no more stacks than the mark are warm.
    pub(super) fn is_settled(&self) -> bool {
        self.warm.len() <= self.mark()
    }
}
