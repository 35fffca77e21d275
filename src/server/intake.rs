//! The way in: a request becomes the provider's form, or is refused before anything is done with it.
//!
//! The order matters. First size and time are bounded, then the body is read, then the signature over it is
//! checked, and only then are fields looked at.

use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, HeaderName};
use actix_web::web::{BytesMut, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt as _;

use super::House;
use super::metrics::{Reason, Refused, Route};
use crate::carrier::form::{self, FormError};
use crate::limits;

static SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");

/// The parameters that we read: each may be given once.
const READ: [&str; 17] = [
    "AccountSid",
    "AnsweredBy",
    "CallSid",
    "CallStatus",
    "DialCallStatus",
    "Digits",
    "Direction",
    "ErrorUrl",
    "ForwardedFrom",
    "From",
    "MessageStatus",
    "QueueResult",
    "RecordingDuration",
    "RecordingUrl",
    "SpeechResult",
    "StirVerstat",
    "To",
];

/// The values of [`READ`] in a form that the provider signed.
pub(super) struct Form([Option<String>; READ.len()]);

impl Form {
    /// A parameter; empty if it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        let place = place_of(name);
        debug_assert!(place.is_some(), "`{name}` is not read");
        place.and_then(|place| self.0.get(place)?.as_deref()).unwrap_or_default()
    }
}

/// Where a parameter stands among those that we read. Few have its length, so comparing with each is faster than
/// a binary search.
fn place_of(name: &str) -> Option<usize> {
    READ.iter().position(|known| *known == name)
}

/// Takes a request in.
pub(super) async fn take(
    house: &House,
    request: &HttpRequest,
    mut body: Payload,
    route: Route,
) -> Result<Form, HttpResponse> {
    read(house, request, &mut body).await.map_err(|reason| {
        house.metrics.refused.get_or_create(&Refused { reason }).inc();
        if house.refusals.may_tell(reason.as_str()) {
            tracing::warn!(reason = reason.as_str(), ?route, "a webhook was refused");
        }
        let refused = match reason {
            Reason::Signature | Reason::Account => HttpResponse::Forbidden().finish(),
            Reason::Size => HttpResponse::PayloadTooLarge().finish(),
            Reason::Slow => HttpResponse::RequestTimeout().finish(),
            Reason::Form | Reason::Repeated => HttpResponse::BadRequest().finish(),
            Reason::Route => HttpResponse::NotFound().finish(),
        };
        ending(refused, body)
    })
}

/// The answer to a request whose body is not read to its end: it ends the connection.
///
/// The server goes on reading a body that nobody holds any more, and throws it away, for as long as it comes; so
/// the answer holds it until it is sent.
pub(super) fn ending(answer: HttpResponse, body: Payload) -> HttpResponse {
    let mut answer = answer;
    answer.extensions_mut().insert(body);
    answer
}

async fn read(house: &House, request: &HttpRequest, body: &mut Payload) -> Result<Form, Reason> {
    let body = bounded(request, body).await?;
    let signature = only(request, &SIGNATURE).ok_or(Reason::Signature)?;
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = content_type.is_some_and(|of| {
        let media = of.split(';').next().unwrap_or_default().trim();
        media.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    });
    if !is_form && !body.is_empty() {
        return Err(Reason::Form);
    }
    let fields = form::fields(&body).map_err(|error| match error {
        FormError::TooMany => Reason::Size,
        FormError::Escape | FormError::Utf8 => Reason::Form,
    })?;
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    if !house.keys.verify(&house.bases, target, &fields, signature) {
        return Err(Reason::Signature);
    }
    let mut form = Form(Default::default());
    for (name, value) in fields {
        let Some(place) = place_of(&name) else { continue };
        if form.0.get_mut(place).and_then(|given| given.replace(value.into_owned())).is_some() {
            return Err(Reason::Repeated);
        }
    }
    let account = form.get("AccountSid");
    if house.account_sid.as_ref().is_some_and(|ours| !account.is_empty() && account != ours) {
        return Err(Reason::Account);
    }
    Ok(form)
}

/// The value of a header that was given once. If there are two, a proxy in front of us may have looked at the
/// other.
pub(super) fn only<'r>(request: &'r HttpRequest, name: &HeaderName) -> Option<&'r str> {
    let mut values = request.headers().get_all(name);
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok()).flatten()
}

/// Reads a body, in time, and no larger than any that is meant for us.
pub(super) async fn bounded(request: &HttpRequest, body: &mut Payload) -> Result<BytesMut, Reason> {
    within(limits::REQUEST_BODY_TIMEOUT, collect(request, body)).await
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Reason>>,
) -> Result<T, Reason> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(Reason::Slow))
}

async fn collect(request: &HttpRequest, body: &mut Payload) -> Result<BytesMut, Reason> {
    let announced = request.headers().get(actix_web::http::header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits::BODY_BYTES_MAX) {
        return Err(Reason::Size);
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Reason::Form)?;
        if bytes.len() + chunk.len() > limits::BODY_BYTES_MAX {
            return Err(Reason::Size);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
