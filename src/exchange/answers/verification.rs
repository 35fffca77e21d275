//! Codes that the provider checks: it is asked about each entry once, however often the turn is taken. The
//! question is written down before it is asked, and the answer after it. If a crash came in between, nobody
//! learns the answer, and the provider is not asked again.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::engine::account::Whom;
use crate::engine::ledger::Ledger;
use crate::engine::question::Verdict;
use crate::exchange::record::ANSWER_KEPT_FOR;
use crate::exchange::{Exchange, ExchangeError};
use crate::flow::level::Fact;
use crate::outbound::verifications::Verifications;
use crate::phone::PhoneNumber;
use crate::secret::Secret;
use crate::store::RecordKey;

const RECORD: &str = "verification";
/// How often one who takes the same turn at the same time looks for the answer that the other got.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// An entry that the provider was asked about.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::exchange) struct Asked {
    asked: bool,
    verdict: Option<Verdict>,
}

impl Exchange {
    /// Lets these send and check the codes of text messages. Whether they do is in the policy.
    #[must_use]
    pub fn verifying_with(mut self, verifications: Arc<dyn Verifications>) -> Self {
        self.verifications = Some(verifications);
        self
    }

    /// Who sends codes of their own and checks them.
    pub(crate) fn verifications(&self) -> Option<&Arc<dyn Verifications>> {
        self.verifications.as_ref()
    }

    pub(super) async fn check_with_provider(
        &self,
        key: &str,
        to: Option<&PhoneNumber>,
        entry: &Secret,
        now: Timestamp,
        until: Instant,
    ) -> Result<Verdict, ExchangeError> {
        let Some(verifications) = &self.verifications else { return Ok(Verdict::Unanswered) };
        let id = self.vault.keyed_hex(RECORD, &[key.as_bytes()]);
        let key = RecordKey { kind: RECORD, id };
        let begin = |record: &mut Asked| {
            let before = record.clone();
            record.asked = true;
            before
        };
        let before = self.change_record(&key, ANSWER_KEPT_FOR, now, begin).await?;
        match before {
            Asked { verdict: Some(verdict), .. } => return Ok(verdict),
            Asked { asked: true, verdict: None } => {
                return self.what_another_is_told(&key, now, until).await;
            }
            Asked { asked: false, verdict: None } => {}
        }
        let verdict = verifications.check(to, entry, until).await;
        let first = |record: &mut Asked| *record.verdict.get_or_insert(verdict);
        self.change_record(&key, ANSWER_KEPT_FOR, now, first).await
    }

    /// Waits for the answer to whoever asked first, as long as there is time.
    async fn what_another_is_told(
        &self,
        key: &RecordKey,
        now: Timestamp,
        until: Instant,
    ) -> Result<Verdict, ExchangeError> {
        loop {
            let told = |record: &mut Asked| record.verdict;
            if let Some(verdict) = self.change_record(key, ANSWER_KEPT_FOR, now, told).await? {
                return Ok(verdict);
            }
            let next = Instant::now() + LOOK_EVERY;
            if next >= until {
                // Whoever comes later gets the same answer.
                let none = |record: &mut Asked| *record.verdict.get_or_insert(Verdict::Unanswered);
                return self.change_record(key, ANSWER_KEPT_FOR, now, none).await;
            }
            tokio::time::sleep_until(next).await;
        }
    }

    /// The provider sends no more codes to this account for a while.
    pub(crate) async fn exhaust_sends(&self, whom: &Whom) -> Result<(), ExchangeError> {
        let now = self.clock.now();
        let exhaust = |ledger: &mut Ledger| ledger.exhaust_sends(Fact::SmsOtp, now);
        self.change_ledger(whom, now, exhaust).await
    }
}
