//! `send_sms_otp`: a fresh code to the mobile on file.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::super::account::{Claim, Line};
use super::super::call::{Position, SentCode};
use super::super::effect::{Effect, Sms};
use super::super::machine::{Asks, Machine, after};
use super::super::question::{Answer, Question};
use crate::flow::level::Fact;
use crate::flow::locale::Locale;
use crate::flow::outcome::Outcome;
use crate::flow::prompt::{Piece, Prompt};
use crate::flow::state::Kind;
use crate::flow::states::send_sms_otp::SendSmsOtp;
use crate::flow::wording;
use crate::limits;
use crate::phone::PhoneNumber;
use crate::secret::Secret;

/// Sends a code for the present state.
pub(super) fn send(m: &mut Machine<'_>, state: &SendSmsOtp) -> Asks<Outcome> {
    let sender = m.call.at.clone();
    send_for(m, state, sender)
}

/// Sends another code, as the state did that sent the last one.
pub(super) fn send_again(m: &mut Machine<'_>) -> Asks<Outcome> {
    let sender = m.call.code.as_ref().map(|code| code.sender.clone());
    let flows = m.setting.flows;
    let state = sender.as_ref().and_then(|at| flows.get(at.flow.as_str())?.state(&at.state));
    match (state.map(|state| &state.kind), sender) {
        (Some(Kind::SendSmsOtp(state)), Some(sender)) => send_for(m, state, sender),
        _ => Ok(Outcome::Unavailable),
    }
}

fn send_for(m: &mut Machine<'_>, state: &SendSmsOtp, sender: Position) -> Asks<Outcome> {
    let to = match eligible(m, &m.setting.policy.contact.sms_line_types)? {
        Eligible::Number(number) => Some(number),
        Eligible::Decoy => None,
        Eligible::None => return Ok(Outcome::Unavailable),
    };
    if m.call.sends >= limits::SENDS_PER_CALL_MAX || too_soon(m) {
        return Ok(Outcome::Limited);
    }
    let whom = m.call.claim.whom(m.call.id);
    let key = m.key();
    let factor = Fact::SmsOtp;
    let spend = Question::Spend { key, whom: whom.clone(), factor, to: to.clone() };
    if m.ask(spend)? != Answer::Spent(true) {
        return Ok(Outcome::Limited);
    }
    let digits = m.setting.policy.otp.digits;
    let fresh = Question::FreshCode { whom, factor: Fact::SmsOtp, digits };
    let Answer::Code { code, hash } = m.ask(fresh)? else { return Ok(Outcome::Unavailable) };
    let ttl_s = m.setting.policy.otp.ttl_s;
    let expires = after(m.moment.now, std::time::Duration::from_secs(ttl_s.into()));
    let mut effect = None;
    let contact = to.as_ref().map(contact_of);
    if let Some(to) = to {
        // The words are those of the flow that sends, wherever another code is asked for.
        let here = std::mem::replace(&mut m.call.at, sender.clone());
        let body = message(m, state, &code)?;
        m.call.at = here;
        let Some(body) = body else { return Ok(Outcome::Unavailable) };
        effect = Some(m.effect(Effect::SendSms(Sms {
            to,
            body,
            valid_for_s: ttl_s,
            code_until: Some(expires),
        })));
    }
    m.call.sends = m.call.sends.saturating_add(1);
    m.call.last_send = Some(m.moment.now);
    m.call.code = Some(SentCode {
        hash,
        factor: Fact::SmsOtp,
        digits,
        contact,
        expires,
        checks: 0,
        effect,
        sender,
        undelivered: false,
    });
    Ok(Outcome::Sent)
}

/// Whether the last code of this call is too fresh for another.
fn too_soon(m: &Machine<'_>) -> bool {
    let Some(last) = m.call.last_send else { return false };
    let backoff = &m.setting.policy.otp.resend_backoff_s;
    let index = usize::from(m.call.sends).saturating_sub(1);
    let wait_s = backoff.get(index).or(backoff.last()).copied().unwrap_or(0);
    m.moment.now.duration_since(last) < SignedDuration::from_secs(wait_s.into())
}

fn message(m: &mut Machine<'_>, state: &SendSmsOtp, code: &Secret) -> Asks<Option<Secret>> {
    let Some(prompt) = &state.message else {
        let locale = written_in(m)?;
        let business = m.start_flow().map_or("", |flow| &flow.business);
        let words = wording::of(&locale).sms;
        let text = words.replace("{business}", business).replace("{code}", code.expose());
        return Ok(Some(Secret::new(text)));
    };
    let text = text_of(m, prompt, Some(code.expose()))?;
    // A message that lost its code says nothing.
    Ok(text.filter(|text| text.contains(code.expose())).map(Secret::new))
}

/// The text of a message, in the language on file; `None`: it could not be filled in.
pub(super) fn text_of(
    m: &mut Machine<'_>,
    prompt: &Prompt,
    code: Option<&str>,
) -> Asks<Option<String>> {
    let locale = written_in(m)?;
    let Some(flow) = m.flow() else { return Ok(None) };
    let mut text = String::new();
    for piece in &prompt.pieces {
        let Piece::Text(texts) = piece else { continue };
        let Some((_, template)) = texts.pick(&locale, &flow.locale) else { continue };
        let Some(part) = m.fill(template, &locale, code)? else { return Ok(None) };
        text.push_str(&part);
    }
    let plain = text.chars().filter(|c| !c.is_control());
    Ok(Some(plain.take(limits::MESSAGE_CHARS_MAX).collect()))
}

/// The language that messages to this customer are in.
fn written_in(m: &mut Machine<'_>) -> Asks<Locale> {
    let on_file = m.account()?.and_then(|account| account.locale);
    Ok(on_file.unwrap_or_else(|| m.call.locale.clone()))
}

/// Where a code or a call may go.
pub(super) enum Eligible {
    /// To this number.
    Number(PhoneNumber),
    /// Nowhere, and nobody may notice: there is no such account.
    Decoy,
    /// Nowhere: nothing on file will do.
    None,
}

/// The first number on file that is of the right kind, on file long enough, and in a country allowed.
/// Never one that the caller gave, or calls from.
pub(super) fn eligible(m: &mut Machine<'_>, lines: &[Line]) -> Asks<Eligible> {
    if !matches!(m.call.claim, Claim::Account(_)) {
        return Ok(Eligible::Decoy);
    }
    let Some(account) = m.account()? else { return Ok(Eligible::None) };
    let home = PhoneNumber::parse(&m.call.line).and_then(|line| line.country());
    let policy = &m.setting.policy.contact;
    let old_enough = |since: jiff::civil::Date| {
        let min_age = SignedDuration::from_hours(24 * i64::from(policy.min_age_days));
        let begin = since.to_zoned(TimeZone::UTC).map(|day| day.timestamp());
        begin.is_ok_and(|begin| m.moment.now.duration_since(begin) >= min_age)
    };
    let allowed = |number: &PhoneNumber| {
        let countries = &policy.countries;
        let country = number.country();
        let may = match countries.as_slice() {
            [] => country.is_some() && country == home,
            named => country.is_some_and(|country| named.contains(&country)),
        };
        may && !number.costs_extra()
    };
    let phone = account.phones.iter().find(|phone| {
        lines.contains(&phone.line) && old_enough(phone.since) && allowed(&phone.number)
    });
    Ok(phone.map_or(Eligible::None, |phone| Eligible::Number(phone.number.clone())))
}

/// How a proof names the number it went through.
pub(super) fn contact_of(number: &PhoneNumber) -> String {
    format!("phone:{}", number.as_e164())
}
