//! The cause of an end as bytes, on its way between OS processes.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use super::codec;
use crate::report::termination::Cause;
use crate::report::{Deadlock, Told};

#[derive(Serialize, Deserialize)]
pub(super) enum Sent<'a> {
    Explicit { process: Cow<'a, str>, reason: Cow<'a, str> },
    Panic { process: Cow<'a, str>, message: Cow<'a, str>, place: Option<Cow<'a, str>> },
    NoGuard { process: Cow<'a, str>, place: Cow<'a, str> },
    Unstarted { process: Cow<'a, str>, reason: Cow<'a, str> },
    Lost { process: Cow<'a, str>, message: Cow<'a, str> },
    Serialization { process: Cow<'a, str>, reason: Cow<'a, str> },
    Error { process: Cow<'a, str>, message: Cow<'a, str> },
    Deadlock { summary: String, first: String, paths: Vec<String>, text: String, total: bool },
}

impl<'a> Sent<'a> {
    pub(super) fn of(cause: &'a Cause) -> Self {
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
            Cause::Error { process, message } => {
                Sent::Error { process: text(process), message: text(message) }
            }
            Cause::Deadlock(deadlock) => {
                let Told { summary, first, paths, text, total } = deadlock.tell();
                Sent::Deadlock { summary, first, paths, text, total }
            }
        }
    }

    pub(super) fn arrived(self) -> Cause {
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
            Sent::Error { process, message } => {
                Cause::Error { process: text(process), message: text(message) }
            }
            Sent::Deadlock { summary, first, paths, text, total } => {
                Cause::Deadlock(Deadlock::told(Told { summary, first, paths, text, total }))
            }
        }
    }
}

/// Returns a cause as bytes. It never fails, because all of it is text.
pub(crate) fn encode(cause: &Cause) -> Vec<u8> {
    codec::pack(&Sent::of(cause), Vec::new()).unwrap_or_default()
}

/// Returns the cause in these bytes. If they contain none, the cause says so.
pub(crate) fn decode(mut bytes: &[u8]) -> Cause {
    codec::unpack(&mut bytes).map_or_else(
        |_| Cause::Explicit {
            process: "another OS process".to_owned(),
            reason: "ended for a reason that could not be read".to_owned(),
        },
        Sent::arrived,
    )
}
