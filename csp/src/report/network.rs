//! A snapshot of the live network: its processes, and what each is doing.

use std::time::Duration;

use super::id::Who;
use super::place::Place;
use super::retirement::Retirement;

/// The hidden beginning of the examples here: a process waits for a value from `orders`, and the
/// network shows it.
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

/// The hidden end of the examples: the process gets the value.
macro_rules! clerk_goes_on {
    () => {
        r#"# writer.write(1)?;
# assert_eq!(waiting.join(), Ok(1));
# Ok::<(), csp::WriteError<u32>>(())"#
    };
}

/// The operation in which a process waits.
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
    /// A read. It waits for a value.
    Read,
    /// A write. It waits for a reader, or for room in the buffer.
    Write,
    /// A read whose writer has agreed and is making the value.
    Handover,
    /// A write whose reader has the value and keeps the writer waiting ([`begin`](crate::Reader::begin)).
    Release,
    /// The guard `retired(end)`.
    Retirement,
    /// [`Barrier::sync`](crate::Barrier::sync). It waits for the other processes.
    Sync,
    /// [`Bucket::fall_in`](crate::Bucket::fall_in). It waits for a flush.
    FallIn,
    /// The wait for the end of one process.
    Join,
    /// The wait for the end of a set of processes: [`parallel!`](crate::parallel), or the children
    /// of a process.
    JoinAll,
    /// The wait for a blocking call that another thread makes: [`io`](fn@crate::io).
    Io,
    /// The wait for work that another thread does: [`compute`](fn@crate::compute).
    Compute,
    /// The wait for something to read, at a descriptor of `csp::net`.
    Receive,
    /// The wait for room to write, at a descriptor of `csp::net`.
    Transmit,
    /// The wait for a connection, at a listener of `csp::net`.
    Accept,
    /// The wait for a connection to be made, at a stream of `csp::net`.
    Connect,
    /// The wait for a deadline.
    Timeout,
    /// The guard `skip`.
    Skip,
    /// The wait for a future that is not of this library, in an `async` process.
    Await,
}

/// The processes and channels of this program, each as it was when it was looked at: see
/// [`network`](crate::network()).
///
/// `Display` gives text of 80 columns. [`dot`](Self::dot) and [`mermaid`](Self::mermaid) give a
/// graph, and [`json`](Self::json) everything for other programs.
/// ```
#[doc = clerk_waits!()]
/// // A process waits for a value from the channel `orders`.
/// let text = network.to_string();
/// assert!(text.contains("clerk: blocked at") && text.contains("read from `orders`"));
/// assert!(network.mermaid().starts_with("flowchart"));
#[doc = clerk_goes_on!()]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelState(pub(crate) Thing);

/// One process in a [`Network`].
///
/// ```
#[doc = clerk_waits!()]
/// assert!(process.path().ends_with("/clerk") && !process.is_daemon());
/// assert!(matches!(process.state(), State::Blocked(_)));
#[doc = clerk_goes_on!()]
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessState {
    /// `None`: some that have not started.
    pub(crate) who: Option<Who>,
    pub(crate) path: String,
    pub(crate) state: State,
    pub(crate) daemon: bool,
    /// See `leaks`.
    pub(crate) scope: u32,
    /// `None`: it is on no scheduler that shares work with others.
    pub(crate) scheduler: Option<usize>,
    /// It goes on in another OS process, and this is its stand-in.
    pub(crate) elsewhere: bool,
}

/// The state of a process in a [`Network`].
/// ```
#[doc = clerk_waits!()]
/// let blocked = network.processes().iter().filter(|p| matches!(p.state(), State::Blocked(_)));
/// assert!(blocked.count() >= 1);
#[doc = clerk_goes_on!()]
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It was running.
    Running,
    /// It could run, and waited for its turn.
    Ready,
    /// It has not started, and neither have `others` more of the same name after it.
    NotStarted {
        /// The number of those after it.
        others: usize,
    },
    /// It was blocked.
    Blocked(Wait),
    /// It could not be looked at: its thread was busy with another process.
    Unseen,
    /// It is in another OS process, on this machine or another, which did not answer in time.
    Unanswered,
}

/// The wait of a blocked process.
/// ```
#[doc = clerk_waits!()]
/// let State::Blocked(wait) = process.state() else { panic!("it was running") };
/// assert!(!wait.is_alternation() && wait.left().is_none());
/// println!("it waits at {}", wait.place());
#[doc = clerk_goes_on!()]
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    pub(crate) place: Place,
    pub(crate) alternation: bool,
    pub(crate) left: Option<Duration>,
    pub(crate) wants: Vec<Wanted>,
}

/// One thing that a blocked process waited for. An alternation has several.
/// ```
#[doc = clerk_waits!()]
/// # let State::Blocked(wait) = process.state() else { panic!("it was running") };
/// let [want] = wait.wants() else { panic!("it waits for one thing") };
/// assert_eq!((want.operation(), want.name()), (Operation::Read, Some("orders")));
/// assert_eq!(want.kind(), Some("Channel<u32>"));
#[doc = clerk_goes_on!()]
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub(crate) operation: Operation,
    pub(crate) object: Option<Thing>,
}

/// A channel, barrier or other object, as a report knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thing {
    /// Tells it from the other objects of the same report.
    pub(crate) address: usize,
    pub(crate) kind: String,
    pub(crate) name: Option<String>,
    pub(crate) birth: Place,
    pub(crate) holders: Vec<HolderName>,
    pub(crate) fill: Option<Fill>,
    pub(crate) retirement: Option<Retirement>,
    /// Its name in all OS processes, if it is a channel that several can reach.
    pub(crate) shared: Option<(u64, u64)>,
}

/// The holder of an end, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HolderName {
    pub(crate) who: Who,
    pub(crate) path: String,
    /// `reader`
    pub(crate) what: &'static str,
    /// It cannot have left the process.
    pub(crate) sure: bool,
}

/// The contents of a channel, and its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fill {
    pub(crate) capacity: usize,
    pub(crate) values: usize,
    pub(crate) readers: usize,
    pub(crate) writers: usize,
    pub(crate) handles: usize,
    /// Other OS processes may have ends of it, too. The counts are those of this one.
    pub(crate) away: bool,
}

impl Network {
    /// Returns the processes, by path.
    pub fn processes(&self) -> &[ProcessState] {
        &self.processes
    }

    /// Returns all channels that existed, by the place where they were made.
    pub fn channels(&self) -> &[ChannelState] {
        &self.channels
    }

    /// Forgets the schedulers if all processes are on the same one.
    pub(crate) fn forget_one_scheduler(&mut self) {
        let mut numbers = self.processes.iter().filter_map(|process| process.scheduler);
        let first = numbers.next();
        if numbers.all(|number| Some(number) == first) {
            self.processes.iter_mut().for_each(|process| process.scheduler = None);
        }
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
    /// Returns the name it was given.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Returns its kind: `Channel<u32>`.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// Returns the place where it was made.
    pub fn birth(&self) -> Place {
        self.0.birth
    }

    /// Returns how many values it has room for. 0: a rendezvous.
    pub fn capacity(&self) -> usize {
        self.fill().capacity
    }

    /// Returns how many values are in its buffer.
    pub fn values(&self) -> usize {
        self.fill().values
    }

    /// Returns how many reading ends it has.
    pub fn readers(&self) -> usize {
        self.fill().readers
    }

    /// Returns how many writing ends it has.
    pub fn writers(&self) -> usize {
        self.fill().writers
    }

    /// Returns how many handles exist from which ends can be made.
    pub fn handles(&self) -> usize {
        self.fill().handles
    }

    /// Returns the processes that hold reading ends, as far as they are known.
    pub fn reading(&self) -> impl Iterator<Item = &str> {
        self.holding("reader")
    }

    /// Returns the processes that hold writing ends, as far as they are known.
    pub fn writing(&self) -> impl Iterator<Item = &str> {
        self.holding("writer")
    }

    /// Returns how it retired, if it has. Only debug builds tell.
    pub fn retirement(&self) -> Option<&Retirement> {
        self.0.retirement.as_ref()
    }

    fn holding(&self, what: &'static str) -> impl Iterator<Item = &str> {
        self.0.holders.iter().filter(move |holder| holder.what == what).map(|holder| &*holder.path)
    }

    pub(super) fn fill(&self) -> Fill {
        self.0.fill.expect("a channel tells what is in it")
    }
}

/// Sorts `worker[10]` after `worker[9]`.
fn natural(path: &str) -> impl Iterator<Item = (&str, usize)> {
    path.split_inclusive('[').map(|part| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        (&part[digits..], part[..digits].parse().unwrap_or(0))
    })
}

impl ProcessState {
    /// Returns its path, as in `main/worker[3]`. It is shortened as
    /// [`Current::path`](crate::Current::path) is.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns what it was doing.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Returns whether it keeps nothing alive.
    pub fn is_daemon(&self) -> bool {
        self.daemon
    }

    /// Returns the number of its scheduler, if the network is on several: see the [guide](crate::guide::cores).
    ///
    /// Schedulers have numbers from 0. Each has a thread of its own. A process on a thread of its own has no scheduler.
    pub fn scheduler(&self) -> Option<usize> {
        self.scheduler
    }

    pub(crate) fn wants(&self) -> &[Wanted] {
        match &self.state {
            State::Blocked(wait) => &wait.wants,
            _ => &[],
        }
    }
}

impl Wait {
    /// Returns the place in the code where the process was blocked.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Returns whether it was in an alternation.
    pub fn is_alternation(&self) -> bool {
        self.alternation
    }

    /// Returns the time until its deadline, if it had one.
    pub fn left(&self) -> Option<Duration> {
        self.left
    }

    /// Returns the things it waited for: the guards of the alternation, or the one operation.
    pub fn wants(&self) -> &[Wanted] {
        &self.wants
    }
}

impl Wanted {
    /// Returns the operation, or guard.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Returns the name of the channel, or the path of the process, that it is about.
    pub fn name(&self) -> Option<&str> {
        self.object.as_ref()?.name.as_deref()
    }

    /// Returns the kind of that: `Channel<u32>`.
    pub fn kind(&self) -> Option<&str> {
        Some(&self.object.as_ref()?.kind)
    }

    /// Returns the place where that was made.
    pub fn birth(&self) -> Option<Place> {
        Some(self.object.as_ref()?.birth)
    }

    /// Returns the processes that could have ended the wait, as far as they are known. They have
    /// the other end of the channel, or are enrolled at the barrier.
    pub fn holders(&self) -> impl Iterator<Item = &str> {
        self.others().into_iter().map(|holder| &*holder.path)
    }

    pub(crate) fn address(&self) -> Option<usize> {
        Some(self.object.as_ref()?.address)
    }

    pub(super) fn others(&self) -> Vec<&HolderName> {
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

impl Operation {
    /// Returns whether it waits for a descriptor, which goes by its name alone.
    pub(crate) fn is_of_descriptor(self) -> bool {
        matches!(self, Self::Receive | Self::Transmit | Self::Accept | Self::Connect)
    }

    /// Returns whether the object at which it waits can turn it away.
    pub(crate) fn can_be_broken_off(self, joins: bool) -> bool {
        match self {
            Self::Join => joins,
            Self::Read | Self::Write | Self::Retirement | Self::Sync | Self::FallIn => true,
            // The other process has agreed and will come.
            Self::Handover | Self::Release => false,
            Self::Receive | Self::Transmit | Self::Accept | Self::Connect => false,
            Self::JoinAll | Self::Io | Self::Compute | Self::Timeout | Self::Skip | Self::Await => {
                false
            }
        }
    }
}
