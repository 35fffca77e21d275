//! Sends a fresh code by text message to the mobile on file.
//!
//! Never to the number that is calling, nor to one the caller names. `sent` means that the message is
//! committed to the outbox; `unavailable` that nothing eligible is on file (a mobile, on file long
//! enough, in an allowed country, and with `[lookup]` one that its network says nothing against), decided
//! before anything is sent; `limited` that too many have been sent. `message` may give the wording, with
//! `{{ code }}` in it once. A provider that makes the codes (`[otp] backend = "verify"`) words them itself, and a flow
//! with a `message` is not served there: leave it out where a flow is to run under either.
//!
//! Where `unavailable` leads where `sent` does, an account without such a contact is not told from one that
//! does not exist: as much is counted for it, and the code that it is asked for next is nobody's.
//!
//! To who has proved nothing, what an account or a block of numbers has had is no `limited`: it sounds as if it had
//! been sent, for nobody's has had anything. They hear `limited` of the codes of their own call and of all of the house.

use super::{Key, Outcome, Shape, StateReader, StateType};
use crate::flow::prompt::Prompt;
use crate::flow::state::Kind;

/// A state that sends a code.
#[derive(Debug)]
pub struct SendSmsOtp {
    /// The wording of the message; `None`: callgate's own.
    pub message: Option<Prompt>,
}

/// `send_sms_otp`
pub const TYPE: StateType = StateType {
    name: "send_sms_otp",
    source: include_str!("send_sms_otp.rs"),
    outcomes: &[Outcome::Sent, Outcome::Unavailable, Outcome::Limited],
    keys: &[Key::new("message", Shape::Prompt, "The message, with `{{ code }}` in it once.")],
    read: |state| Some(Kind::SendSmsOtp(read(state))),
};

fn read(state: &StateReader<'_, '_>) -> SendSmsOtp {
    SendSmsOtp { message: state.optional_message("message") }
}
