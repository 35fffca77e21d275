//! What files look like from outside, so that a change is noticed without reading them.
//!
//! The system reports changes in a folder as it was found, but not that another one has taken its place, nor what
//! happens behind a link or a mount.

use std::fs::{metadata, read_dir};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A file, or a folder of flow files: as it was when it was read, and as it was at the last look.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) path: PathBuf,
    read: Look,
    last: Look,
}

/// Each file by its name, with the device, number and size of the file that is there, and when it was written and
/// changed, in seconds and nanoseconds.
type Look = Vec<(PathBuf, Option<(u64, u64, u64, [i64; 4])>)>;

impl Looked {
    pub(super) fn at(path: PathBuf) -> Self {
        let read = look(&path);
        Self { path, last: read.clone(), read }
    }

    /// The path, to be read now.
    pub(super) fn reading(&mut self) -> &Path {
        self.read = look(&self.path);
        &self.path
    }

    /// Whether it has changed since it was read.
    pub(super) fn differs(&self) -> bool {
        look(&self.path) != self.read
    }

    /// Looks, so that [`Self::is_other`] can tell whether it has stayed as it is.
    pub(super) fn look(&mut self) {
        self.last = look(&self.path);
    }

    /// Whether it has changed since it was read, and has stayed as it is since the last look: what somebody is
    /// still writing is left until it is finished.
    pub(super) fn is_other(&mut self) -> bool {
        let now = look(&self.path);
        let has_stayed = now == self.last;
        let is_other = now != self.read;
        self.last = now;
        has_stayed && is_other
    }
}

fn look(path: &Path) -> Look {
    let mut files: Vec<PathBuf> = match read_dir(path) {
        Ok(entries) => {
            entries.flatten().map(|entry| entry.path()).filter(|file| is_toml(file)).collect()
        }
        Err(_) => vec![path.to_owned()],
    };
    files.sort_unstable();
    files.into_iter().map(|file| (file.clone(), of(&file))).collect()
}

pub(super) fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

fn of(file: &Path) -> Option<(u64, u64, u64, [i64; 4])> {
    let file = metadata(file).ok()?;
    let times = [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()];
    Some((file.dev(), file.ino(), file.size(), times))
}
