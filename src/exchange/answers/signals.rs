//! What the house has counted about a caller's number before the call begins. It raises the call's risk, and says
//! nothing about who is calling.

use std::collections::BTreeSet;

use super::shared::{Caller, HOUR, HOUR_KEPT_FOR};
use crate::engine::id::CallId;
use crate::engine::risk::Signal;
use crate::engine::spread::Room;
use crate::exchange::{Exchange, ExchangeError};
use crate::limits;
use crate::phone::PhoneNumber;

impl Exchange {
    /// Counts a call from this number, looks the number up if that is configured, and says what speaks against
    /// it. What cannot be found out in time is a sign, too.
    pub async fn signals(&self, call: CallId, caller: &PhoneNumber) -> BTreeSet<Signal> {
        let counted = tokio::time::timeout(limits::SIGNALS_TIMEOUT, self.count(call, caller)).await;
        match counted {
            // A number that calls without end needs no look-up that costs money.
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
        // The id is a hash already.
        let (mark, _) = call.0.as_u64_pair();
        let ring = |known: &mut Caller| {
            let room = known.calls.touch(mark, limits::CALLS_PER_CALLER_H, HOUR, now);
            (room, known.accounts.count(HOUR, now))
        };
        let key = self.caller_key(caller);
        let (room, accounts) = self.change_at_hand(&key, HOUR_KEPT_FOR, now, ring).await?;
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
