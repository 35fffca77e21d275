//! On how many accounts one thing was tried: by one caller ID in an hour, or with one secret in a day.
//!
//! Pure arithmetic over a small record. It never holds more accounts than its limit, and names each by the
//! beginning of a keyed hash.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The accounts on which one thing was tried.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spread {
    /// Each with the second in which that was.
    #[serde(default)]
    accounts: Accounts,
    /// The latest time that this record has seen, if it is later than the accounts' own: setting a clock back
    /// makes no room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<Timestamp>,
}

/// What is kept of a mark: enough to tell a few hundred apart.
const MARK: u64 = (1 << 48) - 1;

/// Few bytes and no text, because they are read and written as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
struct Accounts(Vec<(u64, i64)>);

impl<'de> Deserialize<'de> for Accounts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Written)
    }
}

/// Reads accounts in every form in which they were written: as marks and seconds, or by their names.
struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Accounts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("accounts with times")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut marks: A) -> Result<Accounts, A::Error> {
        let mut accounts = Vec::new();
        while let Some((mark, at)) = marks.next_element::<(u64, i64)>()? {
            accounts.push((mark & MARK, at));
        }
        Ok(Accounts(accounts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut names: A) -> Result<Accounts, A::Error> {
        let mut accounts = Vec::new();
        while let Some((name, at)) = names.next_entry::<String, Timestamp>()? {
            let digits: String = name.chars().filter(|c| *c != '-').take(16).collect();
            let mark = u64::from_str_radix(&digits, 16).ok();
            accounts.extend(mark.map(|mark| (mark & MARK, at.as_second())));
        }
        Ok(Accounts(accounts))
    }
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
        account: u64,
        limit: u32,
        window: SignedDuration,
        now: Timestamp,
    ) -> Room {
        let (account, now) = (account & MARK, self.latest(now));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let recent = |at: &i64| now - *at < window.as_secs();
        let of_late = self.accounts.0.iter().filter(|(_, at)| recent(at));
        if of_late.clone().any(|(known, _)| *known == account) {
            return Room::Left;
        }
        if of_late.count() >= limit {
            return Room::None;
        }
        self.accounts.0.retain(|(_, at)| recent(at));
        self.accounts.0.push((account, now));
        self.seen = None;
        if self.accounts.0.len() == limit { Room::Last } else { Room::Left }
    }

    /// How many accounts it was tried on within the window.
    pub fn count(&self, window: SignedDuration, now: Timestamp) -> usize {
        let now = self.latest(now);
        let recent = |at: i64| now - at < window.as_secs();
        self.accounts.0.iter().filter(|(_, at)| recent(*at)).count()
    }

    /// It was no guess on this account.
    pub fn forgive(&mut self, account: u64) {
        let seen = self.latest(Timestamp::MIN);
        self.accounts.0.retain(|(known, _)| *known != account & MARK);
        self.seen = None;
        if self.latest(Timestamp::MIN) < seen {
            self.seen = Timestamp::from_second(seen).ok();
        }
    }

    /// The latest second that it has seen, if that is now.
    fn latest(&self, now: Timestamp) -> i64 {
        let seen = self.seen.map(Timestamp::as_second);
        let accounts = self.accounts.0.iter().map(|(_, at)| *at);
        accounts.chain(seen).fold(now.as_second(), i64::max)
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
            (0..7).map(|n| spread.touch(n, 5, HOUR, at(i64::try_from(n).unwrap()))).collect();
        let (left, last, none) = (Room::Left, Room::Last, Room::None);
        assert_eq!(rooms, [left, left, left, left, last, none, none]);
        assert_eq!(spread.touch(3, 5, HOUR, at(100)), Room::Left, "it was counted before");
        assert_eq!(spread.touch(98, 5, HOUR, at(3_599)), Room::None);
        assert_eq!(spread.touch(98, 5, HOUR, at(3_600)), Room::Last);
    }

    #[test]
    fn what_was_no_guess_makes_room() {
        let mut spread = Spread::default();
        assert_eq!(spread.touch(97, 1, HOUR, at(0)), Room::Last);
        spread.forgive(97);
        assert_eq!(spread.touch(98, 1, HOUR, at(1)), Room::Last);
    }

    #[test]
    fn what_was_written_by_name_is_known_by_its_mark() {
        let old = r#"{"accounts":{"00000000000000ffaabbccdd":"1970-01-01T00:00:10Z",
            "00000000-0000-0001-8000-000000000000":"1970-01-01T00:00:20Z"},"seen":"1970-01-01T00:00:20Z"}"#;
        let mut spread: Spread = serde_json::from_str(old).unwrap();
        assert_eq!(spread.count(HOUR, at(30)), 2);
        assert_eq!(spread.touch(255, 2, HOUR, at(30)), Room::Left);
        assert_eq!(spread.touch(1, 2, HOUR, at(30)), Room::Left);
        assert_eq!(spread.touch(2, 2, HOUR, at(30)), Room::None);
        let again: Spread = serde_json::from_str(&serde_json::to_string(&spread).unwrap()).unwrap();
        assert_eq!(again, spread);
    }

    #[test]
    fn a_clock_set_back_makes_no_room() {
        let mut spread = Spread::default();
        assert_eq!(spread.touch(97, 2, HOUR, at(100_000)), Room::Left);
        assert_eq!(spread.touch(98, 2, HOUR, at(103_599)), Room::Last);
        assert_eq!(spread.touch(99, 2, HOUR, at(0)), Room::None);
        // Nor does it where the account is forgotten that it was last tried on.
        spread.forgive(98);
        let mut again: Spread =
            serde_json::from_str(&serde_json::to_string(&spread).unwrap()).unwrap();
        assert_eq!(again, spread);
        // What is tried then is tried at the latest time.
        assert_eq!(spread.touch(99, 2, HOUR, at(0)), Room::Last);
        assert_eq!(spread.touch(96, 1, HOUR, at(103_600)), Room::None);
        assert_eq!(again.touch(99, 1, HOUR, at(0)), Room::None);
        assert_eq!(again.touch(99, 1, HOUR, at(103_600)), Room::Last);
    }

    #[test]
    fn marks_that_were_kept_whole_are_known() {
        let mark: u64 = 0xfedc_ba98_7654_3210;
        let old = format!(r#"{{"accounts":[[{mark},10]],"seen":"1970-01-01T00:00:10Z"}}"#);
        let mut spread: Spread = serde_json::from_str(&old).unwrap();
        assert_eq!(spread.touch(mark, 1, HOUR, at(30)), Room::Left);
        spread.forgive(mark);
        assert_eq!(spread.count(HOUR, at(30)), 0);
    }
}
