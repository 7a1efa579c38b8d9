//! The example `web_server` under load.

mod watchdog;
#[allow(dead_code, reason = "its `main` is not called")]
#[path = "../web_server.rs"]
mod web_server;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const REQUESTS: usize = 10_000;
const CLIENTS: usize = 10;
const SLOW: usize = 50;

/// Status and body.
fn get(server: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server).expect("a server");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n")
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.lines().next().and_then(|line| line.split_once(' ')).expect("a status");
    (status.1.to_owned(), body.to_owned())
}

fn ok(body: &str) -> (String, String) {
    ("200 OK".to_owned(), body.to_owned())
}

/// Asks for several pages on one connection, two of them at once.
fn stays(server: SocketAddr) {
    let mut stream = TcpStream::connect(server).expect("a server");
    let mut answer = [0; 300];
    for requests in [1, 1, 2] {
        let all = format!("GET /hello HTTP/1.1\r\nHost: {server}\r\n\r\n").repeat(requests);
        // The head comes in two pieces.
        let (first, second) = all.split_at(10);
        stream.write_all(first.as_bytes()).expect("a part of a request");
        thread::sleep(Duration::from_millis(20));
        stream.write_all(second.as_bytes()).expect("the rest");
        let one =
            "HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: keep-alive\r\n\r\nhello, world\n";
        let answer = &mut answer[..one.len() * requests];
        stream.read_exact(answer).expect("as many answers");
        assert_eq!(String::from_utf8_lossy(answer), one.repeat(requests));
    }
    // Nonsense ends the connection.
    stream.write_all(b"\0\0\0\r\n\r\n").expect("it is heard");
    assert_eq!(stream.read(&mut answer).expect("the end"), 0);
}

#[test]
fn ten_thousand_requests_are_served_while_fifty_wait() {
    let _over = watchdog::watchdog();
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = socket.local_addr().expect("an address");
    let serving =
        thread::spawn(move || web_server::serve(socket.into(), Duration::from_millis(500)));

    // These requests sleep half a second. The other clients wait for much longer, until a client asks for `/go`.
    let (released, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..SLOW {
            scope.spawn(|| {
                let counter = if get(server, "/wait") == ok("go\n") { &released } else { &failed };
                counter.fetch_add(1, Ordering::SeqCst);
            });
            scope.spawn(|| assert_eq!(get(server, "/sleep"), ok("good morning\n")));
        }
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn(move || {
                    for n in 0..REQUESTS / CLIENTS {
                        match n % 100 {
                            0 => assert_eq!(
                                get(server, "/primes"),
                                ok("9592 primes are below 100000\n")
                            ),
                            1 => assert_eq!(get(server, &format!("/{client}")).0, "404 Not Found"),
                            _ => assert_eq!(get(server, "/hello?n"), ok("hello, world\n")),
                        }
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join().expect("all are answered"));
        assert_eq!(released.load(Ordering::SeqCst), 0, "nobody has let them go");

        // Some requests may still be on their way to the process `gate`.
        let mut gone = 0;
        while gone < SLOW {
            assert!(failed.load(Ordering::SeqCst) == 0, "a client has failed");
            let (status, body) = get(server, "/go");
            assert_eq!(status, "200 OK");
            gone += body.split(' ').next().and_then(|n| n.parse::<usize>().ok()).expect("a number");
        }
    });
    assert_eq!(released.load(Ordering::SeqCst), SLOW);

    stays(server);
    // Clients on which nothing happens, or that have said half of what they want, end with the server.
    let idle: Vec<_> = (0..100).map(|_| TcpStream::connect(server).expect("a server")).collect();
    (&idle[0]).write_all(b"GET /hello").expect("it is heard");

    assert_eq!(get(server, "/stop"), ok("goodbye\n"));
    serving.join().expect("it has ended, with all its processes");
    let left = csp::network();
    let left: Vec<_> = left.processes().iter().filter(|p| p.path().contains('/')).collect();
    assert!(left.is_empty(), "{left:#?}");
}
