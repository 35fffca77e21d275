//! Counted records: ledgers and service codes, changed atomically whoever else changes them.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, MutexGuard};

use super::{Exchange, ExchangeError, later};
use crate::limits;
use crate::store::envelope::Kind;
use crate::store::{RecordKey, Revision};

/// One writer a record in this process, so that writers do not starve each other.
#[derive(Debug)]
pub(super) struct Queues(Vec<Mutex<()>>);

const QUEUES: usize = 64;

impl Default for Queues {
    fn default() -> Self {
        Self(std::iter::repeat_with(Mutex::default).take(QUEUES).collect())
    }
}

impl Queues {
    /// Waits for the other writers of this record in this process.
    async fn turn(&self, id: &str) -> Option<MutexGuard<'_, ()>> {
        let hash = id
            .bytes()
            .fold(0_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte)));
        match self.0.get(hash % QUEUES) {
            Some(queue) => Some(queue.lock().await),
            None => None,
        }
    }
}

impl Exchange {
    /// Changes a record: read, change, compare-and-set, and all over again on a lost race. A record
    /// that is not there begins as its default; one that `change` leaves as it was is not written.
    pub(super) async fn change_record<T, R>(
        &self,
        key: &RecordKey,
        kept_for: Duration,
        now: Timestamp,
        change: impl Fn(&mut T) -> R,
    ) -> Result<R, ExchangeError>
    where
        T: Clone + Default + PartialEq + Serialize + DeserializeOwned,
    {
        let _turn = self.queues.turn(&key.id).await;
        self.change_in_turn(key, kept_for, now, &change).await
    }

    /// The same for a record that most likely is not there yet: it is written without having looked,
    /// and looked at only if that fails.
    pub(super) async fn begin_record<T, R>(
        &self,
        key: &RecordKey,
        kept_for: Duration,
        now: Timestamp,
        change: impl Fn(&mut T) -> R,
    ) -> Result<R, ExchangeError>
    where
        T: Clone + Default + PartialEq + Serialize + DeserializeOwned,
    {
        let _turn = self.queues.turn(&key.id).await;
        let mut record = T::default();
        let result = change(&mut record);
        if record != T::default() && self.swap(key, None, &record, (kept_for, now)).await? {
            return Ok(result);
        }
        self.change_in_turn(key, kept_for, now, &change).await
    }

    async fn change_in_turn<T, R>(
        &self,
        key: &RecordKey,
        kept_for: Duration,
        now: Timestamp,
        change: &impl Fn(&mut T) -> R,
    ) -> Result<R, ExchangeError>
    where
        T: Clone + Default + PartialEq + Serialize + DeserializeOwned,
    {
        let mut lost = None;
        for _ in 0..limits::SWAP_TRIES_MAX {
            let (revision, mut record) = match self.store.read(key).await? {
                None => (None, T::default()),
                // Nobody else wrote it, and yet it stands no more: it has run out, and is not swept yet.
                Some((revision, _)) if lost == Some(revision) => (None, T::default()),
                Some((revision, bytes)) => {
                    let opened = self
                        .vault
                        .open(Kind::Record, &key.id, &bytes)
                        .map_err(|error| ExchangeError::Sealed("record", error))?;
                    let record = serde_json::from_slice(&opened.plain)
                        .map_err(|_| ExchangeError::Unreadable("record"))?;
                    (Some(revision), record)
                }
            };
            let before = record.clone();
            let result = change(&mut record);
            if record == before || self.swap(key, revision, &record, (kept_for, now)).await? {
                return Ok(result);
            }
            lost = revision;
        }
        Err(ExchangeError::Contended)
    }

    pub(super) async fn swap(
        &self,
        key: &RecordKey,
        expected: Option<Revision>,
        record: &impl Serialize,
        (kept_for, now): (Duration, Timestamp),
    ) -> Result<bool, ExchangeError> {
        let plain = super::json(record);
        let sealed = self.vault.seal(Kind::Record, &key.id, "", &plain, self.seal_nonce());
        Ok(self.store.swap(key, expected, &sealed, later(now, kept_for), now).await?)
    }
}
