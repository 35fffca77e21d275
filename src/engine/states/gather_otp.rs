//! `gather_otp`: the code last sent in this call.

use super::super::event::Heard;
use super::super::listen::{Expect, Given, GivesUp, are_digits};
use super::super::machine::{Asks, Machine, Next};
use super::super::question::{Against, Verdict};
use super::{send_email_otp, send_sms_otp};
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State};
use crate::flow::states::gather_otp::GatherOtp;
use crate::secret::Secret;

/// Whether the caller must not hear what became of a real code: it is treated as if it were nobody's.
pub(in crate::engine) fn hides(m: &Machine<'_>) -> bool {
    m.is_stranger() && m.state().is_some_and(State::hides_undelivered)
}

pub(super) fn enter(m: &mut Machine<'_>, otp: &GatherOtp) -> Asks<Next> {
    match &m.call.code {
        None => Ok(Next::Take(Outcome::Expired)),
        Some(code) if code.undelivered && !hides(m) => Ok(Next::Take(Outcome::Undelivered)),
        Some(code) if m.moment.now > code.expires => Ok(Next::Take(Outcome::Expired)),
        Some(_) => {
            let expect = expect(m, otp);
            m.listen(&otp.listen, &expect)
        }
    }
}

pub(super) fn resume(m: &mut Machine<'_>, otp: &GatherOtp, heard: &Heard) -> Asks<Next> {
    let (expect, gives_up) = (expect(m, otp), GivesUp::with(Outcome::Failed));
    let Some(code) = m.call.code.clone() else { return Ok(Next::Take(Outcome::Expired)) };
    if code.undelivered && !hides(m) {
        return Ok(Next::Take(Outcome::Undelivered));
    }
    let entry = match Given::of(heard) {
        Given::Silence => return m.missed(&otp.listen, &expect, true, &gives_up),
        Given::Star => {
            // Sends another code if that is allowed; the words are the same either way.
            send_again(m)?;
            return m.begin_again(&otp.listen, &expect, &gives_up);
        }
        Given::Keys(keys) => keys,
        Given::Said(_) => return m.missed(&otp.listen, &expect, false, &gives_up),
    };
    if !are_digits(&entry, Some(code.digits)) {
        return m.missed(&otp.listen, &expect, false, &gives_up);
    }
    if m.moment.now > code.expires {
        m.call.code = None;
        return Ok(Next::Take(Outcome::Expired));
    }
    let checks_max = m.setting.policy.otp.checks;
    let verdict = if code.checks >= checks_max {
        Verdict::Locked
    } else {
        let is_good = code.is_good(m.moment.now, checks_max);
        let against = match &code.hash {
            Some(hash) if is_good => Against::Code(hash.clone()),
            // No code hashes to this.
            Some(_) => Against::Code(String::new()),
            // After a wrong entry that the caller has not been told of, it is checked as nobody's.
            None => Against::Verification(code.number.clone().filter(|_| is_good && !m.call.doubt)),
        };
        m.verify(code.factor, Secret::new(entry), against, code.contact.clone())?
    };
    let over = match verdict {
        Verdict::Right => Some(Outcome::Ok),
        // Of nobody's code, the provider says neither: to a stranger it is wrong.
        Verdict::Expired if !m.is_stranger() => Some(Outcome::Expired),
        Verdict::Exhausted if !m.is_stranger() => Some(Outcome::Failed),
        // It can no longer be proved, and another way has to do.
        Verdict::Unanswered if !hides(m) => Some(Outcome::Undelivered),
        _ => None,
    };
    if let Some(outcome) = over {
        m.call.code = None;
        return Ok(Next::Take(outcome));
    }
    if let Some(code) = &mut m.call.code {
        code.count_check();
    }
    m.failed(&otp.listen, &expect, false, &gives_up)
}

/// Sends another code, as the state that sent the last one did, if it would let the caller in now, and can name what
/// that one named.
fn send_again(m: &mut Machine<'_>) -> Asks<Outcome> {
    let Some((sender, named)) =
        m.call.code.as_ref().map(|code| (code.sender.clone(), code.named.clone()))
    else {
        return Ok(Outcome::Unavailable);
    };
    let flows = m.setting.flows;
    let state = flows.get(sender.flow.as_str()).and_then(|flow| flow.state(&sender.state));
    let Some(state) = state else { return Ok(Outcome::Unavailable) };
    let may_send = m.standing_at(&sender, |m| {
        let requires = state.requires.as_ref();
        requires.is_none_or(|(level, _)| m.meets(level))
            && m.may_speak(state)
            && named.keys().all(|name| m.call.variables.contains_key(name))
    });
    if !may_send {
        return Ok(Outcome::Unavailable);
    }
    match &state.kind {
        Kind::SendSmsOtp(state) => send_sms_otp::send(m, state, sender),
        Kind::SendEmailOtp(state) => send_email_otp::send(m, state, sender),
        _ => Ok(Outcome::Unavailable),
    }
}

fn expect(m: &Machine<'_>, otp: &GatherOtp) -> Expect {
    let sent = m.call.code.as_ref().map(|code| code.digits);
    Expect::keys(Some(sent.or(otp.digits).unwrap_or(m.setting.policy.otp.digits)), false)
}
