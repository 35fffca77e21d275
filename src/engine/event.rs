//! What happens to a call.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::id::{EffectId, LegId, Nonce, Sid};
use super::is_default;
use super::question::zeros;
use super::risk::{Caller, Signal};
use crate::flow::condition::Attestation;
use crate::flow::name::LevelName;
use crate::phone::PhoneNumber;
use crate::secret::Secret;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Somebody rings.
    Ring(Ring),
    /// The provider asks for a leg's next answer: what was heard on it since.
    Heard {
        /// The leg.
        leg: LegId,
        /// The nonce that is spent by it.
        nonce: Nonce,
        /// The provider's name of the leg.
        sid: Sid,
        /// What was heard.
        heard: Box<Heard>,
    },
    /// A leg's status changed.
    LegStatus {
        /// The leg.
        leg: LegId,
        /// The provider's name of the leg.
        sid: Sid,
        /// To what.
        status: LegStatus,
    },
    /// The provider took a call that we asked it to place.
    Placed {
        /// The effect.
        effect: EffectId,
        /// The leg.
        leg: LegId,
        /// The provider's name of it.
        sid: Sid,
    },
    /// The provider refused to place a call.
    NotPlaced {
        /// The effect.
        effect: EffectId,
        /// The leg.
        leg: LegId,
    },
    /// A message did not arrive, or was refused.
    Undelivered {
        /// The effect that sent it.
        effect: EffectId,
    },
    /// A message arrived.
    Delivered {
        /// The effect that sent it.
        effect: EffectId,
    },
    /// A specialist asks that the caller prove a level.
    StepUp {
        /// The level.
        level: LevelName,
        /// Who asks, for the audit.
        by: String,
    },
    /// The call's deadline has come.
    Deadline,
}

/// Somebody rings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    /// The call that this begins.
    pub call: super::id::CallId,
    /// The provider's name of the leg.
    pub sid: Sid,
    /// The flow that the line leads to.
    pub flow: String,
    /// The number called, as the provider writes it.
    pub line: String,
    /// The caller's number, if one is shown.
    pub from: Option<PhoneNumber>,
    /// What the network says of it.
    pub attestation: Attestation,
    /// Whether the call was forwarded to us.
    pub forwarded: bool,
    /// What was counted or looked up about the call.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub signals: BTreeSet<Signal>,
}

impl Ring {
    /// Who calls, as far as the network says.
    pub fn caller(&self) -> Caller {
        Caller {
            number: self.from.clone(),
            attestation: self.attestation,
            forwarded: self.forwarded,
        }
    }
}

/// What was heard on a leg. The waiting state uses what it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Heard {
    /// A keyed digest of keys and speech, made by the shell: shows whether a repeated request is the same.
    #[serde(default, skip_serializing_if = "is_default")]
    pub digest: String,
    /// Keys, without the one that ended them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub digits: Secret,
    /// Recognised speech.
    #[serde(default, skip_serializing_if = "is_default")]
    pub speech: Secret,
    /// How a dial ended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dial: Option<DialStatus>,
    /// How a queue was left.
    #[serde(default, skip_serializing_if = "is_default")]
    pub queue: Option<QueueResult>,
    /// Whether something was recorded.
    #[serde(default, skip_serializing_if = "is_default")]
    pub recorded: bool,
    /// Who answered a leg that we placed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub answered_by: Option<AnsweredBy>,
    /// Whether the leg has ended, so that nobody hears the answer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub over: bool,
}

/// How a dial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialStatus {
    /// Somebody answered, and it is over.
    Completed,
    /// A conference was joined.
    Answered,
    /// Engaged.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// It could not be connected.
    Failed,
    /// It was cancelled while ringing.
    Canceled,
}

/// How a queue was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueResult {
    /// With an agent.
    Bridged,
    /// Because the caller hung up.
    Hangup,
    /// Because there was no room.
    Full,
    /// By a redirect.
    Left,
    /// Because of an error.
    Error,
}

/// Who answered a leg that we placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    /// A person.
    Human,
    /// A machine.
    Machine,
    /// A fax.
    Fax,
    /// Unknown.
    Unknown,
}

/// A leg's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegStatus {
    /// On its way, or ringing.
    Ringing,
    /// Answered.
    InProgress,
    /// Answered, and over.
    Completed,
    /// Engaged.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// It could not be connected.
    Failed,
    /// It was cancelled.
    Canceled,
}

impl LegStatus {
    /// Whether the leg is over.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Ringing | Self::InProgress)
    }
}

impl Event {
    /// The event without what must not be kept. `secret`: what was keyed or said was a secret; `unusable`: or
    /// rather, could not be one.
    pub fn redacted(&self, secret: bool, unusable: bool) -> Self {
        let mut event = self.clone();
        if secret && let Self::Heard { heard, .. } = &mut event {
            heard.digits = shape(&heard.digits);
            heard.speech = zeros(&heard.speech);
            // As many zeros as it had characters might be one. A single one is none, and so it is again
            // when the journal is run again.
            if unusable && !heard.speech.is_empty() {
                heard.speech = Secret::new("0");
            }
        }
        event
    }

    /// Its name, for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ring(_) => "ring",
            Self::Heard { .. } => "heard",
            Self::LegStatus { .. } => "leg_status",
            Self::Placed { .. } => "placed",
            Self::NotPlaced { .. } => "not_placed",
            Self::Undelivered { .. } => "undelivered",
            Self::Delivered { .. } => "delivered",
            Self::StepUp { .. } => "step_up",
            Self::Deadline => "deadline",
        }
    }
}

/// As many zeros, with `*` and `#` left in place: a key that asks for something is no secret.
fn shape(keys: &Secret) -> Secret {
    let zero = |key: char| if matches!(key, '*' | '#') { key } else { '0' };
    Secret::new(keys.expose().chars().map(zero).collect::<String>())
}
