//! The ways in which a state can end.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How a state ended: what `on` routes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is done, and there is but one way on.
    Next,
    /// It succeeded.
    Ok,
    /// It did not succeed, and no more tries are left.
    Failed,
    /// Too many failures, here or in other calls.
    Locked,
    /// An account was found.
    Found,
    /// No account was found.
    Unknown,
    /// A message is on its way.
    Sent,
    /// There is nothing on file to use.
    Unavailable,
    /// Too much has been sent or rung already.
    Limited,
    /// The code has run out of time.
    Expired,
    /// The message did not arrive.
    Undelivered,
    /// Nobody answered.
    NoAnswer,
    /// The caller stayed silent.
    NoInput,
    /// The caller said or keyed something else.
    NoMatch,
    /// What the caller gave is not what was asked for.
    Invalid,
    /// The transfer took place.
    Completed,
    /// Engaged, or the queue is full.
    Busy,
    /// The specialist did not take the call.
    Declined,
    /// The level of the state cannot be met.
    Denied,
    /// No case of a branch holds.
    Otherwise,
    /// A sub-flow's own word.
    Named(Arc<str>),
}

/// The outcomes with fixed words.
const WORDS: &[(&str, Outcome)] = &[
    ("next", Outcome::Next),
    ("ok", Outcome::Ok),
    ("failed", Outcome::Failed),
    ("locked", Outcome::Locked),
    ("found", Outcome::Found),
    ("unknown", Outcome::Unknown),
    ("sent", Outcome::Sent),
    ("unavailable", Outcome::Unavailable),
    ("limited", Outcome::Limited),
    ("expired", Outcome::Expired),
    ("undelivered", Outcome::Undelivered),
    ("no_answer", Outcome::NoAnswer),
    ("no_input", Outcome::NoInput),
    ("no_match", Outcome::NoMatch),
    ("invalid", Outcome::Invalid),
    ("completed", Outcome::Completed),
    ("busy", Outcome::Busy),
    ("declined", Outcome::Declined),
    ("denied", Outcome::Denied),
    ("otherwise", Outcome::Otherwise),
];

impl Outcome {
    /// The outcome of this word; any word but the fixed ones is a sub-flow's own.
    pub fn of(word: &str) -> Self {
        let fixed = WORDS.iter().find(|(known, _)| *known == word);
        fixed.map_or_else(|| Self::Named(word.into()), |(_, outcome)| outcome.clone())
    }

    /// The word for it in a flow file.
    pub fn as_str(&self) -> &str {
        if let Self::Named(word) = self {
            return word;
        }
        WORDS.iter().find(|(_, outcome)| outcome == self).map_or("", |(word, _)| word)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
