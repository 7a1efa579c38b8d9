//! Values that fail or panic while they are serialised or deserialised.

use csp::{
    Alternation, Channel, Failure, Reader, Termination, Writer, alt, multiprocess, parallel,
    process, spawn, try_parallel,
};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::tests;

/// Fails or panics when it is serialised or deserialised.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Awkward {
    Fine,
    FailsToGo,
    PanicsToGo,
    FailsToCome,
    PanicsToCome,
}

use Awkward::*;

impl Serialize for Awkward {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Fine => 0_u8.serialize(serializer),
            FailsToGo => Err(S::Error::custom("no way out")),
            PanicsToGo => panic!("no way out"),
            FailsToCome => 1_u8.serialize(serializer),
            PanicsToCome => 2_u8.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Awkward {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Ok(Fine),
            1 => Err(D::Error::custom("no way in")),
            _ => panic!("no way in"),
        }
    }
}

#[multiprocess]
fn takes(before: String, awkward: Awkward, after: Vec<u8>) -> (String, Awkward, Vec<u8>) {
    (before, awkward, after)
}

#[multiprocess]
fn gives(which: u8) -> Awkward {
    [Fine, FailsToGo, PanicsToGo, FailsToCome, PanicsToCome][usize::from(which)]
}

fn taking(awkward: Awkward) -> Failure {
    let outcome = try_parallel!(takes("before".into(), awkward, vec![1, 2]));
    let failure = outcome.expect_err("it was to fail");
    assert_eq!(failure.process(), "law/takes");
    failure
}

fn giving(which: u8) -> Failure {
    let failure = try_parallel!(gives(which)).expect_err("it was to fail");
    assert_eq!(failure.process(), "law/gives");
    failure
}

tests! {
    fn an_argument_that_fails_or_panics_on_its_way_is_the_failure_of_its_process() {
        assert_eq!(parallel!(takes("a".into(), Fine, vec![])).0, ("a".into(), Fine, vec![]));
        for awkward in [FailsToGo, FailsToCome] {
            let failure = taking(awkward);
            assert!(format!("{failure:#}").contains("could not be started"), "{failure:#}");
            assert!(failure.message().contains("Awkward"), "{failure:#}");
            let text = if awkward == FailsToGo { "no way out" } else { "no way in" };
            assert!(failure.message().contains(text), "{failure:#}");
        }
        assert_eq!(taking(PanicsToGo).message(), "no way out");
        assert_eq!(taking(PanicsToCome).message(), "no way in");
    }

    fn a_result_that_fails_or_panics_on_its_way_is_the_failure_of_its_process() {
        assert_eq!(parallel!(gives(0)).0, Fine);
        assert!(giving(1).message().contains("Awkward") && giving(1).message().contains("no way out"));
        assert_eq!(giving(2).message(), "no way out");
        assert!(giving(3).message().contains("Awkward") && giving(3).message().contains("no way in"));
        assert_eq!(giving(4).message(), "no way in");
    }

    /// The write is plain, in a choice that gives its value at once, or in one that computes it late.
    fn a_value_that_fails_or_panics_on_its_way_through_a_channel_is_told_with_its_text() {
        #[multiprocess]
        fn reads(input: Reader<Awkward>, told: Writer<String>) {
            loop {
                match input.read() {
                    Ok(awkward) => told.write(format!("{awkward:?}")).expect("a reader"),
                    Err(Termination::Retired) => return,
                    Err(termination) => told.write(format!("{termination:#}")).expect("a reader"),
                }
            }
        }
        type Write = fn(&Writer<Awkward>, Awkward) -> csp::Result;
        let writes: [Write; 4] = [
            |output, awkward| Ok(output.write(awkward)?),
            |output, awkward| alt! { output.write(awkward) => {} },
            |output, awkward| {
                let mut choice = Alternation::new();
                choice.write(output, || awkward, || ());
                choice.choose()
            },
            |output, awkward| alt! { output.write_with(|| awkward) => {} },
        ];
        let (values, told) = (Channel::new(), Channel::new());
        let child = spawn(reads(values.reader(), told.writer()));
        let (output, told) = (values.writer(), told.reader());
        for write in &writes[..3] {
            for awkward in [FailsToGo, PanicsToGo] {
                let error = write(&output, awkward).expect_err("it was to fail");
                let error = format!("{error:#}");
                assert!(error.contains("Awkward") && error.contains("no way out"), "{error}");
            }
        }
        for write in writes {
            for awkward in [FailsToCome, PanicsToCome] {
                write(&output, awkward).expect("it was written");
                let error = told.read().expect("an error");
                assert!(error.contains("Awkward") && error.contains("no way in"), "{error}");
                assert_eq!(output.termination(), None);
            }
            // The channel is unchanged.
            write(&output, Fine).expect("it was written");
            assert_eq!(told.read().expect("a value"), "Fine");
        }
        drop((values, output));
        child.join();
    }

    /// The parts of the value have been moved, and can't be given back.
    fn what_fails_on_its_way_out_of_an_arm_is_a_panic_that_says_so() {
        #[derive(Deserialize)]
        struct Large(String);

        impl Serialize for Large {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(S::Error::custom(format!("{} is too large", self.0)))
            }
        }

        #[multiprocess]
        fn reads(input: Reader<Large>) -> usize {
            input.iter().count()
        }

        #[process]
        fn writes(output: Writer<Large>, variable: bool) -> csp::Result {
            let large = Large("it".to_owned());
            match variable {
                true => alt! { output.write(large) => {} },
                false => alt! { output.write_with(|| large) => {} },
            }
        }

        for variable in [false, true] {
            let values = Channel::new();
            let reading = spawn(reads(values.reader()));
            let failure = spawn(writes(values.writer(), variable)).try_join();
            let failure = failure.expect_err("it can't be written");
            assert!(failure.message().contains("it is too large"), "{failure:#}");
            // Its channel was poisoned.
            assert_eq!(reading.join(), 0);
        }
    }

    fn a_value_that_is_nested_too_deep_is_told_and_overflows_no_stack() {
        #[derive(Clone, Default, Serialize, Deserialize)]
        struct List(Option<Box<List>>);

        impl Drop for List {
            fn drop(&mut self) {
                let mut next = self.0.take();
                while let Some(mut list) = next {
                    next = list.0.take();
                }
            }
        }

        fn list(length: usize) -> List {
            let next = |list| List(Some(Box::new(list)));
            (0..length).fold(List::default(), |list, _| next(list))
        }

        #[multiprocess]
        fn reads(input: Reader<List>) -> usize {
            input.iter().count()
        }

        // This must hold on every stack on which the value is serialised.
        #[process]
        fn writes(output: Writer<List>) -> String {
            output.write(list(20)).expect("not deep");
            format!("{:#}", output.write(list(1_000_000)).expect_err("too deep"))
        }

        #[multiprocess]
        fn takes(_list: List) {}

        #[multiprocess]
        fn gives() -> List {
            list(1_000_000)
        }

        for backend in [csp::Backend::Thread, csp::Backend::Coroutine] {
            let values = Channel::new();
            let (read, error) = parallel!(reads(values.reader()), writes(values.writer()).on(backend));
            assert!(read == 1 && error.contains("nested too deep") && error.contains("List"), "{error}");
        }
        for failure in [try_parallel!(takes(list(1_000_000))).map(drop), try_parallel!(gives()).map(drop)] {
            let failure = failure.expect_err("too deep");
            assert!(failure.message().contains("nested too deep"), "{failure:#}");
        }
    }

    fn a_hundred_ends_in_one_value() {
        #[multiprocess]
        fn answers(calls: Reader<Vec<(Reader<u32>, Writer<u32>)>>) -> csp::Result<usize> {
            let ends = calls.read()?;
            for (questions, answers) in &ends {
                answers.write(questions.read()? + 1)?;
            }
            Ok(ends.len())
        }
        let calls = Channel::new();
        let child = spawn(answers(calls.reader()));
        let pairs: Vec<_> = (0..50).map(|_| (Channel::new(), Channel::new())).collect();
        let ends = pairs.iter().map(|(questions, answers)| (questions.reader(), answers.writer()));
        calls.writer().write(ends.collect()).expect("a reader");
        for (n, (questions, answers)) in (0..).zip(&pairs) {
            questions.writer().write(n).expect("a reader");
            assert_eq!(answers.reader().read(), Ok(n + 1));
        }
        assert_eq!(child.join(), Ok(50));
        // All these ends belonged to this one value.
        assert!(pairs.iter().all(|(questions, _)| questions.writer().write(0).is_err()));
    }

    fn nothing_of_a_value_that_failed_is_in_the_next() {
        for awkward in [FailsToGo, PanicsToGo, FailsToCome, PanicsToCome] {
            taking(awkward);
            assert_eq!(parallel!(takes("b".into(), Fine, vec![3])).0, ("b".into(), Fine, vec![3]));
        }
    }
}
