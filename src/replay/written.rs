//! An act as it is written in a transcript.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value as Json;
use toml_edit::{Array, Value};

use super::transcript::{
    Act, CHECKS, DIALS, FATES, Input, MESSAGES, OTPS, QUEUES, REFUSALS, ROLES, SPECIALISTS, SPOKEN,
    WEB_LEVELS, word_of,
};
use crate::document::show_duration;
use crate::engine::eligibility::Fit;
use crate::engine::question::Verdict;
use crate::engine::risk::{SIGNALS, Signal};
use crate::flow::condition::{ATTESTATIONS, Attestation};

/// The table of a turn in which this happens, without what must come back.
pub fn turn(act: &Act) -> String {
    let mut text = format!("\n[[turn]]\n{}\n", input(&act.input));
    if let Input::Ring(Some(from)) = &act.input {
        let _ = writeln!(text, "from = \"{}\"", from.as_e164());
    }
    if let Some(role) = &act.on {
        let _ = writeln!(text, "on = \"{}\"", word_of(&ROLES, role));
    }
    if let Some(refusal) = &act.refused {
        let _ = writeln!(text, "refused = \"{}\"", word_of(&REFUSALS, refusal));
    }
    text.push_str(&answers(&act.backend));
    text.push_str(&fits(&act.lookup));
    text.push_str(&check(act.verify));
    text
}

/// What the network says of the caller, and what else speaks against them; empty: nothing.
pub(super) fn told(
    attestation: Attestation,
    forwarded: bool,
    signals: &BTreeSet<Signal>,
) -> String {
    let mut text = String::new();
    if attestation != Attestation::None {
        let _ = writeln!(text, "attestation = \"{}\"", word_of(&ATTESTATIONS, &attestation));
    }
    if forwarded {
        text.push_str("forwarded = true\n");
    }
    if !signals.is_empty() {
        let signals: Vec<_> = signals.iter().map(|it| word_of(&SIGNALS, it)).collect();
        let _ = writeln!(text, "signals = {signals:?}");
    }
    text
}

/// What the provider says of an entry; empty: whether it is right.
pub(super) fn check(verify: Option<Verdict>) -> String {
    let line = |verdict| format!("verify = \"{}\"\n", word_of(&CHECKS, &verdict));
    verify.map(line).unwrap_or_default()
}

/// What comes of numbers that are looked up; empty: nothing speaks against them, or none is.
pub(super) fn fits(lookup: &[Fit]) -> String {
    match lookup {
        [] => String::new(),
        [fit] => format!("lookup = \"{}\"\n", word_of(&Fit::ALL, fit)),
        fits => {
            let words: Vec<_> = fits.iter().map(|fit| word_of(&Fit::ALL, fit)).collect();
            format!("lookup = {words:?}\n")
        }
    }
}

/// What back ends answer; empty: none is asked.
pub(super) fn answers(backend: &[Option<Json>]) -> String {
    if backend.is_empty() {
        return String::new();
    }
    let answer = |answer: &Option<Json>| {
        answer.as_ref().and_then(answered).unwrap_or_else(|| Value::from("failed"))
    };
    let list: Array = backend.iter().map(answer).collect();
    format!("backend = {}\n", Value::Array(list).to_string().trim())
}

/// What a back end answers, as TOML, which has no null: a variable takes that no more than what is not there.
fn answered(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => Value::from(number.as_f64().unwrap_or_default()),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(values) => Value::Array(values.iter().filter_map(answered).collect()),
        Json::Object(values) => {
            let values =
                values.iter().filter_map(|(name, value)| Some((name.as_str(), answered(value)?)));
            Value::InlineTable(values.collect())
        }
    })
}

/// The key that says what happens, and its value.
pub fn input(input: &Input) -> String {
    match input {
        Input::Ring(_) => "ring = true".to_owned(),
        Input::Digits(keys) => of("digits", keys),
        Input::Speech(words) => of("speech", words),
        Input::Silence => "silence = true".to_owned(),
        Input::Wait(duration) => of("wait", &show_duration(*duration).replace(' ', "")),
        Input::Otp(which) => of("otp", word_of(&OTPS, which)),
        Input::ServiceCode(level) => of("service_code", word_of(&WEB_LEVELS, level)),
        Input::CallbackCode(which) => of("callback_code", word_of(&SPOKEN, which)),
        Input::Callback(fate) => of("callback", word_of(&FATES, fate)),
        Input::Poll => "poll = true".to_owned(),
        Input::Hangup => "hangup = true".to_owned(),
        Input::Retry => "retry = true".to_owned(),
        Input::Stale => "stale = true".to_owned(),
        Input::MessageStatus(arrived) => of("message_status", word_of(&MESSAGES, arrived)),
        Input::Dial(status) => of("dial", word_of(&DIALS, status)),
        Input::Whisper(specialist) => of("whisper", word_of(&SPECIALISTS, specialist)),
        Input::Queue(result) => of("queue", word_of(&QUEUES, result)),
        Input::Recorded(recorded) => format!("recorded = {recorded}"),
        Input::StepUp(level) => of("step_up", level),
    }
}

/// A key with a text.
pub(super) fn of(key: &str, text: &str) -> String {
    format!("{key} = {}", quoted(text))
}

/// A text as TOML writes it.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string().trim().to_owned()
}
