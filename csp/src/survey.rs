//! Looking at the live network: once for people, in words, and once for the verdict, in numbers.

use std::collections::HashMap;
use std::time::Instant;

use crate::backend;
use crate::blocked::Want;
use crate::holders::{Held, Who};
use crate::park::{Activity, Context, Identity, Observer};
use crate::report::{HolderName, Network, ProcessState, State, Thing, Wait, Wanted};
use crate::verdict::{Evidence, Known};

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
    backend::survey(Words::default()).finish()
}

/// For people.
#[derive(Default)]
pub(crate) struct Words {
    processes: Vec<ProcessState>,
    holders: HashMap<usize, Vec<(Who, &'static str, bool)>>,
}

impl Words {
    fn wanted(&mut self, want: Want<'_>) -> Wanted {
        let object = want.object.map(|object| {
            let address = object.address();
            self.holders.entry(address).or_insert_with(|| {
                let holders = object.needs().into_holders().into_iter();
                holders.map(|holder| (holder.who, name_of(holder.what), holder.sure)).collect()
            });
            Thing {
                address,
                kind: object.kind(),
                name: object.name(),
                birth: object.birth(),
                holders: Vec::new(),
                fill: object.fill(),
            }
        });
        Wanted { operation: want.operation, object }
    }

    /// The network as it was seen.
    pub(crate) fn finish(self) -> Network {
        let named = self.processes.iter();
        let named = named.filter_map(|process| Some((process.who?, process.path.clone())));
        let paths: HashMap<Who, String> = named.collect();
        let name = |&(who, what, sure): &(Who, &'static str, bool)| {
            let path = paths.get(&who);
            // One that was last known with a process that has ended since is anywhere.
            path.map(|path| HolderName { who, path: path.clone(), what, sure })
        };
        let holders: HashMap<usize, Vec<HolderName>> = self
            .holders
            .iter()
            .map(|(&address, holders)| (address, holders.iter().filter_map(name).collect()))
            .collect();
        let mut processes = self.processes;
        for process in &mut processes {
            let State::Blocked(wait) = &mut process.state else { continue };
            for thing in wait.wants.iter_mut().filter_map(|want| want.object.as_mut()) {
                thing.holders = holders.get(&thing.address).cloned().unwrap_or_default();
            }
        }
        let mut network = Network { processes };
        network.sort();
        network
    }
}

pub(crate) fn name_of(what: Held) -> &'static str {
    match what {
        Held::Reader => "reader",
        Held::Writer => "writer",
        Held::Handle => "handle",
        Held::Barrier => "barrier",
    }
}

impl Observer for Words {
    fn agent(&mut self, _: usize) {}

    fn process(&mut self, context: &'static Context, activity: Activity<'_>) {
        let identity = context.shown(|identity| {
            (identity.who(), identity.of.path(identity.index), identity.of.is_daemon())
        });
        let Some((who, path, daemon)) = identity else { return };
        let state = match activity {
            Activity::Running => State::Running,
            Activity::Ready => State::Ready,
            Activity::Unseen => State::Unseen,
            Activity::Blocked { why, deadline } => {
                let mut wants = Vec::new();
                why.wants(&mut |want| wants.push(self.wanted(want)));
                State::Blocked(Wait {
                    place: why.place(),
                    alternation: why.chooses(),
                    left: deadline
                        .map(|deadline| deadline.saturating_duration_since(Instant::now())),
                    wants,
                })
            }
        };
        self.processes.push(ProcessState { who: Some(who), path, state, daemon });
    }

    fn unstarted(&mut self, first: &Identity, count: usize) {
        let path = first.of.path(first.index);
        let (state, daemon) = (State::NotStarted { others: count - 1 }, first.of.is_daemon());
        self.processes.push(ProcessState { who: None, path, state, daemon });
    }
}

/// For the verdict.
#[derive(Default)]
pub(crate) struct Numbers {
    pub(crate) evidence: Evidence,
    agent: usize,
    /// Some that have not started.
    pub(crate) unstarted: bool,
}

impl Observer for Numbers {
    fn agent(&mut self, agent: usize) {
        self.agent = agent;
    }

    fn process(&mut self, context: &'static Context, activity: Activity<'_>) {
        let identity = context
            .shown(|identity| (identity.who(), identity.of.group(), identity.of.is_daemon()));
        let Some((who, group, daemon)) = identity else { return };
        let waits = match activity {
            Activity::Blocked { why, deadline: None } => {
                let mut waits = Vec::new();
                why.wants(&mut |want| {
                    let address = want.object.map(|object| {
                        let address = object.address();
                        let objects = &mut self.evidence.objects;
                        objects.entry(address).or_insert_with(|| object.needs());
                        address
                    });
                    waits.push((want.operation, address));
                });
                Some(waits)
            }
            _ => None,
        };
        let context = std::ptr::from_ref(context).addr();
        let agent = self.agent;
        self.evidence.processes.push(Known { who, group, daemon, agent, context, waits });
    }

    fn unstarted(&mut self, _: &Identity, _: usize) {
        self.unstarted = true;
    }
}

/// For both.
#[derive(Default)]
pub(crate) struct Both {
    pub(crate) words: Words,
    pub(crate) numbers: Numbers,
}

impl Observer for Both {
    fn agent(&mut self, agent: usize) {
        self.numbers.agent(agent);
    }

    fn process(&mut self, context: &'static Context, activity: Activity<'_>) {
        self.words.process(context, activity);
        self.numbers.process(context, activity);
    }

    fn unstarted(&mut self, first: &Identity, count: usize) {
        self.words.unstarted(first, count);
        self.numbers.unstarted(first, count);
    }
}
