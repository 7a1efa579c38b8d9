//! A web server: a process for each connection, services that register, and answers that find their way back.
//!
//! ```text
//!              ┌─ connection ─┐               ┌───────────▶ hello
//! listener ════╪═ connection ═╪═▶ router ─────┼───────────▶ sleeper[0..50]
//!     ▲        └─ connection ─┘    ▲  ▲       ├───────────▶ primes[0..4]
//!     │ stop         ▲             │  │       └───────────▶ gate
//!     └───────┐      └── reply ────│──│───────────────────────┘
//!             └────────────────────┘  └── registrations ◀─────┘
//! ```
//!
//! The listener waits for two things at once: a connection and the word to stop. Accepting is a blocking call, and
//! `io(call)` makes it a guard. A process of its own serves each connection. It reads the request, makes a channel for
//! the answer, and sends *the writing end of it* along with the request. So any service that answers, at any time,
//! answers the right client.
//!
//! The router knows no service by name: services register the paths they serve, with the end of a channel on which
//! they take requests. The router keeps the requests for which no service is free. It offers the first request of each path to
//! all services of the path, in one choice over inputs and outputs. So fifty requests that sleep hold no others up. A barrier
//! gives the start: no connection is accepted before all services have registered.
//!
//! `curl localhost:8080/stop` poisons the channel on which the listener hears that it is to stop. It stops, and so
//! the poison reaches the router, all services and the connections that still wait for answers.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use csp::{Alternation, Barrier, Channel, Reader, Writer, alt, io::Call, parallel, process, spawn};

/// Serves /hello, /sleep, /primes, /wait (until a client asks for /go) and /stop.
#[derive(Parser)]
struct Arguments {
    /// Port of the loopback interface to listen on (0 for any free port)
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Milliseconds that /sleep sleeps
    #[arg(long, default_value_t = 1000)]
    sleep: u64,
}

/// A client's request, with the channel for the answer.
struct Request {
    path: String,
    reply: Writer<Response>,
}

struct Response {
    status: &'static str,
    body: String,
}

/// A path, and the channel on which its service takes requests.
struct Registration {
    path: &'static str,
    requests: Writer<Request>,
}

#[process]
fn listener(
    socket: TcpListener,
    stop: Reader<()>,
    requests: Writer<Request>,
    ready: Barrier,
) -> csp::Result {
    ready.sync();
    drop(ready);
    let accept = Call::new(move || socket.accept());
    loop {
        alt! {
            accepted = io(accept) => if let Ok((stream, _)) = accepted {
                drop(spawn(connection(stream, requests.clone())));
            },
            stop.read() => return Ok(()),
        }?;
    }
}

#[process]
fn connection(stream: TcpStream, requests: Writer<Request>) -> csp::Result {
    let Ok(path) = receive(&stream) else { return Ok(()) };
    let answer = Channel::new();
    let (reply, response) = (answer.writer(), answer.reader());
    requests.write(Request { path, reply })?;
    // From here on only the service that answers holds a writing end of the channel.
    drop((requests, answer));
    let response = response.read().unwrap_or_else(|_| failed());
    // A client may have gone. That concerns no other process.
    let _ = respond(&stream, &response);
    Ok(())
}

#[csp::io]
fn receive(mut stream: &TcpStream) -> io::Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut head = Vec::new();
    let mut block = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < 16 << 10 {
        match stream.read(&mut block)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            size => head.extend_from_slice(&block[..size]),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).ok_or(io::ErrorKind::InvalidData)?;
    Ok(path.to_owned())
}

#[csp::io]
fn respond(mut stream: &TcpStream, Response { status, body }: &Response) -> io::Result<()> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all((head + body).as_bytes())
}

/// The services of one path, and the requests for which none of them was free.
struct Service {
    path: &'static str,
    takers: Vec<Writer<Request>>,
    waiting: VecDeque<Request>,
}

/// The outcome of the router's choice.
enum Event {
    Registered(Registration),
    Requested(Request),
    Taken,
}

#[process]
fn router(registrations: Reader<Registration>, requests: Reader<Request>) -> csp::Result {
    let mut services: Vec<Service> = Vec::new();
    loop {
        let mut choice = Alternation::new();
        choice.read(&registrations, Event::Registered);
        choice.read(&requests, Event::Requested);
        for service in services.iter_mut().filter(|service| !service.waiting.is_empty()) {
            // All services of the path are offered the same request. It is taken out when one has agreed.
            let waiting = Rc::new(RefCell::new(&mut service.waiting));
            for taker in &service.takers {
                let waiting = Rc::clone(&waiting);
                let take = move || waiting.borrow_mut().pop_front().expect("one waits");
                choice.write(taker, take, || Event::Taken);
            }
        }
        let event = choice.choose()?;
        drop(choice);
        match event {
            Event::Registered(Registration { path, requests }) => {
                match services.iter_mut().find(|service| service.path == path) {
                    Some(service) => service.takers.push(requests),
                    None => {
                        let (takers, waiting) = (vec![requests], VecDeque::new());
                        services.push(Service { path, takers, waiting });
                    }
                }
            }
            Event::Requested(request) => {
                let path = request.path.split('?').next().unwrap_or_default();
                match services.iter_mut().find(|service| service.path == path) {
                    Some(service) => service.waiting.push_back(request),
                    None => answer(request, "404 Not Found", "nobody serves this path\n"),
                }
            }
            Event::Taken => {}
        }
    }
}

fn answer(request: Request, status: &'static str, body: impl Into<String>) {
    // The client may have given up.
    let _ = request.reply.write(Response { status, body: body.into() });
}

fn failed() -> Response {
    Response { status: "500 Internal Server Error", body: "the service has failed\n".into() }
}

/// Registers paths, and returns the channel of their requests once all other services have registered too.
fn register(
    registrations: Writer<Registration>,
    ready: Barrier,
    paths: &[&'static str],
) -> csp::Result<Reader<Request>> {
    let requests = Channel::new();
    for path in paths {
        registrations.write(Registration { path, requests: requests.writer() })?;
    }
    ready.sync();
    Ok(requests.reader())
}

#[process]
fn hello(registrations: Writer<Registration>, ready: Barrier) -> csp::Result {
    for request in register(registrations, ready, &["/hello"])? {
        answer(request, "200 OK", "hello, world\n");
    }
    Ok(())
}

#[process]
fn sleeper(registrations: Writer<Registration>, ready: Barrier, pause: Duration) -> csp::Result {
    for request in register(registrations, ready, &["/sleep"])? {
        csp::sleep(pause);
        answer(request, "200 OK", "good morning\n");
    }
    Ok(())
}

#[process]
fn primes(registrations: Writer<Registration>, ready: Barrier) -> csp::Result {
    for request in register(registrations, ready, &["/primes"])? {
        let is_prime = |n: &u32| (2..).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
        let count = csp::compute(|| (2..100_000).filter(is_prime).count());
        answer(request, "200 OK", format!("{count} primes are below 100000\n"));
    }
    Ok(())
}

/// Answers the waiting clients when another asks for `/go`. An answer need not come at once, nor in order.
#[process]
fn gate(registrations: Writer<Registration>, ready: Barrier) -> csp::Result {
    let mut waiting = Vec::new();
    for request in register(registrations, ready, &["/wait", "/go"])? {
        if request.path == "/wait" {
            waiting.push(request);
            continue;
        }
        answer(request, "200 OK", format!("{} go\n", waiting.len()));
        for request in waiting.drain(..) {
            answer(request, "200 OK", "go\n");
        }
    }
    Ok(())
}

#[process]
fn stopper(registrations: Writer<Registration>, ready: Barrier, stop: Writer<()>) -> csp::Result {
    let requests = register(registrations, ready, &["/stop"])?;
    answer(requests.read()?, "200 OK", "goodbye\n");
    stop.poison("a client asked to stop");
    Ok(())
}

/// Serves until a client asks for `/stop`. When it returns, all its processes have ended.
pub(crate) fn serve(socket: TcpListener, pause: Duration) {
    let (stop, requests) = (Channel::new(), Channel::new().named("requests"));
    let registrations = Channel::new().named("registrations");
    let ready = Barrier::new();
    let _ = parallel!(
        listener(socket, stop.reader(), requests.writer(), ready.clone()),
        router(registrations.reader(), requests.reader()),
        hello(registrations.writer(), ready.clone()),
        50 * sleeper(registrations.writer(), ready.clone(), pause),
        4 * primes(registrations.writer(), ready.clone()),
        gate(registrations.writer(), ready.clone()),
        stopper(registrations.writer(), ready, stop.writer()),
    );
}

#[csp::main]
fn main() -> io::Result<()> {
    let Arguments { port, sleep } = Arguments::parse();
    let socket = TcpListener::bind(("127.0.0.1", port))
        .map_err(|error| io::Error::new(error.kind(), format!("port {port}: {error}")))?;
    println!("listening on http://{}", socket.local_addr()?);
    serve(socket, Duration::from_millis(sleep));
    println!("all processes have ended");
    Ok(())
}
