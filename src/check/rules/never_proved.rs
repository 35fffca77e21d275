//! A state that nobody is ever let into: no way through the flow proves the level that it requires.
//!
//! Levels of which no more is asked at a risk are looked at as at a low one. A flow that is there to be called
//! is looked at through those that call it.
//!
//! ## Why
//!
//! Everybody who asks for it is denied it, whatever they prove: the proof was forgotten, or a `step_up` leads to
//! another.
//!
//! ## How to fix it
//!
//! Lead callers through a state that proves what the level asks for, or let the level ask for what the flow can
//! prove.
//!
//! ## Before
//!
//! ```toml
//! [levels]
//! strong = { any = ["callback"] }
//!
//! [states.balance]
//! type = "say"
//! requires = "strong"
//! step_up = "pin"
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.balance]
//! type = "say"
//! requires = "strong"
//! step_up = "ring"
//!
//! [states.ring]
//! type = "callback"
//! on = { ok = "back", failed = "back", no_answer = "back", unavailable = "back", limited = "back" }
//! ```

use std::collections::HashSet;

use super::{Report, Rule, Subject};
use crate::diagnostic::Severity;
use crate::flow::risk::Risk;

pub(super) const RULE: Rule = Rule {
    code: "never-proved",
    title: "a state whose level no way through the flow proves",
    severity: Severity::Warning,
    source: include_str!("never_proved.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    // Of one through which there are too many ways nothing is known, and that is told.
    if subject.proofs.iter().any(|walks| walks.unfinished) {
        return;
    }
    let walks = || subject.proofs.iter();
    let entered: HashSet<_> = walks()
        .flat_map(|w| w.insiders())
        .map(|(flow, state, _)| (&flow.name, &state.name))
        .collect();
    let unproved: HashSet<_> =
        walks().flat_map(|w| &w.gaps).map(|gap| (&gap.flow.name, &gap.state.name)).collect();
    for (walk, state) in subject.states() {
        let Some((name, place)) = &state.requires else { continue };
        let reached = walk.index(&state.name).is_some_and(|index| walk.reached(index));
        let at = (&walk.flow.name, &state.name);
        let alone = walk.is_sub_flow() && !walk.called;
        if !reached || alone || entered.contains(&at) || unproved.contains(&at) {
            continue;
        }
        let message = format!("nobody is let into `{}`: no way proves `{name}`", state.name);
        let finding = report.finding(message, place);
        let level = walks().find_map(|walks| walks.start.levels.get(name));
        let help = level.or_else(|| walk.flow.levels.get(name)).map_or_else(
            || "lead callers through a state that proves it".to_owned(),
            |level| {
                format!(
                    "`{name}` asks for {}: lead callers to where that is proved",
                    level.words(Risk::Low)
                )
            },
        );
        report.add_at(state, finding.help(help));
    }
}
