//! How long the file is. The database makes it longer and shorter itself; if it is shorter than the database left
//! it, somebody else has cut it.

use std::fs::File;
use std::io::Result;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::redb::backends::FileBackend;
use ::redb::{BackendError, DatabaseError, StorageBackend};

/// The least number of bytes that the file of an open database has.
#[derive(Clone, Debug, Default)]
pub(super) struct Length(Arc<AtomicU64>);

impl Length {
    pub(super) fn at_least(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A file whose length is known.
#[derive(Debug)]
pub(super) struct Measured {
    file: FileBackend,
    length: Length,
}

impl Measured {
    /// Wraps a file that nobody else writes from now on.
    pub(super) fn over(file: File, length: &Length) -> std::result::Result<Self, DatabaseError> {
        let file = FileBackend::new(file)?;
        length.0.store(file.len()?, Ordering::SeqCst);
        Ok(Self { file, length: length.clone() })
    }
}

type Range = Bound<u64>;

impl StorageBackend for Measured {
    fn set_len(&self, length: u64) -> Result<()> {
        // It never promises more than there is, whenever somebody looks.
        self.length.0.fetch_min(length, Ordering::SeqCst);
        self.file.set_len(length)?;
        self.length.0.store(length, Ordering::SeqCst);
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.file.read(offset, out)
    }

    fn sync_data(&self) -> Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Range, end: Range) -> std::result::Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Range,
        end: Range,
    ) -> std::result::Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Range, end: Range) -> std::result::Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Range, end: Range) -> std::result::Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Range, end: Range) -> std::result::Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(
        &self,
        start: Range,
        end: Range,
    ) -> std::result::Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
