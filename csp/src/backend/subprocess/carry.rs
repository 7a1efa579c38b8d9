//! Values on their way to another OS process.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) fn put<T: Serialize>(value: &T, to: &mut Vec<u8>) -> Result<(), String> {
    let bytes = std::mem::take(to);
    *to = postcard::to_extend(value, bytes).map_err(|error| error.to_string())?;
    Ok(())
}

pub(crate) fn take<T: DeserializeOwned>(from: &mut &[u8]) -> Result<T, String> {
    let (value, rest) = postcard::take_from_bytes(from).map_err(|error| error.to_string())?;
    *from = rest;
    Ok(value)
}
