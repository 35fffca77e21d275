//! A level that asks for several proofs with `all`, and can be met by proofs of one class: by two
//! things the caller knows, say.
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
            let mut demands = level.demands(Risk::High);
            if let Some(facts) = demands.find_map(|(formula, _)| weakest(formula)) {
                let names: Vec<_> = facts.iter().map(|fact| format!("`{fact}`")).collect();
                let message =
                    format!("level `{name}` is met by {}: one factor", names.join(" and "));
                let help = "ask for both classes: all = [\"knowledge\", \"possession\"]";
                report.add(report.finding(message, &level.place).help(help));
            }
        }
    }
}

/// The fewest facts of one class that satisfy an `all` of several parts somewhere in the formula.
fn weakest(formula: &Formula) -> Option<BTreeSet<Fact>> {
    let parts = match formula {
        Formula::All(parts) | Formula::Any(parts) => parts,
        Formula::Fact(_) | Formula::Class(_) => return None,
    };
    let own = match formula {
        Formula::All(parts) if parts.len() > 1 => of_one_class(formula),
        _ => None,
    };
    own.or_else(|| parts.iter().find_map(weakest))
}

fn of_one_class(formula: &Formula) -> Option<BTreeSet<Fact>> {
    let sets = (0..1_u32 << Fact::ALL.len()).map(|set| -> BTreeSet<Fact> {
        let bits = Fact::ALL.into_iter().enumerate();
        bits.filter(|(bit, _)| set & (1 << bit) != 0).map(|(_, fact)| fact).collect()
    });
    let one_class = |facts: &BTreeSet<Fact>| {
        let classes: BTreeSet<_> =
            facts.iter().filter_map(|fact| fact.class()).map(Class::as_str).collect();
        classes.len() <= 1
    };
    sets.filter(|facts| one_class(facts) && holds(formula, facts)).min_by_key(BTreeSet::len)
}

fn holds(formula: &Formula, facts: &BTreeSet<Fact>) -> bool {
    match formula {
        Formula::Fact(fact) => facts.contains(fact),
        Formula::Class(class) => facts.iter().any(|fact| fact.class() == Some(*class)),
        Formula::All(parts) => parts.iter().all(|part| holds(part, facts)),
        Formula::Any(parts) => parts.iter().any(|part| holds(part, facts)),
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, findings};

    fn level(formula: &str) -> Vec<String> {
        findings(&[&format!(
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
        ] {
            assert_eq!(level(strong), [""; 0]);
        }
    }
}
