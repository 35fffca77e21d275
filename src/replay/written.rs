//! An act as it is written in a transcript.

use std::fmt::Write as _;

use toml_edit::Value;

use super::play::Act;
use super::transcript::{
    DIALS, Deed, FATES, MESSAGES, OTPS, QUEUES, REFUSALS, ROLES, SPECIALISTS, SPOKEN, WEB_LEVELS,
    word_of,
};
use crate::document::show_duration;

/// The table of a turn in which this happens, without what must come back.
pub fn turn(act: &Act) -> String {
    let mut text = format!("\n[[turn]]\n{}\n", deed(&act.deed));
    if let Deed::Ring(Some(from)) = &act.deed {
        let _ = writeln!(text, "from = \"{}\"", from.as_e164());
    }
    if let Some(role) = &act.on {
        let _ = writeln!(text, "on = \"{}\"", word_of(&ROLES, role));
    }
    if let Some(refusal) = &act.refused {
        let _ = writeln!(text, "refused = \"{}\"", word_of(&REFUSALS, refusal));
    }
    text
}

/// The key that says what happens, and its value.
pub fn deed(deed: &Deed) -> String {
    match deed {
        Deed::Ring(_) => "ring = true".to_owned(),
        Deed::Digits(keys) => of("digits", keys),
        Deed::Speech(words) => of("speech", words),
        Deed::Silence => "silence = true".to_owned(),
        Deed::Wait(duration) => of("wait", &show_duration(*duration).replace(' ', "")),
        Deed::Otp(which) => of("otp", word_of(&OTPS, which)),
        Deed::ServiceCode(level) => of("service_code", word_of(&WEB_LEVELS, level)),
        Deed::CallbackCode(which) => of("callback_code", word_of(&SPOKEN, which)),
        Deed::Callback(fate) => of("callback", word_of(&FATES, fate)),
        Deed::Poll => "poll = true".to_owned(),
        Deed::Hangup => "hangup = true".to_owned(),
        Deed::Retry => "retry = true".to_owned(),
        Deed::Stale => "stale = true".to_owned(),
        Deed::MessageStatus(arrived) => of("message_status", word_of(&MESSAGES, arrived)),
        Deed::Dial(status) => of("dial", word_of(&DIALS, status)),
        Deed::Whisper(specialist) => of("whisper", word_of(&SPECIALISTS, specialist)),
        Deed::Queue(result) => of("queue", word_of(&QUEUES, result)),
        Deed::Recorded(recorded) => format!("recorded = {recorded}"),
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
