//! A value on its way: bytes, shared with the message that they came in.

use std::ops::Deref;
use std::sync::Arc;

/// Cloning makes no copy.
#[derive(Clone)]
pub(crate) struct Bytes(Kind);

/// The number of bytes that an atomic pointer and two lengths take.
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

    /// Returns the bytes of `message` from `start` on. It takes the message over, unless they are
    /// few.
    pub(crate) fn rest(message: &mut Vec<u8>, start: usize) -> Self {
        match message.get(start..) {
            None => Bytes::copy(&[]),
            Some(few) if few.len() <= FEW => Bytes::copy(few),
            // The message has more room than bytes. It is used again, and would otherwise be kept
            // as long as the value.
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
