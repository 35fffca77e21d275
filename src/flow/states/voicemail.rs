//! Records a message after the prompt and a tone.
//!
//! `#` or `silence` ends it. `ok` if something was recorded, `no_input` if not.

use std::time::Duration;

use super::{Key, Outcome, Shape, StateReader, StateType};
use crate::flow::prompt::Prompt;
use crate::flow::state::Kind;

/// A state that records a message.
#[derive(Debug)]
pub struct Voicemail {
    /// What the caller hears first.
    pub prompt: Prompt,
    /// How long the message may be.
    pub max_length: Duration,
    /// Silence that ends it.
    pub silence: Duration,
}

const MAX_LENGTH: Duration = Duration::from_mins(2);
const SILENCE: Duration = Duration::from_secs(5);

/// `voicemail`
pub const TYPE: StateType = StateType {
    name: "voicemail",
    source: include_str!("voicemail.rs"),
    outcomes: &[Outcome::Ok, Outcome::NoInput],
    keys: &[
        Key::required("prompt", Shape::Prompt, "What the caller hears first."),
        Key::new("max_length", Shape::Duration, "How long the message may be: \"2m\"."),
        Key::new("silence", Shape::Duration, "Silence that ends it: \"5s\"."),
    ],
    read: |state| Some(Kind::Voicemail(read(state)?)),
};

fn read(state: &StateReader<'_, '_>) -> Option<Voicemail> {
    let length = state.item("max_length");
    let length = length.and_then(|l| l.duration(Duration::from_secs(5), Duration::from_hours(1)));
    let silence = state.item("silence");
    let silence = silence.and_then(|s| s.duration(Duration::from_secs(1), Duration::from_mins(1)));
    Some(Voicemail {
        prompt: state.prompt("prompt")?,
        max_length: length.unwrap_or(MAX_LENGTH),
        silence: silence.unwrap_or(SILENCE),
    })
}
