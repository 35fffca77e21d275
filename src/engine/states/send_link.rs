//! `send_link`: a message without a code to the mobile on file.

use super::super::effect::{Effect, Sms};
use super::super::eligibility::Purpose;
use super::super::machine::{Asks, Machine};
use super::super::question::{Answer, Question};
use super::contact::{self, Eligible};
use super::message::text_of;
use crate::flow::level::Fact;
use crate::flow::outcome::Outcome;
use crate::flow::states::send_link::SendLink;
use crate::limits;
use crate::secret::Secret;

/// A link is of use for longer than a code.
const VALID_FOR_S: u32 = 3_600;

pub(super) fn send(m: &mut Machine<'_>, state: &SendLink) -> Asks<Outcome> {
    let to = match contact::phone(m, &m.setting.policy.contact.sms_line_types)? {
        Eligible::To(phone) => Some(phone),
        Eligible::Decoy => None,
        Eligible::None => return Ok(Outcome::Unavailable),
    };
    if m.call.sends >= limits::SENDS_PER_CALL_MAX {
        return Ok(Outcome::Limited);
    }
    let whom = m.call.claim.whom(m.call.id);
    let number = to.as_ref().map(|phone| phone.number.clone());
    let spend =
        Question::Spend { key: m.key(), whom, factor: Fact::SmsOtp, to: number, code: false };
    if m.ask(spend)? != Answer::Spent(true) {
        return Ok(Outcome::Limited);
    }
    if !contact::may_use(m, to.as_ref(), Purpose::Message)? {
        return Ok(Outcome::Unavailable);
    }
    m.call.sends = m.call.sends.saturating_add(1);
    if let Some(to) = to {
        let Some(text) = text_of(m, &state.message, None)? else {
            return Ok(Outcome::Unavailable);
        };
        let (to, body) = (to.number, Secret::new(text));
        m.effect(Effect::SendSms(Sms { to, body, valid_for_s: VALID_FOR_S, code_until: None }));
    }
    Ok(Outcome::Sent)
}
