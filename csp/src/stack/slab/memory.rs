//! The kernel's services for the slabs: reserve, commit, forbid, give back. Every system call on
//! their memory is here.
//!
//! A `Stack` is the ownership of its slot, and the slot is not in use. So every operation here on a
//! slot takes its `Stack`.
#![allow(unsafe_code)]

use std::io;
use std::ops::Range;
use std::ptr::{null_mut, with_exposed_provenance_mut};

use super::stack::{Stack, page};

/// `MADV_GUARD_INSTALL` (Linux 6.13): touching the pages is a fault, and no mapping is split for
/// it. The libc crate lacks it.
const GUARD_INSTALL: libc::c_int = 102;

/// `UIO_MAXIOV`: the number of ranges that one `process_madvise` takes.
const MOST_RANGES: usize = 1024;

/// Address space that is used for nothing else, and that stays reserved until the program ends.
#[derive(Debug)]
pub(super) struct Reservation(Range<usize>);

impl Reservation {
    /// Reserves `bytes` of address space from a multiple of `align`, a power of two. It has no
    /// memory, and does not count as memory.
    pub(super) fn new(bytes: usize, align: usize) -> io::Result<Reservation> {
        let length = bytes.checked_add(align).ok_or(io::ErrorKind::OutOfMemory)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe { libc::mmap(null_mut(), length, libc::PROT_NONE, flags, -1, 0) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let address = address.expose_provenance();
        let start = address.next_multiple_of(align);
        small_pages(&(address..address + length));
        Ok(Reservation(start..start + bytes))
    }

    pub(super) fn range(&self) -> &Range<usize> {
        &self.0
    }

    /// Makes a part of it, never committed before, readable and writable.
    pub(super) fn commit(&self, part: Range<usize>) -> io::Result<()> {
        assert!(self.0.start <= part.start && part.end <= self.0.end);
        let address = with_exposed_provenance_mut(part.start);
        // SAFETY: inside our own reservation, in a part that is not in use yet.
        check(unsafe { libc::mprotect(address, part.len(), libc::PROT_READ | libc::PROT_WRITE) })
    }
}

/// Forbids huge pages, so that one touch of a stack does not take 2 MiB. A kernel without huge
/// pages refuses, which has the same effect.
fn small_pages(range: &Range<usize>) {
    // SAFETY: changes how the kernel backs the range, not its contents.
    unsafe {
        libc::madvise(with_exposed_provenance_mut(range.start), range.len(), libc::MADV_NOHUGEPAGE)
    };
}

/// Installs guards without a mapping each. Those of the first `n` stacks are in place when it
/// returns `n`.
pub(super) fn install_guards(stacks: &mut [Stack]) -> (usize, io::Result<()>) {
    advise_all(stacks.iter().map(|stack| stack.start()..stack.floor()), GUARD_INSTALL)
}

/// Protects a guard, which splits the mapping: one more for the guard, one more for the part behind
/// it.
pub(super) fn protect_guard(stack: &mut Stack) -> io::Result<()> {
    let guard = stack.floor() - stack.start();
    // SAFETY: the lowest part of a slot that is not in use.
    check(unsafe {
        libc::mprotect(with_exposed_provenance_mut(stack.start()), guard, libc::PROT_NONE)
    })
}

/// Populates the first page of each stack before it is touched. In a batch this takes two thirds of
/// the time of the faults.
pub(super) fn populate(stacks: &mut [Stack]) {
    let tops = stacks.iter().map(|stack| stack.end() - page()..stack.end());
    // A kernel that cannot do this (before Linux 5.14) leaves it to the faults.
    let _ = advise_all(tops, libc::MADV_POPULATE_WRITE);
}

/// Gives the memory of free stacks back to the system. They read as zeroes then, and their guards
/// stay. It is cheapest in the order of their addresses.
pub(super) fn give_back(stacks: &mut [Stack]) {
    let runs = stacks
        .chunk_by(|a, b| a.end() == b.start())
        .map(|run| run[0].start()..run[run.len() - 1].end());
    // A failure is not known to happen, and would cost memory, not correctness.
    let _ = advise_all(runs, libc::MADV_DONTNEED);
}

/// Maps the slots of free neighbours anew, in the order of their addresses. The guards and the page
/// tables go with the memory.
pub(super) fn renew(run: &mut [Stack]) -> io::Result<()> {
    debug_assert!(run.is_sorted() && run.windows(2).all(|pair| pair[0].end() == pair[1].start()));
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
    let range = first.start()..last.end();
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let address = with_exposed_provenance_mut(range.start);
    // SAFETY: replaces slots that the caller owns, and that are not in use, by fresh ones in the
    // same place.
    if unsafe { libc::mmap(address, range.len(), protection, flags, -1, 0) } == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    small_pages(&range);
    Ok(())
}

/// Drops the contents of the whole pages of a range.
///
/// # Safety
/// It contains nothing that is still needed.
pub(super) unsafe fn forget(range: Range<usize>) {
    // SAFETY: by the caller.
    unsafe {
        libc::madvise(with_exposed_provenance_mut(range.start), range.len(), libc::MADV_DONTNEED)
    };
}

/// Returns which pages of a committed range have memory, lowest first. If the kernel gives no
/// answer, all are reported.
pub(super) fn resident(range: &Range<usize>) -> Vec<bool> {
    let mut pages = vec![1u8; range.len() / page()];
    // SAFETY: the vector has a byte for every page of the range.
    unsafe {
        libc::mincore(with_exposed_provenance_mut(range.start), range.len(), pages.as_mut_ptr())
    };
    pages.into_iter().map(|page| page & 1 != 0).collect()
}

/// Advises the ranges in their order. Returns for how many it succeeded before the first failure.
fn advise_all(
    ranges: impl Iterator<Item = Range<usize>>,
    advice: libc::c_int,
) -> (usize, io::Result<()>) {
    let ranges: Vec<libc::iovec> = ranges
        .map(|r| libc::iovec { iov_base: with_exposed_provenance_mut(r.start), iov_len: r.len() })
        .collect();
    let mut done = 0;
    for batch in ranges.chunks(MOST_RANGES) {
        let skip = advise_batch(batch, advice);
        done += skip;
        for range in &batch[skip..] {
            // SAFETY: as for `advise_batch`.
            let result = unsafe { libc::madvise(range.iov_base, range.iov_len, advice) };
            if let Err(error) = check(result) {
                return (done, Err(error));
            }
            done += 1;
        }
    }
    (done, Ok(()))
}

/// Advises many ranges by one call. That takes a third of the time: 0.2 µs a guard instead of 0.7.
/// The kernel must let a program advise itself so (Linux 6.13, no filter). Returns how many ranges
/// it got through, which may be none.
fn advise_batch(batch: &[libc::iovec], advice: libc::c_int) -> usize {
    const WORTH_IT: usize = 4;
    if batch.len() < WORTH_IT {
        return 0;
    }
    // SAFETY: a descriptor of our own, closed below. The ranges are those of stacks that the
    // callers own, so the advice, which may drop their contents, harms no other code.
    let bytes = unsafe {
        let process = libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) as libc::c_int;
        if process < 0 {
            return 0;
        }
        let bytes = libc::syscall(
            libc::SYS_process_madvise,
            process,
            batch.as_ptr(),
            batch.len(),
            advice,
            0,
        );
        libc::close(process);
        bytes
    };
    let mut left = usize::try_from(bytes).unwrap_or(0);
    batch
        .iter()
        .take_while(|range| left.checked_sub(range.iov_len).inspect(|&less| left = less).is_some())
        .count()
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
