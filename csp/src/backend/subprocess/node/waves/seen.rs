//! The processes and channels of an OS process as bytes, on their way to another that has asked.
//!
//! Nothing of it is trusted where it arrives: texts are cut and escaped, numbers that name nothing are dropped.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

use crate::backend::subprocess::values::text;
use crate::report::id::Who;
use crate::report::{
    ChannelState, Fill, HolderName, Network, Operation, Place, ProcessState, Retirement, State,
    Thing, Wait, Wanted,
};

/// The most processes, and the most channels, of one OS process.
const MOST: usize = 16_384;

/// The most things that one process waits for.
const MOST_WANTS: usize = 1024;

/// The most bytes of all texts, about.
const MOST_BYTES: usize = 16 << 20;

/// All operations, each by its number here. A newer one comes last.
const OPERATIONS: [Operation; 18] = [
    Operation::Read,
    Operation::Write,
    Operation::Handover,
    Operation::Release,
    Operation::Retirement,
    Operation::Sync,
    Operation::FallIn,
    Operation::Join,
    Operation::JoinAll,
    Operation::Io,
    Operation::Compute,
    Operation::Receive,
    Operation::Transmit,
    Operation::Accept,
    Operation::Connect,
    Operation::Timeout,
    Operation::Skip,
    Operation::Await,
];

/// The things that a process may hold.
const HELD: [&str; 4] = ["reader", "writer", "handle", "barrier"];

/// A network, on its way.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::backend::subprocess) struct SentNetwork {
    processes: Vec<ShownProcess>,
    channels: Vec<SentThing>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ShownProcess {
    who: Option<SentWho>,
    path: String,
    state: SentState,
    daemon: bool,
    elsewhere: bool,
}

/// The address of its job, and which replica it is. Both only tell it from the others.
type SentWho = (u64, u64);

/// The paths of the processes that have come.
type Paths = HashMap<SentWho, String>;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum SentState {
    Running,
    Ready,
    NotStarted(u64),
    Blocked { place: SentPlace, alternation: bool, left: Option<Duration>, wants: Vec<SentWant> },
    Unseen,
    Unanswered,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SentPlace(String, u32, u32);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SentWant {
    operation: u8,
    object: Option<SentThing>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SentThing {
    address: u64,
    kind: String,
    name: Option<String>,
    birth: SentPlace,
    holders: Vec<SentHolder>,
    fill: Option<SentFill>,
    retirement: Option<SentRetirement>,
    shared: Option<(u64, u64)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SentHolder {
    who: SentWho,
    what: u8,
    sure: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct SentFill {
    capacity: u64,
    values: u64,
    readers: u64,
    writers: u64,
    handles: u64,
    away: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SentRetirement {
    what: u8,
    made: Option<SentPlace>,
    process: String,
    waited: Option<SentPlace>,
}

fn sent_who(who: Who) -> SentWho {
    (who.job as u64, who.index as u64)
}

fn arrived_who((job, index): SentWho) -> Who {
    Who { job: job as usize, index: index as usize }
}

fn sent_what(what: &str) -> u8 {
    HELD.iter().position(|held| *held == what).unwrap_or(HELD.len()) as u8
}

fn arrived_what(what: u8) -> Option<&'static str> {
    HELD.get(usize::from(what)).copied()
}

/// Takes what a part takes from the room for all.
fn takes(room: &mut usize, bytes: usize) {
    *room = room.saturating_sub(bytes + 64);
}

impl SentPlace {
    fn of(place: Place) -> Self {
        Self(place.file().to_owned(), place.line(), place.column())
    }

    fn arrived(self) -> Place {
        let Self(file, line, column) = self;
        *Place::there(text::name(file), line, column)
    }
}

impl SentThing {
    fn of(thing: &Thing, room: &mut usize) -> Self {
        let Thing { address, kind, name, birth, holders, fill, retirement, shared } = thing;
        takes(room, kind.len() + name.as_ref().map_or(0, String::len) + birth.file().len());
        let holder = |HolderName { who, what, sure, .. }: &HolderName| {
            takes(room, 0);
            (*room > 0).then(|| SentHolder {
                who: sent_who(*who),
                what: sent_what(what),
                sure: *sure,
            })
        };
        let count = |count: usize| count as u64;
        let fill = fill.map(|Fill { capacity, values, readers, writers, handles, away }| {
            let (capacity, values, handles) = (count(capacity), count(values), count(handles));
            SentFill {
                capacity,
                values,
                readers: count(readers),
                writers: count(writers),
                handles,
                away,
            }
        });
        let retirement = retirement.as_ref().map(|Retirement { what, made, process, waited }| {
            let (made, waited) = (made.map(SentPlace::of), waited.map(SentPlace::of));
            SentRetirement { what: sent_what(what), made, process: process.clone(), waited }
        });
        Self {
            address: *address as u64,
            kind: kind.clone(),
            name: name.clone(),
            birth: SentPlace::of(*birth),
            // Many are told by their number alone.
            holders: holders.iter().take(MOST).map_while(holder).collect(),
            fill,
            retirement,
            shared: *shared,
        }
    }

    /// Returns the same for a wait. The list of channels has the holders of a channel.
    fn wanted(thing: &Thing, room: &mut usize) -> Self {
        match thing.fill {
            Some(_) => Self::of(&Thing { holders: Vec::new(), ..thing.clone() }, room),
            None => Self::of(thing, room),
        }
    }

    fn arrived(self, paths: &Paths) -> Thing {
        let holder = |SentHolder { who, what, sure }| {
            let path = paths.get(&who)?.clone();
            Some(HolderName { who: arrived_who(who), path, what: arrived_what(what)?, sure })
        };
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let fill = |fill: SentFill| Fill {
            capacity: count(fill.capacity),
            values: count(fill.values),
            readers: count(fill.readers),
            writers: count(fill.writers),
            handles: count(fill.handles),
            away: fill.away,
        };
        let retirement = |SentRetirement { what, made, process, waited }| {
            let (made, waited) = (made.map(SentPlace::arrived), waited.map(SentPlace::arrived));
            let process = text::name(process);
            Some(Retirement { what: arrived_what(what)?, made, process, waited })
        };
        Thing {
            address: self.address as usize,
            kind: text::name(self.kind),
            name: self.name.map(text::name),
            birth: self.birth.arrived(),
            holders: self.holders.into_iter().filter_map(holder).collect(),
            fill: self.fill.map(fill),
            retirement: self.retirement.and_then(retirement),
            shared: self.shared,
        }
    }
}

impl SentState {
    fn of(state: &State, room: &mut usize) -> Self {
        match state {
            State::Running => Self::Running,
            State::Ready => Self::Ready,
            State::NotStarted { others } => Self::NotStarted(*others as u64),
            State::Unseen => Self::Unseen,
            State::Unanswered => Self::Unanswered,
            State::Blocked(Wait { place, alternation, left, wants }) => {
                let want = |Wanted { operation, object }: &Wanted| {
                    let number = OPERATIONS.iter().position(|one| one == operation);
                    SentWant {
                        operation: number.unwrap_or(OPERATIONS.len()) as u8,
                        object: object.as_ref().map(|thing| SentThing::wanted(thing, room)),
                    }
                };
                Self::Blocked {
                    place: SentPlace::of(*place),
                    alternation: *alternation,
                    left: *left,
                    wants: wants.iter().take(MOST_WANTS).map(want).collect(),
                }
            }
        }
    }

    fn arrived(self, paths: &Paths) -> State {
        match self {
            Self::Running => State::Running,
            Self::Ready => State::Ready,
            Self::NotStarted(others) => State::NotStarted { others: others as usize },
            Self::Unseen => State::Unseen,
            Self::Unanswered => State::Unanswered,
            Self::Blocked { place, alternation, left, wants } => {
                let want = |SentWant { operation, object }| {
                    let operation = *OPERATIONS.get(usize::from(operation))?;
                    let object = object.map(|thing| thing.arrived(paths));
                    Some(Wanted { operation, object })
                };
                State::Blocked(Wait {
                    place: place.arrived(),
                    alternation,
                    left,
                    wants: wants.into_iter().filter_map(want).collect(),
                })
            }
        }
    }
}

impl SentNetwork {
    /// Returns as much of it as is told to others.
    pub(in crate::backend::subprocess) fn of(network: &Network) -> Self {
        let mut room = MOST_BYTES;
        let mut sent = Self::default();
        for process in network.processes.iter().take(MOST) {
            if room == 0 {
                break;
            }
            takes(&mut room, process.path.len());
            sent.processes.push(ShownProcess {
                who: process.who.map(sent_who),
                path: process.path.clone(),
                state: SentState::of(&process.state, &mut room),
                daemon: process.daemon,
                elsewhere: process.elsewhere,
            });
        }
        let mut room = MOST_BYTES;
        for ChannelState(thing) in network.channels.iter().take(MOST) {
            if room == 0 {
                break;
            }
            sent.channels.push(SentThing::of(thing, &mut room));
        }
        sent
    }

    pub(in crate::backend::subprocess) fn arrived(self) -> Network {
        let named = self.processes.iter();
        let named =
            named.filter_map(|process| Some((process.who?, text::name(process.path.clone()))));
        let paths: Paths = named.collect();
        let process = |process: ShownProcess| ProcessState {
            who: process.who.map(arrived_who),
            path: text::name(process.path),
            state: process.state.arrived(&paths),
            daemon: process.daemon,
            scope: 0,
            scheduler: None,
            elsewhere: process.elsewhere,
        };
        // A channel tells what is in it.
        let channels = self.channels.into_iter().filter(|channel| channel.fill.is_some());
        Network {
            processes: self.processes.into_iter().take(MOST).map(process).collect(),
            channels: channels
                .take(MOST)
                .map(|thing| ChannelState(thing.arrived(&paths)))
                .collect(),
        }
    }
}
