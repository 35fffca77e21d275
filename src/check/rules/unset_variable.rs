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

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::{Report, Rule, Subject};
use crate::diagnostic::{Place, Severity};
use crate::flow::condition::{Condition, Test};
use crate::flow::edge::{Edge, Label};
use crate::flow::name::{FlowName, VariableName};
use crate::flow::outcome::Outcome;
use crate::flow::prompt::Prompt;
use crate::flow::state::{Kind, State};
use crate::flow::template::{Template, Use};
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
        let ways = Ways::of(walk.flow);
        let made = made_of_accounts(walk.flow);
        for (variable, used) in used(walk.flow) {
            let flow = &walk.flow.name;
            if !walk.flow.variables.contains_key(variable) || passed.contains(&(flow, variable)) {
                continue;
            }
            let drops = |index: &usize| made.contains(variable) && walk.reached(*index);
            let drops: Vec<_> = ways.claims.iter().copied().filter(drops).collect();
            let Some(without) = ways.without(variable, &drops, &mut steps) else { return };
            for (index, state, place) in used {
                let Some(reached) = without.get(&index) else { continue };
                if !walk.reached(index) {
                    continue;
                }
                report.tell(state, &place, |report| {
                    let message = format!("`{variable}` may not be set in `{}`", state.name);
                    let help = format!(
                        "lead callers without it elsewhere, or ask whether it is there: \
                         {{ var = \"{variable}\", present = true }}"
                    );
                    let finding = report.finding(message, &place).help(help);
                    match ways.left_without(variable, &without, *reached) {
                        Some(edge) => {
                            finding.label("this way nothing has set it", edge.to.place.clone())
                        }
                        None => match ways.dropped_in(walk.flow, &drops, &without, index) {
                            Some(claim) => finding.label(
                                "a claim drops what was made of the account before",
                                claim.place.clone(),
                            ),
                            None => finding,
                        },
                    }
                });
            }
        }
    }
}

/// The variables that are made of account data wherever they are set.
fn made_of_accounts(flow: &Flow) -> HashSet<&VariableName> {
    let all: Vec<_> = flow.states.values().flat_map(made).collect();
    let mut left: HashMap<&VariableName, usize> = HashMap::new();
    let mut goes_into: HashMap<&VariableName, Vec<usize>> = HashMap::new();
    let mut wanted = Vec::new();
    for (number, made) in all.iter().enumerate() {
        *left.entry(made.variable).or_default() += 1;
        for used in &made.of {
            goes_into.entry(used).or_default().push(number);
        }
        if made.of_account {
            wanted.push(number);
        }
    }
    let (mut of_accounts, mut seen) = (HashSet::new(), vec![false; all.len()]);
    while let Some(number) = wanted.pop() {
        let (Some(made), Some(seen)) = (all.get(number), seen.get_mut(number)) else { continue };
        let Some(left) = left.get_mut(made.variable).filter(|_| !*seen) else { continue };
        (*seen, *left) = (true, *left - 1);
        if *left == 0 {
            of_accounts.insert(made.variable);
            wanted.extend(goes_into.remove(made.variable).unwrap_or_default());
        }
    }
    of_accounts
}

/// What a state makes of a variable.
struct Made<'f> {
    variable: &'f VariableName,
    /// Account data goes into it.
    of_account: bool,
    /// The variables that go into it.
    of: Vec<&'f VariableName>,
}

fn made(state: &State) -> Vec<Made<'_>> {
    let has_field = |text: &Template| text.uses.iter().any(|used| matches!(used, Use::Field(_)));
    match &state.kind {
        Kind::Set(set) => {
            let made = set.values.iter().map(|value| {
                let text = value.to.text();
                let of = text.into_iter().flat_map(variables).collect();
                Made { variable: &value.name, of_account: text.is_some_and(has_field), of }
            });
            made.collect()
        }
        Kind::Lookup(lookup) => {
            let of_account = lookup.account || state.sent().any(has_field);
            let of: Vec<_> = state.sent().flat_map(variables).collect();
            let given = lookup.give.iter();
            given.map(|it| Made { variable: &it.name, of_account, of: of.clone() }).collect()
        }
        _ => {
            let others = state.assigns().into_iter();
            others.map(|(variable, _)| Made { variable, of_account: false, of: vec![] }).collect()
        }
    }
}

/// The variables that callers take out of flows, and that are there wherever those come back.
pub(in crate::check) fn surely_given(flows: &FlowSet) -> HashSet<(&FlowName, &VariableName)> {
    let mut steps = limits::EDGES_WITHOUT_MAX;
    let mut ways: HashMap<&FlowName, Ways<'_>> = HashMap::new();
    let (mut asked, mut given) = (HashSet::new(), HashSet::new());
    for state in flows.iter().flat_map(|flow| flow.states.values()) {
        let Kind::Call(call) = &state.kind else { continue };
        let Some(called) = flows.get(call.flow.as_str()) else { continue };
        for give in &call.give {
            let variable = (&call.flow, &give.from);
            if !asked.insert(variable) {
                continue;
            }
            let ways = ways.entry(&called.name).or_insert_with(|| Ways::of(called));
            let Some(without) = ways.without(&give.from, &[], &mut steps) else { return given };
            let comes_back = |index: &usize| {
                let state = called.states.get_index(*index).map(|(_, state)| state);
                state.is_some_and(|state| matches!(state.kind, Kind::Return(_)))
            };
            if !without.keys().any(comes_back) {
                given.insert(variable);
            }
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

type Used<'f> = Vec<(usize, &'f State, Place)>;

/// The variables that the texts of a flow fill in, in the order of the first of them.
fn used(flow: &Flow) -> indexmap::IndexMap<&VariableName, Used<'_>> {
    let mut used: indexmap::IndexMap<_, Used<'_>> = indexmap::IndexMap::new();
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

fn variables(template: &Template) -> impl Iterator<Item = &VariableName> {
    template.uses.iter().filter_map(|used| match used {
        Use::Variable(variable) => Some(variable),
        Use::Field(_) | Use::Code => None,
    })
}

/// The ways through a flow, with the variables that are there wherever each is taken.
struct Ways<'f> {
    start: Option<usize>,
    /// The states that take the claim of an account.
    claims: Vec<usize>,
    states: Vec<Vec<Way<'f>>>,
}

struct Way<'f> {
    edge: Edge<'f>,
    to: usize,
    sets: BTreeSet<&'f VariableName>,
}

impl<'f> Ways<'f> {
    fn of(flow: &'f Flow) -> Self {
        let ways = |state: &'f State| {
            let ways = state.edges().into_iter().filter_map(|edge| {
                let to = flow.states.get_index_of(&edge.to.state)?;
                let sets = sets(state, &edge.label);
                Some(Way { edge, to, sets })
            });
            ways.collect()
        };
        let claims = flow.states.values().enumerate();
        let claims = claims.filter(|(_, state)| matches!(state.kind, Kind::Identify(_)));
        Self {
            start: flow.states.get_index_of(&flow.start),
            claims: claims.map(|(index, _)| index).collect(),
            states: flow.states.values().map(ways).collect(),
        }
    }

    /// The states that a caller may come to without the variable, each with the one before it: from the
    /// start, or from a state that drops it. `None`: so much was looked at that no more is.
    fn without(
        &self,
        variable: &VariableName,
        drops: &[usize],
        steps: &mut usize,
    ) -> Option<HashMap<usize, Option<usize>>> {
        let mut wanted: VecDeque<_> = self.start.iter().chain(drops).copied().collect();
        let mut reached: HashMap<_, _> = wanted.iter().map(|from| (*from, None)).collect();
        while let Some(from) = wanted.pop_front() {
            for way in self.states.get(from).into_iter().flatten() {
                *steps = steps.checked_sub(1)?;
                if !way.sets.contains(variable) && !reached.contains_key(&way.to) {
                    reached.insert(way.to, Some(from));
                    wanted.push_back(way.to);
                }
            }
        }
        Some(reached)
    }

    /// The state on the way to `to` that drops the variable.
    fn dropped_in(
        &self,
        flow: &'f Flow,
        drops: &[usize],
        reached: &HashMap<usize, Option<usize>>,
        to: usize,
    ) -> Option<&'f State> {
        let mut at = to;
        while let Some(before) = reached.get(&at).copied().flatten() {
            at = before;
        }
        let begins = drops.contains(&at) && self.start != Some(at);
        flow.states.get_index(at).filter(|_| begins).map(|(_, state)| state)
    }

    /// The last edge on that way which leaves a state without the variable that it sets otherwise.
    fn left_without(
        &self,
        variable: &VariableName,
        reached: &HashMap<usize, Option<usize>>,
        mut before: Option<usize>,
    ) -> Option<&Edge<'f>> {
        while let Some(from) = before {
            let ways = self.states.get(from)?;
            if ways.iter().any(|way| way.sets.contains(variable)) {
                let mut others = ways.iter().filter(|way| !way.sets.contains(variable));
                return others.next().map(|way| &way.edge);
            }
            before = reached.get(&from).copied().flatten();
        }
        None
    }
}

/// The variables that are there when a state has been left so.
fn sets<'f>(state: &'f State, label: &Label) -> BTreeSet<&'f VariableName> {
    match (&state.kind, label) {
        (_, Label::StepUp | Label::AgentStepUp | Label::Outcome(Outcome::Denied)) => {
            BTreeSet::new()
        }
        (Kind::Gather(_) | Kind::Lookup(_), Label::Outcome(Outcome::Ok))
        | (Kind::Set(_) | Kind::Call(_), _) => {
            state.assigns().into_iter().map(|(variable, _)| variable).collect()
        }
        (Kind::Branch(branch), label) => {
            let taken = match label {
                Label::Case(number) => *number,
                _ => branch.cases.len(),
            };
            let cases = branch.cases.iter().enumerate().take(taken + 1);
            cases.flat_map(|(number, case)| there(&case.when, number == taken)).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// The variables that are there if a condition holds, or if it does not.
fn there(condition: &Condition, holds: bool) -> BTreeSet<&VariableName> {
    match condition {
        Condition::Variable(variable, test, _) => {
            let is_there = if *test == Test::Present(false) { !holds } else { holds };
            is_there.then_some(variable).into_iter().collect()
        }
        Condition::Not(other) => there(other, !holds),
        Condition::All(parts) | Condition::Any(parts) => {
            let mut parts = parts.iter().map(|part| there(part, holds));
            if holds == matches!(condition, Condition::All(_)) {
                return parts.flatten().collect();
            }
            let first = parts.next().unwrap_or_default();
            parts.fold(first, |all, part| all.intersection(&part).copied().collect())
        }
        _ => BTreeSet::new(),
    }
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
