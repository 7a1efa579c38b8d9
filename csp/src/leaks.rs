//! What a program, or a test, leaves behind: processes that are alive when it has ended, values that nobody has read, ends that
//! nobody has used.
//!
//! Nothing of this is on the way of a communication. Unread values are met where a channel retires with something in its
//! buffer. Whether an end was used its operations must say, so that is known in builds with debug assertions only.
//!
//! A *scope* is what leaves something behind: a test with `#[csp::test]`, for many may run at once; else the program, 0. A
//! process belongs to the scope of who started it, a channel to that of who made it. What a plain thread starts belongs to none,
//! but counts where it waits at a channel of the scope.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::backend;
use crate::blocked::{Object, Side};
use crate::park;
use crate::place::Place;
use crate::registry;
use crate::report::text::{Style, paragraph};
use crate::report::{ProcessState, State, Wanted};
use crate::survey::Words;

/// Somebody will ask.
static ASKED: AtomicBool = AtomicBool::new(false);

/// The last scope that there was.
static SCOPES: AtomicU32 = AtomicU32::new(0);

static LOST: Mutex<BTreeMap<Origin, Lost>> = Mutex::new(BTreeMap::new());

/// Channels that were made in one line, under one name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    scope: u32,
    birth: Place,
    name: Option<String>,
}

struct Lost {
    kind: String,
    values: usize,
}

/// From now on what is left behind is noted, for somebody will ask.
pub(crate) fn note() {
    ASKED.store(true, Ordering::Relaxed);
}

/// A new scope, for the thread that calls this.
pub(crate) fn enter(name: &str) -> u32 {
    note();
    let scope = SCOPES.fetch_add(1, Ordering::Relaxed) + 1;
    park::rename_thread(name, scope);
    scope
}

/// That of the process that runs.
pub(crate) fn scope() -> u32 {
    if cfg!(loom) || SCOPES.load(Ordering::Relaxed) == 0 {
        return 0;
    }
    park::current().shown(|identity| identity.of.scope()).unwrap_or(0)
}

/// A channel retires, and with it so many values that nobody has read.
#[cold]
pub(crate) fn unread(channel: &dyn Object, scope: u32, values: usize) {
    if ASKED.load(Ordering::Relaxed) {
        let origin = Origin { scope, birth: channel.birth(), name: channel.name() };
        let kind = channel.kind();
        lock(&LOST).entry(origin).or_insert(Lost { kind, values: 0 }).values += values;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of the use of an end, and of all others that the same line has made.
#[derive(Clone, Copy)]
pub(crate) struct Use(#[cfg(debug_assertions)] Option<&'static sites::Site>);

#[cfg(not(debug_assertions))]
impl Use {
    #[inline(always)]
    pub(crate) fn of(_: &dyn Object, _: u32, _: Side, _: Place) -> Self {
        Self()
    }

    #[inline(always)]
    pub(crate) fn mark(self) {}
}

/// Somebody on this side was told that the channel has ended, or waits to be: the ends of the other side have been of use.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) fn told(_: &dyn Object, _: u32, _: Side) {}

#[cfg(debug_assertions)]
pub(crate) use sites::told;

#[cfg(debug_assertions)]
mod sites {
    use super::{
        ASKED, AtomicBool, BTreeMap, Mutex, Object, Ordering, Origin, Place, Side, Use, lock,
    };

    /// By the line that makes them.
    type Sites = BTreeMap<Place, &'static Site>;

    static SITES: Mutex<BTreeMap<(Origin, Side), Sites>> = Mutex::new(BTreeMap::new());

    /// A line that makes ends.
    pub(crate) struct Site {
        kind: String,
        used: AtomicBool,
    }

    impl Use {
        pub(crate) fn of(channel: &dyn Object, scope: u32, side: Side, place: Place) -> Self {
            if cfg!(loom) || !ASKED.load(Ordering::Relaxed) {
                return Self(None);
            }
            let origin = Origin { scope, birth: channel.birth(), name: channel.name() };
            let mut sites = lock(&SITES);
            let site = sites.entry((origin, side)).or_default().entry(place).or_insert_with(|| {
                Box::leak(Box::new(Site { kind: channel.kind(), used: AtomicBool::new(false) }))
            });
            Self(Some(site))
        }

        #[inline(always)]
        pub(crate) fn mark(self) {
            if let Some(site) = self.0
                && !site.used.load(Ordering::Relaxed)
            {
                site.used.store(true, Ordering::Relaxed);
            }
        }
    }

    #[cold]
    pub(crate) fn told(channel: &dyn Object, scope: u32, side: Side) {
        if cfg!(loom) || !ASKED.load(Ordering::Relaxed) {
            return;
        }
        let other = if side == Side::Reader { Side::Writer } else { Side::Reader };
        let origin = Origin { scope, birth: channel.birth(), name: channel.name() };
        let sites = lock(&SITES);
        sites.get(&(origin, other)).into_iter().flatten().for_each(|(_, site)| {
            site.used.store(true, Ordering::Relaxed);
        });
    }

    /// What `show` is shown is forgotten.
    pub(super) fn unused(scope: u32, mut show: impl FnMut(&Origin, &str, Side, Place)) {
        lock(&SITES).retain(|(origin, side), sites| {
            if origin.scope != scope {
                return true;
            }
            for (place, site) in sites {
                if !site.used.load(Ordering::Relaxed) {
                    show(origin, &site.kind, *side, *place);
                }
            }
            false
        });
    }
}

/// What was left behind.
#[derive(Default)]
pub(crate) struct Leaks {
    processes: Vec<ProcessState>,
    /// In words.
    channels: Vec<String>,
}

impl Leaks {
    pub(crate) fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.channels.is_empty()
    }
}

/// What this scope has left behind, whose last process calls this.
pub(crate) fn left(scope: u32) -> Leaks {
    let mut leaks = Leaks { processes: alive(scope), channels: Vec::new() };
    let mut lost = Vec::new();
    lock(&LOST).retain(|origin, found| {
        let mine = origin.scope == scope;
        if mine {
            let kind = std::mem::take(&mut found.kind);
            lost.push((origin.clone(), kind, found.values));
        }
        !mine
    });
    registry::each(|channel, of| {
        let values = channel.fill().map_or(0, |fill| fill.values);
        if of == scope && values > 0 {
            let origin = Origin { scope, birth: channel.birth(), name: channel.name() };
            lost.push((origin, channel.kind(), values));
        }
    });
    for (origin, kind, values) in lost {
        let what = if values == 1 { "value that was" } else { "values that were" };
        leaks.channels.push(format!("{}: {values} {what} never read", origin.of(&kind)));
    }
    #[cfg(debug_assertions)]
    sites::unused(scope, |origin, kind, side, place| {
        let what = if side == Side::Reader { "reader" } else { "writer" };
        leaks.channels.push(format!("{}: its {what} of {place} was never used", origin.of(kind)));
    });
    leaks
}

impl Origin {
    fn of(&self, kind: &str) -> String {
        match &self.name {
            Some(name) => format!("`{name}`, {kind} of {}", self.birth),
            None => format!("{kind} of {}", self.birth),
        }
    }
}

/// The addresses of its channels.
fn channels(scope: u32) -> HashSet<usize> {
    let mut channels = HashSet::new();
    registry::each(|channel, of| {
        if of == scope {
            channels.insert(channel.address());
        }
    });
    channels
}

/// The processes that are alive, but for daemons and what they have started.
fn alive(scope: u32) -> Vec<ProcessState> {
    let me = park::current().who();
    let mut pause = Duration::from_micros(100);
    loop {
        let mut words = Words::default();
        words.only(scope);
        let mut processes = backend::survey(words).finish().processes;
        let channels = channels(scope);
        let waits_here = |process: &ProcessState| {
            process.wants().iter().filter_map(Wanted::address).any(|at| channels.contains(&at))
        };
        processes.retain(|process| {
            process.who != Some(me) && (process.scope == scope || waits_here(process))
        });
        let blocked = |process: &ProcessState| matches!(process.state, State::Blocked(_));
        // One that has just ended is seen for a moment yet.
        if processes.iter().all(blocked) || pause > Duration::from_millis(100) {
            return processes;
        }
        std::thread::sleep(pause);
        pause *= 2;
    }
}

impl fmt::Display for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.processes.is_empty() {
            writeln!(f, "  still alive:")?;
        }
        self.processes.iter().try_for_each(|process| process.write(f, 4, Style::PLAIN))?;
        self.channels.iter().try_for_each(|text| paragraph(f, 2, text, 0, Style::PLAIN))
    }
}
