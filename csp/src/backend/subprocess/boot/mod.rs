//! Starting a child: the same executable once more, caught before it runs the user's `main`.
//!
//! 1. The parent makes a one-shot server and starts `/proc/self/exe` with its name in an environment variable.
//! 2. A hook ahead of `main` ([`child`]) sees the variable, or `csp::init` does if the parent has passed through it. The
//!    child connects and sends `Hello`: the way back is the connection itself, the way forth a channel in the message.
//! 3. The parent sends `Start`: which function ([`entry`]) and its arguments. The child runs it on a thread of its own and
//!    sends `Ended`; then it ends.
//!
//! A child that ends otherwise is seen by its pidfd ([`warden`]), which also gets a parent out of waiting for a `Hello`
//! that will not come. A parent that ends is seen by its children at the end of their control channel: they end at once.
//! Only structures of this module are ever sent: ipc-channel leaves the ends of a message that failed to serialise behind
//! for the next one, so the user's values come here as bytes.

pub(crate) mod child;
pub(crate) mod entry;
pub(crate) mod launch;
pub(crate) mod warden;

#[cfg(test)]
mod tests;

use std::fmt;

use ipc_channel::ipc::IpcSender;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use self::entry::EntryId;
use super::carry::Ends;
use super::node::{Carried, Shared};

/// The variable that makes a child. Empty for everybody else.
pub(crate) const VARIABLE: &str = "CSP_SUBPROCESS";
/// Children of children of children: more than this is a mistake that would not end.
const DEEPEST: u32 = 16;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToChild {
    Start(Box<Start>),
    Memory(Carried),
    #[cfg(test)]
    Note(Blob),
}

/// What a child is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) entry: EntryId,
    pub(crate) arguments: Blob,
    /// The stack of the function, in bytes.
    pub(crate) stack: Option<usize>,
    pub(crate) passport: Passport,
    /// What both have mapped: rings and mailboxes.
    pub(crate) shared: Option<Shared>,
    /// The channel ends among the arguments.
    pub(crate) ends: Ends,
}

/// Who a process is that runs in another OS process than its parent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Passport {
    pub(crate) name: String,
    pub(crate) path: String,
    /// `on_panic = retire`
    pub(crate) retires_on_panic: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromChild {
    Hello {
        control: IpcSender<ToChild>,
    },
    #[cfg(test)]
    Note(Blob),
    Memory(Carried),
    Ended(Ended),
}

/// How the function of a child has ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Ended {
    Returned(Blob),
    Panicked(String),
    /// There was nothing to run: another build, or arguments that are not what it takes.
    Refused(String),
}

/// What the variable says.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Call {
    /// To be caught by `csp::init`, because the parent has passed through it.
    in_main: bool,
    depth: u32,
    server: String,
}

impl Call {
    fn to_text(&self) -> String {
        let place = if self.in_main { "main" } else { "hook" };
        format!("{place} {} {}", self.depth, self.server)
    }

    fn parse(text: &str) -> Option<Call> {
        let (place, rest) = text.split_once(' ')?;
        let (depth, server) = rest.split_once(' ')?;
        let in_main = match place {
            "main" => true,
            "hook" => false,
            _ => return None,
        };
        Some(Call { in_main, depth: depth.parse().ok()?, server: server.to_owned() })
    }
}

/// Bytes that are copied as a whole: serde takes a `Vec<u8>` for a list of numbers, 30 times slower.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }

            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Blob, E> {
                Ok(Blob(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}
