//! States from which no call can be ended: however the caller chooses, no `hangup`, no `reject` and,
//! in a sub-flow, no `return` is ever reached. Of states that lead to each other the first is
//! reported.
//!
//! ## Why
//!
//! The caller can only hang up. Those who do not, a forgotten telephone or a machine, keep the line
//! until the provider's own limit of four hours, and somebody pays for it.
//!
//! ## How to fix it
//!
//! Give one of the states a way to an end: a key for goodbye, or an outcome such as `no_input`.
//!
//! ## Before
//!
//! ```toml
//! [states.menu]
//! type = "menu"
//! prompt = "For our hours press 1."
//! keys = { 1 = "hours" }
//! on = { no_input = "menu", no_match = "menu" }
//! ```
//!
//! ## After
//!
//! ```toml
//! on = { no_input = "bye", no_match = "menu" }
//!
//! [states.bye]
//! type = "hangup"
//! prompt = "Goodbye."
//! ```

use std::collections::BTreeSet;

use super::{Report, Rule, Subject};
use crate::check::graph::Graph;
use crate::check::subject::{Reached, Walk, WaysBack, denied, own_targets, step_ups};
use crate::diagnostic::{Severity, listed};
use crate::flow::name::FlowName;
use crate::flow::state::{Kind, State};

pub(super) const RULE: Rule = Rule {
    code: "no-way-out",
    title: "states from which no call can be ended",
    severity: Severity::Error,
    source: include_str!("no_way_out.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let ending = ending_flows(subject);
    for walk in subject.walks() {
        let graph = ways(walk);
        let stuck = stuck(walk, &graph, &ending);
        if !stuck.contains(&true) {
            continue;
        }
        let states = walk.flow.states.len();
        for mut trap in graph.components() {
            // What leads into a trap is stuck too, and is freed with it. A way back always leads on.
            let stuck = |index: &usize| stuck.get(*index).is_none_or(|stuck| *stuck);
            let is_trap = trap.iter().all(stuck)
                && trap
                    .iter()
                    .flat_map(|node| graph.next(*node))
                    .all(|to| trap.binary_search(to).is_ok());
            trap.retain(|node| *node < states);
            if is_trap && let Some(state) = trap.first().and_then(|first| walk.state(*first)) {
                let message = format!("a call that gets to state `{}` can never end", state.name);
                let finding = report.finding(message, &state.place).help(help(walk, &trap));
                report.add_at(state, finding);
            }
        }
    }
}

/// The states of each flow from which no call can be ended.
pub(super) fn traps<'f>(subject: &Subject<'f>) -> BTreeSet<(&'f FlowName, usize)> {
    let ending = ending_flows(subject);
    let of = |walk: &Walk<'f>| {
        let stuck = stuck(walk, &ways(walk), &ending).into_iter().enumerate();
        let name = &walk.flow.name;
        stuck.filter(|(_, stuck)| *stuck).map(move |(index, _)| (name, index)).collect::<Vec<_>>()
    };
    subject.walks().flat_map(of).collect()
}

/// Which states can be got to and lead to no end.
fn stuck(walk: &Walk<'_>, graph: &Graph, ending: &BTreeSet<&FlowName>) -> Vec<bool> {
    let out = graph.reversed().reach(ends(walk, ending)).into_iter().take(walk.flow.states.len());
    out.enumerate().map(|(index, out)| walk.reached(index) && !out).collect()
}

fn help(walk: &Walk<'_>, trap: &[usize]) -> String {
    const NAMED: usize = 5;
    let names = trap.iter().filter_map(|index| walk.state(*index));
    let names: Vec<_> = names.map(|state| format!("`{}`", state.name)).collect();
    match names.as_slice() {
        [_] => "lead from it to a state that hangs up".into(),
        names if names.len() <= NAMED => {
            format!("lead from one of {} to a state that hangs up", listed(names))
        }
        names => format!(
            "lead from one of {} and {} more to a state that hangs up",
            names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", "),
            names.len() - NAMED
        ),
    }
}

/// Every way on, a step-up and the way back from it included, which has nodes after those of the states.
fn ways(walk: &Walk<'_>) -> Graph {
    let states = walk.flow.states.len();
    let mut graph = Graph::new(2 * states);
    for (from, state) in walk.flow.states.values().enumerate() {
        let edges = state.edges().into_iter().map(|edge| edge.to);
        edges.filter_map(|to| walk.index(&to.state)).for_each(|to| graph.add(from, to));
    }
    let on = |asked: usize, state: &State| {
        let on = own_targets(state).into_iter().chain(denied(state));
        let on = on.filter_map(|to| walk.index(&to.state));
        // A state that ends the call is an end for what comes back to it.
        on.chain([asked]).collect()
    };
    let back =
        WaysBack { entered: &|state| step_ups(state).collect(), left: &|index| index, on: &on };
    walk.lead_back(&mut graph, states, &back);
    graph
}

/// The states that end a call, or let a calling flow go on. A `return` with nothing to return to is
/// reported by another rule.
fn ends<'w>(
    walk: &'w Walk<'_>,
    ending: &'w BTreeSet<&FlowName>,
) -> impl Iterator<Item = usize> + use<'w> {
    let is_end = move |(index, state): &(usize, &State)| match &state.kind {
        Kind::Hangup(_) | Kind::Reject(_) => true,
        Kind::Return(_) => walk.plainly(*index) != Reached::Never,
        Kind::Call(call) => ending.contains(&call.flow),
        _ => false,
    };
    walk.flow.states.values().enumerate().filter(is_end).map(|(index, _)| index)
}

/// The flows that can end the call they are called in, by themselves or through what they call.
fn ending_flows<'f>(subject: &Subject<'f>) -> BTreeSet<&'f FlowName> {
    let mut called_by = Graph::new(subject.walks.len());
    let mut ends = Vec::new();
    for (number, walk) in subject.walks().enumerate() {
        let states = walk.flow.states.values().enumerate();
        for (_, state) in states.filter(|(index, _)| walk.reached(*index)) {
            match &state.kind {
                Kind::Hangup(_) | Kind::Reject(_) => ends.push(number),
                Kind::Call(call) => {
                    if let Some(called) = subject.walks.get_index_of(&call.flow) {
                        called_by.add(called, number);
                    }
                }
                _ => {}
            }
        }
    }
    let ending = subject.walks.keys().zip(called_by.reach(ends));
    ending.filter(|(_, ends)| *ends).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, check, findings};

    #[test]
    fn a_menu_that_leads_to_itself_is_a_trap() {
        let found = check(
            "intro",
            "[states.intro]\ntype = \"say\"\nprompt = \"a\"\nnext = \"menu\"\n[states.menu]\n\
             type = \"menu\"\nprompt = \"Press 1\"\nkeys = { 1 = \"more\" }\n\
             on = { no_input = \"menu\", no_match = \"menu\" }\n\
             [states.more]\ntype = \"say\"\nprompt = \"b\"\nnext = \"menu\"\n",
        );
        assert_eq!(found, ["7: no-way-out: a call that gets to state `menu` can never end"]);
    }

    #[test]
    fn a_sub_flow_that_returns_or_hangs_up_is_a_way_out() {
        let main = "name = \"m\"\nstart = \"go\"\n[states.go]\ntype = \"call\"\nflow = \"s\"\n\
                    on = { ok = \"go2\" }\n[states.go2]\ntype = \"menu\"\nprompt = \"Press 1\"\n\
                    keys = { 1 = \"go\" }\non = { no_input = \"go\", no_match = \"go\" }\n";
        let returns = "[states.done]\ntype = \"return\"\noutcome = \"ok\"\n";
        let menu = ENDS.replace("type = \"hangup\"", "type = \"return\"\noutcome = \"ok\"");
        let stuck = format!("name = \"s\"\nstart = \"ask\"\n{menu}");
        assert_eq!(
            findings(&[main, &stuck]),
            ["0:3: no-way-out: a call that gets to state `go` can never end"]
        );
        let free = ENDS.replace("no_match = \"bye\"", "no_match = \"done\"");
        let free = format!("name = \"s\"\nstart = \"ask\"\n{free}{returns}");
        assert_eq!(findings(&[main, &free]), [""; 0]);
    }

    #[test]
    fn a_step_up_comes_back_to_what_goes_on() {
        let mut found = check(
            "secret",
            "levels = { basic = { any = [\"pin\"] } }\n[states.secret]\ntype = \"hangup\"\n\
             requires = \"basic\"\nstep_up = \"pin\"\non = { denied = \"pin\" }\n\
             [states.pin]\ntype = \"gather_pin\"\nprompt = \"Your PIN, please.\"\n\
             on = { ok = \"done\", failed = \"done\", locked = \"done\" }\n\
             [states.done]\ntype = \"return\"\n",
        );
        found.retain(|finding| !finding.contains("silent-loop"));
        assert_eq!(found, ["13: return-without-caller: `done` has nothing to return to"]);
    }
}
