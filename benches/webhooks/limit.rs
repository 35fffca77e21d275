//! The limit: a bare server that parses the form, checks the signature and makes one round trip to
//! Redis, and nothing else. No server that keeps its calls in Redis can do less for a webhook.

use std::borrow::Cow;

use actix_web::web::{Bytes, Data, to};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Script};
use sha1::Sha1;
use url::form_urlencoded;

use super::call::{PUBLIC_URL, TOKEN};

/// As much as a call's state has in the study that the goals come from.
const STATE_BYTES: usize = 574;
const LAST_TURN: u32 = 3;

struct Desk {
    key: Hmac<Sha1>,
    redis: ConnectionManager,
    script: Script,
    state: String,
}

/// Serves until it is killed.
pub(crate) fn serve(redis: &str, port: u16, workers: usize) -> std::io::Result<()> {
    let client = Client::open(redis).expect("the address is the harness's own");
    let desk = move || Desk {
        key: Hmac::new_from_slice(TOKEN.as_bytes()).expect("any key will do"),
        // Made within the worker's runtime: a connection of its own.
        redis: ConnectionManager::new_lazy_with_config(
            client.clone(),
            ConnectionManagerConfig::new(),
        )
        .expect("nothing is connected yet"),
        script: Script::new(include_str!("limit.lua")),
        state: "x".repeat(STATE_BYTES),
    };
    actix_web::rt::System::new().block_on(
        HttpServer::new(move || {
            App::new()
                .app_data(Data::new(desk()))
                // A router of patterns would cost more than the rest.
                .default_service(to(webhook))
        })
        .workers(workers)
        .bind(("127.0.0.1", port))?
        .run(),
    )
}

async fn webhook(desk: Data<Desk>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let turn = request.path().rsplit('/').next().and_then(|turn| turn.parse().ok());
    answer(&desk, &request, &body, turn.unwrap_or(0)).await
}

async fn answer(desk: &Desk, request: &HttpRequest, body: &[u8], turn: u32) -> HttpResponse {
    let mut fields: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(body).collect();
    fields.sort_unstable();
    let signature = request.headers().get("X-Twilio-Signature");
    let signature = signature.and_then(|given| STANDARD.decode(given.as_bytes()).ok());
    let mut mac = desk.key.clone();
    mac.update(PUBLIC_URL.as_bytes());
    mac.update(request.uri().path().as_bytes());
    for (name, value) in &fields {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    if signature.is_none_or(|signature| mac.verify_slice(&signature).is_err()) {
        return HttpResponse::Forbidden().finish();
    }
    let sid = fields.iter().find(|(name, _)| name == "CallSid").map_or("", |(_, sid)| sid);
    let mut redis = desk.redis.clone();
    let mut script = desk.script.key(format!("limit:{sid}"));
    script.arg(turn).arg(format!("{}:{}", turn + 1, desk.state));
    let kept: redis::RedisResult<String> = script.invoke_async(&mut redis).await;
    if !kept.is_ok_and(|kept| kept == "ok") {
        return HttpResponse::InternalServerError().finish();
    }
    let document = if turn == LAST_TURN {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say language=\"en-US\">Your balance is \
         $1,234.56.</Say><Say language=\"en-US\">Thank you. Goodbye.</Say><Hangup/></Response>"
            .to_owned()
    } else {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Gather input=\"dtmf\" timeout=\"5\" \
             action=\"{PUBLIC_URL}/twilio/turn/{sid}/{}\" method=\"POST\" actionOnEmptyResult=\"true\">\
             <Say language=\"en-US\">Please key in what we ask for.</Say></Gather></Response>",
            turn + 1
        )
    };
    HttpResponse::Ok().content_type("text/xml; charset=utf-8").body(document)
}
