//! What is said of processes that wait for sockets.

use std::io::{Read, Write};

use csp::{Channel, process, spawn};
use csp_tests::on_each_backend;

use super::{pair, unique, until_it_waits};

on_each_backend! {
    here: "no socket can be sent to another OS process";

    fn a_report_names_the_peer_and_the_descriptor(backend) {
        let is_named = unique("is_named");
        use std::os::fd::AsRawFd;
        let (one, mut other) = pair();
        let (peer, number) = (other.local_addr().unwrap(), one.as_raw_fd());
        let reads = spawn(backend.place(process(move || (&one).read(&mut [0]).unwrap()).named(is_named.clone())));
        let expected = format!("reading from {peer}, fd {number}");
        assert_eq!(until_it_waits(&is_named).trim(), expected);
        let text = csp::network().to_string();
        assert!(text.contains(&expected), "{text}");
        other.write_all(b"x").unwrap();
        assert_eq!(reads.join(), 1);
    }

    fn who_waits_for_a_socket_is_in_no_deadlock(backend) {
        let waits_for_it = unique("waits_for_it");
        let can_be_woken = unique("can_be_woken");
        let (one, mut other) = pair();
        let channel = Channel::new();
        let (tells, told) = (channel.writer(), channel.reader());
        drop(channel);
        let reads = spawn(backend.place(process(move || {
            let mut byte = [0];
            (&one).read_exact(&mut byte).unwrap();
            tells.write(byte[0]).unwrap();
        }).named(can_be_woken.clone())));
        let waits = spawn(backend.place(process(move || told.read()).named(waits_for_it.clone())));
        until_it_waits(&can_be_woken);
        until_it_waits(&waits_for_it);
        // Time enough for the watch to look some times.
        csp::sleep(std::time::Duration::from_millis(150));
        other.write_all(&[3]).unwrap();
        reads.join();
        assert_eq!(waits.join(), Ok(3));
    }
}
