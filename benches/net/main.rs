//! Sockets: this library beside threads, Go, tokio and may, in one run.
//!
//! ```text
//! cargo run --release -p csp-benches --features net,cores --bin net [-- --rounds N] [--write] [PART OF A NAME ...]
//! ```
//! A server is an OS process of its own, and answers what the load generator in this one asks. The libraries take turns, and every other
//! round goes backwards. A work has one figure for each library. The table has the median of the rounds, and its ratio to the first column.

mod load;
mod peer;
mod servers;
mod table;

use std::time::Duration;

use csp_benches::go;
use peer::Server;
use servers::Library;
use table::{Table, Unit};

/// The first argument of an OS process that serves.
const SERVE: &str = "--serve";

const USAGE: &str = "[--rounds N] [--only LIBRARY,...] [--write] [PART OF A NAME ...]
  --rounds N    how often each is measured, 3 by default
  --only A,B    these libraries only
  --write       writes results/net.md and results/net.svg
With parts of names, it measures the works that they match.";

/// How long the messages of a work are counted.
const COUNTED: Duration = Duration::from_millis(1500);

/// A work, of which one figure is measured.
#[derive(Clone, Copy)]
enum Work {
    /// A message and its answer, one after the other, on one connection.
    PingPong,
    /// As many messages on their way on each of as many connections.
    Echo { connections: usize, depth: usize },
    /// The memory of a connection on which nothing happens.
    IdleMemory { connections: usize },
    /// The messages of some connections, beside many on which nothing happens.
    Beside { idle: usize, busy: usize },
    /// A connection, a message, an answer, the end.
    Connect,
    /// Requests on connections that are kept.
    Http { connections: usize },
    /// The time of the slowest of a hundred answers on one connection, while others send a byte a second.
    SlowOthers { connections: usize },
}

/// Some descriptors are needed for other things.
const SPARE: usize = 200;

/// Returns the works, and their names. `descriptors` is how many each OS process may have.
fn works(descriptors: usize) -> Vec<(String, Unit, Work)> {
    let many = 10_000.min(descriptors.saturating_sub(SPARE));
    if many < 10_000 {
        eprintln!(
            "an OS process may have {descriptors} descriptors, so there are {many} connections instead of 10,000"
        );
    }
    let slow = 5_000.min(many);
    let rate = Unit::PerSecond;
    vec![
        ("1 connection, 64 B and back".into(), Unit::Microseconds, Work::PingPong),
        ("1,000 connections".into(), rate, Work::Echo { connections: 1_000, depth: 1 }),
        (
            "1,000 connections, 16 in flight".into(),
            rate,
            Work::Echo { connections: 1_000, depth: 16 },
        ),
        ("100 connections".into(), rate, Work::Echo { connections: 100, depth: 1 }),
        (
            format!("100 connections beside {many} idle"),
            rate,
            Work::Beside { idle: many, busy: 100 },
        ),
        (
            format!("an idle connection of {many}"),
            Unit::Kilobytes,
            Work::IdleMemory { connections: many },
        ),
        ("connect, request, close".into(), rate, Work::Connect),
        ("HTTP, 256 connections".into(), rate, Work::Http { connections: 256 }),
        (
            format!("99th of 100, beside {slow} slow"),
            Unit::Milliseconds,
            Work::SlowOthers { connections: slow },
        ),
    ]
}

impl Work {
    /// Measures it once.
    fn measure(self, library: Library, go: Option<&go::Built>) -> std::io::Result<f64> {
        let protocol = if matches!(self, Self::Http { .. }) { "http" } else { "echo" };
        let server = Server::start(library, go, protocol)?;
        let at = server.address;
        match self {
            Self::PingPong => load::ping_pong(at, COUNTED),
            Self::Echo { connections, depth } => {
                load::Echo::new(at, connections, depth)?.rate(COUNTED)
            }
            Self::Beside { idle, busy } => {
                let _idle = load::idle(at, idle)?;
                load::Echo::new(at, busy, 1)?.rate(COUNTED)
            }
            Self::IdleMemory { connections } => {
                // Pools of threads and of stacks have their first of each.
                drop(load::idle(at, 10)?);
                let before = server.memory()?;
                let _idle = load::idle(at, connections)?;
                Ok((server.memory()? - before) / connections as f64)
            }
            Self::Connect => load::connects(at, COUNTED),
            Self::Http { connections } => load::Echo::http(at, connections)?.rate(COUNTED),
            Self::SlowOthers { connections } => load::beside_slow(at, connections, 2 * COUNTED),
        }
    }
}

/// The wishes of the command line.
struct Wishes {
    rounds: usize,
    libraries: Vec<Library>,
    write: bool,
    parts: Vec<String>,
}

impl Wishes {
    fn new(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wishes = Self {
            rounds: 3,
            libraries: Library::ALL.iter().copied().filter(|one| one.is_here()).collect(),
            write: false,
            parts: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--rounds" => {
                    let rounds = value()?;
                    wishes.rounds = rounds.parse().map_err(|_| format!("{rounds}: no number"))?;
                }
                "--only" => {
                    let names = value()?;
                    wishes.libraries.retain(|one| names.split(',').any(|name| name == one.name()));
                }
                "--write" => wishes.write = true,
                option if option.starts_with('-') => return Err(format!("{option} is no option")),
                _ => wishes.parts.push(argument),
            }
        }
        Ok(wishes)
    }

    fn wants(&self, work: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|part| work.contains(part.as_str()))
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|first| first == SERVE).is_some() {
        let names: Vec<String> = arguments.collect();
        return servers::serve(&names[0], &names[1]);
    }
    let wishes = Wishes::new(arguments).unwrap_or_else(|error| {
        eprintln!("{error}\n\n{USAGE}");
        std::process::exit(2);
    });
    let descriptors = load::raise_limit();
    let mut table = Table::new(&wishes.libraries);
    let go = wishes.libraries.contains(&Library::Go).then(go::Built::new);
    let mut failed = false;
    for round in 0..wishes.rounds {
        let mut libraries = wishes.libraries.clone();
        if round % 2 == 1 {
            libraries.reverse();
        }
        for (name, unit, work) in
            works(descriptors).into_iter().filter(|(name, ..)| wishes.wants(name))
        {
            for &library in &libraries {
                match work.measure(library, go.as_ref()) {
                    Ok(figure) => table.add(&name, unit, library, figure),
                    Err(error) => {
                        failed = true;
                        eprintln!("{name}, {}: {error}", library.name());
                    }
                }
            }
            eprintln!("{}", table.line(&name));
        }
    }
    println!("{}", table.markdown());
    if wishes.write {
        table.write();
    }
    std::process::exit(i32::from(failed));
}
