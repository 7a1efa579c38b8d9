//! The process in a child. It has the name that its parent knows, and its end is reported as it
//! was.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

use super::Passport;
use super::child::passport;
use crate::backend::subprocess::boot;
use crate::backend::subprocess::values::carry::{Ends, Packing, Unpacking};
use crate::backend::subprocess::values::codec;
use crate::process::Failure;
use crate::process::life::live;
use crate::wait::lineage::{Ancestry, Identity, Named};
use crate::wait::park::{self, Lent, Retiring};

/// A child's report of the process that it ran.
#[derive(Serialize, Deserialize)]
pub(super) enum ToldByChild {
    Returned { result: boot::Blob, ends: Ends },
    Failed(Failure),
}

/// A process whose parent is in another OS process.
struct SentProcess {
    ancestry: Ancestry,
}

impl SentProcess {
    fn new() -> Self {
        let Passport { name, path, .. } = passport();
        let parent = path.strip_suffix(&**name).and_then(|path| path.strip_suffix('/'));
        Self { ancestry: Ancestry::told(parent.unwrap_or_default()) }
    }
}

impl Named for SentProcess {
    fn write_name(&self, _: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(&passport().name)
    }

    fn ancestry(&self) -> &Ancestry {
        &self.ancestry
    }
}

/// Takes the arguments, with the channel ends in them.
fn unpacked<A>(take: impl FnOnce() -> Result<A, String>) -> Result<A, String> {
    let _ends = Unpacking::begin(boot::child::ends());
    take()
}

/// Runs the one process of this child, on this thread.
pub(in crate::backend::subprocess) fn run<A, R>(
    take: impl FnOnce() -> Result<A, String>,
    body: fn(A) -> R,
    give: impl Fn(&R) -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, String> {
    let context = park::current();
    let Passport { retires_on_panic, retires_on_error, .. } = *passport();
    let retiring = Retiring::new(retires_on_panic, retires_on_error);
    // This is the one process of this OS process.
    let before = context
        .begin_as(Lent::new(Identity { of: Arc::new(SentProcess::new()), index: 0 }), retiring);
    // The body, and then the packing of its result.
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
        // Packing up is the user's code too. A panic of it is this process's panic.
        Some(result) => live(|| {
            let packing = passport().starter().map(Packing::begin);
            let bytes = give(&result).unwrap_or_else(|reason| panic!("{reason}"));
            Some((bytes, packing.map(Packing::done).unwrap_or_default()))
        }),
    });
    // The report of its end.
    context.end(before);
    if let Some(reason) = refused {
        return Err(reason);
    }
    let told = match outcome {
        Ok(returned) => {
            let (result, ends) = returned.unwrap_or_default();
            ToldByChild::Returned { result: boot::Blob(result), ends }
        }
        Err(failure) => ToldByChild::Failed(failure),
    };
    codec::pack(&told, Vec::new()).map_err(|error| error.to_string())
}
