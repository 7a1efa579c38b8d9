//! Shared buffers: they are passed on and not copied, on every backend.

use std::time::{Duration, Instant};
use std::{fs, thread};

use csp::{Backend, Cause, Channel, Reader, SharedBuf, Writer, multiprocess, parallel, spawn};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::killed::signal;
use crate::{here, tests};

const LARGE: usize = 64 << 20;

/// Sets some bytes that tell where the buffer was, and how often.
fn mark(buffer: &mut SharedBuf, with: u8) {
    let bytes = buffer.make_mut().expect("memory");
    let length = bytes.len();
    for at in [0, 4095, 4096, length / 2, length - 1] {
        bytes[at] += with;
    }
}

fn is_marked(buffer: &SharedBuf, with: u8) -> bool {
    let length = buffer.len();
    let others = buffer.chunks(4096).filter(|page| **page != [0; 4096][..page.len()]).flatten();
    [0, 4095, 4096, length / 2, length - 1].iter().all(|at| buffer[*at] == with)
        && others.filter(|byte| **byte != 0).count() == 5
}

#[multiprocess]
fn marks(input: Reader<SharedBuf>, output: Writer<SharedBuf>) -> csp::Result {
    loop {
        let mut buffer = input.read()?;
        mark(&mut buffer, 1);
        output.write(buffer)?;
    }
}

/// Returns the number of open descriptors, and the number of mapped bytes of shared buffers.
fn held() -> (usize, usize) {
    let descriptors = fs::read_dir("/proc/self/fd").expect("/proc").count();
    let maps = fs::read_to_string("/proc/self/maps").expect("/proc");
    let mapped = maps.lines().filter(|line| line.contains("ipc-channel-shared-memory"));
    let size = |line: &str| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        Some(usize::from_str_radix(end, 16).ok()? - usize::from_str_radix(start, 16).ok()?)
    };
    (descriptors, mapped.filter_map(size).filter(|size| *size > 1 << 20).sum())
}

/// Waits until no buffers are mapped. A child's buffers are released after its end.
fn wait_until_free() {
    let since = Instant::now();
    while held().1 > 0 {
        assert!(since.elapsed() < Duration::from_secs(60), "{:?}", held());
        thread::sleep(Duration::from_millis(1));
    }
}

#[derive(Serialize, Deserialize)]
struct Page {
    number: u32,
    bytes: SharedBuf,
    reply: Writer<(u32, SharedBuf)>,
    more: Option<Vec<SharedBuf>>,
}

#[multiprocess]
fn answers(pages: Reader<Page>) -> u32 {
    let mut pid = 0;
    for page in &pages {
        pid = here();
        let more = page.more.into_iter().flatten().map(|buffer| buffer.len()).sum::<usize>();
        let first = u32::from(page.bytes[0]);
        page.reply.write((page.number + first + more as u32, page.bytes)).expect("a reader");
    }
    pid
}

#[multiprocess]
fn takes_and_gives(mut buffer: SharedBuf) -> SharedBuf {
    mark(&mut buffer, 2);
    buffer
}

#[multiprocess]
fn leaves(out: Writer<SharedBuf>, over: Writer<()>) {
    let mut buffer = SharedBuf::new(LARGE).expect("memory");
    mark(&mut buffer, 9);
    out.write(buffer).expect("room");
    drop(over);
}

/// Never reads.
#[multiprocess]
fn holds(_input: Reader<SharedBuf>, born: Writer<u32>) {
    born.write(here()).expect("a reader");
    loop {
        thread::park();
    }
}

#[multiprocess]
fn reads_and_keeps(input: Reader<SharedBuf>, born: Writer<(u32, u8)>) {
    let buffer = input.read().expect("a buffer");
    born.write((here(), buffer[0])).expect("a reader");
    loop {
        thread::park();
    }
}

#[multiprocess(on_panic = retire)]
fn keeps_and_writes(out: Writer<SharedBuf>, born: Writer<u32>) {
    let buffer = SharedBuf::copied(&[1; 1 << 21]).expect("memory");
    out.write(buffer).expect("room");
    born.write(here()).expect("a reader");
    loop {
        thread::park();
    }
}

/// Runs in another program with these tests' code, so that it counts only its own resources.
#[multiprocess]
fn sends_and_counts() {
    let round = || {
        let (there, back) = (Channel::new(), Channel::new());
        let child = spawn(marks(there.reader(), back.writer()));
        let (there, back) = (there.writer(), back.reader());
        let mut buffer = SharedBuf::new(LARGE).expect("memory");
        mark(&mut buffer, 1);
        for round in 2..6 {
            there.write(buffer).expect("a reader");
            buffer = back.read().expect("a writer");
            assert!(is_marked(&buffer, round));
        }
        drop((there, back));
        assert!(child.join().is_err());
    };
    // The first child takes some resources for good: a thread, a mailbox.
    round();
    wait_until_free();
    let before = held();
    for _ in 0..3 {
        round();
    }
    wait_until_free();
    let since = Instant::now();
    while held().0 > before.0 {
        assert!(since.elapsed() < Duration::from_secs(60), "{before:?} {:?}", held());
        thread::yield_now();
    }
}

#[multiprocess]
fn kills_and_counts() {
    for taken in [false, true] {
        for buffered in [false, true] {
            let there = if buffered { Channel::buffered(2) } else { Channel::new() };
            let (reader, writer) = (there.reader(), there.writer());
            let child = if taken {
                let born = Channel::new();
                let child = spawn(reads_and_keeps(reader, born.writer()));
                writer.write(SharedBuf::new(LARGE).expect("memory")).expect("a reader");
                let (pid, _) = born.reader().read().expect("a child");
                (child, pid)
            } else {
                let born = Channel::new();
                let child = spawn(holds(reader, born.writer()));
                let pid = born.reader().read().expect("a child");
                (child, pid)
            };
            drop(there);
            let writing = thread::spawn(move || {
                let more = (0..2).map(|_| writer.write(SharedBuf::new(LARGE).expect("memory")));
                more.collect::<Vec<_>>()
            });
            thread::sleep(Duration::from_millis(20));
            signal(child.1, Signal::KILL);
            assert!(child.0.try_join().is_err());
            drop(writing.join().expect("a writer"));
            wait_until_free();
        }
    }
}

tests! {
    fn a_large_buffer_goes_to_a_child_and_back_and_leaves_nothing_behind() {
        parallel!(sends_and_counts());
    }

    fn a_buffer_comes_in_a_struct_beside_ends_and_other_buffers() {
        for backend in [Backend::Subprocess, Backend::Thread, Backend::Coroutine] {
            let (pages, replies) = (Channel::new(), Channel::new());
            let child = spawn(answers(pages.reader()).on(backend));
            let pages = pages.writer();
            let (reply, replying) = (replies.reader(), replies.writer());
            for number in 0..20 {
                let bytes = SharedBuf::copied(&[3; 1000]).expect("memory");
                let more = (number % 2 == 1).then(|| {
                    (0..3).map(|n| SharedBuf::new(n).expect("memory")).collect()
                });
                let page = Page { number, bytes, reply: replying.clone(), more };
                assert!(pages.write(page).is_ok());
                let (answer, bytes) = reply.read().expect("an answer");
                assert_eq!(answer, number + 3 + 3 * (number % 2));
                assert_eq!(*bytes, [3; 1000]);
            }
            drop(pages);
            assert_eq!(child.join() == here(), backend != Backend::Subprocess);
        }
    }

    fn a_buffer_is_an_argument_and_a_result() {
        for backend in [Backend::Subprocess, Backend::Thread, Backend::Coroutine] {
            let mut buffer = SharedBuf::new(LARGE).expect("memory");
            mark(&mut buffer, 1);
            let (buffer,) = parallel!(takes_and_gives(buffer).on(backend));
            assert!(is_marked(&buffer, 3));
        }
    }

    fn within_an_os_process_it_is_the_same_memory() {
        #[multiprocess]
        fn passes(input: Reader<SharedBuf>, output: Writer<SharedBuf>) -> csp::Result {
            Ok(output.write(input.read()?)?)
        }
        for backend in [Backend::Thread, Backend::Coroutine] {
            let (there, back) = (Channel::new(), Channel::new());
            let passing = spawn(passes(there.reader(), back.writer()).on(backend));
            let buffer = SharedBuf::new(LARGE).expect("memory");
            let place = buffer.as_ptr();
            there.writer().write(buffer).expect("a reader");
            let mut buffer = back.reader().read().expect("a writer");
            assert_eq!(buffer.as_ptr(), place);
            assert!(buffer.get_mut().is_some(), "nobody else has it");
            passing.join().expect("it has passed it on");
        }
        // The buffer also goes over a channel that others reach.
        let (there, gift) = (Channel::<SharedBuf>::buffered(1), Channel::new());
        let child = spawn(holds(there.reader(), gift.writer()));
        let pid = gift.reader().read().expect("a child");
        let buffer = SharedBuf::new(LARGE).expect("memory");
        let place = buffer.as_ptr();
        there.writer().write(buffer).expect("room");
        let back = there.reader().read().expect("what was written");
        assert_eq!(back.as_ptr(), place);
        signal(pid, Signal::KILL);
        assert!(child.try_join().is_err());
    }

    fn who_is_not_the_only_holder_gets_a_copy_to_change() {
        let mut buffer = SharedBuf::copied(b"as it was").expect("memory");
        let clone = buffer.clone();
        assert!(buffer.get_mut().is_none());
        buffer.make_mut().expect("memory")[0] = b'A';
        assert_eq!((&*buffer, &*clone), (&b"As it was"[..], &b"as it was"[..]));
        assert_eq!(clone, SharedBuf::copied(b"as it was").expect("memory"));

        // A process that has given one of two handles to another OS process is not alone either.
        let (there, born) = (Channel::new(), Channel::new());
        let child = spawn(reads_and_keeps(there.reader(), born.writer()));
        let mut mine = clone.clone();
        there.writer().write(clone).expect("a reader");
        let (pid, first) = born.reader().read().expect("a child");
        assert_eq!(first, b'a');
        assert!(mine.get_mut().is_none());
        signal(pid, Signal::KILL);
        assert!(child.try_join().is_err());
    }

    fn a_buffer_outlives_who_has_written_it_and_ended_well() {
        let (out, over) = (Channel::buffered(1), Channel::<()>::new());
        let reader = out.reader();
        parallel!(leaves(out.writer(), over.writer()));
        let buffer = reader.read().expect("what was written");
        assert!(is_marked(&buffer, 9));
        // This also holds for a sibling that is started only then.
        let (out, back) = (Channel::buffered(1), Channel::new());
        let reader = out.reader();
        parallel!(leaves(out.writer(), over.writer()));
        let child = spawn(marks(reader, back.writer()));
        let marked = back.reader().read().expect("it came back");
        assert!(is_marked(&marked, 10));
        let _ = child.join();
    }

    fn a_reader_killed_with_buffers_on_their_way_leaves_nothing_behind() {
        parallel!(kills_and_counts());
    }

    fn a_buffer_whose_writer_was_killed_is_an_error_and_no_hang() {
        let (out, born) = (Channel::buffered(1), Channel::new());
        let child = spawn(keeps_and_writes(out.writer(), born.writer()));
        let pid = born.reader().read().expect("a child");
        signal(pid, Signal::KILL);
        assert!(child.try_join().is_err());
        let read = out.reader().read().expect_err("it is gone");
        let cause = read.poison().map(csp::Poison::cause);
        assert!(matches!(cause, Some(Cause::Serialization { .. })), "{read}");
    }

    fn too_much_memory_is_an_error() {
        for length in [usize::MAX, isize::MAX as usize, 1 << 46, 1 << 43] {
            assert!(SharedBuf::new(length).is_err(), "{length}");
        }
    }
}
