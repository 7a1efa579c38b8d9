//! Floor 4. Reads and writes as futures.
//!
//! The offer lies in the future itself, which is pinned from its first poll on. The drop of the future withdraws the offer.
//!
//! An operation has its channel in one of two ways, and acts accordingly: see [`Acting`](acting::Acting). One that borrows an end acts for
//! the process of its thread. One that *roams* has a share of the channel, may be polled by any thread, and acts for nobody.

mod acting;
pub(crate) mod beyond;
mod reading;
#[cfg(feature = "futures")]
mod roaming;
#[cfg(feature = "futures")]
mod sink;
#[cfg(feature = "futures")]
mod stream;
mod writing;

pub use self::reading::{BeginAsync, ReadAsync};
#[cfg(feature = "futures")]
pub use self::sink::WriterSink;
#[cfg(feature = "futures")]
pub use self::stream::ReaderStream;
pub use self::writing::WriteAsync;
