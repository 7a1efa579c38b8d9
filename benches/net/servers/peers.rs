//! The servers of the peers.

use std::io;
use std::net::{TcpListener, TcpStream};

use super::{ANY_PORT, Protocol, ROOM, Requests, says, serve_one};

/// Serves with a thread for each connection.
pub(super) fn threads(listener: TcpListener, protocol: Protocol) {
    for stream in listener.incoming() {
        let stream = ready(stream.expect("a connection comes"));
        std::thread::spawn(move || serve_one(stream, protocol));
    }
}

fn ready(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).expect("it is a socket of TCP");
    stream
}

/// Serves with a task for each connection.
pub(super) fn tokio(listener: TcpListener, protocol: Protocol) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_io().build();
    runtime.expect("tokio starts").block_on(async {
        listener.set_nonblocking(true).expect("it is a socket");
        let listener = tokio::net::TcpListener::from_std(listener).expect("tokio takes it");
        loop {
            let (stream, _) = listener.accept().await.expect("a connection comes");
            stream.set_nodelay(true).expect("it is a socket of TCP");
            tokio::spawn(serve_by_tokio(stream, protocol));
        }
    });
}

async fn serve_by_tokio(mut stream: tokio::net::TcpStream, protocol: Protocol) -> io::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut room = [0; ROOM];
    let mut waiting = Requests::default();
    loop {
        match stream.read(&mut room).await? {
            0 => return Ok(()),
            size => stream.write_all(waiting.answer(&room[..size], protocol)?).await?,
        }
    }
}

/// Serves with a coroutine of may for each connection.
pub(super) fn may(protocol: Protocol) {
    let listener = may::net::TcpListener::bind(ANY_PORT).expect("a port is free");
    says(listener.local_addr());
    for stream in listener.incoming() {
        let stream = stream.expect("a connection comes");
        stream.set_nodelay(true).expect("it is a socket of TCP");
        may::go!(move || serve_one(stream, protocol));
    }
}
