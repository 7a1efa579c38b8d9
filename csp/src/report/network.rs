//! A snapshot of the live network: who there is, and what each is doing.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use super::graph::Graph;
use crate::holders::Who;

/// What a process waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A read: for a value.
    Read,
    /// A write: for a reader, or for room in the buffer.
    Write,
    /// A read whose writer has agreed and is making the value.
    Handover,
    /// A write whose reader has the value and keeps the writer waiting ([`begin`](crate::Reader::begin)).
    Release,
    /// The guard `retired(end)`.
    Retirement,
    /// [`Barrier::sync`](crate::Barrier::sync): for the others.
    Sync,
    /// [`Bucket::fall_in`](crate::Bucket::fall_in): for a flush.
    FallIn,
    /// For the end of one process.
    Join,
    /// For the end of a set of processes: [`parallel!`](crate::parallel), or the children of a process.
    JoinAll,
    /// For a blocking call that another thread makes: [`io`](fn@crate::io).
    Io,
    /// For work that another thread does: [`compute`](crate::compute).
    Compute,
    /// Until a deadline.
    Timeout,
    /// The guard `skip`.
    Skip,
}

/// The processes of this program, each as it was when it was looked at: see [`network`](crate::network()).
///
/// `Display` gives text of 80 columns, [`dot`](Self::dot) and [`mermaid`](Self::mermaid) a graph.
#[derive(Clone, Debug, Default)]
pub struct Network {
    pub(crate) processes: Vec<ProcessState>,
}

/// One process in a [`Network`].
#[derive(Clone, Debug)]
pub struct ProcessState {
    /// None: some that have not started.
    pub(crate) who: Option<Who>,
    pub(crate) path: String,
    pub(crate) state: State,
    pub(crate) daemon: bool,
}

/// What a process in a [`Network`] was doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum State {
    /// It was running.
    Running,
    /// It could run, and waited for its turn.
    Ready,
    /// It has not started, and neither have so many after it of the same name.
    NotStarted {
        /// How many after it.
        others: usize,
    },
    /// It was blocked.
    Blocked(Wait),
    /// It could not be looked at: its thread was busy with another process.
    Unseen,
}

/// How a process was blocked.
#[derive(Clone, Debug)]
pub struct Wait {
    pub(crate) place: &'static Location<'static>,
    pub(crate) alternation: bool,
    pub(crate) left: Option<Duration>,
    pub(crate) wants: Vec<Wanted>,
}

/// One thing that a blocked process waited for; several in an alternation.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub(crate) operation: Operation,
    pub(crate) object: Option<Thing>,
}

/// A channel, barrier or whatever else, as a report knows it.
#[derive(Clone, Debug)]
pub(crate) struct Thing {
    /// Tells it from the others of the same report.
    pub(crate) address: usize,
    pub(crate) kind: String,
    pub(crate) name: Option<String>,
    pub(crate) birth: &'static Location<'static>,
    pub(crate) holders: Vec<HolderName>,
    pub(crate) fill: Option<Fill>,
}

/// Who holds an end, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HolderName {
    pub(crate) who: Who,
    pub(crate) path: String,
    /// `reader`
    pub(crate) what: &'static str,
    /// It can't have been let out of the process.
    pub(crate) sure: bool,
}

/// What is in a channel, and at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fill {
    pub(crate) capacity: usize,
    pub(crate) values: usize,
    pub(crate) readers: usize,
    pub(crate) writers: usize,
}

impl Network {
    /// The processes, by path.
    pub fn processes(&self) -> &[ProcessState] {
        &self.processes
    }

    /// The network as a graph in the language of Graphviz: processes in boxes, the blocked ones red, and what they wait
    /// for in between.
    pub fn dot(&self) -> String {
        Graph::of(&self.processes).dot()
    }

    /// The same graph in the language of Mermaid.
    pub fn mermaid(&self) -> String {
        Graph::of(&self.processes).mermaid()
    }

    pub(crate) fn sort(&mut self) {
        self.processes.sort_by(|a, b| natural(&a.path).cmp(natural(&b.path)));
    }
}

/// `worker[10]` comes after `worker[9]`.
fn natural(path: &str) -> impl Iterator<Item = (&str, usize)> {
    path.split_inclusive('[').map(|part| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        (&part[digits..], part[..digits].parse().unwrap_or(0))
    })
}

impl ProcessState {
    /// `main/worker[3]`
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What it was doing.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether it keeps nothing alive.
    pub fn is_daemon(&self) -> bool {
        self.daemon
    }

    pub(crate) fn wants(&self) -> &[Wanted] {
        match &self.state {
            State::Blocked(wait) => &wait.wants,
            _ => &[],
        }
    }
}

impl Wait {
    /// Where in the code the process was blocked.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Whether it was in an alternation.
    pub fn is_alternation(&self) -> bool {
        self.alternation
    }

    /// How long until its deadline, if it had one.
    pub fn left(&self) -> Option<Duration> {
        self.left
    }

    /// What it waited for: the guards of the alternation, or the one operation.
    pub fn wants(&self) -> &[Wanted] {
        &self.wants
    }
}

impl Wanted {
    /// The operation, or guard.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The name of the channel, or the path of the process, that it is about.
    pub fn name(&self) -> Option<&str> {
        self.object.as_ref()?.name.as_deref()
    }

    /// What that is: `Channel<u32>`.
    pub fn kind(&self) -> Option<&str> {
        Some(&self.object.as_ref()?.kind)
    }

    /// Where that was made.
    pub fn birth(&self) -> Option<&'static Location<'static>> {
        Some(self.object.as_ref()?.birth)
    }

    /// The processes that could have ended the wait, as far as they are known: those with the other end of the channel, those
    /// that are enrolled at the barrier.
    pub fn holders(&self) -> impl Iterator<Item = &str> {
        self.others().into_iter().map(|holder| &*holder.path)
    }

    pub(crate) fn address(&self) -> Option<usize> {
        Some(self.object.as_ref()?.address)
    }

    fn others(&self) -> Vec<&HolderName> {
        let Some(thing) = &self.object else { return Vec::new() };
        let other = match self.operation {
            Operation::Read | Operation::Handover => "writer",
            Operation::Write | Operation::Release => "reader",
            Operation::Sync => "barrier",
            _ => return Vec::new(),
        };
        let mut others: Vec<_> = thing.holders.iter().filter(|h| h.what == other).collect();
        others.sort();
        others.dedup();
        others
    }
}

impl Thing {
    pub(crate) fn short(&self) -> String {
        match &self.name {
            Some(name) => format!("`{name}`"),
            None => format!("{} {}", self.kind, self.birth),
        }
    }
}

impl Operation {
    /// Whether what it waits at can turn it away.
    pub(crate) fn can_be_broken_off(self, joins: bool) -> bool {
        match self {
            Self::Join => joins,
            Self::Read | Self::Write | Self::Retirement | Self::Sync | Self::FallIn => true,
            // The other has agreed and will come.
            Self::Handover | Self::Release => false,
            Self::JoinAll | Self::Io | Self::Compute | Self::Timeout | Self::Skip => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read from",
            Self::Write => "write to",
            Self::Handover => "read (its writer makes the value) from",
            Self::Release => "write (its reader has the value) to",
            Self::Retirement => "retirement of",
            Self::Sync => "synchronise at",
            Self::FallIn => "wait in",
            Self::Join => "join",
            Self::JoinAll => "join",
            Self::Io => "the end of a blocking call",
            Self::Compute => "the end of a computation",
            Self::Timeout => "timeout",
            Self::Skip => "skip",
        })
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "`{name}`, {} of {}", self.kind, self.birth)?,
            None => write!(f, "{} of {}", self.kind, self.birth)?,
        }
        match self.fill {
            Some(Fill { capacity, values, .. }) if capacity > 0 => {
                write!(f, ", {values} of {capacity} buffered")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(thing) = &self.object else { return self.operation.fmt(f) };
        write!(f, "{} {thing}", self.operation)?;
        let others = self.others();
        let what = match self.operation {
            Operation::Sync => "enrolled",
            Operation::Write | Operation::Release => "its reader",
            _ => "its writer",
        };
        const SHOWN: usize = 4;
        for holder in others.iter().take(SHOWN) {
            let known = if holder.sure { "" } else { ", when last heard of" };
            write!(f, "\n{what}: {}{known}", holder.path)?;
        }
        if others.len() > SHOWN {
            write!(f, "\n{what}: {} others", others.len() - SHOWN)?;
        }
        if let Some(fill) = self.object.as_ref().and_then(|thing| thing.fill) {
            let there = match self.operation {
                Operation::Read => fill.writers,
                Operation::Write => fill.readers,
                _ => return Ok(()),
            };
            let unknown = there.saturating_sub(others.len());
            if there == 0 {
                write!(f, "\n{what}: none yet")?;
            } else if unknown > 0 {
                write!(f, "\n{what}: {unknown} of whom is not known where")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for ProcessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.daemon {
            f.write_str(" (daemon)")?;
        }
        match &self.state {
            State::Running => f.write_str(": running"),
            State::Ready => f.write_str(": ready to run"),
            State::Unseen => f.write_str(": waits while its thread is busy with another"),
            State::NotStarted { others: 0 } => f.write_str(": not started"),
            State::NotStarted { others } => {
                write!(f, ": not started, and neither are {others} after it")
            }
            State::Blocked(wait) => {
                write!(f, ": blocked at {}", wait.place)?;
                if let Some(left) = wait.left {
                    write!(f, ", for {left:.1?} more at most")?;
                }
                for want in &wait.wants {
                    for (number, line) in want.to_string().lines().enumerate() {
                        let indent = if number == 0 { "    " } else { "        " };
                        folded(f, indent, line)?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// A line of 80 columns, and what does not fit below it.
fn folded(f: &mut fmt::Formatter<'_>, indent: &str, line: &str) -> fmt::Result {
    let mut column = 80;
    let mut first = true;
    for word in line.split_inclusive(' ') {
        if column + word.trim_end().chars().count() > 80 {
            let more = if first { "" } else { "    " };
            write!(f, "\n{indent}{more}")?;
            column = indent.len() + more.len();
            first = false;
        }
        f.write_str(word)?;
        column += word.chars().count();
    }
    Ok(())
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocked = self.processes.iter().filter(|p| matches!(p.state, State::Blocked(_)));
        let (all, blocked) = (self.processes.len(), blocked.count());
        writeln!(f, "network: {all} processes, {blocked} of them blocked")?;
        self.processes.iter().try_for_each(|process| writeln!(f, "{process}"))
    }
}
