//! What a state asks for, and which proofs are enough for it on some way of the flow.

use std::collections::{BTreeMap, BTreeSet};

use super::behind::{self, Brought};
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
    /// For what.
    pub what: What,
    /// The level.
    pub level: LevelName,
}

/// What a level is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// To enter the state.
    Entry,
    /// To be told this there.
    Told(Told),
    /// That a specialist who asks for the level is told that it is met.
    Specialist,
}

/// What becomes of a caller there who does not meet what is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// They are not let in.
    TurnedAway,
    /// They are let in, and the fields are not shared.
    NotShared,
    /// They are let in, and a specialist who asks is told that it is not met.
    NotVouched,
}

/// What a state asks for, of who enters it or of who has fields shared there.
#[derive(Clone, Debug)]
pub(super) struct Demand<'f> {
    pub(super) flow: &'f Flow,
    pub(super) state: &'f State,
    /// The level that it requires, the fields and variables that it tells or shares, each with its level, and the
    /// level that a specialist may ask for.
    pub(super) asks: Vec<Ask>,
    /// The branch that leads there only those who have proved something, where the state itself asks for nothing, and
    /// where it does.
    pub(super) behind: Option<((FlowName, StateName), Place)>,
    pub(super) formula: Formula,
    pub(super) otherwise: Otherwise,
    pub(super) place: Place,
}

/// The levels of the variables that a state tells, on one of the ways to it.
type Labelled<'f> = Vec<(Told, &'f LevelName, &'f Level)>;

/// Everything that the states of the calls of these walks ask for, in the order of the files, and then what branches do.
pub(super) fn demands<'f>(walks: &Walks<'f>, brought: &Brought) -> Vec<Demand<'f>> {
    let mut demands = of_states(walks);
    demands.extend(behind::demands(walks, brought, &demands));
    demands
}

fn of_states<'f>(walks: &Walks<'f>) -> Vec<Demand<'f>> {
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
        behind: None,
        formula: Formula::All(Vec::new()),
        otherwise: Otherwise::TurnedAway,
        place: state.place.clone(),
    };
    if let Some((name, _)) = &state.requires
        && let Some(level) = level(name)
    {
        entry.ask(What::Entry, name, level);
    }
    for (field, _) in crate::check::proof::fields(state) {
        if let Some((name, level)) = disclosed(&field) {
            entry.ask(What::Told(Told::Field(field)), name, level);
        }
    }
    let with = |variables: &Labelled<'f>| {
        let mut demand = entry.clone();
        for (told, name, level) in variables {
            demand.ask(What::Told(told.clone()), name, level);
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
    // A level that whoever is connected has met tells the specialist nothing new.
    if let Some(to) = state.agent_step_up() {
        let asked_for = start.levels.iter().filter(|(name, level)| !entry.includes(name, level));
        all.extend(asked_for.map(|(name, level)| {
            let (otherwise, place) = (Otherwise::NotVouched, to.place.clone());
            let mut demand = Demand { otherwise, place, ..entry.clone() };
            demand.ask(What::Specialist, name, level);
            demand
        }));
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
        let field = What::Told(Told::Field(field.clone()));
        if entry.includes(name, level) {
            for demand in &mut *all {
                demand.ask(field.clone(), name, level);
            }
        } else if let Some(of_level) = further.iter_mut().find(|demand| demand.names(name)) {
            of_level.ask(field, name, level);
        } else {
            let mut demand = Demand { otherwise: Otherwise::NotShared, ..entry.clone() };
            demand.ask(field, name, level);
            further.push(demand);
        }
    }
    all.append(&mut further);
}

impl Demand<'_> {
    fn ask(&mut self, what: What, name: &LevelName, level: &Level) {
        let ask = Ask { what, level: name.clone() };
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
pub(super) fn brought(walks: &Walks<'_>) -> Brought {
    let mut brought = Brought::new();
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
