//! Floor 5. Starting a child: the same executable once more, caught before it runs the user's `main`.
//!
//! 1. The parent makes a one-shot server and starts `/proc/self/exe` with the server's name in an
//!    environment variable.
//! 2. A hook ahead of `main` ([`child`]) sees the variable, or `csp::init` does if the parent has
//!    passed through it. The child connects and sends `Hello`: the way back is the connection
//!    itself, the way forth a channel in the message.
//! 3. The parent sends `Start`: which function ([`entry`]) and its arguments. The child runs it on
//!    a thread of its own and sends `Ended`, and then ends itself.
//!
//! The pidfd of a child shows if it ends otherwise ([`reaper`], the watcher of the children). The
//! reaper also gets a parent out of waiting for a `Hello` that will not come. Children see the end
//! of their parent at the end of their control channel, and end at once. Only structures of this
//! module are ever sent, and the user's values come here as bytes. The reason: ipc-channel leaves
//! the ends of a message that failed to serialise behind for the next one.

pub(super) mod child;
pub(in crate::backend) mod descriptors;
pub(super) mod entry;
pub(super) mod launch;
pub(super) mod parent;
pub(super) mod process;
pub(super) mod reaper;
#[cfg(feature = "hosts")]
mod stream;
#[cfg(feature = "hosts")]
pub(super) mod tagged;
#[cfg(test)]
mod tests;

use ipc_channel::ipc::IpcSender;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::sync::Arc;

use self::entry::EntryId;
#[cfg(feature = "hosts")]
use super::node::control::streams::StreamInvitation;
use super::node::{self, Carried, Invitation};
use super::protocol::NodeId;
use super::values::carry::Ends;
use crate::channel::far::Bytes;
use crate::process::work::Work;

/// The variable that makes a child. It is empty for every other process.
pub(crate) const VARIABLE: &str = "CSP_SUBPROCESS";
/// Its contents for a host process.
pub(crate) const HOST: &str = "host";
/// The deepest nesting of children of children: more than this is a mistake that would not end.
const DEEPEST: u32 = 16;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToChild {
    Start(Box<Start>),
    Memory(Carried),
    #[cfg(test)]
    Note(Blob),
}

/// The work of a child.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) entry: EntryId,
    pub(crate) arguments: Blob,
    /// The stack of the function, in bytes.
    pub(crate) stack: Option<usize>,
    pub(crate) passport: Passport,
    /// The memory that both have mapped: rings and mailboxes.
    pub(crate) shared: Option<Invitation>,
    /// The stream by which they are linked instead.
    #[cfg(feature = "hosts")]
    pub(crate) stream: Option<StreamInvitation>,
    /// The channel ends among the arguments.
    pub(crate) ends: Ends,
}

/// The name and options of a process that runs in another OS process than its parent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Passport {
    pub(crate) name: String,
    pub(crate) path: String,
    /// `on_panic = retire`
    pub(crate) retires_on_panic: bool,
    /// `on_error = retire`
    pub(crate) retires_on_error: bool,
    /// The limit of its CPU time, in seconds.
    pub(crate) cpu_time: Option<u64>,
    /// The limit of its memory, in bytes.
    pub(crate) memory: Option<u64>,
    /// The node that gets its result, if that is not the parent.
    #[cfg(feature = "hosts")]
    pub(crate) starter: Option<u64>,
}

impl Passport {
    pub(crate) fn of(work: &Arc<dyn Work>, index: usize) -> Self {
        let options = work.options();
        let (retiring, limits) = (options.retiring(), options.limits());
        Self {
            name: work.name(index),
            path: work.path(index),
            retires_on_panic: retiring.on_panic(),
            retires_on_error: retiring.on_error(),
            // The system counts whole seconds.
            cpu_time: limits.cpu_time.map(|time| time.as_millis().div_ceil(1000) as u64),
            memory: limits.memory,
            #[cfg(feature = "hosts")]
            starter: None,
        }
    }

    /// Returns it for a process on that host. The names in reports say where it runs.
    #[cfg(feature = "hosts")]
    pub(crate) fn at(self, host: &str) -> Self {
        let name = format!("{}@{host}", self.name);
        Self { name, path: format!("{}@{host}", self.path), ..self }
    }

    /// Returns the node that gets the result.
    fn starter(&self) -> Option<NodeId> {
        #[cfg(feature = "hosts")]
        if let Some(starter) = self.starter {
            return Some(NodeId(starter));
        }
        node::parent()
    }
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

/// The way in which the function of a child has ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Ended {
    Returned(Blob),
    Panicked(String),
    /// There was nothing to run: another build, or arguments that the function does not take.
    Refused(String),
}

/// The contents of the variable.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Call {
    /// `csp::init` is to catch the call, because the parent has passed through it.
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

/// Bytes that are copied as a whole. serde takes a `Vec<u8>` for a list of numbers, 30 times
/// slower.
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

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Blob::deserialize(deserializer).map(|Blob(bytes)| Bytes::from(bytes))
    }
}
