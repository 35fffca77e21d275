//! `gather`: digits, speech, a date or an amount into a variable.

use jiff::civil::Date;

use super::super::call::Variable;
use super::super::event::Heard;
use super::super::listen::{Expect, Given, GivesUp, are_digits};
use super::super::machine::{Asks, Machine, Next};
use super::super::reply::Input;
use super::super::spoken;
use crate::flow::locale::Locale;
use crate::flow::outcome::Outcome;
use crate::flow::states::gather::{DateFormat, Gather, What};
use crate::flow::value::Value;
use crate::limits;

const DATE_DIGITS: u32 = 8;

pub(super) fn enter(m: &mut Machine<'_>, gather: &Gather) -> Asks<Next> {
    m.listen(&gather.listen, &expect(gather))
}

pub(super) fn resume(m: &mut Machine<'_>, gather: &Gather, heard: &Heard) -> Asks<Next> {
    let gives_up = GivesUp { silent: Outcome::NoInput, otherwise: Outcome::Invalid };
    let expect = expect(gather);
    match Given::of(heard) {
        Given::Silence => return m.missed(&gather.listen, &expect, true, &gives_up),
        Given::Star => return m.repeat(&gather.listen, &expect, &gives_up),
        Given::Keys(_) | Given::Said(_) => {}
    }
    let Some(value) = value(gather, heard, &m.call.locale) else {
        return m.missed(&gather.listen, &expect, false, &gives_up);
    };
    m.put_variable(&gather.variable, Variable::plain(value));
    Ok(Next::Take(Outcome::Ok))
}

/// What is taken of an entry, if it is one.
pub(crate) fn value(gather: &Gather, heard: &Heard, locale: &Locale) -> Option<Value> {
    match Given::of(heard) {
        Given::Keys(keys) => keyed(&gather.what, &keys, locale),
        Given::Said(said) if gather.speech => spoken_value(&gather.what, &said, locale),
        Given::Said(_) | Given::Silence | Given::Star => None,
    }
}

fn expect(gather: &Gather) -> Expect {
    let digits = match gather.what {
        What::Digits(digits) => digits,
        What::Date(_) => Some(DATE_DIGITS),
        What::Speech | What::Amount { .. } => None,
    };
    let mut expect = Expect::keys(digits, gather.speech);
    if gather.what == What::Speech {
        expect.input = Input::Speech;
    }
    expect
}

fn keyed(what: &What, keys: &str, locale: &Locale) -> Option<Value> {
    match what {
        What::Digits(length) => digits(keys, *length),
        What::Date(format) => date(keys, *format).map(|date| Value::Text(date.to_string())),
        What::Amount { at_least, at_most } => {
            let amount = spoken::amount(keys, locale)?;
            within(amount, *at_least, *at_most)
        }
        What::Speech => None,
    }
}

fn spoken_value(what: &What, said: &str, locale: &Locale) -> Option<Value> {
    match what {
        What::Digits(length) => digits(&spoken::digits(said, *length, locale)?, *length),
        What::Amount { at_least, at_most } => {
            within(spoken::amount(said, locale)?, *at_least, *at_most)
        }
        What::Speech => Some(Value::Text(said.chars().take(limits::VARIABLE_CHARS_MAX).collect())),
        What::Date(_) => None,
    }
}

fn digits(keys: &str, length: Option<u32>) -> Option<Value> {
    let fits = are_digits(keys, length) && keys.len() <= limits::DIGITS_MAX;
    fits.then(|| Value::Text(keys.to_owned()))
}

fn within(amount: f64, at_least: Option<f64>, at_most: Option<f64>) -> Option<Value> {
    let fits =
        at_least.is_none_or(|least| amount >= least) && at_most.is_none_or(|most| amount <= most);
    fits.then_some(Value::Number(amount))
}

fn date(keys: &str, format: DateFormat) -> Option<Date> {
    if !are_digits(keys, Some(DATE_DIGITS)) {
        return None;
    }
    let part = |from: usize, to: usize| keys.get(from..to);
    let (year, month, day) = match format {
        DateFormat::Mmddyyyy => (part(4, 8)?, part(0, 2)?, part(2, 4)?),
        DateFormat::Ddmmyyyy => (part(4, 8)?, part(2, 4)?, part(0, 2)?),
        DateFormat::Yyyymmdd => (part(0, 4)?, part(4, 6)?, part(6, 8)?),
    };
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_real_days() {
        assert_eq!(date("02292028", DateFormat::Mmddyyyy).unwrap().to_string(), "2028-02-29");
        assert_eq!(date("31122026", DateFormat::Ddmmyyyy).unwrap().to_string(), "2026-12-31");
        assert_eq!(date("02302026", DateFormat::Mmddyyyy), None);
        assert_eq!(date("2026", DateFormat::Yyyymmdd), None);
    }
}
