//! Sub-flows that call each other, and states that ask for proof on the way, deeper than callgate remembers: 16
//! of both inside each other.
//!
//! ## Why
//!
//! Every call of a sub-flow is remembered until it returns, and so is every state that was left for a step-up.
//! callgate remembers at most 16 things to come back to. A caller who goes deeper hears an apology, and the call
//! ends.
//!
//! ## How to fix it
//!
//! Return with an outcome, and let the calling state lead to the next sub-flow. What is to be proved for one state
//! is best proved in one step-up, and not in step-ups of step-ups.
//!
//! ## Before
//!
//! ```toml
//! # in the flow `part_17`, which `part_16` calls, and so on
//! [states.more]
//! type = "call"
//! flow = "part_18"
//! on = { ok = "done" }
//! ```
//!
//! ## After
//!
//! ```toml
//! # in the flow `part_17`
//! [states.more]
//! type = "return"
//! outcome = "more"
//! ```

use std::collections::HashSet;

use super::{Report, Rule, Subject};
use crate::check::graph::Graph;
use crate::check::proof::Walks;
use crate::diagnostic::Severity;
use crate::flow::state::Kind;
use crate::limits;

const RETURN: &str = "return with an outcome, and let the calling state lead to the next flow";
const GATHER: &str =
    "let one step-up lead to all that is to be proved, or return with an outcome before";

pub(super) const RULE: Rule = Rule {
    code: "deep-call",
    title: "sub-flows and step-ups inside each other, more than are remembered",
    severity: Severity::Error,
    source: include_str!("deep_call.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let Some((calls, callers_first)) = subject.calls_in_order() else { return };
    let depths = depths(&calls, &callers_first);
    let mut told = HashSet::new();
    for (index, walk) in subject.walks().enumerate() {
        if depths.get(index) != Some(&limits::FRAMES_MAX) {
            continue;
        }
        for state in walk.flow.states.values() {
            let Kind::Call(call) = &state.kind else { continue };
            if !walk.index(&state.name).is_some_and(|state| walk.reached(state)) {
                continue;
            }
            told.insert((&walk.flow.name, &state.name));
            let message = format!(
                "flow `{}` is called with {} calls to come back to, and no more are remembered",
                call.flow,
                limits::FRAMES_MAX
            );
            report.add_at(state, report.finding(message, &call.flow_place).help(RETURN));
        }
    }
    // Where step-ups are among them.
    for (flow, state) in subject.proofs.iter().flat_map(Walks::too_deep) {
        if !told.insert((&flow.name, &state.name)) {
            continue;
        }
        let (what, place, help) = match (&state.kind, &state.step_up) {
            (_, Some(to)) => (format!("`{}` asks for proof", state.name), &to.place, GATHER),
            (Kind::Call(call), None) => {
                (format!("flow `{}` is called", call.flow), &call.flow_place, RETURN)
            }
            _ => continue,
        };
        let message = format!(
            "{what} with {} calls and step-ups to come back to, and no more are remembered",
            limits::FRAMES_MAX
        );
        report.add_at(state, report.finding(message, place).help(help));
    }
}

/// How many calls each flow is within at most; no flow calls itself.
fn depths(calls: &Graph, callers_first: &[usize]) -> Vec<usize> {
    let mut depths = vec![0; callers_first.len()];
    for from in callers_first {
        let below = depths.get(*from).map_or(0, |depth| depth + 1);
        for to in calls.next(*from) {
            if let Some(depth) = depths.get_mut(*to) {
                *depth = below.max(*depth);
            }
        }
    }
    depths
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::findings;

    /// Flows of which each calls the next.
    fn chain(flows: usize) -> Vec<String> {
        let flow = |n: usize| {
            let next = if n + 1 < flows {
                format!("type = \"call\"\nflow = \"f{}\"\non = {{ ok = \"end\" }}\n", n + 1)
            } else {
                "type = \"say\"\nprompt = \"a\"\nnext = \"end\"\n".to_owned()
            };
            let end = if n == 0 { "\"hangup\"" } else { "\"return\"\noutcome = \"ok\"" };
            format!(
                "name = \"f{n}\"\nstart = \"go\"\n[states.go]\n{next}[states.end]\ntype = {end}\n"
            )
        };
        (0..flows).map(flow).collect()
    }

    fn found(flows: usize) -> Vec<String> {
        let texts = chain(flows);
        findings(&texts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn sixteen_calls_inside_each_other_are_remembered() {
        assert_eq!(found(17), [""; 0]);
        let message =
            "flow `f17` is called with 16 calls to come back to, and no more are remembered";
        assert_eq!(found(18), [format!("16:5: deep-call: {message}")]);
        // What lies deeper is not told again.
        assert_eq!(found(20), [format!("16:5: deep-call: {message}")]);
    }
}
