//! The file under the embedded store: it is made, verified, opened, converted from an older format, and opened
//! again after an I/O error.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use ::redb::{
    Database, DatabaseError, ReadableDatabase as _, StorageError, TableDefinition,
    TableHandle as _, WriteTransaction,
};

use super::super::{OpenError, StoreError};
use super::fault::Fault;
use super::length::{Length, Measured};
use super::older;
use super::places::{self, Fresh, Id};
use super::tables::{self, View};
use crate::limits::{
    STORE_CACHE_BYTES, STORE_COMPACT_AT_START_ROWS_MAX, STORE_COMPACT_AT_START_USED_BYTES_MAX,
    STORE_COMPACT_BYTES_MIN, STORE_COMPACT_EVERY, STORE_COMPACT_ROWS_MAX,
    STORE_COMPACT_USED_BYTES_MAX, STORE_FRESH_MAX, STORE_VERIFIED_BYTES_MAX,
};

/// The format this program writes: the tables and what their columns mean.
const FORMAT: u64 = 4;
/// The first format. Files of this one and of all later ones are converted when they are opened.
const FORMAT_FIRST: u64 = 1;
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("callgate");

/// How the file is opened, also when it is opened again after an I/O error.
pub(super) type Opener = Box<dyn Fn() -> Result<Database, OpenError> + Send + Sync>;

/// Where the file is, and which one it is.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// Its device and number.
    file: (u64, u64),
    length: Length,
}

impl Place {
    /// The identity of the file that was just opened at this path, and that has this length.
    pub(super) fn of(path: &Path, length: Length) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        Some(Self { path: path.to_owned(), file: identity(&file), length })
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// The open file, or what is left of it after an I/O error.
pub(super) struct Slot {
    opener: Opener,
    database: RwLock<Option<Database>>,
    /// Locked after `database`, and never while a transaction is committed.
    pub(super) fresh: Mutex<Fresh>,
    /// The file; `None`: there is no file that could shrink or be taken away.
    pub(super) place: Option<Place>,
    /// When somebody last looked whether the file is mostly empty, in microseconds since 1970.
    looked_us: AtomicI64,
}

impl Slot {
    pub(super) fn open(named: &Path, opener: Opener) -> Result<Self, OpenError> {
        let database = opener()?;
        let fresh =
            Fresh::load(&database, STORE_FRESH_MAX).map_err(|fault| fault_of(named, fault))?;
        let (fresh, database) = (Mutex::new(fresh), RwLock::new(Some(database)));
        Ok(Self { opener, database, fresh, place: None, looked_us: AtomicI64::new(0) })
    }

    /// Reads the last flushed state.
    pub(super) fn read<T>(
        &self,
        question: impl FnOnce(&View) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let answer = self.with(|database| question(&View(database.begin_read()?)));
        answer.map_err(|fault| fault.told())
    }

    /// Reads something in the last flushed state, from the places where it may lie there.
    pub(super) fn read_at<T>(
        &self,
        id: Id,
        question: impl FnOnce(&View, &[i64]) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let answer = self.with(|database| {
            // Both are taken at the same moment: what was placed last, and the flushed state.
            let fresh = places::lock(&self.fresh);
            let mut places = fresh.places(id);
            let view = View(database.begin_read()?);
            drop(fresh);
            if places.is_empty() {
                places.extend(places::read(&view.0, id)?);
            }
            question(&view, &places)
        });
        answer.map_err(|fault| fault.told())
    }

    /// Applies `work` and flushes it to the disk. After a fault, or if `work` says that it changed nothing,
    /// everything is as before.
    pub(super) fn write(
        &self,
        work: impl FnOnce(&WriteTransaction, &Mutex<Fresh>) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        self.with(|database| {
            let written = self.write_to(database, work);
            let mut fresh = places::lock(&self.fresh);
            match &written {
                Ok(()) => fresh.flushed(),
                // As it is in the file. If that cannot be read, the file is opened again.
                Err(_) => match Fresh::load(database, fresh.most) {
                    Ok(loaded) => *fresh = loaded,
                    Err(fault) => return Err(Fault::Closed(format!("{fault:?}"))),
                },
            }
            written
        })
    }

    fn write_to(
        &self,
        database: &Database,
        work: impl FnOnce(&WriteTransaction, &Mutex<Fresh>) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let transaction = database.begin_write()?;
        if work(&transaction, &self.fresh)? {
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        Ok(())
    }

    /// Whether the file is still where it was opened, and all of it is there.
    pub(super) fn check_place(&self) -> Result<(), Fault> {
        let Some(Place { path, file, length }) = &self.place else { return Ok(()) };
        // Read before the file is looked at, because the database may make it longer meanwhile.
        let length = length.at_least();
        let found = std::fs::metadata(path).ok().filter(|found| identity(found) == *file);
        let told = match found {
            Some(found) if found.len() >= length => return Ok(()),
            Some(_) => {
                "its file was cut; stop the server and bring back a copy, or calls and locks that were in it are forgotten"
            }
            None => {
                "its file was taken away or replaced; what is written into it is lost when the server stops"
            }
        };
        Err(Fault::Closed(told.into()))
    }

    /// Logs when that is not so: perhaps nobody asks whether the server is ready.
    pub(super) fn tell_of_its_place(&self) {
        if let Err(fault) = self.check_place() {
            tracing::error!(error = %fault.told(), "turns are taken, and are not kept");
        }
    }

    /// Opens the file again: after an I/O error, the database refuses everything until then. If another file lies
    /// in its place, that one is not used.
    pub(super) fn reopen(&self) -> Result<(), Fault> {
        self.check_place()?;
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // It is closed first, because it holds the file's lock.
        drop(database.take());
        let opened = (self.opener)().map_err(|error| Fault::Closed(error.to_string()))?;
        let mut fresh = places::lock(&self.fresh);
        *fresh = Fresh::load(&opened, fresh.most)?;
        *database = Some(opened);
        Ok(())
    }

    /// Gives space back to the system when hardly anything in the file is in use, as in the night after a day of
    /// many calls. Turns have to wait meanwhile; so this is checked only now and then, and not while the file is
    /// small or much would have to be moved.
    pub(super) fn compact_if_sparse(&self, now_us: i64) -> Result<(), StoreError> {
        let every_us = i64::try_from(STORE_COMPACT_EVERY.as_micros()).unwrap_or(i64::MAX);
        let is_time = now_us.saturating_sub(self.looked_us.load(Ordering::Relaxed)) >= every_us;
        if self.length() < STORE_COMPACT_BYTES_MIN || !is_time {
            return Ok(());
        }
        self.looked_us.store(now_us, Ordering::Relaxed);
        self.compact(STORE_COMPACT_ROWS_MAX, STORE_COMPACT_USED_BYTES_MAX)
    }

    /// The same when the file is opened, before any turn waits: more may be moved then, if at most a quarter of
    /// the file is in use.
    pub(super) fn compact_at_start(&self) -> Result<(), StoreError> {
        let length = self.length();
        if length < STORE_COMPACT_BYTES_MIN {
            return Ok(());
        }
        let used_max = STORE_COMPACT_AT_START_USED_BYTES_MAX.min(length / 4);
        self.compact(STORE_COMPACT_AT_START_ROWS_MAX, used_max)
    }

    /// The length of the file in bytes; 0 if there is no file that could shrink.
    fn length(&self) -> u64 {
        let found = self.place.as_ref().and_then(|place| std::fs::metadata(&place.path).ok());
        found.map_or(0, |file| file.len())
    }

    /// Gives space back if there are at most so many rows, and at most so many bytes in use.
    fn compact(&self, rows_max: u64, used_max: u64) -> Result<(), StoreError> {
        // Adding up the bytes means reading every page while turns wait; counting rows does not.
        if self.read(View::rows)? > rows_max {
            return Ok(());
        }
        let length = self.length();
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = database.as_mut() else { return Ok(()) };
        let compacted = used_bytes(open).and_then(|used| {
            if used <= used_max {
                tracing::info!(length, used, "the store gives empty space back");
                open.compact()?;
            }
            Ok(())
        });
        drop(database);
        compacted.map_err(|fault| {
            // After an I/O error, the database refuses everything until it is opened again.
            let reopened = self.reopen();
            reopened.err().unwrap_or(fault).told()
        })
    }

    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, Fault>) -> Result<T, Fault> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        work(database.as_ref().ok_or_else(|| Fault::Closed("closed after an error".into()))?)
    }
}

/// The bytes that are in use.
fn used_bytes(database: &Database) -> Result<u64, Fault> {
    let transaction = database.begin_write()?;
    let stats = transaction.stats()?;
    transaction.abort()?;
    Ok(stats.stored_bytes().saturating_add(stats.metadata_bytes()))
}

/// Opens the store in this file, or makes it if there is none; from then on, its length is known.
pub(super) fn open(path: &Path, length: &Length) -> Result<Database, OpenError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(OpenError::IsDirectory(path.to_owned())),
        Ok(found) => {
            if found.len() == 0 {
                // Either somebody has made an empty file for the store, or a store has lost everything. (A new
                // file of ours gets its name only when it is complete.)
                tracing::warn!(path = %path.display(), "the store is begun anew in an empty file: if there were calls and locks in it, stop and bring back a copy");
            }
            let database = open_existing(path, found.len(), length)?;
            prepare(path, &database)?;
            // Left by a kill just after the file was put in its place: a second name for this very file.
            let _ = std::fs::remove_file(beside(path));
            Ok(database)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => make(path, length),
        Err(error) => Err(refused(path, error)),
    }
}

/// Makes the file beside its place and moves it there when it is complete, so that a kill never leaves half a
/// file.
fn make(path: &Path, length: &Length) -> Result<Database, OpenError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !directory.is_dir() {
        return Err(OpenError::NoDirectory(path.to_owned()));
    }
    let beside = beside(path);
    let made = match create(path, &beside, length) {
        // Left behind by a process that was killed at this point; nobody has it open.
        Err(OpenError::Foreign(_) | OpenError::Damaged(_)) => {
            std::fs::remove_file(&beside).map_err(|error| refused(path, error))?;
            create(path, &beside, length)?
        }
        other => other?,
    };
    prepare(path, &made)?;
    match std::fs::hard_link(&beside, path) {
        Ok(()) => std::fs::remove_file(&beside).map_err(|error| refused(path, error))?,
        // Another process was quicker.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let _ = std::fs::remove_file(&beside);
            return Err(OpenError::InUse(path.to_owned()));
        }
        // The file system has no hard links.
        Err(_) => std::fs::rename(&beside, path).map_err(|error| refused(path, error))?,
    }
    sync_directory(directory).map_err(|error| refused(path, error))?;
    Ok(made)
}

fn create(path: &Path, beside: &Path, length: &Length) -> Result<Database, OpenError> {
    guarded(path, || {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        builder().create_with_backend(Measured::over(options.open(beside)?, length)?)
    })
}

fn open_existing(path: &Path, bytes: u64, length: &Length) -> Result<Database, OpenError> {
    guarded(path, || {
        let verify = bytes <= STORE_VERIFIED_BYTES_MAX;
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path)?;
        let measured = Measured::over(file, length)?;
        builder().set_check_integrity_on_open(verify).create_with_backend(measured)
    })
}

fn builder() -> ::redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(STORE_CACHE_BYTES);
    builder
}

/// Tells a store from another program's database, and makes the tables in an empty one.
fn prepare(path: &Path, database: &Database) -> Result<(), OpenError> {
    let found = catch_unwind(AssertUnwindSafe(|| found_format(database)));
    let found = found.map_err(|_| OpenError::Damaged(path.to_owned()))?;
    let found = found.map_err(|fault| fault_of(path, fault))?;
    match found {
        Found::Format(FORMAT) => Ok(()),
        Found::Format(from @ FORMAT_FIRST..FORMAT) => {
            tracing::info!(from, to = FORMAT, "the store is moved on to another format");
            move_on(database, from).map_err(|fault| fault_of(path, fault))
        }
        Found::Format(found) => {
            Err(OpenError::Newer { path: path.to_owned(), found, known: FORMAT })
        }
        Found::Other => Err(OpenError::Foreign(path.to_owned())),
        Found::Nothing => make_tables(database).map_err(|fault| fault_of(path, fault)),
    }
}

enum Found {
    Nothing,
    Format(u64),
    Other,
}

fn found_format(database: &Database) -> Result<Found, Fault> {
    let transaction = database.begin_read()?;
    let tables: Vec<String> =
        transaction.list_tables()?.map(|table| table.name().to_owned()).collect();
    if tables.is_empty() {
        return Ok(Found::Nothing);
    }
    if !tables.iter().any(|name| name == META.name()) {
        return Ok(Found::Other);
    }
    let Ok(meta) = transaction.open_table(META) else { return Ok(Found::Other) };
    let format = meta.get("format")?.map(|format| format.value());
    Ok(format.map_or(Found::Other, Found::Format))
}

fn make_tables(database: &Database) -> Result<(), Fault> {
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert("format", FORMAT)?;
    tables::make(&transaction)?;
    Ok(transaction.commit()?)
}

/// All of it or, if the process is killed, nothing.
fn move_on(database: &Database, from: u64) -> Result<(), Fault> {
    let transaction = database.begin_write()?;
    if from == FORMAT_FIRST {
        older::arrange_by_time(&transaction)?;
    } else {
        older::place_anew(&transaction)?;
    }
    transaction.open_table(META)?.insert("format", FORMAT)?;
    Ok(transaction.commit()?)
}

/// The database may panic when it reads a file that something else has written into.
fn guarded(
    path: &Path,
    open: impl FnOnce() -> Result<Database, DatabaseError>,
) -> Result<Database, OpenError> {
    let opened = catch_unwind(AssertUnwindSafe(open));
    let opened = opened.map_err(|_| OpenError::Damaged(path.to_owned()))?;
    opened.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            OpenError::InUse(path.to_owned())
        }
        DatabaseError::UpgradeRequired(_) => OpenError::Foreign(path.to_owned()),
        DatabaseError::Storage(StorageError::Io(error)) => refused(path, error),
        _ => OpenError::Damaged(path.to_owned()),
    })
}

fn refused(path: &Path, error: std::io::Error) -> OpenError {
    let path = path.to_owned();
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => OpenError::Forbidden(path),
        ErrorKind::NotADirectory => OpenError::NoDirectory(path),
        ErrorKind::InvalidData => OpenError::Foreign(path),
        ErrorKind::UnexpectedEof => OpenError::Damaged(path),
        _ => OpenError::System { path, source: error },
    }
}

fn fault_of(path: &Path, fault: Fault) -> OpenError {
    let path = path.to_owned();
    match fault {
        Fault::Corrupt(_) => OpenError::Damaged(path),
        Fault::Io(what) | Fault::Closed(what) => {
            OpenError::System { path, source: std::io::Error::other(what) }
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> std::io::Result<()> {
    std::fs::File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> std::io::Result<()> {
    Ok(())
}
