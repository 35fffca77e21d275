//! `GET /api/flows`: the flows in use, and the versions that calls in progress began with.

use std::collections::BTreeMap;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::{StreamExt as _, iter};
use serde_json::{Value, json};

use super::super::House;
use super::{refusal, unavailable};
use crate::config::Role;
use crate::exchange::ExchangeError;
use crate::limits;

pub(super) async fn flows(house: Data<House>, request: HttpRequest) -> HttpResponse {
    if let Some(refused) = refusal(&house, &request, Role::Designer) {
        return refused;
    }
    match listing(&house).await {
        Ok(listing) => HttpResponse::Ok().json(listing),
        Err(error) => unavailable(&error),
    }
}

pub(super) async fn listing(house: &House) -> Result<Value, ExchangeError> {
    let calls = house.exchange.store().calls(limits::LISTED_CALLS_MAX).await?;
    let looked_at = calls.len();
    let mut loaded = iter(calls)
        .map(|call| house.exchange.load_unless_damaged(call))
        .buffer_unordered(limits::CALLS_LOADED_AT_ONCE);
    // The calls in progress by flow and version.
    let mut live: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    while let Some(loaded) = loaded.next().await {
        if let Some(loaded) = loaded?
            && loaded.call.end.is_none()
        {
            let versions = live.entry(loaded.call.flow.to_string()).or_default();
            *versions.entry(loaded.call.edition).or_default() += 1;
        }
    }
    let current = house.exchange.flows();
    let mut names: Vec<_> = current.iter().map(|flow| flow.name.to_string()).collect();
    names.extend(live.keys().filter(|name| current.get(name).is_none()).cloned());
    let flows: Vec<_> = names
        .iter()
        .map(|name| {
            let edition = house.exchange.version_of(name);
            let mut versions = live.remove(name).unwrap_or_default();
            if let Some(edition) = &edition {
                versions.entry(edition.clone()).or_default();
            }
            let versions: Vec<_> = versions
                .iter()
                .map(|(hash, calls)| {
                    json!({
                        "edition": hash,
                        "current": edition.as_ref() == Some(hash),
                        "live_calls": calls,
                    })
                })
                .collect();
            json!({ "name": name, "edition": edition, "versions": versions })
        })
        .collect();
    Ok(json!({ "flows": flows, "calls_looked_at": looked_at }))
}
