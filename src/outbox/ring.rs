//! Rings: nobody is rung twice. So if a try may have rung, that call is looked for before the next try; and only
//! looked for, for a while, if the provider was silent for so long that its list may be as late, or if whoever asked
//! it has died since.

use std::time::Duration;

use jiff::SignedDuration;

use super::{Outbox, Task, log};
use crate::carrier::{Delivery, Found, Reference};
use crate::engine::call::{Call, Phase, Ringing};
use crate::engine::effect::PlaceCall;
use crate::engine::event::Event;
use crate::engine::id::{LegId, Sid};
use crate::exchange::ExchangeError;
use crate::exchange::rings::Leave;
use crate::exchange::tally::Why;
use crate::limits;

/// How often a ring that waits for another one to its number looks whether that is placed.
const WAIT: Duration = Duration::from_secs(1);
/// A provider that has been silent for so long may be late with everything: with the ring, and with its list of
/// calls.
const SILENT: SignedDuration = SignedDuration::from_secs(5);
/// How often a ring of a late provider is looked for.
const LOOK: Duration = Duration::from_secs(3);
/// If a ring was asked for so short a time ago, nobody has tried it yet.
const NEW: SignedDuration = SignedDuration::from_millis(500);
/// After this a ring comes too late for anybody.
const LATE: SignedDuration = SignedDuration::from_secs(90);

impl Outbox {
    pub(super) async fn place_call(
        &self,
        task: Task<'_>,
        place: &PlaceCall,
    ) -> Result<(), ExchangeError> {
        let call = self.exchange.load_since(task.call, task.turn).await?.call;
        let known = call.leg(place.leg).and_then(|leg| leg.sid.as_ref());
        if known.is_some() {
            self.exchange.end_ring(task.id, place, known).await?;
        }
        if known.is_some() || !waits_for(&call, place.leg) {
            return self.settle(task).await;
        }
        let age = self.exchange.now().duration_since(place.asked_at);
        if age > LATE {
            self.bury(task, Why::Late).await?;
            return self.not_placed(task, place.leg).await;
        }
        // In a fail-over, the store may have forgotten that it was tried; but no fail-over is that quick.
        let may_have_rung = task.attempt > 1 || age > NEW;
        let begun = self.exchange.begin_ring(task.id, place, may_have_rung).await?;
        let (since, others, late) = match begun {
            Leave::Given { since, others, late } => (since, others, late),
            Leave::Placed(sid) => return self.placed(task, place, sid).await,
            Leave::NotYet => {
                tracing::info!(call.id = %task.call, effect.id = %task.id, "a ring waits until it is known what became of another to its number");
                let Some(posted) = self.exchange.open_effect(task.id, task.body) else {
                    return Ok(());
                };
                return self.pass_over(task, posted, WAIT).await;
            }
        };
        // A call that an earlier try may have placed is looked for before anybody is rung again.
        if may_have_rung {
            let since = since.checked_sub(limits::CLOCK_SKEW).unwrap_or(since);
            match self.carrier.find_call(place, since, &others).await {
                Found::Call(sid) => return self.placed(task, place, sid).await,
                Found::None if late => {
                    return self.put_off_for(task, LOOK, task.body.to_vec()).await;
                }
                Found::None => {}
                Found::Unknown => {
                    if !late {
                        // Nobody was asked to ring this time.
                        self.exchange.hear_of_ring(task.id, place).await?;
                    }
                    return self.put_off(task, &Delivery::Unknown).await;
                }
            }
        }
        if self.is_overtaken(task) {
            return Ok(());
        }
        self.ring(task, place).await
    }

    async fn ring(&self, task: Task<'_>, place: &PlaceCall) -> Result<(), ExchangeError> {
        let reference = Reference { call: task.call, effect: task.id };
        let tried_at = self.exchange.now();
        let done = self.carrier.place_call(reference, place).await;
        log(task, "call", &done);
        match done {
            Delivery::Accepted(sid) => self.placed(task, place, sid).await,
            Delivery::Refused { .. } => {
                self.exchange.end_ring(task.id, place, None).await?;
                self.bury(task, Why::Refused).await?;
                self.not_placed(task, place.leg).await
            }
            Delivery::NotDone { .. } => {
                self.exchange.end_ring(task.id, place, None).await?;
                self.put_off(task, &done).await
            }
            Delivery::Unknown => {
                if self.exchange.now().duration_since(tried_at) < SILENT {
                    self.exchange.hear_of_ring(task.id, place).await?;
                } else {
                    self.exchange.leave_ring(task.id, place, tried_at).await?;
                }
                self.put_off(task, &done).await
            }
        }
    }

    async fn placed(
        &self,
        task: Task<'_>,
        place: &PlaceCall,
        sid: Sid,
    ) -> Result<(), ExchangeError> {
        self.exchange.end_ring(task.id, place, Some(&sid)).await?;
        let event = Event::Placed { effect: task.id, leg: place.leg, sid: sid.clone() };
        let told =
            self.exchange.tell(task.call, Some(task.settles()), |_| Some(event.clone())).await?;
        if told.is_some() {
            return Ok(());
        }
        // The call is over: nobody should pick up for nothing.
        let call = self.exchange.load_since(task.call, task.turn).await?.call;
        if call.end.is_some() {
            log(task, "late leg", &self.carrier.end_leg(&sid).await);
        }
        self.settle(task).await
    }

    async fn not_placed(&self, task: Task<'_>, leg: LegId) -> Result<(), ExchangeError> {
        self.tell_and_settle(task, Event::NotPlaced { effect: task.id, leg }).await
    }
}

/// Whether a call still waits for somebody to answer this leg.
fn waits_for(call: &Call, leg: LegId) -> bool {
    let rings = |ringing: &Ringing| ringing.leg == Some(leg) && ringing.phase == Phase::Ringing;
    call.end.is_none() && call.ringing.as_ref().is_some_and(rings)
}
