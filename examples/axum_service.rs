//! A web service of axum in front of a network: its handlers are tasks of tokio, and talk to processes over channels.
//!
//! ```text
//!  threads of tokio                 main
//!  ┌──────────┐
//!  │ handlers ├──── orders ──────▶ stock
//!  │          │◀─── reply ────────
//!  │          ├──── searches ────▶ searcher[0..3]
//!  │          │◀─── primes ───────     ▲
//!  │          ├──── asked ───────▶ door ┘ stop
//!  │  server  │◀─── closing ──────
//!  └──────────┘
//! ```
//!
//! The process `stock` owns the stock, so no lock is needed. An order brings the end of a channel on which its answer comes. The
//! handler waits there, and its thread serves other requests meanwhile.
//!
//! A search is answered by a stream without an end. The searcher is ahead of its client by the buffers of the connection, and no more.
//! When a client hangs up its stream goes, and the searcher sees that as retirement. It then takes the next search.
//!
//! A client that asks for `/stop` is heard by `door`, which returns. So the searchers are told to stop, and the server takes no more
//! requests. When the last one is answered the handlers' ends are gone, and with them the processes.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use clap::Parser;
use csp::{
    Channel, Reader, ReaderStream, Stop, StopToken, Termination, Writer, WriterSink, alt, parallel,
    process,
};

/// Serves POST /stock/{item}/{change} and /stop, and GET /primes and /bug.
#[derive(Parser)]
struct Arguments {
    /// Port of the loopback interface to listen on (0 for any free port)
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

/// How many of an item come or go, with the end on which the answer goes back.
struct Order {
    item: String,
    change: i64,
    reply: Writer<Answer>,
}

/// How many there are now, or how many there are because the order asks for more.
type Answer = Result<i64, i64>;

#[process]
fn stock(orders: Reader<Order>) {
    let mut items = HashMap::new();
    for Order { item, change, reply } in &orders {
        let count: &mut i64 = items.entry(item).or_default();
        let answer = match count.checked_add(change) {
            Some(left) if left >= 0 => {
                *count = left;
                Ok(left)
            }
            _ => Err(*count),
        };
        // The client may have gone. There is room for the answer in any case.
        let _ = reply.write(answer);
    }
}

/// Finds primes, one a line, for as long as the other end is there.
#[process]
fn searcher(searches: Reader<Writer<String>>, stop: StopToken) -> csp::Result {
    loop {
        let primes = searches.read()?;
        let is_prime = |n: &u64| (2..).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
        for prime in (2..).filter(is_prime) {
            let written = alt! {
                primes.write(format!("{prime}\n")) => true,
                retired(primes)                    => false, // the client has hung up
                retired(stop)                      => return Ok(()),
            };
            if written != Ok(true) {
                break;
            }
        }
    }
}

/// Waits until a client asks to stop. When it returns its ends go, and that stops the others.
#[process]
fn door(asked: Reader<()>, _stop: Stop, _closing: Writer<()>) -> csp::Result {
    asked.read()
}

/// The ends that each request gets a clone of.
#[derive(Clone)]
struct App {
    orders: WriterSink<Order>,
    searches: WriterSink<Writer<String>>,
    asked: WriterSink<()>,
}

/// Asks the process `stock`, and waits for its answer.
async fn order(
    State(mut app): State<App>,
    Path((item, change)): Path<(String, i64)>,
) -> Result<Response, Gone> {
    let answers = Channel::buffered(1);
    let (mut answer, reply) = (answers.reader().stream(), answers.writer());
    app.orders.send(Order { item, change, reply }).await?;
    let answer = answer.next().await.ok_or(Termination::Retired)??;
    Ok(match answer {
        Ok(left) => format!("{left} are left\n").into_response(),
        Err(left) => (StatusCode::CONFLICT, format!("only {left} are left\n")).into_response(),
    })
}

/// Answers with what a process writes, while it writes it.
async fn primes(State(mut app): State<App>) -> Result<Body, Gone> {
    let primes = Channel::new();
    let found = primes.reader().stream();
    app.searches.send(primes.writer()).await?;
    Ok(Body::from_stream(found))
}

/// Fails. That ends this request, and nothing else: its clones of the ends retire.
async fn bug(State(_app): State<App>) -> StatusCode {
    panic!("a handler has a bug");
}

async fn stop(State(mut app): State<App>) -> Result<&'static str, Gone> {
    app.asked.send(()).await?;
    Ok("goodbye\n")
}

/// The process that was asked has ended.
struct Gone(Termination);

impl<E: Into<Termination>> From<E> for Gone {
    fn from(ended: E) -> Self {
        Self(ended.into())
    }
}

impl IntoResponse for Gone {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{:#}\n", self.0)).into_response()
    }
}

/// Serves until `closing` has retired, and all requests are answered.
async fn http(socket: TcpListener, app: App, mut closing: ReaderStream<()>) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let socket = tokio::net::TcpListener::from_std(socket)?;
    let routes = Router::new()
        .route("/stock/{item}/{change}", post(order))
        .route("/primes", get(primes))
        .route("/bug", get(bug))
        .route("/stop", post(stop))
        .with_state(app);
    let closed = async move { while closing.next().await.is_some() {} };
    axum::serve(socket, routes).with_graceful_shutdown(closed).await
}

/// Serves until a client asks for `/stop`. When it returns, all its processes and tasks have ended.
pub(crate) fn serve(socket: TcpListener) -> io::Result<()> {
    let (orders, searches) = (Channel::new().named("orders"), Channel::new().named("searches"));
    let (asked, closing, stop) = (Channel::new(), Channel::new(), Stop::new());
    let app = App {
        orders: orders.writer().sink().retire_on_panic(),
        searches: searches.writer().sink().retire_on_panic(),
        asked: asked.writer().sink().retire_on_panic(),
    };
    // The handlers run on threads of tokio, and the processes on this one.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.spawn(http(socket, app, closing.reader().stream()));
    let _ = parallel!(
        stock(orders.reader()),
        3 * searcher(searches.reader(), stop.token()),
        door(asked.reader(), stop, closing.writer()),
    );
    runtime.block_on(served)?
}

#[csp::main]
fn main() -> io::Result<()> {
    let Arguments { port } = Arguments::parse();
    let socket = TcpListener::bind(("127.0.0.1", port))?;
    println!("listening on http://{}", socket.local_addr()?);
    serve(socket)?;
    println!("all processes have ended");
    Ok(())
}
