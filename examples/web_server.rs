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
//! The listener waits for two things at once: a connection and the word to stop. A process of its own serves each connection. It
//! reads a request, makes a channel for the answer, and sends *the writing end of it* along with the request. So any service that
//! answers, at any time, answers the right client. A process that waits for its socket is parked, so ten thousand clients are ten
//! thousand processes and one thread.
//!
//! The router knows no service by name: services register the paths they serve, with the end of a channel on which
//! they take requests. The router keeps the requests for which no service is free. It offers the first request of each path to
//! all services of the path, in one choice over inputs and outputs. So fifty requests that sleep hold no others up. A barrier
//! gives the start: no connection is accepted before all services have registered.
//!
//! `curl localhost:8080/stop` poisons the channel on which the listener hears that it is to stop. It stops, and so
//! the poison reaches the router, all services and the connections, also those on which nothing comes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use csp::net::{TcpListener, TcpStream};
use csp::{Alternation, Barrier, Channel, Reader, Writer, alt, parallel, process, spawn};

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

/// The bytes of the longest request, and the time that a client may take until the next bytes of one.
const LONGEST: usize = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(30);

#[process]
fn listener(
    socket: TcpListener,
    stop: Reader<()>,
    requests: Writer<Request>,
    ready: Barrier,
) -> csp::Result {
    ready.sync();
    drop(ready);
    loop {
        alt! {
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => drop(spawn(connection(stream, requests.clone()))),
                // Too many files are open. Some will be closed.
                Err(_)          => csp::sleep(Duration::from_millis(10)),
            },
            stop.read() => return Ok(()),
        }?;
    }
}

/// Serves one client. A client that goes, or sends nonsense, concerns no other process.
#[process]
fn connection(stream: TcpStream, requests: Writer<Request>) -> csp::Result {
    let mut come = Vec::new();
    while let Ok(Some(asked)) = receive(&stream, &mut come, &requests) {
        let answer = Channel::new();
        let (reply, response) = (answer.writer(), answer.reader());
        requests.write(Request { path: asked.path, reply })?;
        // From here on only the service that answers holds a writing end of the channel.
        drop(answer);
        let response = response.read().unwrap_or_else(|_| failed());
        if respond(&stream, &response, asked.stays).is_err() || !asked.stays {
            break;
        }
    }
    Ok(())
}

/// The path that a client asks for, and whether it stays connected.
struct Asked {
    path: String,
    stays: bool,
}

/// Returns the next request, or `None` when there will be none.
fn receive(
    mut stream: &TcpStream,
    come: &mut Vec<u8>,
    requests: &Writer<Request>,
) -> Result<Option<Asked>, Box<dyn Error>> {
    loop {
        if let Some(asked) = parse(come)? {
            return Ok(Some(asked));
        }
        if come.len() > LONGEST {
            return Ok(None);
        }
        alt! {
            ready = stream.readable() => ready?,
            retired(requests)         => return Ok(None),
            after(PATIENCE)           => return Ok(None),
        }?;
        let mut block = [0; 1024];
        match stream.read(&mut block)? {
            0 => return Ok(None),
            size => come.extend_from_slice(&block[..size]),
        }
    }
}

/// Takes a request out of what has come, if it is there.
fn parse(come: &mut Vec<u8>) -> Result<Option<Asked>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(size) = request.parse(come)? else { return Ok(None) };
    let closes = |header: &httparse::Header<'_>| {
        header.name.eq_ignore_ascii_case("connection")
            && header.value.eq_ignore_ascii_case(b"close")
    };
    let stays = request.version == Some(1) && !request.headers.iter().any(closes);
    let path = request.path.unwrap_or("/").to_owned();
    come.drain(..size);
    Ok(Some(Asked { path, stays }))
}

fn respond(
    mut stream: &TcpStream,
    Response { status, body }: &Response,
    stays: bool,
) -> io::Result<()> {
    let length = body.len();
    let then = if stays { "keep-alive" } else { "close" };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: {then}\r\n\r\n");
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
