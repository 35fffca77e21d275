//! The house's own listener: health, metrics, and what operators may see of calls.

mod events;
mod flows;
mod outbox;
mod pages;
mod step_up;
mod unlock;

use std::time::Duration;

use actix_web::http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL};
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, BytesMut, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, Route, guard};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::metrics::Reason;
use super::{House, intake};
use crate::config::{AdminToken, Role};
use crate::document::parse_duration;
use crate::engine::call::Call;
use crate::engine::id::CallId;
use crate::engine::turn::Entry;
use crate::exchange::ExchangeError;
use crate::exchange::service_code::WebLevel;
use crate::secret::Secret;

/// Calls in one listing.
const LISTED_MAX: usize = 100;

pub(super) fn routes(config: &mut ServiceConfig) {
    // Each resource lists all its methods in one place, so that any other gets 405. What is said of a call, or of
    // our readiness, must not be cached on the way.
    let mut resource = |path: &str, methods: &'static str, routes: Vec<Route>| {
        let resource = routes.into_iter().fold(web::resource(path), Resource::route);
        let other = web::to(move || std::future::ready(not_allowed(methods)));
        let resource = resource.default_service(other);
        config.service(resource.wrap(DefaultHeaders::new().add((CACHE_CONTROL, "no-store"))));
    };
    let post = web::post;
    resource("/health/live", READ, vec![get().to(live)]);
    resource("/health/ready", READ, vec![get().to(ready)]);
    resource("/metrics", READ, vec![get().to(metrics)]);
    resource("/.well-known/jwks.json", READ, vec![get().to(voucher_keys)]);
    resource("/api/openapi.json", READ, vec![get().to(openapi)]);
    resource("/api/events", "GET", vec![web::get().to(events::events)]);
    resource("/api/calls", READ, vec![get().to(calls)]);
    resource("/api/calls/{call}", READ, vec![get().to(call)]);
    resource("/api/calls/{call}/journal", READ, vec![get().to(journal)]);
    let step_up = vec![post().to(step_up::ask), get().to(step_up::result)];
    resource("/api/calls/{call}/step-up", "GET, HEAD, POST", step_up);
    resource("/api/flows", READ, vec![get().to(flows::flows)]);
    resource("/api/outbox", READ, vec![get().to(outbox::list)]);
    resource("/api/outbox/{effect}/retry", "POST", vec![post().to(outbox::retry)]);
    resource("/api/outbox/{effect}/drop", "POST", vec![post().to(outbox::discard)]);
    resource("/api/service-codes", "POST", vec![post().to(service_code)]);
    resource("/api/unlock", "POST", vec![post().to(unlock::unlock)]);
    config.default_service(web::to(async || no_such_route()));
    pages::routes(config);
}

/// The methods of [`get`].
const READ: &str = "GET, HEAD";

/// What may be looked at: with `HEAD` too, which is answered without a body (RFC 9110, section 9.3.2).
fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// A server is ready if it can take a turn: the store takes writes, and nobody has told the server to stop.
/// Changed flows with errors are reported, but calls go on with the last good ones; so are other servers of the store
/// that are set up otherwise.
async fn ready(house: Data<House>) -> HttpResponse {
    let flows = if house.metrics.flows_current.get() == 1 { "current" } else { "last good" };
    if house.stop.is_cancelled() {
        return HttpResponse::ServiceUnavailable().json(json!({ "status": "stopping" }));
    }
    match house.exchange.probe().await {
        Ok(()) => HttpResponse::Ok().json(json!({
            "status": "ready",
            "flows": flows,
            "unlike_others": *house.metrics.differ(),
        })),
        Err(error) => HttpResponse::ServiceUnavailable()
            .json(json!({ "status": "not ready", "store": error.to_string() })),
    }
}

async fn metrics(house: Data<House>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(house.metrics.text())
}

/// What vouchers are checked with. A key is published long before it signs, so copies may be cached.
async fn voucher_keys(house: Data<House>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .json(house.exchange.voucher_keys())
}

/// The description of this listener, for those who write clients: no secret.
async fn openapi() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(include_str!("../../docs/openapi.json"))
}

async fn calls(house: Data<House>, request: HttpRequest) -> HttpResponse {
    if let Some(refused) = refusal(&house, &request, Role::Operator) {
        return refused;
    }
    match house.exchange.store().calls(LISTED_MAX).await {
        Ok(calls) => {
            let calls: Vec<_> = calls.iter().map(ToString::to_string).collect();
            HttpResponse::Ok().json(json!({ "calls": calls }))
        }
        Err(error) => unavailable(&error.into()),
    }
}

async fn call(house: Data<House>, request: HttpRequest, path: Path<String>) -> HttpResponse {
    if let Some(refused) = refusal(&house, &request, Role::Agent) {
        return refused;
    }
    let Some(id) = CallId::parse(&path) else { return not_found() };
    if holder(&house, &request).is_some_and(|token| token.role == Role::Agent) {
        return match house.exchange.seen_by_agent(id).await {
            Ok(Some(view)) => HttpResponse::Ok().json(view),
            Ok(None) => not_found(),
            Err(error) => unavailable(&error),
        };
    }
    match house.exchange.load(id).await {
        Ok(Some(loaded)) => HttpResponse::Ok().json(call_view(&loaded.call)),
        Ok(None) => not_found(),
        Err(error) => unavailable(&error),
    }
}

async fn journal(house: Data<House>, request: HttpRequest, path: Path<String>) -> HttpResponse {
    if let Some(refused) = refusal(&house, &request, Role::Operator) {
        return refused;
    }
    let Some(id) = CallId::parse(&path) else { return not_found() };
    match house.exchange.journal(id).await {
        Ok(entries) if entries.is_empty() => not_found(),
        Ok(entries) => {
            let entries: Vec<_> = entries.iter().map(entry_view).collect();
            HttpResponse::Ok().json(json!({ "call": id.to_string(), "turns": entries }))
        }
        Err(error) => unavailable(&error),
    }
}

/// What a web session sends on behalf of a customer who is logged in.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    account: Secret,
    level: WebLevel,
    purpose: Option<String>,
    /// `"15m"`, or seconds.
    ttl: Option<Value>,
}

async fn service_code(house: Data<House>, request: HttpRequest, body: Payload) -> HttpResponse {
    let body = match body_for(&house, &request, Role::Operator, body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let bad = |error: &str| HttpResponse::BadRequest().json(json!({ "error": error }));
    // What is wrong with the body may be a customer's number, so it is not repeated.
    let Ok(wanted) = serde_json::from_slice::<Wanted>(&body) else {
        return bad(
            "the body must be {\"account\": …, \"level\": \"aal1\"|\"aal2\", \"purpose\"?: …, \"ttl\"?: \"15m\"}",
        );
    };
    let policy = &house.exchange.policy().service_code;
    let ttl = match &wanted.ttl {
        None => Some(Duration::from_secs(policy.ttl_s.into())),
        Some(Value::String(text)) => parse_duration(text),
        // 900.0 is a whole number too (JSON Schema, 6.1.1).
        Some(value) => {
            let seconds = value.as_f64().filter(|seconds| seconds.fract() == 0.0);
            seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        }
    };
    let longest = Duration::from_secs(policy.ttl_max_s.into());
    let Some(ttl) = ttl.filter(|ttl| (Duration::from_secs(1)..=longest).contains(ttl)) else {
        return bad("`ttl` must be a duration up to the policy's longest, a day by default");
    };
    let fits = |purpose: &String| (1..=64).contains(&purpose.chars().count());
    if !wanted.purpose.as_ref().is_none_or(fits) {
        return bad("`purpose` must be 1 to 64 characters");
    }
    let Wanted { account, level, purpose, .. } = wanted;
    match house.exchange.issue_service_code(&account, level, purpose, ttl).await {
        Ok(Some(issued)) => {
            tracing::info!(?level, "a service code was issued");
            HttpResponse::Created().json(json!({
                "code": issued.code.expose(),
                "expires_at": issued.expires_at.to_string(),
            }))
        }
        Ok(None) => HttpResponse::NotFound().json(json!({ "error": "there is no such account" })),
        Err(error) => unavailable(&error),
    }
}

/// What an operator sees of a call: where it stands and what was proved, not who it is.
fn call_view(call: &Call) -> Value {
    let proved: Vec<_> = call
        .facts
        .0
        .iter()
        .map(|(fact, proof)| json!({ "fact": fact.as_str(), "at": proof.at.to_string() }))
        .collect();
    let legs: Vec<_> = call
        .legs
        .iter()
        .map(|leg| json!({ "leg": leg.id.0, "role": leg.role, "status": leg.status }))
        .collect();
    json!({
        "id": call.id.to_string(),
        "flow": call.flow.as_str(),
        "edition": call.edition,
        "state": format!("{}.{}", call.at.flow, call.at.state),
        "started": call.started.to_string(),
        "turns": call.turns,
        "locale": call.locale.as_str(),
        "facts": proved,
        "legs": legs,
        "end": call.end,
    })
}

/// What an operator sees of a turn.
fn entry_view(entry: &Entry) -> Value {
    let hops: Vec<_> = entry
        .hops
        .iter()
        .map(|hop| {
            json!({
                "state": format!("{}.{}", hop.at.flow, hop.at.state),
                "outcome": hop.outcome.as_ref().map(|outcome| outcome.as_str().to_owned()),
            })
        })
        .collect();
    json!({
        "number": entry.number,
        "turn": entry.moment.turn.0.to_string(),
        "at": entry.moment.now.to_string(),
        "event": entry.event.name(),
        "hops": hops,
        "proved": entry.proved,
        "effects": entry.effects.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "end": entry.end,
        "remarks": entry.remarks,
    })
}

/// Refuses a request that carries no token of this role or of an operator.
fn refusal(house: &House, request: &HttpRequest, role: Role) -> Option<HttpResponse> {
    if bearer(request).is_none() {
        return Some(unauthorized("this needs a bearer token of the admin listener"));
    }
    match holder(house, request) {
        Some(token) if token.role == role || token.role == Role::Operator => None,
        Some(token) => {
            tracing::warn!(token = token.name, "an admin token asked for more than it allows");
            Some(HttpResponse::Forbidden().json(json!({ "error": "this token does not allow it" })))
        }
        None => {
            note_stranger(house);
            Some(unauthorized("this token is not known"))
        }
    }
}

/// A token came that is none of ours.
fn note_stranger(house: &House) {
    house.metrics.strangers.inc();
    if house.refusals.may_tell("Token") {
        tracing::warn!(reason = "Token", "an admin request was refused: its token is not known");
    }
}

/// The body of a request that carries a token of this role. Without one nothing is read, and with one for no
/// longer than sending it takes.
async fn body_for(
    house: &House,
    request: &HttpRequest,
    role: Role,
    mut body: Payload,
) -> Result<BytesMut, HttpResponse> {
    if let Some(refused) = refusal(house, request, role) {
        return Err(intake::ending(refused, body));
    }
    intake::bounded(request, &mut body).await.map_err(|reason| {
        let (mut refused, error) = match reason {
            Reason::Size => (HttpResponse::PayloadTooLarge(), "the body is larger than 64 KiB"),
            Reason::Slow => (HttpResponse::RequestTimeout(), "the body did not come in time"),
            _ => (HttpResponse::BadRequest(), "the body did not come to its end"),
        };
        intake::ending(refused.json(json!({ "error": error })), body)
    })
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = intake::only(request, &AUTHORIZATION)?.split_once(' ')?;
    // The name of the scheme may be written in either case (RFC 9110, section 11.1).
    scheme.eq_ignore_ascii_case("Bearer").then_some(token)
}

/// The token that a request carries, if it is one of ours.
fn holder<'h>(house: &'h House, request: &HttpRequest) -> Option<&'h AdminToken> {
    owner(house, bearer(request)?)
}

fn owner<'h>(house: &'h House, given: &str) -> Option<&'h AdminToken> {
    let given = Sha256::digest(given);
    // It is compared with every token, so that the time does not tell which one is near.
    let mut known = None;
    for token in &house.admin_tokens {
        let ours = Sha256::digest(token.token.expose_secret());
        if bool::from(ours.ct_eq(&given)) {
            known = Some(token);
        }
    }
    known
}

fn unauthorized(error: &str) -> HttpResponse {
    HttpResponse::Unauthorized()
        .insert_header(("WWW-Authenticate", "Bearer"))
        .json(json!({ "error": error }))
}

fn not_found() -> HttpResponse {
    HttpResponse::NotFound().json(json!({ "error": "there is no such call, or it is forgotten" }))
}

fn no_such_route() -> HttpResponse {
    HttpResponse::NotFound().json(json!({ "error": "there is nothing at this address" }))
}

/// Names the methods that there are (RFC 9110, section 15.5.6).
fn not_allowed(methods: &'static str) -> HttpResponse {
    HttpResponse::MethodNotAllowed()
        .insert_header((ALLOW, methods))
        .json(json!({ "error": format!("only {methods} can be asked for here") }))
}

fn unavailable(error: &ExchangeError) -> HttpResponse {
    tracing::error!(%error, "an admin request could not be served");
    HttpResponse::ServiceUnavailable().json(json!({ "error": error.to_string() }))
}
