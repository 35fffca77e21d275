//! A level that asks for less than one of the same name in a flow that is called.
//!
//! ## Why
//!
//! Levels belong to the flow that a call begins in. What the called flow says of its own level of that
//! name holds for calls that begin there alone: here its states are opened by the weaker one, and whoever
//! reads the called flow takes them for better guarded than they are.
//!
//! ## How to fix it
//!
//! Ask for as much in both, or give one of the two another name.
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
    title: "a level that asks for less than one of that name in a flow that is called",
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
