//! The house's fuse: where nearly all that is entered as a PIN or passcode is wrong, somebody guesses at many
//! accounts at once, below the limits of each. Then nothing of the kind is looked at for a while.
//!
//! Pure arithmetic over a small record, like the budgets': counts by slot of time, and the keys of late.
//! The accounts are spread over a few such records, each a sample of all of them.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::policy;

/// What is remembered of the entries at a part of the accounts.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fuse {
    /// Entries looked at, by slot.
    #[serde(default)]
    entries: BTreeMap<i64, u32>,
    /// Those that were right, by slot.
    #[serde(default)]
    right: BTreeMap<i64, u32>,
    /// Until when nothing is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blown_until: Option<Timestamp>,
    /// The keys of late, the oldest first, so that what is asked again is counted once.
    #[serde(default)]
    keys: VecDeque<String>,
    /// The latest time that this record has seen: a clock set back mends nothing.
    #[serde(default)]
    seen: Timestamp,
}

/// How many records the accounts are spread over, so that entries at different accounts seldom wait for
/// each other.
pub const PARTS: u32 = 16;
/// Slots of five minutes, so that an hour is twelve of them and the one begun.
const SLOT_S: i64 = 300;
const HOUR_SLOTS: i64 = 12;
/// Slots after which it is known of an entry whether it was right.
const RIPE_SLOTS: i64 = 2;
/// More than are asked again after a crash or a lost race.
const KEYS_MAX: usize = 64;

impl Fuse {
    /// Whether nothing is looked at now.
    pub fn is_blown(&self, now: Timestamp) -> bool {
        self.blown_until.is_some_and(|until| now.max(self.seen) < until)
    }

    /// Counts an entry that is looked at; `true`: it is the last, for the fuse has blown.
    pub fn entered(&mut self, key: &str, limits: &policy::Fuse, now: Timestamp) -> bool {
        let now = now.max(self.seen);
        // Whoever was at it when it blew is no sign of what comes after.
        if self.is_blown(now) || !self.is_new(key, now) {
            return false;
        }
        *self.entries.entry(slot_of(now)).or_default() += 1;
        let slot = slot_of(now);
        let of_hour = |slots: &BTreeMap<i64, u32>, youngest: i64| -> u32 {
            let within = |begun: i64| (youngest..=HOUR_SLOTS).contains(&(slot - begun));
            slots.iter().filter(|(begun, _)| within(**begun)).map(|(_, count)| count).sum()
        };
        let (entries, right) = (of_hour(&self.entries, RIPE_SLOTS), of_hour(&self.right, 0));
        let wrong = u64::from(entries.saturating_sub(right));
        let few = entries < (limits.entries_of_min / PARTS).max(1);
        if few || wrong * 100 <= u64::from(entries) * u64::from(limits.wrong_percent_max) {
            return false;
        }
        let blown_for = SignedDuration::from_secs(limits.blown_s.into());
        self.blown_until = now.checked_add(blown_for).ok();
        self.entries.clear();
        self.right.clear();
        true
    }

    /// The entry under this key was right.
    pub fn succeeded(&mut self, key: &str, now: Timestamp) {
        let now = now.max(self.seen);
        if self.is_new(&format!("right {key}"), now) {
            *self.right.entry(slot_of(now)).or_default() += 1;
        }
    }

    fn is_new(&mut self, key: &str, now: Timestamp) -> bool {
        if self.keys.iter().any(|known| known == key) {
            return false;
        }
        if self.keys.len() >= KEYS_MAX {
            self.keys.pop_front();
        }
        self.keys.push_back(key.to_owned());
        for slots in [&mut self.entries, &mut self.right] {
            slots.retain(|begun, _| slot_of(now) - begun <= HOUR_SLOTS);
        }
        self.seen = now;
        true
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

    /// So many entries at one time, the first of them right.
    fn entries(fuse: &mut Fuse, name: &str, all: u32, right: u32, now: i64) -> bool {
        let limits = policy::Fuse::default();
        let mut blown = false;
        for n in 0..all {
            let key = format!("{name}{n}");
            blown |= fuse.entered(&key, &limits, at(now));
            blown |= fuse.entered(&key, &limits, at(now));
            if n < right {
                fuse.succeeded(&key, at(now + 1));
                fuse.succeeded(&key, at(now + 1));
            }
        }
        blown
    }

    #[test]
    fn where_nearly_all_is_wrong_it_blows_for_a_while() {
        let limits = policy::Fuse::default();
        let part = limits.entries_of_min / PARTS;
        let mut fuse = Fuse::default();
        assert!(
            !entries(&mut fuse, "a", part * 2, 0, 0),
            "whether they are right is not known yet"
        );
        assert!(entries(&mut fuse, "b", 1, 0, 600));
        let until = 600 + i64::from(limits.blown_s);
        assert!(fuse.is_blown(at(600)) && fuse.is_blown(at(until - 1)));
        assert!(fuse.is_blown(at(0)), "a clock set back mends nothing");
        assert!(!fuse.is_blown(at(until)));
        assert!(!entries(&mut fuse, "c", 1, 0, until), "it counts anew");
    }

    #[test]
    fn customers_who_slip_and_few_entries_blow_nothing() {
        let part = policy::Fuse::default().entries_of_min / PARTS;
        let mut fuse = Fuse::default();
        entries(&mut fuse, "a", part * 10, part * 2, 0);
        assert!(!entries(&mut fuse, "b", 1, 0, 600), "a fifth is right");
        let mut fuse = Fuse::default();
        entries(&mut fuse, "a", part - 1, 0, 0);
        assert!(!entries(&mut fuse, "b", 1, 0, 600));
        let mut fuse = Fuse::default();
        entries(&mut fuse, "a", part * 2, 0, 0);
        assert!(!entries(&mut fuse, "b", 1, 0, 2 * 3_600), "an hour ago is long ago");
    }

    #[test]
    fn a_record_stays_small() {
        let mut fuse = Fuse::default();
        for n in 0..2_000 {
            entries(&mut fuse, &format!("{n}/"), 5, 1, n * 60);
        }
        assert!(fuse.keys.len() <= KEYS_MAX && fuse.entries.len() <= 14, "{fuse:?}");
    }
}
