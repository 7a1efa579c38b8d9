//! The words of a host process and of its starter.

use ipc_channel::ipc::IpcSharedMemory;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::time::Duration;

use crate::backend::subprocess::boot::{Blob, Ended, Start, descriptors};
use crate::backend::subprocess::node::control::streams::{AskedBy, StreamInvitation, WantedMemory};
use crate::backend::subprocess::node::{self, Carried};
use crate::backend::subprocess::protocol::NodeId;
use crate::backend::subprocess::values::{codec, text};
use crate::process::definition::Limits;
use crate::system::quiet;
use crate::wait::quietly;

/// The first words of the starter. They stand ahead of the link.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) invitation: StreamInvitation,
    /// The SHA-256 of the executable.
    pub(super) executable: [u8; 32],
    /// The workers become children of the starter's program by these.
    pub(super) in_main: bool,
    pub(super) depth: u32,
    pub(super) arguments: Vec<SystemText>,
    pub(super) folder: Option<SystemText>,
    pub(super) environment: Vec<(SystemText, SystemText)>,
}

/// A text of the system's, which may be no Unicode.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct SystemText(Blob);

impl From<&OsStr> for SystemText {
    fn from(text: &OsStr) -> Self {
        Self(Blob(text.as_bytes().to_vec()))
    }
}

impl From<SystemText> for OsString {
    fn from(SystemText(Blob(bytes)): SystemText) -> Self {
        OsString::from_vec(bytes)
    }
}

/// Each worker has a number, which the starter draws.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToHost {
    /// The worker needs a place in the network.
    Prepare(u64),
    /// The worker is to start.
    Start(u64, Box<Start>, WorkerLimits),
    /// The worker is not needed any more, or is to be killed.
    Kill(u64),
    Memory(CarriedBytes),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct WorkerLimits {
    cpu_time: Option<Duration>,
    wall_time: Option<Duration>,
    memory: Option<u64>,
}

impl From<Limits> for WorkerLimits {
    fn from(Limits { cpu_time, wall_time, memory }: Limits) -> Self {
        Self { cpu_time, wall_time, memory }
    }
}

impl From<WorkerLimits> for Limits {
    fn from(WorkerLimits { cpu_time, wall_time, memory }: WorkerLimits) -> Self {
        Self { cpu_time, wall_time, memory }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromHost {
    /// The host process hears its starter from here on. It is the first word.
    Ready,
    /// The place of a worker in the network, or the reason why it has none.
    Prepared(u64, Result<u64, String>),
    Ended(u64, WorkerEnd),
    Memory(CarriedBytes),
}

/// The end of a worker, as the host process has heard of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum WorkerEnd {
    Unstarted(String),
    Exited {
        told: Option<Ended>,
        exit: Option<String>,
        /// The rule that it has broken.
        broken: Option<String>,
    },
}

impl WorkerEnd {
    /// Returns it with texts that can be shown.
    pub(super) fn tamed(self) -> Self {
        match self {
            Self::Unstarted(reason) => Self::Unstarted(text::reason(reason)),
            Self::Exited { told, exit, broken } => {
                let (exit, broken) = (exit.map(text::reason), broken.map(text::reason));
                Self::Exited { told, exit, broken }
            }
        }
    }
}

/// A message about memory, with the bytes of the memory.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum CarriedBytes {
    Want(WantedMemory),
    Coming(AskedBy),
    Have(AskedBy, Option<Blob>),
    Ended(WantedMemory),
    Left(u64, u64, Blob),
}

impl From<Carried> for CarriedBytes {
    fn from(carried: Carried) -> Self {
        let blob = |memory: IpcSharedMemory| Blob(memory.to_vec());
        match carried {
            Carried::Want(want) => Self::Want(want),
            Carried::Coming(asked) => Self::Coming(asked),
            Carried::Have(asked, memory) => Self::Have(asked, memory.map(blob)),
            Carried::Ended(want) => Self::Ended(want),
            Carried::Left(keeper, channel, memory) => Self::Left(keeper, channel, blob(memory)),
        }
    }
}

impl CarriedBytes {
    /// Returns the message with its memory. Memory that can't be had here is missing, and so is a message that leaves it here.
    pub(super) fn arrived(self) -> Option<Carried> {
        // `ipc-channel` panics if there is no memory or no descriptor.
        let memory = |Blob(bytes): Blob| {
            let memory = quietly::catch(|| IpcSharedMemory::from_bytes(&bytes)).ok()?;
            descriptors::keep();
            Some(memory)
        };
        Some(match self {
            Self::Want(want) => Carried::Want(want),
            Self::Coming(asked) => Carried::Coming(asked),
            Self::Have(asked, bytes) => Carried::Have(asked, bytes.and_then(memory)),
            Self::Ended(want) => Carried::Ended(want),
            Self::Left(keeper, channel, bytes) => Carried::Left(keeper, channel, memory(bytes)?),
        })
    }
}

/// Says something to a host process or to the starter.
pub(super) fn say<T: Serialize>(peer: NodeId, word: &T) -> Result<(), String> {
    let bytes = codec::pack(word, Vec::new()).map_err(|error| error.to_string())?;
    node::control::streams::say_control(peer, &bytes)
}

/// Reads a word.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    codec::unpack_whole(bytes).map_err(|error| error.to_string())
}

/// Counts as a thread that is awake. It goes with a word that has come, until somebody has handled the word. Otherwise all
/// could seem to be asleep while a thread is about to be woken by it.
#[derive(Debug)]
pub(super) struct Awake(());

impl Awake {
    pub(super) fn begin() -> Self {
        quiet::wake();
        Self(())
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        quiet::fall_asleep();
    }
}
