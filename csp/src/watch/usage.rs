//! Notes that channels keep about themselves: values that were not read, and ends that were not used. A later question for leftovers
//! reads them (see `leaks`).

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use crate::report::place::Place;
use crate::system::shared::{AtomicBool, AtomicU32, Mutex};
use crate::wait::blocked::Object;
#[cfg(not(debug_assertions))]
use crate::wait::blocked::Side;
use crate::wait::park;

/// Somebody will ask.
static ASKED: AtomicBool = AtomicBool::new(false);

/// The last scope that there was.
static SCOPES: AtomicU32 = AtomicU32::new(0);

pub(crate) static LOST: Mutex<BTreeMap<Origin, Lost>> = Mutex::new(BTreeMap::new());

/// Channels that were made in one line, under one name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) scope: u32,
    pub(crate) birth: Place,
    pub(crate) name: Option<String>,
}

pub(crate) struct Lost {
    pub(crate) kind: String,
    pub(crate) values: usize,
}

/// Notes leftovers from now on, because somebody will ask.
pub(crate) fn note() {
    ASKED.store(true, Ordering::Relaxed);
}

/// Begins a new scope, for the thread that calls this.
pub(crate) fn enter(name: &str) -> u32 {
    note();
    let scope = SCOPES.fetch_add(1, Ordering::Relaxed) + 1;
    park::rename_thread(park::current(), name, scope);
    scope
}

/// Returns the scope of the process that runs.
pub(crate) fn scope() -> u32 {
    if cfg!(loom) || SCOPES.load(Ordering::Relaxed) == 0 {
        return 0;
    }
    park::current().shown(|identity| identity.of.scope()).unwrap_or(0)
}

/// Notes that a channel retires, and with it this many values that nobody has read.
#[cold]
pub(crate) fn unread(channel: &dyn Object, scope: u32, values: usize) {
    if ASKED.load(Ordering::Relaxed) && scope != EXCUSED {
        let origin = Origin { scope, birth: channel.birth(), name: channel.name() };
        let kind = channel.kind();
        lock(&LOST).entry(origin).or_insert(Lost { kind, values: 0 }).values += values;
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The use of an end, noted together with that of all others made by the same line.
#[derive(Clone, Copy)]
pub(crate) struct Use {
    #[cfg(debug_assertions)]
    site: Option<&'static sites::Site>,
    #[cfg(debug_assertions)]
    place: Place,
}

/// The scope of channels that no question for leftovers concerns.
pub(crate) const EXCUSED: u32 = u32::MAX;

#[cfg(not(debug_assertions))]
impl Use {
    #[inline(always)]
    pub(crate) fn of(_: &dyn Object, _: u32, _: Side, _: Place) -> Self {
        Self {}
    }

    #[inline(always)]
    pub(crate) fn mark(self) {}

    #[inline(always)]
    pub(crate) fn made(self) -> Option<Place> {
        None
    }
}

/// Notes that the ends of the other side have been of use. A process on this side was told that the channel has ended, or
/// waits to be.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) fn told(_: &dyn Object, _: u32, _: Side) {}

#[cfg(debug_assertions)]
pub(crate) use sites::told;

#[cfg(debug_assertions)]
pub(crate) mod sites {
    use super::{ASKED, AtomicBool, BTreeMap, EXCUSED, Mutex, Ordering, Origin, Use, lock};
    use crate::report::place::Place;
    use crate::wait::blocked::{Object, Side};

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
            if cfg!(loom) || !ASKED.load(Ordering::Relaxed) || scope == EXCUSED {
                return Self { site: None, place };
            }
            let origin = Origin { scope, birth: channel.birth(), name: channel.name() };
            let mut sites = lock(&SITES);
            let site = sites.entry((origin, side)).or_default().entry(place).or_insert_with(|| {
                Box::leak(Box::new(Site { kind: channel.kind(), used: AtomicBool::new(false) }))
            });
            Self { site: Some(site), place }
        }

        /// Returns where the end was made.
        pub(crate) fn made(self) -> Option<Place> {
            Some(self.place)
        }

        #[inline(always)]
        pub(crate) fn mark(self) {
            if let Some(site) = self.site
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

    /// Shows the unused ends of a scope. Each entry that `show` sees is then forgotten.
    pub(crate) fn unused(scope: u32, mut show: impl FnMut(&Origin, &str, Side, Place)) {
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
