//! What a ledger counts: failures of a factor, of its year, messages and rings, and the calls that are trying to
//! prove an account.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::engine::id::CallId;
use crate::engine::policy::{Attempts, Shared};
use crate::flow::level::Fact;
use crate::limits;

pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);
pub(super) const HOUR: SignedDuration = SignedDuration::from_hours(1);
pub(super) const TEN_MINUTES: SignedDuration = SignedDuration::from_mins(10);
const YEAR_DAYS: i64 = 365;
const DAY_SECONDS: i64 = 86_400;

/// Failures in a row of one factor.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) failures: Vec<Entry>,
    locked_until: Option<Timestamp>,
    locks: u32,
}

/// An attempt that counts as a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) key: String,
    /// A keyed hash of what was entered: the same attempt asked again is the same entry.
    pub(super) digest: String,
    pub(super) at: Timestamp,
    /// Of which factor, where those of all factors are together; an older callgate did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) factor: Option<Fact>,
}

/// A message or a ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Send {
    pub(super) key: String,
    pub(super) factor: Fact,
    pub(super) at: Timestamp,
}

/// Failures of one factor by day, of the last 365.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Days(BTreeMap<i64, u32>);

/// The calls that are trying to prove an account.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Places(Vec<Place>);

/// A call that tries to prove it. It keeps its place until its last try was right, it is over, or it has tried
/// nothing for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    call: CallId,
    /// What it tried last.
    key: String,
    at: Timestamp,
}

impl Tally {
    /// Whether it is locked for a while.
    pub(super) fn is_locked(&self, now: Timestamp) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }

    /// Counts one more, and locks after so many, each time for twice as long.
    pub(super) fn fail(&mut self, entry: Entry, limits: &Attempts, now: Timestamp) {
        self.failures.push(entry);
        if count(&self.failures).is_multiple_of(limits.soft_limit.max(1)) {
            let doubled = limits.soft_lock_s.saturating_mul(1 << self.locks.min(16));
            let lock_s = doubled.min(limits.soft_lock_max_s);
            self.locked_until = now.checked_add(SignedDuration::from_secs(lock_s.into())).ok();
            self.locks += 1;
        }
    }

    /// A success at this time: what came before it no longer counts.
    pub(super) fn succeed(&mut self, at: Timestamp) {
        self.failures.retain(|entry| entry.at > at);
        self.locked_until = None;
        self.locks = 0;
    }
}

impl Days {
    pub(super) fn total(&self) -> u32 {
        self.0.values().sum()
    }

    pub(super) fn add(&mut self, now: Timestamp) {
        *self.0.entry(day_of(now)).or_default() += 1;
    }

    /// What was added at this time was no failure.
    pub(super) fn take_back(&mut self, at: Timestamp) {
        if let Some(count) = self.0.get_mut(&day_of(at)) {
            *count = count.saturating_sub(1);
        }
    }

    pub(super) fn forget(&mut self, now: Timestamp) {
        let today = day_of(now);
        self.0.retain(|day, count| today - *day < YEAR_DAYS && *count > 0);
    }
}

impl Places {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The calls that have a place.
    pub(super) fn calls(&self) -> Vec<CallId> {
        self.0.iter().map(|place| place.call).collect()
    }

    /// Gives a call a place, or lets it keep its place; `false`: none is left.
    pub(super) fn enter(
        &mut self,
        call: CallId,
        key: &str,
        limits: &Shared,
        now: Timestamp,
    ) -> bool {
        let kept = SignedDuration::try_from(limits::PLACE_KEPT_FOR).unwrap_or_default();
        self.0.retain(|place| place.call == call || now.duration_since(place.at) < kept);
        let place = Place { call, key: key.to_owned(), at: now };
        if let Some(own) = self.0.iter_mut().find(|place| place.call == call) {
            *own = place;
            return true;
        }
        let free = count_of(self.0.len()) < limits.parallel_auth_sessions_per_account;
        if free {
            self.0.push(place);
        }
        free
    }

    /// These calls give up theirs.
    pub(super) fn leave(&mut self, calls: &[CallId]) {
        self.0.retain(|place| !calls.contains(&place.call));
    }

    /// What was tried under this key was right.
    pub(super) fn prove(&mut self, key: &str) {
        self.0.retain(|place| place.key != key);
    }
}

/// How many went out for a factor within this time.
pub(super) fn sent(sends: &[Send], factor: Fact, span: SignedDuration, now: Timestamp) -> u32 {
    let recent = |send: &&Send| now.duration_since(send.at) < span;
    count_of(sends.iter().filter(|send| send.factor == factor).filter(recent).count())
}

pub(super) fn count(entries: &[Entry]) -> u32 {
    count_of(entries.len())
}

pub(super) fn count_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn day_of(now: Timestamp) -> i64 {
    now.as_second().div_euclid(DAY_SECONDS)
}
