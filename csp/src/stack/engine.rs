//! The seam between the scheduler and what switches stacks: create, resume, suspend, finish.
//!
//! A [`Fiber`] is a stack with a suspended computation on it. It belongs to one thread for ever. Its body runs
//! one process after another, and suspends between them. A fiber whose body has returned has finished, and its
//! stack is freed with it. One that has not is never dropped or unwound from outside: it is forgotten.
//!
//! There are two engines. `slab` runs on the targets that it knows, and `generator` on all others. The feature
//! `generator` compiles both in. `CSP_ENGINE=generator` then chooses it, so that one program can be measured on both.
#![allow(unsafe_code)]

use std::fmt;
use std::sync::OnceLock;

use super::{generator, slab};

pub(crate) enum Fiber {
    Slab(slab::Fiber),
    Generator(generator::Fiber),
}

/// Given to the body of a fiber: the way back to the code that resumed it.
#[derive(Clone, Copy)]
pub(crate) enum Suspender {
    Slab(slab::Suspender),
    Generator(generator::Suspender),
}

/// Why there is no fiber.
#[derive(Debug)]
pub(crate) enum NoStack {
    Slab(slab::NoStack),
    Generator(generator::NoStack),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Engine {
    Slab,
    Generator,
}

/// The engines that are compiled in. The first runs unless `CSP_ENGINE` names another.
pub const ENGINES: &[&str] = match (slab::IS_HERE, generator::IS_HERE) {
    (true, true) => &["slab", "generator"],
    (true, false) => &["slab"],
    (false, _) => &["generator"],
};

impl Engine {
    #[inline]
    fn chosen() -> Self {
        static CHOSEN: OnceLock<Engine> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let wish =
                std::env::var_os("CSP_ENGINE").map(|wish| wish.to_string_lossy().into_owned());
            Self::called(wish.as_deref()).unwrap_or_else(|complaint| panic!("{complaint}"))
        })
    }

    fn called(wish: Option<&str>) -> Result<Self, String> {
        match wish {
            None | Some("slab") if slab::IS_HERE => Ok(Self::Slab),
            None | Some("generator") if generator::IS_HERE => Ok(Self::Generator),
            wish => {
                let (wish, here) = (wish.unwrap_or_default(), ENGINES.join("` and `"));
                Err(format!("CSP_ENGINE={wish}: no engine of that name is here, but `{here}`"))
            }
        }
    }
}

/// Chooses the engine, before anything is run on it.
///
/// # Panics
/// If the environment asks for one that is not here.
pub(crate) fn choose() {
    Engine::chosen();
}

/// Returns the bytes of stack for a process that asks for this many, or for none in particular.
pub(crate) fn stack_size(asked: Option<usize>) -> usize {
    match Engine::chosen() {
        Engine::Slab => slab::stack_size(asked),
        Engine::Generator => generator::stack_size(asked),
    }
}

/// Returns how many idle fibers are worth keeping.
pub(crate) fn worth_keeping() -> usize {
    match Engine::chosen() {
        // It takes 8 ns more to make one than to resume one.
        Engine::Slab => 256,
        // Two mappings to make, and to unmake.
        Engine::Generator => usize::MAX,
    }
}

/// Runs `f`, and returns how many bytes of the present stack it needed at most. Returns `None` if
/// the engine cannot tell.
pub(crate) fn measure(f: impl FnOnce()) -> Option<usize> {
    slab::measure(f)
}

/// Sets the function that names the process of this thread when its stack overflows. A signal handler calls
/// it, so it must not allocate, lock or panic. It matters only for an engine that can do this.
pub(crate) fn name_by(name: fn(&mut dyn fmt::Write) -> fmt::Result) {
    slab::name_by(name);
    generator::name_by(name);
}

impl Fiber {
    /// Creates a fiber with a stack of this many bytes. `body` runs at the first `resume`, and does not
    /// unwind. If `refusing`, the fiber is for processes that get no stack, to tell them so. There is
    /// more leeway for it, and perhaps less stack.
    #[inline]
    pub(crate) fn create(
        stack: usize,
        refusing: bool,
        body: impl FnOnce(Suspender) + 'static,
    ) -> Result<Self, NoStack> {
        match Engine::chosen() {
            Engine::Slab => {
                slab::Fiber::create(stack, refusing, |suspender| body(Suspender::Slab(suspender)))
                    .map(Self::Slab)
                    .map_err(NoStack::Slab)
            }
            Engine::Generator => generator::Fiber::create(stack, refusing, |suspender| {
                body(Suspender::Generator(suspender));
            })
            .map(Self::Generator)
            .map_err(NoStack::Generator),
        }
    }

    /// Runs it until it suspends or finishes. Returns true if it has not finished.
    #[inline(always)]
    pub(crate) fn resume(&self) -> bool {
        match self {
            Self::Slab(fiber) => fiber.resume(),
            Self::Generator(fiber) => fiber.resume(),
        }
    }
}

impl Suspender {
    /// Returns the suspender of the engine whose switch is compiled into the processes.
    pub(crate) fn inlined(self) -> Option<slab::Suspender> {
        match self {
            Self::Slab(suspender) => Some(suspender),
            Self::Generator(_) => None,
        }
    }

    /// Goes back to the code that resumed the fiber. Returns when it is resumed again.
    ///
    /// # Safety
    /// Called on the fiber that it was given to.
    #[inline(always)]
    pub(crate) unsafe fn suspend(self) {
        match self {
            // SAFETY: the caller's promise.
            Self::Slab(suspender) => unsafe { suspender.suspend() },
            // SAFETY: the caller's promise.
            Self::Generator(suspender) => unsafe { suspender.suspend() },
        }
    }
}

impl fmt::Display for NoStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slab(why) => why.fmt(f),
            Self::Generator(why) => why.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Engine;
    use crate::stack::{generator, slab};

    #[test]
    fn an_engine_that_is_not_here_is_refused_by_name() {
        assert!(Engine::called(None).is_ok());
        assert_eq!(Engine::called(Some("generator")).is_ok(), generator::IS_HERE);
        assert_eq!(Engine::called(Some("slab")).is_ok(), slab::IS_HERE);
        for wish in ["", "Slab", "fast"] {
            let complaint = Engine::called(Some(wish)).err().unwrap();
            assert!(complaint.starts_with(&format!("CSP_ENGINE={wish}: ")), "{complaint}");
        }
    }
}
