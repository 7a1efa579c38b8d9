//! Every interleaving of small networks, deaths included.

use stateright::{Checker, Model, Property};

use super::Direction::Write as W;
use super::faults::{self, Fault};
use super::sim::{Action, Guard, Move, Setup, State};
use Action::{Communicate, Mixed, Poll, Timed};
use Guard::{Extended, Read, Retired, Send, Write};

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

/// Explores all of a setup; says how many states there were, or what was wrong in which of them.
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

/// The networks that are explored, each small enough for all of it. `deaths` of the nodes of `mortal` die, at any moment.
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
    ]
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
fn small_networks_hold_when_a_node_dies() {
    for (name, setup) in networks() {
        // What a death makes of the ends matters where ends are what it is about.
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

/// Each mistake, and a network that shows it, with the node that has to die there. Of all networks, these show it in the
/// fewest states: to try them one after the other takes minutes where this library is not optimized.
const SHOWN_BY: [(Fault, &str, Option<usize>); faults::ALL.len()] = [
    (Fault::GuardsOneByOne, "alternation at one home", None),
    (Fault::ClosesEngaged, "both ends in one alternation", None),
    (Fault::CancelsEngaged, "a single write withdrawn while its reader is asked", None),
    (Fault::ForgetsRematch, "withdrawals and polls", None),
    (Fault::ForgetsRelease, "a ring of alternations", None),
    (Fault::ReservesReader, "a ring of alternations", None),
    (Fault::AnswersReserved, "both ends in one alternation", None),
    (Fault::FailsReserved, "poison under alternations", None),
    (Fault::HearsTwice, "withdrawals and polls", None),
    (Fault::LosesUnread, "what a dead reader had not read is read", Some(2)),
    (Fault::KeepsRows, "both ends in one alternation", Some(0)),
    (Fault::TransitUncounted, "an end sent through its home", None),
];

#[test]
fn planted_mistakes_are_found() {
    assert_eq!(SHOWN_BY.map(|(fault, ..)| fault), faults::ALL);
    for (fault, by, mortal) in SHOWN_BY {
        let (_, setup) = networks().into_iter().find(|(name, _)| *name == by).expect("a network");
        let setup = match mortal {
            None => setup,
            Some(mortal) => with_deaths(&setup, false).swap_remove(mortal),
        };
        match explore(Setup { fault: Some(fault), ..setup }) {
            Err(wrong) => println!("{fault:?}, by {by}: {wrong}"),
            Ok(states) => panic!("{fault:?} is not in the {states} states of: {by}"),
        }
    }
}
