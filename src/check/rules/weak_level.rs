//! A level that asks for several proofs with `all`, or for more at a risk, and can be met by proofs of one
//! class: by two things the caller knows, say.
//!
//! ## Why
//!
//! Who has stolen one secret has often stolen the other with it. Two facts of one class are one
//! factor, however many there are: `pin` and `passcode` are things known, `sms_otp`, `callback` and
//! `service_code` are things had, and `email_otp` is neither.
//!
//! ## How to fix it
//!
//! Ask for both classes: `all = ["knowledge", "possession"]`, or a fact of each.
//!
//! ## Before
//!
//! ```toml
//! [levels]
//! strict = { all = ["pin", "passcode"] }
//! ```
//!
//! ## After
//!
//! ```toml
//! [levels]
//! strict = { all = ["pin", "possession"] }
//! ```

use std::collections::BTreeSet;

use super::{Report, Rule, Subject};
use crate::diagnostic::Severity;
use crate::flow::level::{Class, Fact, Formula};
use crate::flow::risk::Risk;

pub(super) const RULE: Rule = Rule {
    code: "weak-level",
    title: "a level with `all` that proofs of one class can meet",
    severity: Severity::Warning,
    source: include_str!("weak_level.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for walk in subject.walks() {
        for (name, level) in &walk.flow.levels {
            let demands: Vec<_> = level.demands(Risk::High).map(|(formula, _)| formula).collect();
            // What a risk adds is asked for together with all that is asked for without it.
            let mut asked = (0..demands.len()).filter_map(|last| demands.get(..=last));
            if let Some(facts) = asked.find_map(weakest) {
                let names: Vec<_> = facts.iter().map(|fact| format!("`{fact}`")).collect();
                let message =
                    format!("level `{name}` is met by {}: one factor", names.join(" and "));
                let help = "ask for both classes: all = [\"knowledge\", \"possession\"]";
                report.add(report.finding(message, &level.place).help(help));
            }
        }
    }
}

/// The fewest facts of one class that satisfy, together with what is asked for anyway, the last of some
/// demands: what it adds, or an `all` of several parts somewhere in it.
fn weakest(demands: &[&Formula]) -> Option<BTreeSet<Fact>> {
    let (last, anyway) = demands.split_last()?;
    let added = if anyway.is_empty() { None } else { of_one_class(demands) };
    added.filter(|facts| facts.len() > 1).or_else(|| within(last, anyway))
}

fn within(formula: &Formula, anyway: &[&Formula]) -> Option<BTreeSet<Fact>> {
    let parts = match formula {
        Formula::All(parts) | Formula::Any(parts) => parts,
        Formula::Fact(_) | Formula::Class(_) => return None,
    };
    let own = match formula {
        Formula::All(parts) if parts.len() > 1 => of_one_class(&[anyway, &[formula]].concat()),
        _ => None,
    };
    own.or_else(|| parts.iter().find_map(|part| within(part, anyway)))
}

fn of_one_class(demands: &[&Formula]) -> Option<BTreeSet<Fact>> {
    let one_class = |facts: &BTreeSet<Fact>| {
        let classes: BTreeSet<_> =
            facts.iter().filter_map(|fact| fact.class()).map(Class::as_str).collect();
        classes.len() <= 1
    };
    let all = |facts: &BTreeSet<Fact>| demands.iter().all(|formula| formula.is_met_by(facts, true));
    Fact::sets().filter(|facts| one_class(facts) && all(facts)).min_by_key(BTreeSet::len)
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, findings_of_whoever};

    fn level(formula: &str) -> Vec<String> {
        findings_of_whoever(&[&format!(
            "name = \"f\"\nstart = \"in\"\n[levels]\nl = {formula}\n[states.in]\ntype = \"say\"\n\
             prompt = \"a\"\nrequires = \"l\"\nstep_up = \"back\"\non = {{ denied = \"ask\" }}\nnext = \"ask\"\n[states.back]\ntype = \"return\"\n{ENDS}"
        )])
    }

    #[test]
    fn all_must_mean_two_factors() {
        for weak in [
            "{ all = [\"pin\", \"passcode\"] }",
            "{ all = [\"sms_otp\", \"callback\"] }",
            "{ all = [\"pin\", \"email_otp\"] }",
            "{ all = [\"pin\", { any = [\"passcode\", \"sms_otp\"] }] }",
            "{ any = [\"callback\", { all = [\"knowledge\", \"pin\"] }] }",
            "{ any = [\"pin\"], at_risk = { high = { any = [\"passcode\"] } } }",
            "{ any = [\"possession\"], at_risk = { high = { all = [\"sms_otp\", \"service_code\"] } } }",
        ] {
            let found = level(weak);
            assert!(
                found.iter().all(|f| f.contains("weak-level")) && found.len() == 1,
                "{found:#?}"
            );
        }
        for strong in [
            "{ all = [\"knowledge\", \"possession\"] }",
            "{ any = [\"pin\", \"passcode\"] }",
            "{ all = [\"pin\"] }",
            "{ all = [\"pin\", \"sms_otp\", \"callback\"] }",
            "{ any = [\"pin\"], at_risk = { high = { any = [\"possession\"] } } }",
            "{ any = [\"pin\", \"sms_otp\"], at_risk = { high = { any = [\"possession\"] } } }",
            "{ all = [\"knowledge\", \"possession\"], at_risk = { high = { all = [\"service_code\", \"callback\"] } } }",
        ] {
            assert_eq!(level(strong), [""; 0]);
        }
    }
}
