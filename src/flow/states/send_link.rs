//! Sends a text message without a code to the mobile on file: a link, directions, a number to note.
//!
//! For what is better done elsewhere: "please do that online", a video call, the way to a branch. Like
//! a code it goes to the number on file alone, counts towards the budget of messages, and for a claim
//! that is no account it is "sent" and nothing is sent. It proves nothing.
//!
//! Where `unavailable` leads where `sent` does, an account without such a number is not told from one that
//! does not exist: as much is counted for it.
//!
//! To who has proved nothing, what an account or a block of numbers has had is no `limited`: it sounds as if it had
//! been sent, for nobody's has had anything. They hear `limited` of the codes of their own call and of all of the house.

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
