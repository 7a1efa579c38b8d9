//! A list to which all OS processes of a law append, each entry whole. It is a file that is deleted with its last user.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Entries of all processes, in the order in which they were made.
#[derive(Clone, Debug)]
pub struct Notes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: File,
    place: Place,
}

/// The place where others find the list, while the OS process that made it has it open.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Place {
    path: String,
    /// The number of the list, because a path may be reused after its file is gone.
    number: u32,
}

impl Default for Notes {
    fn default() -> Self {
        Self::new()
    }
}

impl Notes {
    /// Makes an empty list.
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("csp-notes-{}-{number}", std::process::id());
        let made = std::env::temp_dir().join(name);
        let file = File::options().append(true).read(true).create_new(true).open(&made);
        let file = file.expect("a file for notes");
        if cfg!(target_os = "linux") {
            std::fs::remove_file(&made).expect("it is ours");
        }
        let path = path(&file).unwrap_or_else(|| made.to_string_lossy().into_owned());
        Self(Arc::new(Inner { file, place: Place { path, number } }))
    }

    /// Appends an entry, which is one line.
    pub fn push(&self, entry: impl AsRef<str>) {
        let line = format!("{}\n", entry.as_ref());
        (&self.0.file).write_all(line.as_bytes()).expect("the file takes it");
    }

    /// Returns all entries so far.
    pub fn entries(&self) -> Vec<String> {
        let mut text = String::new();
        let mut file = File::open(&self.0.place.path).expect("it is there");
        file.read_to_string(&mut text).expect("text");
        text.lines().map(str::to_owned).collect()
    }
}

#[cfg(target_os = "linux")]
fn path(file: &File) -> Option<String> {
    use std::os::fd::AsRawFd;
    Some(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()))
}

#[cfg(not(target_os = "linux"))]
fn path(_: &File) -> Option<String> {
    None
}

impl Serialize for Notes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.place.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Notes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        static OPEN: Mutex<Option<HashMap<Place, Weak<Inner>>>> = Mutex::new(None);
        let place = Place::deserialize(deserializer)?;
        let mut open = OPEN.lock().unwrap();
        let open = open.get_or_insert_default();
        if let Some(inner) = open.get(&place).and_then(Weak::upgrade) {
            return Ok(Self(inner));
        }
        let file = File::options().append(true).open(&place.path).map_err(D::Error::custom)?;
        let inner = Arc::new(Inner { file, place: place.clone() });
        open.insert(place, Arc::downgrade(&inner));
        Ok(Self(inner))
    }
}
