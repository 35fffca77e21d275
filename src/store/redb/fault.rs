//! Why an operation on the file failed.

use crate::store::StoreError;

/// Why an operation failed.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// The disk or the system failed: the file must be opened again.
    Io(String),
    /// The file holds what redb or callgate did not write.
    Corrupt(String),
    /// The file could not be opened again.
    Closed(String),
}

impl<E: Into<::redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        match error.into() {
            ::redb::Error::Corrupted(what) => Self::Corrupt(what),
            error @ (::redb::Error::TableTypeMismatch { .. }
            | ::redb::Error::TypeDefinitionChanged { .. }
            | ::redb::Error::TableDoesNotExist(_)) => Self::Corrupt(error.to_string()),
            error => Self::Io(error.to_string()),
        }
    }
}

impl Fault {
    /// As the store's callers are told.
    pub(super) fn told(&self) -> StoreError {
        match self {
            Self::Io(what) | Self::Closed(what) => StoreError::Unavailable(what.clone()),
            Self::Corrupt(what) => StoreError::Damaged(what.clone()),
        }
    }
}
