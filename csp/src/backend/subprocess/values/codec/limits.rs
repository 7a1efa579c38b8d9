//! Limits of what a value may take.

use std::collections::HashMap;
use std::rc::Rc;

use super::super::failed::Failed;

/// The most parts of sequences and maps in one value that take no bytes. Without a limit, a length of
/// eight bytes could announce any number of them.
pub(super) const MOST_WITHOUT_BYTES: usize = 65_536;

/// Returns the bytes of memory that the parts of all sequences and maps in a value may take. They are 16
/// times the value's own bytes, or 1 GiB if that is more.
pub(in crate::backend::subprocess::values) fn most_memory(bytes: usize) -> usize {
    bytes.max(64 << 20).saturating_mul(16)
}

/// Counts parts that take no bytes. Returns an error if these are more than [`MOST_WITHOUT_BYTES`].
#[inline]
pub(super) fn count_empty(count: &mut usize, more: usize) -> Done {
    *count = count.saturating_add(more);
    match *count <= MOST_WITHOUT_BYTES {
        true => Ok(()),
        false => {
            Err(Failed::new(format!("more than {MOST_WITHOUT_BYTES} parts that take no bytes")))
        }
    }
}

/// Takes the memory of so many parts of this size from `room`.
pub(in crate::backend::subprocess::values) fn take_room(
    room: &mut usize,
    parts: usize,
    size: usize,
) -> Done {
    *room = room.checked_sub(parts.saturating_mul(size)).ok_or_else(Failed::too_large)?;
    Ok(())
}

pub(super) type Done = Result<(), Failed>;

/// The number of fields that are read, by the names of structs.
pub(in crate::backend::subprocess::values) type Fields = Rc<HashMap<&'static str, usize>>;
