//! The other OS processes of a network, as seen by threads that find out whether anybody in any of them can go
//! on.

use std::sync::OnceLock;
use std::time::Duration;

use crate::report::Network;
use crate::report::termination::Poison;

/// The counts of an OS process, with all below it, while nobody there was awake.
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
            // Another OS process may say any number.
            said: self.said.wrapping_add(other.said),
            heard: self.heard.wrapping_add(other.heard),
            awaited: self.awaited || other.awaited,
        }
    }
}

impl std::iter::Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Self::with)
    }
}

/// The processes that wait there, and what they wait for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// The path, and the text about it.
    pub(crate) blocked: Vec<(String, String)>,
    /// Whether joins have to be broken off to let any of them go on. `None` if that does not help
    /// either.
    pub(crate) remedy: Option<bool>,
}

/// A question of the OS process above. A question has a number. For an OS process that asks others
/// first, it also has a time limit.
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
pub(crate) enum Others {
    /// There are none.
    None,
    Below,
    /// And perhaps below, too.
    Above,
}

/// The snapshots of other OS processes.
#[derive(Debug, Default)]
pub(crate) struct SeenElsewhere {
    pub(crate) networks: Vec<Network>,
    /// Some have not answered.
    pub(crate) is_partial: bool,
    /// There are others that were not asked, because they are not below this one.
    pub(crate) has_others: bool,
}

/// The part that asks the other OS processes, and is asked by them. A backend whose processes are OS processes makes
/// itself known with [`know`].
pub(crate) trait Waves: Sync {
    /// Returns where this OS process stands among others.
    fn others(&self) -> Others;
    /// Tells the OS process above that nobody here is awake.
    fn tell_quiet(&self);
    /// Returns this OS process's number, and how many messages it has sent and handled. Returns `None` if
    /// some wait to be sent.
    fn tally(&self) -> Option<(u64, u64, u64)>;
    /// Counts all below. Returns `None` if somebody there is awake, or does not answer.
    fn count(&self, limit: Duration) -> Option<Count>;
    /// Returns the processes that wait below. Returns `None` if an OS process does not answer.
    fn show(&self, limit: Duration) -> Option<Vec<Shown>>;
    /// Tells all below to end their waits.
    fn end(&self, joins: bool, poison: &Poison);
    /// Returns the next question of the OS process above, oldest first.
    fn asked(&self) -> Option<Asked>;
    /// Answers a count. `None` means that somebody is awake.
    fn counted(&self, number: u64, count: Option<Count>);
    fn shown(&self, number: u64, shown: Shown);
    /// Asks all below for their processes and channels. Returns the number of the question, or `None` if there are none
    /// below. `seen` follows.
    fn look(&self) -> Option<u64>;
    /// Waits for the answers to this question, for as long as `limit`.
    fn seen(&self, number: u64, limit: Duration) -> SeenElsewhere;
}

static WAVES: OnceLock<&'static dyn Waves> = OnceLock::new();

/// Says that there may be others from now on.
pub(crate) fn know(waves: &'static dyn Waves) {
    let _ = WAVES.set(waves);
}

/// Returns the waves. Returns `None` if there are no others, nor have there been.
pub(crate) fn waves() -> Option<&'static dyn Waves> {
    WAVES.get().copied()
}

pub(crate) fn others() -> Others {
    waves().map_or(Others::None, Waves::others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_counts_can_be_added() {
        let most = Count { said: u64::MAX, heard: u64::MAX, ..Count::default() };
        let one = Count { said: 1, heard: 1, ..Count::default() };
        assert_eq!([most, one].into_iter().sum::<Count>(), Count::default());
    }
}
