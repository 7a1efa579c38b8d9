//! Work for a CPU, the same for each library and each language: so many steps of arithmetic.

use std::hint::black_box;
use std::ops::Mul;
use std::time::Instant;

/// So many steps of arithmetic. Each needs the result of the one before, so a step takes the same time everywhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load(pub(crate) u64);

impl Load {
    pub(crate) fn microsecond(steps_per_millisecond: u64) -> Self {
        Self(steps_per_millisecond.div_ceil(1_000))
    }

    /// Does the work. It is Marsaglia's xorshift, which no compiler shortens.
    #[inline(never)]
    pub(crate) fn spin(self) -> u64 {
        let mut x = black_box(88_172_645_463_325_252_u64);
        for _ in 0..self.0 {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
        }
        black_box(x)
    }

    /// Returns the load of the job of that number. If jobs are skewed, each 16th has 16 times as much.
    pub(crate) fn of_job(self, number: u64, skewed: bool) -> Self {
        if skewed && number.is_multiple_of(16) { Self(16 * self.0) } else { self }
    }
}

impl Mul<u64> for Load {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self(self.0 * times)
    }
}

/// Measures how many steps take a millisecond on a core that does nothing else.
pub fn steps_per_millisecond() -> u64 {
    const STEPS: u64 = 1_000_000;
    let took = (0..30).map(|_| {
        let start = Instant::now();
        Load(STEPS).spin();
        start.elapsed()
    });
    // Whatever disturbs it makes it slower.
    let took = took.min().expect("there are some");
    (STEPS as f64 * 1e6 / took.as_nanos() as f64) as u64
}
