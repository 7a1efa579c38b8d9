//! Memory goes back to the system when it has not been needed for a while.
//!
//! It does not go back when a stack is freed. Giving a page back and faulting it in again takes 1.3
//! µs. A network of a million processes that is run twice would pay for its pages twice. The next
//! user of stacks does not give it back either: after a large network a program may compute for
//! hours and use none. A thread looks after the stacks once a second, but only while more of them
//! are warm than the mark. It keeps as many as the last two seconds had in use at once, and ends
//! when all is back at the mark.

use std::thread;
use std::time::Duration;

use super::memory;
use super::pool::Pool;
use super::stack::{Class, Stack};
use crate::system::helper::Helper;

const PERIOD: Duration = Duration::from_secs(1);

/// The address space for which page tables are freed at a time. Less is not worth splitting a
/// mapping for a moment.
const WORTH_RENEWING: usize = 16 << 20;

static HELPER: Helper = Helper::new("csp-stacks", 256 << 10);

/// Starts that thread. Called when a pool holds more warm stacks than its mark, without its lock.
#[cold]
pub(super) fn look_after() {
    // Without that thread memory stays warm, and the next stack that comes back tries again.
    let _ = HELPER.need(|| {
        loop {
            thread::sleep(PERIOD);
            classes().for_each(tick);
            if !classes().all(|class| Pool::of(class).is_settled()) {
                continue;
            }
            HELPER.ends();
            // A stack that came back since the look at its pool found the thread still running.
            if classes().all(|class| Pool::of(class).is_settled()) || !HELPER.goes_on() {
                return;
            }
        }
    });
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

/// Frees the page tables of whole runs of slots too. For stacks of 256 KiB that used a page each
/// they are an eighth of all memory.
fn renew(cold: &mut Vec<Stack>) -> Vec<Stack> {
    let mut bare = Vec::new();
    cold.sort_unstable();
    let mut rest = Vec::with_capacity(cold.len());
    let mut run: Vec<Stack> = Vec::new();
    let mut end = |run: &mut Vec<Stack>| {
        let whole =
            run.len() * run.first().map_or(0, |stack| stack.class().slot()) >= WORTH_RENEWING;
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
