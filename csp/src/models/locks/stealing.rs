//! Data of one thread that others take from, and the count of the threads that are awake while they do.

use super::*;
use crate::sync::AtomicUsize;
use crate::sync::stealing::Stealing;

/// A mistake, and a model that finds it.
const MISTAKES: [(&str, &str); 6] = [
    ("the owner passes no barrier", "one_takes_from_an_owner"),
    ("the owner does not look", "one_takes_from_an_owner"),
    ("the thief passes no barrier", "one_takes_from_an_owner"),
    ("the thief does not wait", "one_takes_from_an_owner"),
    ("taken back early", "one_takes_from_an_owner"),
    // A thief counts as awake when it has taken something, and not before.
    ("counted after", "nobody_is_asleep_while_work_is_under_way"),
];

/// Each of these threads takes half of what it finds, rounded up. The owner takes the rest, one by one.
fn explore_queue(thieves: usize, work: u32, bound: usize) {
    let seen = check(bound, move |judge| {
        let queue = Arc::new(Stealing::new((0..work).collect::<Vec<_>>()));
        let thieves: Vec<_> = (0..thieves)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || queue.take(|queue| queue.split_off(queue.len() / 2)))
            })
            .collect();
        let mut done = Vec::new();
        while let Some(one) = { queue.own().pop() } {
            done.push(one);
        }
        thieves.into_iter().for_each(|thief| done.extend(thief.join().unwrap()));
        done.sort_unstable();
        judge(done);
    });
    assert_eq!(seen, BTreeSet::from([(0..work).collect()]), "each is done once");
}

#[test]
fn one_takes_from_an_owner() {
    explore_queue(1, 3, 5);
}

#[test]
fn two_take_from_an_owner() {
    explore_queue(2, 3, 3);
}

/// A scheduler that calls a sleeping thief, and goes to sleep when nothing is left. A third thread looks meanwhile: if nobody is
/// awake, all is done.
#[test]
fn nobody_is_asleep_while_work_is_under_way() {
    struct Crew {
        queue: Stealing<u32>,
        awake: AtomicUsize,
        done: AtomicUsize,
    }
    let seen = check(4, |judge| {
        let (awake, done) = (AtomicUsize::new(1), AtomicUsize::new(0));
        let crew = Arc::new(Crew { queue: Stealing::new(2), awake, done });
        let (thief, watch) = (Arc::clone(&crew), Arc::clone(&crew));
        let (calls, called) = loom::sync::mpsc::channel();
        let thief = thread::spawn(move || {
            called.recv().unwrap();
            let taken = thief.queue.take(std::mem::take);
            if is_planted("counted after") {
                thief.awake.fetch_add(1, Ordering::SeqCst);
            }
            thief.done.fetch_add(taken as usize, Ordering::SeqCst);
            thief.awake.fetch_sub(1, Ordering::SeqCst);
        });
        let watch = thread::spawn(move || {
            if watch.awake.load(Ordering::SeqCst) == 0 {
                assert_eq!(watch.done.load(Ordering::SeqCst), 2, "nobody was awake");
            }
        });
        if !is_planted("counted after") {
            crew.awake.fetch_add(1, Ordering::SeqCst);
        }
        calls.send(()).unwrap();
        let one = |left: &mut u32| std::mem::replace(left, left.saturating_sub(1));
        while one(&mut crew.queue.own()) > 0 {
            crew.done.fetch_add(1, Ordering::SeqCst);
        }
        crew.awake.fetch_sub(1, Ordering::SeqCst);
        [thief, watch].into_iter().for_each(|thread| thread.join().unwrap());
        judge(crew.done.load(Ordering::SeqCst));
    });
    assert_eq!(seen, BTreeSet::from([2]));
}

#[test]
fn each_mistake_is_found() {
    all_are_found(module_path!(), &MISTAKES);
}
