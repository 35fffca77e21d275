//! Sending a code, by whatever means: the budget, a fresh code, and what the call keeps of it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::super::account::Phone;
use super::super::call::{Position, SentCode};
use super::super::effect::Effect;
use super::super::eligibility::Purpose;
use super::super::machine::{Asks, Machine};
use super::super::question::{Answer, Question};
use super::super::turn::later;
use super::contact::{self, Eligible, Out};
use crate::flow::level::Fact;
use crate::flow::outcome::Outcome;
use crate::flow::prompt::Prompt;
use crate::limits;
use crate::secret::Secret;

/// A code that was just drawn.
pub(super) struct Fresh {
    /// The code; `None`: the provider draws one.
    pub(super) code: Option<Secret>,
    pub(super) expires: Timestamp,
    pub(super) ttl_s: u32,
}

/// How a code is sent.
pub(super) struct Way<'m, T> {
    /// What it proves.
    pub(super) factor: Fact,
    /// Where it may go.
    pub(super) to: Eligible<Vec<T>>,
    /// How the proof names where it went.
    pub(super) contact: fn(&T) -> Secret,
    /// The telephone behind it, whose prefix is limited and which is looked up; `None`: it is not a telephone,
    /// and costs nobody anything.
    pub(super) phone: Option<fn(&T) -> &Phone>,
    /// The words that it goes with.
    pub(super) message: Option<&'m Prompt>,
}

/// Sends a code for the state `sender`; `write` makes the effect that carries it, or `None` if its words cannot
/// be filled in. For a claim that is no account, all of this happens except the effect; also where its words cannot
/// be filled in, and for an account without a contact, if the state hides that.
pub(super) fn send<T>(
    m: &mut Machine<'_>,
    sender: Position,
    way: Way<'_, T>,
    write: impl FnOnce(&mut Machine<'_>, T, &Fresh) -> Asks<Option<Effect>>,
) -> Asks<Outcome> {
    let Way { factor, to, contact, phone, message } = way;
    let hides = contact::hides(m, &sender);
    let (to, mut sent) = match to {
        Eligible::To(to) => (to, Outcome::Sent),
        Eligible::Decoy => (Vec::new(), Outcome::Sent),
        Eligible::None if hides => (Vec::new(), Outcome::Unavailable),
        Eligible::None => return Ok(Outcome::Unavailable),
    };
    if m.call.sends >= limits::SENDS_PER_CALL_MAX || too_soon(m) {
        return Ok(Outcome::Limited);
    }
    let to = match reserved(m, factor, to, phone)? {
        Ok(to) => to,
        Err(Outcome::Unavailable) if hides => {
            sent = Outcome::Unavailable;
            None
        }
        Err(outcome) => return Ok(outcome),
    };
    // A caller who has given a wrong entry and not been told is sent nothing, and cannot notice: everything else
    // is the same, budgets included.
    let to = to.filter(|_| !m.call.doubt);
    let (digits, ttl_s) = (m.setting.policy.otp.digits, m.setting.policy.otp.ttl_s);
    let by_provider = m.setting.policy.otp.by_provider && factor == Fact::SmsOtp;
    let (code, hash) = if by_provider {
        (None, None)
    } else {
        let Some(drawn) = draw(m, factor, digits)? else { return Ok(Outcome::Unavailable) };
        Some(drawn).unzip()
    };
    // While its code is valid the provider sends the same one again, so the tries already made count.
    let last = m.call.code.as_ref().filter(|last| by_provider && last.hash.is_none());
    let checks = last.filter(|last| last.factor == factor).map_or(0, |last| last.checks);
    let expires = later(m.moment.now, Duration::from_secs(ttl_s.into()));
    let (mut contact_used, mut number, mut effect) = (None, None, None);
    if let Some(to) = to {
        let reached = (contact(&to), phone.map(|phone| phone(&to).number.clone()));
        // The words are those of the sending flow, wherever another code is asked for.
        let fresh = Fresh { code, expires, ttl_s };
        if let Some(written) = m.standing_at(&sender, |m| write(m, to, &fresh))? {
            (contact_used, number) = (Some(reached.0), reached.1);
            effect = Some(m.effect(written));
        }
    }
    let named = m.standing_at(&sender, |m| m.named_in(message));
    let code = SentCode {
        hash,
        number: number.filter(|_| by_provider),
        factor,
        digits,
        contact: contact_used,
        expires,
        checks,
        effect,
        sender,
        undelivered: false,
        named,
        older: None,
    };
    keep(m, code);
    Ok(sent)
}

/// A fresh code, and the hash that the call keeps of it.
fn draw(m: &mut Machine<'_>, factor: Fact, digits: u32) -> Asks<Option<(Secret, String)>> {
    let whom = m.call.whom();
    Ok(match m.ask(Question::FreshCode { whom, factor, digits })? {
        Answer::Code { code, hash } => Some((code, hash)),
        _ => None,
    })
}

/// The call remembers a code as sent, in place of the last one; if nothing was sent, the last one stays valid.
fn keep(m: &mut Machine<'_>, code: SentCode) {
    m.call.sends = m.call.sends.saturating_add(1);
    m.call.last_send = Some(m.moment.now);
    let in_hand = m.call.code.take().filter(|_| code.effect.is_none());
    m.call.code = Some(match in_hand {
        Some(last) => code.after(last),
        None => code,
    });
}

/// Which of these it goes to, if the budgets and, for a telephone, the networks allow one; `None` if there are
/// none. Otherwise how the state ends.
fn reserved<T>(
    m: &mut Machine<'_>,
    factor: Fact,
    to: Vec<T>,
    phone: Option<fn(&T) -> &Phone>,
) -> Asks<Result<Option<T>, Outcome>> {
    let whom = m.call.whom();
    let Some(phone) = phone else {
        let spend = Question::Spend { key: m.key(), whom, factor, to: None, code: true };
        let spent = m.ask(spend)? == Answer::Spent(true);
        return Ok(if spent { Ok(to.into_iter().next()) } else { Err(Outcome::Limited) });
    };
    let phones: Vec<_> = to.iter().map(|to| phone(to).clone()).collect();
    let out = Out { whom, factor, purpose: Purpose::Message, code: true };
    let chosen = contact::reserve(m, &phones, &out)?;
    Ok(chosen.map(|chosen| to.into_iter().find(|to| Some(phone(to)) == chosen.as_ref())))
}

/// Whether the last code of this call is too fresh for another.
fn too_soon(m: &Machine<'_>) -> bool {
    let Some(last) = m.call.last_send else { return false };
    let backoff = &m.setting.policy.otp.resend_backoff_s;
    let index = usize::from(m.call.sends).saturating_sub(1);
    let wait_s = backoff.get(index).or(backoff.last()).copied().unwrap_or(0);
    m.moment.now.duration_since(last) < SignedDuration::from_secs(wait_s.into())
}
