//! Refuses the call without answering it, which costs nothing.
//!
//! This works only before anything was said; a call that has been answered is ended instead. `reason = "busy"`
//! gives the busy tone, `"rejected"` the tone of a number not in service.

use super::{Key, Shape, StateReader, StateType};
use crate::flow::state::Kind;

/// A state that refuses the call.
#[derive(Debug)]
pub struct Reject {
    /// Whether the caller hears the busy tone.
    pub busy: bool,
}

/// `reject`
pub const TYPE: StateType = StateType {
    name: "reject",
    source: include_str!("reject.rs"),
    outcomes: &[],
    keys: &[Key::new(
        "reason",
        Shape::Choice(&["busy", "rejected"]),
        "What the caller hears: \"rejected\".",
    )],
    read: |state| Some(Kind::Reject(read(state))),
};

fn read(state: &StateReader<'_, '_>) -> Reject {
    let reason = state.item("reason");
    let busy = reason.and_then(|reason| reason.choice(&[("busy", true), ("rejected", false)]));
    Reject { busy: busy.unwrap_or(false) }
}
