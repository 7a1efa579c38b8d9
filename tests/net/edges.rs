//! The events that an event queue tells once only. A process that relies on what it knows must not wait for what nobody tells again.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use csp::net::{TcpStream, UnixStream};
use csp::{Channel, alt, parallel, process, spawn};
use csp_tests::{Placement, on_each_backend};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use super::pair;

/// Makes the stream known in the event queue of this thread, where it has nothing to read.
fn is_known(stream: &TcpStream) {
    for _ in 0..2 {
        stream.set_read_timeout(Some(Duration::from_nanos(1))).unwrap();
        assert_eq!((&*stream).read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
        stream.set_read_timeout(None).unwrap();
    }
}

/// Reads with a buffer that is never full, until there are so many bytes or the stream ends.
fn up_to(most: usize, mut stream: impl Read) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 1024]);
    while text.len() < most {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            size => text.push_str(std::str::from_utf8(&buffer[..size]).unwrap()),
        }
    }
    text
}

/// Returns what a process reads once `send` has sent everything. It has made the stream known before.
fn read_after(
    backend: &Placement,
    known: impl FnOnce() + Send + 'static,
    read: impl FnOnce() -> String + Send + 'static,
    send: impl FnOnce(),
) -> String {
    let (ready, go) = (Channel::new(), Channel::new());
    let (tells, wait) = (ready.writer(), go.reader());
    let reads = spawn(backend.place(process(move || {
        known();
        tells.write(()).unwrap();
        wait.read().unwrap();
        read()
    })));
    ready.reader().read().unwrap();
    send();
    go.writer().write(()).unwrap();
    reads.join()
}

on_each_backend! {
    here: "no socket can be sent to another OS process";

    fn an_end_that_comes_with_the_last_bytes_is_read(backend) {
        let reads = backend.place(process(|| {
            for round in 0..100 {
                let (one, mut other) = pair();
                is_known(&one);
                let sends = std::thread::spawn(move || {
                    for text in ["ab", "cde"] {
                        other.write_all(text.as_bytes()).unwrap();
                        if round % 2 == 0 {
                            std::thread::yield_now();
                        }
                    }
                    // Also by a reset, or by both in one.
                    other.shutdown(if round % 3 == 0 { Shutdown::Both } else { Shutdown::Write }).unwrap();
                    other
                });
                assert_eq!(up_to(usize::MAX, &one), "abcde");
                drop(sends.join().unwrap());
            }
        }));
        parallel!(reads);
    }

    fn the_end_is_there_before_the_last_bytes_are_read(backend) {
        let (one, mut other) = pair();
        let one = Arc::new(one);
        let copy = Arc::clone(&one);
        let read = read_after(backend, move || is_known(&copy), move || up_to(usize::MAX, &*one), || {
            other.write_all(b"ab").unwrap();
            other.shutdown(Shutdown::Write).unwrap();
        });
        assert_eq!(read, "ab");
    }

    fn bytes_behind_an_urgent_one_are_read(backend) {
        let (one, mut other) = pair();
        let one = Arc::new(one);
        let copy = Arc::clone(&one);
        // The end of the stream comes much later.
        let read = read_after(backend, move || is_known(&copy), move || up_to(4, &*one), || {
            other.write_all(b"ab").unwrap();
            rustix::net::send(&other, b"!", SendFlags::OOB).unwrap();
            other.write_all(b"cd").unwrap();
        });
        assert_eq!(read, "abcd");
    }

    fn bytes_behind_a_descriptor_are_read(backend) {
        let (one, mut other) = UnixStream::pair().unwrap();
        let one = Arc::new(one);
        let copy = Arc::clone(&one);
        let known = move || {
            copy.set_read_timeout(Some(Duration::from_nanos(1))).unwrap();
            assert_eq!((&*copy).read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
            copy.set_read_timeout(None).unwrap();
        };
        // A read stops at the bytes that came with a descriptor.
        let read = read_after(backend, known, move || up_to(4, &*one), || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut message = SendAncillaryBuffer::new(&mut space);
            let descriptor = [other.as_fd()];
            assert!(message.push(SendAncillaryMessage::ScmRights(&descriptor)));
            rustix::net::sendmsg(&other, &[IoSlice::new(b"ab")], &mut message, SendFlags::empty()).unwrap();
            other.write_all(b"cd").unwrap();
        });
        assert_eq!(read, "abcd");
    }

    fn a_read_whose_bytes_are_there_has_no_timeout(backend) {
        const ROUNDS: usize = 50;
        let ((one, mut other), (ready, go)) = (pair(), (Channel::new(), Channel::new()));
        let (tells, wait) = (ready.writer(), go.reader());
        let reads = spawn(backend.place(process(move || {
            is_known(&one);
            one.set_read_timeout(Some(Duration::from_nanos(1))).unwrap();
            for _ in 0..ROUNDS {
                tells.write(()).unwrap();
                wait.read().unwrap();
                assert_eq!((&one).read(&mut [0; 9]).unwrap(), 1);
            }
        })));
        let (ready, go) = (ready.reader(), go.writer());
        for _ in 0..ROUNDS {
            ready.read().unwrap();
            other.write_all(b"x").unwrap();
            go.write(()).unwrap();
        }
        reads.join();
    }

    fn a_choice_by_priority_sees_bytes_that_are_there(backend) {
        const ROUNDS: usize = 50;
        let ((one, mut other), (ready, go)) = (pair(), (Channel::new(), Channel::new()));
        let (tells, wait) = (ready.writer(), go.reader());
        let looks = spawn(backend.place(process(move || {
            is_known(&one);
            for _ in 0..ROUNDS {
                let look = || csp::pri_alt! { r = one.readable() => { r.unwrap(); true }, skip => false }.unwrap();
                assert!(!look());
                tells.write(()).unwrap();
                wait.read().unwrap();
                assert!(look());
                assert_eq!((&one).read(&mut [0; 9]).unwrap(), 1);
            }
        })));
        let (ready, go) = (ready.reader(), go.writer());
        for _ in 0..ROUNDS {
            ready.read().unwrap();
            other.write_all(b"x").unwrap();
            go.write(()).unwrap();
        }
        looks.join();
    }

    fn a_busy_choice_sees_a_socket_that_becomes_ready(backend) {
        // The channel is always ready, and no process ever waits for an event.
        let ((one, mut other), (go_on, go)) = (pair(), std::sync::mpsc::channel());
        let sends = std::thread::spawn(move || {
            go.recv().unwrap();
            other.write_all(b"x").unwrap();
            other
        });
        let numbers = Channel::buffered(1);
        let (writer, reader) = (numbers.writer(), numbers.reader());
        let chooses = spawn(backend.place(process(move || {
            let mut rounds = 0_usize;
            loop {
                writer.write(rounds).unwrap();
                let chosen = alt! {
                    r = one.readable()  => { r.unwrap(); None },
                    n = reader.read()   => Some(n),
                };
                match chosen.unwrap() {
                    None => return,
                    Some(number) => assert_eq!(number, rounds),
                }
                rounds += 1;
                if rounds == 1000 {
                    go_on.send(()).unwrap();
                }
            }
        })));
        chooses.join();
        drop(sends.join().unwrap());
    }
}
