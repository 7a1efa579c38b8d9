//! Floor 2. Event queues: the system tells there which descriptors are ready. README.md says how.

mod engine;
mod queue;
mod registrant;

pub(crate) use self::queue::{EventQueue, Key, adopt, here, leave};
pub(crate) use self::registrant::{ReadyFor, Registrant};
