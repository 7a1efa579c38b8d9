//! Three programs in a ring, links lost and made anew, and messages on their way meanwhile, state by state.
//!
//! Each program connects to the next one, and has one operation after the other at both of its neighbours. A
//! message carries the link that it goes by. The model keeps, beside the names, what a name truly stands for.

use stateright::{Checker, Model, Property};

use super::*;

impl<K: Copy + Eq> Names<K> {
    pub(super) fn takes_any_key(&self) -> bool {
        self.fault == NameFault::AnyKey
    }

    pub(super) fn planted(&self, name: NodeId, program: u64) -> NodeId {
        match self.fault {
            NameFault::SaltsAreUsedAgain => NodeId(program),
            NameFault::SaltsOrder => NodeId(name.0 << 48 | program >> 16),
            _ => name,
        }
    }
}

/// The nodes, whose order is that of their numbers. The lower bits are not those of any salt.
const NODES: [u64; 3] = [0x1_fff0, 0x2_0000, 0x3_8000];
/// The most links that are ever made.
const LINKS: u8 = 3;

/// One side of a link, as its program knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Side {
    link: u8,
    name: NodeId,
    program: usize,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct One {
    /// The connections, as `Names` knows them: program, name, key and side that asked.
    connected: Vec<(u64, NodeId, usize, AskedBySide)>,
    salts: Vec<(u64, u64)>,
    /// The links that this side has not lost.
    alive: Vec<Side>,
    /// Every name that was ever given, with its link.
    given: Vec<(NodeId, u8)>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Ring {
    programs: [One; 3],
    links: u8,
    /// A stranger has tried to take a program's place.
    tried: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Act {
    /// A program asks another one for a connection.
    Connects(usize, usize),
    /// One side of a link loses it. The other does not know.
    Loses(usize, u8),
    /// Another program says that it is this one, with a key of its own.
    Pretends(usize, usize),
}

struct Programs(NameFault);

impl One {
    fn names(&self, me: usize, fault: NameFault) -> Names<usize> {
        let connected = self.connected.iter().map(|(program, name, key, asked)| {
            (*program, Connected { name: *name, key: *key, asked: *asked })
        });
        let (connected, salts) = (connected.collect(), self.salts.iter().copied().collect());
        Names { me: NodeId(NODES[me]), connected, salts, fault }
    }

    fn keep(&mut self, names: Names<usize>) {
        let connected = names.connected.into_iter();
        self.connected =
            connected.map(|(program, of)| (program, of.name, of.key, of.asked)).collect();
        self.salts = names.salts.into_iter().collect();
        self.connected.sort_unstable_by_key(|one| one.0);
        self.salts.sort_unstable();
    }
}

impl Programs {
    /// Gives `to` a name for the connection with `from`. Returns false if it gets none.
    fn meet(
        &self,
        ring: &mut Ring,
        (at, of): (usize, usize),
        key: usize,
        asked: AskedBySide,
    ) -> bool {
        let link = ring.links;
        let one = &mut ring.programs[at];
        let mut names = one.names(at, self.0);
        let alive: Vec<NodeId> = one.alive.iter().map(|side| side.name).collect();
        let is_known = |name| self.0 == NameFault::None && alive.contains(&name);
        let met = names.meet(NodeId(NODES[of]), key, asked, is_known);
        one.keep(names);
        let Ok((name, lost)) = met else { return false };
        if self.0 != NameFault::KeepsTheLost {
            one.alive.retain(|side| Some(side.name) != lost);
        }
        one.alive.push(Side { link, name, program: of });
        one.given.push((name, link));
        true
    }

    fn lose(&self, ring: &mut Ring, at: usize, link: u8) {
        let one = &mut ring.programs[at];
        let mut names = one.names(at, self.0);
        if let Some(side) = one.alive.iter().find(|side| side.link == link) {
            names.lost(side.name);
        }
        one.keep(names);
        one.alive.retain(|side| side.link != link);
    }
}

impl Model for Programs {
    type State = Ring;
    type Action = Act;

    fn init_states(&self) -> Vec<Ring> {
        let one =
            One { connected: Vec::new(), salts: Vec::new(), alive: Vec::new(), given: Vec::new() };
        vec![Ring { programs: [one.clone(), one.clone(), one], links: 0, tried: false }]
    }

    fn actions(&self, ring: &Ring, actions: &mut Vec<Act>) {
        for from in 0..3 {
            let one = &ring.programs[from];
            for to in [(from + 1) % 3, (from + 2) % 3] {
                // A program that has a connection uses that.
                let has = one.alive.iter().any(|side| side.program == to);
                if ring.links < LINKS && !has {
                    actions.push(Act::Connects(from, to));
                }
                if !ring.tried {
                    actions.push(Act::Pretends(from, to));
                }
            }
            actions.extend(one.alive.iter().map(|side| Act::Loses(from, side.link)));
        }
    }

    fn next_state(&self, ring: &Ring, act: Act) -> Option<Ring> {
        let mut next = ring.clone();
        match act {
            Act::Connects(from, to) => {
                // The listener answers, and then the other side gives it a name.
                if self.meet(&mut next, (to, from), from, AskedBySide::There)
                    && !self.meet(&mut next, (from, to), to, AskedBySide::Here)
                {
                    self.lose(&mut next, to, ring.links);
                }
                next.links += 1;
            }
            Act::Loses(at, link) => self.lose(&mut next, at, link),
            Act::Pretends(from, to) => {
                // The third program says that it is `from`. It has its own key.
                next.tried = true;
                let third = 3 - from - to;
                if ring.programs[to].alive.iter().any(|side| side.program == from) {
                    self.meet(&mut next, (to, from), third, AskedBySide::There);
                }
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("a name stands for one link", |_, ring: &Ring| {
                ring.programs.iter().all(|one| {
                    let given = &one.given;
                    given
                        .iter()
                        .enumerate()
                        .all(|(at, (name, _))| given[..at].iter().all(|(other, _)| other != name))
                })
            }),
            Property::always("a program has one name at a time", |_, ring: &Ring| {
                ring.programs.iter().all(|one| {
                    (0..3).all(|of| one.alive.iter().filter(|side| side.program == of).count() < 2)
                })
            }),
            Property::always("all order programs in the same way", |_, ring: &Ring| {
                (0..3).all(|me| {
                    let one = &ring.programs[me];
                    let named = one.alive.iter().map(|side| (side.name, side.program));
                    let all: Vec<_> = named.chain([(NodeId(NODES[me]), me)]).collect();
                    all.iter().all(|(name, of)| {
                        all.iter().all(|(other, of_other)| {
                            of == of_other || (name < other) == (NODES[*of] < NODES[*of_other])
                        })
                    })
                })
            }),
            Property::always("a stranger takes no place", |_, ring: &Ring| {
                ring.programs.iter().all(|one| {
                    one.connected
                        .iter()
                        .all(|(program, _, key, _)| super::program(NodeId(NODES[*key])) == *program)
                })
            }),
            Property::sometimes("links are made anew", |_, ring: &Ring| {
                ring.programs.iter().any(|one| one.given.len() > 2)
            }),
            Property::sometimes("all three are connected", |_, ring: &Ring| {
                ring.programs.iter().all(|one| one.alive.len() == 2)
            }),
        ]
    }
}

fn check(fault: NameFault) -> (usize, Vec<&'static str>) {
    let checker = Programs(fault).checker().spawn_dfs().join();
    let mut found: Vec<&str> = checker.discoveries().into_keys().collect();
    found.sort_unstable();
    (checker.unique_state_count(), found)
}

#[test]
fn names_are_sound_in_a_ring_whose_links_come_and_go() {
    let (states, found) = check(NameFault::None);
    assert!(states > 1_000, "{states}");
    assert_eq!(found, ["all three are connected", "links are made anew"]);
}

#[test]
fn planted_mistakes_are_found() {
    for (fault, property) in [
        (NameFault::SaltsAreUsedAgain, "a name stands for one link"),
        (NameFault::KeepsTheLost, "a program has one name at a time"),
        (NameFault::SaltsOrder, "all order programs in the same way"),
        (NameFault::AnyKey, "a stranger takes no place"),
    ] {
        assert!(check(fault).1.contains(&property), "{fault:?}");
    }
}

#[test]
fn a_program_is_not_connected_to_itself_nor_for_ever() {
    let mut names = Names::new(NodeId(0x5_0001));
    let meet =
        |names: &mut Names<u8>, node| names.meet(NodeId(node), 0, AskedBySide::There, |_| false);
    assert_eq!(meet(&mut names, 0x5_7777), Err(NameRefused::Itself));
    for salt in 0..=SALT {
        let (name, lost) = meet(&mut names, 0x6_1234).expect("a salt");
        assert_eq!((name, lost.is_some()), (NodeId(0x6_0000 | salt), salt > 0));
    }
    assert_eq!(meet(&mut names, 0x6_1234), Err(NameRefused::TooOften));
}
