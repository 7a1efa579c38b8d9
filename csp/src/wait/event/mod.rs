//! Floor 2. Event queues: the system tells there which descriptors are ready. README.md says how.

mod engine;
mod queue;
mod registrant;

#[allow(unused_imports, reason = "schedulers alone use some of it")]
pub(crate) use self::queue::{EventQueue, Key, adopt, here, house, leave};
pub(crate) use self::registrant::{Readiness, ReadyFor, Registrant};
