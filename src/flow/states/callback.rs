//! Rings the number on file and proves the fact `callback`.
//!
//! The caller hears a random code, twice, and waits. The number on file is rung at once or, if that is the number they
//! call from or they speak on a telephone that was rung before, after they have hung up. Whoever answers hears only the
//! business's name and is asked for the code. When it is right, the flow goes on: on the line on which the caller
//! waits, if that is still up, and otherwise on the new one. An answering machine, a busy line or no answer
//! is `no_answer`.

use std::time::Duration;

use super::{Key, Outcome, Shape, StateReader, StateType, TRIES};
use crate::flow::prompt::Prompt;
use crate::flow::state::Kind;

/// A state that rings the number on file.
#[derive(Debug)]
pub struct Callback {
    /// Said before the code where the caller stays on the line; `None`: callgate's own words.
    pub prompt: Option<Prompt>,
    /// Said before the code where the caller must hang up first; `None`: callgate's own words.
    pub hang_up_prompt: Option<Prompt>,
    /// How long it rings.
    pub ring: Duration,
    /// Tries on the new leg.
    pub tries: u8,
    /// Silence that ends a try.
    pub timeout: Duration,
}

const RING: Duration = Duration::from_secs(30);
/// Somebody who has just picked up looks for the note first.
const ENTRY_TIMEOUT: Duration = Duration::from_secs(15);
const RING_MAX: Duration = Duration::from_mins(1);

/// `callback`
pub const TYPE: StateType = StateType {
    name: "callback",
    source: include_str!("callback.rs"),
    outcomes: &[
        Outcome::Ok,
        Outcome::Failed,
        Outcome::NoAnswer,
        Outcome::Unavailable,
        Outcome::Limited,
    ],
    keys: &[
        Key::new("prompt", Shape::Prompt, "Said before the code; the caller stays on the line."),
        Key::new("hang_up_prompt", Shape::Prompt, "Said before the code; the caller must hang up."),
        Key::new("ring", Shape::Duration, "How long the number on file rings: \"30s\"."),
        TRIES,
        Key::new("timeout", Shape::Duration, "Silence that ends a try on the new leg: \"15s\"."),
    ],
    read: |state| Some(Kind::Callback(read(state))),
};

fn read(state: &StateReader<'_, '_>) -> Callback {
    let ring = state.item("ring");
    let ring = ring.and_then(|ring| ring.duration(Duration::from_secs(10), RING_MAX));
    let tries = state.optional_integer("tries", 1, 9).and_then(|tries| u8::try_from(tries).ok());
    let timeout = state.item("timeout");
    let timeout = timeout.and_then(|t| t.duration(Duration::from_secs(1), Duration::from_mins(1)));
    Callback {
        prompt: state.optional_prompt("prompt"),
        hang_up_prompt: state.optional_prompt("hang_up_prompt"),
        ring: ring.unwrap_or(RING),
        tries: tries.unwrap_or(3),
        timeout: timeout.unwrap_or(ENTRY_TIMEOUT),
    }
}
