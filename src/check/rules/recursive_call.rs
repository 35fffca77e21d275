//! A flow that calls itself, directly or through others.
//!
//! ## Why
//!
//! Every call of a sub-flow is remembered until it returns, and callgate remembers at most 16 things
//! to come back to. A caller who goes round often enough hears an apology, and the call ends.
//!
//! ## How to fix it
//!
//! Return with an outcome, and let the calling state lead to the sub-flow again.
//!
//! ## Before
//!
//! ```toml
//! # in the flow `verify`
//! [states.again]
//! type = "call"
//! flow = "verify"
//! on = { ok = "done", failed = "gave_up" }
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.again]
//! type = "return"
//! outcome = "again"
//! ```

use super::{Report, Rule, Subject};
use crate::diagnostic::Severity;
use crate::flow::state::Kind;

pub(super) const RULE: Rule = Rule {
    code: "recursive-call",
    title: "a flow that calls itself",
    severity: Severity::Error,
    source: include_str!("recursive_call.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let graph = subject.calls();
    for ring in graph.cycles() {
        let calls = |from: usize, to: usize| {
            let (_, walk) = subject.walks.get_index(from)?;
            let (name, _) = subject.walks.get_index(to)?;
            walk.flow.states.values().find_map(|state| match &state.kind {
                Kind::Call(call) if call.flow == **name => Some((walk.flow, state, call)),
                _ => None,
            })
        };
        let round =
            ring.first().map(|first| graph.round(*first, &ring, |_| false)).unwrap_or_default();
        let edges = round.iter().zip(round.iter().cycle().skip(1));
        let mut calls = edges.filter_map(|(from, to)| calls(*from, *to));
        let Some((flow, state, call)) = calls.next() else { continue };
        let message = match round.len() {
            1 => format!("flow `{}` calls itself", flow.name),
            _ => format!("flow `{}` calls itself through `{}`", flow.name, call.flow),
        };
        let mut finding = report.finding(message, &call.flow_place);
        for (flow, _, call) in calls {
            let text = format!("flow `{}` calls `{}` here", flow.name, call.flow);
            finding = finding.label(text, call.flow_place.clone());
        }
        let help = "return with an outcome, and let the calling state lead to the flow again";
        report.add_at(state, finding.help(help));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::findings;

    fn flow(name: &str, calls: &str) -> String {
        format!(
            "name = \"{name}\"\nstart = \"go\"\n[states.go]\ntype = \"call\"\nflow = \"{calls}\"\n\
             on = {{ ok = \"ask\" }}\n[states.ask]\ntype = \"menu\"\nprompt = \"Press 1\"\n\
             keys = {{ 1 = \"ok\" }}\non = {{ no_input = \"ok\", no_match = \"bye\" }}\n\
             [states.ok]\ntype = \"return\"\noutcome = \"ok\"\n[states.bye]\ntype = \"hangup\"\n"
        )
    }

    #[test]
    fn a_flow_may_not_call_itself() {
        assert_eq!(findings(&[&flow("a", "a")]), ["5: recursive-call: flow `a` calls itself"]);
        assert_eq!(
            findings(&[&flow("a", "b"), &flow("b", "a")]),
            ["0:5: recursive-call: flow `a` calls itself through `b`"]
        );
    }
}
