//! A state that no call can get to: neither the start of the flow nor any key, phrase, outcome, case
//! or step-up of a state that can be reached leads there. Of a chain of such states the first is
//! reported; the others follow from it.
//!
//! ## Why
//!
//! Somebody wrote it for callers to hear. Either the way to it was forgotten, or it is a leftover in
//! which the next reader looks for the fault.
//!
//! ## How to fix it
//!
//! Lead there from where it was meant to be, or delete it.
//!
//! ## Before
//!
//! ```toml
//! [states.menu]
//! type = "menu"
//! prompt = "For your balance press 1. For our hours press 2."
//! keys = { 1 = "balance", 2 = "balance" }
//! ```
//!
//! ## After
//!
//! ```toml
//! keys = { 1 = "balance", 2 = "hours" }
//! ```

use super::{Report, Rule, Subject};
use crate::check::graph::Graph;
use crate::check::subject::Walk;
use crate::diagnostic::Severity;

pub(super) const RULE: Rule = Rule {
    code: "unreachable-state",
    title: "a state that no call can get to",
    severity: Severity::Error,
    source: include_str!("unreachable_state.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for walk in subject.walks() {
        for state in roots(walk).into_iter().filter_map(|root| walk.state(root)) {
            let message = format!("no call can get to state `{}`", state.name);
            let help = "lead to it from another state, or delete it";
            report.add_at(state, report.finding(message, &state.place).help(help));
        }
    }
}

/// The states not reached to which no other of them leads; of a ring of them the first.
fn roots(walk: &Walk<'_>) -> Vec<usize> {
    let count = walk.flow.states.len();
    let mut graph = Graph::new(count);
    for from in (0..count).filter(|index| !walk.reached(*index)) {
        let edges = walk.state(from).map(crate::flow::state::State::edges).unwrap_or_default();
        edges
            .iter()
            .filter_map(|edge| walk.index(&edge.to.state))
            .for_each(|to| graph.add(from, to));
    }
    let led_to = graph.reversed();
    let is_root = |component: &Vec<usize>| {
        component.iter().all(|node| {
            !walk.reached(*node) && led_to.next(*node).iter().all(|from| component.contains(from))
        })
    };
    let roots = graph.components().into_iter().filter(is_root);
    roots.filter_map(|component| component.first().copied()).collect()
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, check};

    #[test]
    fn the_first_of_a_chain_is_reported() {
        let found = check(
            "ask",
            &format!(
                "{ENDS}[states.lost]\ntype = \"say\"\nprompt = \"a\"\nnext = \"more\"\n\
                 [states.more]\ntype = \"say\"\nprompt = \"b\"\nnext = \"bye\"\n"
            ),
        );
        assert_eq!(found, ["11: unreachable-state: no call can get to state `lost`"]);
    }

    #[test]
    fn a_ring_is_reported_once() {
        let found = check(
            "ask",
            &format!(
                "{ENDS}[states.a]\ntype = \"say\"\nprompt = \"a\"\nnext = \"b\"\n\
                 [states.b]\ntype = \"say\"\nprompt = \"b\"\nnext = \"a\"\n"
            ),
        );
        assert_eq!(found, ["11: unreachable-state: no call can get to state `a`"]);
    }
}
