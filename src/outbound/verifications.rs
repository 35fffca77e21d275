//! Codes that the provider makes, sends and checks: its Verify API v2.
//!
//! `POST {url}/v2/Services/{service}/Verifications` sends one, and `…/VerificationCheck` says whether an entry is
//! right. A check always takes the same time, that of its deadline, and for nobody the provider is asked too,
//! about a verification that does not exist: both fail together.

use std::fmt;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Failure, Peer};
use crate::carrier::{Delivery, Reference};
use crate::engine::effect::BeginVerification;
use crate::engine::id::Sid;
use crate::engine::question::Verdict;
use crate::flow::locale::Locale;
use crate::limits;
use crate::phone::PhoneNumber;
use crate::secret::Secret;
use crate::telemetry::{Outside, OutsideCounter, Peer as Of};

/// The number has been sent as many codes as is allowed in ten minutes.
pub const SENDS_SPENT: u32 = 60203;
/// The code has been checked as often as is allowed.
const CHECKS_SPENT: u32 = 60202;
/// Too many requests at once: certainly not done.
const TOO_MANY_AT_ONCE: [u32; 2] = [20429, 60212];

/// The languages of the provider's messages (its reference of `Locale`).
const LOCALES: [&str; 42] = [
    "af", "ar", "ca", "zh", "zh-CN", "zh-HK", "hr", "cs", "da", "nl", "en", "en-GB", "et", "fi",
    "fr", "de", "el", "he", "hi", "hu", "id", "it", "ja", "kn", "ko", "lt", "ms", "mr", "nb", "pl",
    "pt", "pt-BR", "ro", "ru", "sk", "es", "sv", "tl", "te", "th", "tr", "vi",
];

/// Whoever sends and checks codes of their own: the provider, or a transcript.
#[async_trait]
pub trait Verifications: Send + Sync + fmt::Debug {
    /// Sends a code, or the same one again.
    async fn begin(&self, reference: Reference, begin: &BeginVerification) -> Delivery;

    /// Says once whether an entry is the code of this number. `None`: nobody's number, and the entry is wrong.
    async fn check(&self, to: Option<&PhoneNumber>, entry: &Secret, until: Instant) -> Verdict;

    /// Takes as long as a check does.
    async fn wait(&self, until: Instant);
}

/// The provider's Verify API, for one service.
#[derive(Debug)]
pub struct TwilioVerify {
    /// For sending, with all the time of the outbox.
    sends: Peer,
    /// For checking, within a turn.
    checks: Peer,
    service_sid: String,
    asked: OutsideCounter,
}

impl TwilioVerify {
    /// Asks these peers about this service, and counts the requests.
    pub fn new(sends: Peer, checks: Peer, service_sid: String, asked: OutsideCounter) -> Self {
        Self { sends, checks, service_sid, asked }
    }

    fn path(&self, resource: &str) -> String {
        format!("v2/Services/{}/{resource}", self.service_sid)
    }

    fn count(&self, outcome: Outside) {
        self.asked.count(Of::Verify, outcome);
    }

    async fn ask(&self, to: Option<&PhoneNumber>, entry: &Secret) -> Result<(u16, Value), Failure> {
        let about = match to {
            Some(to) => ("To", to.as_e164().to_owned()),
            // An id that the provider never gave: it looks for it, and finds nothing.
            None => ("VerificationSid", format!("VE{}", Uuid::nil().simple())),
        };
        let form = [("Code", entry.expose().to_owned()), about];
        self.checks.post(&self.path("VerificationCheck"), &form, limits::NUMBER_BYTES_MAX).await
    }
}

#[async_trait]
impl Verifications for TwilioVerify {
    async fn begin(&self, _reference: Reference, begin: &BeginVerification) -> Delivery {
        let mut form = vec![("To", begin.to.as_e164().to_owned()), ("Channel", "sms".to_owned())];
        form.extend(spoken_by_provider(&begin.locale).map(|tag| ("Locale", tag.to_owned())));
        let answer =
            self.sends.post(&self.path("Verifications"), &form, limits::NUMBER_BYTES_MAX).await;
        let done = delivery(&answer);
        self.count(match &done {
            Delivery::Accepted(_) => Outside::Done,
            Delivery::Refused { .. } => Outside::Refused,
            Delivery::NotDone { .. } | Delivery::Unknown => Outside::Failed,
        });
        done
    }

    async fn check(&self, to: Option<&PhoneNumber>, entry: &Secret, until: Instant) -> Verdict {
        let due = until.min(Instant::now() + self.checks.timeout());
        let asked = tokio::time::timeout_at(due, self.ask(to, entry)).await;
        let answer = asked.unwrap_or(Err(Failure::Late));
        let verdict = match (verdict(&answer), to) {
            // That is the answer about nobody.
            (Verdict::Expired, None) => Verdict::Wrong,
            (Verdict::Right, None) => Verdict::Unanswered,
            (verdict, _) => verdict,
        };
        self.count(match (&answer, verdict) {
            (Ok((400..500, _)), Verdict::Unanswered) => Outside::Refused,
            (_, Verdict::Unanswered) => Outside::Failed,
            _ => Outside::Done,
        });
        if verdict == Verdict::Unanswered {
            let code = answer.as_ref().ok().and_then(|(_, body)| code_of(body));
            let failure = answer.as_ref().err().map(tracing::field::display);
            tracing::warn!(failure, code, "the provider did not say whether an entry is its code");
        }
        tokio::time::sleep_until(due).await;
        verdict
    }

    async fn wait(&self, until: Instant) {
        tokio::time::sleep_until(until.min(Instant::now() + self.checks.timeout())).await;
    }
}

/// The language of a message, as the provider names it; `None`: it has no such language, and takes its own.
fn spoken_by_provider(locale: &Locale) -> Option<&'static str> {
    locale.chain().find_map(|tag| LOCALES.into_iter().find(|known| *known == tag))
}

/// What became of a code that was to be sent.
fn delivery(answer: &Result<(u16, Value), Failure>) -> Delivery {
    match answer {
        Ok((200..300, body)) => {
            let sid = body.get("sid").and_then(Value::as_str).filter(|sid| sid.starts_with("VE"));
            sid.map_or(Delivery::Unknown, |sid| Delivery::Accepted(Sid(sid.to_owned())))
        }
        Ok((status @ 400..500, body)) => {
            let code = code_of(body);
            let busy = code.map_or(*status == 429, |code| TOO_MANY_AT_ONCE.contains(&code));
            if busy { Delivery::NotDone { retry_after: None } } else { Delivery::Refused { code } }
        }
        Err(Failure::Unreachable | Failure::Private) => Delivery::NotDone { retry_after: None },
        Ok(_) | Err(_) => Delivery::Unknown,
    }
}

/// What the provider says of an entry.
fn verdict(answer: &Result<(u16, Value), Failure>) -> Verdict {
    match answer {
        Ok((200 | 201, body)) => match body.get("status").and_then(Value::as_str) {
            Some("approved") => Verdict::Right,
            Some("pending") => Verdict::Wrong,
            Some("max_attempts_reached") => Verdict::Exhausted,
            Some("expired" | "canceled" | "deleted" | "failed") => Verdict::Expired,
            _ => Verdict::Unanswered,
        },
        // It is deleted once it was approved, has expired, or was checked too often.
        Ok((404, _)) => Verdict::Expired,
        Ok((_, body)) if code_of(body) == Some(CHECKS_SPENT) => Verdict::Exhausted,
        Ok(_) | Err(_) => Verdict::Unanswered,
    }
}

fn code_of(body: &Value) -> Option<u32> {
    body.get("code")?.as_u64()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(status: u16, code: u32) -> (u16, Value) {
        (status, json!({ "code": code, "message": "no", "status": status }))
    }

    #[test]
    fn every_answer_to_a_check_has_its_verdict() {
        let says = |status: &str| Ok((200, json!({ "status": status, "valid": true })));
        for (answer, expected) in [
            (says("approved"), Verdict::Right),
            (Ok((201, json!({ "status": "approved" }))), Verdict::Right),
            (says("pending"), Verdict::Wrong),
            (says("max_attempts_reached"), Verdict::Exhausted),
            (says("expired"), Verdict::Expired),
            (says("canceled"), Verdict::Expired),
            (says("deleted"), Verdict::Expired),
            (says("failed"), Verdict::Expired),
            (says("Approved"), Verdict::Unanswered),
            (Ok((200, json!({ "valid": true }))), Verdict::Unanswered),
            (Ok((200, json!(["approved"]))), Verdict::Unanswered),
            (Ok((202, json!({ "status": "approved" }))), Verdict::Unanswered),
            (Ok(refused(404, 20404)), Verdict::Expired),
            (Ok((404, Value::Null)), Verdict::Expired),
            (Ok(refused(429, 60202)), Verdict::Exhausted),
            (Ok(refused(429, 20429)), Verdict::Unanswered),
            (Ok(refused(400, 60200)), Verdict::Unanswered),
            (Ok(refused(403, 60605)), Verdict::Unanswered),
            (Ok(refused(401, 20003)), Verdict::Unanswered),
            (Err(Failure::Status(500)), Verdict::Unanswered),
            (Err(Failure::Late), Verdict::Unanswered),
            (Err(Failure::NotJson), Verdict::Unanswered),
        ] {
            assert_eq!(verdict(&answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn every_answer_to_a_send_says_what_became_of_it() {
        let not_done = Delivery::NotDone { retry_after: None };
        let refusal = |code| Delivery::Refused { code: Some(code) };
        for (answer, expected) in [
            (Ok((201, json!({ "sid": "VE1" }))), Delivery::Accepted(Sid("VE1".into()))),
            (Ok((201, json!({ "status": "pending" }))), Delivery::Unknown),
            (Ok(refused(429, 60203)), refusal(60203)),
            (Ok(refused(429, 60212)), not_done.clone()),
            (Ok(refused(429, 20429)), not_done.clone()),
            (Ok((429, Value::Null)), not_done.clone()),
            (Ok(refused(403, 60205)), refusal(60205)),
            (Ok(refused(400, 60410)), refusal(60410)),
            (Ok(refused(403, 60605)), refusal(60605)),
            (Ok((400, Value::Null)), Delivery::Refused { code: None }),
            (Err(Failure::Unreachable), not_done),
            (Err(Failure::Late), Delivery::Unknown),
            (Err(Failure::Status(503)), Delivery::Unknown),
            (Err(Failure::NotJson), Delivery::Unknown),
        ] {
            assert_eq!(delivery(&answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn a_language_is_named_as_the_provider_does_or_left_to_it() {
        for (ours, theirs) in [
            ("en-US", Some("en")),
            ("en-GB", Some("en-GB")),
            ("es-MX", Some("es")),
            ("pt-BR", Some("pt-BR")),
            ("zh-CN", Some("zh-CN")),
            ("gsw-CH", None),
        ] {
            assert_eq!(spoken_by_provider(&Locale::parse(ours).unwrap()), theirs, "{ours}");
        }
    }
}
