//! Processes: values that say what to run, and what happens while one runs.

pub(crate) mod body;
pub(crate) mod code;
pub(crate) mod definition;
pub(crate) mod failure;
pub(crate) mod group;
pub(crate) mod job;
mod replicated;

use std::fmt;
use std::pin::Pin;

pub(crate) use self::body::{Awaiting, Body};
use self::code::{Code, Departure};
pub use self::definition::Backend;
pub(crate) use self::definition::Options;
pub use self::failure::Failure;
pub use self::replicated::Replicated;

/// A process that has not been started: what a call of a `#[process]` function returns.
///
/// `A` is the tuple of the arguments, `R` what the process returns. It does nothing until it is handed to
/// [`parallel!`](crate::parallel), [`sequence!`](crate::sequence), [`spawn`](crate::spawn) or
/// [`Parallel`](crate::Parallel); dropping it drops its arguments, so its channel ends retire.
///
/// Idea: the process objects of PyCSP and JCSP.
///
/// ```
/// use csp::{parallel, process};
///
/// #[process]
/// fn add(a: u32, b: u32) -> u32 {
///     a + b
/// }
///
/// let process = add(1, 2).named("adder");
/// let (sum,) = parallel!(process);
/// assert_eq!(sum, 3);
/// ```
#[must_use = "a process does nothing until it is run: hand it to `parallel!`, `sequence!` or `spawn`"]
pub struct Process<A, R> {
    pub(crate) options: Options,
    pub(crate) arguments: A,
    pub(crate) code: Code<A, R>,
}

impl<A, R> Process<A, R> {
    /// Names this process; otherwise it goes by its function.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.options.set().name = Some(name.into());
        self
    }

    /// Says what this process runs on. A backend that is not compiled in is replaced by the one that is.
    pub fn on(mut self, backend: Backend) -> Self {
        self.options.set_on(backend);
        self
    }

    /// The size of its stack, in bytes. Unless said, 256 KiB on a coroutine (64 KiB without the feature `slab`), and
    /// what the standard library gives on a thread.
    pub fn stack(mut self, bytes: usize) -> Self {
        self.options.set().stack = Some(bytes);
        self
    }

    /// Does not keep the network alive: who spawned it does not wait for its end.
    pub fn daemon(mut self) -> Self {
        self.options.set().daemon = true;
        self
    }
}

impl<A: Send + 'static, R: 'static> Process<A, R> {
    /// The same process with a type that does not show its arguments, for sets of different processes.
    ///
    /// ```
    /// # use csp::{process, Parallel};
    /// #[process]
    /// fn ready() -> u32 { 1 }
    /// #[process]
    /// fn given(n: u32) -> u32 { n }
    ///
    /// let all = vec![ready().erased(), given(2).erased()];
    /// assert_eq!(csp::parallel!(all).0, [1, 2]);
    /// ```
    pub fn erased(self) -> Process<Erased<R>, R> {
        let Self { options, arguments, code } = self;
        let hidden = match code.body {
            Body::Waits(_) => Code::new(|erased: Erased<R>| erased.0.run()),
            Body::Awaits(_) => Code::awaiting(|erased: Erased<R>| erased.0.future()),
        };
        Process {
            options,
            arguments: Erased(Box::new(Hidden { arguments, code })),
            code: hidden.portable(|erased| erased.0.depart()),
        }
    }
}

/// The arguments of a process that [`Process::erased`] has hidden.
///
/// ```
/// use csp::{Erased, Process, parallel, process};
///
/// #[process]
/// fn number(n: u32) -> u32 { n }
/// #[process]
/// fn length(text: &'static str) -> u32 { text.len() as u32 }
///
/// let mixed: Vec<Process<Erased<u32>, u32>> = vec![number(1).erased(), length("two").erased()];
/// assert_eq!(parallel!(mixed).0, [1, 3]);
/// ```
pub struct Erased<R>(Box<dyn Hiding<R> + Send>);

trait Hiding<R> {
    fn run(self: Box<Self>) -> R;
    fn future(self: Box<Self>) -> Pin<Box<dyn Future<Output = R>>>;
    fn depart(&self) -> Result<Departure<R>, String>;
}

struct Hidden<A, R> {
    arguments: A,
    code: Code<A, R>,
}

impl<A, R> Hiding<R> for Hidden<A, R> {
    fn run(self: Box<Self>) -> R {
        let Body::Waits(body) = self.code.body else { unreachable!("a future is polled") };
        body(self.arguments)
    }

    fn future(self: Box<Self>) -> Pin<Box<dyn Future<Output = R>>> {
        let Body::Awaits(body) = self.code.body else { unreachable!("it is no future") };
        body.boxed(self.arguments)
    }

    fn depart(&self) -> Result<Departure<R>, String> {
        self.code.depart(&self.arguments)
    }
}

impl<R> fmt::Debug for Erased<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Erased")
    }
}

impl<A, R> fmt::Debug for Process<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process(`{}`)", self.options.name())
    }
}
