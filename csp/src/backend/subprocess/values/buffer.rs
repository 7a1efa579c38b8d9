//! How a shared buffer travels in a value.
//!
//! The process that packs the memory up is its *keeper*. The memory stays with the keeper until it
//! is asked for, or until the value is destroyed on its way. The keeper hears of that as of the end
//! of any channel: the value carries a reading end of a channel without writes. The process that
//! unpacks the value asks the keeper for the memory, by the control channels, and drops that end
//! when the memory has come.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::carry;
use crate::backend::memory::store::Memory;
use crate::backend::subprocess::node::{Fetched, Node};
use crate::channel::far::Remote as _;

/// Stands for it among the bytes of a value.
#[derive(Serialize, Deserialize)]
struct Packed {
    /// The place of its end among the tokens.
    place: u32,
    length: usize,
}

/// It goes along without being copied in a value that is written to a channel. So it does among the
/// arguments or in the result of a process. With any other serializer it is bytes.
impl Serialize for Memory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[cfg(feature = "address")]
        if super::crossed::is_for_another_program() {
            return Err(serde::ser::Error::custom(super::crossed::NO_BUFFER));
        }
        match carry::attach(self) {
            Some(place) => Packed { place, length: self.bytes().len() }.serialize(serializer),
            None => serializer.serialize_bytes(self.bytes()),
        }
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !carry::is_unpacking() {
            return deserializer
                .deserialize_byte_buf(crate::backend::memory::from_bytes::FromBytes);
        }
        let Packed { place, length } = Packed::deserialize(deserializer)?;
        let Some(token) = carry::detach(place) else {
            return Err(de::Error::custom("this buffer is not in the value"));
        };
        let node = Node::here();
        let memory = node.fetch(token).and_then(|fetched| match fetched {
            Fetched::Here(memory) => Ok(memory),
            Fetched::Sent(shared) => {
                Memory::of(shared, length).ok_or_else(|| "it is shorter than it was".to_owned())
            }
        });
        // Its keeper may free it.
        node.drop_end(token.channel, token.direction);
        memory
            .map_err(|reason| de::Error::custom(format!("a shared buffer did not come: {reason}")))
    }
}
