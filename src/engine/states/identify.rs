//! `identify`: the claim of an account. It proves nothing.

use std::sync::Arc;

use super::super::account::{Account, Claim};
use super::super::event::Heard;
use super::super::listen::{Expect, Given, GivesUp, are_digits};
use super::super::machine::{Asks, Machine, Next};
use super::super::question::{Answer, Question};
use super::super::reply::Input;
use super::super::spoken;
use crate::flow::outcome::Outcome;
use crate::flow::states::identify::Identify;
use crate::limits;
use crate::phone::PhoneNumber;
use crate::secret::Secret;

pub(super) fn enter(m: &mut Machine<'_>, identify: &Identify) -> Asks<Next> {
    m.claim(Claim::None, None);
    if identify.caller_id
        && let Some(number) = m.call.caller.number.clone()
        && let Answer::Account(Some(account)) = m.ask(Question::FindByPhone(number))?
    {
        let outcome = claim(m, account.id.clone(), Some(account))?;
        if outcome == Outcome::Found || identify.listen.is_none() {
            return Ok(Next::Take(outcome));
        }
        // Whoever has claimed too many is asked as if the number were nobody's: `unknown` may lead back.
        m.claim(Claim::None, None);
    }
    match &identify.listen {
        Some(listen) => m.listen(listen, &expect(identify)),
        None => Ok(Next::Take(Outcome::Unknown)),
    }
}

pub(super) fn resume(m: &mut Machine<'_>, identify: &Identify, heard: &Heard) -> Asks<Next> {
    let Some(listen) = &identify.listen else { return Ok(Next::Take(Outcome::Unknown)) };
    let (expect, gives_up) = (expect(identify), GivesUp::with(Outcome::Unknown));
    let id = match Given::of(heard) {
        Given::Silence => return m.missed(listen, &expect, true, &gives_up),
        Given::Star => return m.repeat(listen, &expect, &gives_up),
        Given::Keys(keys) => Some(keys),
        Given::Said(said) if identify.speech => {
            spoken::digits(&said, identify.digits, &m.call.locale)
        }
        Given::Said(_) => None,
    };
    let fits = |id: &String| are_digits(id, identify.digits) && id.len() <= limits::DIGITS_MAX;
    let Some(id) = id.filter(fits).map(Secret::new) else {
        return m.missed(listen, &expect, false, &gives_up);
    };
    match m.ask(Question::FindById(id.clone()))? {
        Answer::Account(account) => Ok(Next::Take(claim(m, id, account)?)),
        _ => Ok(Next::Take(claim(m, id, None)?)),
    }
}

/// Takes up a claim. A call or a caller ID that claims account after account gets only decoys, which count on no
/// account.
fn claim(m: &mut Machine<'_>, id: Secret, account: Option<Arc<Account>>) -> Asks<Outcome> {
    m.call.claims = m.call.claims.saturating_add(1);
    let too_many = m.call.claims > m.setting.policy.shared.identifications_per_call;
    let caller = m.call.caller.number.clone();
    // Whoever rings a SIP address decides how it is spelt: they all count as one line.
    let line = PhoneNumber::parse(&m.call.line).map_or("sip", |_| &m.call.line).to_owned();
    let reach = Question::Reach { caller, line, account: id.clone() };
    let within_reach = m.ask(reach)? == Answer::Spent(true) && !too_many;
    if let Some(account) = account.filter(|_| within_reach) {
        m.claim(Claim::Account(account.id.clone()), Some(account));
        return Ok(Outcome::Found);
    }
    m.claim(Claim::Decoy(id), None);
    m.call.out_of_reach = !within_reach;
    Ok(Outcome::Unknown)
}

fn expect(identify: &Identify) -> Expect {
    let input = match (identify.keys, identify.speech) {
        (true, true) => Input::DtmfSpeech,
        (false, true) => Input::Speech,
        _ => Input::Dtmf,
    };
    Expect { input, ..Expect::keys(identify.digits, false) }
}
