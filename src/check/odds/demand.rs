//! What a state asks for, and which proofs are enough for it on some way of the flow.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::proof::Walks;
use crate::diagnostic::Place;
use crate::flow::level::{Class, Fact, Formula};
use crate::flow::name::{FieldName, FlowName, StateName};
use crate::flow::state::{Kind, State};
use crate::flow::{Flow, FlowSet};

/// Proofs that are enough together.
pub type Proofs = BTreeSet<Fact>;

/// A state that asks for something.
#[derive(Clone, Debug)]
pub(super) struct Demand<'f> {
    pub(super) flow: &'f Flow,
    pub(super) state: &'f State,
    /// The level that it requires, and the fields that it uses, each with its level.
    pub(super) asks: Vec<(Option<FieldName>, String)>,
    pub(super) formula: Formula,
    pub(super) place: Place,
}

/// Every state of a call that begins in `start` which asks for something, in the order of the files.
pub(super) fn demands<'f>(flows: &'f FlowSet, start: &'f Flow) -> Vec<Demand<'f>> {
    let states = flows.iter().flat_map(|flow| flow.states.values().map(move |s| (&**flow, s)));
    states.filter_map(|(flow, state)| demand(start, flow, state)).collect()
}

fn demand<'f>(start: &'f Flow, flow: &'f Flow, state: &'f State) -> Option<Demand<'f>> {
    let mut asks = Vec::new();
    let mut parts = Vec::new();
    let wanted = state.requires.iter().map(|(name, _)| (None, name.clone()));
    let used = crate::check::proof::fields(state).into_iter().map(|(field, _)| field);
    let shared = match &state.kind {
        Kind::Transfer(transfer) => transfer.share.iter().map(|(f, _)| f.clone()).collect(),
        _ => Vec::new(),
    };
    let labelled = used.chain(shared).filter_map(|field| {
        let level = start.disclose.get(&field)?.clone();
        Some((Some(field), level))
    });
    for (field, name) in wanted.chain(labelled) {
        if asks.iter().any(|(known, _)| *known == field) {
            continue;
        }
        let level = start.levels.get(&name).or_else(|| flow.levels.get(&name))?;
        parts.push(level.formula.clone());
        asks.push((field, name.to_string()));
    }
    let place = state.place.clone();
    (!asks.is_empty()).then_some(Demand { flow, state, asks, formula: Formula::All(parts), place })
}

/// For each state, the proofs that some way brings to it.
pub(super) fn brought(walks: &Walks<'_>) -> BTreeMap<(FlowName, StateName), BTreeSet<Proofs>> {
    let mut brought: BTreeMap<_, BTreeSet<Proofs>> = BTreeMap::new();
    for (flow, state, known) in walks.arrivals() {
        let proofs = known.facts().map(|(fact, _)| fact).collect();
        let at = (flow.name.clone(), state.name.clone());
        brought.entry(at).or_default().insert(proofs);
    }
    brought
}

/// The least sets of proofs that meet the formula and that some way brings.
pub(super) fn enough(formula: &Formula, brought: &BTreeSet<Proofs>) -> Vec<Proofs> {
    let all = (0..1_u32 << Fact::ALL.len()).map(|set| -> Proofs {
        let facts = Fact::ALL.into_iter().enumerate();
        facts.filter(|(bit, _)| set & (1 << bit) != 0).map(|(_, fact)| fact).collect()
    });
    let met: Vec<Proofs> = all.filter(|proofs| holds(formula, proofs)).collect();
    let least =
        |proofs: &&Proofs| !met.iter().any(|fewer| fewer != *proofs && fewer.is_subset(proofs));
    let possible = |proofs: &&Proofs| brought.iter().any(|all| proofs.is_subset(all));
    met.iter().filter(least).filter(possible).cloned().collect()
}

fn holds(formula: &Formula, proofs: &Proofs) -> bool {
    match formula {
        Formula::Fact(fact) => proofs.contains(fact),
        Formula::Class(class) => counts(proofs, *class),
        Formula::All(parts) => parts.iter().all(|part| holds(part, proofs)),
        Formula::Any(parts) => parts.iter().any(|part| holds(part, proofs)),
    }
}

fn counts(proofs: &Proofs, class: Class) -> bool {
    proofs.iter().any(|fact| fact.class() == Some(class))
}
