//! What goes wrong at sockets.

use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};

use csp::net::TcpStream;
use csp::{parallel, process, spawn};
use csp_tests::on_each_backend;

use super::{HOUR, fill, pair, unique, until_it_waits};

/// Ends a connection by a reset.
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO)).unwrap();
}

/// The signals of a storm that have been handled.
static HANDLED: AtomicUsize = AtomicUsize::new(0);

/// Interrupts whatever a thread waits for, some hundred times, when the process of this name waits.
#[allow(unsafe_code, reason = "a thread is sent signals")]
fn storm(thread: libc::pthread_t, name: &str) {
    /// Only one storm is there at a time, so that each signal can be seen to be handled.
    static STORM: Mutex<()> = Mutex::new(());
    extern "C" fn handle(_: libc::c_int) {
        HANDLED.fetch_add(1, Ordering::SeqCst);
    }
    let _one = STORM.lock().unwrap();
    // SAFETY: the handler only counts. Without `SA_RESTART` the system returns from calls that wait. The thread is there until what it
    // waits for has come.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = libc::SA_ONSTACK;
        assert_eq!(libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut()), 0);
        for _ in 0..300 {
            until_it_waits(name);
            let before = HANDLED.load(Ordering::SeqCst);
            assert_eq!(libc::pthread_kill(thread, libc::SIGUSR2), 0);
            while HANDLED.load(Ordering::SeqCst) == before {
                std::thread::yield_now();
            }
        }
    }
}

/// Says on which thread a process runs.
#[allow(unsafe_code, reason = "asks the system for the thread")]
fn this_thread() -> libc::pthread_t {
    // SAFETY: it only returns a number.
    unsafe { libc::pthread_self() }
}

on_each_backend! {
    here: "no socket can be sent to another OS process";

    fn a_reset_ends_a_read(backend) {
        let is_reset = unique("is_reset");
        let (one, other) = pair();
        let reads = spawn(backend.place(process(move || (&one).read(&mut [0]).unwrap_err().kind()).named(is_reset.clone())));
        until_it_waits(&is_reset);
        reset(other);
        assert_eq!(reads.join(), ErrorKind::ConnectionReset);
    }

    fn signals_end_no_wait(backend) {
        let (waits, fills) = (unique("in_a_storm"), unique("in_a_storm"));
        let (one, mut other) = pair();
        one.set_read_timeout(Some(HOUR)).unwrap();
        let (tell, told) = mpsc::channel();
        let name = waits.clone();
        let peer = std::thread::spawn(move || {
            storm(told.recv().unwrap(), &name);
            other.write_all(b"x").unwrap();
            other
        });
        let reads = spawn(backend.place(process(move || {
            tell.send(this_thread()).unwrap();
            (&one).read(&mut [0]).map(|size| (size, one))
        }).named(waits)));
        let (size, one) = reads.join().unwrap();
        assert_eq!(size, 1);

        let mut other = peer.join().unwrap();
        let (tell, told) = mpsc::channel();
        let name = fills.clone();
        let peer = std::thread::spawn(move || {
            storm(told.recv().unwrap(), &name);
            std::io::copy(&mut other, &mut std::io::sink()).unwrap()
        });
        let writes = spawn(backend.place(process(move || {
            tell.send(this_thread()).unwrap();
            fill(&one)
        }).named(fills)));
        writes.join().unwrap();
        assert_eq!(peer.join().unwrap(), 64 << 20);
    }

    fn a_peer_that_vanishes_ends_a_write_without_a_signal(backend) {
        let fills = unique("fills");
        let (one, other) = pair();
        let writes = spawn(backend.place(process(move || fill(&one).unwrap_err().kind()).named(fills.clone())));
        assert!(until_it_waits(&fills).starts_with("writing to 127.0.0.1:"));
        drop(other);
        let kind = writes.join();
        assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{kind:?}");
    }

    fn a_write_after_the_end_is_an_error_and_no_signal(backend) {
        let writes = backend.place(process(|| {
            let (one, other) = csp::net::UnixStream::pair().unwrap();
            drop(other);
            (&one).write(b"x").unwrap_err().kind()
        }));
        assert_eq!(parallel!(writes).0, ErrorKind::BrokenPipe);
    }

    fn a_wait_ends_when_a_clone_shuts_down(backend) {
        let shut = unique("shut");
        let (one, _other) = pair();
        let clone = one.try_clone().unwrap();
        let reads = spawn(backend.place(process(move || (&one).read(&mut [0]).unwrap()).named(shut.clone())));
        until_it_waits(&shut);
        clone.shutdown(std::net::Shutdown::Both).unwrap();
        assert_eq!(reads.join(), 0);
    }

    fn a_connection_that_nobody_accepts_times_out(backend) {
        let connects = backend.place(process(|| {
            // An address of the documentation: packets to it come to nothing, or are refused at once.
            let nowhere = "192.0.2.1:9".parse().unwrap();
            TcpStream::connect_timeout(&nowhere, std::time::Duration::from_millis(5)).unwrap_err().kind()
        }));
        let kind = parallel!(connects).0;
        assert!(matches!(kind, ErrorKind::TimedOut | ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::ConnectionRefused | ErrorKind::PermissionDenied), "{kind:?}");
    }

    fn a_number_that_is_used_again_has_no_old_events(backend) {
        // The stream is registered, its descriptor closed, and its number taken by the next.
        let reopens = backend.place(process(|| {
            for round in 0..50_u8 {
                let (one, mut other) = pair();
                one.set_read_timeout(Some(std::time::Duration::from_micros(1))).unwrap();
                assert_eq!((&one).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
                other.write_all(&[round]).unwrap();
                drop(one);
                let (next, mut other) = pair();
                next.set_read_timeout(Some(std::time::Duration::from_micros(1))).unwrap();
                assert_eq!((&next).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
                next.set_read_timeout(None).unwrap();
                other.write_all(&[round]).unwrap();
                let mut byte = [255];
                (&next).read_exact(&mut byte).unwrap();
                assert_eq!(byte, [round]);
            }
        }));
        parallel!(reopens);
    }
}
