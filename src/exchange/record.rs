//! Counted records: ledgers and service codes, changed atomically whoever else changes them.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, MutexGuard};

use super::{Exchange, ExchangeError, later};
use crate::limits;
use crate::store::envelope::Kind;
use crate::store::{Held, RecordKey, Revision, Swap};

/// One writer a record in this process, so that writers do not starve each other.
#[derive(Debug)]
pub(super) struct Queues(Vec<Mutex<()>>);

const QUEUES: usize = 64;

/// What others answered a turn is kept for longer than a turn is taken again after a crash or a lost race.
pub(super) const ANSWER_KEPT_FOR: Duration = Duration::from_mins(15);

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

/// What is counted. One that is not there is as its default.
pub(super) trait Record: Clone + Default + PartialEq + Serialize + DeserializeOwned {}

impl<T: Clone + Default + PartialEq + Serialize + DeserializeOwned> Record for T {}

/// What is counted and may be kept at hand.
pub(super) trait Keepable: Record + Send + Sync + 'static {}

impl<T: Record + Send + Sync + 'static> Keepable for T {}

/// What is to be done to a record.
struct Change<'a, F> {
    key: &'a RecordKey,
    kept_for: Duration,
    now: Timestamp,
    make: F,
}

/// A change as it is to be written, if the record is as it is thought to be.
struct Draft<T, R> {
    expected: Option<Revision>,
    /// The record with the change.
    record: T,
    /// What came of the change.
    result: R,
    /// The record as it is to be written; `None`: it is to stay as it is.
    sealed: Option<Vec<u8>>,
}

impl<T, R> Draft<T, R> {
    fn swap<'a>(&'a self, key: &'a RecordKey) -> Option<Swap<'a>> {
        let value = self.sealed.as_deref()?;
        Some(Swap { key, expected: self.expected, value })
    }
}

impl Exchange {
    /// Changes a record: read, change, compare-and-set, and all over again on a lost race. One that `make`
    /// leaves as it was is not written.
    pub(super) async fn change_record<T: Record, R>(
        &self,
        key: &RecordKey,
        kept_for: Duration,
        now: Timestamp,
        make: impl Fn(&mut T) -> R,
    ) -> Result<R, ExchangeError> {
        let _turn = self.queues.turn(&key.id).await;
        let (result, _) = self.change_as_it_is(&Change { key, kept_for, now, make }).await?;
        Ok(result)
    }

    /// The same for a record that most likely is not there yet: it is written without having looked,
    /// and looked at only if that fails.
    pub(super) async fn begin_record<T: Record, R>(
        &self,
        key: &RecordKey,
        kept_for: Duration,
        now: Timestamp,
        make: impl Fn(&mut T) -> R,
    ) -> Result<R, ExchangeError> {
        let _turn = self.queues.turn(&key.id).await;
        let change = Change { key, kept_for, now, make };
        let draft = self.draft(&change, None, &T::default());
        let (result, _) = self.finish(&change, draft, None).await?;
        Ok(result)
    }

    /// Begins records that most likely are not there yet, all at once; `join` is what becomes of one that is there.
    pub(super) async fn begin_records<T: Record>(
        &self,
        records: &[(RecordKey, T)],
        (kept_for, now): (Duration, Timestamp),
        join: impl Fn(&mut T, &T),
    ) -> Vec<Result<(), ExchangeError>> {
        let seal = |(key, record): &(RecordKey, T)| self.sealed(key, record);
        let sealed: Vec<_> = records.iter().map(seal).collect();
        let swaps = records.iter().zip(&sealed);
        let swaps: Vec<_> =
            swaps.map(|((key, _), value)| Swap { key, expected: None, value }).collect();
        let begun = self.store.swap_all(&swaps, later(now, kept_for), now).await;
        let join = &join;
        let written = records.iter().zip(begun).map(async |((key, record), begun)| {
            let joined = |standing: &mut T| join(standing, record);
            if begun? { Ok(()) } else { self.change_record(key, kept_for, now, joined).await }
        });
        join_all(written).await
    }

    /// Changes a record that most likely is as this server left it a moment ago, or is not there yet: what is
    /// at hand is changed without having looked.
    pub(super) async fn change_at_hand<T: Keepable, R>(
        &self,
        key: &RecordKey,
        kept_for: Duration,
        now: Timestamp,
        make: impl Fn(&mut T) -> R,
    ) -> Result<R, ExchangeError> {
        let _turn = self.queues.turn(&key.id).await;
        let change = Change { key, kept_for, now, make };
        let draft = self.draft_at_hand(&change);
        self.finish_at_hand(&change, draft, None).await
    }

    /// The same for two records, the second of which is changed only where what came of the first one's change
    /// `leads_on`: in one question, where the first is at hand, both are to be written, and nobody else writes the
    /// second, for whose turn nothing waits here. (A copy at hand may be an old one, and the second be changed though
    /// the first does not lead on; but then the copy is one no more.)
    pub(super) async fn change_both_at_hand<A: Keepable, B: Keepable, R>(
        &self,
        (first, make_first): (&RecordKey, impl Fn(&mut A) -> R),
        (second, make_second): (&RecordKey, impl Fn(&mut B) -> R),
        leads_on: impl Fn(&R) -> bool,
        (kept_for, now): (Duration, Timestamp),
    ) -> Result<(R, Option<R>), ExchangeError> {
        let first = Change { key: first, kept_for, now, make: make_first };
        let second = Change { key: second, kept_for, now, make: make_second };
        let turn = self.queues.turn(&first.key.id).await;
        let one = self.draft_at_hand(&first);
        let may_be_both = one.expected.is_some() && leads_on(&one.result);
        let at_once = may_be_both.then(|| self.queues.turn_at_once(&second.key.id)).flatten();
        let other = at_once.as_ref().map(|_| {
            let (expected, before) = self.at_hand.of::<B>(second.key, now).unzip();
            self.draft(&second, expected, &before.unwrap_or_default())
        });
        if let Some(other) = other
            && let Some(swaps) = one.swap(first.key).zip(other.swap(second.key))
        {
            self.at_hand.forget(second.key);
            let swapped = self.store.swap_all(&[swaps.0, swaps.1], later(now, kept_for), now).await;
            let mut swapped = swapped.into_iter();
            let (tried, tried_other) = (swapped.next().transpose()?, swapped.next().transpose()?);
            let result = self.finish_at_hand(&first, one, tried).await?;
            if !leads_on(&result) {
                return Ok((result, None));
            }
            return Ok((result, Some(self.finish_at_hand(&second, other, tried_other).await?)));
        }
        drop(at_once);
        let result = self.finish_at_hand(&first, one, None).await?;
        drop(turn);
        if !leads_on(&result) {
            return Ok((result, None));
        }
        let other = self.change_at_hand(second.key, kept_for, now, second.make).await?;
        Ok((result, Some(other)))
    }

    /// A change of the record that is at hand, or of one that is not there yet.
    fn draft_at_hand<T: Keepable, R>(
        &self,
        change: &Change<'_, impl Fn(&mut T) -> R>,
    ) -> Draft<T, R> {
        let (expected, before) = self.at_hand.take::<T>(change.key, change.now).unzip();
        self.draft(change, expected, &before.unwrap_or_default())
    }

    fn draft<T: Record, R>(
        &self,
        change: &Change<'_, impl Fn(&mut T) -> R>,
        expected: Option<Revision>,
        before: &T,
    ) -> Draft<T, R> {
        let mut record = before.clone();
        let result = (change.make)(&mut record);
        let sealed = (record != *before).then(|| self.sealed(change.key, &record));
        Draft { expected, record, result, sealed }
    }

    /// What came of the change, and the record is at hand; `tried`: whether it was written when that was tried.
    async fn finish_at_hand<T: Keepable, R>(
        &self,
        change: &Change<'_, impl Fn(&mut T) -> R>,
        draft: Draft<T, R>,
        tried: Option<bool>,
    ) -> Result<R, ExchangeError> {
        let (result, standing) = self.finish(change, draft, tried).await?;
        if let Some(standing) = standing {
            self.at_hand.keep(change.key, standing, change.now);
        }
        Ok(result)
    }

    /// Writes what was drafted, and where the record is otherwise than it was thought to be, changes it as it is.
    async fn finish<T: Record, R>(
        &self,
        change: &Change<'_, impl Fn(&mut T) -> R>,
        draft: Draft<T, R>,
        tried: Option<bool>,
    ) -> Result<(R, Option<(Revision, T)>), ExchangeError> {
        let Change { key, kept_for, now, .. } = change;
        let written = match (tried, &draft.sealed) {
            (Some(written), _) => written,
            (None, Some(value)) => {
                let swap = Swap { key, expected: draft.expected, value };
                self.store.swap(swap, later(*now, *kept_for), *now).await?
            }
            (None, None) => false,
        };
        if written {
            let Draft { expected, record, result, .. } = draft;
            return Ok((result, Some((Revision::after(expected), record))));
        }
        // Others have changed it; or it is to stay as it is, and then it must be as it was thought to be.
        self.change_as_it_is(change).await
    }

    /// What came of the change, and the record as it stands by then, if there is one.
    async fn change_as_it_is<T: Record, R>(
        &self,
        change: &Change<'_, impl Fn(&mut T) -> R>,
    ) -> Result<(R, Option<(Revision, T)>), ExchangeError> {
        let Change { key, kept_for, now, make } = change;
        let mut lost = None;
        for _ in 0..limits::SWAP_TRIES_MAX {
            let (revision, mut record) = match self.store.read(key).await? {
                None => (None, T::default()),
                // Nobody else wrote it, and yet it stands no more: it has run out, and is not swept yet.
                Some((revision, _)) if lost == Some(revision) => (None, T::default()),
                Some((revision, bytes)) => {
                    (Some(revision), self.open(Kind::Record, &key.id, &bytes)?)
                }
            };
            let before = record.clone();
            let result = make(&mut record);
            if record == before {
                if revision.is_some() {
                    // It may be this very change, which was made and could not be made safe.
                    self.store.hold(Held::Record(key)).await?;
                }
                return Ok((result, revision.map(|revision| (revision, record))));
            }
            if self.swap(key, revision, &record, (*kept_for, *now)).await? {
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
        let swap = Swap { key, expected, value: &sealed };
        Ok(self.store.swap(swap, later(now, kept_for), now).await?)
    }

    fn sealed(&self, key: &RecordKey, record: &impl Serialize) -> Vec<u8> {
        self.vault.seal(Kind::Record, &key.id, record, self.seal_nonce())
    }
}
