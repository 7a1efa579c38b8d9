//! One stack: a slot of address space whose size is a power of two and whose start is a multiple of it.
//!
//! ```text
//! start                                                               start + size
//! | guard page | ... grows down ...  | parent link | Fiber's own | colour, unused |
//!                                                  ^ base
//! ```
//! Invariant: a `Stack` is the right to use its slot; there is never a second one of the same slot.

use std::num::NonZeroUsize;

use super::memory;

/// Bytes at the top of a slot that belong to the fiber itself. With the two words below the base, which every
/// switch touches, they fill one cache line.
pub(super) const HEADER: usize = 48;

/// Slots start at addresses that differ in high bits only, so the hot lines of all stacks would fall into the
/// same few sets of every cache: with 100 to 2,000 of them a switch then took 10 ns instead of 4. Neighbours
/// start this much lower than one another.
const COLOUR: usize = 256;
const COLOURS: usize = 8;

/// How large a slot is: `1 << class` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class(u8);

impl Class {
    /// As many as there are bits in an address.
    pub(super) const COUNT: usize = usize::BITS as usize;
    const SMALLEST: usize = 16 << 10;
    const LARGEST: usize = 1 << 40;

    /// The least class with `bytes` of address space, the guard page included.
    pub(super) fn of(bytes: usize) -> Option<Class> {
        let least = Class::SMALLEST.max(4 * memory::page());
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

    pub(super) const fn bytes(self) -> usize {
        1 << self.0
    }
}

/// A free stack: no computation is on it.
///
/// One word, since a free list holds a million: the start of the slot, and the class in its low bits.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stack(NonZeroUsize);

impl Stack {
    /// The caller owns the slot at `start` and makes only one `Stack` of it.
    pub(super) fn new(start: usize, class: Class) -> Stack {
        debug_assert!(start != 0 && start.is_multiple_of(class.bytes()));
        Stack(NonZeroUsize::new(start | class.index()).expect("a slot never starts at address 0"))
    }

    pub(super) fn class(&self) -> Class {
        Class(self.0.get() as u8 & 63)
    }

    pub(super) fn start(&self) -> usize {
        self.0.get() & !63
    }

    pub(super) fn end(&self) -> usize {
        self.start() + self.class().bytes()
    }

    /// Where the computation's stack begins; the header is from here upwards.
    pub(super) fn base(&self) -> NonZeroUsize {
        let colour = (self.start() >> self.class().index()) % COLOURS * COLOUR;
        NonZeroUsize::new(self.end() - colour - HEADER).expect("a slot is larger than its header")
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
            assert_eq!(Class::of(bytes).unwrap().bytes(), class.max(4 * memory::page()));
        }
        assert_eq!(Class::of(1 << 40).unwrap().bytes(), 1 << 40);
        assert_eq!(Class::of((1 << 40) + 1), None);
        assert_eq!(Class::of(usize::MAX), None);
    }

    #[test]
    fn a_stack_keeps_its_place_and_class_in_one_word() {
        let class = Class::of(256 << 10).unwrap();
        let stack = Stack::new(7 << 18, class);
        assert_eq!((stack.start(), stack.end(), stack.class()), (7 << 18, 8 << 18, class));
        assert_eq!(
            stack.base().get() % 64,
            16,
            "the parent link and the header share a cache line"
        );
        assert_eq!(size_of::<Option<Stack>>(), size_of::<usize>());
    }

    #[test]
    fn neighbours_differ_in_colour() {
        let class = Class::of(64 << 10).unwrap();
        let offsets: Vec<usize> =
            (1..=9).map(|n| Stack::new(n << 16, class)).map(|s| s.end() - s.base().get()).collect();
        assert_eq!(offsets[0], offsets[8]);
        assert!(offsets[..8].iter().enumerate().all(|(i, o)| !offsets[..i].contains(o)));
    }
}
