//! A condition in the few words that fit on a card.

use crate::flow::condition::{Attestation, Condition, Test};
use crate::flow::value::Value;

pub(super) fn words(condition: &Condition) -> String {
    let join =
        |parts: &[Condition], word: &str| parts.iter().map(part).collect::<Vec<_>>().join(word);
    match condition {
        Condition::All(parts) => join(parts, " and "),
        Condition::Any(parts) => join(parts, " or "),
        Condition::Not(inner) => format!("not {}", part(inner)),
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

/// One within another: what has several parts of its own stands in parentheses.
fn part(condition: &Condition) -> String {
    match condition {
        Condition::All(parts) | Condition::Any(parts) if parts.len() > 1 => {
            format!("({})", words(condition))
        }
        condition => words(condition),
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

#[cfg(test)]
mod tests {
    use crate::diagnostic::Sources;
    use crate::flow;
    use crate::flow::state::Kind;

    use super::*;

    /// What belongs together is seen: two conditions that are not the same are not drawn alike.
    #[test]
    fn what_stands_in_another_is_kept_together() {
        let drawn = |when: &str| {
            let mut sources = Sources::default();
            let text = format!(
                "name = \"f\"\nstart = \"b\"\n[states.b]\ntype = \"branch\"\n\
                 cases = [{{ when = {when}, next = \"bye\" }}]\notherwise = \"bye\"\n\
                 [states.bye]\ntype = \"hangup\"\n"
            );
            sources.add("f.toml", text);
            let flows = flow::read(&sources).0;
            let flow = flows.get("f").unwrap();
            let Some(Kind::Branch(branch)) = flow.states.values().next().map(|it| &it.kind) else {
                panic!()
            };
            words(&branch.cases[0].when)
        };
        let (pin, code, risk) =
            ("{ fact = \"pin\" }", "{ fact = \"sms_otp\" }", "{ risk = \"low\" }");
        let all = |a: &str, b: &str| format!("{{ all = [{a}, {b}] }}");
        let any = |a: &str, b: &str| format!("{{ any = [{a}, {b}] }}");
        let not = |a: &str| format!("{{ not = {a} }}");
        for (when, told) in [
            (all(pin, code), "pin and sms_otp"),
            (all(pin, &any(code, risk)), "pin and (sms_otp or low risk)"),
            (any(&all(pin, code), risk), "(pin and sms_otp) or low risk"),
            (all(&not(pin), code), "not pin and sms_otp"),
            (not(&all(pin, code)), "not (pin and sms_otp)"),
            (not(&format!("{{ any = [{pin}] }}")), "not pin"),
        ] {
            assert_eq!(drawn(&when), told);
        }
        for (test, told) in [
            ("equals = 5", "sum = 5"),
            ("one_of = [5, 7]", "sum: 5, 7"),
            ("at_least = 5", "sum ≥ 5"),
            ("at_most = 5", "sum ≤ 5"),
            ("above = 5", "sum > 5"),
            ("below = 5", "sum < 5"),
            ("present = true", "sum known"),
            ("present = false", "sum unknown"),
        ] {
            for of in ["var", "field"] {
                assert_eq!(drawn(&format!("{{ {of} = \"sum\", {test} }}")), told);
            }
        }
    }
}
