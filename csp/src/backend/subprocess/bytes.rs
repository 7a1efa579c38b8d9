//! A value on its way: bytes, shared with the message that they came in.

use std::ops::Deref;
use std::sync::Arc;

/// Cloned without a copy.
#[derive(Clone)]
pub(crate) struct Bytes(Kind);

/// As many as an atomic pointer and two lengths take.
const FEW: usize = 22;

#[derive(Clone)]
enum Kind {
    Few(u8, [u8; FEW]),
    Part(Arc<Vec<u8>>, usize, usize),
}

impl Bytes {
    #[inline]
    pub(crate) fn copy(bytes: &[u8]) -> Self {
        match bytes.len() {
            length @ 0..=FEW => {
                let mut few = [0; FEW];
                few[..length].copy_from_slice(bytes);
                Bytes(Kind::Few(length as u8, few))
            }
            length => Bytes(Kind::Part(Arc::new(bytes.to_vec()), 0, length)),
        }
    }

    /// What stands in `message` from `start` on. It is taken, unless that is little.
    pub(crate) fn rest(message: &mut Vec<u8>, start: usize) -> Self {
        match message.get(start..) {
            None => Bytes::copy(&[]),
            Some(few) if few.len() <= FEW => Bytes::copy(few),
            // More room than bytes: it is used again, and would be kept as long as the value.
            Some(part) if message.capacity() / 2 > message.len() => Bytes::copy(part),
            Some(_) => {
                let end = message.len();
                Bytes(Kind::Part(Arc::new(std::mem::take(message)), start, end))
            }
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Kind::Few(length, few) => &few[..usize::from(*length)],
            Kind::Part(message, start, end) => &message[*start..*end],
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(mut bytes: Vec<u8>) -> Self {
        Bytes::rest(&mut bytes, 0)
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}
