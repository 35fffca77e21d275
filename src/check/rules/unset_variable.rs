//! A text that fills in a variable which nothing may have set on the way there.
//!
//! A `gather` sets its variable where it ends `ok`, a `lookup` what it gives where it ends `ok`, and a `set` in
//! any case. A case of a `branch` that asks about a variable holds only if that is there. An `identify` drops
//! what was made of account data: of the account before.
//!
//! ## Why
//!
//! A variable that nothing has set is filled in as nothing: the caller hears "That is  . To go on, press 1".
//!
//! ## How to fix it
//!
//! Lead callers without it elsewhere, `set` it before, or ask `{ var = "…", present = true }` in a `branch`.
//!
//! ## Before
//!
//! ```toml
//! [states.how_much]
//! type = "gather"
//! kind = "amount"
//! var = "amount"
//! prompt = "How much?"
//! on = { ok = "noted", no_input = "noted", invalid = "noted" }
//!
//! [states.noted]
//! type = "hangup"
//! prompt = "We have noted {{ amount | money }}."
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.how_much]
//! type = "gather"
//! kind = "amount"
//! var = "amount"
//! prompt = "How much?"
//! on = { ok = "noted", no_input = "bye", invalid = "bye" }
//!
//! [states.noted]
//! type = "hangup"
//! prompt = "We have noted {{ amount | money }}."
//! ```

mod sets;
mod ways;

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};

use indexmap::{IndexMap, IndexSet};

use self::sets::variables;
use self::ways::{AT_ONCE, Ways, Why};
use super::{Report, Rule, Subject};
use crate::check::subject::Walk;
use crate::diagnostic::{Place, Severity};
use crate::flow::name::{FlowName, VariableName};
use crate::flow::prompt::Prompt;
use crate::flow::state::{Kind, State};
use crate::flow::template::Template;
use crate::flow::{Flow, FlowSet};
use crate::limits;

pub(super) const RULE: Rule = Rule {
    code: "unset-variable",
    title: "a text that fills in a variable which may not be set there",
    severity: Severity::Warning,
    source: include_str!("unset_variable.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let passed = passed(subject.flows);
    let mut steps = limits::EDGES_WITHOUT_MAX;
    for walk in subject.walks() {
        let (ways, used) = ways_and_uses(walk, &passed);
        let Some(missing) = missing(&ways, &used, &mut steps) else { return };
        for (variable, uses) in &used {
            // Only where it is told how callers come there without.
            let found = OnceCell::new();
            for (index, state, place) in uses {
                if !missing.contains(&(*index, *variable)) {
                    continue;
                }
                report.tell(state, place, |report| {
                    let message = format!("`{variable}` may not be set in `{}`", state.name);
                    let help = format!(
                        "lead callers without it elsewhere, or ask whether it is there: \
                         {{ var = \"{variable}\", present = true }}"
                    );
                    let finding = report.finding(message, place).help(help);
                    let found = found.get_or_init(|| ways.without(variable, &mut steps));
                    match found.as_ref().and_then(|found| ways.why(variable, found, *index)) {
                        Some(Why::Left(edge)) => {
                            finding.label("this way nothing has set it", edge.to.place.clone())
                        }
                        Some(Why::Dropped(claim)) => finding.label(
                            "a claim drops what was made of the account before",
                            claim.place.clone(),
                        ),
                        None => finding,
                    }
                });
            }
        }
    }
}

/// The states, by flow and number, that callers may come to without a variable that a text there fills in; as far
/// as that is followed.
pub(super) fn lacking<'f>(
    subject: &Subject<'f>,
) -> HashSet<(&'f FlowName, usize, &'f VariableName)> {
    let passed = passed(subject.flows);
    let mut steps = limits::EDGES_WITHOUT_MAX;
    let mut lacking = HashSet::new();
    for walk in subject.walks() {
        let (ways, used) = ways_and_uses(walk, &passed);
        let Some(missing) = missing(&ways, &used, &mut steps) else { break };
        lacking.extend(missing.into_iter().map(|(index, name)| (&walk.flow.name, index, name)));
    }
    lacking
}

/// The ways through a flow, and where its texts fill in variables of its own.
fn ways_and_uses<'f>(
    walk: &Walk<'f>,
    passed: &HashSet<(&FlowName, &VariableName)>,
) -> (Ways<'f>, Uses<'f>) {
    let flow = walk.flow;
    let (mut ways, mut used) = (Ways::of(flow), used(flow));
    ways.claims.retain(|claim| walk.reached(*claim));
    let is_own = |variable: &VariableName| {
        flow.variables.contains_key(variable) && !passed.contains(&(&flow.name, variable))
    };
    used.retain(|variable, uses| {
        uses.retain(|(index, ..)| walk.reached(*index));
        is_own(variable)
    });
    (ways, used)
}

/// The uses of variables that callers may come to without them, by state and variable.
fn missing<'f>(
    ways: &Ways<'f>,
    used: &Uses<'f>,
    steps: &mut usize,
) -> Option<HashSet<(usize, &'f VariableName)>> {
    let mut missing = HashSet::new();
    for some in used.keys().copied().collect::<Vec<_>>().chunks(AT_ONCE) {
        let lacking = ways.lacking(some, steps)?;
        for (bit, variable) in some.iter().enumerate() {
            let uses = used.get(*variable).into_iter().flatten();
            let lacks = |index: &usize| lacking.get(*index).is_some_and(|it| it >> bit & 1 == 1);
            let without = uses.map(|(index, ..)| *index).filter(lacks);
            missing.extend(without.map(|index| (index, *variable)));
        }
    }
    Some(missing)
}

/// The variables that callers take out of flows, and that are there wherever those come back.
pub(in crate::check) fn surely_given(flows: &FlowSet) -> HashSet<(&FlowName, &VariableName)> {
    let mut steps = limits::EDGES_WITHOUT_MAX;
    let mut taken: IndexMap<&FlowName, IndexSet<&VariableName>> = IndexMap::new();
    for state in flows.iter().flat_map(|flow| flow.states.values()) {
        let Kind::Call(call) = &state.kind else { continue };
        taken.entry(&call.flow).or_default().extend(call.give.iter().map(|give| &give.from));
    }
    let mut given = HashSet::new();
    for (name, taken) in taken {
        let Some(called) = flows.get(name.as_str()) else { continue };
        let mut ways = Ways::of(called);
        ways.claims.clear();
        let states = called.states.values().enumerate();
        let returns = states.filter(|(_, state)| matches!(state.kind, Kind::Return(_)));
        let returns: Vec<_> = returns.map(|(index, _)| index).collect();
        for some in taken.into_iter().collect::<Vec<_>>().chunks(AT_ONCE) {
            let Some(lacking) = ways.lacking(some, &mut steps) else { return given };
            let lacked = returns.iter().filter_map(|index| lacking.get(*index));
            let lacked = lacked.fold(0, |all, some| all | some);
            let there = some.iter().enumerate().filter(|(bit, _)| lacked >> bit & 1 == 0);
            given.extend(there.map(|(_, variable)| (name, *variable)));
        }
    }
    given
}

/// The variables that some flow passes into another.
fn passed(flows: &FlowSet) -> HashSet<(&FlowName, &VariableName)> {
    let states = flows.iter().flat_map(|flow| flow.states.values());
    let calls = states.filter_map(|state| match &state.kind {
        Kind::Call(call) => Some(call),
        _ => None,
    });
    calls.flat_map(|call| call.with.iter().map(|passed| (&call.flow, &passed.to))).collect()
}

/// Where variables are filled in: the state, by its number too, and the place there.
type Uses<'f> = IndexMap<&'f VariableName, Vec<(usize, &'f State, Place)>>;

/// The variables that the texts of a flow fill in, in the order of the first of them.
fn used(flow: &Flow) -> Uses<'_> {
    let mut used = Uses::new();
    for (index, state) in flow.states.values().enumerate() {
        let mut use_of = |template: &Template, variable| {
            let place = template.place_of(VariableName::as_str(variable));
            let place = place.unwrap_or_else(|| template.place.clone());
            used.entry(variable).or_default().push((index, state, place));
        };
        let mut seen = BTreeSet::new();
        let prompts = state.prompts().into_iter().flat_map(Prompt::templates);
        for template in prompts.chain(state.sent()) {
            let new = variables(template).filter(|variable| seen.insert(*variable));
            new.for_each(|variable| use_of(template, variable));
        }
        let Kind::Set(set) = &state.kind else { continue };
        for value in &set.values {
            if let Some(template) = value.to.text() {
                let new = variables(template).filter(|variable| seen.insert(*variable));
                new.for_each(|variable| use_of(template, variable));
            }
            // The next may be made of it.
            seen.insert(&value.name);
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, check, findings_of_whoever};

    fn unset(states: &str) -> Vec<String> {
        let mut found = check("a", &format!("{states}{ENDS}"));
        found.retain(|finding| finding.contains("unset-variable"));
        found
    }

    fn gather(on: &str) -> String {
        format!("[states.a]\ntype = \"gather\"\nvar = \"n\"\nprompt = \"N?\"\non = {{ {on} }}\n")
    }

    const SAID: &str =
        "[states.b]\ntype = \"say\"\nprompt = \"You said {{ n }}.\"\nnext = \"ask\"\n";

    #[test]
    fn what_only_one_way_sets_is_missing_on_the_others() {
        let every = gather("ok = \"b\", no_input = \"b\", invalid = \"ask\"");
        assert_eq!(
            unset(&format!("{every}{SAID}")),
            ["10: unset-variable: `n` may not be set in `b`"]
        );
        let right = gather("ok = \"b\", no_input = \"ask\", invalid = \"ask\"");
        assert_eq!(unset(&format!("{right}{SAID}")), [""; 0]);
    }

    #[test]
    fn a_variable_that_was_asked_about_is_there() {
        let every = gather("ok = \"c\", no_input = \"c\", invalid = \"c\"");
        for (case, otherwise) in [
            ("{ var = \"n\", present = true }, next = \"b\"", "ask"),
            ("{ var = \"n\", present = false }, next = \"ask\"", "b"),
            (
                "{ not = { any = [{ var = \"n\", present = false }, { fact = \"pin\" }] } }, next = \"b\"",
                "ask",
            ),
            (
                "{ all = [{ fact = \"pin\" }, { var = \"n\", one_of = [\"1\"] }] }, next = \"b\"",
                "ask",
            ),
        ] {
            let branch = |case: &str, otherwise: &str| {
                format!(
                    "[states.c]\ntype = \"branch\"\ncases = [{{ when = {case} }}]\notherwise = \"{otherwise}\"\n"
                )
            };
            let asked = format!("{every}{}{SAID}", branch(case, otherwise));
            assert_eq!(unset(&asked), [""; 0], "{case}");
            let either = branch(&case.replace("next = \"ask\"", "next = \"b\""), "b");
            assert_eq!(unset(&format!("{every}{either}{SAID}")).len(), 1, "{case}");
        }
    }

    #[test]
    fn a_claim_drops_what_was_made_of_the_account_before() {
        let flow = |value: &str| {
            format!(
                "[levels]\nknown = {{ any = [\"pin\"] }}\n[disclose]\nname = \"known\"\n\
                 [states.a]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = {{ found = \"c\", unknown = \"c\" }}\n\
                 [states.c]\ntype = \"set\"\nrequires = \"known\"\nstep_up = \"p\"\nvalues = {{ m = \"{value}\", n = \"{{{{ m }}}}\" }}\nnext = \"b\"\non = {{ denied = \"bye\" }}\n\
                 [states.p]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\non = {{ ok = \"r\", failed = \"r\", locked = \"r\" }}\n[states.r]\ntype = \"return\"\n\
                 [states.b]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Thank you, {{{{ n }}}}. And the other number?\"\non = {{ found = \"e\", unknown = \"e\" }}\n\
                 [states.e]\ntype = \"say\"\nprompt = \"Still {{{{ n }}}}.\"\nnext = \"bye\"\n[states.bye]\ntype = \"hangup\"\n"
            )
        };
        let found = |value: &str| {
            let mut found = check("a", &flow(value));
            found.retain(|finding| finding.contains("unset-variable"));
            found
        };
        assert_eq!(
            found("{{ account.name }}"),
            [
                "29: unset-variable: `n` may not be set in `b`",
                "33: unset-variable: `n` may not be set in `e`",
            ]
        );
        assert_eq!(found("Ada"), [""; 0], "it is of no account");
    }

    #[test]
    fn one_value_may_be_made_of_another() {
        let set = |values: &str| {
            unset(&format!(
                "[states.a]\ntype = \"set\"\nvalues = {{ {values} }}\nnext = \"b\"\n{SAID}"
            ))
        };
        assert_eq!(set("m = 1, n = \"{{ m }}\""), [""; 0]);
        assert_eq!(set("n = \"{{ m }}\", m = 1").len(), 1);
    }

    #[test]
    fn what_is_passed_or_given_is_there() {
        let called = "name = \"g\"\nstart = \"s\"\n[states.s]\ntype = \"say\"\nprompt = \"{{ m }}\"\nnext = \"t\"\n\
                      [states.t]\ntype = \"return\"\noutcome = \"ok\"\n";
        let calls = format!(
            "name = \"f\"\nstart = \"v\"\n[states.v]\ntype = \"set\"\nvalues = {{ n = 1 }}\nnext = \"a\"\n\
             [states.a]\ntype = \"call\"\nflow = \"g\"\nwith = {{ m = \"n\" }}\ngive = {{ n = \"m\" }}\non = {{ ok = \"b\" }}\n{SAID}{ENDS}"
        );
        assert_eq!(findings_of_whoever(&[&calls, called]), [""; 0]);
    }
}
