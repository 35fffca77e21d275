//! One event handled: what the call becomes, what is answered, and what is to be done.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::audit::{self, Noted};
use super::call::{Call, End, Position};
use super::effect::Effect;
use super::event::Event;
use super::id::{EffectId, TurnId};
use super::is_default;
use super::question::{Answer, Question};
use super::reply::Reply;
use crate::flow::level::Fact;
use crate::flow::outcome::Outcome;

/// When a turn happens, and the randomness it may use: both are arguments, so that a turn can be run
/// again exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// The turn's id, random.
    pub turn: TurnId,
    /// What nonces are made of: at least 128 random bits, as many as a nonce has.
    #[serde(with = "seed")]
    pub seed: [u8; 32],
}

/// A seed as it is written: as hexadecimal digits, half of them if the other half is empty; an older callgate
/// wrote a list of numbers.
mod seed {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Digits(String),
        Numbers([u8; 32]),
    }

    pub(super) fn serialize<S: Serializer>(seed: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        match (half(seed, 0), half(seed, 16)) {
            (half, 0) => to.collect_str(&format_args!("{half:032x}")),
            (first, second) => to.collect_str(&format_args!("{first:032x}{second:032x}")),
        }
    }

    fn half(seed: &[u8; 32], from: usize) -> u128 {
        seed.iter().skip(from).take(16).fold(0, |half, byte| half << 8 | u128::from(*byte))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let digits = match Written::deserialize(from)? {
            Written::Numbers(seed) => return Ok(seed),
            Written::Digits(digits) => digits,
        };
        let halves = digits.split_at_checked(32).filter(|(_, low)| matches!(low.len(), 0 | 32));
        let half = |digits: &str| match digits {
            "" => Some(0),
            digits => u128::from_str_radix(digits, 16).ok(),
        };
        let halves = halves.and_then(|(high, low)| Some((half(high)?, half(low)?)));
        let (high, low) = halves.ok_or_else(|| D::Error::custom("a seed has 32 digits, or 64"))?;
        let mut seed = [0; 32];
        let bytes = high.to_be_bytes().into_iter().chain(low.to_be_bytes());
        seed.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        Ok(seed)
    }
}

impl Moment {
    /// The moment as the call sees it: if the clock was set back, the call has seen a later one.
    #[must_use]
    pub fn as_seen_by(&self, call: Option<&Call>) -> Self {
        let seen = call.and_then(|call| call.seen);
        Self { now: seen.map_or(self.now, |seen| seen.max(self.now)), ..self.clone() }
    }
}

/// A moment that lies this much later; the end of time if there is none.
pub fn later(moment: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// What comes of one run of the machine.
#[derive(Clone, Debug)]
pub enum Step {
    /// A question must be answered first.
    Ask(Box<Question>),
    /// It is done.
    Turn(Box<Turn>),
}

/// One event handled: all of it is committed together, or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// What the call becomes.
    pub call: Call,
    /// What the leg that asked is answered with.
    pub reply: Arc<Reply>,
    /// What is to be done in the world.
    pub effects: Vec<(EffectId, Effect)>,
    /// When the call wants to be woken.
    pub deadline: Option<Timestamp>,
    /// What is written down of it.
    pub entry: Entry,
    /// What an audit wants to know of it.
    pub noted: Vec<Noted>,
    /// Whether an account was claimed, looked up or verified in it, or could have been: then the time that its
    /// answer takes must not tell what was found.
    pub discreet: bool,
    /// Whether what the caller gave did not answer the question: silence, too many keys, other words.
    pub unusable: bool,
}

/// What is written of a turn: enough to run it again, and no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The turn's number in the call, from 1.
    pub number: u64,
    /// When, and with what randomness.
    pub moment: Moment,
    /// What happened, without secrets.
    pub event: Event,
    /// What the shell answered, without secrets.
    #[serde(default, skip_serializing_if = "is_default")]
    pub answers: Vec<Answer>,
    /// The states that were passed through.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hops: Vec<Hop>,
    /// Facts that were proved.
    #[serde(default, skip_serializing_if = "is_default")]
    pub proved: Vec<Fact>,
    /// The names of the effects.
    #[serde(default, skip_serializing_if = "is_default")]
    pub effects: Vec<EffectId>,
    /// How the call ended, if it did.
    #[serde(default, skip_serializing_if = "is_default")]
    pub end: Option<End>,
    /// What broke the rules without changing the call.
    #[serde(default, skip_serializing_if = "is_default")]
    pub remarks: Vec<Remark>,
    /// What an audit keeps of it, chained to the turns before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audit: Vec<audit::Entry>,
}

/// A state that was entered, and the outcome that led on from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The state.
    pub at: Position,
    /// How it ended; `None`: the call waits in it, or a key or case led on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub outcome: Option<Outcome>,
}

/// Something that an operator should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    /// More states in one turn than any caller can ask for.
    TooManyHops,
    /// More turns than any real call has.
    TooManyTurns,
    /// More step-ups or sub-flows nested than any flow has.
    TooDeep,
    /// A state or flow that does not exist.
    NoSuchState,
    /// An outcome that leads nowhere.
    NoRoute,
    /// A state whose level is not met, with no way to prove it or be turned away.
    Withheld,
    /// A text that could not be filled in.
    Unspeakable,
    /// A leg that the provider names differently than before.
    OtherSid,
    /// A branch asked about a variable that the caller may not hear, and went on as if it had no value.
    Unread,
    /// A demand was not met, and a replay let it pass.
    Unenforced,
}

impl Remark {
    /// What it means, for logs: only some of them are the flow's fault.
    pub fn means(self) -> &'static str {
        match self {
            Self::TooManyHops
            | Self::TooManyTurns
            | Self::TooDeep
            | Self::NoSuchState
            | Self::NoRoute
            | Self::Withheld => "the flow cannot go on as written",
            Self::Unspeakable => {
                "a text could not be filled in, or no message had room for what it was to name"
            }
            Self::OtherSid => {
                "the provider has two names for a leg that was placed: neither is believed, and both are ended"
            }
            Self::Unread => {
                "a branch asked about a variable that the caller may not hear, and went on as without it"
            }
            Self::Unenforced => "a demand was not met, and a replay let it pass",
        }
    }
}
