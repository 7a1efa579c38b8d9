//! An operation that would hold up all other `async` processes of its thread panics, at the line of the program that asks for it.

use csp::{
    Alternation, Barrier, Bucket, Channel, Parallel, Reader, Supervisor, Writer, alt, process,
};
use csp::{pri_alt, spawn, try_parallel};
use std::time::{Duration, Instant};

#[process]
async fn waits(until: Reader<u8>) {
    let _ = until.read_async().await;
}

/// Makes a process for each line and a list of them with the lines' texts. The process has a channel on which nothing comes.
macro_rules! refused {
    ($($name:ident($input:ident, $out:ident) $body:block)*) => {
        $(
            #[process]
            async fn $name($input: Reader<u8>, $out: Writer<u8>) {
                let _ = (&$input, &$out);
                $body
            }
        )*

        #[test]
        fn a_refusal_is_told_at_the_line_of_the_program() {
            let mut wrong = Vec::new();
            $({
                let channel = Channel::new();
                let process = $name(channel.reader(), channel.writer());
                let failure = try_parallel!(process).expect_err("it is refused");
                wrong.extend(complaint(stringify!($name), &failure));
            })*
            assert!(wrong.is_empty(), "{wrong:#?}");
        }
    };
}

/// Returns the failure, unless it is the refusal, and its place the line that says so.
fn complaint(name: &str, failure: &csp::Failure) -> Option<String> {
    let place = failure.place().and_then(|place| place.split_once("asyncs/refused.rs:"));
    let line = place.and_then(|(_, rest)| rest.split(':').next()?.parse::<usize>().ok());
    let line = line.and_then(|line| include_str!("refused.rs").lines().nth(line - 1));
    let is_right = line.is_some_and(|line| line.ends_with(&format!("// {name}")))
        && failure.message().contains(" would hold up all other `async` ")
        && !failure.message().contains(".rs:");
    (!is_right).then(|| format!("{name}: {failure:#}"))
}

#[rustfmt::skip]
refused! {
    reads(input, out) {
        let _ = input.read(); // reads
    }
    begins(input, out) {
        let _ = input.begin(); // begins
    }
    loops(input, out) {
        for _ in &input {} // loops
    }
    owns(input, out) {
        for _ in input {} // owns
    }
    reads_for_a_while(input, out) {
        let _ = input.read_timeout(Duration::MAX); // reads_for_a_while
    }
    writes(input, out) {
        let _ = out.write(1); // writes
    }
    writes_for_a_while(input, out) {
        let _ = out.write_timeout(1, Duration::MAX); // writes_for_a_while
    }
    chooses(input, out) {
        let _ = alt! { _ = input.read() => (), out.write(1) => () }; // chooses
    }
    chooses_by_priority(input, out) {
        let _ = pri_alt! { _ = input.read() => () }; // chooses_by_priority
    }
    chooses_among(input, out) {
        let mut choice = Alternation::new();
        choice.read(&input, |_| ());
        let _ = choice.choose(); // chooses_among
    }
    chooses_the_first(input, out) {
        let mut choice = Alternation::by_priority();
        choice.read(&input, |_| ());
        let _ = choice.choose(); // chooses_the_first
    }
    sleeps(input, out) {
        csp::sleep(Duration::from_secs(1)); // sleeps
    }
    sleeps_until(input, out) {
        csp::sleep_until(Instant::now() + Duration::from_secs(1)); // sleeps_until
    }
    ticks(input, out) {
        csp::every(Duration::from_secs(1)).next(); // ticks
    }
    syncs(input, out) {
        let barrier = Barrier::new();
        let _other = barrier.enrol();
        barrier.sync(); // syncs
    }
    falls_in(input, out) {
        Bucket::new().fall_in(); // falls_in
    }
    joins(input, out) {
        spawn(waits(input)).join(); // joins
    }
    joins_if_it_can(input, out) {
        let _ = spawn(waits(input)).try_join(); // joins_if_it_can
    }
    joins_for_a_while(input, out) {
        let _ = spawn(waits(input)).join_timeout(Duration::MAX); // joins_for_a_while
    }
    runs(input, out) {
        csp::parallel!(waits(input)); // runs
    }
    runs_if_it_can(input, out) {
        let _ = try_parallel!(waits(input)); // runs_if_it_can
    }
    runs_in_order(input, out) {
        csp::sequence!(waits(input)); // runs_in_order
    }
    runs_several_in_order(input, out) {
        csp::sequence!(2 * waits(input.clone()), vec![waits(input)]); // runs_several_in_order
    }
    runs_a_set(input, out) {
        Parallel::new().with(waits(input)).run(); // runs_a_set
    }
    runs_a_sequence(input, out) {
        csp::Sequence::new().with(waits(input)).run(); // runs_a_sequence
    }
    shuts_down(input, out) {
        drop(spawn(waits(input)));
        csp::shutdown(); // shuts_down
    }
    calls(input, out) {
        csp::io(|| ()); // calls
    }
    computes(input, out) {
        csp::compute(|| ()); // computes
    }
    supervises(input, out) {
        let _ = Supervisor::one_for_one().child(|_| waits(input.clone())).run(); // supervises
    }
}

/// A loop inside of the standard library has no line of the program, so the message names the loop's.
#[test]
fn a_refusal_within_the_standard_library_names_the_place_of_the_loop() {
    #[process]
    async fn sums(input: Reader<u32>) -> u32 {
        input.iter().sum()
    }

    let channel = Channel::new();
    let (_writer, sums) = (channel.writer(), sums(channel.reader()));
    let message = try_parallel!(sums).unwrap_err().message().to_owned();
    assert!(message.contains("would hold up all other `async`"), "{message}");
    let line = include_str!("refused.rs").lines().position(|line| line.contains(".iter().sum()"));
    let place = format!("asyncs/refused.rs:{}:", line.unwrap() + 1);
    assert!(message.contains(&place), "{message}");
}
