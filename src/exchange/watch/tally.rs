//! What calls bring about, counted for an operator: nothing in it says whose call it was.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use serde::{Deserialize, Serialize};

use super::versions::{Version, Versions};
use crate::engine::audit::Deed;
use crate::engine::event::Event;
use crate::engine::question::Verdict;
use crate::engine::turn::Turn;
use crate::exchange::Exchange;

/// What is counted of committed turns and of the outbox.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Facts granted.
    pub facts: Family<Granted, Counter>,
    /// Entries judged.
    pub attempts: Family<Judged, Counter>,
    /// What callers gave that did not answer the question.
    pub unusable: Family<Unusable, Counter>,
    /// States that identify, send, verify, hand over or refuse, and have ended.
    pub states: Family<StateEnded, Counter>,
    /// Calls begun and ended, by flow version.
    pub versions: Versions,
    /// Effects that were given up.
    pub dead_letters: Family<Dead, Counter>,
}

/// A fact that was granted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Granted {
    /// Which.
    pub fact: &'static str,
}

/// An entry that was judged.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Judged {
    /// The factor it was for.
    pub factor: &'static str,
    /// How; `locked`: the entry was not checked, because no attempt was left.
    pub verdict: Judgement,
}

/// How an entry was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Judgement {
    /// It was right.
    Right,
    /// It was wrong.
    Wrong,
    /// The factor is locked.
    Locked,
    /// The provider, whose code it is, did not judge it.
    Unjudged,
}

/// Something given that did not answer the question.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Unusable {
    /// What.
    pub given: Given,
}

/// What a caller gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Given {
    /// Nothing.
    Silence,
    /// Keys of a telephone: too many, too few, or others than were offered.
    Keys,
    /// Characters that no telephone can send in place of keys.
    NoKeys,
    /// Words.
    Speech,
}

/// A state that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StateEnded {
    /// Its type.
    pub state: String,
    /// How.
    pub outcome: String,
}

/// An effect that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Dead {
    /// What was to be done.
    pub effect: String,
    /// Why it was not.
    pub why: Why,
}

/// Why an effect was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, EncodeLabelValue)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It was refused for good.
    Refused,
    /// It was put off too often.
    NotDone,
    /// Nobody knows, after too many tries.
    Unknown,
    /// It would have come too late.
    Late,
}

impl Why {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::NotDone => "not done",
            Self::Unknown => "unknown",
            Self::Late => "too late",
        }
    }
}

impl Exchange {
    /// What is counted.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl Tally {
    /// Counts what a committed turn brought about.
    pub(in crate::exchange) fn count(
        &self,
        turn: &Turn,
        event: &Event,
        is_current: impl Fn(&Version) -> bool,
    ) {
        let now = turn.entry.moment.now;
        if matches!(event, Event::Ring(_)) {
            self.versions.begin(&turn.call, now);
        }
        if turn.entry.end.is_some() {
            self.versions.end(&turn.call, now, is_current);
        }
        if let Some(given) = unusable(turn, event) {
            self.unusable.get_or_create(&Unusable { given }).inc();
        }
        for noted in &turn.noted {
            match &noted.deed {
                Deed::Ended { state, outcome } => {
                    let ended = StateEnded { state: state.clone(), outcome: outcome.to_string() };
                    self.states.get_or_create(&ended).inc();
                }
                Deed::Proved { factor } => {
                    self.facts.get_or_create(&Granted { fact: factor.as_str() }).inc();
                }
                Deed::Attempt { factor, verdict } => {
                    let verdict = match verdict {
                        Verdict::Right | Verdict::RightByOneFactor => Judgement::Right,
                        Verdict::Wrong => Judgement::Wrong,
                        Verdict::Locked => Judgement::Locked,
                        Verdict::Expired | Verdict::Exhausted | Verdict::Unanswered => {
                            Judgement::Unjudged
                        }
                    };
                    let judged = Judged { factor: factor.as_str(), verdict };
                    self.attempts.get_or_create(&judged).inc();
                }
                _ => {}
            }
        }
    }
}

/// What was given in a turn, if it did not answer the question.
pub(in crate::exchange) fn unusable(turn: &Turn, event: &Event) -> Option<Given> {
    let Event::Heard { heard, .. } = event else { return None };
    let (keys, speech) = (heard.digits.expose(), heard.speech.expose());
    let is_key = |key: char| key.is_ascii_digit() || "*#ABCD".contains(key);
    turn.unusable.then_some(match (keys, speech.trim()) {
        ("", "") => Given::Silence,
        ("", _) => Given::Speech,
        (keys, _) if keys.chars().all(is_key) => Given::Keys,
        _ => Given::NoKeys,
    })
}
