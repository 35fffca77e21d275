//! Twilio's REST side: messages and calls, each with an exact statement of what became of it.
//!
//! A create is not idempotent there, so nothing is ever sent twice from here: what may have been done is
//! [`Delivery::Unknown`], and the outbox decides. No number, code or key appears in any error, `Debug` or log
//! line of this module.

mod http;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;

use self::http::{Answer, Http};
use super::{Carrier, Delivery, Found, Reference};
use crate::engine::effect::{PlaceCall, Sms};
use crate::engine::id::{CallId, LegId, Sid};
use crate::limits;
use crate::telemetry::OutsideCounter;
use crate::twiml::links::Links;

/// The states of a placed call that are reported to us; each report also tells us its name, perhaps before the
/// answer to our request does.
const CALL_EVENTS: [&str; 4] = ["initiated", "ringing", "answered", "completed"];

const DAY_S: i64 = 24 * 3600;

/// What a Twilio account needs.
#[derive(Clone)]
pub struct Settings {
    /// `AC…`
    pub account_sid: String,
    /// In whose name the API is asked.
    pub login: Login,
    /// `https://api.twilio.com`; http only in tests.
    pub api_base: String,
    /// Who sends messages.
    pub sender: Sender,
    /// The addresses that the provider comes back to.
    pub links: Links,
    /// How long a request may take: [`limits::CARRIER_TIMEOUT`] but for tests.
    pub timeout: Duration,
}

/// What the API is asked with: an API key and its secret, or the account and its auth token.
#[derive(Clone)]
pub struct Login {
    /// `SK…` or `AC…`
    pub user: String,
    /// What belongs to it.
    pub password: SecretString,
}

/// Who sends messages.
#[derive(Clone, PartialEq, Eq)]
pub enum Sender {
    /// One number of ours, or an alphanumeric name.
    From(String),
    /// A messaging service, `MG…`.
    MessagingService(String),
}

/// Why a carrier cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not an address, or not of http.
    #[error("`api_base` is not an http address")]
    ApiBase,
    /// Not a name that can stand in an address.
    #[error("`account_sid` is not an account's name")]
    AccountSid,
    /// The machine's TLS set-up is unusable.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// Twilio, or whoever speaks its language.
pub struct TwilioCarrier {
    http: Http,
    sender: Sender,
    links: Links,
}

impl TwilioCarrier {
    /// Sets up the client; nothing is sent yet.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let Settings { account_sid, login, api_base, sender, links, timeout } = settings;
        let http = Http::new(&api_base, &account_sid, login, timeout)?;
        Ok(Self { http, sender, links })
    }

    /// The same, with every request counted there.
    #[must_use]
    pub fn counted(mut self, asked: OutsideCounter) -> Self {
        self.http.asked = asked;
        self
    }

    async fn create(&self, resource: &str, form: &Form<'_>) -> Delivery {
        delivery(&self.http.post(&[resource], form).await)
    }

    async fn update_call(&self, sid: &Sid, form: &Form<'_>) -> Delivery {
        delivery(&self.http.post(&["Calls", &sid.0], form).await)
    }
}

impl fmt::Debug for TwilioCarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioCarrier").finish_non_exhaustive()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(***)")
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender(***)")
    }
}

/// A request's fields in order.
type Form<'a> = [(&'static str, std::borrow::Cow<'a, str>)];

#[async_trait]
impl Carrier for TwilioCarrier {
    async fn send_sms(&self, reference: Reference, sms: &Sms) -> Delivery {
        let valid_for_s =
            sms.valid_for_s.clamp(limits::MESSAGE_VALID_S_MIN, limits::MESSAGE_VALID_S_MAX);
        let sender = match &self.sender {
            Sender::From(from) => ("From", from.into()),
            Sender::MessagingService(sid) => ("MessagingServiceSid", sid.into()),
        };
        let form = [
            ("To", sms.to.as_e164().into()),
            sender,
            ("Body", sms.body.expose().into()),
            ("StatusCallback", self.links.message(reference.call, reference.effect).into()),
            ("ValidityPeriod", valid_for_s.to_string().into()),
        ];
        self.create("Messages", &form).await
    }

    async fn has_sms(&self, sms: &Sms) -> bool {
        let size = limits::CARRIER_PAGE_MESSAGES.to_string();
        let query = [("To", sms.to.as_e164()), ("PageSize", &size)];
        let Answer::Done(list) = self.http.get(&["Messages"], &query).await else { return false };
        serde_json::from_slice::<MessageList>(&list).is_ok_and(|list| {
            let said = |listed: &Message| listed.body.as_deref() == Some(sms.body.expose());
            list.messages.iter().any(said)
        })
    }

    async fn place_call(&self, reference: Reference, call: &PlaceCall) -> Delivery {
        let ring_s = call.ring_s.clamp(limits::RING_S_MIN, limits::WAIT_S_MAX);
        let mut form = vec![
            ("To", call.to.as_e164().into()),
            ("From", call.from.as_str().into()),
            ("Url", self.links.leg(reference.call, call.nonce).into()),
            ("Method", "POST".into()),
            ("FallbackUrl", self.links.fallback().into()),
            ("FallbackMethod", "POST".into()),
            ("StatusCallback", self.links.status(reference.call, reference.effect).into()),
            ("StatusCallbackMethod", "POST".into()),
        ];
        form.extend(CALL_EVENTS.map(|event| ("StatusCallbackEvent", event.into())));
        form.push(("Timeout", ring_s.to_string().into()));
        form.push(("MachineDetection", "Enable".into()));
        self.create("Calls", &form).await
    }

    /// Our one call to that number from that line at or after the second of `since`, by the provider's clock,
    /// that is none of the others. The list bears no mark of ours: if somebody else makes the line ring the
    /// number too, there may be several, and none is taken.
    ///
    /// The list is not narrowed by `StartTime`: a call that is still queued has none, and overlooking it would
    /// mean ringing twice. The latest calls come first, so reading ends at the first page with a call older than
    /// a day before `since`.
    async fn find_call(&self, call: &PlaceCall, since: Timestamp, others: &[Sid]) -> Found {
        let size = limits::CARRIER_PAGE_CALLS.to_string();
        let query = [("To", call.to.as_e164()), ("From", &call.from), ("PageSize", &size)];
        let mut found: Option<Sid> = None;
        let mut next: Option<String> = None;
        for _ in 0..limits::CARRIER_PAGES_MAX {
            let answer = match &next {
                Some(path) => self.http.get_page(path).await,
                None => self.http.get(&["Calls"], &query).await,
            };
            let Some(list) = call_list(&answer) else {
                return Found::Unknown;
            };
            let mut is_past = false;
            for listed in &list.calls {
                let (Ok(created_s), Some(sid)) = (listed.created_s(), sid(&listed.sid)) else {
                    return Found::Unknown;
                };
                // A call that is being created has no date yet.
                let is_from = |second| created_s.is_none_or(|created_s| created_s >= second);
                is_past |= !is_from(since.as_second() - DAY_S);
                let is_of_then = is_from(since.as_second()) && listed.is(call);
                // If new calls have come meanwhile, a page may repeat some of the page before it.
                if !is_of_then || others.contains(&sid) || found.as_ref() == Some(&sid) {
                    continue;
                }
                if found.replace(sid).is_some() {
                    return Found::Unknown;
                }
            }
            next = list.next_page_uri.filter(|next| !next.is_empty());
            if is_past || next.is_none() {
                return found.map_or(Found::None, Found::Call);
            }
        }
        Found::Unknown
    }

    async fn redirect_leg(&self, call: CallId, leg: LegId, sid: &Sid) -> Delivery {
        let url = self.links.resume(call, leg);
        self.update_call(sid, &[("Url", url.into()), ("Method", "POST".into())]).await
    }

    async fn end_leg(&self, sid: &Sid) -> Delivery {
        self.update_call(sid, &[("Status", "completed".into())]).await
    }
}

/// An error of the provider's: `21211` and the like.
#[derive(Deserialize)]
struct Failure {
    code: Option<u32>,
}

#[derive(Deserialize)]
struct Created {
    sid: String,
}

#[derive(Deserialize)]
struct CallList {
    calls: Vec<Listed>,
    next_page_uri: Option<String>,
}

#[derive(Deserialize)]
struct MessageList {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    body: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    sid: String,
    to: Option<String>,
    from: Option<String>,
    date_created: Option<String>,
    direction: Option<String>,
}

impl Listed {
    /// Whether this is a call of ours from that line to that number.
    fn is(&self, call: &PlaceCall) -> bool {
        self.to.as_deref() == Some(call.to.as_e164())
            && self.from.as_ref() == Some(&call.from)
            && self.direction.as_deref().is_none_or(|direction| direction == "outbound-api")
    }

    fn created_s(&self) -> Result<Option<i64>, jiff::Error> {
        let created = self.date_created.as_deref().map(jiff::fmt::rfc2822::parse).transpose()?;
        Ok(created.map(|created| created.timestamp().as_second()))
    }
}

/// What an answer means. If a request was accepted without a name that we can read, it may have been carried out
/// where we cannot follow it: nobody knows.
fn delivery(answer: &Answer) -> Delivery {
    match answer {
        Answer::Done(body) => serde_json::from_slice::<Created>(body)
            .ok()
            .and_then(|created| sid(&created.sid))
            .map_or(Delivery::Unknown, Delivery::Accepted),
        Answer::Refused(body) => {
            let failure = serde_json::from_slice::<Failure>(body).ok();
            Delivery::Refused { code: failure.and_then(|failure| failure.code) }
        }
        Answer::NotDone { retry_after } => Delivery::NotDone { retry_after: *retry_after },
        Answer::Unknown => Delivery::Unknown,
    }
}

fn call_list(answer: &Answer) -> Option<CallList> {
    match answer {
        Answer::Done(body) => serde_json::from_slice(body).ok(),
        Answer::Refused(_) | Answer::NotDone { .. } | Answer::Unknown => None,
    }
}

fn sid(text: &str) -> Option<Sid> {
    let plausible = (1..=limits::SID_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    plausible.then(|| Sid(text.to_owned()))
}
