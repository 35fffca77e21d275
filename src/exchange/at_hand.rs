//! Copies of counted records as this server left them, so that the next change need not read them first.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use quick_cache::sync::Cache;

use crate::limits;
use crate::store::{RecordKey, Revision};

/// Copies of records as this server left them. A copy is only ever a guess: a change made from it is written on
/// its revision. (After a fail-over that lost writes, the count of revisions may reach the same number again;
/// writing over such a record loses no more counts than the fail-over did.)
pub(super) struct AtHand(Cache<RecordKey, Arc<Held>>);

struct Held {
    revision: Revision,
    since: Timestamp,
    record: Box<dyn Any + Send + Sync>,
}

impl AtHand {
    /// Hands out the copy at hand and keeps none: once a change was made from it, it is no longer a guess.
    pub(super) fn take<T: Clone + 'static>(
        &self,
        key: &RecordKey,
        now: Timestamp,
    ) -> Option<(Revision, T)> {
        let copy = self.of(key, now);
        self.forget(key);
        copy
    }

    pub(super) fn forget(&self, key: &RecordKey) {
        self.0.remove(key);
    }

    /// The copy at hand.
    pub(super) fn of<T: Clone + 'static>(
        &self,
        key: &RecordKey,
        now: Timestamp,
    ) -> Option<(Revision, T)> {
        let held = self.0.get(key)?;
        let age = Duration::try_from(now.duration_since(held.since)).ok();
        age.filter(|age| *age <= limits::RECORD_AT_HAND_FOR)?;
        Some((held.revision, held.record.downcast_ref::<T>()?.clone()))
    }

    /// Keeps a record as it now stands.
    pub(super) fn keep<T: Send + Sync + 'static>(
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
