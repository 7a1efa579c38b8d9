//! The bounds of values in laws that also run in OS processes.

#[cfg(feature = "subprocess")]
use serde::{Serialize, de::DeserializeOwned};

/// Values that a process in another OS process can be given.
#[cfg(feature = "subprocess")]
pub trait Wire: Serialize + DeserializeOwned + Send + 'static {}

#[cfg(feature = "subprocess")]
impl<T: Serialize + DeserializeOwned + Send + 'static> Wire for T {}

/// Values that a process can be given.
#[cfg(not(feature = "subprocess"))]
pub trait Wire: Send + 'static {}

#[cfg(not(feature = "subprocess"))]
impl<T: Send + 'static> Wire for T {}
