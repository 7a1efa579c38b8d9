//! The protocols of the room `sync`: locks that have owners, data that others take from, the search for work,
//! the inbox of a thread, and all places where a scheduler sleeps.

mod inbox;
mod lock;
mod search;
mod sleep;
mod stealing;

use super::*;
use crate::sync::{Ordering, fence};
