//! One direction of a link: a ring of bytes in shared memory, with one producer and one consumer, in different processes.
//! Invariant: `head <= tail <= head + capacity`; the bytes between are whole records. A record becomes visible by one
//! store of `tail`: a producer that is killed leaves all of it or nothing.
//! Neither side believes the other: what a cursor or a length claims is checked against the capacity and what the
//! side itself has written or read, and bytes are copied out before they are looked at.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use super::protocol::Wild;
use super::region::Region;

/// Bytes of records in a ring. Small enough to stay in a core's cache.
const CAPACITY: u64 = 64 * 1024;
/// Bytes of shared memory that a ring takes.
pub(crate) const SIZE: usize = size_of::<Header>() + CAPACITY as usize;
/// The longest record: several fit, so that one side fills while the other empties.
pub(crate) const LONGEST: usize = 8 * 1024;

/// Each cursor on its own pair of cache lines: written by one side, looked at by the other.
#[repr(C, align(128))]
struct Line<T>(T);

#[repr(C)]
struct Header {
    tail: Line<AtomicU64>,
    head: Line<AtomicU64>,
    /// The producer has records that found no place.
    starved: Line<AtomicU32>,
}

/// What stands before the bytes of each record.
const PREFIX: u64 = 8;

fn padded(length: u64) -> u64 {
    PREFIX + length.next_multiple_of(8)
}

struct Ring(Region);

impl Ring {
    fn new(region: Region) -> Option<Self> {
        (region.len() >= SIZE).then_some(Ring(region))
    }

    fn header(&self) -> &Header {
        // SAFETY: `Header` is `repr(C)` and of atomics and padding.
        unsafe { self.0.header() }
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        let at = (at % CAPACITY) as usize;
        let first = bytes.len().min(CAPACITY as usize - at);
        self.0.write(size_of::<Header>() + at, &bytes[..first]);
        self.0.write(size_of::<Header>(), &bytes[first..]);
    }

    fn read(&self, at: u64, length: usize, to: &mut Vec<u8>) {
        let at = (at % CAPACITY) as usize;
        let first = length.min(CAPACITY as usize - at);
        self.0.read(size_of::<Header>() + at, first, to);
        self.0.read(size_of::<Header>(), length - first, to);
    }

    /// The record at `at`, of which `available` bytes are there; where the next one begins.
    fn record(&self, at: u64, available: u64, to: &mut Vec<u8>) -> Result<(u32, u64), Wild> {
        let start = to.len();
        self.read(at, PREFIX as usize, to);
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&to[start..]);
        to.truncate(start);
        let prefix = u64::from_le_bytes(prefix);
        let (length, tag) = (prefix & 0xffff_ffff, (prefix >> 32) as u32);
        if length > LONGEST as u64 || padded(length) > available {
            return Err(Wild("a record longer than what is there"));
        }
        self.read(at + PREFIX, length as usize, to);
        Ok((tag, at + padded(length)))
    }
}

/// The writing side.
pub(crate) struct Producer {
    ring: Ring,
    tail: u64,
    /// Where the consumer was when last looked at.
    head: u64,
}

impl Producer {
    /// `None` if the region is too small. Its bytes are zero, or a ring's.
    pub(crate) fn new(region: Region) -> Option<Self> {
        let ring = Ring::new(region)?;
        let tail = ring.header().tail.0.load(Ordering::Relaxed);
        let head = ring.header().head.0.load(Ordering::Acquire);
        Some(Producer { ring, tail, head })
    }

    /// Publishes a record made of `parts`; says whether there was room.
    pub(crate) fn push(&mut self, tag: u32, parts: &[&[u8]]) -> Result<bool, Wild> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        assert!(length <= LONGEST, "longer values travel in pieces");
        let size = padded(length as u64);
        if self.tail + size - self.head > CAPACITY {
            self.look()?;
            if self.tail + size - self.head > CAPACITY {
                return Ok(false);
            }
        }
        let prefix = length as u64 | u64::from(tag) << 32;
        self.ring.write(self.tail, &prefix.to_le_bytes());
        let mut at = self.tail + PREFIX;
        for part in parts {
            self.ring.write(at, part);
            at += part.len() as u64;
        }
        self.tail += size;
        self.ring.header().tail.0.store(self.tail, Ordering::Release);
        Ok(true)
    }

    /// How far this side has written, ever.
    pub(crate) fn written(&self) -> u64 {
        self.tail
    }

    /// How far the consumer has read, ever. It acquires: what was read may be written over.
    pub(crate) fn look(&mut self) -> Result<u64, Wild> {
        let head = self.ring.header().head.0.load(Ordering::Acquire);
        if head < self.head || head > self.tail {
            return Err(Wild("more read than was written"));
        }
        self.head = head;
        Ok(head)
    }

    /// Whether the longest record finds room.
    pub(crate) fn has_room(&self) -> bool {
        let head = self.ring.header().head.0.load(Ordering::Acquire);
        self.tail.wrapping_sub(head) <= CAPACITY - padded(LONGEST as u64)
    }

    /// Asks the consumer to ring once it has read some; then look once more for room, by `push`.
    pub(crate) fn starve(&self) {
        self.ring.header().starved.0.store(1, Ordering::Relaxed);
        // Dekker, with `Consumer::fed`: one of the two sees the other.
        fence(Ordering::SeqCst);
    }

    /// Whether the consumer still owes an answer to `starve`.
    pub(crate) fn is_starving(&self) -> bool {
        self.ring.header().starved.0.load(Ordering::Relaxed) != 0
    }

    /// What a dead consumer has not read, oldest first.
    pub(crate) fn unread(&mut self) -> Result<Vec<(u32, Vec<u8>)>, Wild> {
        let mut at = self.look()?;
        let mut records = Vec::new();
        while at != self.tail {
            let mut bytes = Vec::new();
            let (tag, next) = self.ring.record(at, self.tail - at, &mut bytes)?;
            records.push((tag, bytes));
            at = next;
        }
        Ok(records)
    }
}

/// The reading side.
pub(crate) struct Consumer {
    ring: Ring,
    head: u64,
    /// Where the producer was when last looked at.
    tail: u64,
}

impl Consumer {
    pub(crate) fn new(region: Region) -> Option<Self> {
        let ring = Ring::new(region)?;
        let head = ring.header().head.0.load(Ordering::Relaxed);
        Some(Consumer { ring, head, tail: head })
    }

    /// Whether there is nothing to read.
    pub(crate) fn is_empty(&self) -> bool {
        self.tail == self.head && self.ring.header().tail.0.load(Ordering::Acquire) == self.head
    }

    /// Appends the next record to `to`; gives its tag.
    pub(crate) fn pop(&mut self, to: &mut Vec<u8>) -> Result<Option<u32>, Wild> {
        if self.tail == self.head {
            let tail = self.ring.header().tail.0.load(Ordering::Acquire);
            if tail.wrapping_sub(self.head) > CAPACITY {
                return Err(Wild("more written than there is room for"));
            }
            self.tail = tail;
            if self.tail == self.head {
                return Ok(None);
            }
        }
        let (tag, next) = self.ring.record(self.head, self.tail - self.head, to)?;
        self.head = next;
        // From here on the record is this side's: if it dies now, nobody else will have it.
        self.ring.header().head.0.store(self.head, Ordering::Release);
        Ok(Some(tag))
    }

    /// To be asked after some records were read: whether the producer waits to be told of the room.
    pub(crate) fn fed(&self) -> bool {
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
            while wrote < 2000 && producer.push(wrote, &[&record(wrote)]).expect("tame") {
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
        assert!(producer.push(7, &[b"head", b"", b"body"]).expect("tame"));
        assert_eq!(pop(&mut consumer).expect("a record"), b"headbody");
        assert_eq!(pop(&mut consumer), None);
    }

    #[test]
    fn what_was_not_read_is_there_for_the_writer() {
        let (mut producer, mut consumer) = ring();
        for n in 0..10u8 {
            assert!(producer.push(u32::from(n), &[&[n; 3]]).expect("tame"));
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
        while producer.push(0, &[&[0; 1000]]).expect("tame") {}
        producer.starve();
        assert!(!producer.push(0, &[&[0; 1000]]).expect("tame"));
        assert!(consumer.is_empty() || pop(&mut consumer).is_some());
        assert!(consumer.fed());
        assert!(!consumer.fed());
        assert!(producer.push(0, &[&[0; 1000]]).expect("tame"));
    }

    /// Every word of the ring overwritten with every kind of nonsense: errors, never a read out of bounds.
    #[test]
    fn a_wild_peer_spoils_only_its_own_messages() {
        let nonsense = [0u64, 1, 7, 8, 0xffff, CAPACITY, CAPACITY + 1, u64::MAX, u64::MAX / 2];
        for tail in nonsense {
            for head in nonsense {
                for prefix in nonsense {
                    let (mut producer, mut consumer) = ring();
                    assert!(producer.push(0, &[b"something"]).expect("tame"));
                    let header = consumer.ring.header();
                    header.tail.0.store(tail, Ordering::Relaxed);
                    header.head.0.store(head, Ordering::Relaxed);
                    consumer.ring.write(0, &prefix.to_le_bytes());
                    let mut bytes = Vec::new();
                    for _ in 0..4 {
                        if consumer.pop(&mut bytes).is_err() {
                            break;
                        }
                    }
                    let _ = producer.push(0, &[&[0; LONGEST]]);
                    let _ = producer.unread();
                }
            }
        }
    }
}
