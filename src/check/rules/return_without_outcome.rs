//! A `return` from a sub-flow to the flow that called it, without an `outcome`.
//!
//! ## Why
//!
//! The calling state routes words: without one it does not know where to go on. Only a `return` that
//! is reached through a step-up alone needs none.
//!
//! ## How to fix it
//!
//! Give it an `outcome`, and route that in every state that calls the flow.
//!
//! ## Before
//!
//! ```toml
//! [states.done]
//! type = "return"
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.done]
//! type = "return"
//! outcome = "ok"
//! ```

use super::{Report, Rule, Subject};
use crate::check::subject::Reached;
use crate::diagnostic::Severity;
use crate::flow::state::Kind;

pub(super) const RULE: Rule = Rule {
    code: "return-without-outcome",
    title: "a `return` to a calling flow that does not say how it went",
    severity: Severity::Error,
    source: include_str!("return_without_outcome.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (walk, state) in subject.states() {
        let silent = matches!(&state.kind, Kind::Return(back) if back.outcome.is_none());
        let how = walk.index(&state.name).map_or(Reached::Never, |index| walk.plainly(index));
        if !silent || !walk.is_sub_flow() || how == Reached::Never {
            continue;
        }
        let message = format!("`{}` returns to a calling flow without an outcome", state.name);
        let mut finding = report.finding(message, &state.place);
        if let Reached::By(target) = how {
            let text = "a call can come this way with no step-up pending";
            finding = finding.label(text, target.place.clone());
        }
        report.add_at(state, finding.help("add `outcome = \"…\"`, which the calling state routes"));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, findings};

    #[test]
    fn a_called_flow_must_say_how_it_went() {
        let main = "name = \"m\"\nstart = \"go\"\n[states.go]\ntype = \"call\"\nflow = \"s\"\n\
                    on = { ok = \"bye\" }\n[states.bye]\ntype = \"hangup\"\n";
        let sub = ENDS
            .replace("no_match = \"bye\"", "no_match = \"done\"")
            .replace("type = \"hangup\"", "type = \"return\"\noutcome = \"ok\"");
        let sub = format!("name = \"s\"\nstart = \"ask\"\n{sub}[states.done]\ntype = \"return\"\n");
        assert_eq!(
            findings(&[main, &sub]),
            ["1:12: return-without-outcome: `done` returns to a calling flow without an outcome"]
        );
    }
}
