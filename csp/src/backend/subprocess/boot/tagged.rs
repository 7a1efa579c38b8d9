//! A child all of whose lines have a tag.

use std::io;
use std::process::Stdio;

use super::Call;
use super::launch::{Hearing, Launched, command, launch_with};

/// Starts a child as `launch` does. All lines that it writes, to either output, come out on standard error with this tag.
pub(crate) fn launch_tagged(tag: String) -> io::Result<(Launched, Hearing)> {
    let (words, output) = io::pipe()?;
    let errors = output.try_clone()?;
    let tagged = |call: &Call| {
        let mut command = command(call);
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        command
    };
    launch_with(tagged, Some((words.into(), tag)))
}
