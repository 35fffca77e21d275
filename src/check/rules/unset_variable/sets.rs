//! Where variables come from: what is set when a state has been left so, and what of it is made of account data.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::across::Across;
use crate::flow::Flow;
use crate::flow::condition::{Condition, Test};
use crate::flow::edge::Label;
use crate::flow::name::VariableName;
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State};
use crate::flow::template::{Template, Use};

/// The variables that are there when a state has been left so.
pub(super) fn sets<'f>(
    state: &'f State,
    label: &Label,
    across: &Across<'f>,
) -> BTreeSet<&'f VariableName> {
    match (&state.kind, label) {
        (_, Label::StepUp | Label::AgentStepUp | Label::Outcome(Outcome::Denied)) => {
            BTreeSet::new()
        }
        (Kind::Gather(_) | Kind::Lookup(_), Label::Outcome(Outcome::Ok)) | (Kind::Set(_), _) => {
            state.assigns().into_iter().map(|(variable, _)| variable).collect()
        }
        (Kind::Call(call), Label::Outcome(outcome)) => {
            let given = |from| across.is_given(&call.flow, outcome, from);
            call.give.iter().filter(|give| given(&give.from)).map(|give| &give.to).collect()
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

/// The variables that are gone when a state has been left so, even if they were there before; `made`: those that
/// are made of account data.
pub(super) fn drops<'f>(
    state: &'f State,
    label: &Label,
    across: &Across<'f>,
    made: &BTreeSet<&'f VariableName>,
) -> BTreeSet<&'f VariableName> {
    match (&state.kind, label) {
        (Kind::Lookup(_), Label::Outcome(Outcome::Failed)) => {
            state.assigns().into_iter().map(|(variable, _)| variable).collect()
        }
        (Kind::Call(call), Label::Outcome(outcome)) if *outcome != Outcome::Denied => {
            if across.claims(&call.flow) { made.clone() } else { BTreeSet::new() }
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

/// The variables that are made of account data wherever they are set.
pub(super) fn made_of_accounts(flow: &Flow) -> HashSet<&VariableName> {
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
            let made = given.map(|it| Made {
                variable: &it.name,
                // What has a level belongs to the account that is claimed.
                of_account: of_account || it.label.is_some(),
                of: of.clone(),
            });
            made.collect()
        }
        _ => {
            let others = state.assigns().into_iter();
            others.map(|(variable, _)| Made { variable, of_account: false, of: vec![] }).collect()
        }
    }
}

/// The variables that a text fills in.
pub(super) fn variables(template: &Template) -> impl Iterator<Item = &VariableName> {
    template.uses.iter().filter_map(|used| match used {
        Use::Variable(variable) => Some(variable),
        Use::Field(_) | Use::Code => None,
    })
}
