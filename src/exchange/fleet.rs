//! The servers of one store, and whether they are set up alike.
//!
//! Each now and then notes in the store that it is there, with a fingerprint of each part of its settings. The
//! fingerprints are keyed: what is not secret (a limit, a line) cannot be found from them by trying, either. Who is
//! there is not told from a time, for clocks may be apart: a server is there while its notes go on to change.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Exchange, ExchangeError};
use crate::limits::{SERVER_MISSED_MAX, SERVER_NOTES_RETENTION, SERVERS_NOTED_MAX};
use crate::store::RecordKey;
use crate::store::envelope::Vault;

/// A fingerprint of each part of a server's settings.
pub type Settings = BTreeMap<String, String>;

/// What the servers of a store have noted, by their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Servers {
    servers: BTreeMap<String, Noted>,
}

/// What a server notes of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Noted {
    /// By its own clock.
    at: Timestamp,
    /// How often it has.
    times: u64,
    settings: Settings,
}

/// A server among the others, as it has seen them.
#[derive(Debug)]
pub struct Member {
    /// Its name, drawn when it started.
    pub name: String,
    times: u64,
    /// How it was set up when it last looked.
    own: Settings,
    seen: BTreeMap<String, Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    times: u64,
    /// How often in a row nothing had changed; `None`: nothing ever did while we looked.
    missed: Option<u32>,
    /// The parts that differed at its last note.
    suspected: BTreeSet<String>,
    /// Those that had differed at the note before as well.
    told: BTreeSet<String>,
}

impl Member {
    /// A server of this name, which has seen nobody.
    pub fn new(name: String) -> Self {
        Self { name, times: 0, own: Settings::new(), seen: BTreeMap::new() }
    }

    /// The parts in which each of the others differs who are there.
    ///
    /// Servers that read a changed file again do not do so at one moment, and a note is some seconds old: a part differs
    /// that did at two notes in a row, while nothing changed here.
    fn look(&mut self, servers: &Servers, own: &Settings) -> BTreeMap<String, BTreeSet<String>> {
        self.seen.retain(|name, _| servers.servers.contains_key(name));
        let same = |part: &String| self.own.get(part) == own.get(part);
        let mut others = BTreeMap::new();
        for (name, noted) in servers.servers.iter().filter(|(name, _)| **name != self.name) {
            let seen = self.seen.entry(name.clone());
            let seen = seen.or_insert_with(|| Seen::at(noted.times));
            let differing = differing(&noted.settings, own);
            seen.suspected.retain(same);
            seen.told.retain(|part| differing.contains(part));
            if noted.times != seen.times {
                (seen.times, seen.missed) = (noted.times, Some(0));
                seen.told.extend(differing.intersection(&seen.suspected).cloned());
                seen.suspected = differing.into_iter().filter(same).collect();
            } else if let Some(missed) = &mut seen.missed {
                *missed = missed.saturating_add(1);
            }
            if seen.missed.is_some_and(|missed| missed <= SERVER_MISSED_MAX) {
                others.insert(name.clone(), seen.told.clone());
            }
        }
        self.own.clone_from(own);
        others
    }
}

impl Seen {
    fn at(times: u64) -> Self {
        Self { times, missed: None, suspected: BTreeSet::new(), told: BTreeSet::new() }
    }
}

/// The parts that are not the same. One that either does not know (it may be of another release) is none.
fn differing(one: &Settings, other: &Settings) -> BTreeSet<String> {
    let both = one.iter().filter_map(|(part, one)| Some((part, one, other.get(part)?)));
    both.filter(|(_, one, other)| one != other).map(|(part, ..)| part.clone()).collect()
}

/// The fingerprint of a part of the settings, the same in all servers of this state key.
pub fn fingerprint(vault: &Vault, part: &str, texts: &[&[u8]]) -> String {
    let label = part.as_bytes();
    let parts: Vec<_> = std::iter::once(label).chain(texts.iter().copied()).collect();
    vault.keyed_short("settings", &parts)
}

impl Exchange {
    /// Notes in the store that this server is there and how it is set up. Tells in which parts each of the others
    /// differs who are there.
    pub async fn meet(
        &self,
        member: &mut Member,
        settings: &Settings,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, ExchangeError> {
        let key = RecordKey { kind: "servers", id: "00".into() };
        let now = self.clock.now();
        member.times = member.times.saturating_add(1);
        let noted = Noted { at: now, times: member.times, settings: settings.clone() };
        let note = |servers: &mut Servers| {
            let before = servers.clone();
            servers.servers.insert(member.name.clone(), noted.clone());
            servers.forget_those_before(now);
            before
        };
        let before = self.change_record(&key, SERVER_NOTES_RETENTION, now, note).await?;
        Ok(member.look(&before, settings))
    }
}

impl Servers {
    /// Forgets who has noted nothing for long, and beyond a number those who have for longest. If our clock is wrong,
    /// they note it again.
    fn forget_those_before(&mut self, now: Timestamp) {
        let longest = SignedDuration::try_from(SERVER_NOTES_RETENTION).unwrap_or_default();
        self.servers.retain(|_, noted| now.duration_since(noted.at).abs() <= longest);
        while self.servers.len() > SERVERS_NOTED_MAX {
            let oldest = self.servers.iter().min_by_key(|(_, noted)| noted.at);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else { return };
            self.servers.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(part, print)| ((*part).to_owned(), (*print).to_owned())).collect()
    }

    fn servers(noted: &[(&str, u64, Settings)]) -> Servers {
        let noted = noted.iter().map(|(name, times, settings)| {
            let at = Timestamp::UNIX_EPOCH;
            ((*name).to_owned(), Noted { at, times: *times, settings: settings.clone() })
        });
        Servers { servers: noted.collect() }
    }

    #[test]
    fn who_goes_on_to_note_is_there_and_who_stopped_is_not() {
        let own = settings(&[("lines", "a"), ("flows", "b"), ("old", "c")]);
        let other = settings(&[("lines", "z"), ("flows", "b"), ("new", "d")]);
        let mut member = Member::new("us".into());
        let mut look = |times| {
            let there = servers(&[("us", 9, own.clone()), ("them", times, other.clone())]);
            let others = member.look(&there, &own);
            others
                .into_iter()
                .map(|(name, parts)| (name, Vec::from_iter(parts)))
                .collect::<Vec<_>>()
        };
        let differs = || vec![("them".to_owned(), vec!["lines".to_owned()])];
        let alike = || vec![("them".to_owned(), Vec::<String>::new())];
        assert_eq!(look(4), [], "it may have noted this long ago");
        assert_eq!(look(5), alike(), "it may be about to read the same");
        assert_eq!(look(6), differs());
        for _ in 0..SERVER_MISSED_MAX {
            assert_eq!(look(6), differs());
        }
        assert_eq!(look(6), []);
        assert_eq!(look(7), differs(), "it is back");
        assert_eq!(look(1), differs(), "it lost count, and is there");
    }

    /// A change that all servers read at about the same time is no difference, whoever notes it first, and one that only
    /// some of them read is.
    #[test]
    fn a_change_that_all_read_is_told_nowhere_and_one_that_some_read_is() {
        let mut member = Member::new("us".into());
        let mut times = 0;
        let mut look = |own: &str, noted: &str, is_new: bool| {
            times += u64::from(is_new);
            let there = servers(&[("them", times, settings(&[("flows", noted)]))]);
            let others = member.look(&there, &settings(&[("flows", own)]));
            others.values().any(|parts| parts.contains("flows"))
        };
        for is_new in [true, true, false, true] {
            assert!(!look("a", "a", is_new));
        }
        assert!(!look("b", "a", true), "we were first");
        assert!(!look("b", "a", false));
        assert!(!look("b", "a", true), "its note is of before, and it may need as long again");
        assert!(!look("b", "b", true));
        assert!(!look("b", "c", true), "it was first");
        assert!(!look("b", "c", false), "the same note as before says no more");
        assert!(!look("c", "c", true));
        assert!(!look("c", "d", true));
        assert!(!look("e", "d", true), "both go on changing");
        assert!(!look("e", "d", true));
        assert!(look("e", "d", true), "it stays as it is");
        assert!(look("f", "d", true), "it differs as before");
        assert!(!look("d", "d", false), "we have read it, too");
    }

    #[test]
    fn notes_stay_few_and_those_of_long_ago_are_forgotten() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let noted = |second| Noted { at: at(second), times: 1, settings: Settings::new() };
        let now = 1_000_000;
        let many = (0..).take(SERVERS_NOTED_MAX + 5).map(|n| (format!("{n}"), noted(now - n)));
        let old =
            [("old".to_owned(), noted(now - 1_000)), ("ahead".to_owned(), noted(now + 1_000))];
        let mut all = Servers { servers: many.chain(old).collect() };
        all.forget_those_before(at(now));
        assert_eq!(all.servers.len(), SERVERS_NOTED_MAX);
        assert!(all.servers.contains_key("0") && !all.servers.contains_key("ahead"));
        assert!(!all.servers.contains_key(&format!("{SERVERS_NOTED_MAX}")));
    }
}
