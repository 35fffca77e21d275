//! The outbox: claims what is due, does it in the world, and settles it.
//!
//! Effects are done at least once. Where a second time would be wrong (ringing somebody), or can be noticed (a
//! message with a code is like no other), a new try asks first whether an earlier one has done it. Deadlines are
//! claimed here too.

mod audits;
mod dead;
mod fair;
mod number;
mod ring;
mod verification;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::carrier::{Carrier, Delivery, Mail, Reference};
use crate::chance;
use crate::engine::effect::{Effect, Email, Sms};
use crate::engine::event::Event;
use crate::engine::id::{CallId, EffectId, LegId, Sid};
use crate::engine::turn::later;
use crate::exchange::{Exchange, ExchangeError, Posted, Settles};
use crate::limits::{OUTBOX_TASKS_MAX, STORE_AWAY_TOLD_EVERY};
use crate::store::{Claim, Claimed, Due, DueWhat, Lease};
use crate::telemetry::trace;

use audits::Audit;
pub use dead::Retried;
use fair::Places;

/// How often the store is looked at without a reason.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Longer than any delivery takes: what is not settled by then, we did not settle.
const LEASE: Duration = Duration::from_secs(30);
/// One delivery, with all its requests.
const DELIVERY_MAX: Duration = Duration::from_secs(22);
/// When to look again at a call of which the store gave an older copy.
const STALE_WAIT: Duration = Duration::from_secs(1);
/// When to look again at what cannot be read here.
const UNREADABLE_WAIT: Duration = Duration::from_mins(5);
/// Things claimed at a time.
const CLAIM_MAX: usize = 32;
/// How often expired things are swept.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// Waits between the tries of an effect.
const BACKOFF_S: [u64; 6] = [1, 2, 4, 8, 15, 30];
/// Tries of an effect that need not be done at any price.
const TRIES_MAX: u32 = 6;
/// Further waits between the tries of a message that may come later: a mail server that refuses strangers at
/// first takes their mail after some minutes, and one that is down is restarted.
const LATER_BACKOFF_S: [u64; 6] = [30, 60, 120, 300, 900, 1_800];
/// The provider takes no message with a shorter time than this.
const VALID_S_MIN: u32 = 6;

/// The workers of one server.
#[derive(Debug)]
pub struct Outbox {
    exchange: Arc<Exchange>,
    carrier: Arc<dyn Carrier>,
    /// `None`: nothing is sent by e-mail.
    mail: Option<Arc<dyn Mail>>,
    in_hand: InHand,
    places: Places,
}

/// The effects that are being done here, each with the lease under which it was last claimed. Setting a clock
/// forward ends leases, but must not start again what is under way.
#[derive(Debug, Default)]
struct InHand(Mutex<HashMap<EffectId, Lease>>);

impl InHand {
    fn all(&self) -> MutexGuard<'_, HashMap<EffectId, Lease>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease under which it was last claimed.
    fn lease_of(&self, effect: EffectId) -> Option<Lease> {
        self.all().get(&effect).copied()
    }

    /// `None`: it is already in hand, from now on under this lease.
    fn take(&self, effect: EffectId, lease: Lease) -> Option<Held<'_>> {
        let known = self.all().insert(effect, lease);
        if known.is_some() {
            // If a second hold were made and dropped, it would release what the first one holds.
            return None;
        }
        Some(Held { of: self, effect })
    }
}

/// An effect is in hand until this is dropped.
struct Held<'a> {
    of: &'a InHand,
    effect: EffectId,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.of.all().remove(&self.effect);
    }
}

/// Something to work on.
enum Work {
    Due(Due),
    Audits(Vec<Audit>),
}

/// An effect in hand.
#[derive(Clone, Copy)]
struct Task<'a> {
    call: CallId,
    id: EffectId,
    lease: Lease,
    attempt: u32,
    body: &'a [u8],
    /// The number of the turn that posted it.
    turn: u64,
    /// When the lease ends, and another server may take it.
    until: Timestamp,
    /// The line that the call came in on.
    line: &'a str,
}

impl Task<'_> {
    fn settles(&self) -> Settles {
        Settles { effect: self.id, turn: self.turn }
    }
}

impl Outbox {
    /// The outbox of an exchange.
    pub fn new(
        exchange: Arc<Exchange>,
        carrier: Arc<dyn Carrier>,
        mail: Option<Arc<dyn Mail>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            exchange,
            carrier,
            mail,
            in_hand: InHand::default(),
            places: Places::default(),
        })
    }

    /// Works until it is told to stop, and then finishes what it has begun.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let woken = self.exchange.outbox();
        let tasks = TaskTracker::new();
        let places = Arc::new(Semaphore::new(OUTBOX_TASKS_MAX));
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        let mut in_vain: Option<Instant> = None;
        loop {
            // In this order, so that the same run repeats exactly.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = sweep.tick() => {
                    if let Err(error) = self.exchange.store().sweep(self.exchange.now()).await {
                        tracing::warn!(%error, "what has expired could not be swept");
                    }
                }
                () = woken.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            // No more than can be done at once: the rest is for other servers.
            let free = places.available_permits().min(CLAIM_MAX);
            if free == 0 {
                // The first to finish wakes us.
                continue;
            }
            match self.claim(free).await {
                Ok((due, until)) => {
                    if in_vain.take().is_some() {
                        tracing::info!("the outbox can look for work again");
                    }
                    let more = due.len() == free;
                    for work in self.sorted(due) {
                        let place = places.clone().acquire_owned().await;
                        let (outbox, woken, places) = (self.clone(), woken.clone(), places.clone());
                        tasks.spawn(Box::pin(async move {
                            outbox.work(work, until).await;
                            let was_full = places.available_permits() == 0;
                            drop(place);
                            if more || was_full {
                                woken.notify_one();
                            }
                        }));
                    }
                }
                Err(error) => {
                    if in_vain.is_none_or(|told| told.elapsed() >= STORE_AWAY_TOLD_EVERY) {
                        tracing::warn!(%error, "the outbox could not look for work");
                        in_vain = Some(Instant::now());
                    }
                }
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Does everything that is due now, and says how much that was: for replays and tests.
    pub async fn drain(&self) -> Result<usize, ExchangeError> {
        let mut count = 0;
        loop {
            let (due, until) = self.claim(CLAIM_MAX).await?;
            if due.is_empty() {
                return Ok(count);
            }
            count += due.len();
            for work in self.sorted(due) {
                self.work(work, until).await;
            }
        }
    }

    /// What is due, and when its lease ends.
    async fn claim(&self, count_max: usize) -> Result<(Vec<Due>, Timestamp), ExchangeError> {
        let now = self.exchange.now();
        let lease = Lease(chance::id(self.exchange.chance()));
        let claim = Claim { now, lease, until: later(now, LEASE), count_max };
        Ok((self.exchange.store().claim(claim).await?, claim.until))
    }

    /// The due things as they are worked on: each by itself, but the audits together.
    fn sorted(&self, due: Vec<Due>) -> Vec<Work> {
        let (mut works, mut audits) = (Vec::new(), Vec::new());
        for due in due {
            match self.audit_in(&due) {
                Some(audit) => audits.push(audit),
                None => works.push(Work::Due(due)),
            }
        }
        works.extend((!audits.is_empty()).then_some(Work::Audits(audits)));
        works
    }

    async fn work(&self, work: Work, until: Timestamp) {
        match work {
            Work::Due(due) => self.deliver(due, until).await,
            Work::Audits(audits) => self.close_audits(audits).await,
        }
    }

    async fn deliver(&self, due: Due, until: Timestamp) {
        let call = due.call;
        let result = match &due.what {
            DueWhat::Deadline => {
                self.exchange.tell(call, None, |_| Some(Event::Deadline)).await.map(drop)
            }
            DueWhat::Effect { id, body, attempt } => {
                let (id, lease, attempt) = (*id, due.lease, *attempt);
                let Some(_held) = self.in_hand.take(id, lease) else { return };
                let task = Task { call, id, lease, attempt, body, turn: 0, until, line: "" };
                // If it took longer than its lease, two would be doing it.
                let performed = tokio::time::timeout(DELIVERY_MAX, self.perform(task)).await;
                performed.unwrap_or_else(|_| {
                    tracing::warn!(call.id = %call, effect.id = %id, "an effect took too long and is left to its lease");
                    Ok(())
                })
            }
        };
        // A failure here loses nothing: the lease ends, and it is due again.
        if let Err(error) = result {
            tracing::warn!(call.id = %call, %error, "something due could not be done");
        }
    }

    async fn perform(&self, task: Task<'_>) -> Result<(), ExchangeError> {
        let Some(posted) = self.exchange.open_effect(task.id, task.body) else {
            return self.leave_unread(task).await;
        };
        let Some(_place) = self.places.of(&posted.line) else {
            let wait = self.places.wait(&posted.line);
            return self.pass_over(task, posted, wait).await;
        };
        let Posted { effect, turn, line, passed_over, traceparent } = posted;
        let attempt = task.attempt.saturating_sub(passed_over);
        let task = Task { turn, attempt, line: &line, ..task };
        let span = tracing::debug_span!(
            "deliver",
            otel.kind = "client",
            call.id = %task.call,
            effect.id = %task.id,
            effect = effect.name(),
            attempt = task.attempt
        );
        trace::follow(&span, traceparent.as_deref());
        match self.carry_out(task, effect).instrument(span).await {
            // From here, now, it is impossible to tell whether it is still wanted.
            Err(ExchangeError::Stale) => {
                self.put_off_for(task, STALE_WAIT, task.body.to_vec()).await
            }
            done => done,
        }
    }

    async fn carry_out(&self, task: Task<'_>, effect: Effect) -> Result<(), ExchangeError> {
        match effect {
            Effect::SendSms(sms) => self.send_sms(task, &sms).await,
            Effect::SendEmail(email) => self.send_email(task, &email).await,
            Effect::BeginVerification(begin) => self.begin_verification(task, &begin).await,
            // This is large and rare.
            Effect::PlaceCall(place) => Box::pin(self.place_call(task, &place)).await,
            Effect::RedirectLeg { leg, sid, undone } => {
                self.redirect_leg(task, leg, sid, undone).await
            }
            Effect::EndLeg { sid, .. } => {
                let done = self.carrier.end_leg(&sid).await;
                self.settle_unless_undone(task, &done).await
            }
            Effect::ClearAttempts { whom, factor, key, at, reached } => {
                let attempt = (factor, key.as_str());
                self.exchange.clear_attempts(&whom, attempt, at, reached.as_ref()).await?;
                self.settle(task).await
            }
            // Done together with others that are due.
            Effect::CloseAudit(_) => Ok(()),
        }
    }

    /// Redirects a leg, once. If nobody knows whether it was done, it is not repeated: a leg that goes on asking
    /// gets its present prompt anyway, and one that does not may be talking to somebody. A leg that has asked
    /// meanwhile has been where it should go, and may be further on.
    async fn redirect_leg(
        &self,
        task: Task<'_>,
        leg: LegId,
        sid: Sid,
        undone: bool,
    ) -> Result<(), ExchangeError> {
        if task.attempt > 1 && !undone {
            return self.settle(task).await;
        }
        let again = Effect::RedirectLeg { leg, sid: sid.clone(), undone: true };
        let again = Posted::now(again, task.line, task.turn);
        let again = || self.exchange.seal_effect(task.id, &again);
        match self.exchange.load_since(task.call, task.turn).await {
            Ok(loaded) if loaded.call.leg(leg).is_none_or(|leg| !leg.is_to_be_taken()) => {
                tracing::debug!(call.id = %task.call, effect.id = %task.id, "a leg has gone on by itself");
                return self.settle(task).await;
            }
            Ok(_) => {}
            Err(ExchangeError::Stale) => return self.put_off_for(task, STALE_WAIT, again()).await,
            Err(error) => return Err(error),
        }
        if self.is_overtaken(task) {
            return Ok(());
        }
        let done = self.carrier.redirect_leg(task.call, leg, &sid).await;
        log(task, "redirect", &done);
        match done {
            Delivery::NotDone { retry_after } if task.attempt < TRIES_MAX => {
                let wait = retry_after.unwrap_or(Duration::from_secs(1));
                self.put_off_for(task, wait, again()).await
            }
            _ => self.settle(task).await,
        }
    }

    async fn send_sms(&self, task: Task<'_>, sms: &Sms) -> Result<(), ExchangeError> {
        // A message is useful as long as its code can still be keyed in.
        let left_s = match sms.code_until {
            Some(until) => match self.left_s(task, until).await? {
                Some(left_s) => left_s,
                None => return self.settle(task).await,
            },
            None => sms.valid_for_s,
        };
        let Some(sms) = self.addressed(task, sms).await? else { return Ok(()) };
        // An earlier try may have sent it. A text with a code is like no other, so it can be looked for; any
        // other text is sent again.
        if task.attempt > 1 && sms.code_until.is_some() && self.carrier.has_sms(&sms).await {
            tracing::info!(call.id = %task.call, effect.id = %task.id, "a message had been sent before");
            return self.settle(task).await;
        }
        let reference = Reference { call: task.call, effect: task.id };
        let valid_for_s = sms.valid_for_s.min(left_s.max(VALID_S_MIN));
        let sms = Sms { valid_for_s, ..sms };
        let done = self.carrier.send_sms(reference, &sms).await;
        log(task, "sms", &done);
        self.settle_message(task, done, sms.code_until.is_none()).await
    }

    async fn send_email(&self, task: Task<'_>, email: &Email) -> Result<(), ExchangeError> {
        if let Some(until) = email.code_until
            && self.left_s(task, until).await?.is_none()
        {
            return self.settle(task).await;
        }
        let reference = Reference { call: task.call, effect: task.id };
        let done = match &self.mail {
            Some(mail) => mail.send_email(reference, email).await,
            None => Delivery::Refused { code: None },
        };
        log(task, "email", &done);
        self.settle_message(task, done, email.code_until.is_none()).await
    }

    /// For how many seconds the code of a message can still be keyed in; `None`: no longer.
    async fn left_s(&self, task: Task<'_>, until: Timestamp) -> Result<Option<u32>, ExchangeError> {
        // A call that is over has none.
        let call = self.exchange.load_since(task.call, task.turn).await?.call;
        let wanted = call.code.as_ref().is_some_and(|code| code.effect == Some(task.id));
        let now = self.exchange.now();
        let left = until.duration_since(call.seen.map_or(now, |seen| seen.max(now)));
        Ok(u32::try_from(left.as_secs()).ok().filter(|left_s| wanted && *left_s > 0))
    }

    /// `lasts`: it is as useful in an hour. If nobody knows whether it was sent, it is not tried for that long.
    async fn settle_message(
        &self,
        task: Task<'_>,
        done: Delivery,
        lasts: bool,
    ) -> Result<(), ExchangeError> {
        match done {
            Delivery::Accepted(_) => self.settle(task).await,
            Delivery::NotDone { .. } if lasts && later_wait_s(task.attempt).is_some() => {
                self.put_off(task, &done).await
            }
            Delivery::NotDone { .. } | Delivery::Unknown if task.attempt < TRIES_MAX => {
                // The same code once more does no harm.
                self.put_off(task, &done).await
            }
            Delivery::Refused { .. } | Delivery::NotDone { .. } | Delivery::Unknown => {
                if let Some(why) = dead::why(&done) {
                    self.bury(task, why).await?;
                }
                let event = Event::Undelivered { effect: task.id };
                self.tell_and_settle(task, event).await
            }
        }
    }

    /// Tells the call, and settles the effect in the same commit; if nothing in the call changes, settles it
    /// alone.
    async fn tell_and_settle(&self, task: Task<'_>, event: Event) -> Result<(), ExchangeError> {
        let told =
            self.exchange.tell(task.call, Some(task.settles()), |_| Some(event.clone())).await?;
        if told.is_none() { self.settle(task).await } else { Ok(()) }
    }

    /// Whether this worker stood still for so long that another one may be doing it: a machine that was asleep
    /// does not notice.
    fn is_overtaken(&self, task: Task<'_>) -> bool {
        let overtaken = self.exchange.now() >= task.until;
        if overtaken {
            tracing::warn!(call.id = %task.call, effect.id = %task.id, "an effect was left to others, for its lease has ended");
        }
        overtaken
    }

    async fn settle_unless_undone(
        &self,
        task: Task<'_>,
        done: &Delivery,
    ) -> Result<(), ExchangeError> {
        log(task, "leg", done);
        match done {
            Delivery::NotDone { .. } | Delivery::Unknown if task.attempt < TRIES_MAX => {
                self.put_off(task, done).await
            }
            // A leg that nobody could end will be over some day; but somebody should know.
            Delivery::NotDone { .. } | Delivery::Unknown => {
                if let Some(why) = dead::why(done) {
                    self.bury(task, why).await?;
                }
                self.settle(task).await
            }
            Delivery::Accepted(_) | Delivery::Refused { .. } => self.settle(task).await,
        }
    }

    /// A task's effect, under the lease by which it was last claimed.
    fn claimed(&self, task: Task<'_>) -> Claimed {
        let lease = self.in_hand.lease_of(task.id).unwrap_or(task.lease);
        Claimed { call: task.call, effect: task.id, lease }
    }

    async fn settle(&self, task: Task<'_>) -> Result<(), ExchangeError> {
        self.exchange.store().settle(self.claimed(task)).await?;
        Ok(())
    }

    /// Puts off what was not tried: it counts as no try.
    async fn pass_over(
        &self,
        task: Task<'_>,
        posted: Posted,
        wait: Duration,
    ) -> Result<(), ExchangeError> {
        let body = self.exchange.seal_effect(task.id, &posted.passed_over());
        self.put_off_for(task, wait, body).await
    }

    async fn put_off(&self, task: Task<'_>, done: &Delivery) -> Result<(), ExchangeError> {
        let index = usize::try_from(task.attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        let wait_s = BACKOFF_S.get(index).copied();
        let wait_s = wait_s.or_else(|| later_wait_s(task.attempt)).unwrap_or(30);
        let wait = match done {
            Delivery::NotDone { retry_after: Some(after) } => (*after).max(Duration::from_secs(1)),
            _ => Duration::from_secs(wait_s),
        };
        self.put_off_for(task, wait, task.body.to_vec()).await
    }

    async fn put_off_for(
        &self,
        task: Task<'_>,
        wait: Duration,
        body: Vec<u8>,
    ) -> Result<(), ExchangeError> {
        let due = later(self.exchange.now(), wait.max(Duration::from_secs(1)));
        self.exchange.store().put_off(self.claimed(task), due, body).await?;
        Ok(())
    }
}

/// How long to wait after so many tries of what may come later, [`TRIES_MAX`] and more; `None`: give up.
fn later_wait_s(attempt: u32) -> Option<u64> {
    let index = usize::try_from(attempt.saturating_sub(TRIES_MAX)).ok()?;
    LATER_BACKOFF_S.get(index).copied()
}

fn log(task: Task<'_>, what: &'static str, done: &Delivery) {
    let (call, effect, attempt) = (task.call, task.id, task.attempt);
    match done {
        Delivery::Accepted(_) => {
            tracing::info!(call.id = %call, effect.id = %effect, what, attempt, "the provider accepted an effect");
        }
        other => {
            tracing::warn!(call.id = %call, effect.id = %effect, what, attempt, outcome = %other, "the provider did not accept an effect");
        }
    }
}
