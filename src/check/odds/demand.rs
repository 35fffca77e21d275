//! What a state asks for, and which proofs are enough for it on some way of the flow.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::proof::{Told, Walks};
use crate::diagnostic::Place;
use crate::flow::Flow;
use crate::flow::level::{Fact, Formula, Level};
use crate::flow::name::{FieldName, FlowName, LevelName, StateName};
use crate::flow::state::{Kind, State};

/// Proofs that are enough together.
pub type Proofs = BTreeSet<Fact>;

/// One thing for which a state asks for a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What it tells at that level; `None`: it requires the level to be entered.
    pub told: Option<Told>,
    /// The level.
    pub level: LevelName,
}

/// What a state asks for, of who enters it or of who has fields shared there.
#[derive(Clone, Debug)]
pub(super) struct Demand<'f> {
    pub(super) flow: &'f Flow,
    pub(super) state: &'f State,
    /// The level that it requires, and the fields and variables that it tells or shares, each with its level.
    pub(super) asks: Vec<Ask>,
    pub(super) formula: Formula,
    /// Who does not meet it is let in all the same, and the fields are not shared.
    pub(super) of_shared: bool,
    pub(super) place: Place,
}

/// The levels of the variables that a state tells, on one of the ways to it.
type Labelled<'f> = Vec<(Told, &'f LevelName, &'f Level)>;

/// Everything that the states of the calls of these walks ask for, in the order of the files.
pub(super) fn demands<'f>(walks: &Walks<'f>) -> Vec<Demand<'f>> {
    let mut labelled: BTreeMap<_, Vec<Labelled<'f>>> = BTreeMap::new();
    for (flow, state, variables) in walks.labelled() {
        let known = labelled.entry((&flow.name, &state.name)).or_default();
        if !known.contains(&variables) {
            known.push(variables);
        }
    }
    let of = |(flow, state): &(&'f Flow, &'f State)| {
        let ways = labelled.remove(&(&flow.name, &state.name)).unwrap_or_default();
        of_state(walks.start, flow, state, &ways)
    };
    walks.states().flat_map(of).collect()
}

/// What a state asks for. What a variable asks for that has a level on some of the ways alone is a demand of its own.
fn of_state<'f>(
    start: &'f Flow,
    flow: &'f Flow,
    state: &'f State,
    ways: &[Labelled<'f>],
) -> Vec<Demand<'f>> {
    let level = |name: &LevelName| start.levels.get(name).or_else(|| flow.levels.get(name));
    let disclosed = |field: &FieldName| {
        let name: &'f LevelName = start.disclose.get(field)?;
        Some((name, level(name)?))
    };
    let mut entry = Demand {
        flow,
        state,
        asks: Vec::new(),
        formula: Formula::All(Vec::new()),
        of_shared: false,
        place: state.place.clone(),
    };
    if let Some((name, _)) = &state.requires
        && let Some(level) = level(name)
    {
        entry.ask(None, name, level);
    }
    for (field, _) in crate::check::proof::fields(state) {
        if let Some((name, level)) = disclosed(&field) {
            entry.ask(Some(Told::Field(field)), name, level);
        }
    }
    let with = |variables: &Labelled<'f>| {
        let mut demand = entry.clone();
        for (told, name, level) in variables {
            demand.ask(Some(told.clone()), name, level);
        }
        demand
    };
    let asks_no_more = |variables: &&Labelled<'f>| {
        variables.iter().all(|(_, name, level)| entry.includes(name, level))
    };
    let guarded: Vec<_> = ways.iter().filter(|variables| !variables.is_empty()).collect();
    let is_plain = guarded.len() < ways.len() || guarded.is_empty();
    let plain = (is_plain && !guarded.iter().any(asks_no_more)).then(|| entry.clone());
    let all = plain.into_iter().chain(guarded.into_iter().map(with));
    let mut all: Vec<_> = all.filter(|demand| !demand.asks.is_empty()).collect();
    if let Kind::Transfer(transfer) = &state.kind {
        let shares = transfer.share.iter();
        let shares = shares.filter_map(|(field, _)| Some((field, disclosed(field)?)));
        share(&mut all, &entry, shares);
    }
    all
}

/// Adds what a transfer shares. It is entered whether or not a field may be shared, so what a field asks for beyond
/// that is a demand of its own.
fn share<'f>(
    all: &mut Vec<Demand<'f>>,
    entry: &Demand<'f>,
    shares: impl Iterator<Item = (&'f FieldName, (&'f LevelName, &'f Level))>,
) {
    let mut further: Vec<Demand<'_>> = Vec::new();
    for (field, (name, level)) in shares {
        let field = Some(Told::Field(field.clone()));
        if entry.includes(name, level) {
            for demand in &mut *all {
                demand.ask(field.clone(), name, level);
            }
        } else if let Some(of_level) = further.iter_mut().find(|demand| demand.names(name)) {
            of_level.ask(field, name, level);
        } else {
            let mut demand = Demand { of_shared: true, ..entry.clone() };
            demand.ask(field, name, level);
            further.push(demand);
        }
    }
    all.append(&mut further);
}

impl Demand<'_> {
    fn ask(&mut self, told: Option<Told>, name: &LevelName, level: &Level) {
        let ask = Ask { told, level: name.clone() };
        if !self.asks.contains(&ask) {
            self.asks.push(ask);
        }
        if let Formula::All(parts) = &mut self.formula
            && !parts.contains(&level.formula)
        {
            parts.push(level.formula.clone());
        }
    }

    /// What it asks for, in words.
    pub(super) fn words(&self) -> String {
        match &self.formula {
            Formula::All(parts) if let [one] = parts.as_slice() => one.words(),
            several => several.words(),
        }
    }

    fn names(&self, level: &LevelName) -> bool {
        self.asks.iter().any(|ask| ask.level == *level)
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
