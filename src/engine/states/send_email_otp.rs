//! `send_email_otp`: a fresh code to the e-mail address on file.

use super::super::call::Position;
use super::super::effect::{Effect, Email};
use super::super::machine::{Asks, Machine};
use super::contact::{self, Eligible};
use super::message;
use super::send_code::{self, Way};
use crate::flow::level::Fact;
use crate::flow::outcome::Outcome;
use crate::flow::states::send_email_otp::SendEmailOtp;

/// Sends a code for the state `sender`.
pub(super) fn send(m: &mut Machine<'_>, state: &SendEmailOtp, sender: Position) -> Asks<Outcome> {
    let to = match contact::email(m)? {
        Eligible::To(address) => Eligible::To(vec![address]),
        Eligible::Decoy => Eligible::Decoy,
        Eligible::None => Eligible::None,
    };
    let way = Way {
        factor: Fact::EmailOtp,
        to,
        contact: contact::of_email,
        phone: None,
        message: state.message.as_ref(),
    };
    send_code::send(m, sender, way, |m, to, fresh| {
        let Some(code) = &fresh.code else { return Ok(None) };
        let Some(body) = message::with_code(m, state.message.as_ref(), |own| own.email, code)?
        else {
            return Ok(None);
        };
        // A screen that is locked shows the subject: no code stands in it.
        let subject = message::of_our_own(m, |own| own.email_subject)?;
        let locale = message::written_in(m)?;
        let code_until = Some(fresh.expires);
        Ok(Some(Effect::SendEmail(Email { to, subject, body, locale, code_until })))
    })
}
