//! Codes that the provider checks: each entry is asked about once, however often its turn is taken. What
//! was asked is put down before it is asked, and what was said after it; of an asking that a crash came
//! in between nobody learns what came, and it is not asked again.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::record::ANSWER_KEPT_FOR;
use super::{Exchange, ExchangeError};
use crate::engine::account::Whom;
use crate::engine::ledger::Ledger;
use crate::engine::question::Verdict;
use crate::flow::level::Fact;
use crate::outbound::verifications::Verifications;
use crate::phone::PhoneNumber;
use crate::secret::Secret;
use crate::store::RecordKey;

const RECORD: &str = "verification";
/// How often whoever takes the same turn at the same time looks what the other was told.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// An entry that the provider was asked about.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Asked {
    asked: bool,
    verdict: Option<Verdict>,
}

impl Exchange {
    /// Lets these send and check codes of text messages. Whether they do is in the policy.
    #[must_use]
    pub fn verifying_with(mut self, verifications: Arc<dyn Verifications>) -> Self {
        self.verifications = Some(verifications);
        self
    }

    /// Who sends and checks codes of their own.
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

    /// Waits for what whoever asked is told, as long as there is time.
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
                // Whoever comes later hears the same.
                let none = |record: &mut Asked| *record.verdict.get_or_insert(Verdict::Unanswered);
                return self.change_record(key, ANSWER_KEPT_FOR, now, none).await;
            }
            tokio::time::sleep_until(next).await;
        }
    }

    /// The provider sends this account no more codes for a while.
    pub(crate) async fn exhaust_sends(&self, whom: &Whom) -> Result<(), ExchangeError> {
        let now = self.clock.now();
        let exhaust = |ledger: &mut Ledger| ledger.exhaust_sends(Fact::SmsOtp, now);
        self.change_ledger(whom, now, exhaust).await
    }
}
