//! The result of a process decides about the ends that it still holds: an error that is no end of a channel poisons them.

use csp::{
    Backend, Cause, Channel, Process, Reader, Termination, WriteError, Writer, parallel, spawn,
};
use csp_tests::{
    Placement, Wire, laws, multiprocess, poisoned_by_panic, poisoned_by_reason, process,
};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt::{self, Debug};
use std::io;

/// Reads to the end, and says which end that was.
#[multiprocess]
fn drain(input: Reader<u32>) -> (Vec<u32>, Option<Termination>) {
    let all = input.iter().collect();
    (all, input.termination())
}

/// An error type as users have it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[cfg_attr(feature = "subprocess", derive(Serialize, Deserialize))]
enum Failed {
    #[error("no paper")]
    Paper,
    #[error("the network is over")]
    Ended(#[from] Termination),
}

/// The same, and it hides the termination.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[cfg_attr(feature = "subprocess", derive(Serialize, Deserialize))]
enum Transparent {
    #[error("no paper")]
    Paper,
    #[error(transparent)]
    Ended(#[from] Termination),
}

/// No `Error`: it has text, and no more.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Text(String);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Termination> for Text {
    fn from(ended: Termination) -> Self {
        Self(ended.to_string())
    }
}

/// No text for users either.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Code(u8);

/// Not even that.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Silent(u8);

/// An error whose text panics.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bad;

impl fmt::Display for Bad {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no words")
    }
}

impl Error for Bad {}

/// Returns what a process has to return: the end that it has met, or else another error.
fn error_of<E: From<Termination>>(ended: csp::Result<u32>, other: E) -> E {
    ended.err().map_or(other, E::from)
}

// Each of these meets the end of `bad`, or reads a value. Then it communicates, and so has got over a poison.

#[multiprocess]
fn by_enum(bad: Reader<u32>, out: Writer<u32>) -> Result<(), Failed> {
    let ended = bad.read();
    out.write(1)?;
    Err(error_of(ended, Failed::Paper))
}

impl<T> From<WriteError<T>> for Failed {
    fn from(error: WriteError<T>) -> Self {
        Self::Ended(error.termination)
    }
}

#[multiprocess]
fn by_transparent_enum(bad: Reader<u32>, out: Writer<u32>) -> Result<(), Transparent> {
    let ended = bad.read();
    let _ = out.write(1);
    Err(error_of(ended, Transparent::Paper))
}

/// The error type is known by a bound.
#[multiprocess]
fn by_generic_error<E: Error + From<Termination> + Wire>(
    bad: Reader<u32>,
    out: Writer<u32>,
    other: E,
) -> Result<(), E> {
    let ended = bad.read();
    let _ = out.write(1);
    Err(error_of(ended, other))
}

/// Nothing is known of the error type where the process is defined.
#[multiprocess]
fn by_generic<E: From<Termination> + Wire>(
    bad: Reader<u32>,
    out: Writer<u32>,
    other: E,
) -> Result<(), E> {
    let ended = bad.read();
    let _ = out.write(1);
    Err(error_of(ended, other))
}

#[process]
fn by_io_error(bad: Reader<u32>, out: Writer<u32>) -> io::Result<()> {
    let ended = bad.read();
    out.write(1)?;
    ended?;
    std::fs::read("/no/such/file")?;
    Ok(())
}

#[process]
fn by_io_error_inside(bad: Reader<u32>, out: Writer<u32>) -> io::Result<()> {
    let ended = bad.read();
    out.write(1)?;
    Err(io::Error::new(io::ErrorKind::InvalidData, error_of(ended, Transparent::Paper)))
}

#[process]
fn by_boxed_error(bad: Reader<u32>, out: Writer<u32>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let ended = bad.read();
    out.write(1)?;
    ended?;
    Err("no paper".into())
}

#[process]
fn by_boxed_error_that_is_not_sync(
    bad: Reader<u32>,
    out: Writer<u32>,
) -> Result<(), Box<dyn Error + Send>> {
    let ended = bad.read();
    let _ = out.write(1);
    Err(Box::new(error_of(ended, Failed::Paper)))
}

#[process]
fn by_anyhow(bad: Reader<u32>, out: Writer<u32>) -> anyhow::Result<()> {
    let ended = bad.read();
    out.write(1)?;
    ended?;
    anyhow::bail!("no paper")
}

#[process]
fn by_anyhow_with_context(bad: Reader<u32>, out: Writer<u32>) -> anyhow::Result<()> {
    use anyhow::Context as _;
    let ended = bad.read();
    out.write(1).context("a write")?;
    ended.context("a read")?;
    Err(anyhow::Error::new(Failed::Paper).context("the printer"))
}

#[process]
fn by_eyre(bad: Reader<u32>, out: Writer<u32>) -> eyre::Result<()> {
    let ended = bad.read();
    out.write(1)?;
    ended?;
    eyre::bail!("no paper")
}

#[process]
fn by_eyre_with_context(bad: Reader<u32>, out: Writer<u32>) -> eyre::Result<()> {
    use eyre::WrapErr as _;
    let ended = bad.read();
    out.write(1).wrap_err("a write")?;
    ended.wrap_err("a read")?;
    Err(eyre::Report::new(Failed::Paper).wrap_err("the printer"))
}

/// Nothing is known of the error type where the process is defined.
#[process]
fn by_generic_here<E: From<Termination> + Send + 'static>(
    bad: Reader<u32>,
    out: Writer<u32>,
    other: E,
) -> Result<(), E> {
    let ended = bad.read();
    let _ = out.write(1);
    Err(error_of(ended, other))
}

#[multiprocess]
fn by_string(out: Writer<u32>) -> Result<(), String> {
    let _ = out.write(1);
    Err("no paper".to_owned())
}

#[multiprocess]
fn by_text(bad: Reader<u32>, out: Writer<u32>) -> Result<(), Text> {
    let ended = bad.read();
    let _ = out.write(1);
    Err(error_of(ended, Text("no paper".to_owned())))
}

#[multiprocess]
fn by_code(out: Writer<u32>) -> Result<(), Code> {
    let _ = out.write(1);
    Err(Code(7))
}

#[multiprocess]
fn by_silence(out: Writer<u32>) -> Result<(), Silent> {
    let _ = out.write(1);
    Err(Silent(7))
}

#[multiprocess]
fn by_bad_text(out: Writer<u32>) -> Result<(), Bad> {
    let _ = out.write(1);
    Err(Bad)
}

/// The end of a channel that a process is given to meet.
enum Given {
    Retirement,
    Poison,
    Value,
}

/// Runs a process that reads once, writes 1 and fails. Returns its result, and the end that its other channel came to.
fn run<A, R>(
    backend: &Placement,
    given: &Given,
    make: impl FnOnce(Reader<u32>, Writer<u32>) -> Process<A, R>,
) -> (R, Termination)
where
    A: Send + 'static,
    R: Send + 'static,
{
    let (bad, out) = (Channel::buffered(1), Channel::new());
    let (from, to) = (bad.reader(), out.writer());
    let writer = bad.writer();
    match given {
        Given::Retirement => writer.retire(),
        Given::Poison => writer.poison("given"),
        Given::Value => writer.write(7).unwrap(),
    }
    let (returned, (all, ended)) =
        parallel!(backend.place(make(from, to)), backend.place(drain(out.reader())));
    assert_eq!(all, [1]);
    (returned, ended.expect("its process has ended"))
}

#[track_caller]
fn error_in(ended: &Termination) -> (String, String) {
    let Termination::Poisoned(poison) = ended else { panic!("{ended}") };
    let Cause::Error { process, message } = poison.cause() else { panic!("{poison}") };
    (process.clone(), message.clone())
}

fn is_deadlock(ended: &Termination) -> bool {
    ended.poison().is_some_and(|poison| matches!(poison.cause(), Cause::Deadlock(_)))
}

/// Checks that a retirement retires, that a poison stays that poison, and that any other error is poison with its text.
#[track_caller]
fn decides<A, R>(
    backend: &Placement,
    text: &str,
    make: impl Fn(Reader<u32>, Writer<u32>) -> Process<A, R>,
) where
    A: Send + 'static,
    R: Send + 'static,
{
    let name = format!("{:?}", make(Channel::new().reader(), Channel::new().writer()));
    let name = name.trim_start_matches("Process(`").trim_end_matches("`)");
    assert_eq!(run(backend, &Given::Retirement, &make).1, Termination::Retired);
    let (_, ended) = run(backend, &Given::Poison, &make);
    assert_eq!(poisoned_by_reason(&ended).as_deref(), Some("given"), "{ended:#}");
    let (process, message) = error_in(&run(backend, &Given::Value, &make).1);
    assert!(process.ends_with(&format!("/{name}")), "{process}");
    assert_eq!(message, text);
}

laws! {
    fn an_error_type_with_sources_decides(backend) {
        decides(backend, "no paper", by_enum);
        decides(backend, "no paper", by_transparent_enum);
        decides(backend, "no paper", |bad, out| by_generic_error(bad, out, Failed::Paper));
        decides(backend, "no paper", |bad, out| by_generic_error(bad, out, Transparent::Paper));
    }

    fn a_generic_error_type_decides_if_it_is_a_usual_one(backend) {
        let (returned, ended) = run(backend, &Given::Retirement, |bad, out| {
            by_generic(bad, out, Termination::Retired)
        });
        assert_eq!((returned, ended), (Err(Termination::Retired), Termination::Retired));
        let (returned, ended) =
            run(backend, &Given::Poison, |bad, out| by_generic(bad, out, Termination::Retired));
        assert_eq!(returned, Err(ended));
        let (returned, ended) = run(backend, &Given::Value, |bad, out| {
            by_generic(bad, out, Transparent::Paper)
        });
        assert_eq!(returned, Err(Transparent::Paper));
        assert!(error_in(&ended).1.contains("Transparent"), "{ended:#}");
    }

    fn the_result_of_a_failed_process_is_its_error(backend) {
        let (returned, _) = run(backend, &Given::Value, by_enum);
        assert_eq!(returned, Err(Failed::Paper));
        let (returned, ended) = run(backend, &Given::Poison, by_enum);
        assert_eq!(returned, Err(Failed::Ended(ended)));
    }

    fn an_error_without_sources_is_its_text(backend) {
        let (returned, ended) = run(backend, &Given::Value, |_, out| by_string(out));
        assert_eq!(returned, Err("no paper".to_owned()));
        assert_eq!(error_in(&ended).1, "no paper");
        let (returned, ended) = run(backend, &Given::Value, |_, out| by_code(out));
        assert_eq!((returned, &*error_in(&ended).1), (Err(Code(7)), "Code(7)"));
        let (_, ended) = run(backend, &Given::Value, |_, out| by_silence(out));
        assert!(error_in(&ended).1.starts_with("an error of the type `"), "{ended:#}");
        assert!(error_in(&ended).1.ends_with("::Silent`"), "{ended:#}");
        let (_, ended) = run(backend, &Given::Value, by_text);
        assert_eq!(error_in(&ended).1, "no paper");
        // A text tells no end of a channel.
        let (_, ended) = run(backend, &Given::Retirement, by_text);
        assert_eq!(error_in(&ended).1, "the channel is retired");
    }

    fn an_error_whose_text_panics_is_poison_too(backend) {
        let (returned, ended) = run(backend, &Given::Value, |_, out| by_bad_text(out));
        assert!(returned.is_err());
        assert_eq!(error_in(&ended).1, "an error whose text panicked");
    }
}

laws! {
    here: "these errors are no values for another OS process";

    fn errors_of_io_decide(backend) {
        let text = "No such file or directory (os error 2)";
        decides(backend, text, by_io_error);
        decides(backend, "no paper", by_io_error_inside);
        let other = || io::Error::other("no paper");
        decides(backend, "no paper", |bad, out| by_generic_here(bad, out, other()));
    }

    fn boxed_errors_decide(backend) {
        decides(backend, "no paper", by_boxed_error);
        decides(backend, "no paper", by_boxed_error_that_is_not_sync);
        decides(backend, "no paper", by_anyhow);
        decides(backend, "the printer: no paper", by_anyhow_with_context);
        decides(backend, "no paper", by_eyre);
        decides(backend, "the printer: no paper", by_eyre_with_context);
    }
}

/// Fails when it has read so much.
#[multiprocess]
fn fails_after(count: usize, input: Reader<u32>) -> Result<(), Failed> {
    for _ in 0..count {
        input.read()?;
    }
    Err(Failed::Paper)
}

/// Meets poison, does not communicate again, and returns another error, which may be what became of the poison.
#[multiprocess]
fn loses_the_cause(bad: Reader<u32>, out: Writer<u32>) -> Result<(), Failed> {
    let _ = out.write(1);
    bad.read().map_err(|_| Failed::Paper)?;
    Ok(())
}

/// Meets poison, and then the retirement of another channel, which it returns.
#[multiprocess]
fn returns_the_retirement(bad: Reader<u32>, retired: Reader<u32>, out: Writer<u32>) -> csp::Result {
    let _ = out.write(1);
    let _ = bad.read();
    retired.read().map(drop)
}

/// Waits for itself, and then may communicate before it returns what became of that.
#[multiprocess]
fn waits_for_itself(out: Writer<u32>, goes_on: bool) -> csp::Result {
    let own = Channel::<u32>::new();
    let (input, _output) = (own.reader(), own.writer());
    if !goes_on {
        let _ = out.write(1);
    }
    let ended = input.read();
    if goes_on {
        let _ = out.write(1);
    }
    ended.map(drop)
}

/// Returns an end of a channel that it has not met.
#[multiprocess]
fn returns_what_it_is_given(out: Writer<u32>, ended: Termination) -> csp::Result {
    let _ = out.write(1);
    Err(ended)
}

/// Returns errors inside its value.
#[multiprocess]
fn fails_inside(out: Writer<u32>) -> Result<Result<(), Failed>, Failed> {
    let _ = out.write(1);
    Ok(Err(Failed::Paper))
}

#[multiprocess]
fn fails_in_part(out: Writer<u32>) -> (Result<(), Failed>, u32) {
    let _ = out.write(1);
    (Err(Failed::Paper), 7)
}

#[multiprocess]
fn fails_perhaps(out: Writer<u32>) -> Option<Result<(), Failed>> {
    let _ = out.write(1);
    Some(Err(Failed::Paper))
}

/// Fails, and holds an argument in part only.
#[multiprocess]
fn fails_with_parts(
    (out, _other): (Writer<u32>, Reader<u32>),
    more: Vec<Writer<u32>>,
) -> Result<(), Failed> {
    let _ = out.write(1);
    for out in more.iter() {
        let _ = out.write(1);
    }
    Err(Failed::Paper)
}

/// Fails with an end that it has got by a channel.
#[multiprocess]
fn fails_with_a_local_end(ends: Reader<Writer<u32>>) -> Result<(), Failed> {
    let out = ends.read()?;
    let _ = out.write(1);
    Err(Failed::Paper)
}

/// Fails with an argument that it has moved.
#[multiprocess]
fn fails_with_a_moved_end(out: Writer<u32>) -> Result<(), Failed> {
    let moved = out;
    let _ = moved.write(1);
    Err(Failed::Paper)
}

/// Fails in a loop that has moved its argument.
#[multiprocess]
fn fails_in_a_loop(input: Reader<u32>) -> Result<(), Failed> {
    for value in input {
        if value == 7 {
            return Err(Failed::Paper);
        }
    }
    Ok(())
}

/// Fails with an end that a closure has captured.
#[multiprocess]
fn fails_with_a_captured_end(out: Writer<u32>) -> Result<(), Failed> {
    let _ = out.write(1);
    let keep = move || out;
    let fails: Result<(), Failed> = Err(Failed::Paper);
    fails?;
    drop(keep());
    Ok(())
}

#[multiprocess]
fn writes_until_refused(first: u32, out: Writer<u32>) -> Termination {
    let mut value = first;
    loop {
        if let Err(refused) = out.write(value) {
            return refused.termination;
        }
        value += 1;
    }
}

#[multiprocess(on_error = retire)]
fn retires_on_error(out: Writer<u32>) -> Result<(), Failed> {
    let _ = out.write(1);
    Err(Failed::Paper)
}

#[multiprocess(on_error = retire)]
fn returns_poison_and_retires(bad: Reader<u32>, out: Writer<u32>) -> csp::Result {
    let ended = bad.read();
    let _ = out.write(1);
    ended.map(drop)
}

#[multiprocess(on_error = retire)]
fn stops_because_of_poison(bad: Reader<u32>, out: Writer<u32>) -> csp::Result {
    let _ = out.write(1);
    bad.read().map(drop)
}

#[multiprocess(on_error = retire)]
fn panics_all_the_same(out: Writer<u32>) -> Result<(), Failed> {
    let _ = out.write(1);
    panic!("out of luck")
}

#[multiprocess(on_panic = retire)]
fn fails_and_retires_on_panic(out: Writer<u32>) -> Result<(), Failed> {
    let _ = out.write(1);
    Err(Failed::Paper)
}

laws! {
    fn both_sides_hear_of_an_error(backend) {
        let values = Channel::new();
        let (refused, failed) = parallel!(
            backend.place(writes_until_refused(0, values.writer())),
            backend.place(fails_after(3, values.reader())),
        );
        assert_eq!(failed, Err(Failed::Paper));
        assert_eq!(error_in(&refused).1, "no paper");
    }

    fn an_error_travels_on(backend) {
        let (first, second) = (Channel::new(), Channel::new());
        let (_, relayed, (all, ended)) = parallel!(
            backend.place(by_string(first.writer())),
            backend.place(crate::processes::relay(first.reader(), second.writer())),
            backend.place(drain(second.reader())),
        );
        assert_eq!(all, [1]);
        let ended = ended.expect("it has ended");
        assert!(error_in(&ended).0.ends_with("/by_string"), "{ended:#}");
        assert_eq!(relayed, Err(ended));
    }

    fn a_poison_that_stops_a_process_is_the_first_cause_of_its_error(backend) {
        let (_, ended) = run(backend, &Given::Poison, loses_the_cause);
        assert_eq!(poisoned_by_reason(&ended).as_deref(), Some("given"), "{ended:#}");
        let (_, ended) = run(backend, &Given::Retirement, loses_the_cause);
        assert_eq!(error_in(&ended).1, "no paper");
    }

    fn a_retirement_that_is_returned_retires(backend) {
        let other = Channel::new();
        drop(other.writer());
        let retired = other.reader();
        let (returned, ended) = run(backend, &Given::Poison, |bad, out| {
            returns_the_retirement(bad, retired, out)
        });
        assert_eq!((returned, ended), (Err(Termination::Retired), Termination::Retired));
    }

    fn a_deadlock_that_is_returned_stays_that_poison_and_is_no_failure(backend) {
        let out = Channel::new();
        let dead = spawn(backend.place(waits_for_itself(out.writer(), false)));
        let reader = out.reader();
        assert_eq!(reader.read(), Ok(1));
        let deadlock = reader.read().unwrap_err();
        assert!(is_deadlock(&deadlock), "{deadlock:#}");
        // It has stopped this process, which has no proper result.
        assert!(dead.try_join().is_err_and(|failure| failure.deadlock().is_some()));

        // This one gets over it. Its reader has a deadline, so it is not in the deadlock, which would end its channel.
        let out = Channel::new();
        let returns = spawn(backend.place(waits_for_itself(out.writer(), true)));
        let reader = out.reader();
        assert_eq!(reader.read_timeout(csp_tests::limit()), Ok(Some(1)));
        let ended = reader.read_timeout(csp_tests::limit()).unwrap_err();
        assert!(is_deadlock(&ended), "{ended:#}");
        assert_eq!(returns.try_join().unwrap(), Err(ended));

        // And this one was in none.
        let out = Channel::new();
        let returns = returns_what_it_is_given(out.writer(), deadlock.clone());
        let returns = spawn(backend.place(returns));
        let reader = out.reader();
        assert_eq!((reader.read(), reader.read()), (Ok(1), Err(deadlock.clone())));
        assert_eq!(returns.try_join().unwrap(), Err(deadlock));
    }

    fn only_the_outermost_result_counts(backend) {
        let retired = Termination::Retired;
        assert_eq!(run(backend, &Given::Value, |_, out| fails_inside(out)).1, retired);
        assert_eq!(run(backend, &Given::Value, |_, out| fails_in_part(out)).1, retired);
        assert_eq!(run(backend, &Given::Value, |_, out| fails_perhaps(out)).1, retired);
    }

    fn parts_of_arguments_that_are_borrowed_are_poisoned(backend) {
        let (one, other, more) = (Channel::new(), Channel::new(), Channel::new());
        let process =
            fails_with_parts((one.writer(), other.reader()), vec![more.writer(), more.writer()]);
        let (failed, (_, first), (all, last), refused) = parallel!(
            backend.place(process),
            backend.place(drain(one.reader())),
            backend.place(drain(more.reader())),
            backend.place(writes_until_refused(0, other.writer())),
        );
        assert_eq!((failed, all), (Err(Failed::Paper), vec![1, 1]));
        for ended in [first, last, Some(refused)] {
            assert_eq!(error_in(&ended.expect("it has ended")).1, "no paper");
        }
    }

    fn an_end_that_is_local_moved_or_captured_has_retired_before_the_error_is_seen(backend) {
        let (ends, values) = (Channel::buffered(1), Channel::new());
        ends.writer().write(values.writer()).unwrap();
        let (failed, (all, ended)) = parallel!(
            backend.place(fails_with_a_local_end(ends.reader())),
            backend.place(drain(values.reader())),
        );
        assert_eq!((failed, all), (Err(Failed::Paper), vec![1]));
        assert_eq!(ended, Some(Termination::Retired));

        let (failed, ended) = run(backend, &Given::Value, |_, out| fails_with_a_moved_end(out));
        assert_eq!((failed, ended), (Err(Failed::Paper), Termination::Retired));
        let (failed, ended) = run(backend, &Given::Value, |_, out| fails_with_a_captured_end(out));
        assert_eq!((failed, ended), (Err(Failed::Paper), Termination::Retired));
    }

    fn a_reader_that_a_loop_has_moved_has_retired_before_the_error_is_seen(
        backend,
        async: "a loop of an `async` process reads by a reference"
    ) {
        let values = Channel::new();
        let (refused, failed) = parallel!(
            backend.place(writes_until_refused(0, values.writer())),
            backend.place(fails_in_a_loop(values.reader())),
        );
        assert_eq!((refused, failed), (Termination::Retired, Err(Failed::Paper)));
    }

    fn on_error_retire_retires(backend) {
        let (failed, ended) = run(backend, &Given::Value, |_, out| retires_on_error(out));
        assert_eq!((failed, ended), (Err(Failed::Paper), Termination::Retired));
        let (failed, ended) = run(backend, &Given::Poison, returns_poison_and_retires);
        assert!(failed.is_err_and(|ended| poisoned_by_reason(&ended).is_some()));
        assert_eq!(ended, Termination::Retired);
        // Poison that stops the process is none of its errors.
        let (failed, ended) = run(backend, &Given::Poison, stops_because_of_poison);
        assert_eq!(failed, Err(ended));
    }

    fn on_error_and_on_panic_are_apart(backend) {
        let (failed, ended) =
            run(backend, &Given::Value, |_, out| fails_and_retires_on_panic(out));
        assert_eq!(failed, Err(Failed::Paper));
        assert_eq!(error_in(&ended).1, "no paper");

        let out = Channel::new();
        let panics = spawn(backend.place(panics_all_the_same(out.writer())));
        let reader = out.reader();
        assert_eq!(reader.read(), Ok(1));
        assert!(poisoned_by_panic(&reader.read().unwrap_err()).is_some());
        assert_eq!(panics.try_join().unwrap_err().message(), "out of luck");
    }

    fn replicas_fail_one_by_one(backend) {
        let (orders, out) = (Channel::buffered(3), Channel::new());
        let writer = orders.writer();
        let fails = 3 * by_enum(orders.reader(), out.writer());
        let fails: Vec<_> = fails.into_iter().map(|process| backend.place(process)).collect();
        let fails = spawn(fails);
        let reader = out.reader();
        drop(out);
        // Each gets an order, and waits at its write. The first that fails ends the channel for the others.
        for order in 0..3 {
            writer.write(order).unwrap();
        }
        assert_eq!(reader.read(), Ok(1));
        let ended = loop {
            match reader.read() {
                Ok(value) => assert_eq!(value, 1),
                Err(ended) => break ended,
            }
        };
        let (process, message) = error_in(&ended);
        assert!(process.contains("/by_enum["), "{process}");
        assert_eq!(message, "no paper");
        for failed in fails {
            let failed = failed.join();
            assert!(failed == Err(Failed::Paper) || failed == Err(Failed::Ended(ended.clone())));
        }
    }

    fn a_process_of_children_passes_their_error_on(backend) {
        let out = Channel::new();
        let (returned, (all, ended)) = parallel!(
            backend.place(runs_by_enum(backend.clone(), out.writer())),
            backend.place(drain(out.reader())),
        );
        assert_eq!((returned, all), (Err(Failed::Paper), vec![1]));
        assert!(error_in(&ended.expect("it has ended")).0.contains("runs_by_enum"));
    }
}

/// Runs a process that fails, and returns its error.
#[multiprocess]
fn runs_by_enum(backend: Placement, out: Writer<u32>) -> Result<(), Failed> {
    let numbers = Channel::buffered(1);
    let input = numbers.reader();
    numbers.writer().write(7)?;
    let (failed,) = parallel!(backend.place(by_enum(input, out.clone())));
    failed
}

/// The process is in all the forms that the macros know.
#[csp::process]
async fn fails_async(out: Writer<u32>) -> Result<(), Failed> {
    let _ = out.write_async(1).await;
    Err(Failed::Paper)
}

#[test]
fn replicas_of_one_job_decide_one_by_one() {
    let mut backends = vec![None];
    backends.extend(cfg!(feature = "threads").then_some(Some(Backend::Thread)));
    backends.extend(cfg!(feature = "subprocess").then_some(Some(Backend::Subprocess)));
    for backend in backends {
        let out = Channel::new();
        let mut fails = 2 * by_string(out.writer());
        if let Some(backend) = backend {
            fails = fails.on(backend);
        }
        let (failed, (all, ended)) = parallel!(fails, drain(out.reader()));
        assert_eq!(failed, [Err("no paper".to_owned()), Err("no paper".to_owned())]);
        assert!(all.len() <= 2, "{all:?}");
        let (process, message) = error_in(&ended.expect("it has ended"));
        assert!(process.contains("/by_string["), "{process}");
        assert_eq!(message, "no paper");
    }
    let out = Channel::new();
    let (failed, (_, ended)) =
        parallel!(2 * fails_async(out.writer()), drain(out.reader()).on(Backend::Coroutine));
    assert_eq!(failed, [Err(Failed::Paper), Err(Failed::Paper)]);
    assert!(error_in(&ended.expect("it has ended")).0.contains("/fails_async["));
}
