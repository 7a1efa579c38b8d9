//! Networks and schedules drawn at random, larger than what can be explored, with deaths. A seed is a run.

use super::scene::Chance;
use super::sim::{Action, Guard, Move, Setup, Step};
use crate::backend::subprocess::protocol::Direction;

/// SplitMix64 (Steele, Lea, Flood).
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Chance for Random {
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

fn guard(random: &mut Random, channels: usize) -> Guard {
    let channel = random.below(channels);
    match random.below(20) {
        0..8 => Guard::Read(channel),
        8..16 => Guard::Write(channel),
        16 => Guard::Extended(channel),
        17 => Guard::Retired(channel),
        _ => {
            let direction = match random.one_in(2) {
                true => Direction::Read,
                false => Direction::Write,
            };
            Guard::Send(channel, random.below(channels), direction)
        }
    }
}

fn action(random: &mut Random, channels: usize) -> Action {
    let guards = match random.one_in(2) {
        true => 1,
        false => 1 + random.below(4),
    };
    let guards = (0..guards).map(|_| guard(random, channels)).collect();
    match random.below(24) {
        0..17 => Action::Communicate(guards),
        17 => Action::Left(guards),
        18 => Action::Timed(guards),
        19 | 20 => Action::Mixed(guards),
        21 | 22 => Action::Poll(guards),
        _ => Action::Drop(random.below(channels), Direction::Read),
    }
}

fn setup(random: &mut Random) -> Setup {
    let nodes = 2 + random.below(4);
    let channels = 1 + random.below(6);
    let processes = 2 + random.below(9);
    let length = 1 + random.below(24);
    let mut setup = Setup {
        nodes,
        channels: (0..channels)
            .map(|_| {
                let capacity = [0, 0, 0, 1, 2][random.below(5)];
                (random.below(nodes), capacity)
            })
            .collect(),
        processes: (0..processes)
            .map(|_| {
                let script = (0..length).map(|_| action(random, channels)).collect();
                (random.below(nodes), script)
            })
            .collect(),
        mortal: (0..nodes).collect(),
        leaving: (0..nodes).filter(|_| random.one_in(3)).collect(),
        deaths: random.below(3),
        poisons: random.one_in(3),
        ..Setup::default()
    };
    for _ in 0..random.below(4) {
        let direction = match random.one_in(2) {
            true => Direction::Read,
            false => Direction::Write,
        };
        let spare = (random.below(processes), random.below(channels), direction);
        setup.spare.push(spare);
    }
    if random.one_in(6) {
        let channel = random.below(channels);
        setup.processes[0].1.push(Action::Poison(channel));
    }
    setup
}

fn run(seed: u64) -> usize {
    let mut random = Random(seed);
    let setup = setup(&mut random);
    let mut state = setup.start();
    let mut length = 0;
    loop {
        let mut steps = setup.steps(&state);
        // Time-outs are rare, but an operation that waits for ever is released in the end.
        if !random.one_in(16) {
            let urgent = |step: &Step| !setup.is_patient(&state, *step);
            if steps.iter().any(urgent) {
                steps.retain(urgent);
            }
        }
        if steps.is_empty() {
            break;
        }
        let step = steps[random.below(steps.len())];
        let mortal = state.deaths_left() > 0 && random.one_in(60);
        let moved = match mortal {
            true if random.one_in(2) => Move::Kill(setup.actor(step)),
            true => Move::Dies(step, random.below(4)),
            false => Move::Step(step),
        };
        setup.apply(&mut state, moved);
        if mortal && random.one_in(2) {
            // A message that had no place in a full ring dies with the sender.
            setup.lose_tail(&mut state, setup.actor(step), random.below(setup.nodes));
        }
        length += 1;
        let broken = state.broken.or_else(|| setup.check_quiet(&state));
        if let Some(broken) = broken {
            panic!("seed {seed}, step {length}: {broken}");
        }
    }
    length
}

/// Runs as many networks as `CSP_STRESS` says, or else 400.
#[test]
fn random_networks_hold() {
    let runs = std::env::var("CSP_STRESS").ok().and_then(|n| n.parse().ok());
    let runs = runs.unwrap_or(400);
    let steps: usize = (0..runs).map(run).sum();
    println!("{runs} networks, {steps} steps");
}
