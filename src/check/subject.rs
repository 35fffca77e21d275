//! What the rules look at: the flows, and how a call can move through them.
//!
//! A call carries what it must come back to. So a state can be reached in two ways: *plainly*, with
//! nothing pending but the call of its flow itself, and *proving*, with a step-up pending, to which a
//! `return` comes back. Facts are not looked at here: an edge that can be taken by somebody is taken.

use std::collections::VecDeque;

use indexmap::IndexMap;

use super::graph::Graph;
use super::proof::Walks;
use crate::flow::edge::Label;
use crate::flow::name::{FlowName, StateName};
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State, Target};
use crate::flow::{Flow, FlowSet};

/// What the rules look at.
#[derive(Debug)]
pub struct Subject<'f> {
    /// The flows.
    pub flows: &'f FlowSet,
    /// Each with the ways through it.
    pub walks: IndexMap<&'f FlowName, Walk<'f>>,
    /// What callers may have proved on every way, by the flow in which they begin.
    pub(super) proofs: Vec<Walks<'f>>,
}

/// A flow and the ways through it. States go by their number in the author's order.
#[derive(Debug)]
pub struct Walk<'f> {
    /// The flow.
    pub flow: &'f Flow,
    /// Whether another flow calls it.
    pub called: bool,
    /// How each state is reached with no step-up pending.
    plain: Vec<Reached<'f>>,
    /// Whether each state is reached with a step-up pending.
    proving: Vec<bool>,
}

/// How a state is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached<'f> {
    /// It is not.
    Never,
    /// The flow begins there.
    Start,
    /// By this edge, on a shortest way.
    By(&'f Target),
}

impl<'f> Subject<'f> {
    /// Walks through the flows.
    pub fn new(flows: &'f FlowSet) -> Self {
        let walk = |flow: &'f Flow| {
            let called = flows.iter().flat_map(|other| other.calls()).any(|c| *c == flow.name);
            (&flow.name, Walk::new(flow, called))
        };
        let walks = flows.iter().map(|flow| walk(flow)).collect();
        let mut subject = Self { flows, walks, proofs: Vec::new() };
        subject.proofs = Walks::of(&subject);
        subject
    }

    /// Every flow with the ways through it.
    pub fn walks(&self) -> impl Iterator<Item = &Walk<'f>> {
        self.walks.values()
    }

    /// Every state, with the ways through its flow.
    pub fn states(&self) -> impl Iterator<Item = (&Walk<'f>, &'f State)> {
        self.walks().flat_map(|walk| walk.flow.states.values().map(move |state| (walk, state)))
    }
}

impl<'f> Walk<'f> {
    pub(super) fn new(flow: &'f Flow, called: bool) -> Self {
        let mut walk = Self {
            flow,
            called,
            plain: vec![Reached::Never; flow.states.len()],
            proving: vec![false; flow.states.len()],
        };
        walk.walk_plainly();
        walk.walk_proving();
        walk
    }

    fn walk_plainly(&mut self) {
        let start = self.index(&self.flow.start);
        let mut wanted: VecDeque<_> = start.into_iter().map(|s| (s, Reached::Start)).collect();
        while let Some((index, by)) = wanted.pop_front() {
            let Some(reached @ Reached::Never) = self.plain.get_mut(index) else { continue };
            *reached = by;
            let targets = self.state(index).map(own_targets).unwrap_or_default();
            let next = |to: &'f Target| Some((self.index(&to.state)?, Reached::By(to)));
            wanted.extend(targets.into_iter().filter_map(next));
        }
    }

    fn walk_proving(&mut self) {
        let graph = self.without_step_ups();
        loop {
            let entered = self.flow.states.values().enumerate().filter(|(i, _)| self.reached(*i));
            let entered = entered.flat_map(|(_, state)| step_ups(state));
            let entered: Vec<_> = entered.filter_map(|to| self.index(&to.state)).collect();
            let proving = graph.reach(entered);
            if proving == self.proving {
                return;
            }
            self.proving = proving;
        }
    }

    /// Whether a `return` is ever reached from there that comes back from there, and not from a step-up
    /// on the way.
    pub fn comes_back_from(&self, to: &Target) -> bool {
        let reached = self.without_step_ups().reach(self.index(&to.state));
        let mut states = self.flow.states.values().zip(reached);
        states.any(|(state, reached)| reached && matches!(state.kind, Kind::Return(_)))
    }

    /// The flow's own edges without those to step-ups.
    fn without_step_ups(&self) -> Graph {
        let mut graph = Graph::new(self.flow.states.len());
        for (from, state) in self.flow.states.values().enumerate() {
            let to = own_targets(state).into_iter().filter_map(|to| self.index(&to.state));
            to.for_each(|to| graph.add(from, to));
        }
        graph
    }

    /// The number of a state.
    pub fn index(&self, name: &StateName) -> Option<usize> {
        self.flow.states.get_index_of(name)
    }

    /// The state of a number.
    pub fn state(&self, index: usize) -> Option<&'f State> {
        self.flow.states.get_index(index).map(|(_, state)| state)
    }

    /// Whether any call can get to a state.
    pub fn reached(&self, index: usize) -> bool {
        self.plainly(index) != Reached::Never || self.proving.get(index).is_some_and(|p| *p)
    }

    /// How a state is reached with no step-up pending.
    pub fn plainly(&self, index: usize) -> Reached<'f> {
        self.plain.get(index).copied().unwrap_or(Reached::Never)
    }

    /// Whether other flows are meant to call this one: one does, or it returns with an outcome that
    /// only a calling flow could take.
    pub fn is_sub_flow(&self) -> bool {
        self.called
            || self.flow.states.values().enumerate().any(|(index, state)| {
                let speaks = matches!(&state.kind, Kind::Return(back) if back.outcome.is_some());
                speaks && self.plainly(index) != Reached::Never
            })
    }

    /// Why no call may begin in this flow, which others call: what it would come to.
    pub fn not_dialled(&self) -> Option<String> {
        let mut states = self.flow.states.values().enumerate();
        states.find_map(|(index, state)| {
            let plainly = self.plainly(index) != Reached::Never;
            let level = state.requires.as_ref().map(|(level, _)| level);
            let level = level.filter(|level| !self.flow.levels.contains_key(*level));
            match (&state.kind, level) {
                (Kind::Return(_), _) if plainly => {
                    Some(format!("`{}` has nothing to return to", state.name))
                }
                (_, Some(level)) if self.reached(index) => Some(format!(
                    "`{}` requires `{level}`, a level of the flows that call it",
                    state.name
                )),
                _ => None,
            }
        })
    }

    /// For each state, those whose step-up a `return` there may come back to.
    pub fn comes_back_to(&self) -> Vec<Vec<usize>> {
        self.returns_from(|state| step_ups(state).collect())
    }

    /// The same of those step-ups alone that the caller's lack of a level leads to.
    pub fn proves_for(&self) -> Vec<Vec<usize>> {
        self.returns_from(|state| step_up(state).into_iter().collect())
    }

    /// The same of those alone that a specialist asks for.
    pub fn rejoins(&self) -> Vec<Vec<usize>> {
        self.returns_from(|state| state.agent_step_up().into_iter().collect())
    }

    fn returns_from(&self, entered: impl Fn(&'f State) -> Vec<&'f Target>) -> Vec<Vec<usize>> {
        let graph = self.without_step_ups();
        let mut back = vec![Vec::new(); self.flow.states.len()];
        for (asked, state) in self.flow.states.values().enumerate() {
            let targets = entered(state).into_iter();
            let entered: Vec<_> = targets.filter_map(|to| self.index(&to.state)).collect();
            if entered.is_empty() {
                continue;
            }
            let region = graph.reach(entered);
            for (returns, _) in back.iter_mut().zip(region).filter(|(_, within)| *within) {
                returns.push(asked);
            }
        }
        back
    }
}

/// Where a state leads by itself, its step-up left out.
pub(super) fn own_targets(state: &State) -> Vec<&Target> {
    let edges = state.edges().into_iter();
    let own = edges.filter(|edge| !matches!(edge.label, Label::StepUp | Label::AgentStepUp));
    own.map(|edge| edge.to).collect()
}

/// Where a state sends a caller who does not meet its level.
pub(super) fn step_up(state: &State) -> Option<&Target> {
    state.step_up.as_ref().filter(|_| state.requires.is_some())
}

/// Where a state sends a caller from whom a `return` comes back to it.
fn step_ups(state: &State) -> impl Iterator<Item = &Target> {
    step_up(state).into_iter().chain(state.agent_step_up())
}

/// Where a state sends a caller who cannot meet its level.
pub(super) fn denied(state: &State) -> Option<&Target> {
    state.routes.get(&Outcome::Denied)
}
