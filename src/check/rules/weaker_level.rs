//! A level that asks for less than one of the same name in a flow that is called, or an account field that is
//! disclosed for less than such a flow discloses it for.
//!
//! ## Why
//!
//! Levels and `[disclose]` belong to the flow that a call begins in. What the called flow says of its own level of
//! that name, or of the field, holds for calls that begin there alone: here its states are opened by the weaker one,
//! and whoever reads the called flow takes them for better guarded than they are.
//!
//! ## How to fix it
//!
//! Ask for as much in both, or give one of the two levels another name.
//!
//! ## Before
//!
//! ```toml
//! # bank.toml, which calls card.toml
//! [levels]
//! strong = { any = ["pin"] }
//!
//! # card.toml
//! [levels]
//! strong = { all = ["pin", "sms_otp"] }
//! ```
//!
//! ## After
//!
//! ```toml
//! # bank.toml, which calls card.toml
//! [levels]
//! strong = { all = ["pin", "sms_otp"] }
//! ```

use std::collections::BTreeMap;

use super::{Report, Rule, Subject};
use crate::check::proof::asks_for_less;
use crate::diagnostic::Severity;
use crate::flow::name::FlowName;
use crate::flow::{Flow, FlowSet};

pub(super) const RULE: Rule = Rule {
    code: "weaker-level",
    title: "a level or field that is had for less than in a flow that is called",
    severity: Severity::Warning,
    source: include_str!("weaker_level.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    // Of one through which there are too many ways nothing is known, and that is told.
    for walks in subject.proofs.iter().filter(|walks| !walks.unfinished) {
        for called in called_from(subject.flows, walks.start).values() {
            for (name, level) in &walks.start.levels {
                let Some(theirs) = called.levels.get(name) else { continue };
                if !asks_for_less(level, theirs) {
                    continue;
                }
                let message = format!(
                    "level `{name}` asks for less than that of flow `{}`, which is called and goes by it",
                    called.name
                );
                let finding = report
                    .finding(message, &level.place)
                    .label(format!("what `{}` asks for", called.name), theirs.place.clone())
                    .help("ask for as much in both, or give one of the two another name");
                report.add(finding);
            }
            fields(walks.start, called, report);
        }
    }
}

/// The fields that calls which begin here disclose for less than the called flow says.
fn fields(start: &Flow, called: &Flow, report: &mut Report<'_>) {
    for (field, name) in &start.disclose {
        let Some(theirs) = called.disclose.get(field).filter(|theirs| *theirs != name) else {
            // Of a level of the same name it is told itself if it asks for less.
            continue;
        };
        let levels =
            start.levels.get(name).zip(called.levels.get(theirs).or(start.levels.get(theirs)));
        let places = start.places.disclose.get(field).zip(called.places.disclose.get(field));
        let (Some((own, other)), Some(((place, _), (their_place, _)))) = (levels, places) else {
            continue;
        };
        if asks_for_less(own, other) {
            let message = format!(
                "`{field}` is disclosed at `{name}`, which asks for less than `{theirs}` of flow `{}`, which is called and \
                 goes by it",
                called.name
            );
            let finding = report
                .finding(message, place)
                .label(format!("at which `{}` discloses it", called.name), their_place.clone())
                .help("disclose it for as much in both");
            report.add(finding);
        }
    }
}

/// The flows that calls which begin here may come to, without the one they begin in.
fn called_from<'f>(flows: &'f FlowSet, start: &'f Flow) -> BTreeMap<&'f FlowName, &'f Flow> {
    let mut called = BTreeMap::new();
    let mut wanted: Vec<_> = start.calls().collect();
    while let Some(name) = wanted.pop() {
        if let Some(flow) = flows.get(name.as_str()).filter(|flow| flow.name != start.name)
            && called.insert(&flow.name, &**flow).is_none()
        {
            wanted.extend(flow.calls());
        }
    }
    called
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::findings;

    /// A sub-flow that keeps a field behind two factors tells it behind one, where the call began in a flow that does.
    #[test]
    fn a_field_is_disclosed_for_as_much_as_in_the_flows_that_are_called() {
        const LEVELS: &str =
            "[levels]\none = { any = [\"pin\"] }\ntwo = { all = [\"pin\", \"sms_otp\"] }\n";
        let sub = |level: &str| {
            format!(
                "name = \"s\"\nstart = \"tell\"\n{LEVELS}[disclose]\nsum = \"{level}\"\n\
                 [states.tell]\ntype = \"say\"\nprompt = \"{{{{ account.sum }}}}\"\nrequires = \"one\"\nnext = \"back\"\n\
                 [states.back]\ntype = \"return\"\noutcome = \"ok\"\n"
            )
        };
        let main = |level: &str| {
            format!(
                "name = \"m\"\nstart = \"who\"\n{LEVELS}[disclose]\nsum = \"{level}\"\n\
                 [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = {{ found = \"pin\", unknown = \"pin\" }}\n\
                 [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\non = {{ ok = \"go\", failed = \"bye\", locked = \"bye\" }}\n\
                 [states.go]\ntype = \"call\"\nflow = \"s\"\non = {{ ok = \"bye\" }}\n[states.bye]\ntype = \"hangup\"\n"
            )
        };
        let weaker = |ours: &str, theirs: &str| {
            let mut found = findings(&[&main(ours), &sub(theirs)]);
            found.retain(|finding| finding.contains(": weaker-level: "));
            found
        };
        assert_eq!(weaker("one", "one"), [""; 0]);
        assert_eq!(weaker("two", "one"), [""; 0], "it asks for more");
        assert_eq!(
            weaker("one", "two"),
            [
                "0:7: weaker-level: `sum` is disclosed at `one`, which asks for less than `two` of flow `s`, which is called and goes by it"
            ]
        );
    }
}
