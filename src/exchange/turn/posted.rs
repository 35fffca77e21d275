//! Effects as they are stored in the outbox: sealed, with the turn and the trace that posted them.

use serde::{Deserialize, Serialize};

use crate::engine::effect::Effect;
use crate::engine::id::{CallId, EffectId};
use crate::exchange::Exchange;
use crate::store::envelope::{EnvelopeError, Kind};
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
    /// The line that its call came in on: no single line may fill the outbox.
    #[serde(default)]
    pub line: String,
    /// How often it was claimed and then put back to let others go first: those claims were no tries.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub passed_over: u32,
    /// The trace that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl<E> Posted<E> {
    /// An effect that the turn of this number posts, of a call to this line, within the current trace.
    pub fn now(effect: E, line: &str, turn: u64) -> Self {
        let traceparent = trace::parent();
        Self { effect, turn, line: line.to_owned(), passed_over: 0, traceparent }
    }

    /// The same, after a claim that was no try.
    pub fn passed_over(self) -> Self {
        Self { passed_over: self.passed_over.saturating_add(1), ..self }
    }
}

impl Exchange {
    /// An effect as it is stored in the outbox.
    pub fn seal_effect<E: Serialize>(&self, id: EffectId, posted: &Posted<E>) -> Vec<u8> {
        let nonce = self.seal_nonce();
        self.vault.seal(Kind::Effect, &id.to_string(), posted, nonce)
    }

    /// An effect of the outbox; `None`: it cannot be read here.
    pub fn open_effect(&self, id: EffectId, sealed: &[u8]) -> Option<Posted> {
        self.vault.open(Kind::Effect, &id.to_string(), sealed).ok()?.read()
    }

    /// Whether an effect that cannot be read here can be read nowhere, because it was altered in the store; one
    /// under another key, or from a newer callgate, can be read elsewhere.
    pub async fn is_altered(&self, call: CallId, id: EffectId, sealed: &[u8]) -> bool {
        match self.vault.open(Kind::Effect, &id.to_string(), sealed) {
            Err(EnvelopeError::Altered) => true,
            // The name of the key may be what was altered: the effect is ours, if that of its call is.
            Err(EnvelopeError::WrongKey) => matches!(self.load(call).await, Ok(Some(_))),
            Ok(_) | Err(EnvelopeError::UnknownVersion(_)) => false,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}
