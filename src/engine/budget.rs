//! A budget of messages and rings that many accounts share: those to one number prefix, or all of them.
//!
//! Pure arithmetic over a small record, like the ledger's: counts by slot of time, and the keys of late,
//! so that a question asked again is counted once.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::policy::Sends;

/// What is remembered of one budget.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Budget {
    /// How many, by slot.
    #[serde(default)]
    slots: BTreeMap<i64, u32>,
    /// How many of them carried a code, by slot.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    codes: BTreeMap<i64, u32>,
    /// How many codes were keyed in, by slot.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    entered: BTreeMap<i64, u32>,
    /// Until when it gives nothing out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shut_until: Option<Timestamp>,
    /// Under which keys, of late.
    #[serde(default)]
    keys: BTreeMap<String, Timestamp>,
    /// The latest time that this record has seen: a clock set back refills nothing.
    #[serde(default)]
    seen: Timestamp,
}

/// Slots of five minutes, so that an hour is twelve of them and the one begun.
const SLOT_S: i64 = 300;
const HOUR_SLOTS: i64 = 12;
/// Slots after which a code that was sent can be keyed in no more: ten minutes, and the slot begun.
const RIPE_SLOTS: i64 = 3;
/// Longer than anybody asks again after a crash or a lost race.
const KEY_KEPT_FOR: SignedDuration = SignedDuration::from_mins(15);

impl Budget {
    /// Takes one out of what an hour has; `false`: there is none left. The same key is counted once.
    pub fn spend(&mut self, key: &str, per_hour: u32, now: Timestamp) -> bool {
        let now = now.max(self.seen);
        if self.keys.contains_key(key) {
            return true;
        }
        if !self.has_left(per_hour, now) {
            return false;
        }
        let slot = slot_of(now);
        self.slots.retain(|begun, _| slot - begun <= HOUR_SLOTS);
        self.keys.retain(|_, at| now.duration_since(*at) < KEY_KEPT_FOR);
        *self.slots.entry(slot).or_default() += 1;
        self.keys.insert(key.to_owned(), now);
        self.seen = now;
        true
    }

    /// Whether nothing is to be had, because of the codes sent in the last hour too few were keyed in:
    /// somebody has them sent who does not want them. The key that had one has it.
    pub fn is_shut(&mut self, key: &str, limits: &Sends, now: Timestamp) -> bool {
        let now = now.max(self.seen);
        if self.keys.contains_key(key) {
            return false;
        }
        if self.shut_until.is_some_and(|until| now < until) {
            return true;
        }
        let slot = slot_of(now);
        let of_hour = |slots: &BTreeMap<i64, u32>, youngest: i64| -> u32 {
            let within = |begun: i64| (youngest..=HOUR_SLOTS).contains(&(slot - begun));
            slots.iter().filter(|(begun, _)| within(**begun)).map(|(_, count)| count).sum()
        };
        let (sent, entered) = (of_hour(&self.codes, RIPE_SLOTS), of_hour(&self.entered, 0));
        let enough =
            u64::from(entered) * 100 >= u64::from(sent) * u64::from(limits.entered_percent_min);
        if sent < limits.entered_of_min || enough {
            return false;
        }
        let until = now.checked_add(SignedDuration::from_hours(limits.blocked_h.into()));
        self.shut_until = until.ok();
        self.codes.clear();
        self.entered.clear();
        self.seen = now;
        true
    }

    /// What this key had carried a code.
    pub fn sent_code(&mut self, key: &str, now: Timestamp) {
        self.count_once(&format!("code {key}"), now, |budget| &mut budget.codes);
    }

    /// A code was keyed in.
    pub fn entered(&mut self, key: &str, now: Timestamp) {
        self.count_once(&format!("entered {key}"), now, |budget| &mut budget.entered);
    }

    fn count_once(
        &mut self,
        key: &str,
        now: Timestamp,
        of: fn(&mut Self) -> &mut BTreeMap<i64, u32>,
    ) {
        let now = now.max(self.seen);
        if self.keys.insert(key.to_owned(), now).is_none() {
            let slots = of(self);
            slots.retain(|begun, _| slot_of(now) - begun <= HOUR_SLOTS);
            *slots.entry(slot_of(now)).or_default() += 1;
        }
    }

    /// Whether an hour has one left.
    pub fn has_left(&self, per_hour: u32, now: Timestamp) -> bool {
        let slot = slot_of(now.max(self.seen));
        let spent = self.slots.iter().filter(|(begun, _)| slot - **begun <= HOUR_SLOTS);
        spent.map(|(_, count)| count).sum::<u32>() < per_hour
    }
}

fn slot_of(now: Timestamp) -> i64 {
    now.as_second().div_euclid(SLOT_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_hour_has_so_many_and_the_next_has_them_again() {
        let mut budget = Budget::default();
        let spent = (0..50).filter(|n| budget.spend(&format!("k{n}"), 20, at(*n))).count();
        assert_eq!(spent, 20);
        assert!(!budget.spend("late", 20, at(3_599)));
        assert!(budget.spend("next", 20, at(3_600 + SLOT_S)));
    }

    #[test]
    fn a_key_is_counted_once() {
        let mut budget = Budget::default();
        assert!((0..50).all(|n| budget.spend("k", 1, at(n))));
        assert!(!budget.spend("other", 1, at(50)));
    }

    #[test]
    fn a_clock_set_back_refills_nothing() {
        let mut budget = Budget::default();
        assert!(budget.spend("a", 1, at(100_000)));
        assert!(!budget.spend("b", 1, at(0)));
        assert!(!budget.spend("c", 1, at(100_000)));
    }

    #[test]
    fn codes_that_nobody_keys_in_shut_it_for_a_while() {
        let limits = Sends { per_prefix_h: 100, ..Sends::default() };
        let sends = |budget: &mut Budget, from: i64, entered: i64| {
            for n in from..from + 20 {
                let key = format!("k{n}");
                assert!(!budget.is_shut(&key, &limits, at(from)));
                assert!(budget.spend(&key, limits.per_prefix_h, at(from)));
                budget.sent_code(&key, at(from));
                budget.sent_code(&key, at(from));
                if n - from < entered {
                    budget.entered(&key, at(from + 60));
                    budget.entered(&key, at(from + 60));
                }
            }
        };
        let mut budget = Budget::default();
        sends(&mut budget, 0, 2);
        assert!(!budget.is_shut("next", &limits, at(1_200)), "a tenth of them was keyed in");
        let mut budget = Budget::default();
        sends(&mut budget, 0, 1);
        assert!(!budget.is_shut("next", &limits, at(599)), "they may yet be keyed in");
        assert!(budget.is_shut("next", &limits, at(900)));
        assert!(budget.is_shut("next", &limits, at(900 + 12 * 3_600 - 1)));
        assert!(!budget.is_shut("next", &limits, at(900 + 12 * 3_600)));
    }

    #[test]
    fn a_record_stays_small() {
        let mut budget = Budget::default();
        for n in 0..100_000 {
            budget.spend(&format!("k{n}"), 100, at(n * 10));
        }
        assert!(budget.slots.len() <= 14 && budget.keys.len() <= 100, "{budget:?}");
    }
}
