//! The process that runs on this thread. A plain thread becomes one by asking.

use super::plain::adopt;
use crate::wait::context::{self, Context};

/// Returns the process that runs on this thread now.
#[inline(always)]
pub(crate) fn current() -> &'static Context {
    match context::here() {
        Some(context) => context,
        None => adopt(),
    }
}
