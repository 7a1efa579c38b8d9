//! A snapshot of the live network: who there is, and what each is doing.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use super::graph::Graph;
use super::text::{Style, paragraph};
use super::value::Value;
use crate::holders::Who;
use crate::place::Place;

/// The hidden beginning of the examples here: a process waits for a value from `orders`, and is seen to.
macro_rules! clerk_waits {
    () => {
        r#"# use csp::report::*;
# use csp::{Channel, Reader, process};
# #[process]
# fn clerk(input: Reader<u32>) -> csp::Result<u32> { input.read() }
# let orders = Channel::new().named("orders");
# let writer = orders.writer();
# let waiting = csp::spawn(clerk(orders.reader()));
# let here = |p: &&ProcessState| p.path().ends_with("/clerk") && matches!(p.state(), State::Blocked(_));
# let network = loop {
#     let network = csp::network();
#     if network.processes().iter().find(here).is_some() { break network; }
#     csp::sleep(std::time::Duration::from_millis(1));
# };
# let process = network.processes().iter().find(here).unwrap();"#
    };
}

/// And their end: it gets the value.
macro_rules! clerk_goes_on {
    () => {
        r#"# writer.write(1)?;
# assert_eq!(waiting.join(), Ok(1));
# Ok::<(), csp::WriteError<u32>>(())"#
    };
}

/// What a process waits in.
///
/// ```
#[doc = clerk_waits!()]
/// # let State::Blocked(wait) = process.state() else { panic!("it was running") };
/// let operations: Vec<_> = wait.wants().iter().map(|want| want.operation()).collect();
/// assert_eq!(operations, [Operation::Read]);
/// assert_eq!(operations[0].to_string(), "read from");
#[doc = clerk_goes_on!()]
/// ```
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
    /// For a future that is not of this library, in an `async` process.
    Await,
}

/// The processes and channels of this program, each as it was when it was looked at: see [`network`](crate::network()).
///
/// `Display` gives text of 80 columns, [`dot`](Self::dot) and [`mermaid`](Self::mermaid) a graph, [`json`](Self::json) all of it for
/// other programs.
///
/// ```
#[doc = clerk_waits!()]
/// // A process waits for a value from the channel `orders`.
/// let text = network.to_string();
/// assert!(text.contains("clerk: blocked at") && text.contains("read from `orders`"));
/// assert!(network.mermaid().starts_with("flowchart"));
#[doc = clerk_goes_on!()]
/// ```
#[derive(Clone, Debug, Default)]
pub struct Network {
    pub(crate) processes: Vec<ProcessState>,
    pub(crate) channels: Vec<ChannelState>,
}

/// One channel in a [`Network`].
///
/// ```
#[doc = clerk_waits!()]
/// # let is_here = |channel: &&ChannelState| channel.reading().any(|path| path.ends_with("/clerk"));
/// # let channel = network.channels().iter().find(is_here).unwrap();
/// assert_eq!((channel.name(), channel.kind()), (Some("orders"), "Channel<u32>"));
/// assert_eq!((channel.readers(), channel.writers(), channel.capacity()), (1, 1, 0));
#[doc = clerk_goes_on!()]
/// ```
#[derive(Clone, Debug)]
pub struct ChannelState(pub(crate) Thing);

/// One process in a [`Network`].
///
/// ```
#[doc = clerk_waits!()]
/// assert!(process.path().ends_with("/clerk") && !process.is_daemon());
/// assert!(matches!(process.state(), State::Blocked(_)));
#[doc = clerk_goes_on!()]
/// ```
#[derive(Clone, Debug)]
pub struct ProcessState {
    /// None: some that have not started.
    pub(crate) who: Option<Who>,
    pub(crate) path: String,
    pub(crate) state: State,
    pub(crate) daemon: bool,
    /// See `leaks`.
    pub(crate) scope: u32,
}

/// What a process in a [`Network`] was doing.
///
/// ```
#[doc = clerk_waits!()]
/// let blocked = network.processes().iter().filter(|p| matches!(p.state(), State::Blocked(_)));
/// assert!(blocked.count() >= 1);
#[doc = clerk_goes_on!()]
/// ```
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
///
/// ```
#[doc = clerk_waits!()]
/// let State::Blocked(wait) = process.state() else { panic!("it was running") };
/// assert!(!wait.is_alternation() && wait.left().is_none());
/// println!("it waits at {}", wait.place());
#[doc = clerk_goes_on!()]
/// ```
#[derive(Clone, Debug)]
pub struct Wait {
    pub(crate) place: &'static Location<'static>,
    pub(crate) alternation: bool,
    pub(crate) left: Option<Duration>,
    pub(crate) wants: Vec<Wanted>,
}

/// One thing that a blocked process waited for; several in an alternation.
///
/// ```
#[doc = clerk_waits!()]
/// # let State::Blocked(wait) = process.state() else { panic!("it was running") };
/// let [want] = wait.wants() else { panic!("it waits for one thing") };
/// assert_eq!((want.operation(), want.name()), (Operation::Read, Some("orders")));
/// assert_eq!(want.kind(), Some("Channel<u32>"));
#[doc = clerk_goes_on!()]
/// ```
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
    pub(crate) birth: Place,
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
    pub(crate) handles: usize,
    /// Other OS processes may have ends of it, too; the counts are of this one.
    pub(crate) away: bool,
}

impl Network {
    /// The processes, by path.
    pub fn processes(&self) -> &[ProcessState] {
        &self.processes
    }

    /// All channels that there were, by the place where they were made.
    pub fn channels(&self) -> &[ChannelState] {
        &self.channels
    }

    /// The network as a graph in the language of Graphviz: processes in boxes, the blocked ones red, channels and what else they
    /// wait for in between; dashed lines for who holds which end.
    pub fn dot(&self) -> String {
        Graph::of(&self.processes, &self.channels).dot()
    }

    /// The same graph in the language of Mermaid.
    pub fn mermaid(&self) -> String {
        Graph::of(&self.processes, &self.channels).mermaid()
    }

    /// All of it in one line of JSON: `{"processes": [{"path": "main/worker[3]", "state": "blocked", …}], "channels": […]}`.
    pub fn json(&self) -> String {
        Value::from(self).to_string()
    }

    pub(crate) fn sort(&mut self) {
        self.processes.sort_by(|a, b| natural(&a.path).cmp(natural(&b.path)));
        self.channels.sort_by(|ChannelState(a), ChannelState(b)| {
            let (a_name, b_name) = (a.name.as_deref(), b.name.as_deref());
            let names = || natural(a_name.unwrap_or("")).cmp(natural(b_name.unwrap_or("")));
            a.birth.cmp(&b.birth).then_with(names)
        });
    }
}

impl ChannelState {
    /// The name it was given.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// What it is: `Channel<u32>`.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// Where it was made.
    pub fn birth(&self) -> Place {
        self.0.birth
    }

    /// How many values it has room for; 0: a rendezvous.
    pub fn capacity(&self) -> usize {
        self.fill().capacity
    }

    /// How many values are in its buffer.
    pub fn values(&self) -> usize {
        self.fill().values
    }

    /// How many reading ends it has.
    pub fn readers(&self) -> usize {
        self.fill().readers
    }

    /// How many writing ends it has.
    pub fn writers(&self) -> usize {
        self.fill().writers
    }

    /// How many handles there are to make ends from.
    pub fn handles(&self) -> usize {
        self.fill().handles
    }

    /// The processes that hold reading ends, as far as they are known.
    pub fn reading(&self) -> impl Iterator<Item = &str> {
        self.holding("reader")
    }

    /// The processes that hold writing ends, as far as they are known.
    pub fn writing(&self) -> impl Iterator<Item = &str> {
        self.holding("writer")
    }

    fn holding(&self, what: &'static str) -> impl Iterator<Item = &str> {
        self.0.holders.iter().filter(move |holder| holder.what == what).map(|holder| &*holder.path)
    }

    fn fill(&self) -> Fill {
        self.0.fill.expect("a channel tells what is in it")
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
    pub fn birth(&self) -> Option<Place> {
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
            Self::JoinAll | Self::Io | Self::Compute | Self::Timeout | Self::Skip | Self::Await => {
                false
            }
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
            Self::Await => "await a future",
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

/// Holders that are named, of one thing.
const SHOWN: usize = 4;

impl Wanted {
    fn write(&self, f: &mut dyn fmt::Write, indent: usize) -> fmt::Result {
        let Some(thing) = &self.object else {
            return paragraph(f, indent, &self.operation.to_string(), 0, Style::PLAIN);
        };
        paragraph(f, indent, &format!("{} {thing}", self.operation), 0, Style::PLAIN)?;
        let mut line = |text: String| paragraph(f, indent + 4, &text, 0, Style::PLAIN);
        let others = self.others();
        let what = match self.operation {
            Operation::Sync => "enrolled",
            Operation::Write | Operation::Release => "its reader",
            _ => "its writer",
        };
        // The place of a line that says "one more" is as good for that one.
        let shown = if others.len() == SHOWN + 1 { SHOWN + 1 } else { SHOWN };
        for holder in others.iter().take(shown) {
            let known = if holder.sure { "" } else { ", when last heard of" };
            line(format!("{what}: {}{known}", holder.path))?;
        }
        if others.len() > shown {
            line(format!("{what}: {} more", others.len() - shown))?;
        }
        let Some(fill) = thing.fill else { return Ok(()) };
        let there = match self.operation {
            Operation::Read => fill.writers,
            Operation::Write => fill.readers,
            _ => return Ok(()),
        };
        if fill.away {
            return line(format!("{what}: not known, for other OS processes have ends of it"));
        }
        match there.saturating_sub(others.len()) {
            _ if there == 0 => line(format!("{what}: none yet")),
            0 => Ok(()),
            unknown if others.is_empty() => line(format!("{what}: {unknown}, not known where")),
            unknown => line(format!("{what}: {unknown} more, not known where")),
        }
    }
}

impl ProcessState {
    /// The report on this process, from this column on.
    pub(crate) fn write(&self, f: &mut dyn fmt::Write, indent: usize, style: Style) -> fmt::Result {
        let text = self.line();
        paragraph(f, indent, &text, self.path.len(), style)?;
        self.wants().iter().try_for_each(|want| want.write(f, indent + 4))
    }

    /// Who it is, and what it does.
    pub(crate) fn line(&self) -> String {
        let daemon = if self.daemon { " (daemon)" } else { "" };
        let doing = match &self.state {
            State::Running => "running".to_owned(),
            State::Ready => "ready to run".to_owned(),
            State::Unseen => "waits while its thread is busy with another".to_owned(),
            State::NotStarted { others: 0 } => "not started".to_owned(),
            State::NotStarted { others } => {
                format!("not started, and neither are {others} after it")
            }
            State::Blocked(wait) => {
                let mut doing = format!("blocked at {}", wait.place);
                if wait.alternation {
                    doing.push_str(", in a choice of");
                }
                if let Some(left) = wait.left {
                    let and = if wait.alternation { " at most" } else { ", for at most" };
                    doing.push_str(&format!("{and} {left:.1?} more"));
                }
                doing
            }
        };
        format!("{}{daemon}: {doing}", self.path)
    }
}

impl ChannelState {
    fn write(&self, f: &mut dyn fmt::Write, indent: usize) -> fmt::Result {
        let Fill { readers, writers, handles, .. } = self.fill();
        let ends = [
            (readers, "reader", "readers"),
            (writers, "writer", "writers"),
            (handles, "handle", "handles"),
        ];
        let there = ends.into_iter().filter(|(count, ..)| *count > 0);
        let ends: Vec<_> = there.map(|(count, one, more)| counted(count, one, more)).collect();
        paragraph(f, indent, &format!("{}: {}", self.0, ends.join(", ")), 0, Style::PLAIN)?;
        let named = self.0.holders.iter().filter(|holder| holder.what != "handle");
        let count = named.clone().count();
        for holder in named.take(2 * SHOWN) {
            let known = if holder.sure { "" } else { ", when last heard of" };
            let text = format!("{}: {}{known}", holder.what, holder.path);
            paragraph(f, indent + 4, &text, 0, Style::PLAIN)?;
        }
        match count.saturating_sub(2 * SHOWN) {
            0 => Ok(()),
            more => paragraph(f, indent + 4, &format!("and {more} more"), 0, Style::PLAIN),
        }
    }
}

fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// Without the end of the last line.
fn without_end(
    f: &mut fmt::Formatter<'_>,
    write: impl FnOnce(&mut String) -> fmt::Result,
) -> fmt::Result {
    let mut text = String::new();
    write(&mut text)?;
    f.write_str(text.trim_end())
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        without_end(f, |text| self.write(text, 0))
    }
}

impl fmt::Display for ProcessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        without_end(f, |text| self.write(text, 0, Style::PLAIN))
    }
}

impl fmt::Display for ChannelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        without_end(f, |text| self.write(text, 0))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocked = self.processes.iter().filter(|p| matches!(p.state, State::Blocked(_)));
        let blocked = blocked.count();
        let processes = counted(self.processes.len(), "process", "processes");
        let channels = counted(self.channels.len(), "channel", "channels");
        writeln!(f, "network: {processes} ({blocked} blocked), {channels}")?;
        self.processes.iter().try_for_each(|process| process.write(f, 0, Style::PLAIN))?;
        if !self.channels.is_empty() {
            writeln!(f, "channels:")?;
        }
        self.channels.iter().try_for_each(|channel| channel.write(f, 0))
    }
}
