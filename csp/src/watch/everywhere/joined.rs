//! The network of several OS processes, joined from what was seen in each.
//!
//! Addresses have a meaning in one OS process only. So what was seen elsewhere gets numbers that are no addresses. A channel that
//! several OS processes can reach has one name in all of them, and becomes one channel.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::report::id::Who;
use crate::report::{ChannelState, HolderName, Network, ProcessState, State, Thing};
use crate::wait::seen::others::SeenElsewhere;

/// Gives numbers to all that was seen elsewhere.
#[derive(Default)]
struct Renumbered {
    used: usize,
    shared: HashMap<(u64, u64), usize>,
    things: HashMap<usize, usize>,
    processes: HashMap<Who, Who>,
}

impl Renumbered {
    /// Returns a number that is nobody's address.
    fn draw(used: &mut usize) -> usize {
        *used += 1;
        usize::MAX - *used
    }

    fn thing(&mut self, thing: &mut Thing, is_here: bool) {
        let Self { used, shared, things, .. } = self;
        let here = thing.address;
        thing.address = match thing.shared {
            Some(name) => *shared.entry(name).or_insert_with(|| match is_here {
                true => here,
                false => Self::draw(used),
            }),
            None if is_here => here,
            None => *things.entry(here).or_insert_with(|| Self::draw(used)),
        };
        if !is_here {
            thing.holders.iter_mut().for_each(|holder| holder.who = self.process(holder.who));
        }
    }

    fn process(&mut self, who: Who) -> Who {
        let Self { used, processes, .. } = self;
        *processes.entry(who).or_insert_with(|| Who { job: Self::draw(used), index: 0 })
    }

    /// Renumbers one network.
    fn network(&mut self, network: &mut Network, is_here: bool) {
        self.things.clear();
        self.processes.clear();
        for process in &mut network.processes {
            process.who = process.who.map(|who| if is_here { who } else { self.process(who) });
            process.wanted_mut().for_each(|thing| self.thing(thing, is_here));
        }
        network.channels.iter_mut().for_each(|ChannelState(thing)| self.thing(thing, is_here));
    }
}

impl ProcessState {
    fn wanted_mut(&mut self) -> impl Iterator<Item = &mut Thing> {
        let wants = match &mut self.state {
            State::Blocked(wait) => &mut wait.wants[..],
            _ => &mut [],
        };
        wants.iter_mut().filter_map(|want| want.object.as_mut())
    }
}

impl Thing {
    /// Adds what another OS process knows of the same channel.
    fn add(&mut self, other: Self) {
        let Self { name, holders, fill, retirement, .. } = self;
        *name = name.take().or(other.name);
        *retirement = retirement.take().or(other.retirement);
        holders.extend(other.holders);
        if let (Some(fill), Some(other)) = (fill, other.fill) {
            fill.capacity = fill.capacity.max(other.capacity);
            // Another OS process may say any number.
            for (mine, more) in [
                (&mut fill.values, other.values),
                (&mut fill.readers, other.readers),
                (&mut fill.writers, other.writers),
                (&mut fill.handles, other.handles),
            ] {
                *mine = mine.saturating_add(more);
            }
            fill.away |= other.away;
        }
    }
}

impl Network {
    /// Joins this network with what was seen in other OS processes.
    pub(crate) fn joined(mut self, elsewhere: SeenElsewhere) -> Self {
        let SeenElsewhere { networks, is_partial, has_others } = elsewhere;
        let mut numbers = Renumbered::default();
        numbers.network(&mut self, true);
        for mut network in networks {
            numbers.network(&mut network, false);
            self.processes.extend(network.processes);
            self.channels.extend(network.channels);
        }
        self.drop_stand_ins(is_partial);
        let sees_all = !is_partial && !has_others;
        self.join_channels(sees_all);
        self.sort();
        self
    }

    /// Drops the stand-ins of the processes that were seen where they go on. `is_partial`: what becomes of the others is
    /// not known.
    fn drop_stand_ins(&mut self, is_partial: bool) {
        let mut seen: HashMap<String, Vec<Who>> = HashMap::new();
        for process in self.processes.iter().filter(|process| !process.elsewhere) {
            if let Some(who) = process.who {
                seen.entry(process.path.clone()).or_default().push(who);
            }
        }
        let mut dropped: HashMap<Who, Who> = HashMap::new();
        self.processes.retain_mut(|process| {
            if !process.elsewhere {
                return true;
            }
            let found = seen.get_mut(&process.path).and_then(Vec::pop);
            if let (Some(who), Some(found)) = (process.who, found) {
                dropped.insert(who, found);
                return false;
            }
            if is_partial {
                process.state = State::Unanswered;
            }
            true
        });
        let rename = |holder: &mut HolderName| {
            holder.who = dropped.get(&holder.who).copied().unwrap_or(holder.who);
        };
        let wanted = self.processes.iter_mut().flat_map(ProcessState::wanted_mut);
        let things = wanted.chain(self.channels.iter_mut().map(|channel| &mut channel.0));
        things.for_each(|thing| thing.holders.iter_mut().for_each(rename));
    }

    /// Makes one channel of all that are the same. `sees_all`: all OS processes were asked that may have ends.
    fn join_channels(&mut self, sees_all: bool) {
        let mut channels: Vec<ChannelState> = Vec::new();
        let mut places: HashMap<usize, usize> = HashMap::new();
        for ChannelState(thing) in self.channels.drain(..) {
            match places.entry(thing.address) {
                Entry::Occupied(place) => channels[*place.get()].0.add(thing),
                Entry::Vacant(place) => {
                    place.insert(channels.len());
                    channels.push(ChannelState(thing));
                }
            }
        }
        for ChannelState(thing) in &mut channels {
            // An end that is on its way is in no OS process.
            if let Some(fill) = &mut thing.fill {
                fill.away &= !(sees_all && fill.readers > 0 && fill.writers > 0);
            }
        }
        for thing in self.processes.iter_mut().flat_map(ProcessState::wanted_mut) {
            if let Some(place) = places.get(&thing.address) {
                *thing = channels[*place].0.clone();
            }
        }
        self.channels = channels;
    }
}
