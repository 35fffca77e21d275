//! Counted records: ledgers, service codes and others, changed atomically whoever else changes them.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, MutexGuard};

use super::{Exchange, ExchangeError};
use crate::engine::turn::later;
use crate::limits;
use crate::store::envelope::Kind;
use crate::store::{Held, RecordKey, Revision, Swap};

/// In this process a record has one writer at a time, so that writers do not starve each other.
#[derive(Debug)]
pub(super) struct Queues(Vec<Mutex<()>>);

const QUEUES: usize = 64;

/// How long the answers of others are kept: longer than a turn may be taken again after a crash or a lost race.
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

    /// The same without waiting; `None`: somebody writes this record, or another one in its queue.
    fn turn_at_once(&self, id: &str) -> Option<MutexGuard<'_, ()>> {
        self.0.get(Self::queue_of(id))?.try_lock().ok()
    }

    fn queue_of(id: &str) -> usize {
        let hash = |hash: usize, byte: u8| hash.wrapping_mul(31).wrapping_add(usize::from(byte));
        id.bytes().fold(0, hash) % QUEUES
    }
}

/// What is counted. A record that does not exist counts as its default.
pub(super) trait Record: Clone + Default + PartialEq + Serialize + DeserializeOwned {}

impl<T: Clone + Default + PartialEq + Serialize + DeserializeOwned> Record for T {}

/// What is counted, and may be kept at hand.
pub(super) trait Keepable: Record + Send + Sync + 'static {}

impl<T: Record + Send + Sync + 'static> Keepable for T {}

/// What is to be done to a record.
struct Change<'a, F> {
    key: &'a RecordKey,
    kept_for: Duration,
    now: Timestamp,
    make: F,
}

/// A change ready to be written, if the record is as expected.
struct Draft<T, R> {
    expected: Option<Revision>,
    /// The record with the change.
    record: T,
    /// The result of the change.
    result: R,
    /// The record as it is to be written; `None`: it stays as it is.
    sealed: Option<Vec<u8>>,
}

impl<T, R> Draft<T, R> {
    fn swap<'a>(&'a self, key: &'a RecordKey) -> Option<Swap<'a>> {
        let value = self.sealed.as_deref()?;
        Some(Swap { key, expected: self.expected, value })
    }
}

impl Exchange {
    /// Changes a record: read, change, compare-and-set, and again after a lost race. If `make` changes nothing,
    /// nothing is written.
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

    /// The same for a record that probably does not exist yet: it is written without being read, and read only if
    /// that fails.
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

    /// Begins records that probably do not exist yet, all at once; `join` says what becomes of one that does.
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

    /// Changes a record that probably is as this server left it a moment ago, or does not exist yet: the copy at
    /// hand is changed, without reading the record.
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

    /// The same for two records; the second one is changed only if the result of the first change `leads_on`.
    /// Both are written with one question if there is a copy of the first at hand, both are to be written, and
    /// nobody else is writing the second (this does not wait for its turn). If the copy was out of date, the
    /// second may be changed although the first does not lead on; but then the copy is replaced.
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

    /// Drafts a change of the copy at hand, or of a record that does not exist yet.
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

    /// The result of the change, after which the record is at hand; `tried`: whether an attempt to write it
    /// succeeded.
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

    /// Writes the draft; if the record is not as expected, reads it and changes it as it is.
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
        // Either others have changed it; or it stays as it is, and then it must be as expected.
        self.change_as_it_is(change).await
    }

    /// The result of the change, and the record as it then stands, if there is one.
    async fn change_as_it_is<T: Record, R>(
        &self,
        change: &Change<'_, impl Fn(&mut T) -> R>,
    ) -> Result<(R, Option<(Revision, T)>), ExchangeError> {
        let Change { key, kept_for, now, make } = change;
        let mut lost = None;
        for _ in 0..limits::SWAP_TRIES_MAX {
            let (revision, mut record) = match self.store.read(key).await? {
                None => (None, T::default()),
                // Nobody else has written it, and yet it cannot be written over: it has expired, and is not yet
                // swept.
                Some((revision, _)) if lost == Some(revision) => (None, T::default()),
                Some((revision, bytes)) => {
                    (Some(revision), self.open(Kind::Record, &key.id, &bytes)?)
                }
            };
            let before = record.clone();
            let result = make(&mut record);
            if record == before {
                if revision.is_some() {
                    // It may be this very change, which was written but not yet replicated.
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
