//! A chat server: clients come and go, and one that does not read holds nobody up.
//!
//! ```text
//!            ┌─ client ──┬── events ──▶ room
//! listener ══╪═ client ──┤              │
//!     ▲      └─ client ──┘              │
//!     │         speak  ◀──── lines ─────┤
//!     └──────── stop ───────────────────┘
//!                 ▲
//!             interrupt ◀── signals (Ctrl-C)
//! ```
//!
//! Each client has two processes: one hears it, the other speaks to it. A process that waits for a socket is parked, and its thread goes
//! on. The room knows a client by the writing end of a channel, on which it writes the lines for that client. It never waits for
//! one: a client whose channel is full is thrown out, by dropping the end. Whichever of the two processes ends first shuts the socket
//! down, and so the other ends.
//!
//! `Ctrl-C` stops the listener and the room. The ends that the room holds retire with it, so all clients end. A second
//! `Ctrl-C` ends the program at once.
//!
//! Try it with `nc localhost 7070`, in several windows.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use clap::Parser;
use csp::net::{TcpListener, TcpStream};
use csp::{Channel, Reader, Signal, Stop, StopToken, Writer, alt, parallel, process, spawn};

/// Lets people talk who connect by TCP.
#[derive(Parser)]
struct Arguments {
    /// Port of the loopback interface to listen on (0 for any free port)
    #[arg(long, default_value_t = 7070)]
    port: u16,
}

/// The number of lines that may wait for a client.
const BACKLOG: usize = 1_000;

/// The bytes of the longest line, and the time that a socket may take for one.
const LONGEST: u64 = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

/// An event, and the client that it is about.
type Event = (u64, What);

enum What {
    /// The client has this name, and reads its lines from this channel.
    Came {
        name: String,
        lines: Writer<String>,
    },
    Said(String),
    Left,
}

#[process]
fn listener(socket: TcpListener, events: Writer<Event>, stop: StopToken) -> csp::Result {
    let mut number = 0;
    loop {
        alt! {
            accepted = socket.accept() => match accepted {
                Ok((socket, _)) => {
                    number += 1;
                    drop(spawn(client(number, socket, events.clone())));
                }
                // Too many files are open. Some will be closed.
                Err(_) => csp::sleep(Duration::from_millis(10)),
            },
            retired(stop) => return Ok(()),
        }?;
    }
}

/// Hears one client. If it panics, that concerns nobody else.
#[process(on_panic = retire)]
fn client(number: u64, socket: TcpStream, events: Writer<Event>) -> csp::Result {
    // A socket that fails is a client that leaves.
    let _ = hear(number, &socket, &events);
    // The process that speaks may still wait for the socket.
    let _ = socket.shutdown(Shutdown::Both);
    Ok(events.write((number, What::Left))?)
}

/// Asks for the name, and then passes on what the client says.
fn hear(number: u64, mut socket: &TcpStream, events: &Writer<Event>) -> io::Result<()> {
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.write_all(b"* what is your name?\n")?;
    let mut input = BufReader::new(socket);
    let Some(name) = line(&mut input)? else { return Ok(()) };
    // A client that goes leaves lines unread.
    let lines = Channel::buffered(BACKLOG).named(format!("lines of {name}")).may_be_dropped();
    drop(spawn(speak(socket.try_clone()?, lines.reader())));
    events.write((number, What::Came { name, lines: lines.writer() }))?;
    drop(lines);
    while let Some(text) = line(&mut input)? {
        events.write((number, What::Said(text)))?;
    }
    Ok(())
}

/// Reads the next line, or as much of it as a line may have.
fn line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let size = input.take(LONGEST).read_until(b'\n', &mut bytes)?;
    Ok((size > 0).then(|| String::from_utf8_lossy(&bytes).trim_end().to_owned()))
}

/// Tells one client what is said, until the room or the client has had enough.
#[process(on_panic = retire)]
fn speak(mut socket: TcpStream, lines: Reader<String>) {
    for line in &lines {
        // All that waits goes in one call.
        let more: String = lines.try_iter().map(|line| line + "\n").collect();
        if socket.write_all((line + "\n" + &more).as_bytes()).is_err() {
            break;
        }
    }
    // The process that hears ends with this.
    let _ = socket.shutdown(Shutdown::Both);
}

struct Member {
    name: String,
    lines: Writer<String>,
}

/// Tells everybody what anybody says. Returns how many clients it has had.
#[process]
fn room(events: Reader<Event>, stop: StopToken) -> csp::Result<usize> {
    let mut members = BTreeMap::new();
    let mut guests = 0;
    loop {
        let (number, what) = alt! {
            event = events.read() => event,
            retired(stop)         => return Ok(guests),
        }?;
        match what {
            What::Came { name, lines }
                if members.values().any(|member: &Member| member.name == name) =>
            {
                // The end is dropped after that, and so the client is.
                let _ = lines.try_write(format!("* somebody else is {name}"));
            }
            What::Came { name, lines } => {
                guests += 1;
                let news = format!("* {name} has come");
                members.insert(number, Member { name, lines });
                tell(&mut members, news);
            }
            What::Said(text) => {
                if let Some(member) = members.get(&number) {
                    let news = format!("{}: {text}", member.name);
                    tell(&mut members, news);
                }
            }
            What::Left => {
                if let Some(member) = members.remove(&number) {
                    tell(&mut members, format!("* {} has left", member.name));
                }
            }
        }
    }
}

/// Tells all members, and throws those out that do not take it.
fn tell(members: &mut BTreeMap<u64, Member>, news: String) {
    let mut news = vec![news];
    while let Some(line) = news.pop() {
        members.retain(|_, member| match member.lines.try_write(line.clone()) {
            Ok(()) => true,
            Err(refused) => {
                let why = if refused.is_full() { "is too slow" } else { "has left" };
                news.push(format!("* {} {why}", member.name));
                false
            }
        });
    }
}

/// Stops the server at the first signal. It is a daemon, because nobody should wait for a signal that never comes.
#[process(daemon)]
fn interrupt(signals: Reader<Signal>, stop: Stop) -> csp::Result {
    let signal = signals.read()?;
    println!("{signal}");
    stop.stop();
    Ok(())
}

/// Serves until a signal comes. When it returns, all processes have ended.
pub(crate) fn serve(
    socket: TcpListener,
    signals: io::Result<Reader<Signal>>,
) -> csp::Result<usize> {
    let events = Channel::new().named("events");
    let stop = Stop::new();
    let (to_listener, to_room) = (stop.token(), stop.token());
    match signals {
        Ok(signals) => drop(spawn(interrupt(signals, stop))),
        // On a system without signals nobody stops it.
        Err(_) => std::mem::forget(stop),
    }
    let (_, guests) =
        parallel!(listener(socket, events.writer(), to_listener), room(events.reader(), to_room),);
    guests
}

#[csp::main]
fn main() -> io::Result<()> {
    let Arguments { port } = Arguments::parse();
    let socket = TcpListener::bind(("127.0.0.1", port))?;
    println!("listening on {}", socket.local_addr()?);
    let guests = serve(socket, csp::signals([Signal::INT, Signal::TERM]))?;
    println!("{guests} guests were here");
    Ok(())
}
