//! What an audit wants to know of a call: who claimed what, tried what, proved what, was let where.
//!
//! The machine notes deeds as it walks; the shell writes them down, chained, with the turn. A deed contains no
//! secret, and the account it is about becomes a keyed reference before it is written.
//!
//! The hashes are over what was written, spelled anew by whoever reads it. So nobody reads what has more in it than
//! they know: without it, it would be altered.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::account::Whom;
use super::id::{CallId, EffectId};
use super::question::Verdict;
use crate::flow::level::Fact;
use crate::flow::outcome::Outcome;
use crate::flow::state::Kind;

/// Something done, and about whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Whose account it concerns, as claimed.
    pub whom: Whom,
    /// What was done.
    pub deed: Deed,
}

/// Something that an audit keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Deed {
    /// A state that identifies, sends, verifies, hands over or refuses came to an end.
    Ended {
        /// Its type.
        state: String,
        /// How.
        outcome: Outcome,
    },
    /// An attempt was reserved and judged; `locked`: no attempt was left.
    Attempt {
        /// With which factor.
        factor: Fact,
        /// The judgement.
        verdict: Verdict,
    },
    /// A fact was granted.
    Proved {
        /// Which.
        factor: Fact,
    },
    /// A level was missing, and the caller was sent to prove it.
    StepUp {
        /// The level.
        level: String,
    },
    /// A specialist asked that the caller prove a level.
    Asked {
        /// The level.
        level: String,
        /// Who asked.
        by: String,
    },
    /// What came of that.
    Answered {
        /// The level.
        level: String,
        /// What.
        result: Proving,
    },
    /// The owner of the account was told of something.
    Notified {
        /// About what: `failures`, `disabled`, `lifted`, or the name of a state.
        of: String,
        /// Over which channel; `None`: the only one left is under attack.
        over: Option<String>,
    },
    /// Something with a level of its own was put into a text: what was told, never in what words.
    Told {
        /// To whom.
        to: Hearer,
        /// By which state; if it belongs to another flow than the call's, that flow's name stands before it.
        state: String,
        /// The names of the fields (`account.balance`) and variables.
        of: Vec<String>,
        /// Their levels, which were met.
        levels: Vec<String>,
    },
    /// The caller was handed over.
    Transferred {
        /// The names of the fields that were shared, never their values.
        shared: Vec<String>,
    },
    /// A code for the telephone was issued to a customer who was logged in on the web.
    ServiceCodeIssued {
        /// How well that session had authenticated the customer.
        level: String,
    },
    /// Locks were lifted by an operator.
    Unlocked {
        /// The name of the operator's token, or how else it was done.
        by: String,
    },
    /// An effect that the outbox had given up is tried again.
    LetterRetried {
        /// The call that it belongs to, and the effect.
        letter: Letter,
        /// By whom: the name of a token, or how else.
        by: String,
    },
    /// An effect that the outbox had given up is not to be done.
    LetterDropped {
        /// The call that it belongs to, and the effect.
        letter: Letter,
        /// By whom: the name of a token, or how else.
        by: String,
    },
}

/// Who was told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hearer {
    /// Whoever calls heard it.
    Caller,
    /// Whoever was asked to take the call heard it.
    Specialist,
    /// It was written to a contact on file.
    Contact,
    /// A back end was asked with it.
    Backend,
}

/// What came of asking that the caller prove a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proving {
    /// The caller is proving it now.
    Pending,
    /// The level is met.
    Passed,
    /// It is not.
    Failed,
}

/// An effect that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// The call it belongs to.
    pub call: CallId,
    /// Its name.
    pub effect: EffectId,
    /// What kind of effect.
    pub what: String,
}

/// An entry of a call's chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number in the call, from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Whom it concerns: a keyed hash of what was claimed.
    pub about: String,
    /// What was done.
    pub deed: Deed,
    /// The keyed hash over the hash before it and all of this.
    pub hash: String,
}

/// The end of a chain, so far.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// How many entries or links there are.
    pub number: u64,
    /// The hash of the last; empty before the first.
    pub hash: String,
    /// When the last was written.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

impl Entry {
    /// The end of a chain whose last entry this is.
    pub fn head(&self) -> Head {
        Head { number: self.number, hash: self.hash.clone(), at: Some(self.at) }
    }
}

/// Whether the audit keeps how a state ended: if nothing is claimed, sent, verified or handed over in it, only
/// that somebody was turned away.
pub(super) fn is_noted(kind: &Kind, outcome: &Outcome) -> bool {
    let plain = matches!(
        kind,
        Kind::Say(_)
            | Kind::Menu(_)
            | Kind::Gather(_)
            | Kind::Voicemail(_)
            | Kind::Lookup(_)
            | Kind::Branch(_)
            | Kind::Set(_)
            | Kind::Call(_)
            | Kind::Return(_)
            | Kind::Hangup(_)
            | Kind::Reject(_)
    );
    // That the combined verdict is still to come is no end; the attempt itself is noted.
    let open = kind.is_combined() && *outcome == Outcome::Ok;
    !(plain || open) || *outcome == Outcome::Denied
}
