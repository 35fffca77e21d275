//! `POST` and `GET /api/calls/{id}/step-up`: a specialist asks that the caller prove more, and learns
//! what came of it.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::super::House;
use super::{body_for, holder, not_found, refusal, unavailable};
use crate::config::Role;
use crate::engine::id::CallId;
use crate::engine::step_up::Asking;
use crate::exchange::agent::Told;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    level: String,
}

pub(super) async fn ask(
    house: Data<House>,
    request: HttpRequest,
    path: Path<String>,
    body: Payload,
) -> HttpResponse {
    let body = match body_for(&house, &request, Role::Agent, body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let Some(id) = CallId::parse(&path) else { return not_found() };
    let Ok(Wanted { level }) = serde_json::from_slice::<Wanted>(&body) else {
        let error = "the body must be {\"level\": …}";
        return HttpResponse::BadRequest().json(json!({ "error": error }));
    };
    let by = holder(&house, &request).map_or("", |token| &token.name);
    let conflict = |error: &str| HttpResponse::Conflict().json(json!({ "error": error }));
    match house.exchange.ask_step_up(id, &level.as_str().into(), by).await {
        Ok(None) => not_found(),
        Ok(Some((Asking::NoLevel, _))) => HttpResponse::UnprocessableEntity()
            .json(json!({ "error": "the flow of this call has no such level" })),
        Ok(Some((Asking::Busy, _))) => conflict("the caller is at proving another level"),
        Ok(Some((Asking::New | Asking::Pending(_), Some(asked)))) => {
            HttpResponse::Accepted().json(Told::from(&asked))
        }
        Ok(Some(_)) => conflict(
            "the caller is in no conference that its flow lets a specialist send them from",
        ),
        Err(error) => unavailable(&error),
    }
}

pub(super) async fn result(
    house: Data<House>,
    request: HttpRequest,
    path: Path<String>,
) -> HttpResponse {
    if let Some(refused) = refusal(&house, &request, Role::Agent) {
        return refused;
    }
    let Some(id) = CallId::parse(&path) else { return not_found() };
    match house.exchange.load(id).await {
        Ok(Some(loaded)) => match &loaded.call.agent_step_up {
            Some(asked) => HttpResponse::Ok().json(Told::from(asked)),
            None => HttpResponse::NotFound()
                .json(json!({ "error": "nothing was asked of this caller" })),
        },
        Ok(None) => not_found(),
        Err(error) => unavailable(&error),
    }
}
