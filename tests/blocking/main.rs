//! Blocking calls and CPU work: what they keep from going on, and what becomes of them.

mod calls;
mod compute;
mod io;
mod shell;
