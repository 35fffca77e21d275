//! What all walks of one check go by: the states, by number, and what the flows tell apart.

use std::collections::{HashMap, HashSet};

use crate::check::Subject;
use crate::check::proof::known::NEVER;
use crate::check::rules::unset_variable::surely_given;
use crate::flow::condition::Condition;
use crate::flow::name::{FlowName, StateName, VariableName};
use crate::flow::risk::Risk;
use crate::flow::state::{Kind, State};
use crate::flow::{Flow, FlowSet};

/// What all walks of one check go by.
#[derive(Debug)]
pub(super) struct Map<'f> {
    pub(super) flows: &'f FlowSet,
    /// Every state of every flow; what the others call the number of a state.
    pub(super) places: Vec<(&'f Flow, &'f State)>,
    /// The number of the first state of each flow.
    firsts: HashMap<&'f FlowName, usize>,
    /// By the number of each state: whether a `return` can be come to from there that comes back to what
    /// was left before it. Where none can, nobody asks what that was.
    comes_back: Vec<bool>,
    /// The variables that are there wherever a flow comes back to callers who take them out of it.
    pub(super) given: HashSet<(&'f FlowName, &'f VariableName)>,
    /// The flows that others call.
    pub(super) called: HashSet<&'f FlowName>,
    /// Beyond so many seconds all ages are one.
    pub(super) oldest_s: u32,
    /// The bands of risk that the flows tell apart.
    pub(super) risks: &'static [Risk],
}

impl<'f> Map<'f> {
    pub(super) fn of(subject: &Subject<'f>) -> Self {
        let flows = subject.flows;
        let (mut places, mut firsts, mut comes_back) = (Vec::new(), HashMap::new(), Vec::new());
        for walk in subject.walks() {
            firsts.insert(&walk.flow.name, places.len());
            places.extend(walk.flow.states.values().map(|state| (walk.flow, state)));
            comes_back.extend_from_slice(walk.returning());
        }
        let levels = flows.iter().flat_map(|flow| flow.levels.values());
        let ages =
            levels.flat_map(|level| level.demands(Risk::High).filter_map(|(_, within)| within));
        let longest = ages.max().unwrap_or_default();
        Self {
            flows,
            places,
            firsts,
            comes_back,
            given: surely_given(subject),
            called: flows.iter().flat_map(|flow| flow.calls()).collect(),
            oldest_s: u32::try_from(longest.as_secs()).unwrap_or(NEVER - 2).saturating_add(1),
            risks: told_apart(flows),
        }
    }

    /// The state of a number.
    pub(super) fn state(&self, place: usize) -> Option<(&'f Flow, &'f State)> {
        self.places.get(place).copied()
    }

    /// The number of a state.
    pub(super) fn number(&self, flow: &Flow, state: &StateName) -> Option<usize> {
        Some(self.firsts.get(&flow.name)? + flow.states.get_index_of(state)?)
    }

    /// The flows that calls which begin in this one may come to, without it.
    pub(super) fn called_from(&self, start: &'f Flow) -> Vec<&'f Flow> {
        let mut called: Vec<&'f Flow> = Vec::new();
        let mut known = HashSet::from([&start.name]);
        let mut wanted: Vec<_> = start.calls().collect();
        while let Some(name) = wanted.pop() {
            if let Some(flow) = self.flows.get(name.as_str())
                && known.insert(&flow.name)
            {
                wanted.extend(flow.calls());
                called.push(flow);
            }
        }
        called
    }

    /// Whether a `return` can be come to from a state that comes back to what was left before it.
    pub(super) fn comes_back(&self, place: usize) -> bool {
        self.comes_back.get(place).is_some_and(|back| *back)
    }
}

/// The bands of risk that the flows tell apart.
fn told_apart(flows: &FlowSet) -> &'static [Risk] {
    let asks = |condition: &&Condition| {
        matches!(condition, Condition::Risk(_) | Condition::RiskAtLeast(_))
    };
    let branches = |state: &State| match &state.kind {
        Kind::Branch(branch) => branch.cases.iter().any(|case| case.when.walk().iter().any(asks)),
        _ => false,
    };
    let told = flows.iter().any(|flow| {
        flow.levels.values().any(|level| !level.at_risk.is_empty())
            || flow.states.values().any(branches)
    });
    if told { &Risk::ALL } else { &[Risk::Low] }
}
