//! The values that are ahead, in the order in which they came.
//!
//! The first values may be for readers of a scheduler that does not go on. Then readers of other schedulers take values from the middle. Each
//! such value leaves an empty slot, so that no other value moves. A line knows a run of slots that it need not look at again.
//!
//! Invariant: the first slot and the last one are full, and at most some more than half of all are empty.

use std::collections::VecDeque;
use std::ops::Range;

use crate::commit::queue::line::Stamp;

/// So many slots may be empty however few values there are.
const FEW: usize = 32;

pub(super) struct ValuesAhead<T> {
    /// The moments at which the values came.
    slots: VecDeque<(Stamp, Option<T>)>,
    /// The number of the first slot, among all that there were.
    first: u64,
    /// The number of values.
    count: usize,
    /// For each line slots that are known to be empty, or are there no more.
    gaps: Vec<Range<u64>>,
}

impl<T> ValuesAhead<T> {
    pub(super) const fn new() -> Self {
        Self { slots: VecDeque::new(), first: 0, count: 0, gaps: Vec::new() }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.count
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns when the last value came.
    pub(super) fn newest(&self) -> Option<Stamp> {
        self.slots.back().map(|(moment, _)| *moment)
    }

    /// Adds a value that comes at this moment.
    pub(super) fn push(&mut self, moment: Stamp, value: T) {
        self.slots.push_back((moment, Some(value)));
        self.count += 1;
    }

    /// Takes the first value that came after this moment, for a reader of this line.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn take_after(&mut self, stamp: Stamp, line: usize) -> Option<T> {
        let before = self.slots.partition_point(|(moment, _)| *moment <= stamp);
        if before == self.slots.len() {
            return None;
        }
        if self.gaps.len() <= line {
            self.gaps.resize(line + 1, 0..0);
        }
        let begin = self.first + before as u64;
        let gap = &mut self.gaps[line];
        if begin < gap.start || begin > gap.end {
            *gap = begin..begin;
        }
        // The last slot is full.
        loop {
            let slot = self.slots.get_mut((gap.end - self.first) as usize)?;
            gap.end += 1;
            if let Some(value) = slot.1.take() {
                self.count -= 1;
                self.trim();
                return Some(value);
            }
        }
    }

    /// Removes empty slots, after one has become so.
    #[inline(always)]
    fn trim(&mut self) {
        while let Some((_, None)) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
        }
        if let Some((_, None)) = self.slots.back() {
            self.trim_end();
        }
        if self.slots.len() > 2 * self.count + FEW {
            self.slots.retain(|(_, value)| value.is_some());
            self.gaps.fill(0..0);
        }
    }

    #[cold]
    fn trim_end(&mut self) {
        while let Some((_, None)) = self.slots.back() {
            self.slots.pop_back();
        }
        // The next value has the number of a slot that was there.
        let end = self.first + self.slots.len() as u64;
        self.gaps.iter_mut().for_each(|gap| gap.end = gap.end.min(end));
    }

    /// Returns the values, and when they came.
    #[cfg(all(test, loom))]
    pub(super) fn iter(&self) -> impl Iterator<Item = (Stamp, &T)> {
        self.slots.iter().filter_map(|(moment, value)| Some((*moment, value.as_ref()?)))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Beside a plain list, in which each value is looked for from the first one on.
    #[test]
    fn values_are_taken_as_from_a_list() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..200 {
            let (mut ahead, mut list) = (ValuesAhead::new(), Vec::new());
            let (mut now, mut value) = (0, 0);
            for _ in 0..2_000 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let (line, back) = ((random >> 8) as usize % 3, (random >> 16) % 64);
                match random % 5 {
                    0 => now += 1,
                    1 | 2 => {
                        ahead.push(now, value);
                        list.push((now, value));
                        value += 1;
                    }
                    _ => {
                        // The first line has the oldest readers.
                        let stamp = now.saturating_sub(back * (3 - line as u64));
                        let at = list.iter().position(|(moment, _)| *moment > stamp);
                        let expected = at.map(|at| list.remove(at).1);
                        assert_eq!(ahead.take_after(stamp, line), expected);
                    }
                }
                assert_eq!(ahead.len(), list.len());
                assert_eq!(ahead.newest(), list.last().map(|(moment, _)| *moment));
                assert!(ahead.slots.len() <= 2 * ahead.count + FEW);
            }
        }
    }
}
