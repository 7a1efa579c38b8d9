//! The arguments and variables that a body keeps: it never moves them, and lends them only to code that cannot keep them.
//!
//! The library takes a process for the holder of a channel end only if the end cannot have left the process. Then the
//! library can tell that nobody else will ever write to the channel, read from it or end it. So a result of this analysis
//! is a promise, and everything counts as escape that is not surely harmless. Examples are a name alone, an unknown
//! method, a closure and an unknown macro. A name of several variables is kept if all of them are kept.
//!
//! `escape` finds out, `hold` prints, `statements` knows the `let`s that make channels and ends, and `fields` those of `self`.

mod escape;
mod fields;
mod hold;
mod statements;

pub(crate) use hold::{hold_argument, hold_fields, marked};
