//! What flows pass each other: which variables are there where one is come to, and where it is come back from.
//!
//! Of both the most is supposed at first, and what a caller may lack is taken away, until nothing changes.

use std::collections::{HashMap, HashSet, VecDeque};

use super::ways::{AT_ONCE, Ways};
use crate::check::subject::{Subject, Walk};
use crate::flow::name::{FlowName, VariableName};
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State};
use crate::flow::states::call::CallFlow;

/// What is there on every way.
pub(super) struct Across<'f> {
    /// Where a flow is come to.
    passed: HashMap<&'f FlowName, HashSet<&'f VariableName>>,
    /// Where it is come back from with an outcome.
    given: HashMap<(&'f FlowName, &'f Outcome), HashSet<&'f VariableName>>,
    /// The flows that take the claim of an account, or call one that does.
    claims: HashSet<&'f FlowName>,
    /// The flows that call each.
    callers: HashMap<&'f FlowName, Vec<&'f FlowName>>,
    /// The first state that comes to a flow without a variable that others pass it.
    withheld: HashMap<(&'f FlowName, &'f VariableName), &'f State>,
}

impl<'f> Across<'f> {
    /// `None`: so much was looked at that no more is.
    pub(super) fn of(subject: &Subject<'f>, steps: &mut usize) -> Option<Self> {
        Self::at_most(subject).narrowed(subject, steps)
    }

    /// The same where nothing is passed into any flow: what is there nevertheless is set in it.
    pub(super) fn with_nothing_passed(subject: &Subject<'f>, steps: &mut usize) -> Option<Self> {
        let at_most = Self { passed: HashMap::new(), ..Self::at_most(subject) };
        at_most.narrowed(subject, steps)
    }

    fn narrowed(mut self, subject: &Subject<'f>, steps: &mut usize) -> Option<Self> {
        let mut wanted: VecDeque<_> = subject.walks().collect();
        let mut waits: HashSet<_> = wanted.iter().map(|walk| &walk.flow.name).collect();
        while let Some(walk) = wanted.pop_front() {
            waits.remove(&walk.flow.name);
            for changed in self.narrowed_by(walk, steps)? {
                let others = match changed {
                    Changed::Passed(name) => vec![name],
                    Changed::Given(name) => self.callers.get(name).cloned().unwrap_or_default(),
                };
                let others = others.into_iter().filter_map(|name| subject.walks.get(name));
                wanted.extend(others.filter(|other| waits.insert(&other.flow.name)));
            }
        }
        Some(self)
    }

    /// The variables that are there wherever the flow is come to.
    pub(super) fn passed(&self, flow: &FlowName) -> impl Iterator<Item = &'f VariableName> {
        self.passed.get(flow).into_iter().flatten().copied()
    }

    /// Whether it is there wherever the flow is come back from with this outcome.
    pub(super) fn is_given(
        &self,
        flow: &FlowName,
        outcome: &Outcome,
        variable: &VariableName,
    ) -> bool {
        self.given.get(&(flow, outcome)).is_some_and(|given| given.contains(variable))
    }

    /// Whether it is there however the flow is come back from.
    pub(super) fn is_given_always(&self, flow: &FlowName, variable: &VariableName) -> bool {
        let mut all = self.given.iter().filter(|((of, _), _)| *of == flow);
        all.all(|(_, given)| given.contains(variable))
    }

    /// Whether an account is claimed in the flow.
    pub(super) fn claims(&self, flow: &FlowName) -> bool {
        self.claims.contains(flow)
    }

    /// The state that comes to the flow without the variable, where others pass it.
    pub(super) fn withheld_by(
        &self,
        flow: &FlowName,
        variable: &VariableName,
    ) -> Option<&'f State> {
        self.withheld.get(&(flow, variable)).copied()
    }

    /// All that some state passes, and all that some state takes.
    fn at_most(subject: &Subject<'f>) -> Self {
        let (mut passed, mut taken) = (HashMap::new(), HashMap::new());
        let mut callers: HashMap<&'f FlowName, Vec<&'f FlowName>> = HashMap::new();
        let mut claiming = Vec::new();
        for (walk, state) in subject.states() {
            let own = &walk.flow.name;
            match &state.kind {
                Kind::Identify(_) => claiming.push(own),
                Kind::Call(call) => {
                    let to: &mut HashSet<_> = passed.entry(&call.flow).or_default();
                    to.extend(call.with.iter().map(|with| &with.to));
                    let from: &mut HashSet<_> = taken.entry(&call.flow).or_default();
                    from.extend(call.give.iter().map(|give| &give.from));
                    callers.entry(&call.flow).or_default().push(own);
                }
                _ => {}
            }
        }
        let mut given = HashMap::new();
        for (walk, state) in subject.states() {
            if let (Some(outcome), Some(taken)) = (outcome(state), taken.get(&walk.flow.name)) {
                given.insert((&walk.flow.name, outcome), taken.clone());
            }
        }
        let mut claims = HashSet::new();
        while let Some(flow) = claiming.pop() {
            if claims.insert(flow) {
                claiming.extend(callers.get(flow).into_iter().flatten());
            }
        }
        Self { passed, given, claims, callers, withheld: HashMap::new() }
    }

    /// Takes away what callers may lack in this flow where it passes them on.
    fn narrowed_by(&mut self, walk: &Walk<'f>, steps: &mut usize) -> Option<Vec<Changed<'f>>> {
        let own = &walk.flow.name;
        let states = walk.flow.states.values().enumerate();
        let reached: Vec<_> = states.filter(|(index, _)| walk.reached(*index)).collect();
        let calls = reached.iter().filter_map(|(index, state)| match &state.kind {
            Kind::Call(call) => Some((*index, *state, call)),
            _ => None,
        });
        let calls: Vec<_> = calls.collect();
        let returns = reached.iter().filter_map(|(index, state)| Some((*index, outcome(state)?)));
        let returns: Vec<_> = returns.collect();
        let taken = returns.iter().filter_map(|(_, outcome)| self.given.get(&(own, *outcome)));
        let wanted: HashSet<_> = taken.flatten().copied().collect();
        let from = calls.iter().flat_map(|(_, _, call)| call.with.iter().map(|with| &with.from));
        let wanted: Vec<_> = wanted.into_iter().chain(from).collect();
        let ways = Ways::of(walk, self);
        let mut lacks: HashSet<(usize, &VariableName)> = HashSet::new();
        for some in wanted.chunks(AT_ONCE) {
            let lacking = ways.lacking(some, steps)?;
            let places = calls.iter().map(|(index, ..)| index);
            for index in places.chain(returns.iter().map(|(index, _)| index)) {
                let bits = lacking.get(*index).copied().unwrap_or_default();
                let lacked = some.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
                lacks.extend(lacked.map(|(_, variable)| (*index, *variable)));
            }
        }
        let mut changed = Vec::new();
        for (index, state, call) in calls {
            if self.withhold(state, call, |from| lacks.contains(&(index, from))) {
                changed.push(Changed::Passed(&call.flow));
            }
        }
        for (index, outcome) in returns {
            let Some(given) = self.given.get_mut(&(own, outcome)) else { continue };
            let before = given.len();
            given.retain(|variable| !lacks.contains(&(index, *variable)));
            if given.len() < before {
                changed.push(Changed::Given(own));
            }
        }
        Some(changed)
    }

    /// Takes away what a state does not pass, or may lack itself; whether it was supposed before.
    fn withhold(
        &mut self,
        state: &'f State,
        call: &'f CallFlow,
        lacks: impl Fn(&VariableName) -> bool,
    ) -> bool {
        let Some(passed) = self.passed.get_mut(&call.flow) else { return false };
        let sure =
            |to: &VariableName| call.with.iter().any(|with| with.to == *to && !lacks(&with.from));
        let before = passed.len();
        passed.retain(|to| {
            let kept = sure(to);
            if !kept {
                self.withheld.entry((&call.flow, to)).or_insert(state);
            }
            kept
        });
        passed.len() < before
    }
}

/// What has become less.
#[derive(Clone, Copy)]
enum Changed<'f> {
    /// What is passed into a flow.
    Passed(&'f FlowName),
    /// What is given by one.
    Given(&'f FlowName),
}

/// The outcome with which a state comes back.
fn outcome(state: &State) -> Option<&Outcome> {
    match &state.kind {
        Kind::Return(back) => back.outcome.as_ref().map(|(outcome, _)| outcome),
        _ => None,
    }
}
