//! Every interleaving of small networks, deaths included.

use stateright::{Checker, Model, Property};

use super::faults::{self, Fault};
use super::sim::{Action, Guard, Move, Setup, State};
use crate::backend::subprocess::protocol::Direction::{Read as R, Write as W};
use Action::{Communicate, Left as Abandons, Mixed, Pending, Poll, Timed};
use Guard::{Extended, Late, Read, Retired, Send, Write};

impl Model for Setup {
    type State = State;
    type Action = Move;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Move>) {
        if state.broken.is_none() {
            self.moves(state, actions);
        }
    }

    fn next_state(&self, state: &State, action: Move) -> Option<State> {
        let mut state = state.clone();
        self.apply(&mut state, action);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("sound", |_, state: &State| state.broken.is_none()),
            Property::always("quiet", |setup: &Setup, state: &State| {
                state.broken.is_some() || setup.check_quiet(state).is_none()
            }),
        ]
    }
}

/// Explores all states of a setup. Returns how many there were, or what was wrong and after which
/// steps.
fn explore(setup: Setup) -> Result<usize, String> {
    let checker = setup
        .checker()
        .threads(2)
        .finish_when(stateright::HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let wrong = checker.discoveries().into_iter().next().map(|(name, path)| {
        let last = path.last_state();
        let what = last.broken.or_else(|| checker.model().check_quiet(last));
        let steps: Vec<String> =
            path.clone().into_actions().iter().map(|a| format!("{a:?}")).collect();
        format!("{name}: {what:?} after {}", steps.join("; "))
    });
    match wrong {
        Some(wrong) => Err(wrong),
        None => Ok(checker.unique_state_count()),
    }
}

/// Returns the networks that are explored, each small enough to be explored fully. `deaths` of the
/// nodes in `mortal` die, at any moment.
fn networks() -> Vec<(&'static str, Setup)> {
    let network = |nodes, channels: &[(usize, usize)], processes: &[(usize, &[Action])]| Setup {
        nodes,
        channels: channels.to_vec(),
        processes: processes.iter().map(|(node, script)| (*node, script.to_vec())).collect(),
        ..Setup::default()
    };
    let one = |guard| Communicate(vec![guard]);
    let all = |guards: &[Guard]| Communicate(guards.to_vec());
    vec![
        (
            "two writes, two readers",
            network(
                3,
                &[(0, 0)],
                &[
                    (1, &[one(Write(0)), one(Write(0))]),
                    (2, &[one(Read(0)), one(Read(0))]),
                    (0, &[one(Read(0))]),
                ],
            ),
        ),
        (
            "what a dead reader had not read is read",
            Setup {
                spare: vec![(2, 0, W)],
                ..network(
                    3,
                    &[(0, 0)],
                    &[
                        (1, &[one(Write(0)), one(Write(0))]),
                        (2, &[one(Read(0))]),
                        (0, &[one(Read(0)), one(Read(0)), one(Read(0))]),
                    ],
                )
            },
        ),
        (
            "a buffer, two writers, two readers",
            network(
                3,
                &[(0, 1)],
                &[
                    (1, &[one(Write(0)), one(Write(0))]),
                    (0, &[one(Write(0))]),
                    (2, &[one(Read(0)), one(Read(0))]),
                    (0, &[one(Read(0))]),
                ],
            ),
        ),
        (
            "alternation at one home",
            network(
                3,
                &[(0, 0), (0, 0)],
                &[
                    (1, &[all(&[Read(0), Read(1)]), all(&[Read(0), Read(1)])]),
                    (2, &[all(&[Write(1), Write(0)]), one(Write(0))]),
                    (0, &[one(Write(1))]),
                ],
            ),
        ),
        (
            "alternations over two homes",
            network(
                3,
                &[(0, 0), (1, 0)],
                &[
                    (0, &[all(&[Read(0), Write(1)])]),
                    (1, &[all(&[Read(1), Write(0)])]),
                    (2, &[all(&[Write(0), Read(1)])]),
                ],
            ),
        ),
        (
            "a ring of alternations",
            network(
                3,
                &[(0, 0), (1, 0), (2, 0)],
                &[
                    (0, &[all(&[Write(0), Read(2)])]),
                    (1, &[all(&[Write(1), Read(0)])]),
                    (2, &[all(&[Write(2), Read(1)])]),
                ],
            ),
        ),
        (
            "alternations and plain ones over two homes",
            network(
                3,
                &[(0, 0), (1, 0)],
                &[
                    (2, &[all(&[Read(0), Read(1)]), one(Read(0))]),
                    (0, &[all(&[Write(0), Write(1)])]),
                    (1, &[one(Write(1))]),
                ],
            ),
        ),
        (
            "both ends in one alternation",
            network(
                2,
                &[(0, 0), (1, 0)],
                &[
                    (0, &[all(&[Read(0), Write(0), Read(1)])]),
                    (1, &[all(&[Write(0), Read(0), Write(1)])]),
                ],
            ),
        ),
        (
            "withdrawals and polls",
            network(
                3,
                &[(0, 0), (1, 0)],
                &[(0, &[Timed(vec![Read(0), Read(1)])]), (2, &[Poll(vec![Write(0), Write(1)])])],
            ),
        ),
        (
            "withdrawals against each other",
            network(
                3,
                &[(0, 0), (1, 0)],
                &[
                    (2, &[Timed(vec![Write(0), Write(1)])]),
                    (1, &[Timed(vec![Read(0)]), Poll(vec![Read(1)])]),
                ],
            ),
        ),
        (
            "a single write withdrawn while its reader is asked",
            network(
                3,
                &[(0, 0), (1, 0)],
                &[(2, &[Timed(vec![Write(0)])]), (1, &[all(&[Read(0), Read(1)])])],
            ),
        ),
        (
            "guards of which the machine knows nothing",
            network(
                3,
                &[(0, 0), (1, 0)],
                &[
                    (0, &[Mixed(vec![Read(0), Write(1)])]),
                    (1, &[Mixed(vec![Write(0)]), one(Read(1))]),
                    (2, &[all(&[Write(0), Read(1)])]),
                ],
            ),
        ),
        (
            "a write that may be taken back, and an alternation over two homes",
            network(
                3,
                &[(0, 0), (1, 0)],
                &[
                    (0, &[one(Write(0))]),
                    (1, &[Pending(vec![Write(0)])]),
                    (2, &[all(&[Read(0), Read(1)]), one(Read(0))]),
                    (1, &[one(Write(1))]),
                ],
            ),
        ),
        (
            "a buffer and alternations over two homes",
            network(
                3,
                &[(0, 1), (1, 0)],
                &[
                    (2, &[all(&[Write(0), Write(1)]), one(Write(0))]),
                    (0, &[all(&[Read(0), Read(1)])]),
                    (1, &[one(Read(0))]),
                ],
            ),
        ),
        (
            "extended rendezvous",
            network(
                3,
                &[(0, 0), (1, 0)],
                &[
                    (1, &[all(&[Write(0), Write(1)])]),
                    (2, &[all(&[Extended(1), Extended(0)])]),
                    (0, &[one(Extended(0))]),
                ],
            ),
        ),
        (
            "retiring under alternations",
            network(
                3,
                &[(0, 0), (1, 0)],
                &[
                    (2, &[all(&[Read(0), Retired(1)]), one(Read(0))]),
                    (1, &[all(&[Write(0), Write(1)]), Action::Drop(1, W)]),
                    (0, &[one(Write(0))]),
                ],
            ),
        ),
        (
            "poison under alternations",
            network(
                3,
                &[(0, 0), (1, 0)],
                &[
                    (2, &[all(&[Read(0), Read(1)])]),
                    (1, &[all(&[Write(0), Write(1)])]),
                    (0, &[one(Write(0)), Action::Poison(0)]),
                ],
            ),
        ),
        (
            "an end sent through its home",
            network(
                3,
                &[(0, 0), (0, 0)],
                &[
                    (1, &[one(Send(0, 1, W)), Action::Drop(1, W)]),
                    (2, &[one(Read(0)), one(Write(1))]),
                    (0, &[one(Read(1)), one(Read(1))]),
                ],
            ),
        ),
        (
            "an end sent through another's home",
            network(
                3,
                &[(0, 0), (1, 0)],
                &[
                    (2, &[one(Send(1, 0, W)), Action::Drop(0, W)]),
                    (1, &[one(Read(1))]),
                    (0, &[one(Read(0))]),
                ],
            ),
        ),
        (
            "an end sent through a third's buffer, or not",
            network(
                3,
                &[(0, 0), (1, 1)],
                &[
                    (2, &[all(&[Send(1, 0, W), Read(0)]), Action::Drop(0, W)]),
                    (0, &[Timed(vec![Read(1)]), one(Read(0))]),
                ],
            ),
        ),
        (
            "a node leaves what it has written, and one reads it",
            network(
                3,
                &[(1, 2)],
                &[
                    (1, &[one(Write(0)), one(Write(0))]),
                    (2, &[one(Read(0)), one(Read(0)), one(Read(0))]),
                    (0, &[one(Write(0))]),
                ],
            ),
        ),
        (
            "two processes leave what they were given",
            Setup {
                spare: vec![(3, 0, W)],
                ..network(
                    3,
                    &[(0, 0)],
                    &[
                        (1, &[one(Read(0))]),
                        (1, &[one(Read(0))]),
                        (2, &[one(Write(0)), one(Write(0))]),
                        (0, &[one(Read(0)), one(Read(0)), one(Read(0))]),
                    ],
                )
            },
        ),
        (
            "what a node leaves is given up, though its home goes on",
            Setup {
                spare: vec![(1, 1, W)],
                ..network(
                    3,
                    &[(0, 0), (1, 0)],
                    &[(1, &[one(Read(0))]), (2, &[one(Read(1))]), (0, &[one(Write(0))])],
                )
            },
        ),
        (
            "a process that never goes on gives back what it is given",
            network(
                3,
                &[(0, 0)],
                &[
                    (2, &[Abandons(vec![Extended(0)])]),
                    (1, &[one(Write(0)), one(Write(0))]),
                    (0, &[one(Read(0)), one(Read(0))]),
                ],
            ),
        ),
        (
            "a choice that never goes on, over two homes",
            network(
                3,
                &[(0, 0), (1, 0)],
                &[
                    (2, &[Abandons(vec![Extended(0), Write(1), Read(1)])]),
                    (1, &[all(&[Write(0), Write(1)]), one(Read(1))]),
                    (0, &[one(Write(0)), one(Read(0))]),
                ],
            ),
        ),
        (
            "a promise is read by a process that never goes on",
            Setup {
                late: vec![(1, 0)],
                ..network(
                    3,
                    &[(0, 0), (2, 0)],
                    &[
                        (2, &[one(Send(0, 1, R)), Action::Drop(1, R), one(Write(1))]),
                        (1, &[one(Read(0)), Abandons(vec![Late(0, 1)])]),
                        (0, &[one(Read(0)), one(Late(0, 1))]),
                    ],
                )
            },
        ),
        (
            "a promise is given back by a process that goes on",
            Setup {
                late: vec![(1, 0)],
                ..network(
                    3,
                    &[(0, 0), (2, 0)],
                    &[
                        (2, &[one(Send(0, 1, R)), Action::Drop(1, R), one(Write(1))]),
                        (1, &[one(Read(0)), Timed(vec![Late(0, 1)]), Action::GiveBack(0, 1)]),
                        (0, &[one(Read(0)), one(Late(0, 1))]),
                    ],
                )
            },
        ),
        (
            "an end leaves with its home",
            network(
                3,
                &[(1, 1), (1, 0)],
                &[
                    (1, &[one(Send(0, 1, W)), Action::Drop(1, W), one(Read(1))]),
                    (2, &[one(Read(0)), one(Write(1))]),
                    (0, &[one(Read(1))]),
                ],
            ),
        ),
    ]
}

fn with_leavers(setup: &Setup) -> Vec<Setup> {
    (0..setup.nodes).map(|leaver| Setup { leaving: vec![leaver], ..setup.clone() }).collect()
}

fn with_deaths(setup: &Setup, poisons: bool) -> Vec<Setup> {
    (0..setup.nodes)
        .map(|mortal| Setup { mortal: vec![mortal], deaths: 1, poisons, ..setup.clone() })
        .collect()
}

#[test]
fn small_networks_hold() {
    for (name, setup) in networks() {
        match explore(setup) {
            Ok(states) => println!("{states:8} states: {name}"),
            Err(wrong) => panic!("{name}: {wrong}"),
        }
    }
}

#[test]
#[ignore = "it takes minutes without optimisation: ci/models.sh runs it"]
fn small_networks_hold_when_a_node_dies() {
    for (name, setup) in networks() {
        // The way in which a node departs matters only in the networks that are about ends.
        let about_ends = ["end", "retir", "dead"].iter().any(|word| name.contains(word));
        for poisons in [false, true].into_iter().take(1 + usize::from(about_ends)) {
            for mortal in with_deaths(&setup, poisons) {
                let what = format!("{name}, {} dies, poisons: {poisons}", mortal.mortal[0]);
                match explore(mortal) {
                    Ok(states) => println!("{states:8} states: {what}"),
                    Err(wrong) => panic!("{what}: {wrong}"),
                }
            }
        }
    }
}

#[test]
#[ignore = "it takes minutes without optimisation: ci/models.sh runs it"]
fn small_networks_hold_when_a_node_leaves() {
    holds_when_a_node_leaves(|name| name != LARGEST);
}

/// This network has more states than all the others together.
const LARGEST: &str = "guards of which the machine knows nothing";

#[test]
#[ignore = "it takes minutes without optimisation: ci/models.sh runs it"]
fn the_largest_network_holds_when_a_node_leaves() {
    holds_when_a_node_leaves(|name| name == LARGEST);
}

fn holds_when_a_node_leaves(asked: impl Fn(&str) -> bool) {
    for (name, setup) in networks().into_iter().filter(|(name, _)| asked(name)) {
        for setup in with_leavers(&setup) {
            let what = format!("{name}, {} leaves", setup.leaving[0]);
            match explore(setup) {
                Ok(states) => println!("{states:8} states: {what}"),
                Err(wrong) => panic!("{what}: {wrong}"),
            }
        }
    }
}

#[test]
#[ignore = "it takes minutes without optimisation: ci/models.sh runs it"]
fn small_networks_hold_when_a_node_leaves_and_one_dies() {
    for (name, setup) in networks().into_iter().filter(|(name, _)| name.contains("leave")) {
        for left in with_leavers(&setup) {
            for setup in with_deaths(&left, false) {
                let what = format!("{name}, {} leaves, {} dies", setup.leaving[0], setup.mortal[0]);
                match explore(setup) {
                    Ok(states) => println!("{states:8} states: {what}"),
                    Err(wrong) => panic!("{what}: {wrong}"),
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Goes {
    Dies(usize),
    Left(usize),
}
use Goes::{Dies, Left};

/// Each mistake, with a network that shows it and the node that has to die there. These networks
/// show it in the fewest states of all. Trying them one after the other takes minutes if this
/// library is not optimized.
const SHOWN_BY: [(Fault, &str, Option<Goes>); faults::ALL.len()] = [
    (Fault::GuardsOneByOne, "alternation at one home", None),
    (Fault::ClosesEngaged, "both ends in one alternation", None),
    (Fault::CancelsEngaged, "a single write withdrawn while its reader is asked", None),
    (Fault::ForgetsRematch, "withdrawals and polls", None),
    (Fault::ForgetsRelease, "a ring of alternations", None),
    (Fault::ReservesReader, "a ring of alternations", None),
    (Fault::AnswersReserved, "both ends in one alternation", None),
    (Fault::FailsReserved, "poison under alternations", None),
    (Fault::HearsTwice, "withdrawals and polls", None),
    (Fault::LosesUnread, "what a dead reader had not read is read", Some(Dies(2))),
    (Fault::KeepsRows, "both ends in one alternation", Some(Dies(0))),
    (Fault::TransitUncounted, "an end sent through its home", None),
    (Fault::KeepsGiven, "two processes leave what they were given", Some(Left(1))),
    (
        Fault::LeavesUnheard,
        "what a node leaves is given up, though its home goes on",
        Some(Left(1)),
    ),
    (Fault::KeepsAbandoned, "a process that never goes on gives back what it is given", None),
    (Fault::ReturnsToLate, "a promise is read by a process that never goes on", None),
    (Fault::KeepsPromise, "a promise is read by a process that never goes on", None),
    (Fault::TellsReturned, "two writes, two readers", Some(Dies(0))),
    (Fault::ForgetsHolder, "alternations over two homes", Some(Dies(1))),
    (Fault::DoubtsUnheard, "two writes, two readers", Some(Dies(0))),
    (Fault::StaysHeld, "a write that may be taken back, and an alternation over two homes", None),
];

#[test]
fn planted_mistakes_are_found() {
    assert_eq!(SHOWN_BY.map(|(fault, ..)| fault), faults::ALL);
    for (fault, by, mortal) in SHOWN_BY {
        let (_, setup) = networks().into_iter().find(|(name, _)| *name == by).expect("a network");
        let setup = match mortal {
            None => setup,
            Some(Dies(mortal)) => with_deaths(&setup, false).swap_remove(mortal),
            Some(Left(leaver)) => with_leavers(&setup).swap_remove(leaver),
        };
        match explore(Setup { fault: Some(fault), ..setup }) {
            Err(wrong) => println!("{fault:?}, by {by}: {wrong}"),
            Ok(states) => panic!("{fault:?} is not in the {states} states of: {by}"),
        }
    }
}
