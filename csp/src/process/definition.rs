//! What is fixed about a process by its function, and what by the value.

/// What a process runs on.
///
/// Which of them are there is decided by cargo features; see the crate's documentation.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// A coroutine, scheduled by the thread that starts it. Costs some 100 bytes before it runs and a
    /// stack from then on; no other process of its scheduler runs at the same time.
    Coroutine,
    /// An OS thread of its own.
    Thread,
    /// An OS process of its own: the same executable, started again. For functions that are marked
    /// [`#[multiprocess]`](crate::multiprocess) or `on = subprocess`; others can't be taken there, and fail. Costs
    /// more than a millisecond and a thread of the parent.
    Subprocess,
}

/// What a panic makes of the ends that the process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPanic {
    /// They are poisoned, with the panic as cause.
    Poison,
    /// They retire: the process only leaves.
    Retire,
}

/// What `#[process]` says of a function.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    pub(crate) name: &'static str,
    pub(crate) multiprocess: bool,
    pub(crate) on: Option<Backend>,
    pub(crate) stack: Option<usize>,
    pub(crate) daemon: bool,
    pub(crate) on_panic: OnPanic,
}

impl Definition {
    /// A plain `#[process]` of this name.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            multiprocess: false,
            on: None,
            stack: None,
            daemon: false,
            on_panic: OnPanic::Poison,
        }
    }

    /// `#[multiprocess]`
    pub const fn multiprocess(mut self) -> Self {
        self.multiprocess = true;
        self
    }

    /// `on = …`
    pub const fn on(mut self, backend: Backend) -> Self {
        self.on = Some(backend);
        self
    }

    /// `stack = "…"`, in bytes
    pub const fn stack(mut self, bytes: usize) -> Self {
        self.stack = Some(bytes);
        self
    }

    /// `daemon`
    pub const fn daemon(mut self) -> Self {
        self.daemon = true;
        self
    }

    /// `on_panic = …`
    pub const fn on_panic(mut self, on_panic: OnPanic) -> Self {
        self.on_panic = on_panic;
        self
    }
}

/// The definition of a process, and what was said otherwise of one value.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    definition: &'static Definition,
    /// What is changed most often.
    on: Option<Backend>,
    changed: Option<Box<Changed>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) name: Option<String>,
    pub(crate) stack: Option<usize>,
    pub(crate) daemon: bool,
}

impl Options {
    pub(crate) fn new(definition: &'static Definition) -> Self {
        Self { definition, on: definition.on, changed: None }
    }

    pub(crate) fn set(&mut self) -> &mut Changed {
        let definition = self.definition;
        self.changed.get_or_insert_with(|| {
            Box::new(Changed { name: None, stack: definition.stack, daemon: definition.daemon })
        })
    }

    pub(crate) fn name(&self) -> &str {
        match &self.changed {
            Some(changed) => changed.name.as_deref().unwrap_or(self.definition.name),
            None => self.definition.name,
        }
    }

    /// What the process was told to run on, by its value or its function.
    pub(crate) fn on(&self) -> Option<Backend> {
        self.on.or(self.definition.multiprocess.then_some(Backend::Subprocess))
    }

    pub(crate) fn set_on(&mut self, backend: Backend) {
        self.on = Some(backend);
    }

    /// Whether it stays on the thread that starts it, as far as is asked for.
    pub(crate) fn stays_here(&self) -> bool {
        matches!(self.on(), None | Some(Backend::Coroutine))
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

    pub(crate) fn on_panic(&self) -> OnPanic {
        self.definition.on_panic
    }
}
