//! Files and programs at the ends of channels, in the manner of PyCSP's toolkit.
//!
//! Lines travel as `String`s without their line ends. Blocking calls are left to
//! [`io`](fn@crate::io), so all of this can run beside coroutines. A file or program that fails
//! poisons its channels with the reason, so that no reader takes half a text for the whole.
//!
//! ```
//! use csp::{Channel, Reader, parallel, process, shell};
//! use std::process::Command;
//!
//! #[process]
//! fn longest(lines: Reader<String>) -> Option<String> {
//!     lines.iter().max_by_key(String::len)
//! }
//!
//! # #[cfg(unix)] {
//! let (text, sorted) = (Channel::new(), Channel::new());
//! let pipes = shell::Pipes::new().stdin(text.reader()).stdout(sorted.writer());
//! let (read, status, longest) = parallel!(
//!     shell::read_lines("Cargo.toml".into(), text.writer()),
//!     shell::execute(Command::new("sort"), pipes),
//!     longest(sorted.reader()),
//! );
//! assert!(read? > 10 && status?.success() && longest.is_some());
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```

use csp_macros::process;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::choice::guards::call::Call;
use crate::report::termination::{Poison, Termination};
use crate::wait::park;
use crate::{Channel, Reader, Writer, alt, io as aside, sleep};

/// The number of bytes that one call reads or writes, and the longest wait for more to come
/// together.
const BLOCK: usize = 64 << 10;
const PAUSE: Duration = Duration::from_millis(10);

/// Writes the lines of a file. Returns how many they were.
///
/// It ends, and so retires its end, at the end of the file or when nobody reads any more. PyCSP:
/// `file_r`.
///
/// # Errors
/// If the file can't be read or is not UTF-8. The channel is then poisoned with the reason.
///
/// ```
/// use csp::{Channel, Reader, parallel, process, shell};
///
/// #[process]
/// fn first(lines: Reader<String>) -> csp::Result<String> {
///     lines.read()
/// }
///
/// let lines = Channel::new();
/// let (_, first) =
///     parallel!(shell::read_lines("Cargo.toml".into(), lines.writer()), first(lines.reader()));
/// assert_eq!(first?, "[package]");
/// # Ok::<(), csp::Termination>(())
/// ```
#[process(crate = crate)]
pub fn read_lines(path: PathBuf, lines: Writer<String>) -> io::Result<u64> {
    let file = aside(|| File::open(&path));
    let count = file.and_then(|file| pump(file, &lines));
    if let Err(error) = &count {
        lines.poison(format!("{}: {error}", path.display()));
    }
    count
}

/// Writes all lines that it reads into a file, which is made or emptied first. Returns how many
/// they were.
///
/// It ends when the channel retires. Until then the file lags behind by some hundredths of a
/// second. PyCSP: `file_w`.
///
/// # Errors
/// If the file can't be written. The channel is then poisoned with the reason. Also if the channel
/// is poisoned, after the lines that came before have been written.
///
/// ```
/// use csp::{Channel, Writer, parallel, process, shell};
///
/// #[process]
/// fn says(lines: Writer<String>) -> csp::Result {
///     ["one", "two"].into_iter().try_for_each(|line| Ok(lines.write(line.to_owned())?))
/// }
///
/// let file = std::env::temp_dir().join(format!("csp-{}", std::process::id()));
/// let lines = Channel::new();
/// let (_, count) =
///     parallel!(says(lines.writer()), shell::write_lines(lines.reader(), file.clone()));
/// assert_eq!((count?, std::fs::read_to_string(&file)?), (2, "one\ntwo\n".to_owned()));
/// # std::fs::remove_file(file)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[process(crate = crate)]
pub fn write_lines(lines: Reader<String>, path: PathBuf) -> io::Result<u64> {
    let file = aside(|| File::create(&path)).map_err(Broke::Failed);
    let poured = file.and_then(|mut file| {
        pour(&lines, None, |text| aside(|| put(&mut file, &text)).map_err(Broke::Failed))
    });
    match poured {
        Ok(count) => Ok(count),
        Err(Broke::Poisoned(termination)) => Err(io::Error::other(termination)),
        Err(Broke::Failed(error)) => {
            lines.poison(format!("{}: {error}", path.display()));
            Err(error)
        }
    }
}

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
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    // One process for each pipe, and one for the program's end.
    let program = Arc::new(Program { child: Mutex::new(child), stopped: Mutex::new(None) });
    let over = Channel::new();
    let feeds = stdin.zip(pipes.0).map(|(lines, pipe)| {
        feeds(lines, pipe, over.reader(), Arc::clone(&program)).named("stdin")
    });
    let out = stdout
        .zip(pipes.1)
        .map(|(lines, pipe)| drains(Box::new(pipe), lines, Arc::clone(&program)).named("stdout"));
    let errors = stderr
        .zip(pipes.2)
        .map(|(lines, pipe)| drains(Box::new(pipe), lines, Arc::clone(&program)).named("stderr"));
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

/// The reason why it did not end by itself.
enum Broke {
    Poisoned(Termination),
    Failed(io::Error),
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[process(crate = crate)]
fn feeds(lines: Reader<String>, pipe: ChildStdin, over: Reader<()>, program: Arc<Program>) {
    // A blocking call writes the lines that are next.
    let next = Arc::new(Mutex::new(Vec::new()));
    let write = Call::new({
        let (next, mut pipe) = (Arc::clone(&next), pipe);
        move || {
            let text = std::mem::take(&mut *lock(&next));
            put(&mut pipe, &text)
        }
    });
    let mut open = true;
    // A program that does not read holds up its writer, but not the process that is to end it.
    let poured = pour(&lines, Some(&over), |text| {
        *lock(&next) = text;
        loop {
            let written = alt! {
                written = io(write)      => Some(written),
                retired(over)            => Some(Ok(())),
                if open, retired(lines)  => { open = false; None }
            };
            if let Some(written) = written.map_err(Broke::Poisoned)? {
                return written.map_err(Broke::Failed);
            }
        }
    });
    match poured {
        Ok(_) => {}
        // It has closed its input, so it has read enough.
        Err(Broke::Failed(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(why) => program.stop(why),
    }
    drop(write);
    program.pass_on();
}

#[process(crate = crate)]
fn drains(pipe: Box<dyn Read + Send>, lines: Writer<String>, program: Arc<Program>) {
    let drained = pump(pipe, &lines);
    if let Some(poison) = park::current().poison() {
        program.stop(Broke::Poisoned(Termination::Poisoned(poison)));
    } else if let Err(error) = drained {
        program.stop(Broke::Failed(error));
    }
    program.pass_on();
}

/// Waits for the program's end by looking again after 1, 2, 4, … milliseconds. So it needs no
/// thread, and can be told to stop.
#[process(crate = crate)]
fn waits(program: Arc<Program>, over: Writer<()>) -> io::Result<ExitStatus> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = lock(&program.child).try_wait()? {
            over.retire();
            return Ok(status);
        }
        sleep(pause);
        pause = (2 * pause).min(Duration::from_millis(32));
    }
}

/// Writes the lines that can be read from `input`, until either ends. Returns how many they were.
fn pump(input: impl Read + Send + 'static, lines: &Writer<String>) -> io::Result<u64> {
    let mut input = Lines { input, block: vec![0; BLOCK].into(), rest: Vec::new() };
    // A silent program does not keep this process from hearing that the channel has ended.
    let read = Call::new(move || input.batch());
    let mut count = 0;
    loop {
        let batch = alt! {
            batch = io(read) => batch?,
            retired(lines)   => None,
        };
        let Ok(Some(batch)) = batch else { return Ok(count) };
        for line in batch {
            if lines.write(line).is_err() {
                return Ok(count);
            }
            count += 1;
        }
    }
}

struct Lines<R> {
    input: R,
    block: Box<[u8]>,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
}

impl<R: Read> Lines<R> {
    /// Returns some lines, as soon as there is one, or `None` at the end.
    fn batch(&mut self) -> io::Result<Option<Vec<String>>> {
        loop {
            let size = match self.input.read(&mut self.block) {
                Ok(0) if self.rest.is_empty() => return Ok(None),
                Ok(0) => return Ok(Some(vec![text(&std::mem::take(&mut self.rest))?])),
                Ok(size) => size,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let block = &self.block[..size];
            // The bytes that came before have no line end.
            let Some(last) = block.iter().rposition(|byte| *byte == b'\n') else {
                self.rest.extend_from_slice(block);
                continue;
            };
            self.rest.extend_from_slice(&block[..last]);
            let whole = std::mem::replace(&mut self.rest, block[last + 1..].to_vec());
            let lines = whole.split(|byte| *byte == b'\n').map(text);
            return lines.collect::<io::Result<_>>().map(Some);
        }
    }
}

fn text(line: &[u8]) -> io::Result<String> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8(line.to_vec())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

fn put(out: &mut impl Write, text: &[u8]) -> io::Result<()> {
    out.write_all(text)?;
    out.flush()
}

/// Has the lines written, some at a time, until the channel retires, or `over` does. Returns how
/// many they were.
fn pour(
    lines: &Reader<String>,
    over: Option<&Reader<()>>,
    mut write: impl FnMut(Vec<u8>) -> Result<(), Broke>,
) -> Result<u64, Broke> {
    enum Next {
        Line(String),
        Pause,
        End,
    }
    let (mut text, mut count) = (Vec::new(), 0);
    loop {
        // More lines come together until they fill a block, or until nothing more comes.
        let next = alt! {
            line = lines.read()                    => Next::Line(line),
            if !text.is_empty(), after(PAUSE)      => Next::Pause,
            retired(lines)                         => Next::End,
            if let Some(over) = over, retired(*over) => Next::End,
        };
        if let Ok(Next::Line(line)) = &next {
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
            count += 1;
        }
        let waits_for_more = text.len() < BLOCK && matches!(next, Ok(Next::Line(_)));
        if !text.is_empty() && !waits_for_more {
            write(std::mem::take(&mut text))?;
        }
        match next {
            Ok(Next::End) => return Ok(count),
            Ok(_) => {}
            Err(termination) => return Err(Broke::Poisoned(termination)),
        }
    }
}
