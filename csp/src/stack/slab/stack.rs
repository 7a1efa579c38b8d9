//! One stack: a slot of address space. It has a guard and, above it, the number of bytes of the
//! stack's class.
//!
//! ```text
//! start       floor                                                             end
//! |   guard   | ... grows down ...  | parent link | Fiber's own | colour, unused |
//!                                                 ^ base
//! ```
//! Invariant: a `Stack` is the right to use its slot. There is never a second one of the same slot.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{fmt, io};

/// Returns the size of a page of memory.
pub(super) fn page() -> usize {
    static PAGE: AtomicUsize = AtomicUsize::new(0);
    match PAGE.load(Relaxed) {
        0 => {
            // SAFETY: asks for a number.
            let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
            PAGE.store(page, Relaxed);
            page
        }
        page => page,
    }
}

/// A frame of C code moves the stack pointer at once, so a guard catches only frames that are
/// smaller than itself. Rust probes its stacks page by page. A guard has no memory, so it is made
/// larger than such frames usually are.
const GUARD: usize = 64 << 10;

/// Returns the bytes below each stack that must never be touched. Pages of 64 KiB are the largest
/// that exist.
pub(super) const fn guard() -> usize {
    GUARD
}

/// Bytes at the top of a slot that belong to the fiber itself. With the two words below the base,
/// which every switch touches, they fill one cache line.
pub(super) const HEADER: usize = 48;

/// Slots start at addresses that differ in high bits only. So the hot lines of all stacks would
/// fall into the same few sets of every cache. With 100 to 2,000 of them a switch then took 10 ns
/// instead of 4. So neighbours start this much lower than one another.
const COLOUR: usize = 256;
const COLOURS: usize = 8;

/// The size of a stack: `1 << class` bytes, and its guard below them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class(u8);

impl Class {
    /// The number of bits in an address.
    pub(super) const COUNT: usize = usize::BITS as usize;
    const SMALLEST: usize = 16 << 10;
    const LARGEST: usize = 1 << 40;

    /// Returns the least class whose stacks have this many bytes.
    pub(super) fn of(bytes: usize) -> Option<Class> {
        let least = Class::SMALLEST.max(4 * page());
        (bytes <= Class::LARGEST)
            .then(|| Class(bytes.max(least).next_power_of_two().trailing_zeros() as u8))
    }

    pub(super) const fn from_index(index: usize) -> Class {
        assert!(index < Class::COUNT);
        Class(index as u8)
    }

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns the bytes that a process may use.
    pub(super) const fn bytes(self) -> usize {
        1 << self.0
    }

    /// Returns the bytes of a stack with its guard.
    pub(super) const fn slot(self) -> usize {
        guard() + self.bytes()
    }

    /// Returns the alignment of the slots. It divides their size, and the quotient is odd.
    pub(super) const fn align(self) -> usize {
        1 << self.align_bits()
    }

    const fn align_bits(self) -> u32 {
        self.slot().trailing_zeros()
    }
}

/// A free stack: no computation is on it.
///
/// It is one word, because a free list holds a million: the start of the slot, and the class in its
/// low bits.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stack(NonZeroUsize);

impl Stack {
    /// Makes the stack of a slot. The caller owns the slot at `start` and makes only one `Stack` of
    /// it.
    pub(super) fn new(start: usize, class: Class) -> Stack {
        debug_assert!(start != 0 && start.is_multiple_of(class.align()));
        Stack(NonZeroUsize::new(start | class.index()).expect("a slot never starts at address 0"))
    }

    pub(super) fn class(&self) -> Class {
        Class(self.0.get() as u8 & 63)
    }

    pub(super) fn start(&self) -> usize {
        self.0.get() & !63
    }

    /// Returns the end of the guard. From here up, memory may be used.
    pub(super) fn floor(&self) -> usize {
        self.start() + guard()
    }

    pub(super) fn end(&self) -> usize {
        self.start() + self.class().slot()
    }

    /// Returns the address at which the computation's stack begins. The header is from here
    /// upwards.
    pub(super) fn base(&self) -> NonZeroUsize {
        // The quotients of neighbours differ by an odd number, so they take all colours.
        let colour = (self.start() >> self.class().align_bits()) % COLOURS * COLOUR;
        NonZeroUsize::new(self.end() - colour - HEADER).expect("a slot is larger than its header")
    }
}

/// The reason why there is no stack.
#[derive(Debug)]
pub(crate) enum NoStack {
    /// It would be larger than a stack can be.
    Size {
        bytes: usize,
    },
    /// The kernel limits the mappings of a program, and this many stacks use them up.
    Mappings {
        stacks: usize,
    },
    Memory(io::Error),
}

impl NoStack {
    pub(super) fn memory(error: io::Error) -> NoStack {
        NoStack::Memory(error)
    }
}

impl fmt::Display for NoStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoStack::Size { bytes } => {
                write!(f, "no stack can have {bytes} bytes: ask for at most 1 TiB")
            }
            NoStack::Mappings { stacks } => write!(
                f,
                "no more stacks than {stacks}: each takes two of the mappings that this kernel lets a program have; raise the \
                 limit (sysctl vm.max_map_count), or run on Linux 6.13, where stacks need none"
            ),
            NoStack::Memory(error) => {
                write!(
                    f,
                    "no memory for a stack ({error}): run fewer processes at once, or ask for smaller stacks"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_the_least_power_of_two_that_holds_the_bytes() {
        for (bytes, class) in
            [(0, 16 << 10), (64 << 10, 64 << 10), ((64 << 10) + 1, 128 << 10), (1 << 20, 1 << 20)]
        {
            assert_eq!(Class::of(bytes).unwrap().bytes(), class.max(4 * page()));
        }
        assert_eq!(Class::of(1 << 40).unwrap().bytes(), 1 << 40);
        assert_eq!(Class::of((1 << 40) + 1), None);
        assert_eq!(Class::of(usize::MAX), None);
    }

    #[test]
    fn a_stack_keeps_its_place_and_class_in_one_word() {
        let class = Class::of(256 << 10).unwrap();
        let stack = Stack::new(7 << 18, class);
        assert_eq!((stack.start(), stack.class()), (7 << 18, class));
        assert_eq!(stack.end() - stack.floor(), 256 << 10, "no guard takes of what was asked for");
        assert_eq!(
            stack.base().get() % 64,
            16,
            "the parent link and the header share a cache line"
        );
        assert_eq!(size_of::<Option<Stack>>(), size_of::<usize>());
    }

    #[test]
    fn neighbours_differ_in_colour() {
        for class in [16 << 10, 64 << 10, 256 << 10, 1 << 20].map(|bytes| Class::of(bytes).unwrap())
        {
            let stacks = (1..=9).map(|n| Stack::new(n * class.slot(), class));
            let offsets: Vec<usize> = stacks.map(|s| s.end() - s.base().get()).collect();
            assert_eq!(offsets[0], offsets[8]);
            assert!(offsets[..8].iter().enumerate().all(|(i, o)| !offsets[..i].contains(o)));
        }
    }
}
