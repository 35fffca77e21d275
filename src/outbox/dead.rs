//! What becomes of effects that are given up, and of those that an operator tries again.

use super::number::Found as Number;
use super::{Outbox, Task, UNREADABLE_WAIT};
use crate::carrier::{Delivery, Reference};
use crate::engine::effect::{Effect, Email, Sms};
use crate::engine::event::Event;
use crate::engine::id::EffectId;
use crate::exchange::dead::{DeadLetter, Found};
use crate::exchange::tally::Why;
use crate::exchange::unlock::By;
use crate::exchange::{ExchangeError, Posted};

/// What an effect is called if nobody can read what it is.
const UNREADABLE: &str = "unreadable";

/// What came of trying a dead letter again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// It is done.
    Done,
    /// It was not done, and stays where it was.
    Failed(Why),
    /// It is no longer of use: its code was withdrawn, or nobody waits for the ring.
    Pointless,
    /// Somebody else is trying it now.
    Taken,
    /// There is no such letter.
    Unknown,
}

/// Why something with this outcome was not done; `None`: it was done.
pub(super) fn why(done: &Delivery) -> Option<Why> {
    match done {
        Delivery::Accepted(_) => None,
        Delivery::Refused { .. } => Some(Why::Refused),
        Delivery::NotDone { .. } => Some(Why::NotDone),
        Delivery::Unknown => Some(Why::Unknown),
    }
}

/// What can be done later as well: nothing with a code, and no ring.
fn lasting(effect: &Effect) -> Option<Effect> {
    match effect {
        Effect::SendSms(Sms { code_until: None, .. })
        | Effect::SendEmail(Email { code_until: None, .. })
        | Effect::EndLeg { .. } => Some(effect.clone()),
        _ => None,
    }
}

impl Outbox {
    /// Keeps an effect that is given up. It is written down before the effect is settled, so that it is not lost
    /// in between.
    pub(super) async fn bury(&self, task: Task<'_>, why: Why) -> Result<(), ExchangeError> {
        let Some(Posted { effect, .. }) = self.exchange.open_effect(task.id, task.body) else {
            return Ok(());
        };
        self.exchange.bury(self.letter(task, effect.name(), why, lasting(&effect))).await
    }

    /// What cannot be read here is left to another server, which has the key or is newer, as long as its call
    /// exists. What was altered can be read by nobody: it is given up, and a caller who waits for it is led on.
    pub(super) async fn leave_unread(&self, task: Task<'_>) -> Result<(), ExchangeError> {
        if !self.exchange.is_altered(task.call, task.id, task.body).await {
            tracing::error!(call.id = %task.call, effect.id = %task.id, "an effect cannot be read here and is left to others");
            return self.put_off_for(task, UNREADABLE_WAIT, task.body.to_vec()).await;
        }
        self.exchange.bury(self.letter(task, UNREADABLE, Why::Unknown, None)).await?;
        let event = Event::Undelivered { effect: task.id };
        let told = self.exchange.tell(task.call, None, |_| Some(event.clone())).await;
        self.settle(task).await?;
        told.map(drop)
    }

    fn letter(&self, task: Task<'_>, what: &str, why: Why, again: Option<Effect>) -> DeadLetter {
        DeadLetter {
            call: task.call,
            effect: task.id,
            what: what.to_owned(),
            why,
            at: self.exchange.now(),
            attempts: task.attempt,
            again,
            tried_until: None,
        }
    }

    /// Tries a dead letter again, once and now, under the key that it always had.
    pub async fn retry(&self, effect: EffectId, by: By<'_>) -> Result<Retried, ExchangeError> {
        let letter = match self.exchange.take_in_hand(effect, by).await? {
            Found::Nothing => return Ok(Retried::Unknown),
            Found::Taken => return Ok(Retried::Taken),
            Found::Pointless => return Ok(Retried::Pointless),
            Found::Ours(letter) => *letter,
        };
        let reference = Reference { call: letter.call, effect };
        let done = match (&letter.again, &self.mail) {
            (Some(Effect::SendSms(sms)), _) => {
                match self.find_number(effect, letter.attempts.saturating_add(1), sms).await? {
                    Number::To(sms) => self.carrier.send_sms(reference, &sms).await,
                    Number::None | Number::Unknown => Delivery::Refused { code: None },
                }
            }
            (Some(Effect::SendEmail(email)), Some(mail)) => mail.send_email(reference, email).await,
            (Some(Effect::EndLeg { sid, .. }), _) => self.carrier.end_leg(sid).await,
            _ => Delivery::Refused { code: None },
        };
        let Some(why) = why(&done) else {
            self.exchange.lay_to_rest(effect).await?;
            return Ok(Retried::Done);
        };
        self.exchange.lay_back(effect, why).await?;
        Ok(Retried::Failed(why))
    }
}
