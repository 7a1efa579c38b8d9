//! A place in a source: of this program, or of one that runs in another OS process.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// The file, line and column of an object in a [report](crate::report).
///
/// It shows as `file:line:column`.
///
/// ```
/// let jobs = csp::Channel::<u32>::new();
/// let network = csp::network();
/// let made = network.channels()[0].birth();
/// assert!(made.line() > 0 && made.to_string().starts_with(made.file()));
/// # drop(jobs);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    file: &'static str,
    line: u32,
    column: u32,
}

impl Place {
    /// Returns the source file, as the compiler was told of it.
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// Returns the line, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Returns the column, from 1.
    pub fn column(&self) -> u32 {
        self.column
    }
}

impl From<&'static Location<'static>> for Place {
    fn from(location: &'static Location<'static>) -> Self {
        Self { file: location.file(), line: location.line(), column: location.column() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The place where a channel was made, in a small form that suffices for most channels.
#[derive(Clone, Copy)]
pub(crate) enum Birth {
    Here(&'static Location<'static>),
    /// It was made in another OS process.
    There(&'static Place),
}

/// The number of places that are told apart. A program has fewer lines that make channels.
const KNOWN: usize = 1 << 14;

type Known = HashMap<(String, u32, u32), &'static Place>;

impl Place {
    /// Returns a place in another OS process. Each place is kept for good, and so only once.
    pub(crate) fn there(file: String, line: u32, column: u32) -> &'static Self {
        static KNOWN_PLACES: Mutex<Option<Known>> = Mutex::new(None);
        static UNKNOWN: Place = Place { file: "another OS process", line: 0, column: 0 };
        let mut known = KNOWN_PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        let full = known.len() >= KNOWN;
        match known.entry((file, line, column)) {
            Entry::Occupied(place) => place.get(),
            Entry::Vacant(_) if full => &UNKNOWN,
            Entry::Vacant(place) => {
                let file = place.key().0.clone().leak();
                place.insert(Box::leak(Box::new(Place { file, line, column })))
            }
        }
    }
}

impl Birth {
    /// Returns a place in another OS process.
    pub(crate) fn there(file: String, line: u32, column: u32) -> Self {
        Self::There(Place::there(file, line, column))
    }

    pub(crate) fn place(self) -> Place {
        match self {
            Self::Here(location) => location.into(),
            Self::There(place) => *place,
        }
    }
}

impl From<&'static Location<'static>> for Birth {
    fn from(location: &'static Location<'static>) -> Self {
        Self::Here(location)
    }
}
