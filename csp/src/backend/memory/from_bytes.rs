//! Makes a shared buffer, of either kind of memory, from a serializer's bytes.

use serde::de::{Error, SeqAccess, Visitor};
use std::fmt;

use super::store::Memory;

pub(crate) struct FromBytes;

impl<'de> Visitor<'de> for FromBytes {
    type Value = Memory;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Memory, E> {
        let mut memory = Memory::new(bytes.len()).map_err(E::custom)?;
        if let Some(all) = memory.bytes_mut() {
            all.copy_from_slice(bytes);
        }
        Ok(memory)
    }

    // The format may have no bytes, only sequences.
    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Memory, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = from.next_element()? {
            bytes.push(byte);
        }
        self.visit_bytes(&bytes)
    }
}
