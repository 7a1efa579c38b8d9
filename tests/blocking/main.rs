//! Blocking calls and CPU work: the processes that they hold up, and their own fate.

mod calls;
mod compute;
mod io;
mod shell;
