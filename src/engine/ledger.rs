//! The ledger of attempts and sends of one account: who may try again, and when.
//!
//! Pure arithmetic over a small record. The record is written with a compare-and-set, so that parallel calls
//! count exactly. An attempt is reserved before anything is verified, and counts as a failure until
//! [`Ledger::clear`] says that it succeeded; after a crash in between it stays counted.

mod counts;
mod notices;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::id::CallId;
use super::policy::Policy;
use crate::flow::level::Fact;
use counts::{DAY, Days, Entry, HOUR, Places, Send, TEN_MINUTES, Tally, count, sent};
use notices::Told;
pub use notices::{Alert, Notifies};

/// What is remembered of one account.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Failures by factor.
    #[serde(default)]
    factors: BTreeMap<Fact, Tally>,
    /// Failures of all factors in the last day.
    #[serde(default)]
    day: Vec<Entry>,
    /// Failures by factor and day, of the last 365.
    #[serde(default)]
    year: BTreeMap<Fact, Days>,
    /// Messages and rings of the last day.
    #[serde(default)]
    sends: Vec<Send>,
    /// The latest time that this record has seen: setting a clock back refills nothing and lifts nothing.
    #[serde(default)]
    seen: Timestamp,
    /// What the owner was last told, each with the attempt that led to it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    told: BTreeMap<Alert, Told>,
    /// Until when the provider sends no more codes of a factor, whatever is left here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    spent_until: BTreeMap<Fact, Timestamp>,
    /// Factors whose lock was lifted, and which nobody has tried since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    lifted: BTreeSet<Fact>,
    /// The notices of the last day, by their keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    notices: BTreeMap<String, Timestamp>,
    /// The calls that are trying to prove it.
    #[serde(default, skip_serializing_if = "Places::is_empty")]
    places: Places,
}

/// An attempt, before anything is verified.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The call that makes it.
    pub call: CallId,
    /// The factor.
    pub factor: Fact,
    /// The key under which it is counted once.
    pub key: &'a str,
    /// A keyed hash of what was entered.
    pub digest: &'a str,
    /// How many keys or letters that has.
    pub length: usize,
}

/// Whether an attempt may be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Yes; it is counted now.
    Granted,
    /// Yes; this very attempt was counted before.
    Again,
    /// No: something else was entered before under this key, and that was the attempt.
    Other,
    /// No: none is left.
    Refused,
    /// No: these calls are trying, unless they are over or have to give way.
    Busy(Vec<CallId>),
}

/// A lock that failures have set on a factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lock {
    /// It ends by itself.
    ForAWhile,
    /// Somebody has to lift it.
    UntilLifted,
}

/// What was lifted of a factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifted {
    /// Failures that counted before, and no longer do.
    pub failures: u32,
    /// Failures of the last 365 days, which still count.
    pub year: u32,
}

impl Ledger {
    /// Reserves an attempt. `giving_way`: calls that are over, or have to give up their places to this one.
    pub fn reserve(
        &mut self,
        attempt: &Attempt<'_>,
        giving_way: &[CallId],
        policy: &Policy,
        now: Timestamp,
    ) -> Reserved {
        let Attempt { call, factor, key, digest, .. } = *attempt;
        let now = now.max(self.seen);
        self.forget(now);
        let own = self.factors.get(&factor).map(|tally| &tally.failures);
        if let Some(entry) = own.into_iter().flatten().find(|entry| entry.key == key) {
            return if entry.digest == digest { Reserved::Again } else { Reserved::Other };
        }
        let limits = &policy.pin;
        let year = self.year.get(&factor).map_or(0, Days::total);
        let tally = self.factors.entry(factor).or_default();
        if tally.is_locked(now)
            || count(&tally.failures) >= limits.cap_of(factor, attempt.length)
            || count(&self.day) >= policy.shared.all_factor_failures_24h
            || year >= limits.year_budget
        {
            return Reserved::Refused;
        }
        self.places.leave(giving_way);
        // The web has told whose service code it is, and a few wrong entries void it: this is the way in that
        // other people's calls cannot keep shut.
        if factor != Fact::ServiceCode && !self.places.enter(call, key, &policy.shared, now) {
            return Reserved::Busy(self.places.calls());
        }
        let tally = self.factors.entry(factor).or_default();
        let (key, digest) = (key.to_owned(), digest.to_owned());
        let entry = Entry { key, digest, at: now, factor: None };
        self.seen = now;
        tally.fail(entry.clone(), limits, now);
        self.day.push(Entry { factor: Some(factor), ..entry });
        self.year.entry(factor).or_default().add(now);
        Reserved::Granted
    }

    /// The lock that the attempt just granted sets if it is wrong.
    pub fn lock_of(&self, attempt: &Attempt<'_>, policy: &Policy, now: Timestamp) -> Option<Lock> {
        let tally = self.factors.get(&attempt.factor)?;
        if count(&tally.failures) >= policy.pin.cap_of(attempt.factor, attempt.length) {
            return Some(Lock::UntilLifted);
        }
        tally.is_locked(now.max(self.seen)).then_some(Lock::ForAWhile)
    }

    /// The attempt under `key` succeeded at `at`: the factor's failures up to then are forgotten, and the attempt
    /// itself no longer counts. Failures since then stay; so do those of other factors, and the year's: a
    /// customer who calls every week does not refill an attacker's budget.
    pub fn clear(&mut self, factor: Fact, key: &str, at: Timestamp) {
        self.places.prove(key);
        let Some(tally) = self.factors.get_mut(&factor) else { return };
        let Some(own) = tally.failures.iter().find(|entry| entry.key == key) else { return };
        let tried_at = own.at;
        tally.succeed(at);
        self.day.retain(|entry| entry.key != key);
        if let Some(days) = self.year.get_mut(&factor) {
            days.take_back(tried_at);
        }
    }

    /// Takes a message or a ring out of the budget; `false`: none is left. The same key is counted once. The call
    /// that gets one has the first place to prove it, if there is one left.
    pub fn spend(
        &mut self,
        call: CallId,
        factor: Fact,
        key: &str,
        policy: &Policy,
        now: Timestamp,
    ) -> bool {
        let now = now.max(self.seen);
        self.forget(now);
        if self.sends.iter().any(|send| send.key == key) {
            return true;
        }
        let within = |span| sent(&self.sends, factor, span, now);
        let left = if factor == Fact::Callback {
            within(HOUR) < policy.callback.per_account_h
        } else {
            within(TEN_MINUTES) < policy.otp.sends_per_10min
                && within(DAY) < policy.otp.sends_per_day
        };
        if left {
            self.seen = now;
            self.sends.push(Send { key: key.to_owned(), factor, at: now });
            self.places.enter(call, key, &policy.shared, now);
        }
        left
    }

    /// Whether the provider sends no more codes of a factor for now; a key under which one was sent before keeps
    /// it.
    pub fn is_exhausted(&self, factor: Fact, key: &str, now: Timestamp) -> bool {
        let now = now.max(self.seen);
        let Some(until) = self.spent_until.get(&factor).filter(|until| now < **until) else {
            return false;
        };
        let since = until.checked_sub(TEN_MINUTES).unwrap_or(Timestamp::MIN);
        let own = self.sends.iter().find(|send| send.key == key);
        own.is_none_or(|send| send.at >= since)
    }

    /// The provider has sent as many codes of a factor as it does in ten minutes: no more are asked for until
    /// these minutes are over.
    pub fn exhaust_sends(&mut self, factor: Fact, now: Timestamp) {
        let now = now.max(self.seen);
        self.seen = now;
        let until = now.checked_add(TEN_MINUTES).unwrap_or(Timestamp::MAX);
        self.spent_until.insert(factor, until);
    }

    /// Lifts the lock of a factor, whether it would have ended by itself or not. Its failures no longer count,
    /// except in the year, nor do those of the day after which it succeeded. Other factors stay as they are.
    pub fn lift(&mut self, factor: Fact) -> Lifted {
        let tally = self.factors.remove(&factor).unwrap_or_default();
        let in_tally = |entry: &Entry| tally.failures.iter().any(|own| own.key == entry.key);
        let mut failures = count(&tally.failures);
        self.day.retain(|entry| {
            let of_tally = in_tally(entry);
            let lifted = of_tally || entry.factor == Some(factor);
            failures += u32::from(lifted && !of_tally);
            !lifted
        });
        // Whoever lifts a lock knows the time better than a clock that was once ahead.
        self.seen = Timestamp::default();
        if failures > 0 {
            self.lifted.insert(factor);
        }
        let year = self.year.get(&factor).map_or(0, Days::total);
        Lifted { failures, year }
    }

    /// How many attempts of a factor are counted now.
    pub fn failures(&self, factor: Fact) -> usize {
        self.factors.get(&factor).map_or(0, |tally| tally.failures.len())
    }

    fn forget(&mut self, now: Timestamp) {
        self.day.retain(|entry| now.duration_since(entry.at) < DAY);
        self.sends.retain(|send| now.duration_since(send.at) < DAY);
        self.spent_until.retain(|_, until| now < *until);
        for days in self.year.values_mut() {
            days.forget(now);
        }
    }
}
