//! The example `axum_service`, asked by clients over sockets.

#[allow(dead_code, reason = "its `main` is not called")]
#[path = "../axum_service.rs"]
mod axum_service;
mod watchdog;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

const CLIENTS: usize = 8;
const ORDERS: usize = 250;

/// Sends a request.
fn send(server: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).expect("a server");
    write!(stream, "{request} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n")
        .expect("a request");
    stream
}

/// Returns status and body.
fn ask(server: SocketAddr, request: &str) -> (String, String) {
    let mut answer = String::new();
    send(server, request).read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.lines().next().and_then(|line| line.split_once(' ')).expect("a status");
    (status.1.to_owned(), body.to_owned())
}

fn ok(body: &str) -> (String, String) {
    ("200 OK".to_owned(), body.to_owned())
}

/// An answer that comes in chunks, behind its head.
fn chunks(stream: TcpStream) -> BufReader<TcpStream> {
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    while answer.read_line(&mut line).expect("a line") > 2 {
        line.clear();
    }
    answer
}

/// Returns the text of the next chunk. It is empty at the end.
fn chunk(answer: &mut impl BufRead) -> String {
    let mut size = String::new();
    answer.read_line(&mut size).expect("a size");
    let size = usize::from_str_radix(size.trim(), 16).expect("a number");
    let mut text = vec![0; size + 2];
    answer.read_exact(&mut text).expect("as much as was said");
    text.truncate(size);
    String::from_utf8(text).expect("text")
}

/// Returns the first primes of an answer.
fn first(answer: &mut impl BufRead, count: usize) -> Vec<u64> {
    let mut text = String::new();
    while text.lines().count() < count {
        text += &chunk(answer);
    }
    text.lines().take(count).map(|line| line.parse().expect("a number")).collect()
}

#[test]
fn handlers_talk_to_processes() {
    let _over = watchdog::watchdog();
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = socket.local_addr().expect("an address");
    let serving = thread::spawn(move || axum_service::serve(socket));

    // One process owns the stock, so no order is lost among many at once.
    assert_eq!(ask(server, "POST /stock/nails/5"), ok("5 are left\n"));
    let conflict = ("409 Conflict".to_owned(), "only 5 are left\n".to_owned());
    assert_eq!(ask(server, "POST /stock/nails/-6"), conflict);
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                for n in 0..ORDERS {
                    // A handler that panics here and there changes nothing for the others.
                    if n % 50 == client {
                        let mut answer = Vec::new();
                        let _ = send(server, "GET /bug").read_to_end(&mut answer);
                        assert!(answer.is_empty(), "a handler that panics says nothing");
                    }
                    let (status, _) = ask(server, "POST /stock/screws/2");
                    assert_eq!(status, "200 OK");
                    let (status, _) = ask(server, "POST /stock/screws/-1");
                    assert_eq!(status, "200 OK");
                }
            });
        }
    });
    let all = CLIENTS * ORDERS;
    assert_eq!(ask(server, "POST /stock/screws/0"), ok(&format!("{all} are left\n")));
    assert_eq!(ask(server, "POST /stock/nails/-5"), ok("0 are left\n"));

    // There are three searchers. Each answer has no end, so a later client gets one only because the earlier ones have hung up.
    for _ in 0..10 {
        let mut answers: Vec<_> = (0..3).map(|_| chunks(send(server, "GET /primes"))).collect();
        for answer in &mut answers {
            assert_eq!(first(answer, 6), [2, 3, 5, 7, 11, 13]);
        }
    }

    // An answer that is under way when the service stops comes to a good end.
    let mut answer = chunks(send(server, "GET /primes"));
    assert_eq!(first(&mut answer, 3), [2, 3, 5]);
    assert_eq!(ask(server, "POST /stop"), ok("goodbye\n"));
    while !chunk(&mut answer).is_empty() {}
    assert_eq!(answer.read(&mut [0]).expect("the end"), 0);
    serving.join().expect("it has ended").expect("without an error");
    let left = csp::network();
    let left: Vec<_> = left.processes().iter().filter(|p| p.path().contains('/')).collect();
    assert!(left.is_empty(), "{left:#?}");
}
