//! The cause of an end as bytes, on its way between OS processes.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

use super::{codec, text};
use crate::report::termination::{Cause, LostHost};
use crate::report::{Deadlock, Told};

#[derive(Serialize, Deserialize)]
pub(super) enum Sent<'a> {
    Explicit { process: Cow<'a, str>, reason: Cow<'a, str> },
    Panic { process: Cow<'a, str>, message: Cow<'a, str>, place: Option<Cow<'a, str>> },
    NoGuard { process: Cow<'a, str>, place: Cow<'a, str> },
    Unstarted { process: Cow<'a, str>, reason: Cow<'a, str> },
    Lost { process: Cow<'a, str>, message: Cow<'a, str>, host: Option<SentHost> },
    Serialization { process: Cow<'a, str>, reason: Cow<'a, str> },
    Error { process: Cow<'a, str>, message: Cow<'a, str> },
    Deadlock { summary: String, first: String, paths: Vec<String>, text: String, total: bool },
}

/// A lost host, on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::backend::subprocess) struct SentHost {
    name: String,
    unheard: Duration,
    unknown: Vec<(String, usize)>,
}

impl SentHost {
    /// The most channels that are told one by one.
    const MOST: usize = 64;

    pub(in crate::backend::subprocess) fn of(host: &LostHost) -> Self {
        let unknown = host.unknown().take(Self::MOST);
        Self {
            name: host.name().to_owned(),
            unheard: host.unheard(),
            unknown: unknown.map(|(channel, values)| (channel.to_owned(), values)).collect(),
        }
    }

    pub(in crate::backend::subprocess) fn arrived(self) -> LostHost {
        let unknown = self.unknown.into_iter().take(Self::MOST);
        let unknown = unknown.map(|(channel, values)| (text::name(channel), values)).collect();
        LostHost::new(text::name(self.name), self.unheard, unknown)
    }
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
            Cause::Lost { process, message, host } => Sent::Lost {
                process: text(process),
                message: text(message),
                host: host.as_ref().map(SentHost::of),
            },
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
        let name = |text: Cow<'_, str>| text::name(text.into_owned());
        let reason = |text: Cow<'_, str>| text::reason(text.into_owned());
        match self {
            Sent::Explicit { process, reason: why } => {
                Cause::Explicit { process: name(process), reason: reason(why) }
            }
            Sent::Panic { process, message, place } => Cause::Panic {
                process: name(process),
                message: reason(message),
                place: place.map(name),
            },
            Sent::NoGuard { process, place } => {
                Cause::NoGuard { process: name(process), place: name(place) }
            }
            Sent::Unstarted { process, reason: why } => {
                Cause::Unstarted { process: name(process), reason: reason(why) }
            }
            Sent::Lost { process, message, host } => Cause::Lost {
                process: name(process),
                message: reason(message),
                host: host.map(SentHost::arrived),
            },
            Sent::Serialization { process, reason: why } => {
                Cause::Serialization { process: name(process), reason: reason(why) }
            }
            Sent::Error { process, message } => {
                Cause::Error { process: name(process), message: reason(message) }
            }
            Sent::Deadlock { summary, first, paths, text, total } => {
                let (summary, first) = (text::reason(summary), text::name(first));
                let paths = paths.into_iter().map(text::name).collect();
                let text = text::report(text);
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
