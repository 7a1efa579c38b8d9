//! Whether any other thread of this program has run since it was asked last. The thread of the watch asks, because a finding
//! cannot change while none runs.
//!
//! The system counts how often threads have given their cores away, and their CPU time. A thread that has run and sleeps again has given
//! its core away. A thread that still runs uses CPU time. So what it has done is noticed, at the latest when it next sleeps.

use std::time::{Duration, Instant};

/// The system may lag behind with the CPU time of a thread that runs. It tells the time in parts that are smaller than this.
const AS_GOOD_AS_NONE: Duration = Duration::from_micros(50);

/// How long schedulers that have been looked at may take to sleep again, at most.
const SETTLES: Duration = Duration::from_millis(2);

/// A look makes schedulers run, which is not told from what others do meanwhile. A look is vain only after one that began in stillness.
/// A change during that look alone is overlooked for this long at most.
const LONGEST: Duration = Duration::from_secs(60);

/// The work of all other threads so far.
#[derive(Clone, Copy, Debug)]
struct Doings {
    /// How often they have given their cores away.
    switches: i64,
    used: Duration,
}

/// Tells for how long no other thread has run.
#[derive(Debug, Default)]
pub(crate) struct Stillness {
    before: Option<Doings>,
    since: Option<Instant>,
    /// True if no other thread has run between the last two calls of `since`.
    lasts: bool,
    /// The last look that began in this stillness, and has found nothing that must be looked at again.
    looked: Option<Instant>,
}

impl Stillness {
    /// Returns since when no other thread has run, as far as is known. The thread that owns this calls it each time it wakes.
    pub(crate) fn since(&mut self, now: Instant) -> Instant {
        self.since_by(Doings::of_others(), now)
    }

    fn since_by(&mut self, doings: Option<Doings>, now: Instant) -> Instant {
        let both = self.before.zip(doings);
        self.lasts = both.is_some_and(|(before, doings)| doings.is_nothing_since(before));
        if !self.lasts {
            *self = Self { before: doings, since: Some(now), ..Self::default() };
        }
        *self.since.get_or_insert(now)
    }

    /// Returns whether a look that comes now would see what the last one saw. If it says no, the caller looks.
    pub(crate) fn makes_look_vain(&self, now: Instant) -> bool {
        self.looked.is_some_and(|looked| now.saturating_duration_since(looked) < LONGEST)
    }

    /// Notes that the caller, which looks once in a period, has looked. `settled`: it has found nothing that it must look at again.
    /// Lets those that were looked at sleep again, and returns how long that took.
    pub(crate) fn looked(&mut self, settled: bool, period: Duration) -> Duration {
        let begin = Instant::now();
        if cfg!(target_os = "linux") && settled {
            std::thread::sleep(SETTLES.min(period));
        }
        let now = Instant::now();
        self.looked_by(Doings::of_others(), settled, now);
        now - begin
    }

    fn looked_by(&mut self, doings: Option<Doings>, settled: bool, now: Instant) {
        self.looked = (settled && self.lasts).then_some(now);
        self.before = doings;
    }
}

impl Doings {
    /// Returns whether nobody has done anything since then.
    fn is_nothing_since(self, before: Self) -> bool {
        self.switches == before.switches && self.used.saturating_sub(before.used) < AS_GOOD_AS_NONE
    }

    /// Returns what other threads have done, if the system tells.
    #[cfg(target_os = "linux")]
    fn of_others() -> Option<Self> {
        let mine = Self::by(libc::RUSAGE_THREAD)?;
        let all = Self::by(libc::RUSAGE_SELF)?;
        // A switch in between would count for the others, or hide one of theirs.
        let is_exact = Self::by(libc::RUSAGE_THREAD)?.switches == mine.switches;
        // Not every system counts.
        (is_exact && mine.switches > 0).then(|| Self {
            switches: all.switches - mine.switches,
            used: all.used.saturating_sub(mine.used),
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn of_others() -> Option<Self> {
        None
    }

    #[cfg(target_os = "linux")]
    #[allow(unsafe_code)]
    fn by(whose: libc::c_int) -> Option<Self> {
        let time = |time: libc::timeval| {
            Duration::new(time.tv_sec.unsigned_abs(), time.tv_usec as u32 * 1_000)
        };
        // SAFETY: numbers, for which zero is a value.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: it writes the usage.
        let told = unsafe { libc::getrusage(whose, &raw mut usage) } == 0;
        told.then(|| Self {
            switches: usage.ru_nvcsw + usage.ru_nivcsw,
            used: time(usage.ru_utime) + time(usage.ru_stime),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn doings(switches: i64, microseconds: u64) -> Option<Doings> {
        Some(Doings { switches, used: Duration::from_micros(microseconds) })
    }

    #[test]
    fn one_look_in_a_stillness_is_enough_and_who_runs_ends_it() {
        let (mut stillness, begin) = (Stillness::default(), Instant::now());
        let mut looks = |doings, seconds: u32| {
            let now = begin + seconds * SECOND;
            let since = stillness.since_by(doings, now);
            let looks = !stillness.makes_look_vain(now);
            if looks {
                stillness.looked_by(doings, true, now);
            }
            (looks, (since - begin).as_secs())
        };
        assert_eq!(looks(doings(7, 100), 0), (true, 0));
        assert_eq!(looks(doings(7, 100), 1), (true, 0));
        assert_eq!(looks(doings(7, 149), 2), (false, 0));
        // A thread has run and sleeps again.
        assert_eq!(looks(doings(8, 100), 3), (true, 3));
        assert_eq!(looks(doings(8, 100), 4), (true, 3));
        assert_eq!(looks(doings(8, 100), 5), (false, 3));
        // A thread runs and does not stop.
        assert_eq!(looks(doings(8, 200), 6), (true, 6));
        assert_eq!(looks(doings(8, 200), 7), (true, 6));
        assert_eq!(looks(doings(8, 200), 8), (false, 6));
        // The last look was long ago.
        assert_eq!(looks(doings(8, 200), 90), (true, 6));
        assert_eq!(looks(doings(8, 200), 91), (false, 6));
        // The system does not tell.
        assert_eq!(looks(None, 92), (true, 92));
        assert_eq!(looks(None, 93), (true, 93));
    }

    #[test]
    fn what_a_look_has_not_settled_is_looked_at_again() {
        let (mut stillness, now) = (Stillness::default(), Instant::now());
        stillness.since_by(doings(1, 1), now);
        for settled in [true, false, true] {
            stillness.since_by(doings(1, 1), now);
            stillness.looked_by(doings(1, 1), settled, now);
            assert_eq!(stillness.makes_look_vain(now), settled);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_runs_and_sleeps_again_is_noticed() {
        let (go, goes) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let runs = std::thread::spawn(move || goes.iter().for_each(|()| tell.send(()).unwrap()));
        // This thread has slept, so that the system is known to count, if it does.
        std::thread::sleep(Duration::from_millis(1));
        if Doings::by(libc::RUSAGE_THREAD).is_none_or(|mine| mine.switches == 0) {
            println!("SKIPPED: this system does not count how often threads give their cores away");
            return;
        }
        let exact = || loop {
            if let Some(doings) = Doings::of_others() {
                return doings;
            }
        };
        for _ in 0..100 {
            let before = exact();
            go.send(()).unwrap();
            told.recv().unwrap();
            // The thread sleeps soon. Until then it runs.
            while exact().is_nothing_since(before) {
                std::thread::yield_now();
            }
        }
        drop(go);
        runs.join().unwrap();
    }
}
