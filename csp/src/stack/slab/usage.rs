//! The depth to which a computation has used its stack, to the byte. It is rarely asked for, so it
//! may cost a system call.
#![allow(unsafe_code)]

use std::ptr::{with_exposed_provenance, with_exposed_provenance_mut};

use super::memory;
use super::region::StackSlot;
use super::stack::page;

const WORD: usize = size_of::<usize>();

/// Forgets the use of the present stack deeper than this call, so that `high_water` reports later
/// use only. Does nothing on a stack that is not a fiber's.
#[inline(never)]
pub(super) fn begin() {
    // This call itself takes less.
    const FRAMES: usize = 1 << 10;
    let Some(here) = here().checked_sub(FRAMES) else { return };
    let Some(slot) = StackSlot::at(here) else { return };
    let page = here & !(page() - 1);
    if page > slot.floor() {
        // SAFETY: the stack grows down. The memory below the running frame belongs to calls that
        // have returned.
        unsafe { memory::forget(slot.floor()..page) };
    }
    for word in (page.max(slot.floor())..here & !(WORD - 1)).step_by(WORD) {
        // SAFETY: as above.
        unsafe { with_exposed_provenance_mut::<usize>(word).write_volatile(0) };
    }
}

/// Returns the most bytes of the present stack that were in use at once since `begin`. Returns
/// `None` on a stack that is not a fiber's.
pub(super) fn high_water() -> Option<usize> {
    let slot = StackSlot::at(here())?;
    let pages = memory::resident(&(slot.floor()..slot.end()));
    let lowest = slot.floor() + pages.iter().position(|&is| is)? * page();
    // A page comes as zeroes, so the first other word from below is the deepest that was written.
    let words = (lowest..slot.end()).step_by(WORD);
    // SAFETY: committed memory of this stack, from its lowest page that is in use. It is read as
    // raw words, whatever they are.
    let deepest = words
        .into_iter()
        .find(|&word| unsafe { with_exposed_provenance::<usize>(word).read_volatile() } != 0)?;
    Some(slot.end() - deepest)
}

#[inline(never)]
fn here() -> usize {
    let local = 0u8;
    std::hint::black_box(&raw const local).addr()
}
