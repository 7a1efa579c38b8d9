//! The reasons why a process or a channel ended, on their way between OS processes. `csp::Result`,
//! which most processes return, contains them.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::causes::IDENTITY;
use super::sent::Sent;
use crate::backend::subprocess::node::Node;
use crate::channel::stop::NoValue;
use crate::channel::{Reader, StopToken};
use crate::process::Failure;
use crate::report::termination::{Fate, Poison, Termination, Unwritten, WriteError};
use crate::system::possible::{Doubt, Possible};

/// It stays the same poison, wherever in the network it is met again.
impl Serialize for Poison {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let identity = Node::linked().map(|node| node.identity(self));
        (identity, Sent::of(self.cause())).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Poison {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (identity, sent) = <(Option<[u8; IDENTITY]>, Sent<'_>)>::deserialize(deserializer)?;
        let cause = sent.arrived();
        Ok(match (identity, Node::linked()) {
            (Some(identity), Some(node)) => node.met(identity, cause),
            _ => Poison::new(cause),
        })
    }
}

impl<T: Serialize + Sync> Serialize for WriteError<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.value(), &self.termination, self.fate() == Fate::Unknown).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for WriteError<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (value, termination, is_doubtful) = Deserialize::deserialize(deserializer)?;
        let doubt = bool::then(is_doubtful, || Doubt::new(Possible));
        Ok(Self::new(value, Unwritten { termination, doubt }))
    }
}

impl Serialize for Termination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.poison().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Termination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let poison = Option::deserialize(deserializer)?;
        Ok(poison.map_or(Termination::Retired, Termination::Poisoned))
    }
}

impl Serialize for NoValue {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> Deserialize<'de> for NoValue {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("a channel of a `Stop` has no values"))
    }
}

/// A token crosses to another OS process as an end does.
impl Serialize for StopToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.reader().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StopToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Reader::deserialize(deserializer).map(Self::of)
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Sent::of(self.cause()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Failure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Sent::deserialize(deserializer).map(|sent| Failure::told(sent.arrived()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec;
    use super::super::sent::{decode, encode};
    use super::*;
    use std::time::Duration;

    use crate::report::termination::{Cause, LostHost};
    use crate::report::{Deadlock, Told};

    fn causes() -> Vec<Cause> {
        let text = |text: &str| text.to_owned();
        let unheard = Duration::from_millis(1_500);
        let host = LostHost::new(text("node1"), unheard, vec![(text("jobs"), 3)]);
        let told = Told {
            summary: text("s"),
            first: text("f"),
            paths: vec![text("f")],
            text: text("t"),
            total: true,
        };
        vec![
            Cause::Explicit { process: text("main"), reason: text("enough") },
            Cause::Panic { process: text("a"), message: text("b"), place: Some(text("c:1:2")) },
            Cause::Panic { process: text("a"), message: text(""), place: None },
            Cause::NoGuard { process: text("a"), place: text("b") },
            Cause::Unstarted { process: text("a"), reason: text("b") },
            Cause::Lost { process: text("a"), message: text("signal: 9"), host: None },
            Cause::Lost { process: text("a"), message: text("b"), host: Some(host) },
            Cause::Error { process: text("a"), message: text("b: c") },
            Cause::Deadlock(Deadlock::told(told)),
        ]
    }

    #[test]
    fn every_cause_arrives_as_it_was() {
        for cause in causes() {
            let arrived = decode(&encode(&cause));
            assert_eq!(format!("{cause:?} {cause}"), format!("{arrived:?} {arrived}"));
        }
    }

    #[test]
    fn garbage_is_a_cause_that_says_so() {
        for garbage in [&[][..], &[99], &[1, 200, 1]] {
            assert!(decode(garbage).to_string().contains("could not be read"));
        }
    }

    #[test]
    fn terminations_and_failures_arrive() {
        let there_and_back = |termination: &Termination| -> Termination {
            codec::unpack(&mut &codec::pack(termination, Vec::new()).unwrap()[..]).unwrap()
        };
        assert_eq!(there_and_back(&Termination::Retired), Termination::Retired);
        for cause in causes() {
            let poisoned = Termination::Poisoned(Poison::new(cause));
            assert_eq!(there_and_back(&poisoned).to_string(), poisoned.to_string());
        }
        for doubt in [None, Some(Doubt::new(Possible))] {
            let error = WriteError::new(7, Unwritten { termination: Termination::Retired, doubt });
            let packed = codec::pack(&error, Vec::new()).unwrap();
            assert_eq!(codec::unpack::<WriteError<i32>>(&mut &packed[..]).unwrap(), error);
        }
        // A cause that can't be a failure is reported as one: it has a process and a message.
        for cause in causes() {
            let failure: Failure = codec::unpack(&mut &encode(&cause)[..]).unwrap();
            let _ = (failure.process().len(), failure.message().len(), failure.place());
        }
    }
}
