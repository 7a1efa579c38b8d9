//! What an OS process of its own is needed for: limits, signals, standard input, copies.
//!
//! The ignored tests of this file run so, started by the others.
#![allow(unsafe_code, reason = "signals, and a copy of the OS process")]

use std::fs::File;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::Duration;

use csp::net::{Polled, UnixDatagram, UnixStream};
use csp::{Backend, Channel, Process, Reader, alt, parallel, process, shell, spawn};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{listener, pair, unique, until_it_waits};

/// Prepares one of the ignored tests, on each backend.
fn on_each_backend(name: &str, mut run: impl FnMut(&mut Command)) {
    let backends =
        [("coroutine", cfg!(feature = "coroutines")), ("thread", cfg!(feature = "threads"))];
    for (backend, _) in backends.into_iter().filter(|(_, is_there)| *is_there) {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["--ignored", "--exact", "--nocapture", &format!("apart::{name}")]);
        run(program.env("CSP_APART", backend).env("CSP_CORES", "1").env("CSP_TEST_LIMIT", "100"));
    }
}

fn passes(name: &str) {
    on_each_backend(name, |program| {
        let output = program.output().unwrap();
        let [text, errors] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{:?}\n{text}\n{errors}", output.status);
        assert!(text.contains("1 passed"), "{text}");
    });
}

/// Places a process on the backend that was asked for.
fn placed<A, R>(process: Process<A, R>) -> Process<A, R> {
    let backend = std::env::var("CSP_APART").expect("run by another test");
    process.on(backend.parse::<Backend>().unwrap())
}

/// Runs an ignored test under a watchdog.
fn watched(test: impl FnOnce() + Send + 'static) {
    csp_tests::watched("apart", test);
}

/// Accepts in a choice. Returns the number of the error of the system.
fn accepts(
    listener: &csp::net::TcpListener,
    never: &Reader<()>,
) -> Result<csp::net::TcpStream, Option<i32>> {
    let accepted = alt! {
        accepted = listener.accept() => accepted,
        never.read()                 => unreachable!("nobody writes"),
    };
    accepted.unwrap().map(|(stream, _)| stream).map_err(|error| error.raw_os_error())
}

#[test]
fn too_many_open_files_are_an_error_and_the_listener_goes_on() {
    passes("too_many_open_files");
}

#[test]
#[ignore = "run by another one"]
fn too_many_open_files() {
    watched(|| {
        let (listener, address) = listener();
        let never = Channel::new();
        let (never, _writer) = (never.reader(), never.writer());
        let mut clients: Vec<_> =
            (0..5).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let (silent, silent_address) = super::listener();
        let limit = Rlimit { current: Some(64), ..getrlimit(Resource::Nofile) };
        setrlimit(Resource::Nofile, limit).unwrap();
        let serves = process(move || {
            let hoard = |all: &mut Vec<File>| loop {
                match File::open("/dev/null") {
                    Ok(file) => all.push(file),
                    Err(error) => break assert_eq!(error.raw_os_error(), Some(libc::EMFILE)),
                }
            };
            let mut hoarded = Vec::new();
            hoard(&mut hoarded);
            // Nobody asks this one, and there is no descriptor left for an event queue.
            assert_eq!(accepts(&silent, &never).unwrap_err(), Some(libc::EMFILE));
            let mut served = Vec::new();
            for round in 0..5 {
                match round % 2 {
                    0 => assert_eq!(accepts(&listener, &never).unwrap_err(), Some(libc::EMFILE)),
                    _ => assert_eq!(
                        listener.accept().unwrap_err().raw_os_error(),
                        Some(libc::EMFILE)
                    ),
                }
                // One is closed, and one client more is served.
                drop(hoarded.pop());
                served.push(match round % 2 {
                    0 => accepts(&listener, &never).unwrap(),
                    _ => listener.accept().unwrap().0,
                });
                hoard(&mut hoarded);
            }
            for (number, mut stream) in (0..).zip(served) {
                stream.write_all(&[number]).unwrap();
            }
            // Enough are there now. The listener for which there was no queue waits for a client.
            drop(hoarded);
            let asks =
                std::thread::spawn(move || std::net::TcpStream::connect(silent_address).unwrap());
            drop(accepts(&silent, &never).unwrap());
            drop(asks.join().unwrap());
        });
        parallel!(placed(serves));
        for (number, client) in (0..).zip(&mut clients) {
            let mut byte = [255];
            client.read_exact(&mut byte).unwrap();
            assert_eq!(byte, [number]);
        }
    });
}

#[test]
fn a_peer_that_has_gone_is_an_error_and_no_signal() {
    passes("peer_that_has_gone");
}

/// The standard library has Rust programs ignore `SIGPIPE`. Here it is as in programs of other languages.
#[test]
#[ignore = "run by another one"]
fn peer_that_has_gone() {
    watched(|| {
        // SAFETY: no handler is installed, and one is taken away.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let writes = process(|| {
            let gone = || {
                let (one, other) = UnixStream::pair().unwrap();
                drop(other);
                one
            };
            assert_eq!((&gone()).write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
            let text = [IoSlice::new(b"x"), IoSlice::new(b"y")];
            assert_eq!((&gone()).write_vectored(&text).unwrap_err().kind(), ErrorKind::BrokenPipe);
            let (one, other) = pair();
            drop(other);
            let kind = loop {
                // The peer's system has to say so first.
                if let Err(error) = (&one).write(b"x") {
                    break error.kind();
                }
                csp_tests::settle();
            };
            assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{kind:?}");
            assert_eq!((&one).write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
            let (one, other) = UnixDatagram::pair().unwrap();
            drop(other);
            assert_eq!(one.send(b"x").unwrap_err().kind(), ErrorKind::ConnectionRefused);
        });
        parallel!(placed(writes));
    });
}

/// Makes a terminal. Returns the side of the keyboard, and the side of programs.
fn terminal() -> (File, OwnedFd) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let (flags, mode) = (OFlags::RDWR | OFlags::NOCTTY, rustix::fs::Mode::empty());
    (File::from(master), rustix::fs::open(&*name, flags, mode).unwrap())
}

/// Reads what a program says until this word comes.
fn until(said: &mut String, word: &str, terminal: &mut File) {
    let mut block = [0; 1024];
    while !said.contains(word) {
        let size = terminal.read(&mut block).unwrap();
        said.push_str(&String::from_utf8_lossy(&block[..size]));
        assert!(!said.contains("FAILED"), "{said}");
    }
}

#[test]
fn a_terminal_that_is_shared_stays_as_it_is() {
    on_each_backend("reads_a_terminal", |program| {
        let (mut master, terminal) = terminal();
        let before = fcntl_getfl(&terminal).unwrap();
        assert!(!before.contains(OFlags::NONBLOCK));
        // All three are one open file, as in a shell.
        let copy = || Stdio::from(terminal.try_clone().unwrap());
        let mut program = program.stdin(copy()).stdout(copy()).stderr(copy()).spawn().unwrap();
        let mut said = String::new();
        for (waits, line, heard) in
            [("WAITS POLLED", "one\n", "HEARD one"), ("WAITS SHELL", "two\n", "HEARD two")]
        {
            until(&mut said, waits, &mut master);
            assert_eq!(fcntl_getfl(&terminal).unwrap(), before, "{said}");
            master.write_all(line.as_bytes()).unwrap();
            until(&mut said, heard, &mut master);
            assert_eq!(fcntl_getfl(&terminal).unwrap(), before, "{said}");
        }
        assert!(program.wait().unwrap().success());
        assert_eq!(fcntl_getfl(&terminal).unwrap(), before);
    });
}

#[test]
#[ignore = "run by another one"]
fn reads_a_terminal() {
    watched(|| {
        let tells = |name: String, word: &'static str| {
            std::thread::spawn(move || {
                let wait = until_it_waits(&name);
                assert!(wait.contains("reading from /dev/pts/"), "{wait}");
                println!("{word}");
            })
        };
        let polled = unique("polled");
        let told = tells(polled.clone(), "WAITS POLLED");
        let terminal =
            Polled::new(File::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap()));
        let reads = process(move || {
            let mut line = [0; 100];
            let size = (&terminal).read(&mut line).unwrap();
            println!("HEARD {}", String::from_utf8_lossy(&line[..size]));
        });
        spawn(placed(reads).named(polled)).join();
        told.join().unwrap();

        let by_shell = unique("by_shell");
        let told = tells(by_shell.clone(), "WAITS SHELL");
        let lines = Channel::new();
        let (line, reads) = (lines.reader(), shell::read_stdin(lines.writer()));
        drop(lines);
        let reads = spawn(placed(reads).named(by_shell));
        println!("HEARD {}", line.read().unwrap());
        // Nobody reads any more, and no further line is waited for.
        drop(line);
        assert_eq!(reads.join().unwrap(), 1);
        told.join().unwrap();
    });
}

#[test]
fn a_terminal_ends_once_after_a_line_without_an_end() {
    on_each_backend("reads_a_terminal_to_its_end", |program| {
        let (mut master, terminal) = terminal();
        let copy = || Stdio::from(terminal.try_clone().unwrap());
        let mut program = program.stdin(copy()).stdout(copy()).stderr(copy()).spawn().unwrap();
        let mut said = String::new();
        until(&mut said, "BEGINS", &mut master);
        // Control-D ends a line that has no end, and then the input.
        master.write_all(b"one\ntwo\x04\x04").unwrap();
        until(&mut said, "HEARD one, two", &mut master);
        assert!(program.wait().unwrap().success());
    });
}

#[test]
#[ignore = "run by another one"]
fn reads_a_terminal_to_its_end() {
    watched(|| {
        println!("BEGINS");
        let lines = Channel::new();
        let (heard, reads) = (lines.reader(), shell::read_stdin(lines.writer()));
        drop(lines);
        let reads = spawn(placed(reads));
        println!("HEARD {}", heard.iter().collect::<Vec<_>>().join(", "));
        assert_eq!(reads.join().unwrap(), 2);
    });
}

#[test]
fn a_program_that_has_a_copy_of_a_socket_finds_a_plain_one() {
    passes("gives_a_copy_away");
}

#[test]
#[ignore = "run by another one"]
fn gives_a_copy_away() {
    watched(|| {
        let serves = process(|| {
            let (one, other) = pair();
            // It is known in the event queue from here on.
            other.set_read_timeout(Some(Duration::from_micros(1))).unwrap();
            assert_eq!((&other).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
            other.set_read_timeout(None).unwrap();
            let copy = || {
                let copy = std::net::TcpStream::from(other.try_clone().unwrap());
                Stdio::from(OwnedFd::from(copy))
            };
            let mut command = Command::new("sh");
            // It says how it finds the socket, and then sends back all that comes.
            command.args(["-c", "grep ^flags: /proc/self/fdinfo/0; exec cat"]);
            let mut program = command.stdin(copy()).stdout(copy()).spawn().unwrap();
            // Only the program has the socket from here on.
            drop((command, other));
            let mut flags = [0; "flags:\t02\n".len()];
            (&one).read_exact(&mut flags).unwrap();
            assert_eq!(String::from_utf8_lossy(&flags), "flags:\t02\n", "it blocks");
            for round in 0..100_u8 {
                (&one).write_all(&[round; 1000]).unwrap();
                let mut answer = [255; 1000];
                (&one).read_exact(&mut answer).unwrap();
                assert_eq!(answer, [round; 1000]);
            }
            one.shutdown(std::net::Shutdown::Write).unwrap();
            assert_eq!((&one).read(&mut [0]).unwrap(), 0);
            assert!(program.wait().unwrap().success());
        });
        parallel!(placed(serves));
    });
}

#[test]
fn a_copy_of_the_program_leaves_the_original_its_registrations() {
    passes("forks");
}

#[test]
#[ignore = "run by another one"]
fn forks() {
    watched(|| {
        let (one, mut other) = pair();
        let waits = |stream: csp::net::TcpStream| {
            process(move || {
                stream.set_read_timeout(Some(Duration::from_micros(1))).unwrap();
                let late = (&stream).read(&mut [0]).unwrap_err();
                assert_eq!(late.kind(), ErrorKind::WouldBlock);
                stream.set_read_timeout(None).unwrap();
                stream
            })
        };
        let reads = |stream: csp::net::TcpStream, byte: u8| {
            process(move || {
                let mut come = [0];
                (&stream).read_exact(&mut come).unwrap();
                assert_eq!(come, [byte]);
                stream
            })
        };
        let stream = parallel!(placed(waits(one))).0;
        // SAFETY: in the copy only this thread goes on, which the library allows.
        let copy = unsafe { libc::fork() };
        if copy == 0 {
            let read = csp::try_parallel!(placed(reads(stream, 1)));
            let right = read.is_ok_and(|(stream,)| {
                // The queue of the original is shared. Nothing may be taken out there.
                drop(stream);
                true
            });
            // SAFETY: it ends this OS process and no other.
            unsafe { libc::_exit(i32::from(!right)) };
        }
        // The copy waits, or is about to.
        other.write_all(&[1]).unwrap();
        let mut status = 0;
        // SAFETY: the call writes into the one place that it is given.
        unsafe { libc::waitpid(copy, &raw mut status, 0) };
        assert_eq!(status, 0);
        let name = unique("goes_on");
        let waiting = name.clone();
        let writes = std::thread::spawn(move || {
            until_it_waits(&waiting);
            other.write_all(&[2]).unwrap();
            other
        });
        drop(spawn(placed(reads(stream, 2)).named(name)).join());
        drop(writes.join().unwrap());
    });
}
