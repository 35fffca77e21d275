//! Where a code, a link or a call may go: to a contact on file that is old enough, and nowhere else.

use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::account::{Claim, Line, Phone};
use super::super::eligibility::{Fit, Purpose};
use super::super::machine::{Asks, Machine};
use super::super::question::{Answer, Question};
use crate::phone::PhoneNumber;
use crate::secret::Secret;

/// Where something may go.
pub(super) enum Eligible<T> {
    /// To this contact.
    To(T),
    /// Nowhere, and nobody may notice: there is no such account.
    Decoy,
    /// Nowhere: nothing on file will do.
    None,
}

/// The first number on file that is of the right kind, on file long enough, and in a country allowed.
/// Never one that the caller gave, or calls from.
pub(super) fn phone(m: &mut Machine<'_>, lines: &[Line]) -> Asks<Eligible<Phone>> {
    let account = m.account()?;
    if !matches!(m.call.claim, Claim::Account(_)) {
        return Ok(Eligible::Decoy);
    }
    let Some(account) = account else { return Ok(Eligible::None) };
    let home = PhoneNumber::parse(&m.call.line).and_then(|line| line.country());
    let allowed = |number: &PhoneNumber| {
        let country = number.country();
        let may = match m.setting.policy.contact.countries.as_slice() {
            [] => country.is_some() && country == home,
            named => country.is_some_and(|country| named.contains(&country)),
        };
        may && !number.costs_extra()
    };
    let phone = account.phones.iter().find(|phone| {
        lines.contains(&phone.line) && is_old_enough(m, phone.since) && allowed(&phone.number)
    });
    Ok(phone.map_or(Eligible::None, |phone| Eligible::To(phone.clone())))
}

/// Whether what networks say of the number allows it to be used. Of nobody's as much is asked, and where
/// no network can be asked both go the same way.
pub(super) fn may_use(m: &mut Machine<'_>, to: Option<&Phone>, purpose: Purpose) -> Asks<bool> {
    let look_ups = m.setting.policy.look_ups;
    if !look_ups.asked {
        return Ok(true);
    }
    let question = Question::Eligible { key: m.key(), to: to.cloned(), purpose };
    Ok(match m.ask(question)? {
        Answer::Eligible(Fit::Fits) => true,
        Answer::Eligible(Fit::Unknown) => look_ups.unknown_may,
        _ => false,
    })
}

/// The e-mail address on file, if it has been there long enough.
pub(super) fn email(m: &mut Machine<'_>) -> Asks<Eligible<Secret>> {
    let account = m.account()?;
    if !matches!(m.call.claim, Claim::Account(_)) {
        return Ok(Eligible::Decoy);
    }
    let email = account.and_then(|account| account.email);
    let email = email.filter(|email| is_old_enough(m, email.since));
    Ok(email.map_or(Eligible::None, |email| Eligible::To(email.address)))
}

fn is_old_enough(m: &Machine<'_>, since: Date) -> bool {
    let min_age = SignedDuration::from_hours(24 * i64::from(m.setting.policy.contact.min_age_days));
    let begin = since.to_zoned(TimeZone::UTC).map(|day| day.timestamp());
    begin.is_ok_and(|begin| m.moment.now.duration_since(begin) >= min_age)
}

/// The number that a proof so named went through; `None`: it went through none.
pub(in crate::engine) fn number_named(contact: &Secret) -> Option<PhoneNumber> {
    contact.expose().strip_prefix("phone:").and_then(PhoneNumber::parse)
}

/// How a proof names the number it went through.
pub(super) fn of_number(number: &PhoneNumber) -> Secret {
    Secret::new(format!("phone:{}", number.as_e164()))
}

/// How a proof names the address it went through.
pub(super) fn of_email(address: &Secret) -> Secret {
    Secret::new(format!("email:{}", address.expose()))
}
