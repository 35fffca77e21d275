//! Speaks, plays or pauses, and goes on.
//!
//! A prompt is a text, a table of texts by language, or a list of such texts, `{ play = "https://…" }`
//! and `{ pause = "2s" }`.

use super::{Key, NEXT, Outcome, Shape, StateReader, StateType};
use crate::flow::prompt::Prompt;
use crate::flow::state::Kind;

/// A state that speaks.
#[derive(Debug)]
pub struct Say {
    /// What is said.
    pub prompt: Prompt,
}

/// `say`
pub const TYPE: StateType = StateType {
    name: "say",
    source: include_str!("say.rs"),
    outcomes: &[Outcome::Next],
    keys: &[Key::required("prompt", Shape::Prompt, "What the caller hears."), NEXT],
    read: |state| Some(Kind::Say(read(state)?)),
};

fn read(state: &StateReader<'_, '_>) -> Option<Say> {
    Some(Say { prompt: state.prompt("prompt")? })
}
