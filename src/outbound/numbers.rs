//! What networks say of a telephone number, asked of the provider's Lookup API: the kind of its line, when its
//! SIM was changed, whether it has a new owner, whether its calls are forwarded.
//!
//! `GET {url}/v2/PhoneNumbers/{number}?Fields=…&LastVerifiedDate=…` with the account's own key. Every question
//! takes the same time, that of its deadline, whether there was a number to ask about or not.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use jiff::civil::Date;
use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde_json::Value;
use tokio::time::Instant;

use super::{Failure, Peer};
use crate::engine::account::{Line, Phone};
use crate::engine::eligibility::{Purpose, Swap, Told, Word};
use crate::limits;
use crate::phone::PhoneNumber;
use crate::telemetry::{Outside, OutsideCounter, Peer as Of};

/// Whom the question is about.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// A number on file, before it is used.
    OnFile(&'a Phone, Purpose),
    /// Nobody, but as if it were such a number.
    Nobody(Purpose),
    /// The number of a caller, and since when it has been on file, if it is.
    Caller(&'a PhoneNumber, Option<Date>),
}

/// Whoever is asked about numbers: the provider, or a transcript.
#[async_trait]
pub trait Numbers: Send + Sync + fmt::Debug {
    /// Asks once. `None`: no useful answer came before `until`.
    async fn look_up(&self, about: About<'_>, until: Instant) -> Option<Told>;
}

/// Something that the provider knows of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The kind of the line.
    Line,
    /// The last change of the SIM.
    SimSwap,
    /// Whether calls to it are forwarded.
    Forwarding,
    /// Whether it has a new owner since a given day.
    Reassigned,
}

impl Field {
    /// All, by the provider's names.
    pub const ALL: [(&str, Self); 4] = [
        ("line_type_intelligence", Self::Line),
        ("sim_swap", Self::SimSwap),
        ("call_forwarding", Self::Forwarding),
        ("reassigned_number", Self::Reassigned),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name)
    }
}

/// The provider's Lookup API.
#[derive(Debug)]
pub struct TwilioNumbers {
    peer: Peer,
    fields: Vec<Field>,
    asked: OutsideCounter,
    /// Whether the last question was answered: the next one about nobody is taken as that one was.
    works: AtomicBool,
}

impl TwilioNumbers {
    /// Asks this peer for these fields, and counts the requests.
    pub fn new(peer: Peer, fields: Vec<Field>, asked: OutsideCounter) -> Self {
        Self { peer, fields, asked, works: AtomicBool::new(true) }
    }

    /// Those of the configured fields that matter.
    fn wanted(&self, about: About<'_>) -> Vec<Field> {
        let matters = |field: &&Field| match about {
            About::OnFile(_, purpose) | About::Nobody(purpose) => {
                **field != Field::Forwarding || purpose == Purpose::Ring
            }
            About::Caller(_, since) => match field {
                Field::SimSwap => true,
                Field::Reassigned => since.is_some(),
                Field::Line | Field::Forwarding => false,
            },
        };
        self.fields.iter().filter(matters).copied().collect()
    }

    async fn ask(
        &self,
        number: &PhoneNumber,
        since: Option<Date>,
        wanted: &[Field],
    ) -> Result<Told, Failure> {
        let path = format!("v2/PhoneNumbers/{}", number.as_e164().replace('+', "%2B"));
        let fields: Vec<_> = wanted.iter().map(|field| field.name()).collect();
        let mut query = vec![("Fields", fields.join(","))];
        if let Some(since) = since.filter(|_| wanted.contains(&Field::Reassigned)) {
            query.push(("LastVerifiedDate", since.strftime("%Y%m%d").to_string()));
        }
        let answer = self.peer.get(&path, &query, limits::NUMBER_BYTES_MAX).await?;
        read(&answer, number, wanted).ok_or(Failure::NoAnswer)
    }
}

#[async_trait]
impl Numbers for TwilioNumbers {
    async fn look_up(&self, about: About<'_>, until: Instant) -> Option<Told> {
        let wanted = self.wanted(about);
        if wanted.is_empty() {
            return Some(Told::default());
        }
        let due = until.min(Instant::now() + self.peer.timeout());
        let (number, since) = match about {
            About::OnFile(phone, _) => (&phone.number, Some(phone.since)),
            About::Caller(number, since) => (number, since),
            About::Nobody(_) => {
                let works = self.works.load(Ordering::Relaxed);
                tokio::time::sleep_until(due).await;
                return works.then(Told::default);
            }
        };
        let asked = tokio::time::timeout_at(due, self.ask(number, since, &wanted)).await;
        let told = asked.unwrap_or(Err(Failure::Late));
        self.works.store(told.is_ok(), Ordering::Relaxed);
        let outcome = match &told {
            Ok(_) => Outside::Done,
            Err(Failure::Status(400..500)) => Outside::Refused,
            Err(_) => Outside::Failed,
        };
        self.asked.count(Of::Lookup, outcome);
        if let Err(failure) = &told {
            tracing::warn!(%failure, "a number could not be looked up");
        }
        if !matches!(about, About::Caller(..)) {
            tokio::time::sleep_until(due).await;
        }
        told.ok()
    }
}

/// What the provider says; `None`: it does not answer the question.
fn read(answer: &Value, number: &PhoneNumber, wanted: &[Field]) -> Option<Told> {
    if answer.get("phone_number")?.as_str()? != number.as_e164() {
        return None;
    }
    let mut told = Told::default();
    for field in wanted {
        let said = answer.get(field.name()).filter(|said| is_null(said.get("error_code")));
        match field {
            Field::Line => told.line = said.map_or(Word::Silent, line),
            Field::SimSwap => told.swap = word(said.and_then(swap)),
            Field::Forwarding => told.forwarded = word(said.and_then(forwarded)),
            Field::Reassigned => told.reassigned = word(said.and_then(reassigned)),
        }
    }
    if answer.get("valid").and_then(Value::as_bool) == Some(false) {
        told.line = Word::Says(None);
    }
    Some(told)
}

fn word<T>(said: Option<T>) -> Word<T> {
    said.map_or(Word::Silent, Word::Says)
}

fn is_null(value: Option<&Value>) -> bool {
    value.is_none_or(Value::is_null)
}

fn line(said: &Value) -> Word<Option<Line>> {
    match said.get("type").and_then(Value::as_str) {
        Some("mobile") => Word::Says(Some(Line::Mobile)),
        Some("landline") => Word::Says(Some(Line::Landline)),
        Some("fixedVoip") => Word::Says(Some(Line::FixedVoip)),
        Some("nonFixedVoip") => Word::Says(Some(Line::Voip)),
        Some(
            "personal" | "tollFree" | "premium" | "sharedCost" | "uan" | "voicemail" | "pager",
        ) => Word::Says(None),
        _ => Word::Silent,
    }
}

/// The time, if one is told that can be read; else whether it was within the period that is set up with the
/// provider.
fn swap(said: &Value) -> Option<Swap> {
    let last = said.get("last_sim_swap")?;
    let date = last.get("last_sim_swap_date").and_then(Value::as_str);
    if let Some(at) = date.and_then(|date| date.parse().ok()) {
        return Some(Swap::At(at));
    }
    let swapped = last.get("swapped_in_period")?.as_bool()?;
    let period = last.get("swapped_period").and_then(Value::as_str).and_then(duration);
    Some(Swap::Within(period.unwrap_or_default(), swapped))
}

/// A period in ISO 8601, if its length is certain: `PT24H`, `P7D`.
fn duration(text: &str) -> Option<SignedDuration> {
    let span: Span = text.parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

/// The provider has renamed it; both names are read.
fn forwarded(said: &Value) -> Option<bool> {
    let told =
        said.get("call_forwarding_enabled").or_else(|| said.get("call_forwarding_status"))?;
    told.as_bool().or(match told.as_str() {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    })
}

fn reassigned(said: &Value) -> Option<bool> {
    match said.get("is_number_reassigned")?.as_str()? {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALL: [Field; 4] = [Field::Line, Field::SimSwap, Field::Forwarding, Field::Reassigned];

    fn told(more: &Value) -> Option<Told> {
        let mut answer = json!({ "phone_number": "+15005550010", "valid": true });
        for (key, value) in more.as_object().unwrap() {
            answer[key] = value.clone();
        }
        read(&answer, &PhoneNumber::parse("+15005550010").unwrap(), &ALL)
    }

    #[test]
    fn everything_is_taken_as_the_provider_writes_it() {
        let all = told(&json!({
            "line_type_intelligence": { "error_code": null, "type": "mobile", "carrier_name": "x" },
            "sim_swap": { "error_code": null, "last_sim_swap": {
                "last_sim_swap_date": "2020-04-27T10:18:50Z", "swapped_period": "PT15282H33M44S",
                "swapped_in_period": true } },
            "call_forwarding": { "call_forwarding_enabled": true, "error_code": null },
            "reassigned_number": { "last_verified_date": "2020-12-27",
                "is_number_reassigned": "yes", "error_code": null },
        }));
        let swapped = "2020-04-27T10:18:50Z".parse().unwrap();
        assert_eq!(
            all,
            Some(Told {
                line: Word::Says(Some(Line::Mobile)),
                swap: Word::Says(Swap::At(swapped)),
                reassigned: Word::Says(true),
                forwarded: Word::Says(true),
            })
        );
        let older = told(&json!({
            "sim_swap": { "last_sim_swap": {
                "last_sim_swap_date": null, "swapped_period": "PT24H", "swapped_in_period": false } },
            "call_forwarding": { "call_forwarding_status": "false" },
            "reassigned_number": { "is_number_reassigned": "no" },
        }))
        .unwrap();
        assert_eq!(older.swap, within(24, false));
        assert_eq!(older.forwarded, Word::Says(false));
        assert_eq!(older.reassigned, Word::Says(false));
        assert_eq!(older.line, Word::Silent);
    }

    fn within(hours: i64, swapped: bool) -> Word<Swap> {
        Word::Says(Swap::Within(SignedDuration::from_hours(hours), swapped))
    }

    #[test]
    fn a_swap_that_is_told_by_a_period_is_taken_with_it() {
        for (period, hours) in [
            (json!("PT24H"), 24),
            (json!("PT48H"), 48),
            (json!("P7D"), 168),
            (json!("P1DT12H"), 36),
            (json!(null), 0),
            (json!("P1M"), 0),
            (json!("a day"), 0),
            (json!(24), 0),
        ] {
            for (swapped, date) in
                [(false, json!(null)), (true, json!(null)), (true, json!("2020"))]
            {
                let said = json!({ "sim_swap": { "last_sim_swap": { "last_sim_swap_date": date,
                    "swapped_period": period, "swapped_in_period": swapped } } });
                assert_eq!(told(&said).unwrap().swap, within(hours, swapped), "{period} {date}");
            }
        }
    }

    #[test]
    fn what_the_provider_does_not_know_is_silence() {
        let silent = Told {
            line: Word::Silent,
            swap: Word::Silent,
            reassigned: Word::Silent,
            forwarded: Word::Silent,
        };
        for said in [
            json!({}),
            json!({ "line_type_intelligence": null, "sim_swap": null }),
            json!({ "line_type_intelligence": { "type": "mobile", "error_code": 60600 } }),
            json!({ "line_type_intelligence": { "type": "unknown" } }),
            json!({ "line_type_intelligence": { "type": 7 } }),
            json!({ "line_type_intelligence": "mobile" }),
            json!({ "sim_swap": { "error_code": 60620, "last_sim_swap": { "swapped_in_period": true } } }),
            json!({ "sim_swap": { "last_sim_swap": null } }),
            json!({ "sim_swap": { "last_sim_swap": { "last_sim_swap_date": "soon" } } }),
            json!({ "sim_swap": { "last_sim_swap": { "swapped_period": "PT24H",
                "swapped_in_period": "yes" } } }),
            json!({ "call_forwarding": { "call_forwarding_enabled": null } }),
            json!({ "reassigned_number": { "is_number_reassigned": "no_data_available" } }),
            json!({ "reassigned_number": { "is_number_reassigned": true } }),
        ] {
            assert_eq!(told(&said), Some(silent), "{said}");
        }
    }

    #[test]
    fn lines_that_are_never_used_are_told_apart_from_silence() {
        for (kind, line) in [
            ("landline", Some(Line::Landline)),
            ("fixedVoip", Some(Line::FixedVoip)),
            ("nonFixedVoip", Some(Line::Voip)),
            ("personal", None),
            ("tollFree", None),
            ("premium", None),
            ("sharedCost", None),
            ("uan", None),
            ("voicemail", None),
            ("pager", None),
        ] {
            let said = told(&json!({ "line_type_intelligence": { "type": kind } })).unwrap();
            assert_eq!(said.line, Word::Says(line), "{kind}");
        }
        assert_eq!(told(&json!({ "valid": false })).unwrap().line, Word::Says(None));
    }

    #[test]
    fn an_answer_about_another_number_is_none() {
        assert_eq!(told(&json!({ "phone_number": "+15005550011" })), None);
        assert_eq!(told(&json!({ "phone_number": null })), None);
        let number = PhoneNumber::parse("+15005550010").unwrap();
        for answer in [json!([]), json!(null), json!("x"), json!({})] {
            assert_eq!(read(&answer, &number, &ALL), None);
        }
    }
}
