//! Numbers looked up before they are used, each once under its key: the look-up costs money, and a turn
//! that is taken again gets the answer that it had.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Exchange, ExchangeError};
use crate::engine::account::Phone;
use crate::engine::eligibility::{Fit, Purpose, Word};
use crate::engine::id::CallId;
use crate::engine::risk::Signal;
use crate::limits;
use crate::outbound::numbers::{About, Numbers};
use crate::phone::PhoneNumber;
use crate::store::RecordKey;

const NUMBER: &str = "number";
const CALLER: &str = "caller-looked-up";
/// Longer than a turn is taken again after a crash or a lost race.
const KEPT_FOR: Duration = Duration::from_mins(15);

/// A number that was looked up, for an operator's eye.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LookedUp {
    /// Whether it may be used, and why not.
    pub fit: &'static str,
}

/// Whether a number may be used.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
struct Judged {
    fit: Option<Fit>,
}

/// What is known of a caller's number.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
struct Signalled {
    signals: Option<BTreeSet<Signal>>,
}

impl Exchange {
    /// Asks here about numbers on file before they are used, and with `callers` about each caller's
    /// when it rings. Whether the machine asks at all is in the policy.
    #[must_use]
    pub fn looking_up(mut self, numbers: Arc<dyn Numbers>, callers: bool) -> Self {
        self.numbers = Some(numbers);
        self.looks_up_callers = callers;
        self
    }

    pub(super) async fn is_eligible(
        &self,
        key: &str,
        to: Option<&Phone>,
        purpose: Purpose,
        now: Timestamp,
        until: Instant,
    ) -> Result<Fit, ExchangeError> {
        let id = self.vault.keyed_hex(NUMBER, &[key.as_bytes()]);
        let key = RecordKey { kind: NUMBER, id };
        let known = |judged: &mut Judged| judged.fit;
        if let Some(fit) = self.change_record(&key, KEPT_FOR, now, known).await? {
            return Ok(fit);
        }
        let about = to.map_or(About::Nobody(purpose), |phone| About::OnFile(phone, purpose));
        let told = match &self.numbers {
            Some(numbers) => numbers.look_up(about, until).await,
            None => None,
        };
        let fit = match (told, to) {
            (None, _) => Fit::Unknown,
            (Some(_), None) => Fit::Fits,
            (Some(told), Some(phone)) => told.fit(purpose, phone.line, &self.policy.contact, now),
        };
        if to.is_some() {
            let name = Fit::ALL.iter().find(|(_, it)| *it == fit).map_or("", |(name, _)| name);
            self.guards.looked_up.get_or_create(&LookedUp { fit: name }).inc();
        }
        let first = |judged: &mut Judged| *judged.fit.get_or_insert(fit);
        self.change_record(&key, KEPT_FOR, now, first).await
    }

    /// What networks say against a caller's number, asked once for a call.
    pub(super) async fn against_caller(
        &self,
        call: CallId,
        caller: &PhoneNumber,
    ) -> Result<BTreeSet<Signal>, ExchangeError> {
        let Some(numbers) = self.numbers.as_ref().filter(|_| self.looks_up_callers) else {
            return Ok(BTreeSet::new());
        };
        let now = self.clock.now();
        let id = self.vault.keyed_hex(CALLER, &[call.to_string().as_bytes()]);
        let key = RecordKey { kind: CALLER, id };
        let known = |record: &mut Signalled| record.signals.clone();
        if let Some(signals) = self.change_record(&key, KEPT_FOR, now, known).await? {
            return Ok(signals);
        }
        let until = Instant::now() + limits::CALLER_LOOKED_UP_WITHIN;
        let customer = super::answer::in_time(until, self.directory.by_phone(caller)).await?;
        let since = customer.and_then(|customer| {
            let of_caller = |phone: &&Phone| phone.number == *caller;
            customer.account.phones.iter().find(of_caller).map(|phone| phone.since)
        });
        let mut signals = BTreeSet::new();
        match numbers.look_up(About::Caller(caller, since), until).await {
            None => {
                signals.insert(Signal::LookUpFailed);
            }
            Some(told) => {
                if told.is_swapped(&self.policy.contact, now) {
                    signals.insert(Signal::SimSwapped);
                }
                if told.reassigned == Word::Says(true) {
                    signals.insert(Signal::Reassigned);
                }
            }
        }
        let first =
            |record: &mut Signalled| record.signals.get_or_insert_with(|| signals.clone()).clone();
        self.change_record(&key, KEPT_FOR, now, first).await
    }
}
