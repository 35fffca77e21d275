//! What lies behind a branch that goes by what was proved: it opens that as `requires` does, and nothing else may say so.
//!
//! Of each case only this counts: which proofs its condition, and that of none before it, cannot do without. Whether
//! the network, the hour or a variable lets somebody on is nothing that guessing decides.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::demand::{Demand, Otherwise, Proofs};
use crate::check::proof::Walks;
use crate::diagnostic::Place;
use crate::flow::Flow;
use crate::flow::condition::Condition;
use crate::flow::level::{Formula, Level};
use crate::flow::name::{FlowName, LevelName, StateName};
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State, Target};
use crate::flow::states::branch::Branch;

/// A state, and the flow that it is of.
type At<'f> = (&'f Flow, &'f State);

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
    let turns_away = asking.iter().filter(|demand| demand.otherwise == Otherwise::TurnedAway);
    let told: HashSet<_> =
        turns_away.map(|demand| (&demand.flow.name, &demand.state.name)).collect();
    let mut callers: HashMap<_, Vec<At<'f>>> = HashMap::new();
    for (flow, state) in walks.states() {
        if let Kind::Call(call) = &state.kind {
            callers.entry(&call.flow).or_default().push((flow, state));
        }
    }
    let (mut known, mut found) = (HashSet::new(), Vec::new());
    for at in walks.states() {
        for target in guarded(walks, *at) {
            for (flow, state) in opened(walks, &callers, &mut known, (at.0, &target.state)) {
                if !told.contains(&(&flow.name, &state.name)) {
                    found.extend(demand((flow, state), brought, *at, &target.place));
                }
            }
        }
    }
    found
}

fn demand<'f>(
    (flow, state): At<'f>,
    brought: &Brought,
    branch: At<'f>,
    place: &Place,
) -> Option<Demand<'f>> {
    let all = brought.get(&(flow.name.clone(), state.name.clone()))?;
    if all.iter().any(BTreeSet::is_empty) {
        return None;
    }
    let least =
        |proofs: &&Proofs| !all.iter().any(|fewer| fewer != *proofs && fewer.is_subset(proofs));
    let set = |proofs: &Proofs| Formula::All(proofs.iter().copied().map(Formula::Fact).collect());
    let formula = Formula::Any(all.iter().filter(least).map(set).collect());
    Some(Demand {
        flow,
        state,
        asks: Vec::new(),
        behind: Some((branch.0.name.clone(), branch.1.name.clone())),
        formula,
        otherwise: Otherwise::TurnedAway,
        place: place.clone(),
    })
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

/// The states that do or tell something to which one comes from here by others that do not, and which are not yet known.
fn opened<'f>(
    walks: &Walks<'f>,
    callers: &HashMap<&'f FlowName, Vec<At<'f>>>,
    known: &mut HashSet<(&'f FlowName, &'f StateName)>,
    from: (&'f Flow, &'f StateName),
) -> Vec<At<'f>> {
    let mut opened = Vec::new();
    let mut wanted = vec![from];
    while let Some((flow, name)) = wanted.pop() {
        let Some(state) = flow.state(name).filter(|_| known.insert((&flow.name, name))) else {
            continue;
        };
        match &state.kind {
            Kind::Call(call) => {
                let called = walks.flow(&call.flow);
                wanted.extend(called.map(|called| (called, &called.start)));
            }
            Kind::Return(back) => {
                let Some((outcome, _)) = &back.outcome else { continue };
                let callers = callers.get(&flow.name).into_iter().flatten();
                wanted
                    .extend(callers.filter_map(|(own, state)| Some((*own, state.route(outcome)?))));
            }
            kind if passes(kind) => {
                wanted.extend(state.edges().into_iter().map(|edge| (flow, &edge.to.state)));
            }
            // Whoever claims somebody has proved nothing of them.
            Kind::Identify(_) | Kind::Reject(_) => {}
            _ => opened.push((flow, state)),
        }
    }
    opened
}

/// Whether a state does nothing but lead on, or take another proof.
fn passes(kind: &Kind) -> bool {
    let goodbye = matches!(kind, Kind::Hangup(hangup) if hangup.prompt.is_none());
    goodbye
        || matches!(kind, Kind::Set(_) | Kind::Branch(_))
        || kind.is_proof()
        || kind.sends_code().is_some()
}
