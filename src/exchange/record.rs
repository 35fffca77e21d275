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
use crate::store::{RecordKey, Revision, Swap};

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
        let copy = self.of(key, now);
        self.forget(key);
        copy
    }

    fn forget(&self, key: &RecordKey) {
        self.0.remove(key);
    }

    /// The copy that is at hand.
    fn of<T: Clone + 'static>(&self, key: &RecordKey, now: Timestamp) -> Option<(Revision, T)> {
        let held = self.0.get(key)?;
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
        match self.0.get(Self::queue_of(id)) {
            Some(queue) => Some(queue.lock().await),
            None => None,
        }
    }

    /// The same without waiting; `None`: somebody writes this record, or another of its queue.
    fn turn_at_once(&self, id: &str) -> Option<MutexGuard<'_, ()>> {
        self.0.get(Self::queue_of(id))?.try_lock().ok()
    }

    fn queue_of(id: &str) -> usize {
        let hash = |hash: usize, byte: u8| hash.wrapping_mul(31).wrapping_add(usize::from(byte));
        id.bytes().fold(0, hash) % QUEUES
    }
}

/// A change of a record as it is thought to be.
struct Draft<'a, T, R> {
    key: &'a RecordKey,
    expected: Option<Revision>,
    /// The record with the change.
    record: T,
    /// What came of the change.
    result: R,
    /// The record as it is to be written; `None`: it is to stay as it is.
    sealed: Option<Vec<u8>>,
}

impl<T, R> Draft<'_, T, R> {
    fn swap(&self) -> Option<Swap<'_>> {
        let value = self.sealed.as_deref()?;
        Some(Swap { key: self.key, expected: self.expected, value })
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
        let draft = self.draft((None, T::default()), key, &change);
        let (result, _) = self.finish(draft, None, kept_for, now, &change).await?;
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
        let seal = |(key, record): &(RecordKey, T)| self.sealed(key, record);
        let sealed: Vec<_> = records.iter().map(seal).collect();
        let swaps = records.iter().zip(&sealed);
        let swaps: Vec<_> =
            swaps.map(|((key, _), value)| Swap { key, expected: None, value }).collect();
        let begun = self.store.swap_all(&swaps, later(now, kept_for), now).await;
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
        let draft = self.draft_at_hand(key, now, &change);
        self.finish_at_hand(draft, None, kept_for, now, &change).await
    }

    /// The same for two records, the second of which is changed only where what came of the first one's change
    /// `leads_on`: in one question, where the first is at hand, both are to be written, and nobody else writes the
    /// second, for whose turn nothing waits here. (A copy at hand may be an old one, and the second be changed though
    /// the first does not lead on; but then the copy is one no more.)
    pub(super) async fn change_both_at_hand<A, B, R>(
        &self,
        (first, change_first): (&RecordKey, impl Fn(&mut A) -> R),
        (second, change_second): (&RecordKey, impl Fn(&mut B) -> R),
        leads_on: impl Fn(&R) -> bool,
        (kept_for, now): (Duration, Timestamp),
    ) -> Result<(R, Option<R>), ExchangeError>
    where
        A: Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
        B: Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let turn = self.queues.turn(&first.id).await;
        let one = self.draft_at_hand(first, now, &change_first);
        let may_be_both = one.expected.is_some() && leads_on(&one.result);
        let at_once = may_be_both.then(|| self.queues.turn_at_once(&second.id)).flatten();
        let other = at_once.as_ref().map(|_| {
            let (expected, before) = self.at_hand.of::<B>(second, now).unzip();
            self.draft((expected, before.unwrap_or_default()), second, &change_second)
        });
        if let Some(other) = other
            && let Some(swaps) = one.swap().zip(other.swap())
        {
            self.at_hand.forget(second);
            let swapped = self.store.swap_all(&[swaps.0, swaps.1], later(now, kept_for), now).await;
            let mut swapped = swapped.into_iter();
            let (tried, tried_other) = (swapped.next().transpose()?, swapped.next().transpose()?);
            let result = self.finish_at_hand(one, tried, kept_for, now, &change_first).await?;
            if !leads_on(&result) {
                return Ok((result, None));
            }
            let other = self.finish_at_hand(other, tried_other, kept_for, now, &change_second);
            return Ok((result, Some(other.await?)));
        }
        drop(at_once);
        let result = self.finish_at_hand(one, None, kept_for, now, &change_first).await?;
        drop(turn);
        if !leads_on(&result) {
            return Ok((result, None));
        }
        let other = self.change_at_hand(second, kept_for, now, change_second).await?;
        Ok((result, Some(other)))
    }

    /// A change of the record that is at hand, or of one that is not there yet.
    fn draft_at_hand<'a, T, R>(
        &self,
        key: &'a RecordKey,
        now: Timestamp,
        change: &impl Fn(&mut T) -> R,
    ) -> Draft<'a, T, R>
    where
        T: Clone + Default + PartialEq + Serialize + 'static,
    {
        let (expected, before) = self.at_hand.take::<T>(key, now).unzip();
        self.draft((expected, before.unwrap_or_default()), key, change)
    }

    /// What came of the change, and the record is at hand; `tried`: whether it was written when that was tried.
    async fn finish_at_hand<T, R>(
        &self,
        draft: Draft<'_, T, R>,
        tried: Option<bool>,
        kept_for: Duration,
        now: Timestamp,
        change: &impl Fn(&mut T) -> R,
    ) -> Result<R, ExchangeError>
    where
        T: Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let key = draft.key;
        let (result, standing) = self.finish(draft, tried, kept_for, now, change).await?;
        if let Some(standing) = standing {
            self.at_hand.keep(key, standing, now);
        }
        Ok(result)
    }

    fn draft<'a, T, R>(
        &self,
        (expected, before): (Option<Revision>, T),
        key: &'a RecordKey,
        change: &impl Fn(&mut T) -> R,
    ) -> Draft<'a, T, R>
    where
        T: Clone + PartialEq + Serialize,
    {
        let mut record = before.clone();
        let result = change(&mut record);
        let sealed = (record != before).then(|| self.sealed(key, &record));
        Draft { key, expected, record, result, sealed }
    }

    /// Writes what was drafted, and where the record is otherwise than it was thought to be, changes it as it is.
    async fn finish<T, R>(
        &self,
        draft: Draft<'_, T, R>,
        tried: Option<bool>,
        kept_for: Duration,
        now: Timestamp,
        change: &impl Fn(&mut T) -> R,
    ) -> Result<(R, Option<(Revision, T)>), ExchangeError>
    where
        T: Clone + Default + PartialEq + Serialize + DeserializeOwned,
    {
        let written = match (tried, draft.swap()) {
            (Some(written), _) => written,
            (None, Some(Swap { key, expected, value })) => {
                self.store.swap(key, expected, value, later(now, kept_for), now).await?
            }
            (None, None) => false,
        };
        if written {
            let Draft { expected, record, result, .. } = draft;
            return Ok((result, Some((Revision::after(expected), record))));
        }
        // Others have changed it; or it is to stay as it is, and then it must be as it was thought to be.
        self.change_in_turn(draft.key, kept_for, now, change).await
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
        let sealed = self.sealed(key, record);
        Ok(self.store.swap(key, expected, &sealed, later(now, kept_for), now).await?)
    }

    fn sealed(&self, key: &RecordKey, record: &impl Serialize) -> Vec<u8> {
        self.vault.seal(Kind::Record, &key.id, record, self.seal_nonce())
    }
}
