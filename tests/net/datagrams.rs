//! Datagrams.

use std::io::ErrorKind;
use std::time::Duration;

use csp::net::{UdpSocket, UnixDatagram};
use csp::{parallel, process};
use csp_tests::on_each_backend;

on_each_backend! {
    here: "no socket can be sent to another OS process";

    fn datagrams_come_whole_and_with_their_address(backend) {
        let (one, other) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let (here, there) = (one.local_addr().unwrap(), other.local_addr().unwrap());
        let (received, ()) = parallel!(
            backend.place(process(move || {
                let mut buffer = [0; 100];
                (0..3).map(|_| {
                    let (size, from) = one.recv_from(&mut buffer).unwrap();
                    assert_eq!(from, there);
                    one.send_to(&buffer[..size], from).unwrap();
                    size
                }).collect::<Vec<_>>()
            })),
            backend.place(process(move || {
                other.connect(here).unwrap();
                for size in [1, 50, 0] {
                    other.send(&vec![5; size]).unwrap();
                    let mut buffer = [0; 100];
                    assert_eq!(other.recv(&mut buffer).unwrap(), size);
                    assert_eq!(buffer[..size], vec![5; size]);
                }
            })),
        );
        assert_eq!(received, [1, 50, 0]);
    }

    fn a_datagram_is_cut_to_its_buffer(backend) {
        let receives = backend.place(process(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let to = socket.local_addr().unwrap();
            socket.send_to(b"longer than its buffer", to).unwrap();
            socket.send_to(b"next", to).unwrap();
            let mut buffer = [0; 6];
            assert_eq!(socket.peek_from(&mut buffer).unwrap(), (6, to));
            assert_eq!(socket.recv_from(&mut buffer).unwrap(), (6, to));
            assert_eq!(&buffer, b"longer");
            assert_eq!(socket.recv(&mut buffer).unwrap(), 4);
            assert_eq!(&buffer[..4], b"next");
            socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            socket.recv(&mut buffer).unwrap_err().kind()
        }));
        assert_eq!(parallel!(receives).0, ErrorKind::WouldBlock);
    }

    fn nobody_at_the_other_side_is_an_error(backend) {
        let sends = backend.place(process(|| {
            let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(gone).unwrap();
            socket.send(b"x").unwrap();
            socket.recv(&mut [0]).unwrap_err().kind()
        }));
        assert_eq!(parallel!(sends).0, ErrorKind::ConnectionRefused);
    }

    fn a_full_socket_of_the_file_system_keeps_its_writer_waiting(backend) {
        const COUNT: usize = 2000;
        let folder = std::env::temp_dir();
        let path = folder.join(format!("csp-dgram-{}-{:p}", std::process::id(), backend));
        let _ = std::fs::remove_file(&path);
        let inbox = UnixDatagram::bind(&path).unwrap();
        let (one, other) = UnixDatagram::pair().unwrap();
        let to = path.clone();
        let ((), (), named, paired) = parallel!(
            backend.place(process(move || {
                let socket = UnixDatagram::unbound().unwrap();
                (0..COUNT).for_each(|n| { socket.send_to(&n.to_ne_bytes(), &to).unwrap(); });
            })),
            backend.place(process(move || (0..COUNT).for_each(|n| { one.send(&n.to_ne_bytes()).unwrap(); }))),
            backend.place(process(move || (0..COUNT).all(|n| {
                let mut buffer = [0; 8];
                let (size, from) = inbox.recv_from(&mut buffer).unwrap();
                size == 8 && from.is_unnamed() && usize::from_ne_bytes(buffer) == n
            }))),
            backend.place(process(move || (0..COUNT).all(|n| {
                let mut buffer = [0; 8];
                other.recv(&mut buffer).unwrap() == 8 && usize::from_ne_bytes(buffer) == n
            }))),
        );
        assert!(named && paired);
        std::fs::remove_file(path).unwrap();
    }
}
