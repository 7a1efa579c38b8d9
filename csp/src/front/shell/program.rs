//! A program that runs with channels for its standard streams.

use csp_macros::process;
use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::pipes::{Incoming, ProgramEnd, ProgramInput};
use super::passing::{pour, pump};
use super::text::Broke;
use crate::report::termination::{Poison, Termination};
use crate::system::mutex::lock;
use crate::wait::park;
use crate::{Channel, Reader, Writer, io as aside, sleep};

/// The channels that a program gets for its standard input, output and errors. Its `Command`
/// decides about those that are not given.
/// ```
/// use csp::{Channel, shell::Pipes};
///
/// let (orders, errors) = (Channel::new(), Channel::new());
/// let pipes = Pipes::new().stdin(orders.reader()).stderr(errors.writer()); // its output goes where ours does
/// # drop(pipes);
/// ```
#[derive(Debug, Default)]
pub struct Pipes {
    stdin: Option<Reader<String>>,
    stdout: Option<Writer<String>>,
    stderr: Option<Writer<String>>,
}

impl Pipes {
    /// Returns pipes without any channel.
    pub const fn new() -> Self {
        Self { stdin: None, stdout: None, stderr: None }
    }

    /// Gives the program these lines as its input. When the channel retires, the input ends.
    #[must_use]
    pub fn stdin(mut self, lines: Reader<String>) -> Self {
        self.stdin = Some(lines);
        self
    }

    /// Writes the program's output to this channel. The end retires with the program's output.
    #[must_use]
    pub fn stdout(mut self, lines: Writer<String>) -> Self {
        self.stdout = Some(lines);
        self
    }

    /// Writes the program's standard error to this channel.
    #[must_use]
    pub fn stderr(mut self, lines: Writer<String>) -> Self {
        self.stderr = Some(lines);
        self
    }
}

/// Runs a program with channels for pipes. Returns how it ended.
///
/// When nobody reads its output any more, the pipe is closed. The system then ends a program that
/// goes on writing, as in a shell. When the program no longer reads, or has ended, the end of
/// `stdin` retires. Poison on one of the channels kills the program, and goes on to the others.
/// PyCSP: `execute`.
///
/// # Errors
/// If the program can't be started, or a pipe fails. The channels are then poisoned with the
/// reason. Also if one of them is poisoned.
///
/// ```
/// # #[cfg(unix)] {
/// use csp::{Channel, Reader, parallel, process, shell};
/// use std::process::Command;
///
/// #[process]
/// fn all(lines: Reader<String>) -> Vec<String> {
///     lines.iter().collect()
/// }
///
/// let lines = Channel::new();
/// let mut echo = Command::new("echo");
/// let echo = { echo.arg("hello"); echo };
/// let pipes = shell::Pipes::new().stdout(lines.writer());
/// let (status, lines) = parallel!(shell::execute(echo, pipes), all(lines.reader()));
/// assert!(status?.success());
/// assert_eq!(lines, ["hello"]);
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[process(crate = crate)]
pub fn execute(command: Command, pipes: Pipes) -> io::Result<ExitStatus> {
    let mut command = command;
    let Pipes { stdin, stdout, stderr } = pipes;
    if stdin.is_some() {
        command.stdin(Stdio::piped());
    }
    if stdout.is_some() {
        command.stdout(Stdio::piped());
    }
    if stderr.is_some() {
        command.stderr(Stdio::piped());
    }
    // The program starts, or its channels end with the reason.
    let mut child = match aside(|| command.spawn()) {
        Ok(child) => child,
        Err(error) => {
            let reason = format!("{}: {error}", command.get_program().display());
            stdin.iter().for_each(|end| end.poison(reason.clone()));
            stdout.iter().chain(&stderr).for_each(|end| end.poison(reason.clone()));
            return Err(error);
        }
    };
    let pipes = (
        child.stdin.take().map(ProgramInput::of_program),
        child.stdout.take().map(Incoming::of_program),
        child.stderr.take().map(Incoming::of_program),
    );
    // One process for each pipe, and one for the program's end.
    let program = Arc::new(Program { child: Mutex::new(child), stopped: Mutex::new(None) });
    let over = Channel::new();
    let feeds = stdin.zip(pipes.0).map(|(lines, pipe)| {
        feeds(lines, pipe, over.reader(), Arc::clone(&program)).named("stdin")
    });
    let out = stdout
        .zip(pipes.1)
        .map(|(lines, pipe)| drains(pipe, lines, Arc::clone(&program)).named("stdout"));
    let errors = stderr
        .zip(pipes.2)
        .map(|(lines, pipe)| drains(pipe, lines, Arc::clone(&program)).named("stderr"));
    let waits = waits(Arc::clone(&program), over.writer());
    // The program's end, or the reason why it was stopped.
    drop(over);
    let (.., status) = crate::parallel!(feeds, out, errors, waits);
    match lock(&program.stopped).take() {
        None => status,
        Some(Broke::Failed(error)) => Err(error),
        Some(Broke::Poisoned(termination)) => {
            // The ends that are still held go as the channels went.
            park::current().met(&termination);
            Err(io::Error::other(termination))
        }
    }
}

/// A program that runs.
struct Program {
    child: Mutex<Child>,
    stopped: Mutex<Option<Broke>>,
}

impl Program {
    /// Kills it. The reason of the first caller counts.
    fn stop(&self, why: Broke) {
        lock(&self.stopped).get_or_insert(why);
        // It may have ended already.
        let _ = lock(&self.child).kill();
    }

    /// Lets the ends that the current process drops go as the first of them went.
    fn pass_on(&self) {
        match &*lock(&self.stopped) {
            Some(Broke::Poisoned(termination)) => park::current().met(termination),
            Some(Broke::Failed(error)) => {
                let process = park::current().path();
                let reason = error.to_string();
                let cause = crate::report::termination::Cause::Explicit { process, reason };
                park::current().stop(Poison::new(cause));
            }
            None => {}
        }
    }
}

#[process(crate = crate)]
fn feeds(lines: Reader<String>, pipe: ProgramInput, over: Reader<()>, program: Arc<Program>) {
    let mut pipe = pipe;
    let mut open = true;
    // A program that does not read holds up its writer, but not the process that is to end it.
    let poured = pour(&lines, Some(&over), |text| pipe.put(text, &lines, &mut open, &over));
    match poured {
        Ok(_) => {}
        // It has closed its input, so it has read enough.
        Err(Broke::Failed(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(why) => program.stop(why),
    }
    drop(pipe);
    program.pass_on();
}

#[process(crate = crate)]
fn drains(pipe: Incoming, lines: Writer<String>, program: Arc<Program>) {
    let drained = pump(pipe, &lines);
    if let Some(poison) = park::current().poison() {
        program.stop(Broke::Poisoned(Termination::Poisoned(poison)));
    } else if let Err(error) = drained {
        program.stop(Broke::Failed(error));
    }
    program.pass_on();
}

/// Waits for the program's end. Meanwhile others can kill it.
#[process(crate = crate)]
fn waits(program: Arc<Program>, over: Writer<()>) -> io::Result<ExitStatus> {
    let end = ProgramEnd::of_program(&lock(&program.child));
    let status = wait_for(end, || lock(&program.child).try_wait())?;
    over.retire();
    Ok(status)
}

/// Waits until a look at the program says that it has ended. If no event tells of that, it looks again after 1, 2, 4, … milliseconds.
pub(in crate::front) fn wait_for<T>(
    mut end: ProgramEnd,
    mut look: impl FnMut() -> io::Result<Option<T>>,
) -> io::Result<T> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = look()? {
            return Ok(status);
        }
        if !end.wait() {
            sleep(pause);
            pause = (2 * pause).min(Duration::from_millis(32));
        }
    }
}
