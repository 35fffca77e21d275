//! What the house has counted about a caller's number before a call of it begins. It raises the call's
//! risk, and says nothing of who calls.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;

use super::{Exchange, ExchangeError};
use crate::engine::id::CallId;
use crate::engine::risk::Signal;
use crate::engine::spread::{Room, Spread};
use crate::limits;
use crate::phone::PhoneNumber;
use crate::store::RecordKey;

const CALLS: &str = "calls";
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Longer than the hour that is looked back on.
const KEPT_FOR: Duration = Duration::from_hours(2);

impl Exchange {
    /// Counts a call of this number, looks the number up where that is configured, and says what speaks
    /// against it. What cannot be had in time is a sign too.
    pub async fn signals(&self, call: CallId, caller: &PhoneNumber) -> BTreeSet<Signal> {
        let counted = tokio::time::timeout(limits::SIGNALS_TIMEOUT, self.count(call, caller)).await;
        match counted {
            // Of a number that calls without end nothing more needs to be known, and paid for.
            Ok(Ok(signals)) if signals.contains(&Signal::ManyCalls) => signals,
            Ok(Ok(mut signals)) => {
                signals.extend(self.looked_up(call, caller).await);
                signals
            }
            Ok(Err(error)) => {
                tracing::warn!(call.id = %call, %error, "nothing could be counted about a caller");
                BTreeSet::from([Signal::LookUpFailed])
            }
            Err(_) => {
                tracing::warn!(call.id = %call, "nothing could be counted about a caller in time");
                BTreeSet::from([Signal::LookUpFailed])
            }
        }
    }

    async fn looked_up(&self, call: CallId, caller: &PhoneNumber) -> BTreeSet<Signal> {
        let most = limits::CALLER_LOOKED_UP_WITHIN + limits::SIGNALS_TIMEOUT;
        let asked = tokio::time::timeout(most, self.against_caller(call, caller)).await;
        match asked {
            Ok(Ok(signals)) => return signals,
            Ok(Err(error)) => {
                tracing::warn!(call.id = %call, %error, "a caller could not be looked up");
            }
            Err(_) => tracing::warn!(call.id = %call, "a caller could not be looked up in time"),
        }
        BTreeSet::from([Signal::LookUpFailed])
    }

    async fn count(
        &self,
        call: CallId,
        caller: &PhoneNumber,
    ) -> Result<BTreeSet<Signal>, ExchangeError> {
        let now = self.clock.now();
        let mut signals = BTreeSet::new();
        let id = self.vault.keyed_hex(CALLS, &[caller.as_e164().as_bytes()]);
        let (key, call) = (RecordKey { kind: CALLS, id }, call.to_string());
        let touch =
            |spread: &mut Spread| spread.touch(&call, limits::CALLS_PER_CALLER_H, HOUR, now);
        let reached = |spread: &mut Spread| spread.count(HOUR, now);
        let caller = self.caller_key(caller);
        let (room, accounts) = tokio::try_join!(
            self.begin_record(&key, KEPT_FOR, now, touch),
            self.change_record(&caller, KEPT_FOR, now, reached)
        )?;
        if room == Room::None {
            signals.insert(Signal::ManyCalls);
        }
        let limit = usize::try_from(self.policy.shared.accounts_per_ani_h).unwrap_or(usize::MAX);
        if accounts >= limit {
            signals.insert(Signal::ManyAccounts);
        }
        Ok(signals)
    }
}
