//! One direction of a link: a ring of bytes in shared memory, with one producer and one consumer,
//! in different processes. Invariant: the records between `head` and the producer's own tail are
//! whole, and the word behind the last is zero. A record becomes visible by one store of its first
//! word, so a producer that is killed leaves all of it or nothing. A consumer that looks for a
//! record therefore looks at the record itself, and a small one is one cache line to fetch. Neither
//! side trusts the other. A cursor or length of the other side is checked against the capacity and
//! against the bytes that this side has written or read itself. Bytes are copied out before they
//! are looked at.
#![allow(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use super::region::Region;
use crate::backend::subprocess::protocol::Wild;

/// The bytes of records in a ring: few enough to stay in a core's cache.
const CAPACITY: u64 = 64 * 1024;
/// The bytes of shared memory that a ring takes.
pub(in crate::backend::subprocess) const SIZE: usize = size_of::<RingHeader>() + CAPACITY as usize;
/// The longest record. Several fit, so that one side fills while the other empties.
pub(in crate::backend::subprocess) const LONGEST: usize = 8 * 1024 - PREFIX as usize;

/// A cursor on its own pair of cache lines: one side writes it, and the other looks at it.
#[repr(C, align(128))]
struct CacheLine<T>(T);

#[repr(C)]
struct RingHeader {
    head: CacheLine<AtomicU64>,
    /// The producer has records that found no place.
    starved: CacheLine<AtomicU32>,
}

/// The bytes that stand before those of each record: a mark that it is one, its tag, its length.
const PREFIX: u64 = 8;
const PUBLISHED: u64 = 1 << 63;
/// Records begin at cache lines.
const ALIGN: u64 = 64;

fn padded(length: u64) -> u64 {
    (PREFIX + length).next_multiple_of(ALIGN)
}

struct Ring(Region);

impl Ring {
    fn new(region: Region) -> Option<Self> {
        (region.len() >= SIZE).then_some(Ring(region))
    }

    fn header(&self) -> &RingHeader {
        // SAFETY: `RingHeader` is `repr(C)` and of atomics and padding.
        unsafe { self.0.header() }
    }

    /// Returns the first word of a present or future record at a multiple of [`ALIGN`].
    #[inline(always)]
    fn word(&self, at: u64) -> &AtomicU64 {
        self.0.word(size_of::<RingHeader>() + (at % CAPACITY) as usize)
    }

    /// Fetches the record that begins here, because it will be looked at soon.
    #[inline(always)]
    fn prefetch(&self, at: u64) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: it fetches a cache line, or does not, and nothing else.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch(std::ptr::from_ref(self.word(at)).cast(), _MM_HINT_T0);
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }

    #[inline(always)]
    fn write(&self, at: u64, bytes: &[u8]) {
        let at = (at % CAPACITY) as usize;
        let first = bytes.len().min(CAPACITY as usize - at);
        self.0.write(size_of::<RingHeader>() + at, &bytes[..first]);
        if first < bytes.len() {
            self.0.write(size_of::<RingHeader>(), &bytes[first..]);
        }
    }

    /// Appends the bytes of the record at `at` that has this prefix. Returns its tag, and the
    /// beginning of the next record.
    #[inline(always)]
    fn record(&self, at: u64, prefix: u64, to: &mut Vec<u8>) -> Result<(u32, u64), Wild> {
        let length = prefix & 0xffff_ffff;
        let tag = ((prefix & !PUBLISHED) >> 32) as u32;
        if prefix & PUBLISHED == 0 || length > LONGEST as u64 {
            return Err(Wild("a record longer than any"));
        }
        let from = ((at + PREFIX) % CAPACITY) as usize;
        let first = (length as usize).min(CAPACITY as usize - from);
        to.reserve(length as usize);
        self.0.read(size_of::<RingHeader>() + from, first, to);
        if first < length as usize {
            self.0.read(size_of::<RingHeader>(), length as usize - first, to);
        }
        Ok((tag, at + padded(length)))
    }
}

/// The writing side.
pub(in crate::backend::subprocess) struct Producer {
    ring: Ring,
    tail: u64,
    /// The consumer's place at the last look.
    head: u64,
    /// From the tail to here, inclusive, the words at the beginning of lines are zero.
    clear: u64,
}

/// The distance to which the words ahead are zero. Fetching their lines from the consumer's cache
/// takes as long as a record does.
const AHEAD: u64 = 4 * ALIGN;

impl Producer {
    /// Returns `None` if the region is too small. Its bytes are zero.
    pub(in crate::backend::subprocess) fn new(region: Region) -> Option<Self> {
        Some(Producer { ring: Ring::new(region)?, tail: 0, head: 0, clear: CAPACITY - ALIGN })
    }

    /// Returns whether so many bytes find room, and the word behind them.
    #[inline(always)]
    fn fits(&self, size: u64) -> bool {
        self.tail + size - self.head <= CAPACITY - ALIGN
    }

    /// Publishes a record made of `parts`. Returns whether there was room.
    #[inline]
    pub(in crate::backend::subprocess) fn push(
        &mut self,
        tag: u32,
        parts: [&[u8]; 2],
    ) -> Result<bool, Wild> {
        let length = parts[0].len() + parts[1].len();
        assert!(length <= LONGEST, "longer values travel in pieces");
        let size = padded(length as u64);
        if !self.fits(size) {
            self.look()?;
            if !self.fits(size) {
                return Ok(false);
            }
        }
        self.ring.write(self.tail + PREFIX, parts[0]);
        self.ring.write(self.tail + PREFIX + parts[0].len() as u64, parts[1]);
        // Bytes of an earlier round must not be taken for a record.
        if self.clear < self.tail + size {
            self.clear = self.tail + size;
            self.ring.word(self.clear).store(0, Ordering::Relaxed);
        }
        let prefix = PUBLISHED | u64::from(tag) << 32 | length as u64;
        self.ring.word(self.tail).store(prefix, Ordering::Release);
        self.tail += size;
        self.clear_ahead();
        Ok(true)
    }

    /// Clears words for the records to come, once one is on its way.
    #[inline(always)]
    fn clear_ahead(&mut self) {
        let end = (self.tail + AHEAD).min(self.head + CAPACITY - ALIGN);
        while self.clear < end {
            self.clear += ALIGN;
            self.ring.word(self.clear).store(0, Ordering::Relaxed);
        }
    }

    /// Returns how many bytes this side has ever written.
    pub(in crate::backend::subprocess) fn written(&self) -> u64 {
        self.tail
    }

    /// Returns how many bytes the consumer has ever read. It acquires, because bytes that were read
    /// may be overwritten.
    pub(in crate::backend::subprocess) fn look(&mut self) -> Result<u64, Wild> {
        let head = self.ring.header().head.0.load(Ordering::Acquire);
        if head < self.head || head > self.tail || !head.is_multiple_of(ALIGN) {
            return Err(Wild("more read than was written"));
        }
        self.head = head;
        Ok(head)
    }

    /// Returns whether the longest record finds room.
    pub(in crate::backend::subprocess) fn has_room(&self) -> bool {
        let head = self.ring.header().head.0.load(Ordering::Acquire);
        self.tail.wrapping_sub(head) <= CAPACITY - ALIGN - padded(LONGEST as u64)
    }

    /// Asks the consumer to ring once it has read some records. The caller then looks once more for
    /// room, by `push`.
    pub(in crate::backend::subprocess) fn starve(&self) {
        self.ring.header().starved.0.store(1, Ordering::Relaxed);
        // Dekker's fence, with the one in `Consumer::fed`: one of the two sides sees the other.
        fence(Ordering::SeqCst);
    }

    /// Returns whether the consumer still owes an answer to `starve`.
    pub(in crate::backend::subprocess) fn is_starving(&self) -> bool {
        self.ring.header().starved.0.load(Ordering::Relaxed) != 0
    }

    /// Returns the records that a dead consumer has not read, oldest first.
    pub(in crate::backend::subprocess) fn unread(&mut self) -> Result<Vec<(u32, Vec<u8>)>, Wild> {
        let mut at = self.look()?;
        let mut records = Vec::new();
        while at < self.tail {
            let mut bytes = Vec::new();
            let prefix = self.ring.word(at).load(Ordering::Relaxed);
            let (tag, next) = self.ring.record(at, prefix, &mut bytes)?;
            records.push((tag, bytes));
            at = next;
        }
        Ok(records)
    }
}

/// The reading side.
pub(in crate::backend::subprocess) struct Consumer {
    ring: Ring,
    head: u64,
    /// A copy of the head, for threads that peek.
    shown: Arc<AtomicU64>,
    /// The place at the last check whether the producer starves.
    fed: u64,
}

/// Tells other threads of the consumer's process whether there is something to read.
pub(in crate::backend::subprocess) struct Peek {
    ring: Ring,
    head: Arc<AtomicU64>,
}

impl Peek {
    #[inline(always)]
    pub(in crate::backend::subprocess) fn is_empty(&self) -> bool {
        // If the consumer has just moved on, this may say that there is a record although there is
        // none. That does no harm.
        let head = self.head.load(Ordering::Relaxed);
        self.ring.word(head).load(Ordering::Acquire) & PUBLISHED == 0
    }
}

impl Consumer {
    pub(in crate::backend::subprocess) fn new(region: Region) -> Option<Self> {
        Some(Consumer { ring: Ring::new(region)?, head: 0, shown: Arc::default(), fed: 0 })
    }

    pub(in crate::backend::subprocess) fn peek(&self) -> Peek {
        Peek { ring: Ring(self.ring.0.clone()), head: Arc::clone(&self.shown) }
    }

    /// Returns whether there is nothing to read.
    #[inline]
    pub(in crate::backend::subprocess) fn is_empty(&self) -> bool {
        self.ring.word(self.head).load(Ordering::Acquire) & PUBLISHED == 0
    }

    /// Appends the next record to `to`. Returns its tag.
    #[inline]
    pub(in crate::backend::subprocess) fn pop(
        &mut self,
        to: &mut Vec<u8>,
    ) -> Result<Option<u32>, Wild> {
        let prefix = self.ring.word(self.head).load(Ordering::Acquire);
        if prefix & PUBLISHED == 0 {
            return Ok(None);
        }
        self.ring.prefetch(self.head + padded(prefix & 0xffff_ffff));
        let (tag, next) = self.ring.record(self.head, prefix, to)?;
        self.head = next;
        self.shown.store(next, Ordering::Relaxed);
        // From here on the record is this side's. If this side dies now, nobody else will have the
        // record.
        self.ring.header().head.0.store(self.head, Ordering::Release);
        Ok(Some(tag))
    }

    /// Returns whether the producer waits to be told of the room. It is called when all records
    /// were read.
    ///
    /// The producer may have said that it found no room, and was not seen to starve at the last
    /// check. Then it had seen how far this side was at that time, so it has filled all but the
    /// longest record since. It is therefore not looked for until as much was read.
    #[inline]
    pub(in crate::backend::subprocess) fn fed(&mut self) -> bool {
        const FULL: u64 = CAPACITY - ALIGN - (PREFIX + LONGEST as u64).next_multiple_of(ALIGN);
        if self.head - self.fed < FULL {
            return false;
        }
        self.fed = self.head;
        fence(Ordering::SeqCst);
        let starved = &self.ring.header().starved.0;
        starved.load(Ordering::Relaxed) != 0 && starved.swap(0, Ordering::Relaxed) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> (Producer, Consumer) {
        let region = Region::private(SIZE);
        (Producer::new(region.clone()).expect("a ring"), Consumer::new(region).expect("a ring"))
    }

    fn pop(consumer: &mut Consumer) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        consumer.pop(&mut bytes).expect("a tame ring").map(|_| bytes)
    }

    #[test]
    fn records_come_out_as_they_went_in_around_the_end_too() {
        let (mut producer, mut consumer) = ring();
        let (mut wrote, mut read) = (0u32, 0u32);
        let record = |n: u32| vec![n as u8; (n as usize * 37) % (LONGEST + 1)];
        while read < 2000 {
            while wrote < 2000 && producer.push(wrote, [&record(wrote), b""]).expect("tame") {
                wrote += 1;
            }
            assert!(wrote > read, "there is room when all has been read");
            let mut bytes = vec![1, 2];
            while let Some(tag) = consumer.pop(&mut bytes).expect("tame") {
                assert_eq!(tag, read);
                assert_eq!(bytes.split_off(2), record(read));
                read += 1;
            }
        }
        assert!(consumer.is_empty());
    }

    #[test]
    fn parts_make_one_record() {
        let (mut producer, mut consumer) = ring();
        assert!(producer.push(7, [b"head", b"body"]).expect("tame"));
        assert_eq!(pop(&mut consumer).expect("a record"), b"headbody");
        assert_eq!(pop(&mut consumer), None);
    }

    #[test]
    fn what_was_not_read_is_there_for_the_writer() {
        let (mut producer, mut consumer) = ring();
        for n in 0..10u8 {
            assert!(producer.push(u32::from(n), [&[n; 3], b""]).expect("tame"));
        }
        for _ in 0..4 {
            pop(&mut consumer);
        }
        let unread = producer.unread().expect("tame");
        let expected: Vec<_> = (4..10u8).map(|n| (u32::from(n), vec![n; 3])).collect();
        assert_eq!(unread, expected);
    }

    #[test]
    fn a_full_ring_says_so_and_the_reader_is_told_to_ring() {
        let (mut producer, mut consumer) = ring();
        while producer.push(0, [&[0; 1000], b""]).expect("tame") {}
        producer.starve();
        assert!(!producer.push(0, [&[0; 1000], b""]).expect("tame"));
        assert!(!consumer.fed());
        while pop(&mut consumer).is_some() {}
        assert!(consumer.fed());
        assert!(!consumer.fed());
        assert!(producer.push(0, [&[0; 1000], b""]).expect("tame"));
    }

    /// Bytes of an earlier round that look like a record are none.
    #[test]
    fn what_an_earlier_round_has_left_is_no_record() {
        let (mut producer, mut consumer) = ring();
        let lookalike = (PUBLISHED | 5).to_le_bytes();
        let mut bytes = lookalike.repeat(LONGEST / 8);
        for round in 0..2000 {
            bytes.truncate(LONGEST / 8 * 8 - round * 4 % 4096 / 8 * 8);
            assert!(producer.push(1, [&bytes, b""]).expect("tame"));
            assert!(pop(&mut consumer).is_some_and(|got| got == bytes));
            assert_eq!(pop(&mut consumer), None);
            bytes.resize(LONGEST / 8 * 8, 0);
            bytes.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&lookalike));
        }
    }

    /// The words of the ring are overwritten with every kind of nonsense: errors, never a read out
    /// of bounds.
    #[test]
    fn a_wild_peer_spoils_only_its_own_messages() {
        let nonsense = [0u64, 1, 7, 8, 0xffff, CAPACITY, CAPACITY + 1, u64::MAX, u64::MAX / 2];
        let prefixes = nonsense.iter().flat_map(|word| [*word, *word | PUBLISHED]);
        for prefix in prefixes {
            for head in nonsense {
                let (mut producer, mut consumer) = ring();
                assert!(producer.push(0, [b"something", b""]).expect("tame"));
                header_of(&producer).head.0.store(head, Ordering::Relaxed);
                let peek = consumer.peek();
                consumer.ring.word(0).store(prefix, Ordering::Relaxed);
                let _ = peek.is_empty();
                let mut bytes = Vec::new();
                for _ in 0..4 {
                    if consumer.pop(&mut bytes).is_err() {
                        break;
                    }
                }
                header_of(&producer).head.0.store(head, Ordering::Relaxed);
                let _ = producer.push(0, [&[0; LONGEST], b""]);
                let _ = producer.unread();
            }
        }
    }

    fn header_of(producer: &Producer) -> &RingHeader {
        producer.ring.header()
    }
}
