//! Every interleaving of three OS processes that send messages, sleep and are asked, and the verdicts.

use std::collections::BTreeMap;

use stateright::{Checker, Model, Property};

use super::*;

/// Three OS processes in a line. The one above the others looks.
const NODES: usize = 3;
const LINKS: [(usize, usize); 4] = [(0, 1), (1, 0), (1, 2), (2, 1)];

/// Only this many messages are ever sent.
#[derive(Clone)]
struct Network {
    messages: u64,
}

#[derive(Clone, Debug, Default, Hash, PartialEq, Eq)]
struct State {
    nodes: [Node; NODES],
    /// On their way.
    flying: BTreeMap<(usize, usize), u64>,
    sent: u64,
    /// The counts that the waves have brought so far.
    waves: [[Option<(u64, u64, u64)>; NODES]; 2],
    dead: bool,
}

#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq)]
struct Node {
    asleep: bool,
    woken: u64,
    said: u64,
    heard: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Move {
    Sleeps(usize),
    Says(usize, usize),
    /// The message wakes somebody, or nobody. Perhaps it is answered at once, by a node where
    /// nobody is awake.
    Hears {
        link: (usize, usize),
        wakes: bool,
        answers: bool,
    },
    Asked(usize),
}

impl State {
    fn says(&mut self, from: usize, to: usize) {
        self.nodes[from].said += 1;
        self.sent += 1;
        *self.flying.entry((from, to)).or_default() += 1;
    }

    fn is_over(wave: &[Option<(u64, u64, u64)>; NODES]) -> bool {
        wave.iter().all(Option::is_some)
    }

    fn count(wave: &[Option<(u64, u64, u64)>; NODES]) -> Count {
        let counts = wave.iter().flatten().enumerate().map(|(node, &(woken, said, heard))| {
            let mut hasher = DefaultHasher::new();
            (node, woken, said, heard).hash(&mut hasher);
            Count { stamp: hasher.finish(), said, heard, awaited: true }
        });
        counts.sum()
    }

    fn asked(&mut self, node: usize) {
        let Node { asleep, woken, said, heard } = self.nodes[node];
        let wave = usize::from(Self::is_over(&self.waves[0]));
        if !asleep {
            self.waves = Default::default();
            return;
        }
        self.waves[wave][node] = Some((woken, said, heard));
        if Self::is_over(&self.waves[1]) {
            let [first, second] = &self.waves;
            self.dead = are_dead(Self::count(first), Self::count(second));
            self.waves = Default::default();
        }
    }
}

impl Model for Network {
    type State = State;
    type Action = Move;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, moves: &mut Vec<Move>) {
        let more = state.sent < self.messages;
        for (node, Node { asleep, .. }) in state.nodes.iter().enumerate() {
            if !asleep {
                moves.push(Move::Sleeps(node));
            }
            let wave = usize::from(State::is_over(&state.waves[0]));
            if state.waves[wave][node].is_none() {
                moves.push(Move::Asked(node));
            }
        }
        for link in LINKS {
            if more && !state.nodes[link.0].asleep {
                moves.push(Move::Says(link.0, link.1));
            }
            if state.flying.contains_key(&link) {
                moves.push(Move::Hears { link, wakes: true, answers: false });
                moves.push(Move::Hears { link, wakes: false, answers: false });
                if more {
                    moves.push(Move::Hears { link, wakes: false, answers: true });
                }
            }
        }
    }

    fn next_state(&self, state: &State, action: Move) -> Option<State> {
        let mut state = state.clone();
        match action {
            Move::Sleeps(node) => state.nodes[node].asleep = true,
            Move::Says(from, to) => state.says(from, to),
            Move::Hears { link, wakes, answers } => {
                let flying = state.flying.get_mut(&link).expect("one is on its way");
                *flying -= 1;
                state.flying.retain(|_, count| *count > 0);
                let node = &mut state.nodes[link.1];
                node.heard += 1;
                node.woken += u64::from(wakes && node.asleep);
                node.asleep &= !wakes;
                if answers {
                    state.says(link.1, link.0);
                }
            }
            Move::Asked(node) => state.asked(node),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no false alarm", |_, state: &State| {
                let asleep = state.nodes.iter().all(|node| node.asleep);
                !state.dead || asleep && state.flying.is_empty()
            }),
            Property::sometimes("found", |_, state: &State| state.dead && state.sent > 1),
        ]
    }
}

#[test]
fn two_waves_find_who_sleeps_for_ever_and_nobody_else() {
    let checker = Network { messages: 3 }.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.unique_state_count() > 10_000, "{}", checker.unique_state_count());
}

#[test]
fn a_join_is_broken_off_only_where_there_is_nothing_else() {
    assert_eq!(either(Some(true), Some(false)), Some(false));
    assert_eq!(either(Some(true), None), Some(true));
    assert_eq!(either(None, None), None);
}
