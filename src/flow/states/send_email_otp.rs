//! Sends a fresh code by e-mail to the address on file.
//!
//! It proves `email_otp`, which counts neither as something known nor as something had: whoever reads the
//! customer's mail has it. `sent` means that the mail is committed to the outbox; `unavailable` that no
//! address is on file, or none for long enough; `limited` that too many have been sent. `message` may
//! give the wording, with `{{ code }}` in it once. It needs `[smtp]` in the configuration.
//!
//! A code is good for what its message names: one that has no room for all of its variables goes out to nobody, though it
//! is `sent`.
//!
//! If `unavailable` leads to the same state as `sent`, an account without such a contact cannot be told from one that
//! does not exist: the same is counted for it, and no entry is right for the code that is asked for next.

use super::{Key, Outcome, Shape, StateReader, StateType};
use crate::flow::prompt::Prompt;
use crate::flow::state::Kind;

/// A state that sends a code by e-mail.
#[derive(Debug)]
pub struct SendEmailOtp {
    /// The wording of the mail; `None`: callgate's own.
    pub message: Option<Prompt>,
}

/// `send_email_otp`
pub const TYPE: StateType = StateType {
    name: "send_email_otp",
    source: include_str!("send_email_otp.rs"),
    outcomes: &[Outcome::Sent, Outcome::Unavailable, Outcome::Limited],
    keys: &[Key::new("message", Shape::Prompt, "The mail, with `{{ code }}` in it once.")],
    read: |state| Some(Kind::SendEmailOtp(read(state))),
};

fn read(state: &StateReader<'_, '_>) -> SendEmailOtp {
    SendEmailOtp { message: state.optional_message("message") }
}
