//! Looking at the live network: once for people, in words, and once for the verdict, in numbers.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::backend;
use crate::blocked::{Needs, Object, Want};
use crate::holders::{Held, Who};
use crate::park::{Activity, Identity, Named, Observer, Subject};
use crate::registry;
use crate::report::{ChannelState, HolderName, Network, ProcessState, State, Thing, Wait, Wanted};
use crate::sketch::{self, Sketch};
use crate::verdict::{Evidence, Known};

/// Looks at all processes of this program, coroutines, threads, and plain threads that have used this library; and at all
/// its channels.
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
/// # while !csp::network().to_string().contains("read from `orders`") {
/// #     csp::sleep(std::time::Duration::from_millis(1));
/// # }
/// println!("{}", csp::network());
/// writer.write(1)?;
/// assert_eq!(waits.join(), Ok(1));
/// # Ok::<(), csp::WriteError<u32>>(())
/// ```
pub fn network() -> Network {
    let mut words = backend::survey(Words::default());
    words.channels();
    words.finish()
}

/// For people.
#[derive(Default)]
pub(crate) struct Words {
    /// Only processes of this scope, or of none, that keep a network alive.
    only: Option<u32>,
    processes: Vec<ProcessState>,
    channels: Vec<ChannelState>,
    holders: HashMap<usize, Vec<(Who, &'static str, bool)>>,
}

impl Words {
    fn wanted(&mut self, want: Want<'_>) -> Wanted {
        let object = want.object.map(|object| self.thing(object));
        Wanted { operation: want.operation, object }
    }

    fn thing(&mut self, object: &dyn Object) -> Thing {
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
    }

    pub(crate) fn only(&mut self, scope: u32) {
        self.only = Some(scope);
    }

    fn is_wanted(&self, of: &dyn Named, is_blocked: bool) -> bool {
        let Some(scope) = self.only else { return true };
        let is_mine = of.scope() == scope || of.scope() == 0;
        is_mine && !of.is_background() && (is_blocked || !of.is_thread())
    }

    /// Looks at all channels, too.
    fn channels(&mut self) {
        registry::each(|channel, _| {
            let thing = self.thing(channel);
            self.channels.push(ChannelState(thing));
        });
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
        let find = |thing: &mut Thing| {
            thing.holders = holders.get(&thing.address).cloned().unwrap_or_default();
        };
        let (mut processes, mut channels) = (self.processes, self.channels);
        for process in &mut processes {
            let State::Blocked(wait) = &mut process.state else { continue };
            wait.wants.iter_mut().filter_map(|want| want.object.as_mut()).for_each(find);
        }
        channels.iter_mut().for_each(|ChannelState(thing)| find(thing));
        let mut network = Network { processes, channels };
        network.sort();
        network
    }
}

/// Who is alive, in few words: for one that can't be started.
pub(crate) fn census() -> String {
    /// It is good for so long, for thousands may ask at once.
    const PERIOD: Duration = Duration::from_secs(1);
    static LAST: Mutex<Option<(Instant, String)>> = Mutex::new(None);
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((_, text)) = last.filter(|(when, _)| when.elapsed() < PERIOD) {
        return text;
    }
    let text = backend::survey(Census::default()).to_string();
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), text.clone()));
    text
}

/// How many there are of each job.
#[derive(Default)]
struct Census(HashMap<usize, (String, usize)>);

impl Observer for Census {
    fn agent(&mut self, _: usize) {}

    fn process(&mut self, process: Subject<'_>, _: Activity<'_>) {
        let _ = process.shown(|identity| {
            let Identity { of, index } = identity;
            let path = || (of.path(*index), 0);
            self.0.entry(identity.who().job).or_insert_with(path).1 += 1;
        });
    }

    fn unstarted(&mut self, _: &Identity, _: usize) {}
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        let mut jobs: Vec<_> = self.0.values().collect();
        jobs.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let all: usize = jobs.iter().map(|(_, count)| count).sum();
        write!(f, "{all} are alive: ")?;
        for (number, (path, count)) in jobs.iter().take(SHOWN).enumerate() {
            f.write_str(if number > 0 { ", " } else { "" })?;
            match count {
                1 => f.write_str(path)?,
                _ => write!(f, "{count} like {path}")?,
            }
        }
        f.write_str(if jobs.len() > SHOWN { ", …" } else { "" })
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

    fn process(&mut self, process: Subject<'_>, activity: Activity<'_>) {
        if process.is_hidden() {
            return;
        }
        let is_blocked = matches!(activity, Activity::Blocked { why, .. } if !why.is_elsewhere());
        let identity = process.shown(|identity| {
            let of = &identity.of;
            let shown = || (identity.who(), of.path(identity.index), of.is_daemon(), of.scope());
            self.is_wanted(&**of, is_blocked).then(shown)
        });
        let Some((who, path, daemon, scope)) = identity.flatten() else { return };
        let state = match activity {
            Activity::Running => State::Running,
            Activity::Blocked { why, .. } if why.is_elsewhere() => State::Running,
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
        self.processes.push(ProcessState { who: Some(who), path, state, daemon, scope });
    }

    fn unstarted(&mut self, first: &Identity, count: usize) {
        if !self.is_wanted(&*first.of, false) {
            return;
        }
        let path = first.of.path(first.index);
        let (state, daemon) = (State::NotStarted { others: count - 1 }, first.of.is_daemon());
        let scope = first.of.scope();
        self.processes.push(ProcessState { who: None, path, state, daemon, scope });
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

    fn process(&mut self, process: Subject<'_>, activity: Activity<'_>) {
        let Some((who, group, daemon)) = process.known() else { return };
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
        let context = process.address();
        let agent = self.agent;
        self.evidence.processes.push(Known { who, group, daemon, agent, context, waits });
    }

    fn unstarted(&mut self, _: &Identity, _: usize) {
        self.unstarted = true;
    }
}

/// For a first look: whether there are any who may be dead.
#[derive(Default)]
pub(crate) struct Glance {
    sketch: Sketch,
    objects: HashMap<usize, Needs>,
    /// Some that have not started.
    pub(crate) unstarted: bool,
    waits: Vec<sketch::Wait>,
    last: Option<usize>,
}

impl Glance {
    /// The same as long as nothing changes.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.sketch.fingerprint
    }

    /// `quiet`: nobody is awake, and there are no strangers.
    pub(crate) fn finds_dead(&mut self, quiet: bool) -> bool {
        match quiet {
            // Nothing can wake them.
            true => self.sketch.all_are_blocked() && self.sketch.matters(),
            false => self.sketch.has_dead(&self.objects),
        }
    }

    /// Whether nobody here can go on by himself.
    pub(crate) fn all_are_blocked(&self) -> bool {
        !self.unstarted && self.sketch.all_are_blocked()
    }

    /// Whether some are no daemons.
    pub(crate) fn matters(&self) -> bool {
        self.sketch.matters()
    }
}

impl Observer for Glance {
    fn agent(&mut self, _: usize) {}

    fn process(&mut self, process: Subject<'_>, activity: Activity<'_>) {
        let Some((who, group, daemon)) = process.known() else { return };
        self.waits.clear();
        let is_blocked = match activity {
            Activity::Blocked { why, deadline: None } => {
                why.wants(&mut |want| {
                    let address = want.object.map(|object| {
                        let address = object.address();
                        if self.last != Some(address) {
                            self.objects.entry(address).or_insert_with(|| object.needs());
                            self.last = Some(address);
                        }
                        address
                    });
                    self.waits.push((want.operation, address));
                });
                true
            }
            _ => false,
        };
        self.sketch.add(who, group, daemon, is_blocked.then_some(&self.waits[..]));
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

    fn process(&mut self, process: Subject<'_>, activity: Activity<'_>) {
        self.words.process(process, activity);
        self.numbers.process(process, activity);
    }

    fn unstarted(&mut self, first: &Identity, count: usize) {
        self.words.unstarted(first, count);
        self.numbers.unstarted(first, count);
    }
}
