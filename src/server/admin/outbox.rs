//! `/api/outbox`: effects that were given up, to look at, try again or drop.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::super::House;
use super::{holder, refusal, unavailable};
use crate::config::Role;
use crate::engine::id::EffectId;
use crate::exchange::dead::DeadLetter;
use crate::exchange::unlock::By;
use crate::outbox::Retried;

/// What an operator sees of a letter: neither to whom it goes, nor what it says.
pub(crate) fn shown(letter: &DeadLetter) -> Value {
    json!({
        "effect": letter.effect.to_string(),
        "call": letter.call.to_string(),
        "what": letter.what,
        "why": letter.why.as_str(),
        "at": letter.at.to_string(),
        "attempts": letter.attempts,
        "can_be_retried": letter.again.is_some(),
    })
}

pub(super) async fn list(house: Data<House>, request: HttpRequest) -> HttpResponse {
    if let Some(refused) = refusal(&house, &request, Role::Operator) {
        return refused;
    }
    match house.exchange.dead_letters().await {
        Ok(letters) => {
            let letters: Vec<_> = letters.iter().map(shown).collect();
            HttpResponse::Ok().json(json!({ "dead_letters": letters }))
        }
        Err(error) => unavailable(&error),
    }
}

pub(super) async fn retry(
    house: Data<House>,
    request: HttpRequest,
    path: Path<String>,
) -> HttpResponse {
    if let Some(refused) = refusal(&house, &request, Role::Operator) {
        return refused;
    }
    let Some(effect) = EffectId::parse(&path) else { return no_letter() };
    match house.outbox.retry(effect, operator(&house, &request)).await {
        Ok(Retried::Done) => HttpResponse::Ok().json(json!({ "outcome": "done" })),
        Ok(Retried::Failed(why)) => HttpResponse::BadGateway()
            .json(json!({ "error": format!("it was not done: {}", why.as_str()) })),
        Ok(Retried::Pointless) => HttpResponse::Conflict()
            .json(json!({ "error": "it is of no use any more; it can only be dropped" })),
        Ok(Retried::Taken) => {
            HttpResponse::Conflict().json(json!({ "error": "somebody is trying it just now" }))
        }
        Ok(Retried::Unknown) => no_letter(),
        Err(error) => unavailable(&error),
    }
}

pub(super) async fn discard(
    house: Data<House>,
    request: HttpRequest,
    path: Path<String>,
) -> HttpResponse {
    if let Some(refused) = refusal(&house, &request, Role::Operator) {
        return refused;
    }
    let Some(effect) = EffectId::parse(&path) else { return no_letter() };
    match house.exchange.drop_letter(effect, operator(&house, &request)).await {
        Ok(true) => HttpResponse::NoContent().finish(),
        Ok(false) => no_letter(),
        Err(error) => unavailable(&error),
    }
}

fn operator<'h>(house: &'h House, request: &HttpRequest) -> By<'h> {
    By::Token(holder(house, request).map_or("", |token| &token.name))
}

fn no_letter() -> HttpResponse {
    HttpResponse::NotFound().json(json!({ "error": "there is no such dead letter" }))
}
