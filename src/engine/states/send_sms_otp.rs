//! `send_sms_otp`: a fresh code to the mobile on file.

use super::super::account::Phone;
use super::super::call::Position;
use super::super::effect::{BeginVerification, Effect, Sms};
use super::super::eligibility::Purpose;
use super::super::machine::{Asks, Machine};
use super::send_code::{self, Way};
use super::{contact, message};
use crate::flow::level::Fact;
use crate::flow::outcome::Outcome;
use crate::flow::states::send_sms_otp::SendSmsOtp;

/// Sends a code for the state `sender`.
pub(super) fn send(m: &mut Machine<'_>, state: &SendSmsOtp, sender: Position) -> Asks<Outcome> {
    let to = contact::phones(m, Purpose::Message)?;
    let way = Way {
        factor: Fact::SmsOtp,
        to,
        contact: |phone: &Phone| contact::of_number(&phone.number),
        phone: Some(|phone| phone),
        message: state.message.as_ref(),
    };
    send_code::send(m, sender, way, |m, to, fresh| {
        let to = to.number;
        let Some(code) = &fresh.code else {
            let whom = m.call.whom();
            let (locale, code_until) = (m.call.locale.clone(), fresh.expires);
            let begin = BeginVerification { to, whom, locale, code_until };
            return Ok(Some(Effect::BeginVerification(begin)));
        };
        let Some(body) = message::with_code(m, state.message.as_ref(), |own| own.sms, code)? else {
            return Ok(None);
        };
        let (valid_for_s, code_until) = (fresh.ttl_s, Some(fresh.expires));
        let look_up = Vec::new();
        Ok(Some(Effect::SendSms(Sms { to, body, valid_for_s, code_until, look_up })))
    })
}
