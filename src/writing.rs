//! Files are written completely or not at all, and none is overwritten unless that is asked for.
//!
//! A text is written into another file beside, which gets the name when it is complete: whoever looks, and
//! whoever is interrupted, finds the old file or the new one. If the system can do that, a new file has no name
//! at all until then; otherwise, what killed processes have left beside a file is removed when it is next
//! written.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// Why a file was not written. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It exists, and nobody has allowed overwriting it.
    #[error("`{}` is there already; it stays as it is: choose another name", .0.display())]
    Exists(PathBuf),
    /// It exists, and is something else than what would overwrite it.
    #[error("`{}` is there already and is no {what}; it stays as it is: choose another name", path.display())]
    SomethingElse {
        /// The file.
        path: PathBuf,
        /// What it would have become.
        what: &'static str,
    },
    /// Whoever made it read-only wants it to stay as it is.
    #[error("`{}` may only be read; it stays as it is", .0.display())]
    ReadOnly(PathBuf),
    /// It cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes a new file.
pub fn create(file: &Path, text: &str) -> Result<(), WriteError> {
    let written = without_a_name(file, text).unwrap_or_else(|| {
        let beside = beside(file);
        // A link fails where a file is; a rename would not.
        let written = write(&beside, text).and_then(|()| std::fs::hard_link(&beside, file));
        // It has its name now, or is of no use to anybody.
        let _ = std::fs::remove_file(&beside);
        written
    });
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => WriteError::Exists(file.to_owned()),
        _ => WriteError::Failed { path: file.to_owned(), source },
    })
}

/// Replaces a file by a text, or makes a new one. Through a link, the file that it leads to is changed; a
/// read-only file stays.
pub fn replace(file: &Path, text: &str) -> Result<(), WriteError> {
    let at = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let old = std::fs::metadata(&at).ok().map(|old| old.permissions());
    if old.as_ref().is_some_and(std::fs::Permissions::readonly) {
        return Err(WriteError::ReadOnly(file.to_owned()));
    }
    sweep(&at);
    let beside = beside(&at);
    let written = write(&beside, text).and_then(|()| {
        if let Some(old) = old {
            std::fs::set_permissions(&beside, old)?;
        }
        std::fs::rename(&beside, &at)
    });
    if written.is_err() {
        // What is left of a failed write is of no use to anybody.
        let _ = std::fs::remove_file(&beside);
    }
    written.map_err(|source| WriteError::Failed { path: file.to_owned(), source })
}

/// Makes a folder if it does not exist, and finds out whether files can be written into it.
pub fn folder(folder: &Path) -> Result<(), WriteError> {
    let failed = |source| WriteError::Failed { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let trial = beside(&folder.join("trial"));
    let written = write(&trial, "").and_then(|()| std::fs::remove_file(&trial));
    written.map_err(failed)
}

/// Writes something that is made again on every run: over an earlier version, which begins in the same way, and
/// over nothing else.
pub fn renew(file: &Path, text: &str, what: &'static str) -> Result<(), WriteError> {
    let begin =
        |text: &[u8]| text.iter().take_while(|byte| **byte != b' ').copied().collect::<Vec<_>>();
    let failed = |source| WriteError::Failed { path: file.to_owned(), source };
    match std::fs::read(file) {
        Ok(old) if old.is_empty() || begin(&old) == begin(text.as_bytes()) => replace(file, text),
        Ok(_) => Err(WriteError::SomethingElse { path: file.to_owned(), what }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(file, text),
        Err(error) => Err(failed(error)),
    }
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    fill(&mut File::create(file)?, text)
}

fn fill(new: &mut File, text: &str) -> io::Result<()> {
    new.write_all(text.as_bytes())?;
    new.sync_all()
}

/// Writes a new file that has no name before it is complete: if its writer dies, nothing is left of it. `None`:
/// the system, or this file system, has no such files.
#[cfg(target_os = "linux")]
fn without_a_name(file: &Path, text: &str) -> Option<io::Result<()>> {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    use rustix::fs::{AtFlags, CWD, OFlags, linkat};

    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let flags = i32::try_from(OFlags::TMPFILE.bits()).ok()?;
    let folder = folder.unwrap_or(Path::new("."));
    let opened = File::options().write(true).custom_flags(flags).open(folder);
    let mut new = opened.ok()?;
    // The name is given through the process's own list of files, which not every system shows.
    let own = format!("/proc/self/fd/{}", new.as_raw_fd());
    if !Path::new(&own).exists() {
        return None;
    }
    let named = |()| Ok(linkat(CWD, &own, CWD, file, AtFlags::SYMLINK_FOLLOW)?);
    Some(fill(&mut new, text).and_then(named))
}

#[cfg(not(target_os = "linux"))]
fn without_a_name(_file: &Path, _text: &str) -> Option<io::Result<()>> {
    None
}

/// Removes what writers of this file that no longer exist have left beside it.
fn sweep(file: &Path) {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(|it| it.to_str()))
    else {
        return;
    };
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for left in entries.filter_map(Result::ok) {
        let own = left.file_name();
        let writer = own.to_str().and_then(|own| own.strip_prefix(name)?.strip_prefix('.'));
        let writer = writer.and_then(|rest| rest.strip_suffix(".new")?.parse().ok());
        let writer = writer.and_then(Pid::from_raw);
        if writer.is_some_and(|writer| test_kill_process(writer) == Err(Errno::SRCH)) {
            // What cannot be removed is in nobody's way.
            let _ = std::fs::remove_file(left.path());
        }
    }
}

/// Where a file is written before it gets its name.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_file_that_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        create(&file, "one").unwrap();
        assert!(matches!(create(&file, "two"), Err(WriteError::Exists(_))));
        assert!(matches!(renew(&file, "<svg two", "SVG"), Err(WriteError::SomethingElse { .. })));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one");
        replace(&file, "<svg three").unwrap();
        renew(&file, "<svg four", "SVG").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "<svg four");
        assert_eq!(files(folder.path()), 1, "nothing is left beside it");
    }

    #[test]
    fn what_the_dead_have_left_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        let (dead, alive) = (dead.id(), std::process::id());
        let names = ["a.toml.new".to_owned(), format!("a.toml.{alive}0.new.toml")];
        let of_others = [format!("b.toml.{dead}.new"), format!("a.toml.{dead}")];
        let parent = format!("a.toml.{}.new", std::os::unix::process::parent_id());
        let stay: Vec<_> = names.into_iter().chain(of_others).chain([parent]).collect();
        let left = format!("a.toml.{dead}.new");
        for name in stay.iter().chain([&left]) {
            std::fs::write(folder.path().join(name), "half").unwrap();
        }
        replace(&folder.path().join("a.toml"), "whole").unwrap();
        assert!(!folder.path().join(left).exists());
        assert_eq!(files(folder.path()), stay.len() + 1);
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calls");
        std::fs::create_dir(&file).unwrap();
        assert!(matches!(replace(&file, "text"), Err(WriteError::Failed { .. })));
        assert_eq!(files(folder.path()), 1);
    }
}
