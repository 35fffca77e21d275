//! `GET /api/events`: the turns that this server takes, as server-sent events.

use std::convert::Infallible;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::super::House;
use super::refusal;
use crate::config::Role;
use crate::limits::EVENTS_SILENCE_MAX;

pub(super) async fn events(house: Data<House>, request: HttpRequest) -> HttpResponse {
    if let Some(refused) = refusal(&house, &request, Role::Operator) {
        return refused;
    }
    let Some(watch) = house.exchange.watch() else {
        let error = "too many watch this server already; close one of them";
        return HttpResponse::ServiceUnavailable().json(json!({ "error": error }));
    };
    // The first line is sent at once: a watcher who has received it misses nothing from then on.
    let begun = Bytes::from_static(b": watching\n\n");
    let told = unfold(
        (Some(begun), watch, house.stop.clone()),
        async |(begun, mut watch, stop)| {
            let part = if let Some(begun) = begun {
                begun
            } else {
                tokio::select! {
                    () = stop.cancelled() => return None,
                    next = timeout(EVENTS_SILENCE_MAX, watch.recv()) => match next {
                        Ok(Ok(happened)) => named("turn", &json!(happened)),
                        Ok(Err(RecvError::Lagged(count))) => named("missed", &json!({ "count": count })),
                        Ok(Err(RecvError::Closed)) => return None,
                        Err(_) => Bytes::from_static(b": nothing happened\n\n"),
                    }
                }
            };
            Some((Ok::<_, Infallible>(part), (None, watch, stop)))
        },
    );
    HttpResponse::Ok().content_type("text/event-stream").streaming(Box::pin(told))
}

/// An event. Its data is one line, because JSON has no line ends of its own.
fn named(name: &str, data: &serde_json::Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}
