//! What replaces the secrets of a live call in its transcript: of the same shape, so that every branch goes as it
//! went, and no customer's.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::account::Account;
use crate::engine::event::Event;
use crate::engine::question::Answer;
use crate::engine::turn::Entry;
use crate::flow::FlowSet;
use crate::flow::condition::{Condition, Test};
use crate::flow::state::Kind;
use crate::flow::value::Value;
use crate::phone::PhoneNumber;

/// Digits from which secrets are made.
const DIGITS: &str = "730495284613";
/// A passcode that nobody has.
pub(super) const PASSCODE: &str = "green harbour light";
/// One that differs from it.
pub(super) const OTHER_PASSCODE: &str = "purple mountain rain";
/// A date that is nobody's birthday on file.
const DATE: &str = "2026-01-15";
/// Where a condition compares with the usual one.
const OTHER_DATE: &str = "2026-02-15";
const OTHER_TEXT: &str = "something else";
/// Money that nobody owes.
const AMOUNT: f64 = 321.5;

/// Numbers and ids with their replacements, the same in the whole call.
#[derive(Debug, Default)]
pub(super) struct Substitutes {
    phones: BTreeMap<PhoneNumber, String>,
    ids: BTreeMap<String, String>,
    /// What must not be in the transcript.
    live: BTreeSet<String>,
    /// What conditions test account fields for.
    fields: BTreeMap<String, Vec<Test>>,
    /// What they test variables for.
    variables: BTreeMap<String, Vec<Test>>,
}

impl Substitutes {
    /// For a call of these entries over these flows.
    pub(super) fn new(flows: &FlowSet, entries: &[Entry]) -> Self {
        let mut substitutes = Self::default();
        for state in flows.iter().flat_map(|flow| flow.states.values()) {
            if let Kind::Branch(branch) = &state.kind {
                for case in &branch.cases {
                    substitutes.note(&case.when);
                }
            }
        }
        for entry in entries {
            if let Event::Ring(ring) = &entry.event {
                substitutes.live.extend(ring.from.iter().map(|from| from.as_e164().to_owned()));
                substitutes.live.insert(ring.line.clone());
            }
            for account in accounts_of(entry) {
                substitutes.live.insert(account.id.expose().to_owned());
                let numbers = account.phones.iter().map(|phone| phone.number.as_e164().to_owned());
                substitutes.live.extend(numbers);
            }
        }
        substitutes
    }

    fn note(&mut self, condition: &Condition) {
        match condition {
            Condition::All(all) | Condition::Any(all) => all.iter().for_each(|it| self.note(it)),
            Condition::Not(condition) => self.note(condition),
            Condition::Variable(name, test, _) => {
                self.variables.entry(name.to_string()).or_default().push(test.clone());
            }
            Condition::Field(name, test, _) => {
                self.fields.entry(name.to_string()).or_default().push(test.clone());
            }
            _ => {}
        }
    }

    /// Whether a condition tests this variable: what is in it decides where the call goes.
    pub(super) fn tests(&self, variable: &str) -> bool {
        self.variables.contains_key(variable)
    }

    /// A number of the same country.
    pub(super) fn phone(&mut self, live: &PhoneNumber) -> String {
        if let Some(known) = self.phones.get(live) {
            return known.clone();
        }
        let country = live.calling_code().unwrap_or(1).to_string();
        let digits = live.as_e164().len().saturating_sub(1 + country.len());
        let taken = |candidate: &String| {
            self.live.contains(candidate) || self.phones.values().any(|it| it == candidate)
        };
        let candidates = (100..10_000_u32).map(|number| match (country.as_str(), digits) {
            ("1", 10) => format!("+1500555{number:04}"),
            _ => format!("+{country}{}{number:04}", "5".repeat(digits.saturating_sub(4))),
        });
        let free: Vec<_> = candidates.filter(|candidate| !taken(candidate)).collect();
        // A number of the same country, where one is told by so few digits.
        let alike = |candidate: &&String| {
            PhoneNumber::parse(candidate).is_some_and(|number| {
                number.country() == live.country() && number.costs_extra() == live.costs_extra()
            })
        };
        let free = free.iter().find(alike).or(free.first()).cloned().unwrap_or_default();
        self.phones.insert(live.clone(), free.clone());
        free
    }

    /// An account number as long.
    pub(super) fn id(&mut self, live: &str) -> String {
        if let Some(known) = self.ids.get(live) {
            return known.clone();
        }
        let taken = |candidate: &String| {
            self.live.contains(candidate)
                || candidate == live
                || self.ids.values().any(|it| it == candidate)
        };
        let candidates = (0..DIGITS.len() * 10).map(|turn| {
            let first = char::from_digit(u32::try_from(turn % 10).unwrap_or_default(), 10);
            let rest = "12345678901234567890".chars().cycle().skip(turn / 10);
            first.into_iter().chain(rest).take(live.len()).collect::<String>()
        });
        let free = candidates.into_iter().find(|candidate| !taken(candidate)).unwrap_or_default();
        self.ids.insert(live.to_owned(), free.clone());
        free
    }

    /// A field's value: another of the same kind, which passes the tests that it passes and no others.
    pub(super) fn field(&self, name: &str, value: &Value) -> Value {
        self.other(self.fields.get(name), name, value)
    }

    /// The same for what a back end answered.
    pub(super) fn variable(&self, name: &str, value: &Value) -> Value {
        self.other(self.variables.get(name), name, value)
    }

    fn other(&self, tests: Option<&Vec<Test>>, name: &str, value: &Value) -> Value {
        let plain = match value {
            Value::Flag(flag) => return Value::Flag(*flag),
            Value::Number(_) => Value::Number(AMOUNT),
            Value::Text(text) if text.parse::<jiff::civil::Date>().is_ok() => {
                Value::Text(DATE.to_owned())
            }
            Value::Text(_) => Value::Text(name.replace('_', " ")),
        };
        let Some(tests) = tests else { return plain };
        let passes = |value: &Value| -> Vec<_> {
            tests.iter().map(|test| test.passes(Some(value))).collect()
        };
        let wanted = passes(value);
        let others = std::iter::once(plain.clone()).chain(tried(tests, value));
        let other = others.into_iter().find(|other| passes(other) == wanted);
        // Where no other goes the same way, it goes as it is, unless that would tell whose it is.
        let own = || if self.is_live(&value.words()) { plain } else { value.clone() };
        other.unwrap_or_else(own)
    }

    /// Whether a text contains a number or an id of the live call.
    pub(super) fn is_live(&self, text: &str) -> bool {
        self.live.iter().any(|live| text.contains(live.trim_start_matches('+')))
    }
}

/// Values of the kind of this one, among which some pass any of the tests together that a value can: those that are
/// compared with, and between and beyond each two of them.
fn tried(tests: &[Test], like: &Value) -> Vec<Value> {
    let fixed = tests.iter().flat_map(|test| match test {
        Test::Equals(value) => std::slice::from_ref(value),
        Test::OneOf(values) => values,
        _ => &[],
    });
    let bounds = tests.iter().filter_map(|test| match test {
        Test::AtLeast(bound) | Test::AtMost(bound) | Test::Above(bound) | Test::Below(bound) => {
            Some(*bound)
        }
        _ => None,
    });
    let mut bounds: Vec<_> = fixed.clone().filter_map(Value::as_number).chain(bounds).collect();
    bounds.sort_by(f64::total_cmp);
    let between = bounds.windows(2).map(|two| two.iter().sum::<f64>() / 2.0);
    let beyond = [bounds.first().map(|least| least - 1.0), bounds.last().map(|most| most + 1.0)];
    let numbers = bounds.iter().copied().chain(between).chain(beyond.into_iter().flatten());
    match like {
        Value::Text(_) => {
            let texts = fixed.map(Value::words).chain(numbers.map(|number| number.to_string()));
            let others = [OTHER_DATE, OTHER_TEXT].map(str::to_owned);
            texts.chain(others).map(Value::Text).collect()
        }
        Value::Number(_) | Value::Flag(_) => numbers.map(Value::Number).collect(),
    }
}

/// The accounts that were looked up in a turn.
pub(super) fn accounts_of(entry: &Entry) -> impl Iterator<Item = &Account> {
    entry.answers.iter().filter_map(|answer| match answer {
        Answer::Account(Some(account)) => Some(account.as_ref()),
        _ => None,
    })
}

/// A secret of digits as long as this.
pub(super) fn digits(length: usize) -> String {
    DIGITS.chars().cycle().take(length).collect()
}

/// Keys of the same shape, with `*` and `#` in their places, because they decide how an entry is taken.
pub(super) fn like(keys: &str) -> String {
    let digits = DIGITS.chars().cycle();
    keys.chars()
        .zip(digits)
        .map(|(key, other)| if key.is_ascii_digit() { other } else { key })
        .collect()
}

/// One that differs from it.
pub(super) fn other_digits(length: usize) -> String {
    super::show::wrong(&digits(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(tests: &[Test], value: &Value) -> Value {
        let mut substitutes = Substitutes::default();
        substitutes.fields.insert("owes".into(), tests.to_vec());
        substitutes.field("owes", value)
    }

    #[test]
    fn what_is_tested_goes_the_same_way_as_another_value() {
        let number = |number: f64| Value::Number(number);
        let text = |text: &str| Value::Text(text.to_owned());
        let bounds = [Test::Below(0.0), Test::AtLeast(500.0), Test::AtMost(2_000.0)];
        let equal = [Test::Equals(text("gold")), Test::OneOf(vec![text("tin"), number(7.0)])];
        for (tests, live) in [
            (&bounds[..], number(-57.25)),
            (&bounds, number(1_234.56)),
            (&bounds, number(88.75)),
            (&bounds, number(9_999.5)),
            (&bounds, text("1234.56")),
            (&equal, text("Springfield")),
            (&equal, number(8.0)),
            (&[Test::Present(true)], text("Ada")),
            (&[Test::Equals(text("owes"))], text("Ada")),
            (&[Test::Equals(text(DATE))], text("2026-11-27")),
        ] {
            let other = replaced(tests, &live);
            assert!(other != live, "{} is in the transcript", live.words());
            for test in tests {
                assert_eq!(test.passes(Some(&other)), test.passes(Some(&live)), "{test:?}");
            }
            assert_eq!(std::mem::discriminant(&other), std::mem::discriminant(&live));
        }
        assert_eq!(replaced(&equal, &text("gold")), text("gold"), "the flow's own word");
        assert_eq!(replaced(&bounds, &Value::Flag(true)), Value::Flag(true));
    }
}
