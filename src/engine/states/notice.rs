//! Tells the owner of an account what others do, over another channel than the one under attack, or than the
//! caller has used to prove who they are; so whoever holds that channel cannot keep it from the owner.

use super::super::account::{Claim, Phone};
use super::super::audit::{Deed, Hearer};
use super::super::effect::{Effect, Email, Sms};
use super::super::eligibility::Purpose;
use super::super::ledger::{Alert, Notifies};
use super::super::machine::{Asks, Machine};
use super::super::question::{self, Answer, Question};
use super::contact::{self, Eligible};
use super::message;
use crate::flow::level::Fact;
use crate::flow::state::Notify;
use crate::flow::wording::Wording;
use crate::limits;
use crate::phone::PhoneNumber;
use crate::secret::Secret;

/// Where a notice goes.
enum Channel {
    Mail(Secret),
    Text(PhoneNumber, Vec<Phone>),
}

impl Channel {
    fn name(&self) -> &'static str {
        match self {
            Self::Mail(_) => "email",
            Self::Text(..) => "sms",
        }
    }
}

/// What a notice is about: in the audit, and in the account's ledger.
struct Of {
    name: String,
    counted: Option<(Alert, Fact, String)>,
}

/// Tells the owner what was counted when `attacked` was tried under this key.
pub(in crate::engine) fn alert(
    m: &mut Machine<'_>,
    alert: Alert,
    (attacked, key): (Fact, String),
) -> Asks<()> {
    // For a claim that is no account there is nobody to tell.
    if !matches!(m.call.claim, Claim::Account(_)) {
        return Ok(());
    }
    let mail = if attacked == Fact::EmailOtp { None } else { address(m)? };
    // Whoever holds the telephone, or gets its messages, must not be the only one to hear of it.
    let telephone = matches!(attacked, Fact::SmsOtp | Fact::Callback);
    let text = if telephone { None } else { Some(mobiles(m)?) };
    let words: fn(&Wording) -> &'static str = match alert {
        Alert::Failures => |own| own.notice_failures,
        Alert::Disabled => |own| own.notice_disabled,
        Alert::Lifted => |own| own.notice_lifted,
    };
    let body = message::of_our_own(m, words)?;
    let of = Of { name: alert.as_str().to_owned(), counted: Some((alert, attacked, key)) };
    tell(m, of, mail, text, body)
}

/// Tells the owner, once in a call, that a caller was let into the present state.
pub(in crate::engine) fn of_state(m: &mut Machine<'_>, words: &Notify) -> Asks<()> {
    if !matches!(m.call.claim, Claim::Account(_)) || m.call.told.contains(&m.call.at) {
        return Ok(());
    }
    let body = match words {
        Notify::Own => Some(message::of_our_own(m, |own| own.notice_action)?),
        Notify::Words(words) => message::text_of(m, words)?,
    };
    let Some(body) = body else { return Ok(()) };
    m.call.told.push(m.call.at.clone());
    let mail = if m.call.facts.has(Fact::EmailOtp) { None } else { address(m)? };
    let text = mobiles(m)?;
    let used = |to: &PhoneNumber| {
        let to = contact::of_number(to);
        m.call.facts.0.values().any(|proof| proof.contact.as_ref() == Some(&to))
    };
    let text = match text {
        Eligible::To(mut phones) => {
            phones.retain(|phone| !used(&phone.number));
            Some(Eligible::To(phones))
        }
        text => Some(text),
    };
    let of = Of { name: m.call.at.state.to_string(), counted: None };
    tell(m, of, mail, text, body)
}

fn address(m: &mut Machine<'_>) -> Asks<Option<Eligible<Secret>>> {
    let by_mail = m.setting.policy.notices.by_mail;
    by_mail.then(|| contact::email(m)).transpose()
}

fn mobiles(m: &mut Machine<'_>) -> Asks<Eligible<Vec<Phone>>> {
    contact::phones(m, Purpose::Message)
}

/// Tells it over the first channel that has a notice left. Notices have budgets of their own, so that nobody uses
/// them up with codes; what cannot be sent is not told, and is tried again the next time.
fn tell(
    m: &mut Machine<'_>,
    of: Of,
    mail: Option<Eligible<Secret>>,
    text: Option<Eligible<Vec<Phone>>>,
    body: String,
) -> Asks<()> {
    let mut channels = Vec::new();
    if let Some(Eligible::To(to)) = mail {
        channels.push(Channel::Mail(to));
    }
    if let Some(Eligible::To(phones)) = text
        && let Some(first) = phones.first()
    {
        channels.push(Channel::Text(first.number.clone(), phones));
    }
    // What is not sent does not count as told.
    let guarded = std::mem::take(&mut m.filled_in);
    let mut over = None;
    for channel in channels {
        match may_send(m, &of, &channel)? {
            Notifies::Yes => {
                over = Some(channel.name().to_owned());
                send(m, channel, body)?;
                m.filled_in = guarded;
                m.told(Hearer::Contact);
                break;
            }
            Notifies::NoneLeft => {}
            Notifies::Told => return Ok(()),
        }
    }
    m.note(Deed::Notified { of: of.name, over });
    Ok(())
}

fn may_send(m: &mut Machine<'_>, of: &Of, channel: &Channel) -> Asks<Notifies> {
    let to = match channel {
        Channel::Text(to, _) => Some(to.clone()),
        Channel::Mail(_) => None,
    };
    let whom = m.call.claim.whom(m.call.id);
    let notify = question::Notify { key: m.key(), whom, of: of.counted.clone(), to };
    Ok(match m.ask(Question::Notify(notify))? {
        Answer::Notifies(answer) => answer,
        _ => Notifies::NoneLeft,
    })
}

fn send(m: &mut Machine<'_>, channel: Channel, body: String) -> Asks<()> {
    let body = Secret::new(body);
    let effect = match channel {
        Channel::Mail(to) => {
            let subject = message::of_our_own(m, |own| own.notice_subject)?;
            let locale = message::written_in(m)?;
            Effect::SendEmail(Email { to, subject, body, locale, code_until: None })
        }
        Channel::Text(to, phones) => {
            // It matters for as long as a message is delivered.
            let valid_for_s = limits::MESSAGE_VALID_S_MAX;
            // If the answer waited for a look-up, the caller would know that there is somebody to tell.
            let asked = m.setting.policy.look_ups.asked;
            let look_up = if asked { phones } else { Vec::new() };
            Effect::SendSms(Sms { to, body, valid_for_s, code_until: None, look_up })
        }
    };
    m.effect(effect);
    Ok(())
}
