//! Says goodbye, if it has a prompt, and ends the call.

use super::{Key, Shape, StateReader, StateType};
use crate::flow::prompt::Prompt;
use crate::flow::state::Kind;

/// A state that ends the call.
#[derive(Debug)]
pub struct Hangup {
    /// Said first.
    pub prompt: Option<Prompt>,
}

/// `hangup`
pub const TYPE: StateType = StateType {
    name: "hangup",
    source: include_str!("hangup.rs"),
    outcomes: &[],
    keys: &[Key::new("prompt", Shape::Prompt, "Said first.")],
    read: |state| Some(Kind::Hangup(read(state))),
};

fn read(state: &StateReader<'_, '_>) -> Hangup {
    Hangup { prompt: state.optional_prompt("prompt") }
}
