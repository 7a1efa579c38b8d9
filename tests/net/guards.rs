//! Sockets as guards.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use csp::net::{TcpListener, TcpStream, UdpSocket};
use csp::{Alternation, Barrier, Channel, Reader, alt, parallel, pri_alt, process, spawn};
use csp_tests::on_each_backend;

use super::{HOUR, listener, pair, unique, until_it_waits};

/// Accepts until it is stopped.
#[process]
fn accepts(listener: TcpListener, stop: Reader<()>) -> usize {
    let mut count = 0;
    loop {
        let chosen = alt! {
            client = listener.accept() => { client.unwrap(); true },
            stop.read()                => false,
            after(HOUR)                => unreachable!(),
        };
        match chosen {
            Ok(true) => count += 1,
            _ => return count,
        }
    }
}

on_each_backend! {
    here: "no socket can be sent to another OS process";

    fn a_choice_waits_for_a_connection_and_for_a_channel(backend) {
        let name = unique("accepts");
        let (listener, address) = listener();
        let stop = Channel::new();
        let server = spawn(backend.place(accepts(listener, stop.reader()).named(name.clone())));
        for _ in 0..3 {
            assert!(until_it_waits(&name).contains(&format!("accepting at {address}, fd ")));
            // The connection is reset when it is accepted and dropped.
            let _ = TcpStream::connect(address).unwrap().read(&mut [0]);
        }
        until_it_waits(&name);
        stop.writer().write(()).unwrap();
        assert_eq!(server.join(), 3);
    }

    fn a_guard_that_is_not_chosen_accepts_nothing(backend) {
        let (listener, address) = listener();
        let chosen = Channel::buffered(1);
        chosen.writer().write(1).unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        let first = chosen.reader();
        let accepted = backend.place(process(move || {
            // Both are ready, and the first is chosen.
            let one = pri_alt! { n = first.read() => n, _c = listener.accept() => 2, skip => 3 };
            let two = pri_alt! { n = first.read() => n, c = listener.accept() => { c.unwrap(); 2 }, skip => 3 };
            let three = pri_alt! { n = first.read() => n, _c = listener.accept() => 2, skip => 3 };
            [one.unwrap(), two.unwrap(), three.unwrap()]
        }));
        assert_eq!(parallel!(accepted).0, [1, 2, 3]);
        drop(chosen);
    }

    fn a_choice_of_a_socket_is_ready_when_it_is(backend) {
        let (one, mut other) = pair();
        let (start, go) = (Channel::new(), Channel::new());
        let (ready, wait) = (start.writer(), go.reader());
        let chooses = spawn(backend.place(process(move || {
            let look = || pri_alt! { r = one.readable() => { r.unwrap(); true }, skip => false }.unwrap();
            let before = look();
            ready.write(before).unwrap();
            wait.read().unwrap();
            let after = look();
            let writable = pri_alt! { w = one.writable() => { w.unwrap(); true }, skip => false }.unwrap();
            (after, writable)
        })));
        assert_eq!(start.reader().read(), Ok(false));
        other.write_all(b"x").unwrap();
        go.writer().write(()).unwrap();
        assert_eq!(chooses.join(), (true, true));
    }

    fn who_has_only_borrowed_a_socket_chooses_it_too(backend) {
        fn first(stream: &mut csp::net::TcpStream, listener: &mut TcpListener) -> u8 {
            let byte = alt! {
                ready = stream.readable()  => { ready.unwrap(); let mut byte = [0]; stream.read_exact(&mut byte).unwrap(); byte[0] },
                _client = listener.accept() => 0,
            };
            byte.unwrap()
        }
        let chooses = backend.place(process(|| {
            let ((mut one, mut other), (mut listener, _)) = (pair(), listener());
            other.write_all(&[7]).unwrap();
            first(&mut one, &mut listener)
        }));
        assert_eq!(parallel!(chooses).0, 7);
    }

    fn a_timeout_is_chosen_if_nothing_comes(backend) {
        let (one, _other) = pair();
        let chooses = backend.place(process(move || {
            let began = Instant::now();
            let chosen = alt! {
                _r = one.readable()              => 1,
                after(Duration::from_millis(2)) => 2,
            };
            assert!(began.elapsed() >= Duration::from_millis(2));
            chosen.unwrap()
        }));
        assert_eq!(parallel!(chooses).0, 2);
    }

    fn a_datagram_is_received_by_the_guard_that_is_chosen(backend) {
        let receiver = unique("receives");
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (to, stop) = (socket.local_addr().unwrap(), Channel::<()>::new());
        let stopped = stop.reader();
        let receives = spawn(backend.place(process(move || {
            let (mut buffer, mut all) = ([0; 16], Vec::new());
            while all.len() < 3 {
                let received = alt! {
                    received = socket.recv_from(&mut buffer) => Some(received.unwrap().0),
                    stopped.read()                           => None,
                };
                match received.unwrap() {
                    Some(size) => all.push(String::from_utf8(buffer[..size].to_vec()).unwrap()),
                    None => break,
                }
            }
            all
        }).named(receiver.clone())));
        let plain = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for text in ["one", "two", "three"] {
            until_it_waits(&receiver);
            plain.send_to(text.as_bytes(), to).unwrap();
            csp_tests::settle();
        }
        assert_eq!(receives.join(), ["one", "two", "three"]);
        drop(stop);
    }

    fn an_alternation_serves_all_its_sockets(backend) {
        let pairs: Vec<_> = (0..8).map(|_| pair()).collect();
        let (ours, theirs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let stop = Channel::new();
        let stopped = stop.reader();
        let serves = spawn(backend.place(process(move || {
            let mut sums = [0_usize; 8];
            let mut choice = Alternation::new();
            for (index, stream) in ours.iter().enumerate() {
                choice.readable(stream, move |ready| { ready.unwrap(); Some(index) });
            }
            choice.read(&stopped, |()| None);
            while let Ok(Some(index)) = choice.choose() {
                let mut buffer = [0; 3];
                let size = (&ours[index]).read(&mut buffer).unwrap();
                sums[index] += buffer[..size].iter().map(|byte| usize::from(*byte)).sum::<usize>();
                if sums.iter().sum::<usize>() == 10 * 36 { break; }
            }
            sums
        })));
        for _ in 0..10 {
            for (index, mut stream) in theirs.iter().enumerate() {
                stream.write_all(&[index as u8 + 1]).unwrap();
            }
        }
        assert_eq!(serves.join(), [10, 20, 30, 40, 50, 60, 70, 80]);
        drop(stop);
    }

    fn of_several_processes_at_a_listener_each_connection_has_one(backend) {
        const CLIENTS: usize = 40;
        let (listener, address) = listener();
        let (stop, listener) = (Channel::<()>::new(), std::sync::Arc::new(listener));
        let servers: Vec<_> = (0..4).map(|_| {
            let (listener, stop) = (std::sync::Arc::clone(&listener), stop.reader());
            spawn(backend.place(process(move || {
                let mut count = 0;
                loop {
                    let chosen = alt! {
                        client = listener.accept() => client.map(|(mut client, _)| client.write_all(b"hi").unwrap()),
                        retired(&stop)                => return count,
                    };
                    match chosen { Ok(accepted) => accepted.unwrap(), Err(_) => return count }
                    count += 1;
                }
            })))
        }).collect();
        for _ in 0..CLIENTS {
            let mut text = String::new();
            TcpStream::connect(address).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "hi");
        }
        drop(stop);
        assert_eq!(servers.into_iter().map(csp::Spawned::join).sum::<usize>(), CLIENTS);
    }

    fn a_fair_choice_starves_neither_socket_nor_channel(backend) {
        let (one, mut other) = pair();
        let numbers = Channel::buffered(200);
        let (writer, reads) = (numbers.writer(), numbers.reader());
        (0..200).for_each(|n| writer.write(n).unwrap());
        other.write_all(&[0; 200]).unwrap();
        one.readable().unwrap();
        let chooses = backend.place(process(move || {
            // Both are ready all the time.
            let (mut of_socket, mut of_channel) = (0_u32, 0_u32);
            while of_socket + of_channel < 150 {
                alt! {
                    r = one.readable() => {
                        r.unwrap();
                        (&one).read_exact(&mut [0]).unwrap();
                        of_socket += 1;
                    },
                    _n = reads.read()  => of_channel += 1,
                }
                .unwrap();
                assert!(of_socket.abs_diff(of_channel) <= 1, "{of_socket} and {of_channel}");
            }
        }));
        parallel!(chooses);
        drop(writer);
    }

    fn a_barrier_beside_a_socket_is_chosen(backend) {
        let (one, _other) = pair();
        let barrier = Barrier::new();
        let (here, there) = (barrier.clone(), barrier);
        let (chosen, ()) = parallel!(
            backend.place(process(move || alt! {
                _r = one.readable() => 1,
                here.sync()         => 2,
            }.unwrap())),
            backend.place(process(move || there.sync())),
        );
        assert_eq!(chosen, 2);
    }

    fn readiness_that_turns_out_false_begins_the_choice_anew(backend) {
        // Each byte makes all of them ready, and one of them takes it.
        let (one, mut other) = pair();
        one.set_read_timeout(Some(HOUR)).unwrap();
        let one = std::sync::Arc::new(one);
        let taken = Channel::<u8>::new();
        let stop = Channel::<()>::new();
        let takers: Vec<_> = (0..3).map(|_| {
            let (one, taken, stop) = (std::sync::Arc::clone(&one), taken.writer(), stop.reader());
            spawn(backend.place(process(move || loop {
                let chosen = alt! {
                    r = one.readable() => r.is_ok(),
                    retired(&stop)        => false,
                };
                if chosen != Ok(true) { return; }
                // Another taker may have been faster.
                one.set_read_timeout(Some(Duration::from_micros(1))).unwrap();
                let mut byte = [0];
                match (&*one).read(&mut byte) {
                    Ok(1) => taken.write(byte[0]).unwrap(),
                    Ok(_) => return,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            })))
        }).collect();
        let reader = taken.reader();
        for byte in 0..50 {
            other.write_all(&[byte]).unwrap();
            assert_eq!(reader.read(), Ok(byte));
        }
        drop(stop);
        takers.into_iter().for_each(|taker| taker.join());
    }
}

#[test]
fn a_guard_of_a_listener_that_fails_says_why() {
    let (listener, _) = listener();
    // It listens no longer.
    rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
    let accepted = alt! {
        client = listener.accept() => client.map(drop).unwrap_err().kind(),
        after(HOUR)                => ErrorKind::Other,
    };
    assert_eq!(accepted, Ok(ErrorKind::InvalidInput));
}
