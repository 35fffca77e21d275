//! Conditions: a closed, typed set, so that the checker can decide them and none can fail.

use super::hours::{self, Hours};
use super::level::Fact;
use super::name::{FieldName, LevelName, VariableName, fills_in};
use super::risk::{BANDS, Risk};
use super::value::Value;
use crate::diagnostic::fix::Spelling;
use crate::diagnostic::{Finding, Place, did_you_mean};
use crate::document::{Item, Reader};

/// Something that holds or does not.
#[derive(Clone, Debug)]
pub enum Condition {
    /// All hold.
    All(Vec<Condition>),
    /// One holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A variable passes a test.
    Variable(VariableName, Test, Place),
    /// A field of the account passes a test; reading it needs its level.
    Field(FieldName, Test, Place),
    /// A fact is proved.
    Fact(Fact),
    /// A level is met.
    Level(LevelName, Place),
    /// The network's word on the caller's number is exactly this good.
    Attestation(Attestation),
    /// The call's risk is in exactly this band.
    Risk(Risk),
    /// The call's risk is in this band or a higher one.
    RiskAtLeast(Risk),
    /// These hours are open.
    Open(String, Place),
    /// The time of day.
    Time(Hours),
}

/// What a value is held against. A value that is absent, or of another kind, passes none.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It is this.
    Equals(Value),
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It is a number not below this.
    AtLeast(f64),
    /// It is a number not above this.
    AtMost(f64),
    /// It is a number above this.
    Above(f64),
    /// It is a number below this.
    Below(f64),
    /// It is there (or is not).
    Present(bool),
}

/// What the network says of the caller's right to the number shown (STIR/SHAKEN). It proves nothing
/// about who is calling, and no fact comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Attestation {
    /// The carrier knows the customer and the right to the number.
    A,
    /// The carrier knows the customer.
    B,
    /// The call came in through a gateway.
    C,
    /// The signature did not hold.
    Failed,
    /// The signature is another network's, which passed the call on.
    Relayed,
    /// Nothing usable was said.
    None,
}

/// The attestations by their names in a flow.
pub const ATTESTATIONS: [(&str, Attestation); 6] = [
    ("A", Attestation::A),
    ("B", Attestation::B),
    ("C", Attestation::C),
    ("failed", Attestation::Failed),
    ("relayed", Attestation::Relayed),
    ("none", Attestation::None),
];

/// What a condition can ask.
pub const SUBJECTS: [&str; 12] = [
    "all",
    "any",
    "not",
    "var",
    "field",
    "fact",
    "level",
    "attestation",
    "risk",
    "risk_at_least",
    "open",
    "time",
];
/// What a value can be held against.
pub const TESTS: [&str; 7] =
    ["equals", "one_of", "at_least", "at_most", "above", "below", "present"];

impl Test {
    /// Whether the value passes.
    pub fn passes(&self, value: Option<&Value>) -> bool {
        let number = || value.and_then(Value::as_number);
        match self {
            Self::Equals(wanted) => value.is_some_and(|value| value.is(wanted)),
            Self::OneOf(wanted) => value.is_some_and(|value| wanted.iter().any(|w| value.is(w))),
            Self::AtLeast(bound) => number().is_some_and(|n| n >= *bound),
            Self::AtMost(bound) => number().is_some_and(|n| n <= *bound),
            Self::Above(bound) => number().is_some_and(|n| n > *bound),
            Self::Below(bound) => number().is_some_and(|n| n < *bound),
            Self::Present(wanted) => value.is_some() == *wanted,
        }
    }
}

impl Condition {
    /// The condition and everything inside it.
    pub fn walk(&self) -> Vec<&Condition> {
        let mut found = vec![self];
        match self {
            Self::All(parts) | Self::Any(parts) => {
                found.extend(parts.iter().flat_map(Condition::walk));
            }
            Self::Not(inner) => found.extend(inner.walk()),
            _ => {}
        }
        found
    }
}

/// Reads `{ var = "amount", at_least = 500 }`.
pub(super) fn read(item: &Item<'_>) -> Option<Condition> {
    let table = item.table("the condition")?;
    let subjects: Vec<_> = SUBJECTS.into_iter().filter(|key| table.has(key)).collect();
    let mut known: Vec<_> = SUBJECTS.into_iter().chain(TESTS).collect();
    let condition = match subjects.as_slice() {
        [subject] => {
            known = match *subject {
                "var" | "field" => [*subject].into_iter().chain(TESTS).collect(),
                "time" => vec!["time", "zone"],
                _ => vec![*subject],
            };
            read_subject(subject, &table)
        }
        // A word that is none of them is reported below, with what it was meant to be.
        [] if table.has_others(&TESTS) => None,
        [] => {
            let message = "the condition asks about nothing";
            let help = format!("it must have one of: {}", SUBJECTS.join(", "));
            table.report(Finding::error("bad-condition", message, table.place()).help(help));
            None
        }
        [first, second, ..] => {
            let message = format!("the condition asks about `{first}` and about `{second}`");
            let help = "join two conditions with `all = [{…}, {…}]`";
            table.report(Finding::error("bad-condition", message, table.place()).help(help));
            None
        }
    };
    table.finish_among(known);
    condition
}

fn read_subject(subject: &str, table: &Reader<'_>) -> Option<Condition> {
    let item = table.required(subject)?;
    match subject {
        "all" => Some(Condition::All(read_list(&item)?)),
        "any" => Some(Condition::Any(read_list(&item)?)),
        "not" => Some(Condition::Not(Box::new(read(&item)?))),
        "var" => {
            let name = item.name()?;
            Some(Condition::Variable(name.into(), read_test(table)?, item.place()))
        }
        "field" => {
            let name = item.name()?;
            Some(Condition::Field(name.into(), read_test(table)?, item.place()))
        }
        "fact" => {
            let name = item.text()?;
            let fact = Fact::parse(name);
            if fact.is_none() {
                let known = Fact::ALL.map(Fact::as_str);
                item.report(
                    Finding::error("unknown-fact", format!("`{name}` is no fact"), item.place())
                        .maybe_help(did_you_mean(name, known))
                        .respelt(name, known, Spelling::Value),
                );
            }
            Some(Condition::Fact(fact?))
        }
        "level" => Some(Condition::Level(item.name()?.into(), item.place())),
        "attestation" => Some(Condition::Attestation(item.choice(&ATTESTATIONS)?)),
        "risk" => Some(Condition::Risk(item.choice(&BANDS)?)),
        "risk_at_least" => Some(Condition::RiskAtLeast(item.choice(&BANDS)?)),
        "open" => Some(Condition::Open(item.name()?.to_owned(), item.place())),
        _ => Some(Condition::Time(hours::read_condition(&item, table)?)),
    }
}

fn read_list(item: &Item<'_>) -> Option<Vec<Condition>> {
    let items = item.list()?;
    if items.is_empty() {
        item.refuse("bad-condition", format!("`{}` is empty", item.key));
        return None;
    }
    Some(items.iter().filter_map(read).collect())
}

fn read_test(table: &Reader<'_>) -> Option<Test> {
    let tests: Vec<_> = TESTS.into_iter().filter_map(|key| table.item(key)).collect();
    let [test] = tests.as_slice() else {
        let message = "the condition must have exactly one test";
        let help = format!("one of: {}", TESTS.join(", "));
        table.report(Finding::error("bad-condition", message, table.place()).help(help));
        return None;
    };
    match test.key {
        "equals" => Some(Test::Equals(read_fixed(test)?)),
        "one_of" => Some(Test::OneOf(test.list()?.iter().filter_map(read_fixed).collect())),
        "at_least" => Some(Test::AtLeast(test.number()?)),
        "at_most" => Some(Test::AtMost(test.number()?)),
        "above" => Some(Test::Above(test.number()?)),
        "below" => Some(Test::Below(test.number()?)),
        _ => Some(Test::Present(test.boolean()?)),
    }
}

/// Reads what a value is compared with.
fn read_fixed(item: &Item<'_>) -> Option<Value> {
    if item.as_text().is_some_and(fills_in) {
        let message = "what a value is compared with is fixed: nothing is filled in there";
        item.refuse("bad-condition", message);
        return None;
    }
    read_value(item)
}

/// Reads a text, a number or a flag.
pub(super) fn read_value(item: &Item<'_>) -> Option<Value> {
    if let Some(flag) = item.as_boolean() {
        return Some(Value::Flag(flag));
    }
    if let Some(number) = item.as_number() {
        return Some(Value::Number(number));
    }
    Some(Value::Text(item.text()?.to_owned()))
}
