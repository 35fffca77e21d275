//! Sends a fresh code by e-mail to the address on file.
//!
//! It proves `email_otp`, which is neither something known nor something had: whoever reads the
//! customer's mail has it. `sent` means that the mail is committed to the outbox; `unavailable` that no
//! address is on file, or none for long enough; `limited` that too many have been sent. `message` may
//! give the wording, with `{{ code }}` in it once. It needs `[smtp]` in the configuration.
//!
//! Where `unavailable` leads where `sent` does, an account without such a contact is not told from one that
//! does not exist: as much is counted for it, and the code that it is asked for next is nobody's.
//!
//! To who has proved nothing, what an account or a block of numbers has had is no `limited`: it sounds as if it had
//! been sent, for nobody's has had anything. They hear `limited` of the codes of their own call and of all of the house.

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
