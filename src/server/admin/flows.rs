//! `GET /api/flows`: the flows in use, and the versions that calls in progress began with.

use std::collections::BTreeMap;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::{StreamExt as _, iter};
use serde_json::json;

use super::super::House;
use super::{refusal, unavailable};
use crate::config::Role;
use crate::limits;

/// Calls that are looked into at once: a store serves them side by side.
const AT_ONCE: usize = 16;

pub(super) async fn flows(house: Data<House>, request: HttpRequest) -> HttpResponse {
    if let Some(refused) = refusal(&house, &request, Role::Designer) {
        return refused;
    }
    let calls = match house.exchange.store().calls(limits::LISTED_CALLS_MAX).await {
        Ok(calls) => calls,
        Err(error) => return unavailable(&error.into()),
    };
    let looked_at = calls.len();
    let mut loaded = iter(calls).map(|call| house.exchange.load(call)).buffer_unordered(AT_ONCE);
    // The calls in progress by flow and version.
    let mut live: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    while let Some(loaded) = loaded.next().await {
        match loaded {
            Ok(Some(loaded)) if loaded.call.end.is_none() => {
                let versions = live.entry(loaded.call.flow.to_string()).or_default();
                *versions.entry(loaded.call.edition).or_default() += 1;
            }
            Ok(_) => {}
            Err(error) => return unavailable(&error),
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
    HttpResponse::Ok().json(json!({ "flows": flows, "calls_looked_at": looked_at }))
}
