//! Where a code, a link or a call may go: to a contact on file that is old enough, and nowhere else.

use super::super::account::{Claim, Phone, Whom};
use super::super::call::Position;
use super::super::eligibility::{self, Purpose, first_usable};
use super::super::machine::{Asks, Machine};
use super::super::question::{Answer, Question};
use crate::flow::level::Fact;
use crate::flow::outcome::Outcome;
use crate::flow::state::State;
use crate::limits;
use crate::phone::PhoneNumber;
use crate::secret::Secret;

/// Where something may go.
pub(super) enum Eligible<T> {
    /// To this contact.
    To(T),
    /// Nowhere, and nobody may notice: there is no such account.
    Decoy,
    /// Nowhere: nothing suitable is on file.
    None,
}

/// A message or a ring.
pub(super) struct Out {
    pub(super) whom: Whom,
    pub(super) factor: Fact,
    pub(super) purpose: Purpose,
    /// Whether it carries a code.
    pub(super) code: bool,
}

/// The numbers on file of the right kind, on file long enough, and in an allowed country: no more than may be
/// looked up. Never a number that the caller gave, or calls from.
pub(super) fn phones(m: &mut Machine<'_>, purpose: Purpose) -> Asks<Eligible<Vec<Phone>>> {
    let account = m.account()?;
    if !matches!(m.call.claim, Claim::Account(_)) {
        return Ok(Eligible::Decoy);
    }
    let Some(account) = account else { return Ok(Eligible::None) };
    let (policy, now) = (&m.setting.policy.contact, m.moment.now);
    let fits =
        |phone: &&Phone| eligibility::on_file(phone, purpose, &m.call.line, policy, now).is_ok();
    let phones = account.phones.iter().filter(fits);
    let phones: Vec<_> = phones.take(limits::NUMBERS_LOOKED_UP_MAX).cloned().collect();
    Ok(if phones.is_empty() { Eligible::None } else { Eligible::To(phones) })
}

/// Whether a state treats an account without a contact like one that does not exist.
pub(super) fn hides(m: &Machine<'_>, at: &Position) -> bool {
    let flow = m.setting.flows.get(at.flow.as_str());
    flow.and_then(|flow| flow.state(&at.state)).is_some_and(State::hides_contacts)
}

/// Takes a message or a ring out of the budgets, and says which of these numbers gets it; no numbers: nobody's,
/// for whom as much is done. `Err`: how the state ends instead.
pub(super) fn reserve(
    m: &mut Machine<'_>,
    phones: &[Phone],
    out: &Out,
) -> Asks<Result<Option<Phone>, Outcome>> {
    let key = m.key();
    let phones = match spends(m, &key, phones.first(), out)? {
        Answer::Spent(true) => phones,
        // The block of nobody's number is never used up: a stranger hears nothing of it.
        Answer::BlockSpent if m.is_stranger() => &[],
        _ => return Ok(Err(Outcome::Limited)),
    };
    let Some(index) = usable(m, phones, out.purpose)? else {
        return Ok(Err(Outcome::Unavailable));
    };
    let chosen = phones.get(index);
    // The block of another number has a budget of its own; the other budgets are counted once under the key.
    if index > 0 {
        match spends(m, &key, chosen, out)? {
            Answer::Spent(true) => {}
            Answer::BlockSpent if m.is_stranger() => return Ok(Ok(None)),
            _ => return Ok(Err(Outcome::Limited)),
        }
    }
    Ok(Ok(chosen.cloned()))
}

fn spends(m: &mut Machine<'_>, key: &str, to: Option<&Phone>, out: &Out) -> Asks<Answer> {
    let spend = Question::Spend {
        key: key.to_owned(),
        whom: out.whom.clone(),
        factor: out.factor,
        to: to.map(|phone| phone.number.clone()),
        code: out.code,
    };
    m.ask(spend)
}

/// The first of these numbers that networks allow to be used. They are asked about all at once, and for nobody's
/// as much is done, so that the time tells neither how many there are nor which one it is.
fn usable(m: &mut Machine<'_>, phones: &[Phone], purpose: Purpose) -> Asks<Option<usize>> {
    let look_ups = m.setting.policy.look_ups;
    if !look_ups.asked {
        return Ok(Some(0));
    }
    let question = Question::Eligible { key: m.key(), to: phones.to_vec(), purpose };
    Ok(match m.ask(question)? {
        Answer::Eligible(fit) => first_usable(&[fit], look_ups),
        Answer::EligibleOf(fits) => first_usable(&fits, look_ups),
        _ => None,
    })
}

/// The e-mail address on file, if it has been there long enough.
pub(super) fn email(m: &mut Machine<'_>) -> Asks<Eligible<Secret>> {
    let account = m.account()?;
    if !matches!(m.call.claim, Claim::Account(_)) {
        return Ok(Eligible::Decoy);
    }
    let email = account.as_ref().and_then(|account| account.email.as_ref());
    let (policy, now) = (&m.setting.policy.contact, m.moment.now);
    let email = email.filter(|email| eligibility::is_old_enough(email.since, policy, now));
    Ok(email.map_or(Eligible::None, |email| Eligible::To(email.address.clone())))
}

/// The number through which a proof with this contact went; `None`: it went through none.
pub(in crate::engine) fn number_named(contact: &Secret) -> Option<PhoneNumber> {
    contact.expose().strip_prefix("phone:").and_then(PhoneNumber::parse)
}

/// How a proof names the number that it went through.
pub(super) fn of_number(number: &PhoneNumber) -> Secret {
    Secret::new(format!("phone:{}", number.as_e164()))
}

/// How a proof names the address that it went through.
pub(super) fn of_email(address: &Secret) -> Secret {
    Secret::new(format!("email:{}", address.expose()))
}
