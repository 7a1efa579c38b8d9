//! Programs that meet by an address. Each is an OS process of its own: this test program, started again with a role.

mod crossing;
mod crowd;
mod limits;
mod members;
mod programs;
mod refusals;
mod sockets;
