//! Errors: each tells its source, once, and goes through the error types that users have.

use csp::{
    Cause, Channel, Failure, Poison, Reader, Results, Termination, WriteError, Writer, parallel,
    try_parallel,
};
use csp_tests::{laws, process};
use std::cell::Cell;
use std::collections::HashSet;
use std::error::Error;
use std::io;

fn poisoned() -> Termination {
    let values = Channel::<u32>::new();
    let (writer, reader) = (values.writer(), values.reader());
    writer.poison("no paper left");
    reader.read().expect_err("it is poisoned")
}

fn retired<T>(value: T) -> WriteError<T> {
    let values = Channel::new();
    let writer = values.writer();
    values.reader().retire();
    writer.write(value).expect_err("nobody reads")
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut all = vec![error];
    while let Some(source) = all[all.len() - 1].source() {
        all.push(source);
    }
    all
}

/// Checks that no error of the chain repeats the text of another.
fn assert_told_once(error: &(dyn Error + 'static)) {
    let texts: Vec<_> = chain(error).into_iter().map(ToString::to_string).collect();
    for (at, text) in texts.iter().enumerate() {
        let others = texts.iter().enumerate().filter(|(other, _)| *other != at);
        assert!(others.into_iter().all(|(_, other)| !other.contains(&**text)), "{texts:?}");
    }
}

#[process]
fn careless() {
    panic!("out of luck")
}

#[process]
fn reads_a_file(out: Writer<u32>) -> csp::Result {
    out.write(1)?;
    std::fs::read("/no/such/file")?;
    Ok(())
}

#[process]
fn writes(values: Vec<u32>, out: Writer<u32>) -> csp::Result {
    for value in values {
        out.write(value)?;
    }
    Ok(())
}

#[process]
fn takes(count: usize, input: Reader<u32>) -> io::Result<u32> {
    let mut sum = 0;
    for _ in 0..count {
        sum += input.read()?;
    }
    Ok(sum)
}

#[process]
fn runs_a_network() -> csp::Result {
    try_parallel!(careless())?;
    Ok(())
}

laws! {
    here: "an `io::Error` is no value for another OS process";

    fn a_failure_tells_its_cause_once(backend) {
        let failure = try_parallel!(backend.place(careless())).expect_err("it panics");
        assert!(matches!(failure.cause(), Cause::Panic { message, .. } if message == "out of luck"));
        let cause = failure.source().and_then(|source| source.downcast_ref::<Cause>());
        assert_eq!(cause, Some(failure.cause()));
        assert_told_once(&failure);
        assert!(format!("{failure:#}").contains("out of luck"));
        assert!(format!("{failure:?}").contains("out of luck"));
        let text = format!("{:#}", anyhow::Error::new(failure));
        assert_eq!(text.matches("out of luck").count(), 1, "{text}");
    }

    fn a_failure_passed_on_by_a_question_mark_is_poison_with_its_cause(backend) {
        let (ended,) = parallel!(backend.place(runs_a_network()));
        let poison = ended.expect_err("the network fails").poison().cloned().expect("poison");
        assert!(matches!(poison.cause(), Cause::Panic { message, .. } if message == "out of luck"));
    }

    fn an_io_error_is_poison_with_the_process_and_the_text(backend) {
        let values = Channel::buffered(1);
        let _reader = values.reader();
        let (ended,) = parallel!(backend.place(reads_a_file(values.writer())));
        let poison = ended.expect_err("there is no file").poison().cloned().expect("poison");
        let Cause::Error { process, message } = poison.cause() else { panic!("{poison}") };
        assert!(process.contains("reads_a_file") && message.contains("No such file"), "{poison}");
    }

    fn results_become_one_result(backend) {
        let run = |count, values: Vec<u32>| {
            let numbers = Channel::new();
            let (out, input) = (numbers.writer(), numbers.reader());
            drop(numbers);
            parallel!(backend.place(writes(values, out)), backend.place(takes(count, input)))
        };
        assert_eq!(run(2, vec![1, 2]).all_ok_as::<io::Error>().expect("all are well"), ((), 3));
        assert_eq!(run(2, vec![1, 2]).no_error(), Ok(()));
        // The writer is refused, which is the end of a worker.
        assert_eq!(run(1, vec![1, 2]).no_error(), Ok(()));
        let refused = run(1, vec![1, 2]).all_ok_as::<Termination>();
        assert_eq!(refused, Err(Termination::Retired));
        // The reader is left alone.
        let alone = run(3, vec![1, 2]).all_ok_as::<io::Error>().expect_err("it is left alone");
        assert_eq!(alone.kind(), io::ErrorKind::BrokenPipe);
    }
}

#[test]
fn terminations_and_write_errors_tell_their_sources_once() {
    let ended = poisoned();
    let poison = ended.source().and_then(|source| source.downcast_ref::<Poison>());
    assert_eq!(poison, ended.poison());
    assert_told_once(&ended);
    assert!(format!("{ended:#}").contains("no paper left"));
    assert_told_once(&Termination::Retired);

    let refused = retired(7);
    let source = refused.source().and_then(|source| source.downcast_ref::<Termination>());
    assert_eq!(source, Some(&Termination::Retired));
    assert_told_once(&refused);
    assert!(format!("{refused:#}").contains("retired"));
}

#[test]
fn anyhow_takes_a_value_that_is_not_sync_and_gives_it_back() {
    fn fails() -> anyhow::Result<()> {
        Err::<(), _>(retired(Cell::new(7_u32)))?;
        Ok(())
    }
    let error = fails().expect_err("nobody reads");
    let mut refused = error.downcast::<WriteError<Cell<u32>>>().expect("it is that error");
    refused.get_mut().set(8);
    assert_eq!(refused.into_inner().get(), 8);
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Ended(#[from] Termination),
    #[error(transparent)]
    Network(#[from] Failure),
    #[error("a file")]
    File(#[from] io::Error),
}

#[test]
fn thiserror_derives_what_a_question_mark_needs() {
    fn fails(which: u8) -> Result<(), Failed> {
        match which {
            0 => Err::<(), _>(poisoned())?,
            1 => try_parallel!(careless()).map(drop)?,
            _ => std::fs::read("/no/such/file").map(drop)?,
        }
        Ok(())
    }
    for which in 0..3 {
        let failed = fails(which).expect_err("each fails");
        assert_told_once(&failed);
        assert_eq!(matches!(failed, Failed::Ended(_)), which == 0);
        assert_eq!(matches!(failed, Failed::Network(_)), which == 1);
        assert_eq!(matches!(failed, Failed::File(_)), which == 2);
    }
}

#[test]
fn a_termination_is_the_same_after_its_way_through_an_io_error() {
    for ended in [Termination::Retired, poisoned()] {
        let error = io::Error::from(ended.clone());
        assert_eq!(error.kind() == io::ErrorKind::BrokenPipe, ended == Termination::Retired);
        assert_eq!(Termination::from(error), ended);
        // Another error may stand between.
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, Failed::Ended(ended.clone()));
        assert_eq!(Termination::from(wrapped), ended);
    }
    assert_eq!(Termination::from(io::Error::from(retired(1))), Termination::Retired);
    let refused = io::Error::new(io::ErrorKind::InvalidData, retired(1));
    assert_eq!(Termination::from(refused), Termination::Retired);
}

#[test]
fn causes_stand_in_sets() {
    let (one, other) = (poisoned(), poisoned());
    let ends: HashSet<_> = [&one, &one, &other, &Termination::Retired].into_iter().collect();
    assert_eq!(ends.len(), 3, "two poisons are equal if they are one");
    let causes: HashSet<_> =
        [&one, &other].map(|ended| ended.poison().expect("poison").cause()).into_iter().collect();
    assert_eq!(causes.len(), 1, "two causes are equal if they say the same");
}
