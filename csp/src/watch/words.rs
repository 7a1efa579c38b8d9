//! The live network, put into words.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::registry;
use crate::report::id::Who;
use crate::report::{ChannelState, HolderName, Network, ProcessState, State, Thing, Wait, Wanted};
use crate::wait::blocked::{Object, Want};
use crate::wait::lineage::{Identity, Named};
use crate::wait::seen::agents;
use crate::wait::seen::holders::Held;
use crate::wait::seen::observe::{Activity, Observer, Subject};
use crate::wait::seen::others;

/// Looks at all processes of this program: coroutines, threads, and plain threads that have used this library. It also
/// looks at all its channels.
///
/// Each is looked at while it can't change its state, but they are looked at one after the other. It takes
/// well under a millisecond, or a tenth of a second more for each thread that is kept busy by a process. Any
/// thread may ask, at any time: a watchdog, or a process.
///
/// # Other OS processes
///
/// The processes of all OS processes that this one has started are shown, too, on this machine and on other hosts. So are those
/// that these have started. Each has its path: `main/worker[3]@node1`. So the program itself sees all. An OS process that it has started sees
/// itself and those that it has started. A channel of several OS processes is shown once, with the ends that all of them have. The values that wait in the buffer of such a
/// channel, and the schedulers of other OS processes, are not shown. At most 16,384 processes and as many channels of each other OS process
/// are shown. The snapshots of all are not of one moment. So a process that is about to start or to end in another OS process may be
/// there twice, and a value on its way is in no channel.
///
/// The calling thread waits for the others for five seconds at most. A process in an OS process that has not answered by then is
/// [`Unanswered`](crate::report::State::Unanswered): it was stopped, is not reached, or is very busy. An `async` process that
/// may not keep its executor waiting calls `io_async(network)`.
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
#[must_use]
pub fn network() -> Network {
    // The others look while this one does.
    let asked = others::waves().and_then(|waves| Some((waves, waves.look()?)));
    let here = here();
    match asked {
        Some((waves, number)) => here.joined(waves.seen(number, LIMIT)),
        None => here,
    }
}

/// Looks at the processes and channels of this OS process only.
pub(crate) fn here() -> Network {
    let mut words = agents::survey(Words { shows_schedulers: true, ..Words::default() });
    words.channels();
    let mut network = words.finish();
    network.forget_one_scheduler();
    network
}

/// How long other OS processes may take to answer. One that is stopped never does.
const LIMIT: Duration = Duration::from_secs(5);

/// For people.
#[derive(Default)]
pub(crate) struct Words {
    /// Only processes of this scope, or of none, that keep a network alive.
    only: Option<u32>,
    processes: Vec<ProcessState>,
    channels: Vec<ChannelState>,
    /// Reports of deadlocks and of what is left behind do not, because a program has the same reports on any number of cores.
    shows_schedulers: bool,
    /// The scheduler of the processes that are shown now, if it has a number.
    scheduler: Option<usize>,
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
            let holders = object.holders().into_iter();
            holders.map(|holder| (holder.who, name_of(holder.what), holder.sure)).collect()
        });
        Thing {
            address,
            kind: object.kind(),
            name: object.name(),
            birth: object.birth(),
            holders: Vec::new(),
            fill: object.fill(),
            retirement: object.retirement(),
            shared: object.away(),
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

    /// Returns the network as it was seen.
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

pub(crate) fn name_of(what: Held) -> &'static str {
    match what {
        Held::Reader => "reader",
        Held::Writer => "writer",
        Held::Handle => "handle",
        Held::Barrier => "barrier",
    }
}

impl Observer for Words {
    fn agent(&mut self, _: usize, number: Option<usize>) {
        self.scheduler = number.filter(|_| self.shows_schedulers);
    }

    fn process(&mut self, process: Subject<'_>, activity: Activity<'_>) {
        if process.is_hidden() {
            return;
        }
        let elsewhere = match activity {
            Activity::Blocked { why, .. } => why.elsewhere(),
            _ => None,
        };
        let is_blocked = matches!(activity, Activity::Blocked { .. }) && elsewhere.is_none();
        // Its identity, if this report wants it.
        let identity = process.shown(|identity| {
            let of = &identity.of;
            let shown = || (identity.who(), of.path(identity.index), of.is_daemon(), of.scope());
            self.is_wanted(&**of, is_blocked).then(shown)
        });
        let Some((who, mut path, daemon, scope)) = identity.flatten() else { return };
        path.push_str(elsewhere.unwrap_or_default());
        // Its state. A process that goes on in another OS process counts as running.
        let state = match activity {
            Activity::Running => State::Running,
            Activity::Blocked { .. } if elsewhere.is_some() => State::Running,
            Activity::Ready => State::Ready,
            Activity::Unseen => State::Unseen,
            Activity::Blocked { why, deadline } => {
                let mut wants = Vec::new();
                why.wants(&mut |want| wants.push(self.wanted(want)));
                State::Blocked(Wait {
                    place: why.place().into(),
                    alternation: why.chooses(),
                    left: deadline
                        .map(|deadline| deadline.saturating_duration_since(Instant::now())),
                    wants,
                })
            }
        };
        let (who, scheduler) = (Some(who), self.scheduler);
        let elsewhere = elsewhere.is_some();
        self.processes.push(ProcessState { who, path, state, daemon, scope, scheduler, elsewhere });
    }

    fn unstarted(&mut self, first: &Identity, count: usize) {
        if !self.is_wanted(&*first.of, false) {
            return;
        }
        let path = first.of.path(first.index);
        let (state, daemon) = (State::NotStarted { others: count - 1 }, first.of.is_daemon());
        let (scope, scheduler) = (first.of.scope(), self.scheduler);
        self.processes.push(ProcessState {
            who: None,
            path,
            state,
            daemon,
            scope,
            scheduler,
            elsewhere: false,
        });
    }
}
