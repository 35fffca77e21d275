//! Notices whose number is looked up when they go out: if it were looked up in their turn, the caller could hear
//! from the wait that there is somebody to tell.

use super::{Outbox, Task};
use crate::carrier::Delivery;
use crate::engine::effect::Sms;
use crate::engine::eligibility::{Fit, first_usable};
use crate::engine::id::EffectId;
use crate::exchange::ExchangeError;
use crate::exchange::tally::Why;

/// How often to ask about a number of which nobody says anything: each time costs money.
const TRIES_MAX: u32 = 3;

/// The result of looking its numbers up.
pub(super) enum Found {
    /// It may go out as it is.
    To(Sms),
    /// None of them may get it.
    None,
    /// Nobody says enough to decide.
    Unknown,
}

impl Outbox {
    /// The message with the number that may get it; `None`: it is put off, or given up and kept.
    pub(super) async fn addressed(
        &self,
        task: Task<'_>,
        sms: &Sms,
    ) -> Result<Option<Sms>, ExchangeError> {
        match self.find_number(task.id, task.attempt, sms).await? {
            Found::To(sms) => return Ok(Some(sms)),
            Found::Unknown if task.attempt < TRIES_MAX => {
                self.put_off(task, &Delivery::Unknown).await?;
            }
            Found::Unknown | Found::None => {
                tracing::warn!(call.id = %task.call, effect.id = %task.id, "a notice may go to no number on file");
                self.bury(task, Why::Refused).await?;
                self.settle(task).await?;
            }
        }
        Ok(None)
    }

    /// Looks up the numbers to which a message may go, if it must be done now.
    pub(super) async fn find_number(
        &self,
        effect: EffectId,
        attempt: u32,
        sms: &Sms,
    ) -> Result<Found, ExchangeError> {
        if sms.look_up.is_empty() {
            return Ok(Found::To(sms.clone()));
        }
        let fits = self.exchange.fits(&format!("{effect}/{attempt}"), &sms.look_up).await?;
        let first = first_usable(&fits, self.exchange.policy().look_ups);
        Ok(match first.and_then(|index| sms.look_up.get(index)) {
            Some(phone) => Found::To(Sms { to: phone.number.clone(), ..sms.clone() }),
            None if fits.contains(&Fit::Unknown) => Found::Unknown,
            None => Found::None,
        })
    }
}
