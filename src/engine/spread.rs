//! On how many accounts one thing was tried: by one caller ID in an hour, or one secret in a day.
//!
//! Pure arithmetic over a small record. It never holds more accounts than its limit, and names them by
//! keyed hashes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The accounts that one thing was tried on.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spread {
    #[serde(default)]
    accounts: BTreeMap<String, Timestamp>,
    /// The latest time that this record has seen: a clock set back makes no room.
    #[serde(default)]
    seen: Timestamp,
}

/// Whether one more account may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It may.
    Left,
    /// It may, and is the last.
    Last,
    /// It may not.
    None,
}

impl Spread {
    /// Counts an account, once however often it is tried.
    pub fn touch(
        &mut self,
        account: &str,
        limit: u32,
        window: SignedDuration,
        now: Timestamp,
    ) -> Room {
        let now = now.max(self.seen);
        let recent = |at: &Timestamp| now.duration_since(*at) < window;
        if self.accounts.get(account).is_some_and(recent) {
            return Room::Left;
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if self.accounts.values().filter(|at| recent(at)).count() >= limit {
            return Room::None;
        }
        self.accounts.retain(|_, at| recent(at));
        self.accounts.insert(account.to_owned(), now);
        self.seen = now;
        if self.accounts.len() == limit { Room::Last } else { Room::Left }
    }

    /// How many accounts it was tried on within the window.
    pub fn count(&self, window: SignedDuration, now: Timestamp) -> usize {
        let now = now.max(self.seen);
        self.accounts.values().filter(|at| now.duration_since(**at) < window).count()
    }

    /// It was no guess on this account.
    pub fn forgive(&mut self, account: &str) {
        self.accounts.remove(account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn so_many_accounts_and_no_more_until_the_window_moves() {
        let mut spread = Spread::default();
        let rooms: Vec<_> =
            (0..7).map(|n| spread.touch(&format!("a{n}"), 5, HOUR, at(n))).collect();
        let (left, last, none) = (Room::Left, Room::Last, Room::None);
        assert_eq!(rooms, [left, left, left, left, last, none, none]);
        assert_eq!(spread.touch("a3", 5, HOUR, at(100)), Room::Left, "it was counted before");
        assert_eq!(spread.touch("b", 5, HOUR, at(3_599)), Room::None);
        assert_eq!(spread.touch("b", 5, HOUR, at(3_600)), Room::Last);
    }

    #[test]
    fn what_was_no_guess_makes_room() {
        let mut spread = Spread::default();
        assert_eq!(spread.touch("a", 1, HOUR, at(0)), Room::Last);
        spread.forgive("a");
        assert_eq!(spread.touch("b", 1, HOUR, at(1)), Room::Last);
    }

    #[test]
    fn a_clock_set_back_makes_no_room() {
        let mut spread = Spread::default();
        assert_eq!(spread.touch("a", 1, HOUR, at(100_000)), Room::Last);
        assert_eq!(spread.touch("b", 1, HOUR, at(0)), Room::None);
    }
}
