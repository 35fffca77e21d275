//! The ledger of attempts and sends of one account: who may try again, and when.
//!
//! Pure arithmetic over a small record. Whoever keeps the record writes it with a compare-and-set, so
//! that parallel calls count exactly. An attempt is reserved before anything is verified and counts as
//! a failure until [`Ledger::clear`] says that it succeeded; a crash in between leaves it counted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::id::CallId;
use super::policy::Policy;
use super::question::Notifies;
use crate::flow::level::Fact;
use crate::limits;

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
    year: BTreeMap<Fact, BTreeMap<i64, u32>>,
    /// Messages and rings of the last day.
    #[serde(default)]
    sends: Vec<Send>,
    /// The latest time that this record has seen: a clock set back refills nothing and lifts nothing.
    #[serde(default)]
    seen: Timestamp,
    /// What the owner was told of last, each under the attempt that it was told for.
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
    /// The calls that are at proving it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    places: Vec<Place>,
}

/// An attempt, before anything is verified.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The call that makes it.
    pub call: CallId,
    /// The factor.
    pub factor: Fact,
    /// Counted once under this.
    pub key: &'a str,
    /// A keyed hash of what was entered.
    pub digest: &'a str,
    /// How many keys or letters that has.
    pub length: usize,
}

/// Something that the owner of an account is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alert {
    /// Somebody has failed to prove that they are the owner, again and again.
    Failures,
    /// A factor is disabled until somebody lifts it.
    Disabled,
    /// A factor that an operator had lifted was tried.
    Lifted,
}

impl Alert {
    /// Its name in the audit.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Disabled => "disabled",
            Self::Lifted => "lifted",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    key: String,
    at: Timestamp,
}

/// Failures in a row of one factor.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Tally {
    failures: Vec<Entry>,
    locked_until: Option<Timestamp>,
    locks: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    key: String,
    /// A keyed hash of what was entered: the same attempt asked again is the same entry.
    digest: String,
    at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Send {
    key: String,
    factor: Fact,
    at: Timestamp,
}

/// A call that tries to prove it. It has its place until what it tried last is right, it is over, or it
/// has tried nothing for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    call: CallId,
    /// What it tried last.
    key: String,
    at: Timestamp,
}

/// Whether an attempt may be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Yes; it is counted now.
    Granted,
    /// Yes; this very attempt was counted before.
    Again,
    /// No: under this key something else was entered before, and that was the attempt.
    Other,
    /// No: there is none to be had.
    Refused,
    /// No: these calls are at it, unless they are over.
    Busy(Vec<CallId>),
}

/// What was lifted of a factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifted {
    /// Failures that counted and count no more.
    pub failures: u32,
    /// Failures of the last 365 days, which go on counting.
    pub year: u32,
}

const DAY: SignedDuration = SignedDuration::from_hours(24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const TEN_MINUTES: SignedDuration = SignedDuration::from_mins(10);
const YEAR_DAYS: i64 = 365;
const DAY_SECONDS: i64 = 86_400;

impl Ledger {
    /// Reserves an attempt. `over`: calls that are known to be over, and give up their places.
    pub fn reserve(
        &mut self,
        attempt: &Attempt<'_>,
        over: &[CallId],
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
        let year: u32 = self.year.get(&factor).map_or(0, |days| days.values().sum());
        let tally = self.factors.entry(factor).or_default();
        if tally.locked_until.is_some_and(|until| now < until)
            || count(&tally.failures) >= limits.cap_of(factor, attempt.length)
            || count(&self.day) >= policy.shared.all_factor_failures_24h
            || year >= limits.year_budget
        {
            return Reserved::Refused;
        }
        self.places.retain(|place| !over.contains(&place.call));
        // The web has told whose service code it is, and a few wrong entries void it: it is the way in
        // that nobody else's calls can keep shut.
        if factor != Fact::ServiceCode && !self.enter(call, key, policy, now) {
            return Reserved::Busy(self.places.iter().map(|place| place.call).collect());
        }
        let tally = self.factors.entry(factor).or_default();
        let entry = Entry { key: key.to_owned(), digest: digest.to_owned(), at: now };
        self.seen = now;
        tally.failures.push(entry.clone());
        if count(&tally.failures).is_multiple_of(limits.soft_limit.max(1)) {
            let doubled = limits.soft_lock_s.saturating_mul(1 << tally.locks.min(16));
            let lock_s = doubled.min(limits.soft_lock_max_s);
            tally.locked_until = now.checked_add(SignedDuration::from_secs(lock_s.into())).ok();
            tally.locks += 1;
        }
        self.day.push(entry);
        *self.year.entry(factor).or_default().entry(day_of(now)).or_default() += 1;
        Reserved::Granted
    }

    /// Gives a call a place among those that may prove it, or keeps it there; `false`: there is none.
    fn enter(&mut self, call: CallId, key: &str, policy: &Policy, now: Timestamp) -> bool {
        let kept = SignedDuration::try_from(limits::PLACE_KEPT_FOR).unwrap_or_default();
        self.places.retain(|place| place.call == call || now.duration_since(place.at) < kept);
        let place = Place { call, key: key.to_owned(), at: now };
        if let Some(own) = self.places.iter_mut().find(|place| place.call == call) {
            *own = place;
            return true;
        }
        let all = policy.shared.parallel_auth_sessions_per_account;
        let free = count_of(self.places.len()) < all;
        if free {
            self.places.push(place);
        }
        free
    }

    /// The attempt under `key` succeeded at `at`: the factor's failures up to then are forgotten, and
    /// the attempt itself counts no more. Failures since stay, and so do those of other factors, and
    /// the year's: a customer who calls every week does not refill an attacker's budget.
    pub fn clear(&mut self, factor: Fact, key: &str, at: Timestamp) {
        self.places.retain(|place| place.key != key);
        let Some(tally) = self.factors.get_mut(&factor) else { return };
        let Some(own) = tally.failures.iter().find(|entry| entry.key == key) else { return };
        let day = day_of(own.at);
        tally.failures.retain(|entry| entry.at > at);
        tally.locked_until = None;
        tally.locks = 0;
        self.day.retain(|entry| entry.key != key);
        if let Some(count) = self.year.get_mut(&factor).and_then(|days| days.get_mut(&day)) {
            *count = count.saturating_sub(1);
        }
    }

    /// Takes a message or a ring out of the budget; `false`: there is none left. The same key is
    /// counted once. The call that gets one has the first place to prove it, if there is one left.
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
        let within = |span: SignedDuration| {
            let recent = |send: &&Send| now.duration_since(send.at) < span;
            count_of(self.sends.iter().filter(|send| send.factor == factor).filter(recent).count())
        };
        if self.spent_until.get(&factor).is_some_and(|until| now < *until) {
            return false;
        }
        let left = if factor == Fact::Callback {
            within(HOUR) < policy.callback.per_account_h
        } else {
            within(TEN_MINUTES) < policy.otp.sends_per_10min
                && within(DAY) < policy.otp.sends_per_day
        };
        if left {
            self.seen = now;
            self.sends.push(Send { key: key.to_owned(), factor, at: now });
            self.enter(call, key, policy, now);
        }
        left
    }

    /// The provider has sent as many codes of a factor as it does in ten minutes: no more are asked of it
    /// until they are over.
    pub fn exhaust_sends(&mut self, factor: Fact, now: Timestamp) {
        let now = now.max(self.seen);
        self.seen = now;
        let until = now.checked_add(TEN_MINUTES).unwrap_or(Timestamp::MAX);
        self.spent_until.insert(factor, until);
    }

    /// Lifts the lock of a factor, whether it would have ended by itself or not: its failures count no
    /// more, but for the year's. Other factors stay as they are.
    pub fn lift(&mut self, factor: Fact) -> Lifted {
        let tally = self.factors.remove(&factor).unwrap_or_default();
        let of_tally = |entry: &Entry| tally.failures.iter().any(|own| own.key == entry.key);
        self.day.retain(|entry| !of_tally(entry));
        // Whoever lifts a lock knows the time better than a clock that was once ahead.
        self.seen = Timestamp::default();
        if !tally.failures.is_empty() {
            self.lifted.insert(factor);
        }
        let year = self.year.get(&factor).map_or(0, |days| days.values().sum());
        Lifted { failures: count(&tally.failures), year }
    }

    /// What the owner is to be told of once this attempt, which was reserved, is found to be wrong or
    /// right; the same as often as it is asked. One burst of failures is told once.
    pub fn due(
        &self,
        attempt: &Attempt<'_>,
        wrong: bool,
        policy: &Policy,
        now: Timestamp,
    ) -> Option<Alert> {
        let Attempt { factor, key, .. } = *attempt;
        let notices = &policy.notices;
        if notices.failures == 0 {
            return None;
        }
        if let Some((alert, _)) = self.told.iter().find(|(_, told)| told.key == key) {
            return Some(*alert);
        }
        if self.lifted.contains(&factor) {
            return Some(Alert::Lifted);
        }
        let in_a_row = self.factors.get(&factor).map_or(0, |tally| count(&tally.failures));
        let quiet = SignedDuration::from_hours(notices.quiet_h.into());
        let told = self.told.get(&Alert::Failures);
        let told = told.is_some_and(|told| now.max(self.seen).duration_since(told.at) < quiet);
        // A lock is told of, whatever else is.
        let burst = notices.failures.min(policy.pin.soft_limit);
        if !wrong {
            None
        } else if in_a_row >= policy.pin.cap_of(factor, attempt.length) {
            Some(Alert::Disabled)
        } else if in_a_row.max(count(&self.day)) >= burst && !told {
            Some(Alert::Failures)
        } else {
            None
        }
    }

    /// Takes a notice out of the day's, and puts down what the owner is told with it; of many calls at
    /// once one tells it. The same key is counted once.
    pub fn notify(
        &mut self,
        of: Option<(Alert, Fact, &str)>,
        key: &str,
        policy: &Policy,
        now: Timestamp,
    ) -> Notifies {
        let at = now.max(self.seen);
        self.notices.retain(|_, sent| at.duration_since(*sent) < DAY);
        if self.notices.contains_key(key) {
            return Notifies::Yes;
        }
        if let Some((alert, factor, attempt)) = of
            && self.is_told(alert, factor, attempt, policy, at)
        {
            return Notifies::Told;
        }
        if count_of(self.notices.len()) >= policy.notices.per_day {
            return Notifies::NoneLeft;
        }
        self.notices.insert(key.to_owned(), at);
        if let Some((alert, factor, attempt)) = of {
            self.tell(alert, factor, attempt, now);
        }
        Notifies::Yes
    }

    /// Whether the owner has been told of this by another attempt.
    fn is_told(
        &self,
        alert: Alert,
        factor: Fact,
        attempt: &str,
        policy: &Policy,
        at: Timestamp,
    ) -> bool {
        let told = self.told.get(&alert);
        if told.is_some_and(|told| told.key == attempt) {
            return false;
        }
        let quiet = SignedDuration::from_hours(policy.notices.quiet_h.into());
        match alert {
            Alert::Failures => told.is_some_and(|told| at.duration_since(told.at) < quiet),
            Alert::Disabled => false,
            Alert::Lifted => !self.lifted.contains(&factor),
        }
    }

    /// The owner is told of this, for the attempt under `key`.
    fn tell(&mut self, alert: Alert, factor: Fact, key: &str, now: Timestamp) {
        let at = now.max(self.seen);
        let known = self.told.get(&alert).is_some_and(|told| told.key == key);
        if !known {
            self.told.insert(alert, Told { key: key.to_owned(), at });
        }
        if alert == Alert::Lifted {
            self.lifted.remove(&factor);
        }
    }

    /// How many attempts of a factor are counted now.
    pub fn failures(&self, factor: Fact) -> usize {
        self.factors.get(&factor).map_or(0, |tally| tally.failures.len())
    }

    fn forget(&mut self, now: Timestamp) {
        self.day.retain(|entry| now.duration_since(entry.at) < DAY);
        self.sends.retain(|send| now.duration_since(send.at) < DAY);
        self.spent_until.retain(|_, until| now < *until);
        let today = day_of(now);
        for days in self.year.values_mut() {
            days.retain(|day, count| today - *day < YEAR_DAYS && *count > 0);
        }
    }
}

fn day_of(now: Timestamp) -> i64 {
    now.as_second().div_euclid(DAY_SECONDS)
}

fn count(entries: &[Entry]) -> u32 {
    count_of(entries.len())
}

fn count_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ONE: CallId = CallId(Uuid::from_u128(1));
    const OTHER: CallId = CallId(Uuid::from_u128(2));

    fn of<'a>(factor: Fact, key: &'a str, digest: &'a str) -> Attempt<'a> {
        Attempt { call: ONE, factor, key, digest, length: 6 }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn tries(ledger: &mut Ledger, policy: &Policy, from: usize, to: usize, now: i64) -> usize {
        let granted = |n: &usize| {
            let key = format!("k{n}");
            ledger.reserve(&of(Fact::Pin, &key, "d"), &[], policy, at(now)) == Reserved::Granted
        };
        (from..to).filter(granted).count()
    }

    #[test]
    fn five_failures_lock_and_the_lock_doubles() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        assert_eq!(tries(&mut ledger, &policy, 0, 100, 0), 5);
        assert_eq!(tries(&mut ledger, &policy, 100, 200, 1_799), 0);
        assert_eq!(tries(&mut ledger, &policy, 200, 300, 1_800), 5);
        assert_eq!(tries(&mut ledger, &policy, 300, 400, 1_800 + 3_599), 0);
    }

    #[test]
    fn no_year_of_guessing_passes_the_hard_cap() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        let mut granted = 0;
        for hour in 0..24 * 365 {
            let first = usize::try_from(hour).unwrap() * 10;
            granted += tries(&mut ledger, &policy, first, first + 10, hour * 3_600);
        }
        assert_eq!(granted, 20);
    }

    #[test]
    fn the_same_attempt_counts_once_and_another_entry_is_no_second_try() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        assert_eq!(
            ledger.reserve(&of(Fact::Pin, "k", "a"), &[], &policy, at(0)),
            Reserved::Granted
        );
        assert_eq!(ledger.reserve(&of(Fact::Pin, "k", "a"), &[], &policy, at(1)), Reserved::Again);
        assert_eq!(ledger.reserve(&of(Fact::Pin, "k", "b"), &[], &policy, at(1)), Reserved::Other);
        assert_eq!(ledger.failures(Fact::Pin), 1);
    }

    #[test]
    fn success_forgets_what_came_before_it_and_nothing_since() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        tries(&mut ledger, &policy, 0, 3, 0);
        ledger.reserve(&of(Fact::Pin, "good", "d"), &[], &policy, at(10));
        tries(&mut ledger, &policy, 3, 4, 20);
        ledger.clear(Fact::Pin, "good", at(10));
        assert_eq!(ledger.failures(Fact::Pin), 1);
        ledger.clear(Fact::Pin, "good", at(30));
        assert_eq!(ledger.failures(Fact::Pin), 1, "a success clears once");
    }

    #[test]
    fn owners_who_call_every_day_do_not_refill_the_year() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        let mut guesses = 0;
        for day in 0..365 {
            let now = day * DAY_SECONDS;
            let first = usize::try_from(day).unwrap() * 10;
            guesses += tries(&mut ledger, &policy, first, first + 4, now);
            let key = format!("own{day}");
            if ledger.reserve(&of(Fact::Pin, &key, "d"), &[], &policy, at(now + 1))
                == Reserved::Granted
            {
                ledger.clear(Fact::Pin, &key, at(now + 1));
            }
        }
        assert!(guesses <= 50, "{guesses}");
    }

    #[test]
    fn a_lock_is_lifted_for_its_factor_alone() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        assert_eq!(tries(&mut ledger, &policy, 0, 9, 0), 5);
        assert_eq!(
            ledger.reserve(&of(Fact::Passcode, "p", "d"), &[], &policy, at(1)),
            Reserved::Granted,
            "another factor is not locked"
        );
        assert_eq!(ledger.lift(Fact::Pin), Lifted { failures: 5, year: 5 });
        assert_eq!((ledger.failures(Fact::Pin), ledger.failures(Fact::Passcode)), (0, 1));
        assert_eq!(tries(&mut ledger, &policy, 10, 19, 2), 5, "it is locked again as at first");
        assert_eq!(ledger.lift(Fact::Pin).year, 10);
    }

    #[test]
    fn a_clock_set_back_gives_no_guesses_and_no_sends() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        assert_eq!(tries(&mut ledger, &policy, 0, 9, 1_000_000), 5);
        assert_eq!(tries(&mut ledger, &policy, 9, 19, 0), 0);
        assert_eq!(tries(&mut ledger, &policy, 19, 29, 1_000_000 + 1_799), 0);
        assert_eq!(tries(&mut ledger, &policy, 29, 39, 1_000_000 + 1_800), 5);
        let spent = |ledger: &mut Ledger, keys: std::ops::Range<u32>, now| {
            keys.filter(|n| ledger.spend(ONE, Fact::SmsOtp, &format!("s{n}"), &policy, at(now)))
                .count()
        };
        assert_eq!(spent(&mut ledger, 0..9, 2_000_000), 5);
        assert_eq!(spent(&mut ledger, 9..19, 0), 0);
    }

    #[test]
    fn factors_share_a_daily_budget() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        let mut granted = 0;
        for factor in Fact::ALL {
            for n in 0..5 {
                let key = format!("{factor}{n}");
                granted += usize::from(
                    ledger.reserve(&of(factor, &key, "d"), &[], &policy, at(0))
                        == Reserved::Granted,
                );
            }
        }
        assert_eq!(granted, 10);
    }

    #[test]
    fn a_burst_is_told_of_once_and_a_disabled_factor_always() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        let mut told = Vec::new();
        for hour in 0..24 * 30 {
            for n in 0..5 {
                let (key, now) = (format!("{hour}/{n}"), at(hour * 3_600 + n));
                if ledger.reserve(&of(Fact::Pin, &key, "d"), &[], &policy, now) != Reserved::Granted
                {
                    continue;
                }
                if let Some(alert) = ledger.due(&of(Fact::Pin, &key, "d"), true, &policy, now) {
                    ledger.tell(alert, Fact::Pin, &key, now);
                    assert_eq!(
                        ledger.due(&of(Fact::Pin, &key, "d"), true, &policy, now),
                        Some(alert)
                    );
                    told.push((alert, hour / 24));
                }
            }
        }
        // Fives of guesses, the locks between them longer and longer; ten a day over all.
        let days: Vec<_> = told.iter().map(|(_, day)| *day).collect();
        let alerts: Vec<_> = told.iter().map(|(alert, _)| *alert).collect();
        assert_eq!(alerts, [Alert::Failures, Alert::Failures, Alert::Disabled], "{days:?}");
        assert!(days.is_sorted_by(|a, b| a <= b) && days[0] < days[1], "{days:?}");
    }

    #[test]
    fn a_failure_is_no_burst_and_factors_tried_in_turn_are() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        let due = |ledger: &mut Ledger, factor, key: &str| {
            ledger.reserve(&of(factor, key, "d"), &[], &policy, at(0));
            ledger.due(&of(factor, key, "d"), true, &policy, at(0))
        };
        for n in 0..4 {
            let factor = Fact::ALL[n];
            assert_eq!(due(&mut ledger, factor, &format!("k{n}")), None);
        }
        assert_eq!(due(&mut ledger, Fact::Pin, "k4"), Some(Alert::Failures));
        assert_eq!(
            ledger.due(&of(Fact::Pin, "k4", "d"), false, &policy, at(0)),
            None,
            "it was right"
        );
    }

    #[test]
    fn who_uses_a_lifted_lock_is_told_of_once() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        ledger.lift(Fact::Pin);
        ledger.reserve(&of(Fact::Pin, "a", "d"), &[], &policy, at(0));
        assert_eq!(
            ledger.due(&of(Fact::Pin, "a", "d"), true, &policy, at(0)),
            None,
            "there was no lock"
        );
        tries(&mut ledger, &policy, 0, 9, 0);
        ledger.lift(Fact::Pin);
        ledger.reserve(&of(Fact::Pin, "b", "d"), &[], &policy, at(1));
        assert_eq!(
            ledger.due(&of(Fact::Pin, "b", "d"), false, &policy, at(1)),
            Some(Alert::Lifted)
        );
        ledger.tell(Alert::Lifted, Fact::Pin, "b", at(1));
        assert_eq!(
            ledger.due(&of(Fact::Pin, "b", "d"), false, &policy, at(1)),
            Some(Alert::Lifted)
        );
        ledger.reserve(&of(Fact::Pin, "c", "d"), &[], &policy, at(2));
        assert_eq!(ledger.due(&of(Fact::Pin, "c", "d"), false, &policy, at(2)), None);
    }

    #[test]
    fn one_call_at_a_time_tries_to_prove_it() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        let mut tried = |call, factor, key: &str, over: &[CallId], now| {
            ledger.reserve(&Attempt { call, ..of(factor, key, "d") }, over, &policy, at(now))
        };
        assert_eq!(tried(ONE, Fact::Pin, "a", &[], 0), Reserved::Granted);
        assert_eq!(tried(OTHER, Fact::Pin, "b", &[], 299), Reserved::Busy(vec![ONE]));
        assert_eq!(tried(OTHER, Fact::ServiceCode, "c", &[], 299), Reserved::Granted);
        assert_eq!(tried(OTHER, Fact::Passcode, "b", &[], 300), Reserved::Granted, "it is idle");
        assert_eq!(tried(ONE, Fact::Pin, "a", &[], 301), Reserved::Again, "it was counted before");
        assert_eq!(tried(ONE, Fact::Pin, "d", &[], 301), Reserved::Busy(vec![OTHER]));
        assert_eq!(tried(ONE, Fact::Pin, "d", &[OTHER], 301), Reserved::Granted, "it is over");
        ledger.clear(Fact::Pin, "d", at(301));
        let next = Attempt { call: OTHER, ..of(Fact::Pin, "e", "d") };
        assert_eq!(ledger.reserve(&next, &[], &policy, at(302)), Reserved::Granted, "it was right");
    }

    #[test]
    fn who_was_sent_a_code_has_the_first_place() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        assert!(ledger.spend(ONE, Fact::SmsOtp, "s", &policy, at(0)));
        let other = Attempt { call: OTHER, ..of(Fact::Pin, "a", "d") };
        assert_eq!(ledger.reserve(&other, &[], &policy, at(1)), Reserved::Busy(vec![ONE]));
        assert!(ledger.spend(OTHER, Fact::SmsOtp, "t", &policy, at(2)), "sends are another matter");
        assert_eq!(ledger.failures(Fact::Pin), 0);
    }

    #[test]
    fn a_short_pin_is_disabled_after_ten() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        let mut granted = 0;
        for hour in 0..24 * 365 {
            let key = format!("k{hour}");
            let short = Attempt { length: 5, ..of(Fact::Pin, &key, "d") };
            let reserved = ledger.reserve(&short, &[], &policy, at(hour * 3_600));
            granted += usize::from(reserved == Reserved::Granted);
        }
        assert_eq!(granted, 10);
    }

    #[test]
    fn a_provider_that_sends_no_more_is_asked_for_no_more_for_ten_minutes() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        assert!(ledger.spend(ONE, Fact::SmsOtp, "a", &policy, at(0)));
        ledger.exhaust_sends(Fact::SmsOtp, at(10));
        assert!(ledger.spend(ONE, Fact::SmsOtp, "a", &policy, at(11)), "it was spent before");
        assert!(!ledger.spend(ONE, Fact::SmsOtp, "b", &policy, at(609)));
        assert!(ledger.spend(ONE, Fact::Callback, "c", &policy, at(11)));
        assert!(ledger.spend(ONE, Fact::SmsOtp, "b", &policy, at(610)));
    }

    #[test]
    fn what_was_not_sent_is_not_told() {
        let (mut ledger, mut policy) = (Ledger::default(), Policy::default());
        tries(&mut ledger, &policy, 0, 5, 0);
        let last = of(Fact::Pin, "k4", "d");
        policy.notices.per_day = 0;
        let burst = Some((Alert::Failures, Fact::Pin, "k4"));
        assert_eq!(ledger.notify(burst, "n", &policy, at(0)), Notifies::NoneLeft);
        assert_eq!(
            ledger.due(&last, true, &policy, at(0)),
            Some(Alert::Failures),
            "it is still due"
        );
        policy.notices.per_day = 1;
        assert_eq!(ledger.notify(burst, "n", &policy, at(0)), Notifies::Yes);
        assert_eq!(ledger.notify(burst, "n", &policy, at(1)), Notifies::Yes, "the same notice");
        let other = Some((Alert::Failures, Fact::Pin, "k3"));
        assert_eq!(ledger.notify(other, "m", &policy, at(1)), Notifies::Told);
        assert_eq!(ledger.notify(None, "o", &policy, at(1)), Notifies::NoneLeft);
        assert_eq!(ledger.notify(None, "o", &policy, at(86_400)), Notifies::Yes);
    }

    #[test]
    fn sends_have_a_budget_and_a_key_spends_once() {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        let spent = (0..9)
            .filter(|n| ledger.spend(ONE, Fact::SmsOtp, &format!("k{n}"), &policy, at(0)))
            .count();
        assert_eq!(spent, 5);
        assert!(ledger.spend(ONE, Fact::SmsOtp, "k0", &policy, at(1)));
        assert!(ledger.spend(ONE, Fact::Callback, "c", &policy, at(1)));
        assert!(ledger.spend(ONE, Fact::SmsOtp, "later", &policy, at(601)));
    }
}
