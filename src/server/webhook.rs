//! The provider's routes.
//!
//! Whatever happens behind them, a request of the provider is answered in time, with TwiML that the caller can
//! hear. So the work runs apart from the answer, and is finished even if the answer could not wait for it.

use std::sync::{Arc, Once};
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use tokio::time::Instant;
use tracing::field::{Empty, debug, display};
use tracing::{Instrument as _, Span};

use super::intake::{self, Form};
use super::metrics::{Outcome, Reason, Refused, Route, Taken, Timed, Webhook};
use super::{House, decode};
use crate::config::Line;
use crate::engine::event::Event;
use crate::engine::id::{CallId, EffectId, LegId, Nonce};
use crate::engine::risk;
use crate::exchange::{Answered, ExchangeError, Request, Served, Wants};
use crate::flow::wording;
use crate::limits;
use crate::phone::PhoneNumber;
use crate::twiml::{self, links::Links};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.default_service(web::to(dispatch));
}

/// Finds the route. A router of patterns would cost a webhook more than its form and its signature.
async fn dispatch(house: Data<House>, request: HttpRequest, body: Payload) -> HttpResponse {
    if request.method() != Method::POST {
        return elsewhere(&house, &request, body);
    }
    // A slash too many at the end of a typed address keeps no caller out.
    let path = request.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut parts = path.strip_prefix("/twilio/").unwrap_or_default().split('/');
    match [parts.next(), parts.next(), parts.next(), parts.next()] {
        [Some("voice"), None, ..] => voice(house, &request, body).await,
        [Some("turn"), Some(call), Some(nonce), None] => {
            spend(house, &request, (call, nonce), body, Route::Turn).await
        }
        [Some("leg"), Some(call), Some(nonce), None] => {
            spend(house, &request, (call, nonce), body, Route::Leg).await
        }
        [Some("resume"), Some(call), Some(leg), None] => {
            resume(house, &request, (call, leg), body).await
        }
        [Some("status"), None, ..] => inbound_status(house, &request, body).await,
        [Some("status"), Some(call), Some(effect), None] => {
            leg_status(house, &request, (call, effect), body).await
        }
        [Some("message"), Some(call), Some(effect), None] => {
            message_status(house, &request, (call, effect), body).await
        }
        [Some("fallback"), None, ..] => fallback(house, &request, body).await,
        _ => elsewhere(&house, &request, body),
    }
}

async fn voice(house: Data<House>, request: &HttpRequest, body: Payload) -> HttpResponse {
    let desk = Desk::open(&house, Route::Voice);
    let form = match intake::take(&house, request, body, Route::Voice).await {
        Ok(form) => form,
        Err(refused) => return refused,
    };
    let line = house.lines.of(form.get("To")).cloned();
    let (Some(sid), Some(line)) = (decode::sid(&form), line) else {
        tracing::error!("a call cannot be taken: it has no CallSid, or no line leads anywhere");
        return desk.apologise(&form);
    };
    let call = CallId::of(account_of(&house, &form), &sid);
    if house.gate.is_full() && !house.exchange.has_at_hand(call) {
        return desk.refuse_for_now(&form, &line, call);
    }
    let number = house.lines.number_of(form.get("To"));
    if PhoneNumber::parse(number).is_none() {
        NO_NUMBER.call_once(|| {
            tracing::warn!(
                "a call came to a SIP address or an app, and `*` of `[lines]` has no `number`: nobody can be rung back in such calls"
            );
        });
    }
    let mut ring = decode::ring(&form, call, sid, &line.flow, number);
    if let Some(caller) = &ring.from {
        ring.signals = house.exchange.signals(call, caller).await;
    }
    desk.answer(form, Some(call), Wants::Ring(Box::new(ring))).await
}

async fn spend(
    house: Data<House>,
    request: &HttpRequest,
    path: (&str, &str),
    body: Payload,
    route: Route,
) -> HttpResponse {
    let desk = Desk::open(&house, route);
    let form = match intake::take(&house, request, body, route).await {
        Ok(form) => form,
        Err(refused) => return refused,
    };
    let call = CallId::parse(path.0);
    match (call, Nonce::parse(path.1)) {
        (Some(call), Some(nonce)) if decode::is_elsewhere(&form) => {
            let links = Links::new(&house.public_url);
            desk.say(Outcome::OutOfStep, twiml::elsewhere(&links, call, nonce))
        }
        (_, Some(nonce)) => desk.answer(form, call, Wants::Turn(nonce)).await,
        // Our nonces do not look like this: the answer is the leg's present prompt.
        (_, None) => desk.answer(form, call, Wants::Fallback(None)).await,
    }
}

async fn resume(
    house: Data<House>,
    request: &HttpRequest,
    path: (&str, &str),
    body: Payload,
) -> HttpResponse {
    let desk = Desk::open(&house, Route::Resume);
    let form = match intake::take(&house, request, body, Route::Resume).await {
        Ok(form) => form,
        Err(refused) => return refused,
    };
    let leg = path.1.parse().map(LegId);
    match leg {
        Ok(leg) => desk.answer(form, CallId::parse(path.0), Wants::Resume(leg)).await,
        Err(_) => desk.hangup(Outcome::Stranger),
    }
}

async fn fallback(house: Data<House>, request: &HttpRequest, body: Payload) -> HttpResponse {
    let desk = Desk::open(&house, Route::Fallback);
    let form = match intake::take(&house, request, body, Route::Fallback).await {
        Ok(form) => form,
        Err(refused) => return refused,
    };
    tracing::warn!("the provider could not use an answer and fell back");
    let (call, nonce) = decode::failed_url(&form);
    let own = || decode::sid(&form).map(|sid| CallId::of(account_of(&house, &form), &sid));
    let call = call.or_else(own);
    desk.answer(form, call, Wants::Fallback(nonce)).await
}

async fn inbound_status(house: Data<House>, request: &HttpRequest, body: Payload) -> HttpResponse {
    let desk = Desk::open(&house, Route::Status);
    let form = match intake::take(&house, request, body, Route::Status).await {
        Ok(form) => form,
        Err(refused) => return refused,
    };
    let (Some(sid), Some(status)) =
        (decode::sid(&form), decode::leg_status(form.get("CallStatus")))
    else {
        return desk.no_content(Outcome::Stranger);
    };
    let call = CallId::of(account_of(&house, &form), &sid);
    let leg = LegId::INBOUND;
    desk.note(call, move |_| Some(Event::LegStatus { leg, sid: sid.clone(), status })).await
}

async fn leg_status(
    house: Data<House>,
    request: &HttpRequest,
    path: (&str, &str),
    body: Payload,
) -> HttpResponse {
    let desk = Desk::open(&house, Route::Status);
    let form = match intake::take(&house, request, body, Route::Status).await {
        Ok(form) => form,
        Err(refused) => return refused,
    };
    let names = CallId::parse(path.0).zip(EffectId::parse(path.1));
    let status = decode::sid(&form).zip(decode::leg_status(form.get("CallStatus")));
    let (Some((call, effect)), Some((sid, status))) = (names, status) else {
        return desk.no_content(Outcome::Stranger);
    };
    desk.note(call, move |call| {
        let leg = call.leg_placed_by(effect)?.id;
        Some(Event::LegStatus { leg, sid: sid.clone(), status })
    })
    .await
}

async fn message_status(
    house: Data<House>,
    request: &HttpRequest,
    path: (&str, &str),
    body: Payload,
) -> HttpResponse {
    let desk = Desk::open(&house, Route::Message);
    let form = match intake::take(&house, request, body, Route::Message).await {
        Ok(form) => form,
        Err(refused) => return refused,
    };
    let names = CallId::parse(path.0).zip(EffectId::parse(path.1));
    match (names, decode::undelivered(&form)) {
        (Some((call, effect)), Some(true)) => {
            // This counts even if the message was reported as delivered before. The provider sends one of these
            // two as the last status, in no certain order; if networks report both, a caller who still waits is
            // at worst shown another way for nothing. To keep a note of every delivery would take a turn for each
            // message.
            desk.note(call, move |_| Some(Event::Undelivered { effect })).await
        }
        _ => desk.no_content(Outcome::OutOfStep),
    }
}

/// No route of ours: whoever asks only hears the end. It may be the provider, with a wrong address or told to get
/// instead of post.
fn elsewhere(house: &House, request: &HttpRequest, body: Payload) -> HttpResponse {
    house.metrics.refused.get_or_create(&Refused { reason: Reason::Route }).inc();
    if house.refusals.may_tell(Reason::Route.as_str()) {
        tracing::warn!(
            reason = Reason::Route.as_str(),
            posted = request.method() == Method::POST,
            "a webhook was refused: what begins a call is posted to /twilio/voice"
        );
    }
    let answer = HttpResponse::NotFound().content_type(TWIML).body(twiml::hangup());
    intake::ending(answer, body)
}

/// That calls come to no number is reported once.
static NO_NUMBER: Once = Once::new();

const TWIML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The provider's account that a form names, or else ours.
fn account_of<'a>(house: &'a House, form: &'a Form) -> &'a str {
    let named = form.get("AccountSid");
    if named.is_empty() { house.account_sid.as_deref().unwrap_or_default() } else { named }
}

/// One webhook being served.
struct Desk<'h> {
    house: &'h Data<House>,
    route: Route,
    begun: Instant,
    span: Span,
}

impl<'h> Desk<'h> {
    fn open(house: &'h Data<House>, route: Route) -> Self {
        tracing::debug!(?route, "a webhook came in");
        let span = tracing::debug_span!(
            "webhook",
            otel.kind = "server",
            ?route,
            call.id = Empty,
            outcome = Empty
        );
        Self { house, route, begun: Instant::now(), span }
    }

    /// Answers with TwiML, in time.
    async fn answer(self, form: Form, call: Option<CallId>, wants: Wants) -> HttpResponse {
        let Some((call, sid)) = call.zip(decode::sid(&form)) else {
            return self.apologise(&form);
        };
        let risk = match &wants {
            Wants::Ring(ring) => Some(risk::band(&ring.caller(), &ring.signals)),
            _ => None,
        };
        let request = Request {
            call,
            sid,
            wants,
            heard: decode::heard(&form),
            fallback_number: self.fallback_number(&form),
        };
        self.span.record("call.id", display(call));
        let (exchange, request) = (self.house.exchange.clone(), Arc::new(request));
        let work = move || {
            let (exchange, request) = (exchange.clone(), request.clone());
            // It is large, and a task is moved when it begins and when it ends.
            Box::pin(async move { exchange.receive(&request).await })
        };
        match self.in_time(work).await {
            // Its first turn was lost, or never arrived: nothing is known of it.
            Ok(Answered { served: Served::Unknown, .. }) => {
                tracing::warn!(call.id = %call, "the store knows nothing of a call that goes on");
                self.apologise(&form)
            }
            Ok(Answered { reply, served, discreet }) => {
                if let Some(risk) = risk.filter(|_| served == Served::Turn) {
                    let risk = risk.as_str();
                    self.house.metrics.calls.get_or_create(&Taken { risk }).inc();
                }
                let links = Links::new(&self.house.public_url);
                let answer = self.say(outcome_of(served), twiml::render(&reply, &links, call));
                if discreet {
                    self.keep_until_due().await;
                }
                answer
            }
            Err(error) => {
                tracing::error!(call.id = %call, %error, "a webhook could not be served");
                self.apologise(&form)
            }
        }
    }

    /// Waits until an answer is due whose time must not tell what was found. The time is counted from when the
    /// webhook came in, by a clock that nobody sets.
    async fn keep_until_due(&self) {
        let policy = self.house.exchange.policy();
        let due = self.begun + Duration::from_millis(policy.enumeration.deadline_ms.into());
        // A timer rounds up to a whole millisecond, and would delay even what is already late.
        if due > Instant::now() {
            tokio::time::sleep_until(due).await;
        }
    }

    /// Notes something that asks for no answer.
    async fn note(
        self,
        call: CallId,
        event: impl Fn(&crate::engine::call::Call) -> Option<Event> + Send + Sync + 'static,
    ) -> HttpResponse {
        self.span.record("call.id", display(call));
        let (exchange, event) = (self.house.exchange.clone(), Arc::new(event));
        let work = move || {
            let (exchange, event) = (exchange.clone(), event.clone());
            async move { exchange.tell(call, None, |call| event(call)).await }
        };
        match self.in_time(work.clone()).await {
            Ok(Some(_)) => self.no_content(Outcome::Turn),
            Ok(None) => self.no_content(Outcome::OutOfStep),
            Err(error) => {
                // After a 5xx the provider warns its customer and does not come again. What is not kept here
                // either is found out by the deadline, or by asking.
                let _span = self.span.enter();
                let kept = error.store_is_away() && self.house.kept.keep(call, work);
                tracing::error!(call.id = %call, %error, kept, "a status could not be noted");
                self.no_content(Outcome::Apology)
            }
        }
    }

    /// Runs the work apart, so that it is finished whatever happens here, and waits while there is time. A store
    /// that is away is asked again meanwhile: choosing another primary takes a second or two, and the same
    /// request twice is one turn.
    async fn in_time<T: Send + 'static, W>(
        &self,
        work: impl Fn() -> W + Send + 'static,
    ) -> Result<T, Late>
    where
        W: Future<Output = Result<T, ExchangeError>> + Send,
    {
        let left = limits::TURN_DEADLINE.saturating_sub(self.begun.elapsed());
        let pass = self.house.gate.pass();
        let begun = self.begun;
        let work = tokio::spawn(
            async move {
                let mut waits = limits::STORE_AWAY_WAITS.into_iter();
                let done = loop {
                    let done = work().await;
                    let away = matches!(&done, Err(error) if error.store_is_away());
                    match waits.next().filter(|_| away) {
                        Some(wait) if begun.elapsed() + wait < limits::TURN_DEADLINE => {
                            tokio::time::sleep(wait).await;
                        }
                        _ => break done,
                    }
                };
                drop(pass);
                done
            }
            .instrument(self.span.clone()),
        );
        match tokio::time::timeout(left, work).await {
            Ok(Ok(done)) => Ok(done?),
            Ok(Err(_)) => Err(Late::Bug),
            Err(_) => Err(Late::Deadline),
        }
    }

    fn say(&self, outcome: Outcome, document: String) -> HttpResponse {
        self.count(outcome);
        HttpResponse::Ok()
            .content_type(TWIML)
            .insert_header((CACHE_CONTROL, NO_STORE))
            .body(document)
    }

    fn hangup(&self, outcome: Outcome) -> HttpResponse {
        self.say(outcome, twiml::hangup())
    }

    /// Tells the caller that it is our fault, and puts them through to somebody.
    fn apologise(&self, form: &Form) -> HttpResponse {
        let line = self.house.lines.of(form.get("To")).cloned();
        let flows = self.house.exchange.flows();
        let flow = line.as_ref().and_then(|line| flows.get(&line.flow));
        let locale = flow.map_or_else(wording::english, |flow| flow.locale.clone());
        let locale = wording::spoken_in(&locale);
        let text = wording::of(&locale).apology;
        let number = self.fallback_number(form);
        let shown = self.shown_instead(form);
        let document = twiml::apology(text, locale.as_str(), number.as_deref(), shown.as_deref());
        self.say(Outcome::Apology, document)
    }

    /// There is no room for another call: it is passed to the line's overflow number, or hears the engaged tone.
    /// Nothing of it is kept.
    fn refuse_for_now(&self, form: &Form, line: &Line, call: CallId) -> HttpResponse {
        if self.house.refusals.may_tell("TurnedAway") {
            let turns = self.house.gate.turns();
            tracing::warn!(call.id = %call, reason = "TurnedAway", turns, "a new call was turned away");
        }
        let shown = self.shown_instead(form);
        let document = twiml::turned_away(line.overflow_number.as_deref(), shown.as_deref());
        self.say(Outcome::TurnedAway, document)
    }

    fn shown_instead(&self, form: &Form) -> Option<String> {
        decode::shown_instead(form, self.house.lines.number_of(form.get("To")))
    }

    /// Only callers are put through: not those whom we ring.
    fn fallback_number(&self, form: &Form) -> Option<String> {
        if form.get("Direction").starts_with("outbound") {
            return None;
        }
        self.house.lines.of(form.get("To"))?.fallback_number.clone()
    }

    fn no_content(&self, outcome: Outcome) -> HttpResponse {
        self.count(outcome);
        HttpResponse::NoContent().finish()
    }

    fn count(&self, outcome: Outcome) {
        self.span.record("outcome", debug(outcome));
        let webhook = Webhook { route: self.route, outcome };
        self.house.metrics.webhooks.get_or_create(&webhook).inc();
        let seconds = self.house.metrics.seconds.get_or_create(&Timed { outcome });
        seconds.observe(self.begun.elapsed().as_secs_f64());
    }
}

/// Why the machine gave no answer.
#[derive(Debug, thiserror::Error)]
enum Late {
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error("it took longer than a caller can wait")]
    Deadline,
    #[error("a bug of callgate's: the work did not finish")]
    Bug,
}

impl Late {
    /// Whether the same may succeed a little later.
    fn store_is_away(&self) -> bool {
        match self {
            Self::Exchange(error) => error.store_is_away(),
            Self::Deadline => true,
            Self::Bug => false,
        }
    }
}

fn outcome_of(served: Served) -> Outcome {
    match served {
        Served::Turn => Outcome::Turn,
        Served::Replayed => Outcome::Replayed,
        Served::Contradicted => Outcome::Contradicted,
        Served::OutOfStep => Outcome::OutOfStep,
        Served::Stranger | Served::Unknown => Outcome::Stranger,
    }
}
