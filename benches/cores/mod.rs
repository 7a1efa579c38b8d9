//! The gain of more cores: each work on one core and on all, in this library and in its peers.
//!
//! A measurement has an OS process of its own, because the number of cores is fixed when a library's first process starts.
//! [`serve`] is such an OS process. The program `table` starts them (`--cores`), and prints what they measured.

mod bursts;
mod futures;
mod load;
mod ours;
mod quiet;
mod work;

use std::time::Duration;

use csp::Backend;

use load::Load;

use crate::measure::Clock;
use crate::works::Place;

pub use load::steps_per_millisecond;
pub use work::Work;

/// Somebody who does the works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// This library. Nothing says where a process runs.
    Csp,
    /// This library. The processes that matter are `on = cores`.
    Placed,
    /// This library. Loads are given to `csp::compute`.
    Compute,
    /// The loops of rayon.
    Rayon,
    /// Tasks of tokio.
    Tokio,
}

impl Library {
    const NAMED: [(Self, &'static str); 5] = [
        (Self::Csp, "csp"),
        (Self::Placed, "placed"),
        (Self::Compute, "compute"),
        (Self::Rayon, "rayon"),
        (Self::Tokio, "tokio"),
    ];

    /// Returns its name on the command line of a measurement.
    pub fn name(self) -> &'static str {
        let named = Self::NAMED.iter().find(|(library, _)| *library == self);
        named.expect("each has a name").1
    }

    /// Returns true if it can do the work.
    pub fn does(self, work: Work) -> bool {
        match self {
            Self::Csp | Self::Tokio => true,
            Self::Placed => !work.is_quiet(),
            Self::Compute => cfg!(feature = "compute") && work.computes(),
            Self::Rayon => work.only_computes(),
        }
    }

    /// Runs the network of a work once.
    fn run(self, work: Work, microsecond: Load) -> Duration {
        match self {
            Self::Csp => ours::run(work, ANYWHERE, microsecond, false),
            Self::Placed => {
                let place = Place { backend: Some(Backend::Cores), ..ANYWHERE };
                ours::run(work, place, microsecond, false)
            }
            Self::Compute => ours::run(work, ANYWHERE, microsecond, true),
            Self::Rayon => bursts::run(work, microsecond),
            Self::Tokio => futures::run(work, microsecond),
        }
    }
}

/// The library says where a process runs.
const ANYWHERE: Place = Place { backend: None, clock: Clock::Wall };

/// Does one measurement: `LIBRARY WORK STEPS`, where so many steps take a millisecond. Prints the nanoseconds of a unit. If nothing
/// happens in the work, it prints the nanoseconds of CPU time and the number of wake-ups.
///
/// # Panics
/// If the arguments are others.
pub fn serve(arguments: &[String]) {
    let [library, work, steps] = arguments else {
        panic!("a measurement needs a library, a work and the steps of a millisecond")
    };
    let library = Library::NAMED.iter().find(|(_, name)| name == library);
    let (library, _) = *library.expect("the library is known");
    let work = Work::named(work).expect("the work is known");
    let microsecond = Load::microsecond(steps.parse().expect("a number of steps"));
    match library {
        Library::Tokio if work.is_quiet() => futures::quiet(work, microsecond),
        _ if work.is_quiet() => ours::quiet(work, ANYWHERE, microsecond),
        _ => {}
    }
    // The first time makes stacks and threads.
    library.run(work, microsecond);
    let (mut took, mut units) = (Duration::ZERO, 0);
    while took < work.goal() {
        took += library.run(work, microsecond);
        units += work.units();
    }
    println!("{}", took.as_nanos() as f64 / units as f64);
}
