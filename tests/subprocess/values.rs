//! Values that fail or panic on their way.

use csp::{Failure, multiprocess, parallel, try_parallel};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::tests;

/// Fails or panics when it is packed up or unpacked.
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
            assert!(failure.to_string().contains("could not be started"), "{failure}");
            assert!(failure.message().contains("Awkward"), "{failure}");
        }
        assert_eq!(taking(PanicsToGo).message(), "no way out");
        assert_eq!(taking(PanicsToCome).message(), "no way in");
    }

    fn a_result_that_fails_or_panics_on_its_way_is_the_failure_of_its_process() {
        assert_eq!(parallel!(gives(0)).0, Fine);
        assert!(giving(1).message().contains("Awkward"));
        assert_eq!(giving(2).message(), "no way out");
        assert!(giving(3).message().contains("Awkward"));
        assert_eq!(giving(4).message(), "no way in");
    }

    fn nothing_of_a_value_that_failed_is_in_the_next() {
        for awkward in [FailsToGo, PanicsToGo, FailsToCome, PanicsToCome] {
            taking(awkward);
            assert_eq!(parallel!(takes("b".into(), Fine, vec![3])).0, ("b".into(), Fine, vec![3]));
        }
    }
}
