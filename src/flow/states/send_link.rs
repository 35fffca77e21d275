//! Sends a text message without a code to the mobile on file: a link, directions, a number to note.
//!
//! For what is better done elsewhere: "please do that online", a video call, the way to a branch. Like
//! a code, it goes only to the number on file and counts towards the budget of messages; for a claim
//! that is no account, it is "sent" but nothing goes out. It proves nothing.
//!
//! If `unavailable` leads to the same state as `sent`, an account without such a number cannot be told from one that
//! does not exist: the same is counted for it.

use super::{Key, Outcome, Shape, StateReader, StateType};
use crate::flow::prompt::Prompt;
use crate::flow::state::Kind;

/// A state that sends a message.
#[derive(Debug)]
pub struct SendLink {
    /// What it says.
    pub message: Prompt,
}

/// `send_link`
pub const TYPE: StateType = StateType {
    name: "send_link",
    source: include_str!("send_link.rs"),
    outcomes: &[Outcome::Sent, Outcome::Unavailable, Outcome::Limited],
    keys: &[Key::required("message", Shape::Prompt, "The message, with the link in it.")],
    read: |state| Some(Kind::SendLink(read(state)?)),
};

fn read(state: &StateReader<'_, '_>) -> Option<SendLink> {
    Some(SendLink { message: state.message_without_code("message")? })
}
