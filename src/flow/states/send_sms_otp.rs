//! Sends a fresh code by text message to the mobile on file.
//!
//! It never goes to the number that is calling, nor to one that the caller names. `sent` means that the message is
//! committed to the outbox; `unavailable`, which is decided before anything is sent, that nothing eligible is on file (a
//! mobile, on file long enough, in an allowed country and, with `[lookup]`, with nothing known against it); `limited` that too
//! many messages have been sent. `message` may give the wording, with `{{ code }}` in it once. A provider that makes the codes
//! (`[otp] backend = "verify"`) words them itself, and a flow with a `message` is not served there: leave it out of
//! a flow that is to run under either.
//!
//! A code is good for what its message names: one that has no room for all of its variables goes out to nobody, though it
//! is `sent`.
//!
//! If `unavailable` leads to the same state as `sent`, an account without such a contact cannot be told from one that
//! does not exist: the same is counted for it, and no entry is right for the code that is asked for next.

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
