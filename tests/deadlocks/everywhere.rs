//! Networks of OS processes that start others, are busy with other things than channels, or hold coroutines and threads of
//! their own. No deadlock may be reported before the last of them sleeps.

use super::{Case, clean, deadlock, everywhere};
use csp::{Backend, Channel, Reader, Writer, multiprocess, parallel, process, spawn};
use csp_tests::Placement;
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    everywhere(deadlock(
        "a_grandchild_waits",
        a_grandchild_waits,
        &["below[0]", "below[1]", "below[2]"],
    )),
    everywhere(clean("a_grandchild_is_served", a_grandchild_is_served)),
    everywhere(deadlock(
        "many_in_a_child",
        many_in_a_child,
        &["below", "reads[0]", "reads[1]", "reads[2]", "reads[3]"],
    )),
    everywhere(clean("one_of_many_in_a_child_sleeps", one_of_many_in_a_child_sleeps)),
    everywhere(clean("a_child_is_busy", a_child_is_busy)),
    everywhere(clean("a_child_dies", a_child_dies)),
    everywhere(clean("children_one_after_another", children_one_after_another)),
];

/// Waits in an OS process below `depth` others.
#[multiprocess]
fn below(depth: u32, input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    if depth > 0 {
        let next =
            below(depth - 1, input.clone(), output.clone()).named(format!("below[{}]", depth - 1));
        let next = spawn(next.on(Backend::Subprocess));
        let value = input.read()?;
        output.write(value)?;
        return next.join();
    }
    let value = input.read()?;
    Ok(output.write(value)?)
}

fn a_grandchild_waits(backend: &Placement) {
    let (a, b) = (Channel::new().named("a"), Channel::new().named("b"));
    let (_to, _from) = (a.writer(), b.reader());
    let _ = parallel!(backend.place(below(2, a.reader(), b.writer()).named("below[2]")));
}

fn a_grandchild_is_served(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let (to, from) = (a.writer(), b.reader());
    let all = spawn(backend.place(below(2, a.reader(), b.writer())));
    drop((a, b));
    for value in 0..3 {
        to.write(value).unwrap();
        assert_eq!(from.read(), Ok(value));
    }
    assert_eq!(all.join(), Ok(()));
}

#[process]
fn reads(input: Reader<u32>) -> csp::Result<u32> {
    input.read()
}

/// Runs coroutines or threads in a child. One of them may sleep before it writes.
#[multiprocess]
fn holds(input: Reader<u32>, count: usize, pause: Option<Duration>) -> csp::Result {
    let kept = Channel::<u32>::new();
    let own = kept.writer();
    let all = spawn(count * reads(kept.reader()));
    if let Some(pause) = pause {
        csp::sleep(pause);
        (0..count as u32).try_for_each(|value| own.write(value))?;
    }
    input.read()?;
    all.into_iter().try_for_each(|one| one.join().map(drop))
}

fn many_in_a_child(backend: &Placement) {
    let a = Channel::new();
    let _to = a.writer();
    let _ = parallel!(backend.place(holds(a.reader(), 4, None).named("below")));
}

fn one_of_many_in_a_child_sleeps(backend: &Placement) {
    let a = Channel::new();
    let to = a.writer();
    let holds = spawn(backend.place(holds(a.reader(), 4, Some(Duration::from_millis(3)))));
    to.write(1).unwrap();
    assert_eq!(holds.join(), Ok(()));
}

/// Is busy with something other than channels, and then writes.
#[multiprocess]
fn is_busy(how: u32, output: Writer<u32>) -> csp::Result {
    let long = Duration::from_millis(4);
    match how {
        0 => std::thread::sleep(long),
        1 => csp::io(move || std::thread::sleep(long)),
        2 => csp::compute(move || std::thread::sleep(long)),
        3 => csp::sleep(long),
        _ => std::thread::spawn(move || std::thread::sleep(long)).join().expect("it only sleeps"),
    }
    Ok(output.write(how)?)
}

fn a_child_is_busy(backend: &Placement) {
    for how in 0..5 {
        let a = Channel::new();
        let from = a.reader();
        let busy = spawn(backend.place(is_busy(how, a.writer())));
        drop(a);
        assert_eq!(from.read(), Ok(how));
        assert_eq!(busy.join(), Ok(()));
    }
}

#[multiprocess]
fn dies(_output: Writer<u32>) {
    // A panic would be reported to the parent, but an abort is not.
    std::process::abort();
}

/// Lets a child die. The processes that wait for it learn that, and no deadlock is reported.
fn a_child_dies(_: &Placement) {
    let a = Channel::new();
    let from = a.reader();
    let dies = spawn(dies(a.writer()).on(Backend::Subprocess));
    drop(a);
    assert!(from.read().is_err_and(|end| !format!("{end:#}").contains("deadlock")));
    assert!(dies.try_join().is_err_and(|failure| failure.deadlock().is_none()));
}

fn children_one_after_another(backend: &Placement) {
    for value in 0..5 {
        let (a, b) = (Channel::new(), Channel::new());
        let (to, from) = (a.writer(), b.reader());
        let child = spawn(backend.place(below(0, a.reader(), b.writer())));
        drop((a, b));
        to.write(value).unwrap();
        assert_eq!((from.read(), child.join()), (Ok(value), Ok(())));
    }
}
