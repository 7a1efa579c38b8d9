//! A folder that exists for one test. Children leave notes in it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, thread};

pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("csp-tests-{}-{number}", std::process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.clone()
    }

    /// Waits for the note of that name.
    pub(crate) fn wait(&self, name: &str) -> u32 {
        loop {
            if let Ok(text) = fs::read_to_string(self.0.join(name))
                && let Ok(number) = text.trim_end_matches('.').parse()
                && text.ends_with('.')
            {
                return number;
            }
            thread::yield_now();
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Leaves a note with the number of this OS process.
pub(crate) fn note(folder: &Path, name: &str) {
    fs::write(folder.join(name), format!("{}.", std::process::id())).expect("a note");
}
