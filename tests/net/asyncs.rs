//! Sockets in processes that are futures.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use csp::net::{TcpListener, TcpStream, UdpSocket};
use csp::{Channel, Reader, alt, parallel, process, process_async, spawn};
use csp_tests::on_each_backend;

use super::{HOUR, listener, pair, unique, until_it_waits};

#[process]
async fn echo(stream: TcpStream) -> std::io::Result<usize> {
    let (mut buffer, mut all) = ([0; 1024], 0);
    loop {
        let size = stream.read_async(&mut buffer).await?;
        if size == 0 {
            return Ok(all);
        }
        stream.write_all_async(&buffer[..size]).await?;
        all += size;
    }
}

#[process]
async fn serve(listener: TcpListener, stop: Reader<()>) -> usize {
    let mut clients = Vec::new();
    loop {
        let chosen = alt! {
            client = listener.accept_async().await => clients.push(spawn(echo(client.unwrap().0))),
            stop.read_async().await                => break,
            after(HOUR)                            => unreachable!(),
        };
        chosen.unwrap();
    }
    let mut all = 0;
    for client in clients {
        all += client.join_async().await.unwrap();
    }
    all
}

#[process]
async fn ask(to: std::net::SocketAddr, number: u8) -> std::io::Result<()> {
    let server = TcpStream::connect_async(to).await?;
    for round in 0..10 {
        server.write_all_async(&[number, round]).await?;
        let mut answer = [0; 2];
        server.read_exact_async(&mut answer).await?;
        assert_eq!(answer, [number, round]);
    }
    Ok(())
}

on_each_backend! {
    here: "no socket can be sent to another OS process";

    fn futures_serve_futures(backend) {
        let (listener, address) = listener();
        let stop = Channel::new();
        let server = spawn(backend.place(serve(listener, stop.reader())));
        let clients: Vec<_> = (0..20).map(|number| backend.place(ask(address, number))).collect();
        for result in parallel!(clients).0 {
            result.unwrap();
        }
        stop.writer().write(()).unwrap();
        assert_eq!(server.join(), 20 * 20);
    }

    fn a_future_that_is_dropped_has_read_nothing(backend) {
        let (one, mut other) = pair();
        let (tell, go) = (Channel::new(), Channel::new());
        let (late, wait) = (tell.writer(), go.reader());
        let reads = spawn(backend.place(process_async(async move || {
            // The read is given up by the timeout of a choice, and by that of the stream.
            let chosen = alt! {
                _r = one.readable_async().await => 1,
                after(Duration::from_millis(1)) => 2,
            };
            one.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            let error = one.read_async(&mut [0]).await.unwrap_err();
            one.set_read_timeout(None).unwrap();
            late.write_async((chosen, error.kind())).await.unwrap();
            wait.read_async().await.unwrap();
            let mut bytes = [0; 3];
            one.read_exact_async(&mut bytes).await.unwrap();
            bytes
        })));
        assert_eq!(tell.reader().read(), Ok((Ok(2), ErrorKind::WouldBlock)));
        other.write_all(b"abc").unwrap();
        go.writer().write(()).unwrap();
        assert_eq!(reads.join(), *b"abc");
    }

    fn datagrams_are_awaited(backend) {
        let (one, other) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let (here, there) = (one.local_addr().unwrap(), other.local_addr().unwrap());
        let ((), got) = parallel!(
            backend.place(process_async(async move || {
                let mut buffer = [0; 8];
                let (size, from) = one.recv_from_async(&mut buffer).await.unwrap();
                assert_eq!(from, there);
                one.send_to_async(&buffer[..size], from).await.unwrap();
            })),
            backend.place(process_async(async move || {
                other.send_to_async(b"dg", here).await.unwrap();
                let mut buffer = [0; 8];
                let received = alt! {
                    received = other.recv_from_async(&mut buffer).await => received.unwrap().0,
                    after(HOUR)                                         => 0,
                };
                received.unwrap()
            })),
        );
        assert_eq!(got, 2);
    }

    fn a_future_that_reads_is_shown(backend) {
        let is_awaiting = unique("is_awaiting");
        let (one, mut other) = pair();
        let reads = spawn(backend.place(process_async(async move || one.read_async(&mut [0]).await.unwrap()).named(is_awaiting.clone())));
        let shown = until_it_waits(&is_awaiting);
        assert!(shown.starts_with("reading from 127.0.0.1:"), "{shown}");
        other.write_all(b"x").unwrap();
        assert_eq!(reads.join(), 1);
    }
}

/// A task of another executor waits in the queue of the house.
#[test]
fn a_task_of_tokio_reads() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (one, mut other) = pair();
    let write = std::thread::spawn(move || {
        other.write_all(b"to").unwrap();
        let mut all = String::new();
        other.read_to_string(&mut all).unwrap();
        all
    });
    runtime.block_on(async {
        let mut bytes = [0; 2];
        one.read_exact_async(&mut bytes).await.unwrap();
        one.write_all_async(&bytes).await.unwrap();
    });
    drop(one);
    assert_eq!(write.join().unwrap(), "to");
}
