//! Values that can be neither copied, lost nor dropped twice unnoticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An account of values: how often each was dropped.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Vec<AtomicUsize>>);

/// One value of a [`Ledger`]; not `Clone`.
#[derive(Debug)]
pub struct Token {
    id: usize,
    ledger: Ledger,
}

impl Ledger {
    /// An account of `size` values, none made yet.
    pub fn new(size: usize) -> Self {
        Self(Arc::new((0..size).map(|_| AtomicUsize::new(0)).collect()))
    }

    /// The value of that number: each is to be made once.
    pub fn token(&self, id: usize) -> Token {
        Token { id, ledger: self.clone() }
    }

    /// How many values have been dropped.
    pub fn dropped(&self) -> usize {
        self.0.iter().map(|drops| drops.load(Ordering::Acquire)).sum()
    }

    /// Panics unless each value was dropped exactly once.
    #[track_caller]
    pub fn balance(&self) {
        for (id, drops) in self.0.iter().enumerate() {
            assert_eq!(drops.load(Ordering::Acquire), 1, "value {id} was to be dropped once");
        }
    }
}

impl Token {
    /// Its number in the ledger.
    pub fn id(&self) -> usize {
        self.id
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.ledger.0[self.id].fetch_add(1, Ordering::Release);
    }
}
