//! Operations behind a link made by an address, up to the limit and beyond it.
#![cfg(feature = "address")]

use super::scene::{Chance, HOME, PEER, READER, Scene, WRITER, parcel, post, read, write};
use super::stress::Random;
use crate::backend::subprocess::protocol::rights::crossing::MOST_OPERATIONS;
use crate::backend::subprocess::protocol::{Ending, Few, Message, Outcome};
use crate::report::termination::Fate;

/// Returns a scene in which the reader and the other home are other programs.
fn scene() -> Scene {
    let mut scene = Scene::new();
    for node in [READER, HOME] {
        scene.machine.met_by_address(node, (), ());
    }
    scene
}

#[test]
fn a_program_has_as_many_operations_as_the_limit_and_no_more() {
    let mut scene = scene();
    let begun = scene.machine.home.standing(READER) as u64;
    let (plain, machine, out) = (scene.plain, &mut scene.machine, &mut scene.out);
    let mut says = |from, message| machine.handle(from, message, out);
    let reads = |op| post(op, false, vec![(0, read(plain))]);
    let first = 100;
    let last = first + MOST_OPERATIONS as u64 - begun;
    for op in first..last {
        assert_eq!(says(READER, reads(op)), Ok(()));
    }
    let refused = says(READER, reads(last)).expect_err("one too many").to_string();
    assert!(refused.contains("65,536 operations"), "{refused}");
    // An operation that is over makes room, however it ends.
    assert_eq!(says(READER, Message::Cancel { op: first }), Ok(()));
    assert_eq!(says(READER, reads(last)), Ok(()));
    assert!(says(READER, reads(last + 1)).is_err());
    // This node's own choice is the oldest reader.
    for op in [5, 6] {
        assert_eq!(says(WRITER, post(op, false, vec![(0, write(plain, &[]))])), Ok(()));
    }
    assert_eq!(says(READER, reads(last + 1)), Ok(()));
    // Nobody else is counted.
    assert_eq!(scene.machine.home.standing(PEER), 0);
    assert_eq!(scene.machine.home.standing(READER), MOST_OPERATIONS);
}

#[test]
fn a_program_begins_no_more_operations_than_the_other_takes() {
    let mut scene = scene();
    let far = scene.far;
    let is_there = |scene: &Scene| {
        let ops = scene.machine.owner.ops.iter();
        ops.filter(|(_, op)| op.is_at(HOME)).count()
    };
    for _ in is_there(&scene)..MOST_OPERATIONS {
        scene.machine.begin(Few::one((0, read(far))), false, &mut scene.out);
    }
    assert!(scene.out.events.is_empty() && is_there(&scene) == MOST_OPERATIONS);
    scene.out.send.clear();
    // One more fails at once, and the other program does not hear of it.
    for guards in [vec![(0, write(far, &[]))], vec![(0, read(scene.plain)), (1, read(far))]] {
        let guard = guards.len() as u16 - 1;
        let op = scene.machine.begin(Few::from(guards), false, &mut scene.out);
        let event = scene.out.events.pop().expect("an end");
        let ending = Ending::Poisoned(());
        assert_eq!(event.op, op);
        assert_eq!(event.outcome, Outcome::Ended { guard, ending, fate: Fate::Returned });
        assert!(scene.out.send.is_empty() && scene.out.events.is_empty());
    }
    // Operations at home go on, and so do those there when one has ended.
    scene.machine.begin(Few::one((0, read(scene.plain))), false, &mut scene.out);
    assert!(scene.out.events.is_empty());
    let ended = Message::Done {
        op: scene.reads,
        guard: 0,
        channel: far.index,
        parcel: Some(parcel(7, &[])),
    };
    assert_eq!(scene.machine.handle(HOME, ended, &mut scene.out), Ok(()));
    scene.out.events.clear();
    scene.machine.begin(Few::one((0, read(far))), false, &mut scene.out);
    assert!(scene.out.events.is_empty() && is_there(&scene) == MOST_OPERATIONS);
}

/// The count is that of the operations that stand, whatever is said and begun.
#[test]
fn what_stands_is_counted() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let mut scene = scene();
        scene.machine.met_by_address(WRITER, (), ());
        for _ in 0..200 {
            let from = [READER, WRITER, PEER, HOME][random.below(4)];
            match random.below(40) {
                0 => scene.machine.shun(from, &mut scene.out),
                1..5 => {
                    let guards = vec![(0, read(scene.plain)), (1, read(scene.far))];
                    scene.machine.begin(Few::from(guards), false, &mut scene.out);
                }
                _ => {
                    let message = scene.draw(&mut random);
                    let _ = scene.machine.handle(from, message, &mut scene.out);
                }
            }
            scene.out.send.clear();
            scene.out.events.clear();
            for (node, counted) in &scene.machine.home.crossing.peers {
                assert_eq!(*counted, scene.machine.home.standing(*node), "{node:?}, seed {seed}");
            }
        }
    }
}
