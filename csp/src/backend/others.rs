//! The other OS processes of a network, as those see them who find out whether anybody in any of them can go on.

use std::time::Duration;

use crate::termination::Poison;

/// What an OS process, with all below it, was while nobody there was awake.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Count {
    /// Another one as soon as anybody was woken, or a message was sent or handled.
    pub(crate) stamp: u64,
    /// Messages to other OS processes, and from them, over the links that there are.
    pub(crate) said: u64,
    pub(crate) heard: u64,
    /// Some process is to end before the program may.
    pub(crate) awaited: bool,
}

impl Count {
    pub(crate) fn with(self, other: Self) -> Self {
        Self {
            stamp: self.stamp ^ other.stamp,
            said: self.said + other.said,
            heard: self.heard + other.heard,
            awaited: self.awaited || other.awaited,
        }
    }
}

impl std::iter::Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Self::with)
    }
}

/// Who waits there, and for what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// Path, and what is to be said of it.
    pub(crate) blocked: Vec<(String, String)>,
    /// Whether joins have to be broken off to let any of them go on; None: that does not help either.
    pub(crate) remedy: Option<bool>,
}

/// What the OS process above asks. A question has a number and, for who asks others first, so much time.
#[allow(dead_code, reason = "for a backend that may not be compiled in")]
pub(crate) enum Asked {
    Count(u64, Duration),
    Show(u64, Duration),
    /// All are dead: their waits are to end, joins among them only if it says so.
    End {
        joins: bool,
        poison: Poison,
    },
}

/// Where this OS process stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(dead_code, reason = "for a backend that may not be compiled in")]
pub(crate) enum Others {
    /// There are none.
    None,
    Below,
    /// And perhaps below, too.
    Above,
}
