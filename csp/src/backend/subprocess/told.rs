//! Why a process or a channel ended, on its way between OS processes: `csp::Result` is what most processes return.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::causes::IDENTITY;
use super::codec;
use super::node::Node;
use crate::process::Failure;
use crate::report::{Deadlock, Told};
use crate::termination::{Cause, Poison, Termination, WriteError};

#[derive(Serialize, Deserialize)]
enum Sent<'a> {
    Explicit { process: Cow<'a, str>, reason: Cow<'a, str> },
    Panic { process: Cow<'a, str>, message: Cow<'a, str>, place: Option<Cow<'a, str>> },
    NoGuard { process: Cow<'a, str>, place: Cow<'a, str> },
    Unstarted { process: Cow<'a, str>, reason: Cow<'a, str> },
    Lost { process: Cow<'a, str>, message: Cow<'a, str> },
    Serialization { process: Cow<'a, str>, reason: Cow<'a, str> },
    Deadlock { summary: String, first: String, paths: Vec<String>, text: String, total: bool },
}

impl<'a> Sent<'a> {
    fn of(cause: &'a Cause) -> Self {
        let text = |text: &'a String| Cow::Borrowed(&**text);
        match cause {
            Cause::Explicit { process, reason } => {
                Sent::Explicit { process: text(process), reason: text(reason) }
            }
            Cause::Panic { process, message, place } => Sent::Panic {
                process: text(process),
                message: text(message),
                place: place.as_ref().map(text),
            },
            Cause::NoGuard { process, place } => {
                Sent::NoGuard { process: text(process), place: text(place) }
            }
            Cause::Unstarted { process, reason } => {
                Sent::Unstarted { process: text(process), reason: text(reason) }
            }
            Cause::Lost { process, message } => {
                Sent::Lost { process: text(process), message: text(message) }
            }
            Cause::Serialization { process, reason } => {
                Sent::Serialization { process: text(process), reason: text(reason) }
            }
            Cause::Deadlock(deadlock) => {
                let Told { summary, first, paths, text, total } = deadlock.tell();
                Sent::Deadlock { summary, first, paths, text, total }
            }
        }
    }

    fn arrived(self) -> Cause {
        let text = Cow::into_owned;
        match self {
            Sent::Explicit { process, reason } => {
                Cause::Explicit { process: text(process), reason: text(reason) }
            }
            Sent::Panic { process, message, place } => Cause::Panic {
                process: text(process),
                message: text(message),
                place: place.map(text),
            },
            Sent::NoGuard { process, place } => {
                Cause::NoGuard { process: text(process), place: text(place) }
            }
            Sent::Unstarted { process, reason } => {
                Cause::Unstarted { process: text(process), reason: text(reason) }
            }
            Sent::Lost { process, message } => {
                Cause::Lost { process: text(process), message: text(message) }
            }
            Sent::Serialization { process, reason } => {
                Cause::Serialization { process: text(process), reason: text(reason) }
            }
            Sent::Deadlock { summary, first, paths, text, total } => {
                Cause::Deadlock(Deadlock::told(Told { summary, first, paths, text, total }))
            }
        }
    }
}

/// Never fails: all of it is text.
pub(crate) fn encode(cause: &Cause) -> Vec<u8> {
    codec::pack(&Sent::of(cause), Vec::new()).unwrap_or_default()
}

/// What is no cause is one that says so.
pub(crate) fn decode(mut bytes: &[u8]) -> Cause {
    codec::unpack(&mut bytes).map_or_else(
        |_| Cause::Explicit {
            process: "another OS process".to_owned(),
            reason: "ended for a reason that could not be read".to_owned(),
        },
        Sent::arrived,
    )
}

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

impl<T: Serialize> Serialize for WriteError<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.value, &self.termination).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for WriteError<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (value, termination) = Deserialize::deserialize(deserializer)?;
        Ok(Self { value, termination })
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
    use super::*;

    fn causes() -> Vec<Cause> {
        let text = |text: &str| text.to_owned();
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
            Cause::Lost { process: text("a"), message: text("signal: 9") },
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
        // What can't be a failure is told as one: it has a process and a message.
        for cause in causes() {
            let failure: Failure = codec::unpack(&mut &encode(&cause)[..]).unwrap();
            let _ = (failure.process().len(), failure.message().len(), failure.place());
        }
    }
}
