//! Floor 5. Programs that meet by an address: `publish` and `connect`.
//!
//! - [`text`]: the address, and the secret in it. [`key`]: the key of a program, which may be kept in a file.
//! - [`names`]: the names that a node has for nodes of other programs. It is pure.
//! - [`door`]: which strangers are let in, and for how long. It is pure.
//! - [`words`]: what two programs say to each other before the link begins.
//! - [`runtime`]: the thread of iroh, and all that is published and connected.
//! - [`listening`], [`calling`]: the two sides of a connection. [`bridge`]: from its stream to a link.
//! - [`published`]: what the user sees.
//!
//! The README beside this file says which rules hold.

mod bridge;
mod calling;
mod door;
mod key;
mod listening;
mod names;
mod published;
mod runtime;
mod text;
mod words;

pub use self::key::ProgramKey;
pub use self::published::{Connectable, Member, PublishError, Published, connect, publish};
pub use self::words::ConnectError;
