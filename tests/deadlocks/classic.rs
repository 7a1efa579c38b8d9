//! Well-known deadlocks, each beside a network of the same kind that is free of it.

use super::{Case, clean, dawdle, deadlock, everywhere};
use csp::{
    Alternation, Barrier, Bucket, Channel, Reader, Writer, alt, multiprocess, parallel, process,
    spawn,
};
use csp_tests::Placement;
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    everywhere(deadlock(
        "crossed_channels",
        crossed_channels,
        &["reads_first[0]", "reads_first[1]"],
    )),
    everywhere(clean("one_writes_first", one_writes_first)),
    everywhere(deadlock(
        "both_write_first",
        both_write_first,
        &["writes_first[0]", "writes_first[1]"],
    )),
    deadlock(
        "philosophers_all_left_handed",
        philosophers_all_left_handed,
        &["fork[0]", "fork[1]", "fork[2]", "philosopher[0]", "philosopher[1]", "philosopher[2]"],
    ),
    clean("a_philosopher_is_right_handed", a_philosopher_is_right_handed),
    everywhere(deadlock(
        "a_ring_without_a_token",
        a_ring_without_a_token,
        &["node[0]", "node[1]", "node[2]"],
    )),
    everywhere(clean("a_ring_with_a_token", a_ring_with_a_token)),
    everywhere(deadlock(
        "a_ring_full_of_values",
        a_ring_full_of_values,
        &["feeds[0]", "feeds[1]", "feeds[2]"],
    )),
    everywhere(clean("a_ring_with_room", a_ring_with_room)),
    everywhere(deadlock("a_missing_writer", a_missing_writer, &["reads_first"])),
    everywhere(clean("a_writer_that_comes", a_writer_that_comes)),
    everywhere(deadlock(
        "a_process_writes_to_itself",
        a_process_writes_to_itself,
        &["writes_to_itself"],
    )),
    everywhere(clean("a_process_buffers_for_itself", a_process_buffers_for_itself)),
    everywhere(deadlock("a_choice_of_itself", a_choice_of_itself, &["chooses_itself"])),
    everywhere(clean("a_choice_with_a_partner", a_choice_with_a_partner)),
    everywhere(deadlock(
        "choices_that_never_meet",
        choices_that_never_meet,
        &["chooses[0]", "chooses[1]"],
    )),
    everywhere(clean("choices_that_meet", choices_that_meet)),
    everywhere(deadlock("outputs_never_meet", outputs_never_meet, &["offers[0]", "offers[1]"])),
    everywhere(deadlock("all_results_last", all_results_last, &["squares[0]", "squares[1]"])),
    everywhere(clean("results_as_they_come", results_as_they_come)),
    deadlock("a_barrier_lacks_one", a_barrier_lacks_one, &["walks[0]", "walks[1]"]),
    clean("a_barrier_of_all", a_barrier_of_all),
    deadlock(
        "a_broken_barrier_in_a_destructor",
        a_broken_barrier_in_a_destructor,
        &["syncs_for_two"],
    ),
    deadlock("barriers_in_opposite_order", barriers_in_opposite_order, &["meets[0]", "meets[1]"]),
    clean("barriers_in_one_order", barriers_in_one_order),
    deadlock(
        "a_barrier_before_a_message",
        a_barrier_before_a_message,
        &["syncs_first", "writes_then_syncs"],
    ),
    clean("a_message_before_a_barrier", a_message_before_a_barrier),
    deadlock("a_bucket_that_nobody_flushes", a_bucket_that_nobody_flushes, &["falls_in"]),
    clean("a_bucket_that_is_flushed", a_bucket_that_is_flushed),
    everywhere(deadlock("a_join_before_the_message", a_join_before_the_message, &["reads_first"])),
    everywhere(clean("a_join_after_the_message", a_join_after_the_message)),
    deadlock("joins_in_a_circle", joins_in_a_circle, &["joins", "joins"]),
    everywhere(deadlock(
        "a_reply_end_in_the_wrong_hands",
        a_reply_end_in_the_wrong_hands,
        &["asks_twice", "answers_late"],
    )),
    everywhere(clean("a_reply_end_at_work", a_reply_end_at_work)),
    everywhere(deadlock(
        "a_reader_that_keeps_its_writer",
        a_reader_that_keeps_its_writer,
        &["keeps", "is_kept"],
    )),
    everywhere(clean("a_reader_that_lets_go", a_reader_that_lets_go)),
    everywhere(deadlock(
        "each_waits_for_the_others_end",
        each_waits_for_the_others_end,
        &["outlasts[0]", "outlasts[1]"],
    )),
    everywhere(clean("one_ends_first", one_ends_first)),
    everywhere(deadlock(
        "clients_and_servers_in_a_circle",
        clients_and_servers_in_a_circle,
        &["serves[0]", "serves[1]", "serves[2]"],
    )),
    everywhere(clean("clients_and_servers_in_a_line", clients_and_servers_in_a_line)),
    deadlock("nested_networks", nested_networks, &["inner", "outer", "reads_first"]),
    everywhere(deadlock(
        "an_output_that_is_never_made",
        an_output_that_is_never_made,
        &["reads_first", "makes_late"],
    )),
];

#[multiprocess]
fn reads_first(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    dawdle();
    let value = input.read()?;
    dawdle();
    Ok(output.write(value + 1)?)
}

#[multiprocess]
fn writes_first(input: Reader<u32>, output: Writer<u32>) -> csp::Result<u32> {
    dawdle();
    output.write(1)?;
    dawdle();
    input.read()
}

fn crossed_channels(backend: &Placement) {
    let (a, b) = (Channel::new().named("a"), Channel::new().named("b"));
    let _ = parallel!(
        backend.place(reads_first(a.reader(), b.writer()).named("reads_first[0]")),
        backend.place(reads_first(b.reader(), a.writer()).named("reads_first[1]")),
    );
}

fn one_writes_first(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let (read, got) = parallel!(
        backend.place(reads_first(a.reader(), b.writer())),
        backend.place(writes_first(b.reader(), a.writer())),
    );
    assert_eq!((read, got), (Ok(()), Ok(2)));
}

fn both_write_first(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let _ = parallel!(
        backend.place(writes_first(a.reader(), b.writer()).named("writes_first[0]")),
        backend.place(writes_first(b.reader(), a.writer()).named("writes_first[1]")),
    );
}

/// Offers a fork. A philosopher takes it by a read, and puts it back by a write to the other channel.
#[multiprocess]
fn fork(take: Writer<()>, put: Reader<()>) -> csp::Result {
    loop {
        take.write(())?;
        put.read()?;
    }
}

type Hand = (Reader<()>, Writer<()>);

#[process]
fn philosopher(first: Hand, second: Hand, rounds: u32, pause: Option<Barrier>) -> csp::Result {
    for _ in 0..rounds {
        dawdle();
        first.0.read()?;
        if let Some(pause) = &pause {
            pause.sync();
        }
        dawdle();
        second.0.read()?;
        dawdle();
        first.1.write(())?;
        second.1.write(())?;
    }
    Ok(())
}

fn philosophers(backend: &Placement, right_handed: Option<usize>) {
    let count = 3;
    let (take, put) = (count * Channel::new(), count * Channel::new());
    let hand = |fork: usize| (take[fork % count].reader(), put[fork % count].writer());
    // Each philosopher has one fork before any takes the second.
    let pause = right_handed.is_none().then(Barrier::new);
    let guests: Vec<_> = (0..count)
        .map(|seat| {
            let (first, second) = match right_handed {
                Some(right) if right == seat => (hand(seat + 1), hand(seat)),
                _ => (hand(seat), hand(seat + 1)),
            };
            let guest = philosopher(first, second, 5, pause.clone());
            backend.place(guest.named(format!("philosopher[{seat}]")))
        })
        .collect();
    drop(pause);
    let forks: Vec<_> = (0..count)
        .map(|i| backend.place(fork(take[i].writer(), put[i].reader()).named(format!("fork[{i}]"))))
        .collect();
    drop((take, put));
    let _ = parallel!(guests, forks);
}

fn philosophers_all_left_handed(backend: &Placement) {
    philosophers(backend, None);
}

fn a_philosopher_is_right_handed(backend: &Placement) {
    philosophers(backend, Some(1));
}

#[multiprocess]
fn node(input: Reader<u32>, output: Writer<u32>, token: Option<u32>) -> csp::Result {
    if let Some(token) = token {
        output.write(token)?;
    }
    loop {
        dawdle();
        let token = input.read()?;
        if token == 0 {
            return Ok(());
        }
        output.write(token - 1)?;
    }
}

fn ring(backend: &Placement, token: Option<u32>) {
    let channels = 3 * Channel::new().named("link");
    let nodes: Vec<_> = (0..3)
        .map(|i| {
            let token = token.filter(|_| i == 0);
            let node = node(channels[i].reader(), channels[(i + 1) % 3].writer(), token);
            backend.place(node.named(format!("node[{i}]")))
        })
        .collect();
    let _ = parallel!(nodes);
}

fn a_ring_without_a_token(backend: &Placement) {
    ring(backend, None);
}

fn a_ring_with_a_token(backend: &Placement) {
    ring(backend, Some(20));
}

#[multiprocess]
fn feeds(input: Reader<u32>, output: Writer<u32>, values: u32, rounds: u32) -> csp::Result {
    for value in 0..values {
        output.write(value)?;
    }
    for _ in 0..rounds {
        dawdle();
        let value = input.read()?;
        output.write(value)?;
    }
    Ok(())
}

fn full_ring(backend: &Placement, values: u32) {
    let channels = 3 * Channel::buffered(2);
    let nodes: Vec<_> = (0..3)
        .map(|i| {
            let feeds = feeds(channels[i].reader(), channels[(i + 1) % 3].writer(), values, 5);
            backend.place(feeds.named(format!("feeds[{i}]")))
        })
        .collect();
    let _ = parallel!(nodes);
}

fn a_ring_full_of_values(backend: &Placement) {
    full_ring(backend, 3);
}

fn a_ring_with_room(backend: &Placement) {
    full_ring(backend, 1);
}

/// Keeps the writer and never writes, but waits for the reading process to end.
fn a_missing_writer(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let _kept = (a.writer(), b.reader());
    let _ = parallel!(backend.place(reads_first(a.reader(), b.writer())));
}

fn a_writer_that_comes(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let (to, from) = (a.writer(), b.reader());
    let reads = spawn(backend.place(reads_first(a.reader(), b.writer())));
    dawdle();
    to.write(1).unwrap();
    assert_eq!(from.read(), Ok(2));
    assert_eq!(reads.join(), Ok(()));
}

#[multiprocess]
fn writes_to_itself(capacity: usize) -> csp::Result<u32> {
    let own = Channel::buffered(capacity).named("own");
    let (input, output) = (own.reader(), own.writer());
    dawdle();
    output.write(7)?;
    input.read()
}

fn a_process_writes_to_itself(backend: &Placement) {
    let _ = parallel!(backend.place(writes_to_itself(0)));
}

fn a_process_buffers_for_itself(backend: &Placement) {
    assert_eq!(parallel!(backend.place(writes_to_itself(1))).0, Ok(7));
}

#[multiprocess]
fn chooses_itself(input: Reader<u32>, output: Writer<u32>) -> csp::Result<u32> {
    alt! {
        value = input.read() => value,
        output.write(1) => 0,
    }
}

fn a_choice_of_itself(backend: &Placement) {
    let own = Channel::new();
    let _ = parallel!(backend.place(chooses_itself(own.reader(), own.writer())));
}

fn a_choice_with_a_partner(backend: &Placement) {
    let both = Channel::new();
    let (one, other) = parallel!(
        backend.place(chooses_itself(both.reader(), both.writer())),
        backend.place(chooses_itself(both.reader(), both.writer())),
    );
    let sum = one.and_then(|one| Ok(one + other?));
    assert_eq!(sum, Ok(1), "one of them writes to the other");
}

#[multiprocess]
fn chooses(
    inputs: Vec<Reader<u32>>,
    output: Writer<u32>,
    _unused: Writer<u32>,
    sends: bool,
) -> csp::Result<u32> {
    if sends {
        output.write(3)?;
    }
    let mut choice = Alternation::new();
    for input in &inputs {
        choice.read(input, |value| value);
    }
    dawdle();
    choice.choose()
}

fn choices(backend: &Placement, sends: bool) {
    let (a, b) = (Channel::new(), Channel::new());
    let others = 2 * Channel::new();
    // The other process has the writer of the second input, and never uses it.
    let inputs = |first: &Channel<u32>, n: usize| vec![first.reader(), others[n].reader()];
    let one = chooses(inputs(&a, 0), b.writer(), others[1].writer(), sends);
    let other = chooses(inputs(&b, 1), a.writer(), others[0].writer(), false);
    drop((a, b, others));
    let _ = parallel!(
        backend.place(one.named("chooses[0]")),
        backend.place(other.named("chooses[1]")),
    );
}

fn choices_that_never_meet(backend: &Placement) {
    choices(backend, false);
}

fn choices_that_meet(backend: &Placement) {
    choices(backend, true);
}

#[multiprocess]
fn offers(output: Writer<u32>, other: Writer<u32>, _held: Reader<u32>) -> csp::Result {
    alt! {
        output.write(1) => (),
        other.write(2) => (),
    }
}

fn outputs_never_meet(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let _ = parallel!(
        backend.place(offers(a.writer(), b.writer(), a.reader()).named("offers[0]")),
        backend.place(offers(b.writer(), a.writer(), b.reader()).named("offers[1]")),
    );
}

#[multiprocess]
fn squares(jobs: Reader<u64>, results: Writer<u64>) -> csp::Result {
    loop {
        dawdle();
        let job = jobs.read()?;
        results.write(job * job)?;
    }
}

/// Writes all jobs before it reads a result, and there is no room for so many.
fn all_results_last(backend: &Placement) {
    let (jobs, results) = (Channel::new(), Channel::new());
    let squares = spawn(backend.replicas(2, squares(jobs.reader(), results.writer())));
    let (to, from) = (jobs.writer(), results.reader());
    drop((jobs, results));
    let sent: csp::Result = (0..5).try_for_each(|n| Ok(to.write(n)?));
    drop((to, squares));
    assert_eq!((sent, from.iter().count()), (Ok(()), 5));
}

#[multiprocess]
fn numbers(out: Writer<u64>, count: u64) -> csp::Result {
    for n in 0..count {
        out.write(n)?;
    }
    Ok(())
}

fn results_as_they_come(backend: &Placement) {
    let (jobs, results) = (Channel::new(), Channel::new());
    let all = (
        spawn(backend.replicas(2, squares(jobs.reader(), results.writer()))),
        spawn(backend.place(numbers(jobs.writer(), 5))),
    );
    let from = results.reader();
    drop((jobs, results, all));
    assert_eq!(from.iter().sum::<u64>(), 30);
}

#[process]
fn walks(steps: Barrier) {
    for _ in 0..3 {
        dawdle();
        steps.sync();
    }
}

fn a_barrier_lacks_one(backend: &Placement) {
    let steps = Barrier::new();
    let walkers = backend.replicas(2, walks(steps.enrol()));
    let _ = parallel!(walkers);
    steps.resign();
}

/// Comes to its barrier once more when it is dropped.
struct SyncsAtLast(Barrier);

impl Drop for SyncsAtLast {
    fn drop(&mut self) {
        self.0.sync();
    }
}

/// Has two enrolments, and waits for itself. The panic that ends its wait drops the first one.
#[process]
fn syncs_for_two() {
    let first = SyncsAtLast(Barrier::new());
    first.0.enrol().sync();
}

fn a_broken_barrier_in_a_destructor(backend: &Placement) {
    parallel!(backend.place(syncs_for_two()));
}

fn a_barrier_of_all(backend: &Placement) {
    let steps = Barrier::new();
    let walkers = spawn(backend.replicas(2, walks(steps.enrol())));
    for _ in 0..3 {
        steps.sync();
    }
    for walker in walkers {
        walker.join();
    }
}

#[process]
fn meets(first: Barrier, second: Barrier) {
    dawdle();
    first.sync();
    dawdle();
    second.sync();
}

fn barriers(backend: &Placement, opposite: bool) {
    let (a, b) = (Barrier::new(), Barrier::new());
    let (first, second) = if opposite { (b.enrol(), a.enrol()) } else { (a.enrol(), b.enrol()) };
    let _ = parallel!(
        backend.place(meets(a, b).named("meets[0]")),
        backend.place(meets(first, second).named("meets[1]")),
    );
}

fn barriers_in_opposite_order(backend: &Placement) {
    barriers(backend, true);
}

fn barriers_in_one_order(backend: &Placement) {
    barriers(backend, false);
}

#[process]
fn syncs_first(barrier: Barrier, input: Reader<u32>) -> csp::Result<u32> {
    barrier.sync();
    input.read()
}

#[process]
fn writes_then_syncs(output: Writer<u32>, barrier: Barrier) -> csp::Result {
    output.write(4)?;
    barrier.sync();
    Ok(())
}

#[process]
fn reads_then_syncs(barrier: Barrier, input: Reader<u32>) -> csp::Result<u32> {
    let value = input.read();
    barrier.sync();
    value
}

fn a_barrier_before_a_message(backend: &Placement) {
    let (barrier, channel) = (Barrier::new(), Channel::new());
    let _ = parallel!(
        backend.place(syncs_first(barrier.enrol(), channel.reader())),
        backend.place(writes_then_syncs(channel.writer(), barrier)),
    );
}

fn a_message_before_a_barrier(backend: &Placement) {
    let (barrier, channel) = (Barrier::new(), Channel::new());
    let (read, _) = parallel!(
        backend.place(reads_then_syncs(barrier.enrol(), channel.reader())),
        backend.place(writes_then_syncs(channel.writer(), barrier)),
    );
    assert_eq!(read, Ok(4));
}

#[process]
fn falls_in(bucket: Bucket) {
    bucket.fall_in();
}

#[process]
fn flushes(bucket: Bucket) {
    while bucket.flush() == 0 {
        csp::sleep(Duration::from_micros(50));
    }
}

fn a_bucket_that_nobody_flushes(backend: &Placement) {
    let bucket = Bucket::new();
    let _ = parallel!(backend.place(falls_in(bucket)));
}

fn a_bucket_that_is_flushed(backend: &Placement) {
    let bucket = Bucket::new();
    let _ = parallel!(backend.place(falls_in(bucket.clone())), backend.place(flushes(bucket)));
}

fn a_join_before_the_message(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let (to, _from) = (a.writer(), b.reader());
    let reads = spawn(backend.place(reads_first(a.reader(), b.writer())));
    drop((a, b));
    let _ = reads.join();
    let _ = to.write(1);
}

fn a_join_after_the_message(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::buffered(1));
    let (to, _from) = (a.writer(), b.reader());
    let reads = spawn(backend.place(reads_first(a.reader(), b.writer())));
    drop((a, b));
    to.write(1).unwrap();
    assert_eq!(reads.join(), Ok(()));
}

#[process]
fn joins(other: Reader<csp::Spawned<()>>) {
    if let Ok(other) = other.read() {
        other.join();
    }
}

fn joins_in_a_circle(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let (to_a, to_b) = (a.writer(), b.writer());
    let first = spawn(backend.place(joins(a.reader())));
    let second = spawn(backend.place(joins(b.reader())));
    let _ = to_a.write(second);
    let _ = to_b.write(first);
}

#[derive(Serialize, Deserialize)]
struct Request {
    reply: Writer<u32>,
}

#[multiprocess]
fn asks_twice(server: Writer<Request>) -> csp::Result<u32> {
    let (one, two) = (Channel::new(), Channel::new());
    let first = one.reader();
    dawdle();
    server.write(Request { reply: one.writer() })?;
    let first = first.read()?;
    let second = two.reader();
    server.write(Request { reply: two.writer() })?;
    Ok(first + second.read()?)
}

/// Answers after it has two requests.
#[multiprocess]
fn answers_late(requests: Reader<Request>) -> csp::Result {
    let (first, second) = (requests.read()?, requests.read()?);
    first.reply.write(1)?;
    Ok(second.reply.write(2)?)
}

#[multiprocess]
fn answers_at_once(requests: Reader<Request>) -> csp::Result {
    for number in 1..=2 {
        let request = requests.read()?;
        dawdle();
        request.reply.write(number)?;
    }
    Ok(())
}

fn a_reply_end_in_the_wrong_hands(backend: &Placement) {
    let requests = Channel::new();
    let _ = parallel!(
        backend.place(asks_twice(requests.writer())),
        backend.place(answers_late(requests.reader())),
    );
}

fn a_reply_end_at_work(backend: &Placement) {
    let requests = Channel::new();
    let (sum, _) = parallel!(
        backend.place(asks_twice(requests.writer())),
        backend.place(answers_at_once(requests.reader())),
    );
    assert_eq!(sum, Ok(3));
}

#[multiprocess]
fn keeps(input: Reader<u32>, again: Reader<u32>, lets_go: bool) -> csp::Result<u32> {
    let kept = input.begin()?;
    if lets_go {
        let first = kept.into_inner();
        return Ok(first + again.read()?);
    }
    let second = again.read()?;
    Ok(*kept + second)
}

#[multiprocess]
fn is_kept(output: Writer<u32>, again: Writer<u32>) -> csp::Result {
    dawdle();
    output.write(1)?;
    Ok(again.write(2)?)
}

fn a_reader_that_keeps_its_writer(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let _ = parallel!(
        backend.place(keeps(a.reader(), b.reader(), false)),
        backend.place(is_kept(a.writer(), b.writer())),
    );
}

fn a_reader_that_lets_go(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let (sum, _) = parallel!(
        backend.place(keeps(a.reader(), b.reader(), true)),
        backend.place(is_kept(a.writer(), b.writer())),
    );
    assert_eq!(sum, Ok(3));
}

#[multiprocess]
fn outlasts(own: Writer<u32>, other: Reader<u32>, first: bool) -> csp::Result {
    dawdle();
    if first {
        own.retire();
    } else {
        let _own = own;
        return alt! { retired(other) => () };
    }
    alt! { retired(other) => () }
}

fn each_waits_for_the_others_end(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let _ = parallel!(
        backend.place(outlasts(a.writer(), b.reader(), false).named("outlasts[0]")),
        backend.place(outlasts(b.writer(), a.reader(), false).named("outlasts[1]")),
    );
}

fn one_ends_first(backend: &Placement) {
    let (a, b) = (Channel::<u32>::new(), Channel::<u32>::new());
    let (one, other) = parallel!(
        backend.place(outlasts(a.writer(), b.reader(), true)),
        backend.place(outlasts(b.writer(), a.reader(), false)),
    );
    assert_eq!((one, other), (Ok(()), Ok(())));
}

/// Asks its own server while it serves.
#[multiprocess]
fn serves(
    calls: Reader<u32>,
    answers: Writer<u32>,
    server: Option<(Writer<u32>, Reader<u32>)>,
    begins: bool,
) -> csp::Result {
    if begins {
        let (call, answer) = server.as_ref().expect("it begins by asking");
        call.write(10)?;
        answer.read()?;
    }
    loop {
        dawdle();
        let question = calls.read()?;
        let answer = match &server {
            Some((call, answer)) => {
                call.write(question - 1)?;
                answer.read()?
            }
            None => question,
        };
        answers.write(answer)?;
    }
}

fn clients_and_servers_in_a_circle(backend: &Placement) {
    let (calls, answers) = (3 * Channel::new(), 3 * Channel::new());
    let servers: Vec<_> = (0..3)
        .map(|i| {
            let next = (i + 1) % 3;
            let server = Some((calls[next].writer(), answers[next].reader()));
            let serves = serves(calls[i].reader(), answers[i].writer(), server, i == 0);
            backend.place(serves.named(format!("serves[{i}]")))
        })
        .collect();
    drop((calls, answers));
    let _ = parallel!(servers);
}

fn clients_and_servers_in_a_line(backend: &Placement) {
    let (calls, answers) = (3 * Channel::new(), 3 * Channel::new());
    let servers: Vec<_> = (0..3)
        .map(|i| {
            let server = (i < 2).then(|| (calls[i + 1].writer(), answers[i + 1].reader()));
            backend.place(serves(calls[i].reader(), answers[i].writer(), server, false))
        })
        .collect();
    let (call, answer) = (calls[0].writer(), answers[0].reader());
    drop((calls, answers));
    let servers = spawn(servers);
    for question in [10, 20] {
        call.write(question).unwrap();
        assert_eq!(answer.read(), Ok(question - 2));
    }
    drop((call, answer));
    servers.into_iter().for_each(|server| drop(server.join()));
}

#[process]
fn inner(backend: Placement, input: Reader<u32>, output: Writer<u32>) {
    let _ = parallel!(backend.place(reads_first(input, output)));
}

#[process]
fn outer(backend: Placement, input: Reader<u32>, output: Writer<u32>) {
    let kept = output.clone();
    let _ = parallel!(backend.place(inner(backend.clone(), input, output)));
    drop(kept);
}

fn nested_networks(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let (_to, _from) = (a.writer(), b.reader());
    let _ = parallel!(backend.place(outer(backend.clone(), a.reader(), b.writer())));
}

/// Has agreed to write, and waits for another message, which it needs for the value.
#[multiprocess]
fn makes_late(output: Writer<u32>, input: Reader<u32>) -> csp::Result {
    alt! { output.write_with(|| input.read().unwrap_or(0)) => () }
}

fn an_output_that_is_never_made(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let _ = parallel!(
        backend.place(reads_first(a.reader(), b.writer())),
        backend.place(makes_late(a.writer(), b.reader())),
    );
}
