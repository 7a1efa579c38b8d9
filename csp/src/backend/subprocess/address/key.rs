//! The key of a program, and files with a secret. Such a file is made for its owner alone, and one that
//! others can read is refused.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::{fmt, process};

use iroh::SecretKey;

/// The key by which others recognise a program. It is drawn at each start, except if it is kept in a file. An address
/// stays the same as long as its key and its place do.
///
/// ```no_run
/// # use csp::{Channel, ProgramKey};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let said: Channel<String> = Channel::new();
/// let key = ProgramKey::kept_in("chat.key")?;
/// let published = key.publish("192.0.2.7:7447/chat", said.writer())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ProgramKey {
    pub(super) key: SecretKey,
    pub(super) is_kept: bool,
}

impl fmt::Debug for ProgramKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgramKey").finish_non_exhaustive()
    }
}

impl ProgramKey {
    /// Reads the key in this file. If there is no file, draws a key and makes the file, which its owner alone can read.
    ///
    /// # Errors
    /// Returns an error if the file can't be read or made, is a link, belongs to somebody else, can be read by others, or has no key in it.
    pub fn kept_in(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let key = match make(path) {
            Ok(file) => {
                let key = SecretKey::generate();
                fill(file, path, &key.to_bytes())?;
                key
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                SecretKey::from_bytes(&read(path)?)
            }
            Err(error) => return Err(error),
        };
        Ok(Self { key, is_kept: true })
    }

    pub(super) fn draw() -> Self {
        Self { key: SecretKey::generate(), is_kept: false }
    }
}

/// Makes a file that was not there, and that its owner alone can read. A link is not followed.
fn make(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Fills a new file, and removes it if that fails.
fn fill(mut file: File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes).and_then(|()| file.sync_all()).inspect_err(|_| {
        let _ = std::fs::remove_file(path);
    })
}

fn refused(path: &Path, why: &str) -> io::Error {
    io::Error::other(format!("`{}` {why}", path.display()))
}

/// Opens a file with a secret, unless others can read it.
fn read(path: &Path) -> io::Result<[u8; 32]> {
    let nofollow = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(nofollow).open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => refused(path, "is a link: name the file itself"),
        _ => error,
    })?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(refused(path, "is no file"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(refused(path, "can be read by others: `chmod 600` it, or draw a new key"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(refused(path, "belongs to somebody else"));
    }
    let mut bytes = Vec::new();
    file.take(64).read_to_end(&mut bytes)?;
    bytes.try_into().map_err(|_| refused(path, "has no key in it"))
}

/// Saves an address in a file that its owner alone can read. A file that is there is replaced, except if it is a link or
/// others can read it.
pub(super) fn save(path: &Path, text: &str) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => {
            return Err(refused(path, "is a link: name the file itself"));
        }
        Ok(there) if !there.is_file() => return Err(refused(path, "is no file")),
        Ok(there) if there.mode() & 0o077 != 0 => {
            return Err(refused(path, "can be read by others: `chmod 600` it, or remove it"));
        }
        _ => {}
    }
    let mut name = path.file_name().ok_or_else(|| refused(path, "is no file"))?.to_owned();
    name.push(format!(".{}.new", process::id()));
    let new = path.with_file_name(name);
    fill(make(&new)?, &new, format!("{text}\n").as_bytes())?;
    std::fs::rename(&new, path).inspect_err(|_| {
        let _ = std::fs::remove_file(&new);
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_key_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let key = ProgramKey::kept_in(&path).expect("a new key");
        let mode = |path: &Path| std::fs::metadata(path).expect("a file").mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        let again = ProgramKey::kept_in(&path).expect("the same key");
        assert_eq!(again.key.to_bytes(), key.key.to_bytes());
        assert!(!format!("{key:?}").contains(&key.key.public().to_string()));
        // A link, a file that others can read, one that has something else in it, and a folder.
        let link = folder.path().join("link");
        symlink(&path, &link).expect("a link");
        assert!(ProgramKey::kept_in(&link).expect_err("a link").to_string().contains("is a link"));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("other rights");
        let error = ProgramKey::kept_in(&path).expect_err("others can read it");
        assert!(error.to_string().contains("can be read by others"), "{error}");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("other rights");
        std::fs::write(&path, "short").expect("a file");
        let error = ProgramKey::kept_in(&path).expect_err("it has no key");
        assert!(error.to_string().contains("has no key"), "{error}");
        assert!(ProgramKey::kept_in(folder.path()).is_err());
    }

    #[test]
    fn an_address_is_saved_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("address");
        for text in ["one", "two"] {
            save(&path, text).expect("a file");
            assert_eq!(std::fs::read_to_string(&path).expect("a file"), format!("{text}\n"));
            assert_eq!(std::fs::metadata(&path).expect("a file").mode() & 0o777, 0o600);
        }
        let link = folder.path().join("link");
        symlink(&path, &link).expect("a link");
        assert!(save(&link, "three").is_err());
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("other rights");
        assert!(save(&path, "three").is_err());
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("a folder").count(),
            2,
            "nothing is left"
        );
    }
}
