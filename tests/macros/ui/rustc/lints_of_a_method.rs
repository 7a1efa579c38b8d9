//! Lints see a method as the user wrote it, once.
#![deny(unused_variables, unused_mut, dead_code, missing_docs, non_snake_case, unused_must_use)]

/// Documented.
pub struct Bag;

impl Bag {
    #[csp::process]
    fn unused(self) {}

    /// Documented.
    #[csp::process]
    pub fn Worker(mut self, mut Jobs: u64, idle: u64) -> u64 {
        Jobs
    }

    #[csp::process]
    pub fn undocumented(self) -> Self {
        self
    }
}

fn main() {
    csp::parallel!(Bag.Worker(1, 2));
    Bag.undocumented();
}
