//! What a state asks for, and which proofs are enough for it on some way of the flow.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::proof::Walks;
use crate::diagnostic::Place;
use crate::flow::level::{Fact, Formula, Level};
use crate::flow::name::{FieldName, FlowName, LevelName, StateName};
use crate::flow::state::{Kind, State};
use crate::flow::{Flow, FlowSet};

/// Proofs that are enough together.
pub type Proofs = BTreeSet<Fact>;

/// What a state asks for, of who enters it or of who has fields shared there.
#[derive(Clone, Debug)]
pub(super) struct Demand<'f> {
    pub(super) flow: &'f Flow,
    pub(super) state: &'f State,
    /// The level that it requires, and the fields that it uses or shares, each with its level.
    pub(super) asks: Vec<(Option<FieldName>, String)>,
    pub(super) formula: Formula,
    /// Who does not meet it is let in all the same, and the fields are not shared.
    pub(super) of_shared: bool,
    pub(super) place: Place,
}

/// Everything that states of a call which begins in `start` ask for, in the order of the files.
pub(super) fn demands<'f>(flows: &'f FlowSet, start: &'f Flow) -> Vec<Demand<'f>> {
    let states = flows.iter().flat_map(|flow| flow.states.values().map(move |s| (&**flow, s)));
    states.flat_map(|(flow, state)| of_state(start, flow, state)).collect()
}

/// What a state asks for. A transfer is entered whether or not a field that it shares may be shared, so
/// what a field asks for beyond the state is a demand of its own.
fn of_state<'f>(start: &'f Flow, flow: &'f Flow, state: &'f State) -> Vec<Demand<'f>> {
    let mut entry = Demand {
        flow,
        state,
        asks: Vec::new(),
        formula: Formula::All(Vec::new()),
        of_shared: false,
        place: state.place.clone(),
    };
    let level = |name: &LevelName| start.levels.get(name).or_else(|| flow.levels.get(name));
    let disclosed = |field: &FieldName| start.disclose.get(field);
    if let Some((name, _)) = &state.requires
        && let Some(level) = level(name)
    {
        entry.ask(None, name, level);
    }
    for (field, _) in crate::check::proof::fields(state) {
        let Some((name, level)) = disclosed(&field).and_then(|n| Some((n, level(n)?))) else {
            continue;
        };
        entry.ask(Some(field), name, level);
    }
    let Kind::Transfer(transfer) = &state.kind else { return entry.if_any() };
    let mut further: Vec<Demand<'_>> = Vec::new();
    let bare = entry.clone();
    for (field, _) in &transfer.share {
        let Some((name, level)) = disclosed(field).and_then(|n| Some((n, level(n)?))) else {
            continue;
        };
        let field = Some(field.clone());
        if bare.includes(name, level) {
            entry.ask(field, name, level);
        } else if let Some(of_level) = further.iter_mut().find(|demand| demand.names(name)) {
            of_level.ask(field, name, level);
        } else {
            let mut demand = Demand { of_shared: true, ..bare.clone() };
            demand.ask(field, name, level);
            further.push(demand);
        }
    }
    let mut all = entry.if_any();
    all.extend(further);
    all
}

impl Demand<'_> {
    fn ask(&mut self, field: Option<FieldName>, name: &LevelName, level: &Level) {
        if self.asks.iter().any(|(known, _)| *known == field) {
            return;
        }
        self.asks.push((field, name.to_string()));
        if let Formula::All(parts) = &mut self.formula {
            parts.push(level.formula.clone());
        }
    }

    fn names(&self, level: &LevelName) -> bool {
        self.asks.iter().any(|(_, name)| name == level.as_str())
    }

    /// Whether who meets it meets this level too.
    fn includes(&self, name: &LevelName, level: &Level) -> bool {
        let more = level.within.is_some() || !level.at_risk.is_empty();
        let implied = || {
            Fact::sets().all(|proofs| {
                [true, false].into_iter().all(|two_factors| {
                    !self.formula.is_met_by(&proofs, two_factors)
                        || level.formula.is_met_by(&proofs, two_factors)
                })
            })
        };
        self.names(name) || (!more && implied())
    }

    fn if_any(self) -> Vec<Self> {
        if self.asks.is_empty() { Vec::new() } else { vec![self] }
    }
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
    let met: Vec<Proofs> = Fact::sets().filter(|proofs| formula.is_met_by(proofs, true)).collect();
    let least =
        |proofs: &&Proofs| !met.iter().any(|fewer| fewer != *proofs && fewer.is_subset(proofs));
    let possible = |proofs: &&Proofs| brought.iter().any(|all| proofs.is_subset(all));
    met.iter().filter(least).filter(possible).cloned().collect()
}
