//! Floor 4. The properties of a process: those that its function fixes, and those that a value changes.

#[cfg(all(feature = "cores", not(loom)))]
mod habit;
#[cfg(not(all(feature = "cores", not(loom))))]
#[path = "absent.rs"]
mod habit;
#[cfg(feature = "hosts")]
mod hosts;
#[cfg(feature = "hosts")]
mod listed;

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub(crate) use self::habit::Habit;
#[cfg(feature = "hosts")]
pub use self::hosts::Hosts;
#[cfg(feature = "hosts")]
#[cfg_attr(not(target_os = "linux"), allow(unused_imports, reason = "no process runs there"))]
pub(crate) use self::hosts::{HostCommand, HostWay};
#[cfg(feature = "hosts")]
pub use self::listed::HostsError;
use crate::wait::park::Retiring;

/// The backend that a process runs on.
///
/// Cargo features decide which backends are compiled in. The crate's documentation lists them. [`Process::on`](crate::Process::on)
/// says what a process does if its backend is not there.
///
/// ```
/// use csp::{Backend, parallel, process};
///
/// #[process]
/// fn where_am_i() -> String {
///     std::thread::current().name().unwrap_or_default().to_owned()
/// }
///
/// # if cfg!(all(feature = "coroutines", feature = "threads")) {
/// let (here, there) = parallel!(where_am_i(), where_am_i().on(Backend::Thread));
/// assert_ne!(here, there);
/// # }
/// ```
///
/// A program's options may name a backend. The names are those of `#[process(on = …)]`: `coroutine`, `cores`, `thread` and
/// `subprocess`.
///
/// ```
/// use csp::Backend;
///
/// assert_eq!("thread".parse(), Ok(Backend::Thread));
/// assert_eq!(Backend::Coroutine.to_string(), "coroutine");
/// let error = "threads".parse::<Backend>().unwrap_err();
/// assert_eq!(error.to_string(), "no backend is called `threads`: there are `coroutine`, `cores`, `thread` and `subprocess`");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// A coroutine, scheduled by the thread that starts it. It takes some 100 bytes before it runs, and a stack
    /// from then on. No other process of its scheduler runs at the same time.
    Coroutine,
    /// A coroutine of one of the schedulers that the cores have. Replicas are dealt out in blocks when they are started. A
    /// single process goes to the scheduler that has the fewest. A daemon stays with its parent. The feature `cores` has
    /// this backend.
    Cores,
    /// An OS thread of its own. The feature `threads` has it, and so does every build without coroutines.
    Thread,
    /// An OS process of its own: the same executable, started again. Only functions that are marked
    /// [`#[multiprocess]`](crate::multiprocess) or `on = subprocess` can run there. Other processes fail. The start
    /// takes more than a millisecond and a thread of the parent.
    ///
    /// The feature `subprocess` has it, on Linux.
    Subprocess,
}

impl Backend {
    const NAMED: [(Self, &'static str); 4] = [
        (Self::Coroutine, "coroutine"),
        (Self::Cores, "cores"),
        (Self::Thread, "thread"),
        (Self::Subprocess, "subprocess"),
    ];
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMED.iter().find(|(backend, _)| backend == self).map(|(_, name)| name);
        f.pad(name.expect("each has a name"))
    }
}

impl FromStr for Backend {
    type Err = ParseBackendError;

    fn from_str(text: &str) -> Result<Self, ParseBackendError> {
        let found = Self::NAMED.iter().find(|(_, name)| *name == text);
        found.map(|(backend, _)| *backend).ok_or_else(|| ParseBackendError(text.into()))
    }
}

/// No [`Backend`] has this name.
///
/// ```
/// let error: csp::ParseBackendError = "greenlet".parse::<csp::Backend>().unwrap_err();
/// assert!(error.to_string().contains("`greenlet`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseBackendError(Box<str>);

impl fmt::Display for ParseBackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        write!(
            f,
            "no backend is called `{text}`: there are `coroutine`, `cores`, `thread` and `subprocess`"
        )
    }
}

impl Error for ParseBackendError {}

/// The fate of the channel ends of a process that panics or returns an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndsFate {
    /// They are poisoned, with the panic or the error as cause.
    Poison,
    /// They retire, as if the process had ended well.
    Retire,
}

/// The limits of an OS process, where there are such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) cpu_time: Option<Duration>,
    pub(crate) wall_time: Option<Duration>,
    /// In bytes.
    pub(crate) memory: Option<u64>,
}

/// The properties that `#[process]` gives a function. It is a `static` of the function, because what is known of its processes
/// stands there too. The instances of a generic function share it.
#[derive(Debug)]
pub struct Definition {
    pub(crate) name: &'static str,
    pub(crate) multiprocess: bool,
    pub(crate) on: Option<Backend>,
    pub(crate) stack: Option<usize>,
    pub(crate) daemon: bool,
    pub(crate) retiring: Retiring,
    pub(crate) limits: Limits,
    habit: Habit,
}

impl Definition {
    /// Makes the definition of a plain `#[process]` of this name.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            multiprocess: false,
            on: None,
            stack: None,
            daemon: false,
            retiring: Retiring::new(false, false),
            limits: Limits { cpu_time: None, wall_time: None, memory: None },
            habit: Habit::new(),
        }
    }

    /// Makes the definition of processes of all kinds.
    pub(crate) const fn of_all_kinds(name: &'static str) -> Self {
        let mut this = Self::new(name);
        this.habit = Habit::mixed();
        this
    }

    /// Records `#[multiprocess]`.
    pub const fn multiprocess(mut self) -> Self {
        self.multiprocess = true;
        self
    }

    /// Records `on = …`.
    pub const fn on(mut self, backend: Backend) -> Self {
        self.on = Some(backend);
        self
    }

    /// Records `stack = "…"`, in bytes.
    pub const fn stack(mut self, bytes: usize) -> Self {
        self.stack = Some(bytes);
        self
    }

    /// Records `daemon`.
    pub const fn daemon(mut self) -> Self {
        self.daemon = true;
        self
    }

    /// Records `cpu_time = "…"`, in milliseconds.
    pub const fn cpu_time(mut self, milliseconds: u64) -> Self {
        self.limits.cpu_time = Some(Duration::from_millis(milliseconds));
        self
    }

    /// Records `wall_time = "…"`, in milliseconds.
    pub const fn wall_time(mut self, milliseconds: u64) -> Self {
        self.limits.wall_time = Some(Duration::from_millis(milliseconds));
        self
    }

    /// Records `memory = "…"`, in bytes.
    pub const fn memory(mut self, bytes: u64) -> Self {
        self.limits.memory = Some(bytes);
        self
    }

    /// Records `on_panic = …`.
    pub const fn on_panic(mut self, fate: EndsFate) -> Self {
        let on_error = self.retiring.on_error();
        self.retiring = Retiring::new(matches!(fate, EndsFate::Retire), on_error);
        self
    }

    /// Records `on_error = …`.
    pub const fn on_error(mut self, fate: EndsFate) -> Self {
        let on_panic = self.retiring.on_panic();
        self.retiring = Retiring::new(on_panic, matches!(fate, EndsFate::Retire));
        self
    }
}

/// The definition of a process, and the changes that were made for one value.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    definition: &'static Definition,
    /// This is changed most often, so it has a field outside the box.
    on: Option<Backend>,
    changed: Option<Box<Changed>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) name: Option<String>,
    pub(crate) stack: Option<usize>,
    pub(crate) daemon: bool,
    pub(crate) limits: Limits,
    pub(crate) retiring: Retiring,
    #[cfg(feature = "hosts")]
    pub(crate) by_stream: bool,
    #[cfg(feature = "hosts")]
    pub(crate) at: Option<Hosts>,
}

impl Options {
    pub(crate) fn new(definition: &'static Definition) -> Self {
        Self { definition, on: definition.on, changed: None }
    }

    pub(crate) fn set(&mut self) -> &mut Changed {
        let definition = self.definition;
        self.changed.get_or_insert_with(|| {
            let Definition { stack, daemon, limits, retiring, .. } = *definition;
            Box::new(Changed {
                name: None,
                stack,
                daemon,
                limits,
                retiring,
                #[cfg(feature = "hosts")]
                by_stream: false,
                #[cfg(feature = "hosts")]
                at: None,
            })
        })
    }

    pub(crate) fn name(&self) -> &str {
        match &self.changed {
            Some(changed) => changed.name.as_deref().unwrap_or(self.definition.name),
            None => self.definition.name,
        }
    }

    /// Returns the backend that the process asks for, through its value or its function.
    pub(crate) fn on(&self) -> Option<Backend> {
        self.on.or(self.definition.multiprocess.then_some(Backend::Subprocess))
    }

    pub(crate) fn set_on(&mut self, backend: Backend) {
        self.on = Some(backend);
    }

    /// Returns whether an OS process is only its first choice: it is a `#[multiprocess]`, and nobody has named a backend.
    pub(crate) fn may_run_in_place(&self) -> bool {
        self.on.is_none()
    }

    /// Makes the process ask for no backend, though its function may.
    pub(crate) fn ask_for_none(&mut self) {
        if self.definition.multiprocess || self.definition.on.is_some() {
            let (multiprocess, on, habit) = (false, None, Habit::new());
            let plain = Definition { multiprocess, on, habit, ..*self.definition };
            self.definition = Box::leak(Box::new(plain));
        }
        self.on = None;
    }

    /// Returns whether the process asks for nothing that takes it off the thread that starts it.
    pub(crate) fn stays_here(&self) -> bool {
        matches!(self.on(), None | Some(Backend::Coroutine))
    }

    /// Returns whether another core had better take the process as soon as it is started.
    #[inline(always)]
    pub(crate) fn is_worth_a_steal(&self) -> bool {
        self.definition.habit.is_worth_a_steal()
    }

    /// Returns what is known of such processes.
    #[allow(dead_code, reason = "for schedulers on several cores")]
    pub(crate) fn habit(&self) -> &'static Habit {
        &self.definition.habit
    }

    pub(crate) fn stack(&self) -> Option<usize> {
        match &self.changed {
            Some(changed) => changed.stack,
            None => self.definition.stack,
        }
    }

    pub(crate) fn daemon(&self) -> bool {
        match &self.changed {
            Some(changed) => changed.daemon,
            None => self.definition.daemon,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        match &self.changed {
            Some(changed) => changed.limits,
            None => self.definition.limits,
        }
    }

    /// Returns whether its OS process is to be linked by a stream, as that of another host would be.
    #[cfg(feature = "hosts")]
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "there are no such processes"))]
    pub(crate) fn is_by_stream(&self) -> bool {
        self.changed.as_ref().is_some_and(|changed| changed.by_stream)
    }

    /// Returns the hosts on which it is to run.
    #[cfg(feature = "hosts")]
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no process runs there"))]
    pub(crate) fn at(&self) -> Option<&Hosts> {
        self.changed.as_ref()?.at.as_ref()
    }

    pub(crate) fn retiring(&self) -> Retiring {
        match &self.changed {
            Some(changed) => changed.retiring,
            None => self.definition.retiring,
        }
    }
}
