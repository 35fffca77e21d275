//! A budget of messages and rings that many accounts share: those to one number prefix, or all of them.
//!
//! Pure arithmetic over a small record, like the ledger's: counts per slot of time, and the last keys, so that a
//! question asked again is counted once. Everybody's sends write to it, so it stays small however many they are.

use std::collections::{BTreeMap, VecDeque};

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
    /// Until when it gives nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shut_until: Option<Timestamp>,
    /// The last of them, oldest first.
    #[serde(default)]
    sends: VecDeque<Send>,
    /// The latest time that this record has seen: a clock set back refills nothing.
    #[serde(default)]
    seen: Timestamp,
}

/// What tells a message or ring from others, the second in which it happened, whether it carried a code, and
/// whether that was keyed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Send(u64, i64, bool, bool);

/// Slots of five minutes, so that an hour is twelve of them and the current one.
const SLOT_S: i64 = 300;
const HOUR_SLOTS: i64 = 12;
/// After so many slots a code that was sent can no longer be keyed in: ten minutes, and the current slot.
const RIPE_SLOTS: i64 = 3;
/// Longer than it takes to ask again after a crash or a lost race.
const SEND_KEPT_FOR_S: i64 = 15 * 60;
/// As many as are sent in the seconds in which nearly all who ask again do so. If so many others came in between,
/// it is counted once more.
const SENDS_KEPT_MAX: usize = 256;
/// What is kept of a key: enough to tell so many of them apart.
const KEY: u64 = (1 << 48) - 1;

impl Budget {
    /// Takes one out of what an hour has; `false`: none is left. The same key is counted once.
    pub fn spend(&mut self, key: u64, per_hour: u32, now: Timestamp) -> bool {
        let now = now.max(self.seen);
        if self.is_known(key) {
            return true;
        }
        if !self.has_left(per_hour, now) {
            return false;
        }
        count_in(&mut self.slots, now);
        self.keep(Send(key & KEY, now.as_second(), false, false));
        self.seen = now;
        true
    }

    /// Whether nothing is given because too few of the codes sent in the last hour were keyed in: then somebody
    /// has them sent to people who do not want them. A key that already got one keeps it.
    pub fn is_shut(&mut self, key: u64, limits: &Sends, now: Timestamp) -> bool {
        let now = now.max(self.seen);
        if self.is_known(key) {
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

    /// The message under this key carried a code.
    pub fn sent_code(&mut self, key: u64, now: Timestamp) {
        let now = now.max(self.seen);
        if self.is_first(key, now, |Send(.., has_code, _)| has_code) {
            count_in(&mut self.codes, now);
        }
    }

    /// A code was keyed in.
    pub fn entered(&mut self, key: u64, now: Timestamp) {
        let now = now.max(self.seen);
        if self.is_first(key, now, |Send(.., was_entered)| was_entered) {
            count_in(&mut self.entered, now);
        }
    }

    fn is_known(&self, key: u64) -> bool {
        self.sends.iter().any(|Send(known, ..)| *known == key & KEY)
    }

    /// Says `what` of this key, and returns whether that is new.
    fn is_first(&mut self, key: u64, now: Timestamp, what: fn(&mut Send) -> &mut bool) -> bool {
        if let Some(known) = self.sends.iter_mut().find(|Send(known, ..)| *known == key & KEY) {
            return !std::mem::replace(what(known), true);
        }
        let mut send = Send(key & KEY, now.as_second(), false, false);
        *what(&mut send) = true;
        self.keep(send);
        true
    }

    /// Keeps only the last ones.
    fn keep(&mut self, send: Send) {
        self.sends.retain(|Send(_, at, ..)| send.1 - at < SEND_KEPT_FOR_S);
        if self.sends.len() >= SENDS_KEPT_MAX {
            self.sends.pop_front();
        }
        self.sends.push_back(send);
    }

    /// Whether an hour has one left.
    pub fn has_left(&self, per_hour: u32, now: Timestamp) -> bool {
        let slot = slot_of(now.max(self.seen));
        let spent = self.slots.iter().filter(|(begun, _)| slot - **begun <= HOUR_SLOTS);
        spent.map(|(_, count)| count).sum::<u32>() < per_hour
    }
}

fn count_in(slots: &mut BTreeMap<i64, u32>, now: Timestamp) {
    let slot = slot_of(now);
    slots.retain(|begun, _| slot - begun <= HOUR_SLOTS);
    *slots.entry(slot).or_default() += 1;
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
        let spent =
            (0..50).filter(|n| budget.spend(u64::try_from(*n).unwrap(), 20, at(*n))).count();
        assert_eq!(spent, 20);
        assert!(!budget.spend(99, 20, at(3_600 + SLOT_S - 1)));
        assert!(budget.spend(98, 20, at(3_600 + SLOT_S)));
    }

    #[test]
    fn what_is_spent_at_the_end_of_an_hour_takes_nothing_back_of_its_begin() {
        let mut budget = Budget::default();
        assert!(budget.spend(1, 2, at(0)) && budget.spend(2, 2, at(3_600)));
        assert!(!budget.spend(3, 2, at(3_601)));
    }

    #[test]
    fn a_key_is_counted_once() {
        let mut budget = Budget::default();
        assert!((0..50).all(|n| budget.spend(7, 1, at(n))));
        assert!(!budget.spend(8, 1, at(50)));
    }

    #[test]
    fn a_clock_set_back_refills_nothing() {
        let mut budget = Budget::default();
        assert!(budget.spend(1, 1, at(100_000)));
        assert!(!budget.spend(2, 1, at(0)));
        assert!(!budget.spend(3, 1, at(100_000)));
    }

    #[test]
    fn codes_that_nobody_keys_in_shut_it_for_a_while() {
        let limits = Sends { per_prefix_h: 100, ..Sends::default() };
        let sends = |budget: &mut Budget, from: i64, entered: i64| {
            for n in from..from + 20 {
                let key = u64::try_from(n).unwrap();
                assert!(!budget.is_shut(key, &limits, at(from)));
                assert!(budget.spend(key, limits.per_prefix_h, at(from)));
                budget.sent_code(key, at(from));
                budget.sent_code(key, at(from));
                if n - from < entered {
                    budget.entered(key, at(from + 60));
                    budget.entered(key, at(from + 60));
                }
            }
        };
        let mut budget = Budget::default();
        sends(&mut budget, 0, 2);
        assert!(!budget.is_shut(99, &limits, at(1_200)), "a tenth of them was keyed in");
        let mut budget = Budget::default();
        sends(&mut budget, 0, 1);
        assert!(!budget.is_shut(99, &limits, at(599)), "they may yet be keyed in");
        assert!(budget.is_shut(99, &limits, at(900)));
        assert!(!budget.is_shut(19, &limits, at(900)), "that key had one");
        assert!(budget.is_shut(99, &limits, at(900 + 12 * 3_600 - 1)));
        assert!(!budget.is_shut(99, &limits, at(900 + 12 * 3_600)));
    }

    #[test]
    fn a_code_is_keyed_in_once_however_late_it_is_told() {
        let mut budget = Budget::default();
        for key in 0..1_000 {
            assert!(budget.spend(key, 10_000, at(0)));
            budget.sent_code(key, at(0));
        }
        for _ in 0..3 {
            budget.entered(1, at(60));
            budget.entered(999, at(60));
        }
        assert_eq!(budget.codes.values().sum::<u32>(), 1_000);
        assert_eq!(budget.entered.values().sum::<u32>(), 2);
    }

    #[test]
    fn a_record_stays_small_however_much_is_sent() {
        let mut budget = Budget::default();
        for n in 0..100_000 {
            assert!(budget.spend(n, 1_000_000, at(i64::try_from(n / 50).unwrap())));
        }
        assert!(budget.slots.len() <= 14 && budget.sends.len() <= SENDS_KEPT_MAX);
        assert!(serde_json::to_string(&budget).unwrap().len() < 16 * 1_024);
        assert!(budget.has_left(100_001, at(0)) && !budget.has_left(100_000, at(0)));
    }
}
