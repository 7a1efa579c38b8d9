//! Floor 4. Processes: values that say what to run, and the state of a process while it runs.

mod body;
pub(super) mod code;
pub(super) mod definition;
mod failure;
pub(super) mod group;
pub(super) mod join;
pub(super) mod life;
pub(super) mod replicas;
mod replicated;
pub(super) mod single;
pub(super) mod work;

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

pub(crate) use self::body::{Awaiting, Body};
use self::code::{Code, Departure};
pub(crate) use self::definition::Options;
pub use self::definition::{Backend, ParseBackendError};
pub use self::failure::Failure;
pub use self::replicated::Replicated;
use crate::wait::park::Retiring;

/// A process that has not been started. A call of a `#[process]` function returns it.
///
/// `A` is the tuple of the arguments, and `R` is the type that the process returns. The process does nothing until
/// it is handed to [`parallel!`](crate::parallel), [`sequence!`](crate::sequence), [`spawn`](crate::spawn) or
/// [`Parallel`](crate::Parallel). Dropping it drops its arguments, so its channel ends retire.
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
    /// Names this process. By default a process has the name of its function.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.options.set().name = Some(name.into());
        self
    }

    /// Sets the backend that this process runs on.
    ///
    /// In a build without coroutines, a thread stands in for a coroutine. Any other backend that is not compiled in makes
    /// the process fail with [`Cause::Unstarted`](crate::Cause::Unstarted), which names the feature that is missing. The
    /// option `on = …` of `#[process]` is a compile error then.
    pub fn on(mut self, backend: Backend) -> Self {
        self.options.set_on(backend);
        self
    }

    /// Sets the size of its stack, in bytes. The default on a coroutine is 256 KiB, 2 MiB in a debug build, and 64
    /// KiB with the engine `generator`. The default on a thread is that of the standard library.
    pub fn stack(mut self, bytes: usize) -> Self {
        self.options.set().stack = Some(bytes);
        self
    }

    /// Limits the CPU time of the OS process that this process runs in, counted over all its threads. The system counts whole seconds,
    /// so the time is rounded up. It ends an OS process that needs more.
    ///
    /// Only a process in an OS process of its own has limits. Elsewhere this changes nothing. The [`Failure`] names the limit that has
    /// ended a process, if the system tells.
    ///
    /// ```
    /// # use csp::multiprocess;
    /// # use std::time::Duration;
    /// #[multiprocess(memory = "1 GiB")]
    /// fn render(page: u32) -> Vec<u8> {
    ///     vec![0; page as usize]
    /// }
    ///
    /// let process = render(3).cpu_time(Duration::from_secs(10)).wall_time(Duration::from_secs(60));
    /// # drop(process);
    /// ```
    pub fn cpu_time(mut self, time: Duration) -> Self {
        self.options.set().limits.cpu_time = Some(time);
        self
    }

    /// Limits the time that the OS process of this process may take from its start. The parent kills it then. See
    /// [`cpu_time`](Self::cpu_time).
    pub fn wall_time(mut self, time: Duration) -> Self {
        self.options.set().limits.wall_time = Some(time);
        self
    }

    /// Limits the memory of the OS process of this process, in bytes: its heap and its stacks (`RLIMIT_DATA`). An allocation beyond
    /// that fails, which ends the OS process. See [`cpu_time`](Self::cpu_time).
    pub fn memory(mut self, bytes: u64) -> Self {
        self.options.set().limits.memory = Some(bytes);
        self
    }

    /// Makes the ends of this process retire however it ends, as `on_panic = retire` and `on_error = retire` do.
    pub(crate) fn retiring(mut self) -> Self {
        let always = Retiring::new(true, true);
        if self.options.retiring() != always {
            self.options.set().retiring = always;
        }
        self
    }

    /// Makes this process a daemon. A daemon does not keep the network alive: its parent does not wait for its end.
    ///
    /// A coroutine can't outlive its thread. When the thread ends, the daemon's reads, writes and choices return
    /// `Err(Retired)`, and a value that nobody else takes goes back to its writer. A daemon that is then waiting
    /// for time or for a call is never run again.
    pub fn daemon(mut self) -> Self {
        self.options.set().daemon = true;
        self
    }
}

impl<A: Send + 'static, R: 'static> Process<A, R> {
    /// Hides the types of the arguments, so that different processes fit in one set.
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
    pub fn erased(self) -> AnyProcess<R> {
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
/// use csp::{AnyProcess, parallel, process};
///
/// #[process]
/// fn number(n: u32) -> u32 { n }
/// #[process]
/// fn length(text: &'static str) -> u32 { text.len() as u32 }
///
/// let mixed: Vec<AnyProcess<u32>> = vec![number(1).erased(), length("two").erased()];
/// assert_eq!(parallel!(mixed).0, [1, 3]);
/// ```
pub struct Erased<R>(Box<dyn Hiding<R> + Send>);

/// A process of any arguments, by its result: what [`Process::erased`] returns.
///
/// ```
/// use csp::{AnyProcess, process};
///
/// #[process]
/// fn number(n: u32) -> u32 { n }
/// #[process]
/// fn length(text: &'static str) -> u32 { text.len() as u32 }
///
/// fn of(word: &'static str) -> AnyProcess<u32> {
///     match word.parse() {
///         Ok(n) => number(n).erased(),
///         Err(_) => length(word).erased(),
///     }
/// }
/// assert_eq!(csp::parallel!(of("7"), of("seven")), (7, 5));
/// ```
pub type AnyProcess<R> = Process<Erased<R>, R>;

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

/// A copy of a process that has not been started, with a clone of each argument. A channel end in the arguments thereby becomes a new
/// end.
///
/// ```
/// # use csp::{parallel, process};
/// #[process]
/// fn double(n: u32) -> u32 { 2 * n }
///
/// let process = double(4);
/// assert_eq!(parallel!(process.clone().named("first"), process), (8, 8));
/// ```
impl<A: Clone, R> Clone for Process<A, R> {
    fn clone(&self) -> Self {
        let Self { options, arguments, code } = self;
        Self { options: options.clone(), arguments: arguments.clone(), code: *code }
    }
}

impl<A, R> fmt::Debug for Process<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process(`{}`)", self.options.name())
    }
}
