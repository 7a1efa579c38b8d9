//! The words that two programs exchange before their link begins, and the errors that come of them. Each word has its length
//! in front.

use std::{error, fmt, io};

use iroh::endpoint::{RecvStream, SendStream};
use serde::{Deserialize, Serialize};

use super::text::SECRET;
use crate::backend::subprocess::values::carry::Ends;
use crate::backend::subprocess::values::codec;

/// The name of the protocol, on which programs agree before any word.
pub(super) const PROTOCOL: &[u8] = b"csp";
/// The version of all that comes after that.
pub(super) const VERSION: u32 = 1;
/// The longest word.
const LONGEST: usize = 8 << 10;

/// The wish of a program that connects. The version comes first in all versions.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FirstWord {
    pub(super) version: u32,
    pub(super) wish: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ConnectWish {
    /// The node that connects.
    pub(super) node: u64,
    pub(super) name: String,
    pub(super) secret: [u8; SECRET],
    /// The type of the end: its shape, and its name.
    pub(super) shape: u64,
    pub(super) end: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// From here on the stream is the link, if it is the first one of its connection.
    Welcome {
        node: u64,
        end: Vec<u8>,
        ends: Ends,
    },
    Refused(Refusal),
}

/// The reason why a program is not let in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Refusal {
    Version(u32),
    Name,
    Secret,
    /// The type that the name has.
    Type(String),
    /// It is the same program.
    Itself,
    /// The two are connected already.
    Connected,
    /// The listener can't, for this reason.
    Other(String),
}

pub(super) async fn say<T: Serialize>(to: &mut SendStream, word: &T) -> Result<(), String> {
    let mut bytes = codec::pack(word, vec![0; 4]).map_err(|error| error.to_string())?;
    let length = bytes.len() - 4;
    if length > LONGEST {
        return Err(format!("{length} bytes to begin with are too many"));
    }
    bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
    to.write_all(&bytes).await.map_err(|error| error.to_string())
}

pub(super) async fn hear<T: for<'de> Deserialize<'de>>(from: &mut RecvStream) -> Result<T, String> {
    let mut length = [0; 4];
    from.read_exact(&mut length).await.map_err(|error| error.to_string())?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST {
        return Err("it begins with too long a word".to_owned());
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await.map_err(|error| error.to_string())?;
    codec::unpack_whole(&bytes).map_err(|error| error.to_string())
}

/// The reason why an address could not be connected to.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text is not an address.
    NoAddress(&'static str),
    /// Nobody answers there.
    Unreachable(String),
    /// The program there has another key, or is none of this library.
    WrongKey,
    /// The program there has another version of the protocol.
    Version {
        /// The version here.
        ours: u32,
        /// The version there.
        theirs: u32,
    },
    /// Nothing is published under this name.
    UnknownName(String),
    /// The secret is not the one of this name. It may have been renewed.
    WrongSecret,
    /// The published end is of another type.
    OtherType {
        /// The type that was asked for.
        ours: String,
        /// The type of what is published.
        theirs: String,
    },
    /// It is the address of this program.
    Itself,
    /// That program is connected to something that this one has published. Two programs have one connection.
    AlreadyConnected,
    /// The program there has another reason.
    Refused(String),
    /// The system says no.
    Io(io::Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress(why) => write!(f, "this is no address: {why}"),
            Self::Unreachable(why) => write!(f, "nobody could be reached there: {why}"),
            Self::WrongKey => f.write_str("the program there does not have the key of this address"),
            Self::Version { ours, theirs } => {
                write!(f, "the program there has version {theirs} of the protocol, and this one has {ours}")
            }
            Self::UnknownName(name) => write!(f, "nothing is published there as `{name}`"),
            Self::WrongSecret => f.write_str("the secret of this address is not the right one"),
            Self::OtherType { ours, theirs } if ours == theirs => {
                write!(f, "`{ours}` has other fields there")
            }
            Self::OtherType { ours, theirs } => {
                write!(f, "this is the address of a `{theirs}`, and not of a `{ours}`")
            }
            Self::Itself => f.write_str("this is an address of this very program"),
            Self::AlreadyConnected => f.write_str(
                "that program is connected to this one already: pass the end by the channels that there are",
            ),
            Self::Refused(why) => write!(f, "the program there refuses: {why}"),
            Self::Io(error) => write!(f, "no connection could be made: {error}"),
        }
    }
}

impl error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}
