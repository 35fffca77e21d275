//! The pages: the house, its flows and its calls, for people with a browser.
//!
//! They show what the API tells the same token, and change nothing. A browser asks for the token as a password
//! (RFC 7617), with any user name; the API takes no token that way, because a browser would also send it with
//! what another site makes it post.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, LOCATION, WWW_AUTHENTICATE};
use actix_web::web::{self, Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{StreamExt as _, TryStreamExt as _, iter};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::{House, intake};
use super::{
    LISTED_MAX, READ, bearer, call_view, entry_view, flows, get, not_allowed, note_stranger, owner,
};
use crate::check::check;
use crate::check::odds::{NoOdds, Terms, odds};
use crate::config::{AdminToken, Role};
use crate::draw::{self, Picture};
use crate::engine::id::CallId;
use crate::engine::turn::{Entry, Hop};
use crate::exchange::ExchangeError;
use crate::flow::risk::Risk;
use crate::flow::{Flow, FlowSet};
use crate::limits::{CALLS_LOADED_AT_ONCE, DRAWN_STATES_MAX, PAGE_AGAIN_S};
use crate::render::statement::{self, Statement};
use crate::ui::{self, Page};

/// Nothing from elsewhere, no script, in no frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";
/// The colours of a picture stand in it.
const POLICY_OF_PICTURES: &str = "default-src 'none'; style-src 'unsafe-inline'";

pub(super) fn routes(config: &mut ServiceConfig) {
    let mut page = |path: &str, route| {
        let other = web::to(async || not_allowed(READ));
        config.service(web::resource(path).route(route).default_service(other));
    };
    page("/", get().to(house));
    page("/style.css", get().to(style));
    page("/flows/{flow}", get().to(flow));
    page("/flows/{flow}/picture.svg", get().to(picture));
    page("/flows/{flow}/statement.md", get().to(assurance));
    page("/calls", get().to(look_up));
    page("/calls/{call}", get().to(call));
    page("/calls/{call}/ways/{flow}.svg", get().to(ways));
}

/// The result of a request for a page, or for something on one.
type Shown = Result<HttpResponse, Instead>;

/// What is shown instead of what was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{why}")]
struct Instead {
    status: StatusCode,
    title: &'static str,
    why: String,
}

impl ResponseError for Instead {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = bare(self.status);
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header((WWW_AUTHENTICATE, "Basic realm=\"callgate\", charset=\"UTF-8\""));
        }
        match ui::write(Page::Sorry, self.title, None, &json!({ "why": self.why })) {
            Ok(text) => answer.content_type(HTML).body(text),
            Err(_) => answer.finish(),
        }
    }
}

impl From<ExchangeError> for Instead {
    fn from(error: ExchangeError) -> Self {
        tracing::error!(%error, "a page could not be shown");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Not now", error.to_string())
    }
}

impl Instead {
    fn new(status: StatusCode, title: &'static str, why: impl Into<String>) -> Self {
        Self { status, title, why: why.into() }
    }
}

const HTML: &str = "text/html; charset=utf-8";

async fn house(house: Data<House>, request: HttpRequest) -> Shown {
    let role = visitor(&house, &request, &[Role::Designer, Role::Agent, Role::Operator])?.role;
    let mut flows = Value::Null;
    if role != Role::Agent {
        flows = flows::listing(&house).await?.get("flows").cloned().unwrap_or_default();
    }
    let mut listed = Value::Null;
    if role == Role::Operator {
        listed = calls(&house).await?.into();
    }
    let again = (role == Role::Operator).then_some(PAGE_AGAIN_S);
    let data = json!({ "flows": flows, "calls": listed, "looks_up": role != Role::Designer });
    page(Page::House, "Flows and calls", again, &data)
}

/// The calls begun last, newest first.
async fn calls(house: &House) -> Result<Vec<Value>, ExchangeError> {
    let ids = house.exchange.store().calls(LISTED_MAX).await?;
    let loaded = iter(ids).map(|id| house.exchange.load_unless_damaged(id));
    let loaded = loaded.buffered(CALLS_LOADED_AT_ONCE);
    // A call on the list may be forgotten by now.
    loaded
        .try_filter_map(async |call| Ok(call.map(|loaded| call_view(&loaded.call))))
        .try_collect()
        .await
}

async fn look_up(
    house: Data<House>,
    request: HttpRequest,
    query: Query<HashMap<String, String>>,
) -> Shown {
    visitor(&house, &request, &[Role::Agent, Role::Operator])?;
    let id = query.get("id").and_then(|id| CallId::parse(id.trim()));
    let id = id.ok_or_else(|| missing("That is no id of a call: it is 32 hexadecimal digits."))?;
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, format!("/calls/{id}"))).finish())
}

async fn call(house: Data<House>, request: HttpRequest, path: Path<String>) -> Shown {
    let role = visitor(&house, &request, &[Role::Agent, Role::Operator])?.role;
    let id = CallId::parse(&path).ok_or_else(no_call)?;
    let title = format!("Call {id}");
    if role == Role::Agent {
        let seen = house.exchange.seen_by_agent(id).await?;
        let seen = seen.ok_or_else(no_call)?;
        let again = (!seen.over).then_some(PAGE_AGAIN_S);
        return page(Page::Caller, &title, again, &seen);
    }
    let loaded = house.exchange.load(id).await?;
    let call = loaded.ok_or_else(no_call)?.call;
    let journal = house.exchange.journal(id).await?;
    let mut drawn: Vec<&str> = Vec::new();
    for hop in hops(&journal) {
        if !drawn.contains(&hop.at.flow.as_str()) {
            drawn.push(hop.at.flow.as_str());
        }
    }
    let turns: Vec<_> = journal.iter().map(entry_view).collect();
    let again = call.end.is_none().then_some(PAGE_AGAIN_S);
    let data = json!({ "call": call_view(&call), "turns": turns, "drawn": drawn });
    page(Page::Call, &title, again, &data)
}

/// The way that a call took through one of its flows, as that was when the call began.
async fn ways(house: Data<House>, request: HttpRequest, path: Path<(String, String)>) -> Shown {
    visitor(&house, &request, &[Role::Operator])?;
    let (call, name) = path.into_inner();
    let id = CallId::parse(&call).ok_or_else(no_call)?;
    let loaded = house.exchange.load(id).await?;
    let call = loaded.ok_or_else(no_call)?.call;
    let journal = house.exchange.journal(id).await?;
    let flows = house.exchange.flows_of(&call).await?;
    let flow = flows.get(&name).cloned().ok_or_else(no_flow)?;
    let hops: Vec<_> = hops(&journal).cloned().collect();
    drawn(&flow.clone(), move || draw::walked(&flow, &[hops])).await
}

fn hops(journal: &[Entry]) -> impl Iterator<Item = &Hop> {
    journal.iter().flat_map(|entry| &entry.hops)
}

async fn flow(house: Data<House>, request: HttpRequest, path: Path<String>) -> Shown {
    visitor(&house, &request, &[Role::Designer, Role::Operator])?;
    let flows = house.exchange.flows();
    let flow = flows.get(&path).ok_or_else(no_flow)?;
    let data = json!({
        "name": flow.name.as_str(),
        "edition": house.exchange.version_of(&path),
        "levels": levels(flow),
        "begins": house.lines.by_number.values().any(|line| line.flow == *path),
    });
    page(Page::Flow, flow.name.as_str(), None, &data)
}

/// Each level, what it needs, and the fields that it guards.
fn levels(flow: &Flow) -> Vec<Value> {
    let level = |(name, level): (&_, &crate::flow::level::Level)| {
        let guarded = flow.disclose.iter().filter(|(_, asked)| *asked == name);
        let fields: Vec<_> = guarded.map(|(field, _)| field.as_str()).collect();
        json!({ "name": name, "needs": level.words(Risk::Low), "fields": fields })
    };
    flow.levels.iter().map(level).collect()
}

async fn picture(house: Data<House>, request: HttpRequest, path: Path<String>) -> Shown {
    visitor(&house, &request, &[Role::Designer, Role::Operator])?;
    let flow = house.exchange.flows().get(&path).cloned().ok_or_else(no_flow)?;
    drawn(&flow.clone(), move || draw::of(&flow)).await
}

/// The assurance statement of a flow as it is in use, under the policy of this server.
async fn assurance(house: Data<House>, request: HttpRequest, path: Path<String>) -> Shown {
    visitor(&house, &request, &[Role::Designer, Role::Operator])?;
    let (all, policy) = (house.exchange.flows(), house.exchange.policy().clone());
    let day = house.exchange.now().strftime("%Y-%m-%d").to_string();
    let name = path.into_inner();
    let written = apart(move || {
        let odds = odds(&all, &name, &Terms { policy, ..Terms::default() })?;
        let flows: FlowSet = all.closure(&name).unwrap_or_default();
        let warnings = check(&flows);
        let (flows, warnings, date) = (&flows, &warnings, Some(day.as_str()));
        Ok(statement::render(&Statement { flows, odds: &odds, warnings, date }))
    });
    let text = written.await?.map_err(|no| match no {
        NoOdds::NoCall(_) => no_flow(),
        NoOdds::TooMany(_) => too_large(),
    })?;
    Ok(bare(StatusCode::OK).content_type("text/markdown; charset=utf-8").body(text))
}

async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .body(ui::STYLE)
}

/// Who is asking, if it is one of these.
fn visitor<'h>(
    house: &'h House,
    request: &HttpRequest,
    roles: &[Role],
) -> Result<&'h AdminToken, Instead> {
    let given = bearer(request).map(SecretString::from).or_else(|| password(request));
    let token = given.as_ref().and_then(|given| owner(house, given.expose_secret()));
    let token = token.ok_or_else(|| {
        if given.is_some() {
            note_stranger(house);
        }
        let why = "This needs a token of the admin listener: your browser asks for it as the password. \
            The name beside it may be any.";
        Instead::new(StatusCode::UNAUTHORIZED, "Who is there?", why)
    })?;
    if !roles.contains(&token.role) {
        tracing::warn!(token = token.name, "an admin token asked for more than it allows");
        let why = "Your token does not allow it.";
        return Err(Instead::new(StatusCode::FORBIDDEN, "Not for you", why));
    }
    Ok(token)
}

/// The password that a browser sends.
fn password(request: &HttpRequest) -> Option<SecretString> {
    let (scheme, given) = intake::only(request, &AUTHORIZATION)?.split_once(' ')?;
    let given =
        scheme.eq_ignore_ascii_case("Basic").then(|| STANDARD.decode(given.trim()).ok())??;
    let given = SecretString::from(String::from_utf8(given).ok()?);
    let (_, password) = given.expose_secret().split_once(':')?;
    Some(password.into())
}

fn page(page: Page, title: &str, again_s: Option<u32>, data: &impl Serialize) -> Shown {
    let text = ui::write(page, title, again_s, data).map_err(|error| {
        tracing::error!(%error, "a bug of callgate's: a page could not be written");
        Instead::new(StatusCode::INTERNAL_SERVER_ERROR, "Our fault", "This page cannot be written.")
    })?;
    Ok(bare(StatusCode::OK).content_type(HTML).body(text))
}

/// An answer that may not be stored, nor shown inside another page.
fn bare(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header(("Cache-Control", "no-store"))
        .insert_header(("Content-Security-Policy", POLICY))
        .insert_header(("Referrer-Policy", "no-referrer"))
        .insert_header(("X-Content-Type-Options", "nosniff"));
    answer
}

/// Draws a picture where nobody else has to wait for it.
async fn drawn(flow: &Flow, draw: impl FnOnce() -> Picture + Send + 'static) -> Shown {
    if flow.states.len() > DRAWN_STATES_MAX {
        return Err(too_large());
    }
    let text = apart(move || draw::svg::write(&draw())).await?;
    let mut answer = bare(StatusCode::OK);
    answer.insert_header(("Content-Security-Policy", POLICY_OF_PICTURES));
    Ok(answer.content_type("image/svg+xml").body(text))
}

/// Does what takes some time on a thread of its own.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Instead> {
    web::block(work).await.map_err(|_| {
        let why = "There is no room for it at the moment.";
        Instead::new(StatusCode::SERVICE_UNAVAILABLE, "Not now", why)
    })
}

fn missing(why: &str) -> Instead {
    Instead::new(StatusCode::NOT_FOUND, "Not here", why)
}

fn no_call() -> Instead {
    missing("There is no such call, or it is forgotten.")
}

fn too_large() -> Instead {
    let why = "The flow has too many states for that.";
    Instead::new(StatusCode::NOT_FOUND, "Too large", why)
}

fn no_flow() -> Instead {
    missing("There is no such flow, or no call begins in it.")
}
