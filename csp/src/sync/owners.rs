//! The word of a lock in the models. In some of them it belongs to a thread.
//!
//! As in `checked`, nothing is reported to `loom` while a model that has failed unwinds.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::thread::panicking;

use super::checked;
use super::word;

/// The word of a lock. It belongs to a thread only in models that ask for that, because the others would take too long.
pub(crate) enum AnyWord {
    Shared(checked::Word),
    Owned(word::Word),
}

impl AnyWord {
    pub(crate) fn new(owner: Option<usize>) -> Self {
        match owner {
            Some(owner) => Self::Owned(word::Word::new(Some(owner))),
            None => Self::Shared(checked::Word::new()),
        }
    }

    pub(crate) const fn hurried() -> u32 {
        0
    }

    pub(crate) fn acquire(&self, here: usize, moments: impl FnOnce() -> u32) {
        match self {
            Self::Shared(word) => word.acquire(here, moments),
            Self::Owned(_) if panicking() => {}
            Self::Owned(word) => word.acquire(here, moments),
        }
    }

    pub(crate) fn is_alone(&self, here: usize) -> bool {
        match self {
            Self::Shared(_) => false,
            Self::Owned(word) => !panicking() && word.is_alone(here),
        }
    }

    pub(crate) fn is_owned(&self) -> bool {
        match self {
            Self::Shared(_) => false,
            Self::Owned(word) => !panicking() && word.is_owned(),
        }
    }

    pub(crate) fn release(&self) {
        match self {
            Self::Shared(word) => word.release(),
            Self::Owned(_) if panicking() => {}
            Self::Owned(word) => word.release(),
        }
    }

    pub(crate) fn release_owned(&self) {
        match self {
            Self::Owned(word) if !panicking() => word.release_owned(),
            Self::Shared(_) | Self::Owned(_) => {}
        }
    }

    pub(crate) fn mark(&self) -> bool {
        match self {
            Self::Shared(_) => false,
            Self::Owned(word) => !panicking() && word.mark(),
        }
    }

    pub(crate) fn finish(&self, here: usize) {
        match self {
            Self::Owned(word) if !panicking() => word.finish(here),
            Self::Shared(_) | Self::Owned(_) => {}
        }
    }

    pub(crate) fn give_up(&self, here: usize) {
        match self {
            Self::Owned(word) if !panicking() => word.give_up(here),
            Self::Shared(_) | Self::Owned(_) => {}
        }
    }

    pub(crate) fn number(&self) -> usize {
        match self {
            Self::Shared(word) => word.number(),
            Self::Owned(word) => word.number(),
        }
    }
}

std::thread_local! {
    static OWNERS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Says whether locks have owners in the rest of this execution. `loom` runs all threads of a model on one.
pub(crate) fn let_locks_have_owners(have: bool) {
    OWNERS.set(have);
}

/// Returns the number of this thread of the model, if locks have owners.
pub(crate) fn here() -> Option<usize> {
    OWNERS.get().then(|| {
        let mut hasher = DefaultHasher::new();
        loom::thread::current().id().hash(&mut hasher);
        hasher.finish() as usize & !1
    })
}
