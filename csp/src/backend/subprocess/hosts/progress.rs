//! Lines on standard error that show how far hosts are, once their start has taken some time.
//!
//! Invariant: nothing is said in the first [`QUIET`], nor of a host that has started by then.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::system::mutex::lock;
use crate::system::stderr;

/// The time that passes before the first line, and from one line to the next.
const QUIET: Duration = Duration::from_secs(2);
/// As many hosts are named in a line.
const NAMED: usize = 4;

static STARTING: Mutex<Starting> = Mutex::new(Starting::none());

/// The hosts that are being started.
struct Starting {
    /// By their numbers: the name, and the bytes of the executable that were copied, of how many.
    hosts: BTreeMap<u64, (String, Option<(u64, u64)>)>,
    next: u64,
    /// The number of hosts since the first of them began, and of those that have started.
    begun: usize,
    started: usize,
    since: Option<Instant>,
    said: Option<Instant>,
}

impl Starting {
    const fn none() -> Self {
        Self { hosts: BTreeMap::new(), next: 0, begun: 0, started: 0, since: None, said: None }
    }

    fn begin(&mut self, name: &str, now: Instant) -> u64 {
        if self.hosts.is_empty() {
            *self = Self { next: self.next, since: Some(now), ..Self::none() };
        }
        self.begun += 1;
        self.next += 1;
        self.hosts.insert(self.next, (name.to_owned(), None));
        self.next
    }

    /// Returns the line that is due.
    fn look(&mut self, now: Instant) -> Option<String> {
        let before = self.said.or(self.since)?;
        if now.saturating_duration_since(before) < QUIET {
            return None;
        }
        self.said = Some(now);
        let mut line = format!("csp: starting hosts for {} s: ", self.seconds(now));
        for (at, (name, copied)) in self.hosts.values().take(NAMED).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let _ = write!(line, "{comma}{name}");
            if let Some((bytes, of)) = copied {
                let _ = write!(line, " (copied {} of {} MiB)", bytes >> 20, of >> 20);
            }
        }
        if let Some(more) = self.hosts.len().checked_sub(NAMED).filter(|more| *more > 0) {
            let _ = write!(line, ", and {more} more");
        }
        line.push('\n');
        Some(line)
    }

    /// Returns the last line, if there was one before.
    fn over(&mut self, number: u64, has_started: bool, now: Instant) -> Option<String> {
        self.hosts.remove(&number);
        self.started += usize::from(has_started);
        let is_last = self.hosts.is_empty() && self.said.is_some();
        is_last.then(|| {
            let (started, begun, seconds) = (self.started, self.begun, self.seconds(now));
            format!("csp: {started} of {begun} hosts have started, in {seconds} s\n")
        })
    }

    fn seconds(&self, now: Instant) -> u64 {
        self.since.map_or(0, |since| now.saturating_duration_since(since).as_secs())
    }
}

fn say(line: Option<String>) {
    let is_off = || std::env::var_os("CSP_PROGRESS").is_some_and(|value| value == "off");
    if let Some(line) = line.filter(|_| !is_off()) {
        stderr::say(line);
    }
}

/// One host that is being started.
pub(super) struct HostStart {
    number: u64,
    has_started: bool,
}

impl HostStart {
    pub(super) fn begin(name: &str) -> Self {
        let number = lock(&STARTING).begin(name, Instant::now());
        Self { number, has_started: false }
    }

    /// Says how far all are, if it is time.
    pub(super) fn look(&self) {
        let line = lock(&STARTING).look(Instant::now());
        say(line);
    }

    /// Records how much of the executable has been sent.
    pub(super) fn copied(&self, bytes: u64, of: u64) {
        if let Some((_, copied)) = lock(&STARTING).hosts.get_mut(&self.number) {
            *copied = Some((bytes, of));
        }
        self.look();
    }

    pub(super) fn has_started(mut self) {
        self.has_started = true;
    }
}

impl Drop for HostStart {
    fn drop(&mut self) {
        let line = lock(&STARTING).over(self.number, self.has_started, Instant::now());
        say(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_start_is_quiet_and_a_slow_one_is_shown() {
        let (mut starting, now) = (Starting::none(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        let quick = starting.begin("quick", now);
        assert_eq!(starting.look(after(1)), None);
        assert_eq!(starting.over(quick, true, after(1)), None);
        let hosts: Vec<u64> = (0..6).map(|n| starting.begin(&format!("n{n}"), after(10))).collect();
        starting.hosts.get_mut(&hosts[1]).expect("it starts").1 = Some((5 << 20, 9 << 20));
        assert_eq!(starting.look(after(11)), None);
        assert_eq!(
            starting.look(after(12)).as_deref(),
            Some("csp: starting hosts for 2 s: n0, n1 (copied 5 of 9 MiB), n2, n3, and 2 more\n")
        );
        assert_eq!(starting.look(after(13)), None);
        for host in &hosts[1..] {
            assert_eq!(starting.over(*host, true, after(14)), None);
        }
        let last = starting.over(hosts[0], false, after(15));
        assert_eq!(last.as_deref(), Some("csp: 5 of 6 hosts have started, in 5 s\n"));
    }
}
