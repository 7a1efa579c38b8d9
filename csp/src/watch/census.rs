//! One line about the processes that are alive.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::wait::lineage::Identity;
use crate::wait::seen::agents;
use crate::wait::seen::observe::{Activity, Observer, Subject};

/// Returns a one-line summary of the live processes, for the error when a process cannot be
/// started.
pub(crate) fn census() -> String {
    /// A summary is good for this long, because thousands may ask at once.
    const PERIOD: Duration = Duration::from_secs(1);
    static LAST: Mutex<Option<(Instant, String)>> = Mutex::new(None);
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((_, text)) = last.filter(|(when, _)| when.elapsed() < PERIOD) {
        return text;
    }
    let text = agents::survey(Census::default()).to_string();
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), text.clone()));
    text
}

/// How many there are of each job.
#[derive(Default)]
struct Census(HashMap<usize, (String, usize)>);

impl Observer for Census {
    fn agent(&mut self, _: usize, _: Option<usize>) {}

    fn process(&mut self, process: Subject<'_>, _: Activity<'_>) {
        let _ = process.shown(|identity| {
            let Identity { of, index } = identity;
            let path = || (of.path(*index), 0);
            self.0.entry(identity.who().job).or_insert_with(path).1 += 1;
        });
    }

    fn unstarted(&mut self, _: &Identity, _: usize) {}
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        let mut jobs: Vec<_> = self.0.values().collect();
        jobs.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let all: usize = jobs.iter().map(|(_, count)| count).sum();
        write!(f, "{all} are alive: ")?;
        for (number, (path, count)) in jobs.iter().take(SHOWN).enumerate() {
            f.write_str(if number > 0 { ", " } else { "" })?;
            match count {
                1 => f.write_str(path)?,
                _ => write!(f, "{count} like {path}")?,
            }
        }
        f.write_str(if jobs.len() > SHOWN { ", …" } else { "" })
    }
}
