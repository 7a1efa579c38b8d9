//! The seam between the scheduler and what switches stacks: create, resume, suspend, finish.
//!
//! A [`Fiber`] is a stack with a suspended computation on it. It belongs to one thread for ever. Its body runs
//! one process after another, and suspends between them; a fiber whose body has returned has finished, and its
//! stack is freed with it. One that has not is never dropped or unwound from outside: it is forgotten.
//!
//! There are two engines. `slab` runs where it is compiled in, `generator` elsewhere, and where the environment
//! variable `CSP_ENGINE` says so: then one program can be measured on both.
#![allow(unsafe_code)]

use std::fmt;
use std::sync::OnceLock;

use super::generator;
use crate::backend::slab;

pub(super) enum Fiber {
    Slab(slab::Fiber),
    Generator(generator::Fiber),
}

/// Given to the body of a fiber: the way back to whoever resumed it.
#[derive(Clone, Copy)]
pub(super) enum Suspender {
    Slab(slab::Suspender),
    Generator(generator::Suspender),
}

/// Why there is no fiber.
#[derive(Debug)]
pub(super) enum NoStack {
    Slab(slab::NoStack),
    Generator(generator::NoStack),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Engine {
    Slab,
    Generator,
}

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
            None | Some("generator") => Ok(Self::Generator),
            Some(other) => {
                let here = if slab::IS_HERE { "`slab` and `generator`" } else { "`generator`" };
                Err(format!("CSP_ENGINE={other}: no engine of that name is here, but {here}"))
            }
        }
    }
}

/// Chooses the engine, before anything is run on it.
///
/// # Panics
/// If the environment asks for one that is not here.
pub(super) fn choose() {
    Engine::chosen();
}

/// The bytes of stack that a process gets who asks for so many, or for none in particular.
pub(super) fn stack_size(asked: Option<usize>) -> usize {
    match Engine::chosen() {
        Engine::Slab => slab::stack_size(asked),
        Engine::Generator => generator::stack_size(asked),
    }
}

/// How many fibers are worth keeping that nothing runs on.
pub(super) fn worth_keeping() -> usize {
    match Engine::chosen() {
        // It takes 8 ns more to make one than to resume one.
        Engine::Slab => 256,
        // Two mappings to make, and to unmake.
        Engine::Generator => usize::MAX,
    }
}

/// Runs `f`, and says how many bytes of the present stack it needed at most, None where the
/// engine cannot tell.
pub(super) fn measure(f: impl FnOnce()) -> Option<usize> {
    slab::measure(f)
}

/// How the process that runs on this thread is named when its stack overflows, from a signal handler: without
/// allocating, locking or panicking. For the engine that can.
pub(super) fn name_by(name: fn(&mut dyn fmt::Write) -> fmt::Result) {
    slab::name_by(name);
}

impl Fiber {
    /// A fiber with a stack of so many bytes. `body` runs at the first `resume`; it does not unwind.
    /// `refusing`: it is for those that get no stack, to tell them so; there is more leeway for it, and
    /// perhaps less stack.
    #[inline]
    pub(super) fn create(
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

    /// Runs it until it suspends or finishes; true if it has not finished.
    #[inline(always)]
    pub(super) fn resume(&self) -> bool {
        match self {
            Self::Slab(fiber) => fiber.resume(),
            Self::Generator(fiber) => fiber.resume(),
        }
    }
}

impl Suspender {
    /// For the engine whose switch is compiled into the processes.
    pub(super) fn inlined(self) -> Option<slab::Suspender> {
        match self {
            Self::Slab(suspender) => Some(suspender),
            Self::Generator(_) => None,
        }
    }

    /// Back to whoever resumed the fiber; returns when it is resumed again.
    ///
    /// # Safety
    /// Called on the fiber that it was given to.
    #[inline(always)]
    pub(super) unsafe fn suspend(self) {
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
    use super::{Engine, slab};

    #[test]
    fn an_engine_that_is_not_here_is_refused_by_name() {
        assert!(Engine::called(Some("generator")).is_ok_and(|engine| engine == Engine::Generator));
        assert_eq!(Engine::called(Some("slab")).is_ok(), slab::IS_HERE);
        for wish in ["", "Slab", "fast"] {
            let complaint = Engine::called(Some(wish)).err().unwrap();
            assert!(complaint.starts_with(&format!("CSP_ENGINE={wish}: ")), "{complaint}");
        }
    }
}
