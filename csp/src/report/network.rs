//! A snapshot of the live network: who there is, and what each is doing.

use std::fmt::{self, Write as _};
use std::panic::Location;
use std::time::{Duration, Instant};

use crate::backend;
use crate::blocked::{Operation, Want};
use crate::park::{Activity, Context, Identity, Observer};

/// The processes of this program, each as it was when it was looked at: see [`network`].
///
/// `Display` gives text of 80 columns, [`dot`](Self::dot) and [`mermaid`](Self::mermaid) a graph.
#[derive(Clone, Debug)]
pub struct Network {
    processes: Vec<ProcessState>,
}

/// One process in a [`Network`].
#[derive(Clone, Debug)]
pub struct ProcessState {
    path: String,
    state: State,
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
    place: &'static Location<'static>,
    alternation: bool,
    left: Option<Duration>,
    wants: Vec<Wanted>,
}

/// One thing that a blocked process waited for; several in an alternation.
#[derive(Clone, Debug)]
pub struct Wanted {
    operation: Operation,
    object: Option<Thing>,
}

/// A channel, barrier or whatever else, as a report knows it.
#[derive(Clone, Debug)]
struct Thing {
    address: usize,
    kind: String,
    name: Option<String>,
    birth: &'static Location<'static>,
}

/// Looks at all processes of this program: coroutines, threads, and plain threads that have used this library.
///
/// Each is looked at while it can't change what it does, but they are looked at one after the other. It takes
/// well under a millisecond, or a tenth of a second more for each thread that is kept busy by a process.
/// Any thread may ask, at any time: a watchdog, or a process.
///
/// ```
/// use csp::{process, Channel, Reader};
///
/// #[process]
/// fn waits(input: Reader<u32>) -> csp::Result<u32> {
///     input.read()
/// }
///
/// let orders = Channel::new().named("orders");
/// let writer = orders.writer();
/// let waits = csp::spawn(waits(orders.reader()));
/// # csp::sleep(std::time::Duration::from_millis(10));
/// println!("{}", csp::network());
/// # assert!(csp::network().to_string().contains("read from `orders`"));
/// writer.write(1)?;
/// assert_eq!(waits.join(), Ok(1));
/// # Ok::<(), csp::WriteError<u32>>(())
/// ```
pub fn network() -> Network {
    let mut network = backend::survey(Network { processes: Vec::new() });
    network.processes.sort_by(|a, b| natural(&a.path).cmp(natural(&b.path)));
    network
}

/// `worker[10]` comes after `worker[9]`.
fn natural(path: &str) -> impl Iterator<Item = (&str, usize)> {
    path.split_inclusive('[').map(|part| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        (&part[digits..], part[..digits].parse().unwrap_or(0))
    })
}

impl Observer for Network {
    fn process(&mut self, context: &'static Context, activity: Activity<'_>) {
        let Some(path) = context.shown(|identity| identity.of.path(identity.index)) else { return };
        let state = match activity {
            Activity::Running => State::Running,
            Activity::Ready => State::Ready,
            Activity::Unseen => State::Unseen,
            Activity::Blocked { why, deadline } => {
                let mut wants = Vec::new();
                why.wants(&mut |want| wants.push(Wanted::new(want)));
                State::Blocked(Wait {
                    place: why.place(),
                    alternation: why.chooses(),
                    left: deadline
                        .map(|deadline| deadline.saturating_duration_since(Instant::now())),
                    wants,
                })
            }
        };
        self.processes.push(ProcessState { path, state });
    }

    fn unstarted(&mut self, first: &Identity, count: usize) {
        let path = first.of.path(first.index);
        self.processes.push(ProcessState { path, state: State::NotStarted { others: count - 1 } });
    }
}

impl Network {
    /// The processes, by path.
    pub fn processes(&self) -> &[ProcessState] {
        &self.processes
    }

    /// The network as a graph in the language of Graphviz: processes in boxes, arrows the way values go, and from
    /// who waits.
    pub fn dot(&self) -> String {
        let mut dot = String::from("digraph network {\n    rankdir=LR;\n");
        for (number, process) in self.processes.iter().enumerate() {
            let color = if matches!(process.state, State::Blocked(_)) { "red" } else { "black" };
            let label = escaped(&process.path);
            let _ = writeln!(dot, "    p{number} [shape=box, color={color}, label=\"{label}\"];");
        }
        for (number, thing) in self.things().iter().enumerate() {
            let _ = writeln!(
                dot,
                "    t{number} [shape=ellipse, label=\"{}\"];",
                escaped(&thing.short())
            );
        }
        for (process, thing, operation) in self.edges() {
            let label = format!("[label=\"{operation}\"]");
            let _ = match operation {
                Operation::Read | Operation::Handover => {
                    writeln!(dot, "    t{thing} -> p{process} {label};")
                }
                _ => writeln!(dot, "    p{process} -> t{thing} {label};"),
            };
        }
        dot + "}\n"
    }

    /// The same graph in the language of Mermaid.
    pub fn mermaid(&self) -> String {
        let mut mermaid = String::from("flowchart LR\n");
        for (number, process) in self.processes.iter().enumerate() {
            let _ = writeln!(mermaid, "    p{number}[\"{}\"]", process.path.replace('"', "'"));
        }
        for (number, thing) in self.things().iter().enumerate() {
            let _ = writeln!(mermaid, "    t{number}([\"{}\"])", thing.short().replace('"', "'"));
        }
        for (process, thing, operation) in self.edges() {
            let _ = match operation {
                Operation::Read | Operation::Handover => {
                    writeln!(mermaid, "    t{thing} -->|{operation}| p{process}")
                }
                _ => writeln!(mermaid, "    p{process} -->|{operation}| t{thing}"),
            };
        }
        mermaid
    }

    fn things(&self) -> Vec<&Thing> {
        let mut things: Vec<_> =
            self.wants().filter_map(|(_, want)| want.object.as_ref()).collect();
        things.sort_by_key(|thing| thing.address);
        things.dedup_by_key(|thing| thing.address);
        things
    }

    fn edges(&self) -> impl Iterator<Item = (usize, usize, Operation)> {
        let things = self.things();
        self.wants().filter_map(move |(process, want)| {
            let address = want.object.as_ref()?.address;
            let thing = things.binary_search_by_key(&address, |thing| thing.address).ok()?;
            Some((process, thing, want.operation))
        })
    }

    fn wants(&self) -> impl Iterator<Item = (usize, &Wanted)> {
        self.processes.iter().enumerate().flat_map(|(number, process)| {
            let wait = match &process.state {
                State::Blocked(wait) => &wait.wants[..],
                _ => &[],
            };
            wait.iter().map(move |want| (number, want))
        })
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"")
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
    fn new(want: Want<'_>) -> Self {
        let object = want.object.map(|object| Thing {
            address: object.address(),
            kind: object.kind(),
            name: object.name(),
            birth: object.birth(),
        });
        Self { operation: want.operation, object }
    }

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
}

impl Thing {
    fn short(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => format!("{} {}", self.kind, self.birth),
        }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "`{name}`, {} of {}", self.kind, self.birth),
            None => write!(f, "{} of {}", self.kind, self.birth),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.object {
            Some(thing) => write!(f, "{} {thing}", self.operation),
            None => self.operation.fmt(f),
        }
    }
}

impl fmt::Display for ProcessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.state {
            State::Running => write!(f, "{path}: running"),
            State::Ready => write!(f, "{path}: ready to run"),
            State::Unseen => write!(f, "{path}: waits while its thread is busy with another"),
            State::NotStarted { others: 0 } => write!(f, "{path}: not started"),
            State::NotStarted { others } => {
                write!(f, "{path}: not started, and neither are {others} after it")
            }
            State::Blocked(wait) => {
                write!(f, "{path}: blocked at {}", wait.place)?;
                if let Some(left) = wait.left {
                    write!(f, ", for {left:.1?} more at most")?;
                }
                wait.wants.iter().try_for_each(|want| write!(f, "\n    {want}"))
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocked = self.processes.iter().filter(|p| matches!(p.state, State::Blocked(_)));
        let (all, blocked) = (self.processes.len(), blocked.count());
        writeln!(f, "network: {all} processes, {blocked} of them blocked")?;
        self.processes.iter().try_for_each(|process| writeln!(f, "{process}"))
    }
}
