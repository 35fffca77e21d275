//! What replaces the secrets of a live call in its transcript: of the same shape, so that every branch goes as it
//! went, and no customer's.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::account::Account;
use crate::engine::event::Event;
use crate::engine::question::Answer;
use crate::engine::turn::Entry;
use crate::flow::FlowSet;
use crate::flow::condition::Condition;
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
/// Money that nobody owes.
const AMOUNT: f64 = 321.5;

/// Numbers and ids with their replacements, the same in the whole call.
#[derive(Debug, Default)]
pub(super) struct Substitutes {
    phones: BTreeMap<PhoneNumber, String>,
    ids: BTreeMap<String, String>,
    /// What must not be in the transcript.
    live: BTreeSet<String>,
    /// Account fields that some condition tests.
    fields: BTreeSet<String>,
    /// Variables that some condition tests.
    variables: BTreeSet<String>,
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
            Condition::Variable(name, ..) => {
                self.variables.insert(name.to_string());
            }
            Condition::Field(name, ..) => {
                self.fields.insert(name.to_string());
            }
            _ => {}
        }
    }

    /// Whether a condition tests this variable: what is in it decides where the call goes.
    pub(super) fn tests(&self, variable: &str) -> bool {
        self.variables.contains(variable)
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

    /// A field's value: unchanged if a condition tests it, otherwise of the same kind.
    pub(super) fn field(&self, name: &str, value: &Value) -> Value {
        self.other(self.fields.contains(name), name, value)
    }

    /// The same for what a back end answered.
    pub(super) fn variable(&self, name: &str, value: &Value) -> Value {
        self.other(self.variables.contains(name), name, value)
    }

    fn other(&self, tested: bool, name: &str, value: &Value) -> Value {
        match value {
            _ if tested && !self.is_live(&value.words()) => value.clone(),
            Value::Flag(flag) => Value::Flag(*flag),
            Value::Number(_) => Value::Number(AMOUNT),
            Value::Text(text) if text.parse::<jiff::civil::Date>().is_ok() => {
                Value::Text(DATE.to_owned())
            }
            Value::Text(_) => Value::Text(name.replace('_', " ")),
        }
    }

    /// Whether a text contains a number or an id of the live call.
    pub(super) fn is_live(&self, text: &str) -> bool {
        self.live.iter().any(|live| text.contains(live.trim_start_matches('+')))
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
