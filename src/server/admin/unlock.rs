//! `POST /api/unlock`: lifts the locks of an account's factors.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::super::House;
use super::{body_for, holder, unavailable};
use crate::config::Role;
use crate::exchange::unlock::By;
use crate::flow::level::Fact;
use crate::secret::Secret;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    account: Secret,
    factor: Option<String>,
}

pub(super) async fn unlock(
    house: Data<House>,
    request: HttpRequest,
    body: Payload,
) -> HttpResponse {
    let body = match body_for(&house, &request, Role::Operator, body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let bad = |error: &str| HttpResponse::BadRequest().json(json!({ "error": error }));
    // What is wrong with the body may be a customer's number: it is not repeated.
    let Ok(Wanted { account, factor }) = serde_json::from_slice::<Wanted>(&body) else {
        return bad("the body must be {\"account\": …, \"factor\"?: \"pin\"}");
    };
    let factor = match factor.as_deref().map(Fact::parse) {
        Some(None) => {
            let names: Vec<_> = Fact::ALL.iter().map(|fact| fact.as_str()).collect();
            return bad(&format!("`factor` must be one of {}", names.join(", ")));
        }
        factor => factor.flatten(),
    };
    let by = holder(&house, &request).map_or("", |token| &token.name);
    match house.exchange.unlock(&account, factor, By::Token(by)).await {
        Ok(Some(lifted)) => {
            let budget = house.exchange.policy().pin.year_budget;
            let lifted: Vec<_> = lifted
                .iter()
                .map(|(factor, lifted)| {
                    json!({
                        "factor": factor.as_str(),
                        "failures_lifted": lifted.failures,
                        "failures_this_year": lifted.year,
                        "locked_for_the_year": lifted.year >= budget,
                    })
                })
                .collect();
            HttpResponse::Ok().json(json!({ "unlocked": lifted }))
        }
        Ok(None) => HttpResponse::NotFound().json(json!({ "error": "there is no such account" })),
        Err(error) => unavailable(&error),
    }
}
