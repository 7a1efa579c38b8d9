//! The stand-in where one core runs all coroutines: nothing is learnt of processes.

#[derive(Debug)]
pub(crate) struct Habit;

impl Habit {
    pub(crate) const fn new() -> Self {
        Self
    }

    pub(crate) const fn mixed() -> Self {
        Self
    }

    #[inline(always)]
    #[allow(clippy::unused_self, reason = "as the other one")]
    pub(crate) fn is_worth_a_steal(&self) -> bool {
        false
    }
}
