//! The process in a child: it goes by the name that its parent knows, and its end is told as it was.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::boot::{self, child::passport};
use super::carry::{Ends, Packing, Unpacking};
use super::{codec, node};
use crate::park::{self, Identity, Lent, Named};
use crate::process::Failure;
use crate::process::job::live;

/// What a child tells of the process that it ran.
#[derive(Serialize, Deserialize)]
pub(super) enum Told {
    Returned { result: boot::Blob, ends: Ends },
    Failed(Failure),
}

/// A process whose parent is in another OS process.
struct Sent;

impl Named for Sent {
    fn write_name(&self, _: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(&passport().name)
    }

    fn write_path(&self, _: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(&passport().path)
    }
}

/// The arguments, with the channel ends in them.
fn unpacked<A>(take: impl FnOnce() -> Result<A, String>) -> Result<A, String> {
    let _ends = Unpacking::begin(boot::child::ends());
    take()
}

/// Runs the one process of this child, on this thread.
pub(super) fn run<A, R>(
    take: impl FnOnce() -> Result<A, String>,
    body: fn(A) -> R,
    give: fn(&R) -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, String> {
    let context = park::current();
    let retires = passport().retires_on_panic;
    // The one process of this OS process.
    let before = context.begin_as(Lent::new(Identity { of: Arc::new(Sent), index: 0 }), retires);
    let mut refused = None;
    let outcome = live(|| match unpacked(take) {
        Ok(arguments) => Some(body(arguments)),
        Err(reason) => {
            refused = Some(reason);
            None
        }
    });
    let outcome = outcome.and_then(|result| match result {
        None => Ok(None),
        // Packing up is the user's code too: what it panics of is this process's panic.
        Some(result) => live(|| {
            let packing = node::parent().map(Packing::begin);
            let bytes = give(&result).unwrap_or_else(|reason| panic!("{reason}"));
            Some((bytes, packing.map(Packing::done).unwrap_or_default()))
        }),
    });
    context.end(before);
    if let Some(reason) = refused {
        return Err(reason);
    }
    let told = match outcome {
        Ok(returned) => {
            let (result, ends) = returned.unwrap_or_default();
            Told::Returned { result: boot::Blob(result), ends }
        }
        Err(failure) => Told::Failed(failure),
    };
    codec::pack(&told, Vec::new()).map_err(|error| error.to_string())
}
