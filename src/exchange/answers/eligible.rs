//! Numbers are looked up before they are used, each once under its key: a look-up costs money, and a turn that is
//! taken again gets the same answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::engine::account::Phone;
use crate::engine::eligibility::{Fit, Purpose, Told, Word};
use crate::engine::id::CallId;
use crate::engine::risk::Signal;
use crate::exchange::record::ANSWER_KEPT_FOR;
use crate::exchange::watch::guards::LookedUp;
use crate::exchange::{Exchange, ExchangeError};
use crate::limits;
use crate::outbound::numbers::{About, Numbers};
use crate::phone::PhoneNumber;
use crate::store::RecordKey;

const NUMBER: &str = "number";
const CALLER: &str = "caller-looked-up";

/// Whether numbers may be used.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::exchange) struct Judged {
    #[serde(default)]
    fits: Option<Vec<Fit>>,
}

/// What is known of a caller's number.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::exchange) struct Signalled {
    signals: Option<BTreeSet<Signal>>,
}

impl Exchange {
    /// Asks here about numbers on file before they are used, and with `callers` also about each caller's number
    /// when the call comes in. Whether the machine asks at all is in the policy.
    #[must_use]
    pub fn looking_up(mut self, numbers: Arc<dyn Numbers>, callers: bool) -> Self {
        self.numbers = Some(numbers);
        self.looks_up_callers = callers;
        self
    }

    /// Whether these numbers may be used, in their order; if there are none, whether nobody's may. They are asked
    /// about at the same time, so that it takes no longer than for one.
    pub(super) async fn are_eligible(
        &self,
        key: &str,
        to: &[Phone],
        purpose: Purpose,
        now: Timestamp,
        until: Instant,
    ) -> Result<Vec<Fit>, ExchangeError> {
        let id = self.vault.keyed_hex(NUMBER, &[key.as_bytes()]);
        let key = RecordKey { kind: NUMBER, id };
        let known = |judged: &mut Judged| judged.fits.clone();
        if let Some(fits) = self.change_record(&key, ANSWER_KEPT_FOR, now, known).await? {
            return Ok(fits);
        }
        let fits = if to.is_empty() {
            let told = self.ask_about(About::Nobody(purpose), until).await;
            vec![told.map_or(Fit::Unknown, |_| Fit::Fits)]
        } else {
            let asked = to.iter().map(|phone| async move {
                let told = self.ask_about(About::OnFile(phone, purpose), until).await;
                let contact = &self.policy.contact;
                told.map_or(Fit::Unknown, |told| told.fit(purpose, phone.line, contact, now))
            });
            join_all(asked).await
        };
        for fit in fits.iter().take(to.len()) {
            let name = Fit::ALL.iter().find(|(_, it)| it == fit).map_or("", |(name, _)| name);
            self.guards.looked_up.get_or_create(&LookedUp { fit: name }).inc();
        }
        let first = |judged: &mut Judged| judged.fits.get_or_insert_with(|| fits.clone()).clone();
        self.change_record(&key, ANSWER_KEPT_FOR, now, first).await
    }

    async fn ask_about(&self, about: About<'_>, until: Instant) -> Option<Told> {
        match &self.numbers {
            Some(numbers) => numbers.look_up(about, until).await,
            None => None,
        }
    }

    /// The same for messages that keep no caller waiting.
    pub async fn fits(&self, key: &str, to: &[Phone]) -> Result<Vec<Fit>, ExchangeError> {
        let (now, until) = (self.clock.now(), Instant::now() + limits::ASKED_PER_TURN);
        self.are_eligible(key, to, Purpose::Message, now, until).await
    }

    /// What networks say against a caller's number; they are asked once in a call.
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
        if let Some(signals) = self.change_record(&key, ANSWER_KEPT_FOR, now, known).await? {
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
        self.change_record(&key, ANSWER_KEPT_FOR, now, first).await
    }
}
