//! What lies behind a branch that goes by what was proved: it opens that as `requires` does, and nothing else may say so.
//!
//! It opens what does something: hands over, asks a back end, sends a link, records a message, or tells what has a
//! level on some way. Words that anybody may hear open nothing, and neither does taking another proof: such states are
//! gone through to what follows them. What others come to as well is not opened, and nor is what follows it.
//!
//! Of each case only this counts: which proofs its condition, and that of none before it, cannot do without. Whether
//! the network, the hour or a variable lets somebody on is nothing that guessing decides.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::demand::{Demand, Otherwise, Proofs};
use crate::check::proof::Walks;
use crate::flow::Flow;
use crate::flow::condition::Condition;
use crate::flow::edge::Label;
use crate::flow::level::{Formula, Level};
use crate::flow::name::{FlowName, LevelName, StateName};
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State, Target};
use crate::flow::states::branch::Branch;

/// A state, and the flow that it is of.
type At<'f> = (&'f Flow, &'f State);

/// The same by their names.
type Named<'f> = (&'f FlowName, &'f StateName);

/// The proofs that ways bring to each state.
pub(super) type Brought = BTreeMap<(FlowName, StateName), BTreeSet<Proofs>>;

/// The branches that ask about a fact or a level.
pub(super) fn branches(walks: &Walks<'_>) -> Vec<(FlowName, StateName)> {
    let branches = walks.states().filter(|(_, state)| goes_by_proof(state).is_some());
    branches.map(|(flow, state)| (flow.name.clone(), state.name.clone())).collect()
}

fn goes_by_proof(state: &State) -> Option<&Branch> {
    let asks =
        |condition: &&Condition| matches!(condition, Condition::Fact(_) | Condition::Level(..));
    match &state.kind {
        Kind::Branch(branch) => {
            branch.cases.iter().any(|case| case.when.walk().iter().any(asks)).then_some(branch)
        }
        _ => None,
    }
}

/// What such branches lead to, and nobody comes to without a proof: what each asks for is what the least of its ways
/// bring. What asks itself everybody who comes in is counted there.
pub(super) fn demands<'f>(
    walks: &Walks<'f>,
    brought: &Brought,
    asking: &[Demand<'f>],
) -> Vec<Demand<'f>> {
    let onward = Onward::of(walks, asking);
    let (mut known, mut found) = (HashSet::new(), Vec::new());
    for at in walks.states() {
        for target in guarded(walks, *at) {
            let mut wanted = vec![(at.0, &target.state)];
            while let Some((flow, name)) = wanted.pop() {
                let Some(state) = flow.state(name).filter(|_| known.insert((&flow.name, name)))
                else {
                    continue;
                };
                let Some(proofs) = of_all(brought, (flow, state)) else { continue };
                if onward.asks_all((flow, state), proofs) {
                    wanted.extend(turned_away((flow, state)));
                } else if onward.does((flow, state)) {
                    found.push(demand((flow, state), proofs, *at, target));
                } else {
                    wanted.extend(onward.from((flow, state)));
                }
            }
        }
    }
    found
}

/// What those bring who come to a state; `None`: some bring nothing, or nobody comes.
fn of_all<'b>(brought: &'b Brought, (flow, state): At<'_>) -> Option<&'b BTreeSet<Proofs>> {
    let all = brought.get(&(flow.name.clone(), state.name.clone()))?;
    (!all.iter().any(BTreeSet::is_empty)).then_some(all)
}

fn demand<'f>(
    (flow, state): At<'f>,
    all: &BTreeSet<Proofs>,
    (of, branch): At<'f>,
    target: &Target,
) -> Demand<'f> {
    let least =
        |proofs: &&Proofs| !all.iter().any(|fewer| fewer != *proofs && fewer.is_subset(proofs));
    let set = |proofs: &Proofs| Formula::All(proofs.iter().copied().map(Formula::Fact).collect());
    let formula = Formula::Any(all.iter().filter(least).map(set).collect());
    let branch = (of.name.clone(), branch.name.clone());
    Demand {
        flow,
        state,
        asks: Vec::new(),
        behind: Some((branch, target.place.clone())),
        formula,
        otherwise: Otherwise::TurnedAway,
        place: state.place.clone(),
    }
}

/// Where a branch leads only those who have proved something.
fn guarded<'f>(walks: &Walks<'f>, (flow, state): At<'f>) -> Vec<&'f Target> {
    let Some(branch) = goes_by_proof(state) else { return Vec::new() };
    let level = |name: &LevelName| walks.start.levels.get(name).or_else(|| flow.levels.get(name));
    let is_open = |formula: &Formula| formula.is_met_by(&Proofs::new(), true);
    let (mut before, mut guarded) = (Vec::new(), Vec::new());
    for case in &branch.cases {
        let own = needs(&case.when, true, &level);
        if !is_open(&Formula::All([before.as_slice(), &[own]].concat())) {
            guarded.push(&case.next);
        }
        before.push(needs(&case.when, false, &level));
    }
    let rest = state.routes.get(&Outcome::Otherwise);
    guarded.extend(rest.filter(|_| !is_open(&Formula::All(before))));
    guarded
}

/// The proofs without which a condition does not hold (or does not fail).
fn needs<'f>(
    condition: &Condition,
    holds: bool,
    level: &impl Fn(&LevelName) -> Option<&'f Level>,
) -> Formula {
    let of = |parts: &[Condition]| parts.iter().map(|part| needs(part, holds, level)).collect();
    match condition {
        Condition::Fact(fact) if holds => Formula::Fact(*fact),
        Condition::Level(name, _) if holds => {
            level(name).map_or(Formula::Any(Vec::new()), |level| level.formula.clone())
        }
        Condition::Not(inner) => needs(inner, !holds, level),
        Condition::All(parts) if holds => Formula::All(of(parts)),
        Condition::Any(parts) if !holds => Formula::All(of(parts)),
        Condition::All(parts) | Condition::Any(parts) => Formula::Any(of(parts)),
        _ => Formula::All(Vec::new()),
    }
}

/// How one goes on from states, and what those ask for themselves.
struct Onward<'w, 'f> {
    walks: &'w Walks<'f>,
    /// What turns away who has not proved it, by state: each on some way.
    asking: HashMap<Named<'f>, Vec<&'w Formula>>,
    /// The states that call a flow.
    callers: HashMap<&'f FlowName, Vec<At<'f>>>,
}

impl<'w, 'f> Onward<'w, 'f> {
    fn of(walks: &'w Walks<'f>, demands: &'w [Demand<'f>]) -> Self {
        let mut asking: HashMap<_, Vec<_>> = HashMap::new();
        for demand in demands.iter().filter(|it| it.otherwise == Otherwise::TurnedAway) {
            asking
                .entry((&demand.flow.name, &demand.state.name))
                .or_default()
                .push(&demand.formula);
        }
        let mut callers: HashMap<_, Vec<At<'f>>> = HashMap::new();
        for (flow, state) in walks.states() {
            if let Kind::Call(call) = &state.kind {
                callers.entry(&call.flow).or_default().push((flow, state));
            }
        }
        Self { walks, asking, callers }
    }

    /// Whether a state asks everybody who comes to it, and not on some ways alone.
    fn asks_all(&self, (flow, state): At<'f>, brought: &BTreeSet<Proofs>) -> bool {
        let asks = self.asking.get(&(&flow.name, &state.name));
        let asked = |proofs| asks.into_iter().flatten().any(|it| it.is_met_by(proofs, true));
        state.requires.is_some() || brought.iter().all(asked)
    }

    /// Whether a state does something, or tells what has a level on some way.
    fn does(&self, (flow, state): At<'f>) -> bool {
        let does = matches!(
            state.kind,
            Kind::Transfer(_) | Kind::Lookup(_) | Kind::SendLink(_) | Kind::Voicemail(_)
        );
        does || self.asking.contains_key(&(&flow.name, &state.name))
    }

    /// Where one goes on to. A sub-flow is gone into, and past as well: it may be others' too.
    fn from(&self, (flow, state): At<'f>) -> Vec<(&'f Flow, &'f StateName)> {
        let mut next: Vec<_> =
            state.edges().into_iter().map(|edge| (flow, &edge.to.state)).collect();
        match &state.kind {
            Kind::Call(call) => {
                let called = self.walks.flow(&call.flow);
                next.extend(called.map(|called| (called, &called.start)));
            }
            Kind::Return(back) => {
                let callers = self.callers.get(&flow.name).into_iter().flatten();
                let route =
                    |(own, state): &At<'f>| Some((*own, state.route(&back.outcome.as_ref()?.0)?));
                next.extend(callers.filter_map(route));
            }
            _ => {}
        }
        next
    }
}

/// Where those go on to whom a state does not let in.
fn turned_away((flow, state): At<'_>) -> impl Iterator<Item = (&Flow, &StateName)> {
    let away = |label: &Label| matches!(label, Label::StepUp | Label::Outcome(Outcome::Denied));
    let edges = state.edges().into_iter().filter(move |edge| away(&edge.label));
    edges.map(move |edge| (flow, &edge.to.state))
}
