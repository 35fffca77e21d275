//! Codes that the provider makes and sends.

use super::{Outbox, Task, log};
use crate::carrier::{Delivery, Reference};
use crate::engine::effect::BeginVerification;
use crate::engine::event::Event;
use crate::exchange::ExchangeError;
use crate::outbound::verifications::SENDS_SPENT;

impl Outbox {
    pub(super) async fn begin_verification(
        &self,
        task: Task<'_>,
        begin: &BeginVerification,
    ) -> Result<(), ExchangeError> {
        if self.left_s(task, begin.code_until).await?.is_none() {
            return self.settle(task).await;
        }
        let reference = Reference { call: task.call, effect: task.id };
        let done = match self.exchange.verifications() {
            Some(verifications) => verifications.begin(reference, begin).await,
            None => Delivery::Refused { code: None },
        };
        log(task, "verification", &done);
        if done == (Delivery::Refused { code: Some(SENDS_SPENT) }) {
            // The next state knows this beforehand: a state that sends then ends as `limited`, or sends nothing
            // if that would tell something to a caller who has proved nothing. Whoever waits for this code is led
            // to another way.
            self.exchange.exhaust_sends(&begin.whom).await?;
            return self.tell_and_settle(task, Event::Undelivered { effect: task.id }).await;
        }
        self.settle_message(task, done, false).await
    }
}
