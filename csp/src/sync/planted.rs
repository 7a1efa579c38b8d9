//! Mistakes and ends that a model plants in the code it checks.

/// Returns whether this run of a model has that mistake.
#[inline(always)]
pub(crate) fn is_planted(_mistake: &str) -> bool {
    #[cfg(all(test, loom))]
    return crate::models::is_planted(_mistake);
    #[cfg(not(all(test, loom)))]
    false
}

/// Returns whether the calling thread of a model ends here for good, as a thread does that a copy made by `fork` lacks.
#[inline(always)]
pub(super) fn is_lost(_place: &str) -> bool {
    #[cfg(all(test, loom))]
    return crate::models::is_lost(_place);
    #[cfg(not(all(test, loom)))]
    false
}
