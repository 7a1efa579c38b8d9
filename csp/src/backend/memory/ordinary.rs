//! The bytes of a shared buffer in builds without OS processes to share it with: ordinary memory.

use std::io;
use std::sync::Arc;

#[derive(Clone)]
pub(crate) struct Memory(Arc<Vec<u8>>);

impl Memory {
    /// Makes memory that is all zero.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let had = bytes.try_reserve_exact(length);
        had.map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))?;
        bytes.resize(length, 0);
        Ok(Self(Arc::new(bytes)))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns `None` if others hold it.
    pub(crate) fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        Arc::get_mut(&mut self.0).map(Vec::as_mut_slice)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Memory {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Memory {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(super::from_bytes::FromBytes)
    }
}
