//! `send_link`: a message without a code to the mobile on file.

use super::super::audit::Hearer;
use super::super::effect::{Effect, Sms};
use super::super::eligibility::Purpose;
use super::super::machine::{Asks, Machine};
use super::contact::{self, Eligible, Out};
use super::message::text_of;
use crate::flow::level::Fact;
use crate::flow::outcome::Outcome;
use crate::flow::states::send_link::SendLink;
use crate::limits;
use crate::secret::Secret;

/// A link is useful for longer than a code.
const VALID_FOR_S: u32 = 3_600;

pub(super) fn send(m: &mut Machine<'_>, state: &SendLink) -> Asks<Outcome> {
    let hides = contact::hides(m, &m.call.at);
    let (phones, mut sent) = match contact::phones(m, Purpose::Message)? {
        Eligible::To(phones) => (phones, Outcome::Sent),
        Eligible::Decoy => (Vec::new(), Outcome::Sent),
        Eligible::None if hides => (Vec::new(), Outcome::Unavailable),
        Eligible::None => return Ok(Outcome::Unavailable),
    };
    if m.call.sends >= limits::SENDS_PER_CALL_MAX {
        return Ok(Outcome::Limited);
    }
    let whom = m.call.whom();
    let out = Out { whom, factor: Fact::SmsOtp, purpose: Purpose::Message, code: false };
    let to = match contact::reserve(m, &phones, &out)? {
        Ok(to) => to,
        Err(Outcome::Unavailable) if hides => {
            sent = Outcome::Unavailable;
            None
        }
        Err(outcome) => return Ok(outcome),
    };
    m.call.sends = m.call.sends.saturating_add(1);
    if let Some(to) = to {
        let Some(text) = text_of(m, &state.message)? else {
            return Ok(Outcome::Unavailable);
        };
        m.effect(Effect::SendSms(Sms {
            to: to.number,
            body: Secret::new(text),
            valid_for_s: VALID_FOR_S,
            code_until: None,
            look_up: Vec::new(),
        }));
        m.told(Hearer::Contact);
    }
    Ok(sent)
}
