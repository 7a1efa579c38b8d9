//! Streams.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::time::Duration;

use csp::net::{Polled, TcpListener, TcpStream, UnixListener, UnixStream};
use csp::{Channel, parallel, process, spawn};
use csp_tests::on_each_backend;

use super::{listener, pair, unique, until_it_waits};

/// Sends back what comes, until the end.
#[process]
fn echo(stream: TcpStream) -> std::io::Result<usize> {
    let (mut buffer, mut all) = ([0; 4096], 0);
    loop {
        let size = (&stream).read(&mut buffer)?;
        if size == 0 {
            return Ok(all);
        }
        (&stream).write_all(&buffer[..size])?;
        all += size;
    }
}

#[process]
fn serve(listener: TcpListener, clients: usize) -> std::io::Result<usize> {
    let served: Vec<_> =
        listener.incoming().take(clients).map(|client| spawn(echo(client.unwrap()))).collect();
    served.into_iter().map(csp::Spawned::join).sum()
}

#[process]
fn client(to: std::net::SocketAddr, number: usize) -> std::io::Result<()> {
    let server = TcpStream::connect(to)?;
    let mut lines = BufReader::new(&server).lines();
    for round in 0..20 {
        writeln!(&server, "{number} {round}")?;
        assert_eq!(lines.next().unwrap()?, format!("{number} {round}"));
    }
    Ok(())
}

#[process]
fn sends_much(stream: TcpStream, size: usize) -> std::io::Result<()> {
    let mut stream = stream;
    let block: Vec<u8> = (0..=255).cycle().take(1 << 16).collect();
    for _ in 0..size / block.len() {
        stream.write_all(&block)?;
    }
    stream.shutdown(Shutdown::Write)
}

#[process]
fn receives_all(stream: TcpStream) -> std::io::Result<usize> {
    let (mut stream, mut all, mut buffer) = (stream, 0, vec![0; 100_000]);
    loop {
        let size = stream.read(&mut buffer)?;
        if size == 0 {
            return Ok(all);
        }
        for (at, byte) in buffer[..size].iter().enumerate() {
            assert_eq!(*byte, (all + at) as u8);
        }
        all += size;
    }
}

#[process]
fn reads_one(stream: TcpStream) -> std::io::Result<u8> {
    let mut byte = [0];
    (&stream).read_exact(&mut byte)?;
    Ok(byte[0])
}

on_each_backend! {
    here: "no socket can be sent to another OS process";

    fn many_clients_are_served_by_a_process_each(backend) {
        let (listener, address) = listener();
        let server = spawn(backend.place(serve(listener, 30)));
        let clients: Vec<_> = (0..30).map(|number| backend.place(client(address, number))).collect();
        for result in parallel!(clients).0 {
            result.unwrap();
        }
        assert!(server.join().unwrap() > 0);
    }

    fn much_goes_through_in_order(backend) {
        const SIZE: usize = 64 << 20;
        let (one, other) = pair();
        let (sent, received) = parallel!(
            backend.place(sends_much(one, SIZE)),
            backend.place(receives_all(other)),
        );
        sent.unwrap();
        assert_eq!(received.unwrap(), SIZE);
    }

    fn half_of_a_connection_can_end(backend) {
        let (one, mut other) = pair();
        let echo = spawn(backend.place(echo(one)));
        other.write_all(b"half").unwrap();
        other.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        other.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), echo.join().unwrap()), ("half", 4));
    }

    fn a_read_waits_and_takes_what_there_is(backend) {
        let takes_parts = unique("takes_parts");
        let (one, mut other) = pair();
        let reads = spawn(backend.place(process(move || {
            let (mut buffer, mut sizes) = ([0; 100], Vec::new());
            loop {
                match (&one).read(&mut buffer).unwrap() {
                    0 => return sizes,
                    size => sizes.push(size),
                }
            }
        }).named(takes_parts.clone())));
        for part in ["a", "bcd", "efghi"] {
            until_it_waits(&takes_parts);
            other.write_all(part.as_bytes()).unwrap();
            csp_tests::settle();
        }
        drop(other);
        let sizes = reads.join();
        assert_eq!(sizes.iter().sum::<usize>(), 9, "{sizes:?}");
    }

    fn a_timeout_ends_a_read_and_the_stream_goes_on(backend) {
        let (one, mut other) = pair();
        let (tells, told) = (Channel::new(), Channel::new());
        let (late, go) = (tells.writer(), told.reader());
        let reads = spawn(backend.place(process(move || {
            one.set_read_timeout(Some(Duration::from_millis(3))).unwrap();
            assert_eq!(one.read_timeout().unwrap(), Some(Duration::from_millis(3)));
            let error = (&one).read(&mut [0]).unwrap_err();
            late.write(error.kind()).unwrap();
            go.read().unwrap();
            one.set_read_timeout(None).unwrap();
            let mut byte = [0];
            (&one).read_exact(&mut byte).unwrap();
            byte[0]
        })));
        assert_eq!(tells.reader().read(), Ok(ErrorKind::WouldBlock));
        other.write_all(&[9]).unwrap();
        told.writer().write(()).unwrap();
        assert_eq!(reads.join(), 9);
    }

    fn a_timeout_ends_a_write(backend) {
        let (one, other) = pair();
        let writes = spawn(backend.place(process(move || {
            one.set_write_timeout(Some(Duration::from_millis(3))).unwrap();
            crate::fill(&one).unwrap_err().kind()
        })));
        assert_eq!(writes.join(), ErrorKind::WouldBlock);
        drop(other);
    }

    fn a_socket_is_a_plain_one_before_and_after(backend) {
        let reads_one_name = unique("reads_one");
        let (one, mut other) = pair();
        let is_blocking = |socket: &dyn std::os::fd::AsFd| {
            let flags = rustix::fs::fcntl_getfl(socket.as_fd()).unwrap();
            !flags.contains(rustix::fs::OFlags::NONBLOCK)
        };
        assert!(is_blocking(&one));
        let clone = one.try_clone().unwrap();
        let reads = spawn(backend.place(reads_one(clone).named(reads_one_name.clone())));
        until_it_waits(&reads_one_name);
        assert!(is_blocking(&one));
        other.write_all(b"x").unwrap();
        assert_eq!(reads.join().unwrap(), b'x');
        let descriptor = OwnedFd::from(one);
        assert!(is_blocking(&descriptor));
        let mut plain = std::net::TcpStream::from(descriptor);
        other.write_all(b"y").unwrap();
        let mut byte = [0];
        plain.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"y");
    }

    fn a_listener_is_a_plain_one_afterwards(backend) {
        let accepts_once = unique("accepts_once");
        let (listener, address) = listener();
        let accepts = spawn(backend.place(process(move || {
            listener.accept().unwrap();
            listener
        }).named(accepts_once.clone())));
        until_it_waits(&accepts_once);
        let _first = std::net::TcpStream::connect(address).unwrap();
        let plain = std::net::TcpListener::from(accepts.join());
        let connects = std::thread::spawn(move || std::net::TcpStream::connect(address).unwrap());
        plain.accept().unwrap();
        connects.join().unwrap();
    }

    fn streams_of_the_file_system_do_the_same(backend) {
        let folder = tempfile_folder();
        let path = folder.join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let serves = backend.place(process(move || {
            let (stream, from) = listener.accept()?;
            assert!(from.is_unnamed());
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line)?;
            (&stream).write_all(line.to_uppercase().as_bytes())
        }));
        let asks = backend.place(process(move || {
            let stream = UnixStream::connect(path)?;
            stream.shutdown(Shutdown::Read).and(writeln!(&stream, "hello"))?;
            Ok::<_, std::io::Error>(())
        }));
        let (served, asked) = parallel!(serves, asks);
        asked.unwrap();
        // The client reads no more, which is an error or none.
        let _ = served;
        let (one, other) = UnixStream::pair().unwrap();
        let (text, _) = parallel!(
            backend.place(process(move || std::io::read_to_string(&one).unwrap())),
            backend.place(process(move || (&other).write_all(b"pair").unwrap())),
        );
        assert_eq!(text, "pair");
        std::fs::remove_dir_all(folder).unwrap();
    }

    fn a_pipe_parks_its_reader_and_its_writer(backend) {
        let (input, output) = std::io::pipe().unwrap();
        let (text, wrote) = parallel!(
            backend.place(process(move || std::io::read_to_string(Polled::new(input)).unwrap().len())),
            backend.place(process(move || Polled::new(output).write_all(&[b'x'; 300_000]).is_ok())),
        );
        assert_eq!((text, wrote), (300_000, true));
    }

    fn an_ordinary_file_is_always_ready(backend) {
        let read = backend.place(process(|| {
            let file = Polled::new(std::fs::File::open("Cargo.toml").unwrap());
            std::io::read_to_string(&file).unwrap().contains("csp-tests")
        }));
        assert!(parallel!(read).0);
    }

    fn a_peek_leaves_what_it_sees(backend) {
        let (one, mut other) = pair();
        let peeks = spawn(backend.place(process(move || {
            let (mut seen, mut read) = ([0; 8], [0; 8]);
            let size = one.peek(&mut seen).unwrap();
            assert_eq!((&one).read(&mut read).unwrap(), size);
            assert_eq!(seen, read);
            size
        })));
        other.write_all(b"peek").unwrap();
        assert!(peeks.join() > 0);
    }
}

/// Makes a folder of this test's own.
fn tempfile_folder() -> std::path::PathBuf {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("csp-net-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn names_are_resolved_and_errors_are_those_of_the_standard_library() {
    let (listener, address) = listener();
    TcpStream::connect(("localhost", address.port())).unwrap();
    listener.accept().unwrap();
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for error in [
        TcpStream::connect(refused).unwrap_err(),
        TcpStream::connect_timeout(&refused, super::HOUR).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
    let zero = TcpStream::connect_timeout(&address, Duration::ZERO).unwrap_err();
    assert_eq!(zero.kind(), ErrorKind::InvalidInput);
    assert_eq!(TcpStream::connect(&[][..]).unwrap_err().kind(), ErrorKind::InvalidInput);
    let taken = TcpListener::bind(address).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
}
