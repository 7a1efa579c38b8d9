//! Memory goes back to the system when it has not been needed for a while.
//!
//! Not when a stack is freed: to give a page back and fault it in again takes 1.3 µs, so a network of a
//! million processes that is run twice would pay for its pages twice. And not by whoever uses stacks next:
//! after a large network a program may compute for hours and never come by. So while more stacks are warm
//! than the mark, and only then, a thread looks after them once a second; it keeps what the last two seconds
//! had in use at once, and ends when all is back at the mark.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::memory;
use super::pool::Pool;
use super::stack::{Class, Stack};

const PERIOD: Duration = Duration::from_secs(1);

/// Page tables are freed for so much address space at a time; less is not worth splitting a mapping for a
/// moment.
const WORTH_RENEWING: usize = 16 << 20;

static RUNNING: AtomicBool = AtomicBool::new(false);

/// Called when a pool holds more warm stacks than its mark, without its lock.
#[cold]
pub(super) fn look_after() {
    if RUNNING.swap(true, Ordering::AcqRel) {
        return;
    }
    let thread =
        thread::Builder::new().name("csp-stacks".into()).stack_size(256 << 10).spawn(|| {
            loop {
                thread::sleep(PERIOD);
                classes().for_each(tick);
                if !classes().all(|class| Pool::of(class).is_settled()) {
                    continue;
                }
                RUNNING.store(false, Ordering::Release);
                // Whoever deposited since the look at its pool saw the thread still running.
                if classes().all(|class| Pool::of(class).is_settled())
                    || RUNNING.swap(true, Ordering::AcqRel)
                {
                    return;
                }
            }
        });
    if thread.is_err() {
        RUNNING.store(false, Ordering::Release);
    }
}

fn classes() -> impl Iterator<Item = Class> {
    (0..Class::COUNT).map(Class::from_index)
}

fn tick(class: Class) {
    let mut pool = Pool::of(class);
    let mut excess = pool.tick();
    if excess == 0 {
        return;
    }
    while pool.cool(&mut excess) {
        drop(pool);
        pool = Pool::of(class);
    }
    let mut cold = pool.take_cold();
    drop(pool);
    let bare = renew(&mut cold);
    let mut pool = Pool::of(class);
    pool.put_cold(cold);
    pool.put_bare(bare);
}

/// Whole runs of slots lose their page tables too, which for stacks of 256 KiB that used a page each are an
/// eighth of all memory.
fn renew(cold: &mut Vec<Stack>) -> Vec<Stack> {
    let mut bare = Vec::new();
    cold.sort_unstable();
    let mut rest = Vec::with_capacity(cold.len());
    let mut run: Vec<Stack> = Vec::new();
    let mut end = |run: &mut Vec<Stack>| {
        let whole =
            run.len() * run.first().map_or(0, |stack| stack.class().bytes()) >= WORTH_RENEWING;
        let to = if whole && memory::renew(run).is_ok() { &mut bare } else { &mut rest };
        to.append(run);
    };
    for stack in cold.drain(..) {
        if run.last().is_some_and(|last| last.end() != stack.start()) {
            end(&mut run);
        }
        run.push(stack);
    }
    end(&mut run);
    *cold = rest;
    bare.reverse();
    bare
}
