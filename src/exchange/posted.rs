//! Effects as they lie in the outbox: sealed, with the turn and the trace that posted them.

use serde::{Deserialize, Serialize};

use super::{Exchange, json};
use crate::engine::effect::Effect;
use crate::engine::id::EffectId;
use crate::store::envelope::Kind;
use crate::telemetry::trace;

/// An effect as it is sealed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Posted<E = Effect> {
    /// What is to be done.
    #[serde(flatten)]
    pub effect: E,
    /// The number of the turn that posted it: a copy of the call with fewer turns is older.
    #[serde(default)]
    pub turn: u64,
    /// The trace that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Exchange {
    /// An effect as it lies in the outbox, posted by the turn of this number.
    pub fn seal_effect(&self, id: EffectId, effect: &Effect, turn: u64) -> Vec<u8> {
        let nonce = self.seal_nonce();
        let posted = Posted { effect, turn, traceparent: trace::parent() };
        self.vault.seal(Kind::Effect, &id.to_string(), "", &json(&posted), nonce)
    }

    /// An effect of the outbox; `None`: it cannot be read here.
    pub fn open_effect(&self, id: EffectId, sealed: &[u8]) -> Option<Posted> {
        let opened = self.vault.open(Kind::Effect, &id.to_string(), sealed).ok()?;
        serde_json::from_slice(&opened.plain).ok()
    }
}
