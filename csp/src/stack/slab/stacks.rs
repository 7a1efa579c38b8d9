//! Stacks for the fibers of one thread. The last one given back is the first one taken, without a
//! lock.

use std::cell::RefCell;

use super::pool::Pool;
use super::stack::{Class, NoStack, Stack};
use super::{overflow, reclaim};

/// The limits of the free stacks of each class that a thread keeps for itself. The second counts
/// the memory they would hold if each used all it has.
const MOST: usize = 512;
const MOST_BYTES: usize = 128 << 20;

/// A thread's own free stacks. When the thread ends, they go to the program's pool.
struct Cache {
    free: [Vec<Stack>; Class::COUNT],
    /// Kept for telling processes that there is no stack for them, because that takes one too.
    spare: Option<Stack>,
}

std::thread_local! {
    static CACHE: RefCell<Cache> =
        const { RefCell::new(Cache { free: [const { Vec::new() }; Class::COUNT], spare: None }) };
}

/// Takes a stack of at least this many bytes.
pub(super) fn take(bytes: usize) -> Result<Stack, NoStack> {
    let class = Class::of(bytes).ok_or(NoStack::Size { bytes })?;
    let taken = CACHE.try_with(|cache| {
        let cache = &mut *cache.borrow_mut();
        match cache.free[class.index()].pop() {
            Some(stack) => Ok(stack),
            None => cache.refill(class),
        }
    });
    taken.unwrap_or_else(|_| take_late(class))
}

/// Takes a stack for a thread that is about to end, and whose cache is gone already.
#[cold]
fn take_late(class: Class) -> Result<Stack, NoStack> {
    let mut some = Vec::new();
    Pool::of(class).withdraw(&mut some)?;
    let stack = some.pop().expect("a withdrawal is at least one stack");
    spill(class, some.into_iter());
    Ok(stack)
}

/// Takes the stack that the thread has kept as a spare, once it has had one. `give` keeps the next
/// one.
pub(super) fn take_spare() -> Option<Stack> {
    CACHE.try_with(|cache| cache.borrow_mut().spare.take()).ok().flatten()
}

impl Cache {
    #[cold]
    fn refill(&mut self, class: Class) -> Result<Stack, NoStack> {
        overflow::watch_this_thread();
        let free = &mut self.free[class.index()];
        Pool::of(class).withdraw(free)?;
        let stack = free.pop().expect("a withdrawal is at least one stack");
        if self.spare.is_none() {
            self.spare = free.pop();
        }
        Ok(stack)
    }
}

/// Takes back a stack that is not in use any more.
pub(super) fn give(stack: Stack) {
    let class = stack.class();
    let mut stack = Some(stack);
    let kept = CACHE.try_with(|cache| {
        let cache = &mut *cache.borrow_mut();
        if cache.spare.is_none() {
            cache.spare = stack.take();
        }
        let free = &mut cache.free[class.index()];
        free.extend(stack.take());
        let most = MOST.min(MOST_BYTES / class.bytes());
        if free.len() > most {
            spill(class, free.drain(..free.len() - most / 2));
        }
    });
    // The thread is about to end, and its cache is gone already.
    if let (Err(_), Some(stack)) = (kept, stack) {
        spill(class, std::iter::once(stack));
    }
}

#[cold]
fn spill(class: Class, stacks: impl ExactSizeIterator<Item = Stack>) {
    let too_many = Pool::of(class).deposit(stacks);
    if too_many {
        reclaim::look_after();
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        if let Some(spare) = self.spare.take() {
            spill(spare.class(), std::iter::once(spare));
        }
        for (index, free) in self.free.iter_mut().enumerate() {
            if !free.is_empty() {
                spill(Class::from_index(index), free.drain(..));
            }
        }
    }
}
