//! A condition in the few words that fit on a card.

use crate::flow::condition::{Attestation, Condition, Test};
use crate::flow::value::Value;

pub(super) fn words(condition: &Condition) -> String {
    let join =
        |parts: &[Condition], word: &str| parts.iter().map(words).collect::<Vec<_>>().join(word);
    match condition {
        Condition::All(parts) => join(parts, " and "),
        Condition::Any(parts) => join(parts, " or "),
        Condition::Not(inner) => format!("not {}", words(inner)),
        Condition::Variable(name, test, _) => tested(name.as_str(), test),
        Condition::Field(name, test, _) => tested(name.as_str(), test),
        Condition::Fact(fact) => fact.to_string(),
        Condition::Level(level, _) => format!("is {level}"),
        Condition::Attestation(Attestation::A) => "attested A".to_owned(),
        Condition::Attestation(Attestation::B) => "attested B".to_owned(),
        Condition::Attestation(Attestation::C) => "attested C".to_owned(),
        Condition::Attestation(Attestation::Failed) => "attestation failed".to_owned(),
        Condition::Attestation(Attestation::Relayed) => "attestation relayed".to_owned(),
        Condition::Attestation(Attestation::None) => "not attested".to_owned(),
        Condition::Risk(risk) => format!("{risk} risk"),
        Condition::RiskAtLeast(risk) => format!("risk ≥ {risk}"),
        Condition::Open(hours, _) => format!("{hours} open"),
        Condition::Time(_) => "time".to_owned(),
    }
}

fn tested(name: &str, test: &Test) -> String {
    match test {
        Test::Equals(value) => format!("{name} = {}", value.words()),
        Test::OneOf(values) => {
            format!("{name}: {}", values.iter().map(Value::words).collect::<Vec<_>>().join(", "))
        }
        Test::AtLeast(bound) => format!("{name} ≥ {bound}"),
        Test::AtMost(bound) => format!("{name} ≤ {bound}"),
        Test::Above(bound) => format!("{name} > {bound}"),
        Test::Below(bound) => format!("{name} < {bound}"),
        Test::Present(true) => format!("{name} known"),
        Test::Present(false) => format!("{name} unknown"),
    }
}
