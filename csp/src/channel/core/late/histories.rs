//! All short histories of some readers and writers, and many long ones.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};

use super::steps::{Begun, Cast, Step, World};
use crate::models::{all_are_found, are_spare};

/// A mistake, and a test that finds it.
const MISTAKES: [(&str, &str); 19] = [
    ("the next is not told", "short_histories"),
    ("nobody is told", "short_histories"),
    ("more values than readers", "short_histories"),
    ("a value for a later reader", "short_histories"),
    ("an end tells nobody", "short_histories"),
    ("a reader goes before one that was told", "long_histories"),
    ("one whose thread ends stands again", "long_histories"),
    ("readers that stood before stay in the queue", "short_histories_before_there_are_lines"),
    ("readers that stood before are not counted", "short_histories_before_there_are_lines"),
    ("nobody looks for the owner's readers", "short_histories_while_a_thread_owns_the_lock"),
    ("a choice lets all go before it", "short_histories_of_choices_and_writers"),
    ("a reader takes what a writer kept for others", "long_histories"),
    ("a writer overtakes", "long_histories"),
    ("a line is not told of a writer", "long_histories"),
    ("nobody notes when a reader came to the queue", "short_histories_of_choices_and_writers"),
    ("a line is passed for ever", "a_line_is_passed_by_64_values"),
    ("told in vain, it lets the next go first", "long_histories_of_unsure_writers"),
    (
        "one whose writer has made nothing looks for no value ahead",
        "long_histories_of_unsure_writers",
    ),
    ("one that stands again goes to the head", "long_histories_of_unsure_writers"),
];

/// Plain readers. No writer waits.
const PLAIN: Cast = Cast { readers: &[1, 1, 1, 2, 3], choices: 5, writers: 0, unsure: false };

/// Two choices beside plain readers, and writers that wait.
const MIXED: Cast = Cast { readers: &[1, 1, 2, 2, 3], choices: 3, writers: 2, unsure: false };

/// The same, and choices that write.
const UNSURE: Cast = Cast { unsure: true, ..MIXED };

/// Threads end in the last steps only, because there are too many histories otherwise.
const SHORTEST: usize = 1;

/// Runs this in a model, because all that it uses belongs to models. It has one thread.
fn in_a_model<R: Send + 'static>(run: impl Fn() -> R + Send + Sync + 'static) -> R {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 4_000;
    let result = Arc::new(Mutex::new(None));
    let found = Arc::clone(&result);
    builder.check(move || *found.lock().unwrap() = Some(run()));
    result.lock().unwrap().take().expect("it ran")
}

/// Plays a history, and returns the steps that could follow.
fn play(begun: Begun, cast: Cast, history: &[Step]) -> Vec<Step> {
    let history = history.to_vec();
    in_a_model(move || {
        let mut world = World::new(begun, cast);
        history.iter().for_each(|step| world.step(*step));
        let next = world.possible();
        world.finish();
        next
    })
}

fn explore(begun: Begun, cast: Cast, history: &mut Vec<Step>, depth: usize) {
    let played = catch_unwind(AssertUnwindSafe(|| play(begun, cast, history)));
    let next = played.unwrap_or_else(|panic| {
        eprintln!("after {history:?}");
        resume_unwind(panic)
    });
    if depth == 0 {
        return;
    }
    for step in next {
        if matches!(step, Step::Dismiss { .. }) && depth > SHORTEST {
            continue;
        }
        // The readers of one scheduler are alike, so they begin in their order.
        let alike = |reader: usize| {
            reader > 0 && reader != cast.choices && cast.readers[reader - 1] == cast.readers[reader]
        };
        if matches!(step, Step::Read(n) if alike(n) && !history.contains(&Step::Read(n - 1))) {
            continue;
        }
        history.push(step);
        explore(begun, cast, history, depth - 1);
        history.pop();
    }
}

#[test]
fn short_histories() {
    explore(Begun::AtOnce, PLAIN, &mut Vec::new(), 7);
}

#[test]
fn short_histories_before_there_are_lines() {
    explore(Begun::Later, PLAIN, &mut Vec::new(), 6);
}

#[test]
fn short_histories_while_a_thread_owns_the_lock() {
    explore(Begun::Owned, PLAIN, &mut Vec::new(), 6);
}

#[test]
fn short_histories_of_choices_and_writers() {
    explore(Begun::AtOnce, MIXED, &mut Vec::new(), 6);
    explore(Begun::Later, MIXED, &mut Vec::new(), 5);
}

#[test]
fn short_histories_of_unsure_writers() {
    explore(Begun::AtOnce, UNSURE, &mut Vec::new(), 5);
    explore(Begun::Later, UNSURE, &mut Vec::new(), 5);
}

#[test]
fn long_histories() {
    play_long(5_000, &[MIXED, PLAIN]);
}

#[test]
fn long_histories_of_unsure_writers() {
    play_long(5_000, &[UNSURE]);
}

fn play_long(count: u64, casts: &'static [Cast]) {
    for seed in 1..count {
        in_a_model(move || {
            let begun = [Begun::AtOnce, Begun::Later, Begun::Owned][seed as usize % 3];
            let cast = casts[(seed + 1) as usize % casts.len()];
            // The first numbers after a small seed are small.
            let (mut world, mut random) =
                (World::new(begun, cast), seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            for _ in 0..60 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let mut steps = world.possible();
                // An end would make the rest short.
                steps.retain(|step| *step != Step::End || random % 64 == 0);
                let ends = (random >> 40) % 8 == 0;
                steps.retain(|step| ends || !matches!(step, Step::Dismiss { .. }));
                if steps.is_empty() {
                    break;
                }
                let step = steps[(random >> 8) as usize % steps.len()];
                world.step(step);
            }
            world.finish();
        });
    }
}

/// The second scheduler is spare whenever a value comes, and the first one never is.
#[test]
fn a_line_is_passed_by_64_values() {
    in_a_model(|| {
        let mut world = World::new(Begun::AtOnce, PLAIN);
        let (waits, goes_on) = (0, 3);
        world.step(Step::Read(waits));
        for _ in 0..64 {
            world.step(Step::Read(goes_on));
            are_spare(&[2]);
            world.step(Step::Write);
            assert!(world.waits(waits), "it is served too early");
            world.step(Step::GoOn(goes_on));
        }
        world.step(Step::Read(goes_on));
        are_spare(&[2]);
        world.step(Step::Write);
        assert!(!world.waits(waits), "it is passed for ever");
        world.finish();
    });
}

#[test]
fn each_mistake_is_found() {
    all_are_found(module_path!(), &MISTAKES);
}
