//! Look-ups at the business's own back ends: each is asked once under its key, however often the turn is taken.
//! The first answer is kept, sealed, as long as anybody may ask for it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::engine::question::LookUp;
use crate::exchange::record::ANSWER_KEPT_FOR;
use crate::exchange::{Exchange, ExchangeError};
use crate::flow::name::VariableName;
use crate::flow::value::Value;
use crate::outbound::backends::Backends;
use crate::store::RecordKey;

const RECORD: &str = "looked-up";

/// What a back end answered.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::exchange) struct Record {
    found: Option<BTreeMap<VariableName, Value>>,
}

impl Exchange {
    /// Asks these back ends; without any, no look-up is answered.
    #[must_use]
    pub fn asking(mut self, backends: Arc<dyn Backends>) -> Self {
        self.backends = Some(backends);
        self
    }

    pub(super) async fn look_up(
        &self,
        question: &LookUp,
        now: Timestamp,
        until: Instant,
    ) -> Result<Option<BTreeMap<VariableName, Value>>, ExchangeError> {
        // The key contains a nonce that nobody else has: back ends get a name derived from it.
        let id = self.vault.keyed_hex(RECORD, &[question.key.as_bytes()]);
        let key = RecordKey { kind: RECORD, id: id.clone() };
        let known = |record: &mut Record| record.found.clone();
        if let Some(found) = self.change_record(&key, ANSWER_KEPT_FOR, now, known).await? {
            return Ok(Some(found));
        }
        let Some(backends) = &self.backends else { return Ok(None) };
        let Some(found) = backends.ask(question, &id, until).await else { return Ok(None) };
        let first = |record: &mut Record| record.found.get_or_insert_with(|| found.clone()).clone();
        Ok(Some(self.change_record(&key, ANSWER_KEPT_FOR, now, first).await?))
    }
}
