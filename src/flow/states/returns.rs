//! Comes back from a step-up or a sub-flow.
//!
//! From a step-up it goes to the state that was asked for if its level is met by now, and otherwise to that
//! state's `denied`; `outcome` is ignored. From a sub-flow it needs an `outcome`, which the calling
//! state routes.

use super::{Key, Outcome, Shape, StateReader, StateType};
use crate::diagnostic::Place;
use crate::flow::state::Kind;

/// A state that comes back.
#[derive(Debug)]
pub struct Return {
    /// The word the caller of this flow routes.
    pub outcome: Option<(Outcome, Place)>,
}

/// `return`
pub const TYPE: StateType = StateType {
    name: "return",
    source: include_str!("returns.rs"),
    outcomes: &[],
    keys: &[Key::new("outcome", Shape::Text, "The word that the calling state routes.")],
    read: |state| Some(Kind::Return(read(state))),
};

fn read(state: &StateReader<'_, '_>) -> Return {
    let outcome = state.item("outcome");
    Return { outcome: outcome.and_then(|word| Some((Outcome::of(word.name()?), word.place()))) }
}
