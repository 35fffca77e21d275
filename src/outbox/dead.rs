//! What becomes of effects that are given up on, and of those that an operator tries again.

use super::{Outbox, Task};
use crate::carrier::{Delivery, Reference};
use crate::engine::effect::{Effect, Sms};
use crate::engine::id::EffectId;
use crate::exchange::dead::DeadLetter;
use crate::exchange::tally::Why;
use crate::exchange::{ExchangeError, Posted};

/// What came of trying a dead letter again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// It is done.
    Done,
    /// It was not, and lies where it lay.
    Failed(Why),
    /// It is of no use any more: its code was withdrawn, or nobody waits for the ring.
    Pointless,
    /// There is no such letter.
    Unknown,
}

/// Why something that ended so was not done; `None`: it was.
pub(super) fn why(done: &Delivery) -> Option<Why> {
    match done {
        Delivery::Accepted(_) => None,
        Delivery::Refused { .. } => Some(Why::Refused),
        Delivery::NotDone { .. } => Some(Why::NotDone),
        Delivery::Unknown => Some(Why::Unknown),
    }
}

/// What can be done later as well as now: nothing with a code in it, and no ring.
fn lasting(effect: &Effect) -> Option<Effect> {
    match effect {
        Effect::SendSms(Sms { code_until: None, .. }) | Effect::EndLeg { .. } => {
            Some(effect.clone())
        }
        _ => None,
    }
}

impl Outbox {
    /// Keeps an effect that is given up on. It is put down before the effect is settled, so that it is
    /// nowhere lost in between.
    pub(super) async fn bury(&self, task: Task<'_>, why: Why) -> Result<(), ExchangeError> {
        let Some(Posted { effect, .. }) = self.exchange.open_effect(task.id, task.body) else {
            return Ok(());
        };
        let letter = DeadLetter {
            call: task.call,
            effect: task.id,
            what: effect.name().to_owned(),
            why,
            at: self.exchange.now(),
            attempts: task.attempt,
            again: lasting(&effect),
        };
        self.exchange.bury(letter).await
    }

    /// Tries a dead letter again, once and at once.
    pub async fn retry(&self, effect: EffectId) -> Result<Retried, ExchangeError> {
        let Some(letter) = self.exchange.exhume(effect).await? else {
            return Ok(Retried::Unknown);
        };
        let reference = Reference { call: letter.call, effect };
        let done = match &letter.again {
            Some(Effect::SendSms(sms)) => self.carrier.send_sms(reference, sms).await,
            Some(Effect::EndLeg { sid, .. }) => self.carrier.end_leg(sid).await,
            _ => {
                self.exchange.bury(letter).await?;
                return Ok(Retried::Pointless);
            }
        };
        let Some(why) = why(&done) else { return Ok(Retried::Done) };
        let attempts = letter.attempts.saturating_add(1);
        self.exchange.bury(DeadLetter { why, attempts, at: self.exchange.now(), ..letter }).await?;
        Ok(Retried::Failed(why))
    }
}
