//! Deadlocks of a part of a network, beside a ring that goes on. The library finds them only if it knows which process holds
//! which end. So the networks are made in processes, because the macro looks at their arguments and variables.

use super::{Case, clean, dawdle, deadlock};
use csp::{Alternation, Barrier, Channel, Process, Reader, Writer, alt, parallel, process, spawn};
use csp_tests::Placement;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The parent of the deadlock beside the ring. A parent that waits for deadlocked processes is deadlocked too.
pub(super) const ROOT: &str = "beside_a_ring";

pub(crate) const CASES: &[Case] = &[
    deadlock("partial_two_read", |b| run(b, two_read), &[ROOT, "two_read", "reads[0]", "reads[1]"]),
    clean("partial_one_writes", |b| run(b, one_writes)),
    deadlock("partial_of_one", |b| run(b, of_one), &[ROOT, "of_one", "reads"]),
    deadlock(
        "partial_unused_writer",
        |b| run(b, unused_writer),
        &[ROOT, "unused_writer", "holds", "reads"],
    ),
    deadlock("partial_buffers", |b| run(b, buffers), &[ROOT, "buffers", "fills[0]", "fills[1]"]),
    clean("partial_buffers_with_room", |b| run(b, buffers_with_room)),
    deadlock(
        "partial_choices",
        |b| run(b, choices),
        &[ROOT, "choices", "chooses[0]", "chooses[1]"],
    ),
    clean("partial_choice_with_a_way_out", |b| run(b, choice_with_a_way_out)),
    clean("partial_choice_with_a_deadline", |b| run(b, choice_with_a_deadline)),
    deadlock("partial_barriers", |b| run(b, barriers), &[ROOT, "barriers", "meets[0]", "meets[1]"]),
    clean("partial_barriers_in_order", |b| run(b, barriers_in_order)),
    deadlock(
        "partial_enrolled_parent",
        |b| run(b, enrolled_parent),
        &[ROOT, "enrolled_parent", "walks[0]", "walks[1]"],
    ),
    clean("partial_late_parent", |b| run(b, late_parent)),
    deadlock("partial_early_join", |b| run(b, early_join), &[ROOT, "early_join", "reads"]),
    deadlock(
        "partial_starving_farm",
        |b| run(b, starving_farm),
        &[ROOT, "starving_farm", "source", "works[0]", "works[1]", "works[2]"],
    ),
    clean("partial_farm", |b| run(b, farm)),
    clean("partial_sleeper", |b| run(b, sleeper)),
    deadlock(
        "partial_with_a_daemon",
        |b| run(b, with_a_daemon),
        &[ROOT, "with_a_daemon", "reads[0]", "reads[1]", "strays"],
    ),
    clean("partial_daemons_alone", |b| run(b, daemons_alone)),
    deadlock("partial_own_read", |b| run(b, own_read), &[ROOT, "own_read"]),
    deadlock(
        "partial_retirement",
        |b| run(b, retirement),
        &[ROOT, "retirement", "outlasts[0]", "outlasts[1]"],
    ),
    deadlock("partial_generic", |b| run(b, generic), &[ROOT, "generic", "relays[0]", "relays[1]"]),
    deadlock(
        "partial_mobile_end",
        |b| run(b, mobile_end),
        &[ROOT, "mobile_end", "takes", "gives", "reads"],
    ),
    clean("partial_mobile_end_in_use", |b| run(b, mobile_end_in_use)),
    deadlock(
        "partial_philosophers",
        |b| run(b, philosophers),
        &[ROOT, "philosophers", "philosopher[0]", "philosopher[1]", "fork[0]", "fork[1]"],
    ),
];

/// Ends the ring when it is dropped.
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Waits until the parents wait, because they are to be found too. A part of a deadlock may be found as soon as it is one.
    pub(super) fn until_parents_wait(&self) {
        until_blocked(&format!("/{ROOT}"));
    }
}

fn until_blocked(path: &str) {
    let blocked = format!("{path}: blocked");
    while !csp::network().to_string().contains(&blocked) {
        csp::sleep(Duration::from_millis(1));
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

type Part = fn(Placement, Stop) -> Process<(Placement, Stop), ()>;

pub(super) fn run(backend: &Placement, part: Part) {
    parallel!(backend.place(beside_a_ring(backend.clone(), part)));
}

#[process]
fn beside_a_ring(backend: Placement, part: Part) {
    let (a, b) = (Channel::new(), Channel::new());
    let stop = Arc::new(AtomicBool::new(false));
    let part = part(backend.clone(), Stop(stop.clone())).stack(128 << 10);
    let _ = parallel!(
        backend.place(part),
        backend.place(rings(a.reader(), b.writer(), Some(stop))),
        backend.place(rings(b.reader(), a.writer(), None)),
    );
}

#[process]
fn rings(input: Reader<u32>, output: Writer<u32>, stop: Option<Arc<AtomicBool>>) -> csp::Result {
    if stop.is_some() {
        output.write(0)?;
    }
    loop {
        let value = input.read()?;
        if let Some(stop) = &stop {
            csp::sleep(Duration::from_micros(100));
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
        output.write(value + 1)?;
    }
}

#[process]
fn reads(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    dawdle();
    let value = input.read()?;
    dawdle();
    Ok(output.write(value)?)
}

#[process]
fn writes(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    dawdle();
    output.write(1)?;
    dawdle();
    input.read()?;
    Ok(())
}

#[process]
fn two_read(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let (a, b) = (Channel::new(), Channel::new());
    let _ = parallel!(
        backend.place(reads(a.reader(), b.writer()).named("reads[0]")),
        backend.place(reads(b.reader(), a.writer()).named("reads[1]")),
    );
}

#[process]
fn one_writes(backend: Placement, _stop: Stop) {
    let (a, b) = (Channel::new(), Channel::new());
    let (one, other) = parallel!(
        backend.place(reads(a.reader(), b.writer())),
        backend.place(writes(b.reader(), a.writer())),
    );
    assert_eq!((one, other), (Ok(()), Ok(())));
}

#[process]
fn of_one(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let own = Channel::new();
    let _ = parallel!(backend.place(reads(own.reader(), own.writer())));
}

#[process]
fn holds(_never_used: Writer<u32>, input: Reader<u32>) -> csp::Result {
    input.read()?;
    Ok(())
}

#[process]
fn unused_writer(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let (a, b) = (Channel::new(), Channel::new());
    let _ = parallel!(
        backend.place(reads(a.reader(), b.writer())),
        backend.place(holds(a.writer(), b.reader())),
    );
}

#[process]
fn fills(input: Reader<u32>, output: Writer<u32>, count: u32) -> csp::Result {
    for n in 0..count {
        dawdle();
        output.write(n)?;
    }
    for _ in 0..count {
        input.read()?;
    }
    Ok(())
}

fn filled(backend: &Placement, a: &Channel<u32>, b: &Channel<u32>, count: u32) {
    let _ = parallel!(
        backend.place(fills(a.reader(), b.writer(), count).named("fills[0]")),
        backend.place(fills(b.reader(), a.writer(), count).named("fills[1]")),
    );
}

#[process]
fn buffers(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let (a, b) = (Channel::buffered(3), Channel::buffered(3));
    filled(&backend, &a, &b, 4);
}

#[process]
fn buffers_with_room(backend: Placement, _stop: Stop) {
    let (a, b) = (Channel::buffered(3), Channel::buffered(3));
    filled(&backend, &a, &b, 3);
}

#[process]
fn chooses(inputs: Vec<Reader<u32>>, _outputs: Vec<Writer<u32>>) -> csp::Result<u32> {
    let mut choice = Alternation::new();
    for input in &inputs {
        choice.read(input, |value| value);
    }
    choice.choose()
}

fn writers(of: &[Channel<u32>]) -> Vec<Writer<u32>> {
    of.iter().map(Channel::writer).collect()
}

fn readers(of: &[Channel<u32>]) -> Vec<Reader<u32>> {
    of.iter().map(Channel::reader).collect()
}

#[process]
fn choices(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let (a, b) = (3 * Channel::new(), 2 * Channel::new());
    let _ = parallel!(
        backend.place(chooses(readers(&a), writers(&b)).named("chooses[0]")),
        backend.place(chooses(readers(&b), writers(&a)).named("chooses[1]")),
    );
}

#[process]
fn comes_late(output: Writer<u32>) -> csp::Result {
    csp::sleep(Duration::from_millis(3));
    Ok(output.write(5)?)
}

#[process]
fn choice_with_a_way_out(backend: Placement, _stop: Stop) {
    let (a, b) = (3 * Channel::new(), 2 * Channel::new());
    let (one, other, _) = parallel!(
        backend.place(chooses(readers(&a), writers(&b))),
        backend.place(chooses(readers(&b), Vec::new())),
        backend.place(comes_late(a[2].writer())),
    );
    assert_eq!(one, Ok(5));
    // The first process has ended, and with it the writers.
    assert_eq!(other, Err(csp::Termination::Retired));
}

#[process]
fn chooses_for_a_while(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    let waited = alt! {
        _ = input.read() => false,
        after(Duration::from_millis(3)) => true,
    }?;
    assert!(waited);
    Ok(output.write(1)?)
}

#[process]
fn choice_with_a_deadline(backend: Placement, _stop: Stop) {
    let (a, b) = (Channel::new(), Channel::new());
    let (one, _) = parallel!(
        backend.place(chooses_for_a_while(a.reader(), b.writer())),
        backend.place(reads(b.reader(), a.writer())),
    );
    assert_eq!(one, Ok(()));
}

#[process]
fn meets(first: Barrier, second: Barrier) {
    dawdle();
    first.sync();
    dawdle();
    second.sync();
}

#[process]
fn barriers(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let (a, b) = (Barrier::new(), Barrier::new());
    let (one, other) = (
        backend.place(meets(a.enrol(), b.enrol()).named("meets[0]")),
        backend.place(meets(b.enrol(), a.enrol()).named("meets[1]")),
    );
    a.resign();
    b.resign();
    parallel!(one, other);
}

#[process]
fn barriers_in_order(backend: Placement, _stop: Stop) {
    let (a, b) = (Barrier::new(), Barrier::new());
    let (one, other) =
        (backend.place(meets(a.enrol(), b.enrol())), backend.place(meets(a.enrol(), b.enrol())));
    a.resign();
    b.resign();
    parallel!(one, other);
}

#[process]
fn walks(steps: Barrier) {
    for _ in 0..3 {
        dawdle();
        steps.sync();
    }
}

#[process]
fn enrolled_parent(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let steps = Barrier::new();
    parallel!(backend.replicas(2, walks(steps.enrol())));
    steps.resign();
}

#[process]
fn late_parent(backend: Placement, _stop: Stop) {
    let steps = Barrier::new();
    let walkers = spawn(backend.replicas(2, walks(steps.enrol())));
    csp::sleep(Duration::from_millis(2));
    for _ in 0..3 {
        steps.sync();
    }
    walkers.into_iter().for_each(|walker| walker.join());
}

#[process]
fn early_join(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let (a, b) = (Channel::new(), Channel::new());
    let to = a.writer();
    let reads = spawn(backend.place(reads(a.reader(), b.writer())));
    let _ = reads.join();
    let _ = to.write(1);
}

#[process]
fn works(jobs: Reader<u32>, results: Writer<u32>) -> csp::Result {
    loop {
        dawdle();
        results.write(jobs.read()?)?;
    }
}

/// Waits for a result before it has written all the jobs that are expected.
#[process]
fn source(jobs: Writer<u32>, results: Reader<u32>, sink: Reader<u32>) -> csp::Result {
    jobs.write(1)?;
    results.read()?;
    sink.read()?;
    Ok(())
}

#[process]
fn starving_farm(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let (jobs, results, sink) = (Channel::new(), Channel::new(), Channel::new());
    let _kept = sink.writer();
    let _ = parallel!(
        backend.place(source(jobs.writer(), results.reader(), sink.reader())),
        backend.replicas(3, works(jobs.reader(), results.writer())),
    );
}

#[process]
fn numbers(out: Writer<u32>, count: u32) -> csp::Result {
    for n in 0..count {
        dawdle();
        out.write(n)?;
    }
    Ok(())
}

#[process]
fn sums(input: Reader<u32>) -> u32 {
    input.iter().sum()
}

#[process]
fn farm(backend: Placement, _stop: Stop) {
    let (jobs, results) = (Channel::new(), Channel::new());
    let (to, from) = (jobs.writer(), results.reader());
    let workers = backend.replicas(3, works(jobs.reader(), results.writer()));
    drop(jobs);
    drop(results);
    let all = parallel!(backend.place(numbers(to, 5)), workers, backend.place(sums(from)),);
    assert_eq!(all.2, 10);
}

#[process]
fn sleeper(backend: Placement, _stop: Stop) {
    let channel = Channel::new();
    let (_, read) = parallel!(
        backend.place(comes_late(channel.writer())),
        backend.place(chooses(vec![channel.reader()], Vec::new())),
    );
    assert_eq!(read, Ok(5));
}

#[process]
fn strays(input: Reader<u32>) {
    let _ = input.read();
}

#[process]
fn with_a_daemon(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let (a, b, c) = (Channel::new(), Channel::new(), Channel::new());
    let stray = c.writer();
    let daemon = spawn(backend.place(strays(c.reader())).daemon());
    until_blocked("/strays (daemon)");
    let _ = parallel!(
        backend.place(reads(a.reader(), b.writer()).named("reads[0]")),
        backend.place(reads(b.reader(), a.writer()).named("reads[1]")),
    );
    stray.retire();
    daemon.join();
}

#[process]
fn daemons_alone(backend: Placement, _stop: Stop) {
    let (a, b) = (Channel::new(), Channel::new());
    let one = spawn(backend.place(reads(a.reader(), b.writer())).daemon());
    let other = spawn(backend.place(reads(b.reader(), a.writer())).daemon());
    csp::sleep(Duration::from_millis(2));
    let ended = one.has_ended() || other.has_ended();
    // The daemons are let go, because a round may leave none behind.
    a.reader().poison("over");
    b.reader().poison("over");
    assert!(!ended);
    drop((one.join(), other.join()));
}

#[process]
fn own_read(_backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let own = Channel::<u32>::new();
    let (input, _output) = (own.reader(), own.writer());
    let _ = input.read();
}

#[process]
fn outlasts(_own: Writer<u32>, other: Reader<u32>) -> csp::Result {
    alt! { retired(other) => () }
}

#[process]
fn retirement(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let (a, b) = (Channel::new(), Channel::new());
    let _ = parallel!(
        backend.place(outlasts(a.writer(), b.reader()).named("outlasts[0]")),
        backend.place(outlasts(b.writer(), a.reader()).named("outlasts[1]")),
    );
}

#[process]
fn relays<T: Send + 'static>(input: Reader<T>, (output, count): (Writer<T>, usize)) -> csp::Result {
    for _ in 0..count {
        output.write(input.read()?)?;
    }
    Ok(())
}

#[process]
fn generic(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let (a, b) = (Channel::<String>::new(), Channel::<String>::new());
    let _ = parallel!(
        backend.place(relays(a.reader(), (b.writer(), 3)).named("relays[0]")),
        backend.place(relays(b.reader(), (a.writer(), 3)).named("relays[1]")),
    );
}

/// Gets its end while it runs already, and starts a process, which then holds the end.
#[process]
fn takes(backend: Placement, ends: Reader<Reader<u32>>, other: Writer<u32>) -> csp::Result {
    let end = ends.read()?;
    let _ = parallel!(backend.place(reads(end, other)));
    Ok(())
}

#[process]
fn gives(ends: Writer<Reader<u32>>, a: Channel<u32>, answer: Reader<u32>) -> csp::Result {
    ends.write(a.reader())?;
    answer.read()?;
    Ok(())
}

#[process]
fn mobile_end(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let (ends, a, answer) = (Channel::new(), Channel::new(), Channel::new());
    let _kept = a.writer();
    let _ = parallel!(
        backend.place(takes(backend.clone(), ends.reader(), answer.writer())),
        backend.place(gives(ends.writer(), a.clone(), answer.reader())),
    );
}

#[process]
fn gives_and_writes(
    ends: Writer<Reader<u32>>,
    a: Channel<u32>,
    answer: Reader<u32>,
) -> csp::Result {
    let to = a.writer();
    ends.write(a.reader())?;
    dawdle();
    to.write(1)?;
    answer.read()?;
    Ok(())
}

#[process]
fn mobile_end_in_use(backend: Placement, _stop: Stop) {
    let (ends, a, answer) = (Channel::new(), Channel::new(), Channel::new());
    let (_, gave) = parallel!(
        backend.place(takes(backend.clone(), ends.reader(), answer.writer())),
        backend.place(gives_and_writes(ends.writer(), a.clone(), answer.reader())),
    );
    assert_eq!(gave, Ok(()));
}

#[process]
fn fork(take: Writer<()>, put: Reader<()>) -> csp::Result {
    loop {
        take.write(())?;
        put.read()?;
    }
}

#[process]
fn philosopher(
    first: (Reader<()>, Writer<()>),
    (second, back): (Reader<()>, Writer<()>),
    pause: Barrier,
) -> csp::Result {
    let (take, put) = (first.0.clone(), first.1.clone());
    take.read()?;
    pause.sync();
    second.read()?;
    back.write(())?;
    Ok(put.write(())?)
}

#[process]
fn philosophers(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let (take, put) = (2 * Channel::new(), 2 * Channel::new());
    let pause = Barrier::new();
    let (one, other) = (
        philosopher(
            (take[0].reader(), put[0].writer()),
            (take[1].reader(), put[1].writer()),
            pause.enrol(),
        ),
        philosopher(
            (take[1].reader(), put[1].writer()),
            (take[0].reader(), put[0].writer()),
            pause.enrol(),
        ),
    );
    pause.resign();
    let _ = parallel!(
        backend.place(one.named("philosopher[0]")),
        backend.place(other.named("philosopher[1]")),
        backend.place(fork(take[0].writer(), put[0].reader()).named("fork[0]")),
        backend.place(fork(take[1].writer(), put[1].reader()).named("fork[1]")),
    );
}
