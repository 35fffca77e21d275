//! A budget of messages and rings that many accounts share: those to one number prefix, or all of them.
//!
//! Pure arithmetic over a small record, like the ledger's: counts by slot of time, and the keys of late,
//! so that a question asked again is counted once.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What is remembered of one budget.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Budget {
    /// How many, by slot.
    #[serde(default)]
    slots: BTreeMap<i64, u32>,
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
    fn a_record_stays_small() {
        let mut budget = Budget::default();
        for n in 0..100_000 {
            budget.spend(&format!("k{n}"), 100, at(n * 10));
        }
        assert!(budget.slots.len() <= 14 && budget.keys.len() <= 100, "{budget:?}");
    }
}
