//! A stream that two processes share, on one scheduler and on two.

use std::io::{Read, Write};
use std::sync::Arc;

use csp::{parallel, process, spawn};
use csp_tests::on_each_backend;

use super::{pair, unique, until_it_waits};

on_each_backend! {
    here: "no socket can be sent to another OS process";

    fn one_reads_and_another_writes(backend) {
        const SIZE: usize = 3 << 20;
        let (one, mut other) = pair();
        let reads = Arc::new(one);
        let writer = Arc::clone(&reads);
        let back = std::thread::spawn(move || {
            let mut copy = other.try_clone().unwrap();
            let sends = std::thread::spawn(move || copy.write_all(&vec![1; SIZE]).unwrap());
            let mut all = vec![0; SIZE];
            other.read_exact(&mut all).unwrap();
            sends.join().unwrap();
            all.iter().all(|byte| *byte == 2)
        });
        let (read, ()) = parallel!(
            backend.place(process(move || {
                let mut all = vec![0; SIZE];
                (&*reads).read_exact(&mut all).unwrap();
                all.iter().all(|byte| *byte == 1)
            })),
            backend.place(process(move || (&*writer).write_all(&vec![2; SIZE]).unwrap())),
        );
        assert!(read && back.join().unwrap());
    }

    fn it_is_dropped_by_one_when_the_other_has_waited(backend) {
        for round in 0..20 {
            let names = [unique("shares"), unique("shares")];
            let (one, mut other) = pair();
            let shared = Arc::new(one);
            let clones = [Arc::clone(&shared), shared];
            let waits: Vec<_> = clones.into_iter().enumerate().map(|(index, stream)| {
                spawn(backend.place(process(move || (&*stream).read(&mut [0]).unwrap()).named(names[index].clone())))
            }).collect();
            until_it_waits(&names[0]);
            until_it_waits(&names[1]);
            if round % 2 == 0 {
                other.write_all(b"xy").unwrap();
                assert_eq!(waits.into_iter().map(csp::Spawned::join).sum::<usize>(), 2);
            } else {
                drop(other);
                assert_eq!(waits.into_iter().map(csp::Spawned::join).sum::<usize>(), 0);
            }
        }
    }
}
