//! The house's fuse: when nearly everybody who enters a PIN or passcode enters a wrong one, somebody is guessing
//! at many accounts at once, below the limits of each. Then no such entry is checked for a while.
//!
//! Whoever can blow it locks out all customers. So it is off unless a house turns it on, and it counts callers,
//! not entries: one who tries again and again counts once, and one who was ever right counts as right.
//!
//! Pure arithmetic over a small record. The accounts are spread over a few such records, each a sample of all of
//! them.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::policy;

/// What is remembered of those who entered something at one part of the accounts.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fuse {
    /// The callers of the last hour, oldest first.
    #[serde(default)]
    callers: VecDeque<Caller>,
    /// Until when nothing is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blown_until: Option<Timestamp>,
    /// The latest time that this record has seen: a clock set back mends nothing.
    #[serde(default)]
    seen: Timestamp,
}

/// What tells a caller from others, the second of the first entry, and whether any entry was right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Caller(u64, i64, bool);

/// How many records the accounts are spread over, so that entries at different accounts seldom wait for
/// each other.
pub const PARTS: u32 = 16;
const HOUR_S: i64 = 3_600;
/// The most callers of one part: enough for a house with eight thousand an hour, and some ten KiB.
const CALLERS_MAX: usize = 512;

impl Fuse {
    /// Whether nothing is checked at the moment.
    pub fn is_blown(&self, now: Timestamp) -> bool {
        self.blown_until.is_some_and(|until| now.max(self.seen) < until)
    }

    /// Counts a caller whose entry was checked, once however often; `true`: the fuse has blown.
    pub fn entered(
        &mut self,
        caller: u64,
        right: bool,
        limits: &policy::Fuse,
        now: Timestamp,
    ) -> bool {
        let now = now.max(self.seen);
        // Those who were entering something when it blew are no sign of what comes after.
        if self.is_blown(now) {
            return false;
        }
        self.seen = now;
        self.callers.retain(|Caller(_, at, _)| now.as_second() - at < HOUR_S);
        let known = self.callers.iter_mut().find(|Caller(known, ..)| *known == caller);
        if let Some(Caller(.., was_right)) = known {
            *was_right |= right;
        } else {
            if self.callers.len() >= CALLERS_MAX {
                self.callers.pop_front();
            }
            self.callers.push_back(Caller(caller, now.as_second(), right));
        }
        let count = |callers: usize| u32::try_from(callers).unwrap_or(u32::MAX);
        let callers = count(self.callers.len());
        let wrong = count(self.callers.iter().filter(|Caller(.., right)| !right).count());
        let few = callers < (limits.callers_min / PARTS).max(1);
        let most = u64::from(callers) * u64::from(limits.wrong_percent_max);
        if few || u64::from(wrong) * 100 <= most {
            return false;
        }
        let blown_for = SignedDuration::from_secs(limits.blown_s.into());
        self.blown_until = now.checked_add(blown_for).ok();
        self.callers.clear();
        true
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    const LIMITS: policy::Fuse =
        policy::Fuse { wrong_percent_max: 90, callers_min: 480, blown_s: 900 };
    /// The callers of a part from which on the share is looked at.
    const OF_PART: u64 = 30;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Callers with an entry each; returns whether it has blown.
    fn enter(fuse: &mut Fuse, mut callers: Range<u64>, right: bool, now: i64) -> bool {
        callers.any(|caller| fuse.entered(caller, right, &LIMITS, at(now)))
    }

    #[test]
    fn where_nearly_everybody_is_wrong_it_blows_for_a_while() {
        let mut fuse = Fuse::default();
        assert!(!enter(&mut fuse, 0..OF_PART - 1, false, 600), "they are too few");
        assert!(enter(&mut fuse, 100..101, false, 600));
        assert!(fuse.is_blown(at(600)) && fuse.is_blown(at(1_499)));
        assert!(fuse.is_blown(at(0)), "a clock set back mends nothing");
        assert!(!enter(&mut fuse, 200..300, false, 1_499), "nobody is looked at");
        assert!(!fuse.is_blown(at(1_500)));
        assert!(!enter(&mut fuse, 0..OF_PART - 1, false, 1_500), "it counts anew");
    }

    #[test]
    fn one_caller_counts_once_however_often_and_is_right_if_ever() {
        let mut fuse = Fuse::default();
        for _ in 0..1_000 {
            assert!(!enter(&mut fuse, 0..OF_PART - 1, false, 0));
        }
        // Three of the callers get it right in the end, and a tenth is enough.
        enter(&mut fuse, 0..3, true, 60);
        enter(&mut fuse, 0..3, false, 61);
        assert!(!enter(&mut fuse, 100..101, false, 62));
        assert!(enter(&mut fuse, 101..102, false, 63), "less than a tenth is not");
    }

    #[test]
    fn an_hour_ago_is_long_ago() {
        let mut fuse = Fuse::default();
        enter(&mut fuse, 0..OF_PART - 1, false, 0);
        assert!(!enter(&mut fuse, 100..101, false, 3_600));
    }

    #[test]
    fn a_record_stays_small() {
        let mut fuse = Fuse::default();
        enter(&mut fuse, 0..400, true, 0);
        enter(&mut fuse, 400..3_000, true, 1);
        assert_eq!(fuse.callers.len(), CALLERS_MAX);
        assert!(serde_json::to_string(&fuse).unwrap().len() < 16 * 1_024);
    }
}
