//! Random numbers that can be repeated: Marsaglia's xorshift, with Vigna's multiplier.

use serde::{Deserialize, Serialize};

/// A stream of numbers from a seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Random(u64);

impl Random {
    /// Returns the stream of that seed. Neighbouring seeds give unrelated streams.
    pub fn seeded(seed: u64) -> Self {
        // A step of splitmix64 makes sure that no seed starts xorshift at or near zero.
        let mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((mixed ^ (mixed >> 31)).max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Returns a number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((self.next() >> 32) as usize) % bound
    }

    /// Returns true once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Returns another stream, for another process.
    pub fn fork(&mut self) -> Self {
        Self::seeded(self.next())
    }
}

/// Returns the first seed of a law: `CSP_SEED`, or 1, so that another run repeats a failure.
pub fn seed() -> u64 {
    number("CSP_SEED").unwrap_or(1)
}

/// Returns how many rounds a random law runs: `CSP_ROUNDS`, or its own number.
pub fn rounds(usual: u64) -> u64 {
    number("CSP_ROUNDS").unwrap_or(usual)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
