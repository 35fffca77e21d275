//! Counted records: ledgers and service codes, changed atomically whoever else changes them.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use quick_cache::sync::Cache;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, MutexGuard};

use super::{Exchange, ExchangeError, later};
use crate::limits;
use crate::store::envelope::Kind;
use crate::store::{NewRecord, RecordKey, Revision};

/// Copies of records as this server left them. Each is only ever a guess: what is made of it is written
/// on its revision. (A fail-over that forgets writes may count up to the same revision anew: writing over
/// those costs no more counts than it has forgotten.)
pub(super) struct AtHand(Cache<RecordKey, Arc<Held>>);

struct Held {
    revision: Revision,
    since: Timestamp,
    record: Box<dyn Any + Send + Sync>,
}

impl AtHand {
    /// The copy that is at hand, given away: it is no guess any more once something was made of it.
    fn take<T: Clone + 'static>(&self, key: &RecordKey, now: Timestamp) -> Option<(Revision, T)> {
        let (_, held) = self.0.remove(key)?;
        let age = Duration::try_from(now.duration_since(held.since)).ok();
        age.filter(|age| *age <= limits::RECORD_AT_HAND_FOR)?;
        Some((held.revision, held.record.downcast_ref::<T>()?.clone()))
    }

    /// Keeps a record as it stands.
    fn keep<T: Send + Sync + 'static>(
        &self,
        key: &RecordKey,
        (revision, record): (Revision, T),
        now: Timestamp,
    ) {
        let held = Held { revision, since: now, record: Box::new(record) };
        self.0.insert(key.clone(), Arc::new(held));
    }
}

impl Default for AtHand {
    fn default() -> Self {
        Self(Cache::new(limits::RECORDS_AT_HAND))
    }
}

impl fmt::Debug for AtHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtHand").field("records", &self.0.len()).finish()
    }
}

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
        let (result, _) = self.change_in_turn(key, kept_for, now, &change).await?;
        Ok(result)
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
        let guess = (None, T::default());
        let (result, _) = self.change_from(guess, key, kept_for, now, &change).await?;
        Ok(result)
    }

    /// Begins records that most likely are not there yet, all at once; one that is there is written over.
    pub(super) async fn begin_records<T>(
        &self,
        records: &[(RecordKey, T)],
        kept_for: Duration,
        now: Timestamp,
    ) -> Vec<Result<(), ExchangeError>>
    where
        T: Clone + Default + PartialEq + Serialize + DeserializeOwned,
    {
        let seal = |(key, record): &(RecordKey, T)| NewRecord {
            key: key.clone(),
            value: self.vault.seal(Kind::Record, &key.id, record, self.seal_nonce()),
        };
        let sealed: Vec<_> = records.iter().map(seal).collect();
        let begun = self.store.begin_all(&sealed, later(now, kept_for), now).await;
        let written = records.iter().zip(begun).map(async |((key, record), begun)| {
            let over = |standing: &mut T| standing.clone_from(record);
            if begun? { Ok(()) } else { self.change_record(key, kept_for, now, over).await }
        });
        join_all(written).await
    }

    /// The same for a record that most likely is as this server left it a moment ago, or is not there
    /// yet: what is at hand is changed without having looked.
    pub(super) async fn change_at_hand<T, R>(
        &self,
        key: &RecordKey,
        kept_for: Duration,
        now: Timestamp,
        change: impl Fn(&mut T) -> R,
    ) -> Result<R, ExchangeError>
    where
        T: Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let _turn = self.queues.turn(&key.id).await;
        let (expected, before) = self.at_hand.take::<T>(key, now).unzip();
        let guess = (expected, before.unwrap_or_default());
        let (result, standing) = self.change_from(guess, key, kept_for, now, &change).await?;
        if let Some(standing) = standing {
            self.at_hand.keep(key, standing, now);
        }
        Ok(result)
    }

    /// Changes a record as it is thought to be, and where it is otherwise, as it is.
    async fn change_from<T, R>(
        &self,
        (expected, before): (Option<Revision>, T),
        key: &RecordKey,
        kept_for: Duration,
        now: Timestamp,
        change: &impl Fn(&mut T) -> R,
    ) -> Result<(R, Option<(Revision, T)>), ExchangeError>
    where
        T: Clone + Default + PartialEq + Serialize + DeserializeOwned,
    {
        let mut record = before.clone();
        let result = change(&mut record);
        if record != before && self.swap(key, expected, &record, (kept_for, now)).await? {
            return Ok((result, Some((Revision::after(expected), record))));
        }
        // Others have changed it; or it is to stay as it is, and then it must be as it was thought to be.
        self.change_in_turn(key, kept_for, now, change).await
    }

    /// What came of the change, and the record as it stands by then, if there is one.
    async fn change_in_turn<T, R>(
        &self,
        key: &RecordKey,
        kept_for: Duration,
        now: Timestamp,
        change: &impl Fn(&mut T) -> R,
    ) -> Result<(R, Option<(Revision, T)>), ExchangeError>
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
                    let record = opened.read().ok_or(ExchangeError::Unreadable("record"))?;
                    (Some(revision), record)
                }
            };
            let before = record.clone();
            let result = change(&mut record);
            if record == before {
                return Ok((result, revision.map(|revision| (revision, record))));
            }
            if self.swap(key, revision, &record, (kept_for, now)).await? {
                return Ok((result, Some((Revision::after(revision), record))));
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
        let sealed = self.vault.seal(Kind::Record, &key.id, record, self.seal_nonce());
        Ok(self.store.swap(key, expected, &sealed, later(now, kept_for), now).await?)
    }
}
