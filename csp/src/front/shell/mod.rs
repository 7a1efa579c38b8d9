// Floor 7. Files and programs at the ends of channels.

//! Files and programs at the ends of channels, in the manner of PyCSP's toolkit.
//!
//! Lines travel as `String`s without their line ends. A file or program that fails poisons its
//! channels with the reason, so that no reader takes half a text for the whole.
//!
//! All of this can run beside coroutines. A process that waits for the pipe of a program, for a
//! terminal or for standard input parks, and its thread goes on. That needs the feature `net`, and
//! Unix. Otherwise, and for ordinary files, the calls are left to [`io`](fn@crate::io). No descriptor
//! is ever made a non-blocking one. The end of a program is an event too on Linux, since 5.3.
//! Elsewhere the library looks for it every 1 to 32 ms.
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

mod passing;
pub(super) mod program;
pub(super) mod text;

use csp_macros::process;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use self::passing::{pour, pump};
pub use self::program::{Pipes, execute};
use self::text::{Broke, put};
use super::pipes::Incoming;
use crate::{Reader, Writer, io as aside};

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
    let count = file.and_then(|file| pump(Incoming::of_file(file), &lines));
    if let Err(error) = &count {
        lines.poison(format!("{}: {error}", path.display()));
    }
    count
}

/// Writes the lines of standard input. Returns how many they were.
///
/// It ends, and so retires its end, at the end of the input or when nobody reads any more. At a
/// terminal, `Ctrl-D` is the end, and after a part of a line a second one. Lines may
/// have been read by then that nobody has taken. So do not use [`std::io::stdin`] before it or
/// beside it, because what that one has buffered does not come here. If
/// another program reads the same terminal, each line comes to one of the two.
///
/// # Errors
/// If the input can't be read or is not UTF-8. The channel is then poisoned with the reason.
///
/// ```no_run
/// use csp::{Channel, Reader, alt, parallel, process, shell};
/// use std::time::Duration;
///
/// #[process]
/// fn answers(lines: Reader<String>) -> csp::Result {
///     loop {
///         alt! {
///             line = lines.read()           => println!("you said {line}"),
///             after(Duration::from_secs(5)) => println!("are you still there?"),
///         }?;
///     }
/// }
///
/// let lines = Channel::new();
/// let _ = parallel!(shell::read_stdin(lines.writer()), answers(lines.reader()));
/// ```
#[process(crate = crate)]
pub fn read_stdin(lines: Writer<String>) -> io::Result<u64> {
    let count = Incoming::stdin().and_then(|input| pump(input, &lines));
    if let Err(error) = &count {
        lines.poison(format!("standard input: {error}"));
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
