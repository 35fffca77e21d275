//! What the rules look at: the flows, and how a call can move through them.
//!
//! A call carries what it must come back to. So a state can be reached in two ways: *plainly*, with
//! nothing pending but the call of its flow itself, and *proving*, with a step-up pending, to which a
//! `return` comes back. Facts are not looked at here: an edge that can be taken by somebody is taken.

use std::collections::{HashSet, VecDeque};

use indexmap::IndexMap;

use super::graph::Graph;
use super::proof::Walks;
use super::waits::Waits;
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
    /// How long those may take whom the house asks.
    pub waits: Waits,
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
    /// The flow's own edges without those to step-ups.
    own: Graph,
    /// Whether a `return` is ever reached from each state by those.
    returning: Vec<bool>,
    sub_flow: bool,
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
        let (walks, waits) = (Self::walks_of(flows), Waits::default());
        let mut subject = Self { flows, walks, waits, proofs: Vec::new() };
        subject.proofs = Walks::of(&subject);
        subject
    }

    pub(super) fn walks_of(flows: &'f FlowSet) -> IndexMap<&'f FlowName, Walk<'f>> {
        let called: HashSet<_> = flows.iter().flat_map(|flow| flow.calls()).collect();
        let walk = |flow: &'f Flow| (&flow.name, Walk::new(flow, called.contains(&flow.name)));
        flows.iter().map(|flow| walk(flow)).collect()
    }

    /// Every flow with the ways through it.
    pub fn walks(&self) -> impl Iterator<Item = &Walk<'f>> {
        self.walks.values()
    }

    /// Which flow calls which, by their numbers in [`Self::walks`].
    pub(super) fn calls(&self) -> Graph {
        let mut calls = Graph::new(self.walks.len());
        for (from, walk) in self.walks().enumerate() {
            let called = walk.flow.calls().filter_map(|name| self.walks.get_index_of(name));
            called.for_each(|to| calls.add(from, to));
        }
        calls
    }

    /// The same, and those numbers with callers first; `None`: a flow calls itself, and that is told.
    pub(super) fn calls_in_order(&self) -> Option<(Graph, Vec<usize>)> {
        let calls = self.calls();
        let order = calls.components().into_iter().flatten().collect();
        calls.cycles().is_empty().then_some((calls, order))
    }

    /// Every state, with the ways through its flow.
    pub fn states(&self) -> impl Iterator<Item = (&Walk<'f>, &'f State)> {
        self.walks().flat_map(|walk| walk.flow.states.values().map(move |state| (walk, state)))
    }
}

impl<'f> Walk<'f> {
    pub(super) fn new(flow: &'f Flow, called: bool) -> Self {
        let own = without_step_ups(flow);
        let states = flow.states.values().enumerate();
        let returns = states.filter(|(_, state)| matches!(state.kind, Kind::Return(_)));
        let returning = own.reversed().reach(returns.map(|(index, _)| index));
        let mut walk = Self {
            flow,
            called,
            own,
            returning,
            sub_flow: called,
            plain: vec![Reached::Never; flow.states.len()],
            proving: Vec::new(),
        };
        walk.walk_plainly();
        walk.proving = walk.walk_proving();
        walk.sub_flow |= walk.says_how_it_ends();
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

    /// Who proves something for one state may come to another that asks for more.
    fn walk_proving(&self) -> Vec<bool> {
        let mut graph = self.own.clone();
        let mut entered = Vec::new();
        for (index, state) in self.flow.states.values().enumerate() {
            for to in step_ups(state).filter_map(|to| self.index(&to.state)) {
                graph.add(index, to);
                if self.plainly(index) != Reached::Never {
                    entered.push(to);
                }
            }
        }
        graph.reach(entered)
    }

    /// Whether a `return` is ever reached from there that comes back from there, and not from a step-up
    /// on the way.
    pub fn comes_back_from(&self, to: &StateName) -> bool {
        self.index(to).and_then(|index| self.returning.get(index)).is_some_and(|back| *back)
    }

    /// The states from which one is reached, step-ups on the way aside.
    pub(super) fn leading_to(&self, index: usize) -> Vec<bool> {
        self.own.reversed().reach([index])
    }

    /// Whether a `return` is ever reached from each state, step-ups on the way aside.
    pub(super) fn returning(&self) -> &[bool] {
        &self.returning
    }

    /// Whether a state is reached with a step-up pending.
    pub(super) fn proves(&self, index: usize) -> bool {
        self.proving.get(index).is_some_and(|proves| *proves)
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
        self.plainly(index) != Reached::Never || self.proves(index)
    }

    /// How a state is reached with no step-up pending.
    pub fn plainly(&self, index: usize) -> Reached<'f> {
        self.plain.get(index).copied().unwrap_or(Reached::Never)
    }

    /// Whether other flows are meant to call this one: one does, or it returns with an outcome that
    /// only a calling flow could take.
    pub fn is_sub_flow(&self) -> bool {
        self.sub_flow
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

    fn says_how_it_ends(&self) -> bool {
        self.flow.states.values().enumerate().any(|(index, state)| {
            let speaks = matches!(&state.kind, Kind::Return(back) if back.outcome.is_some());
            speaks && self.plainly(index) != Reached::Never
        })
    }

    /// Leads from every `return` to what it may come back to. A node for each state, `base` and its
    /// number, stands for a `return` that looks for the step-up it belongs to; from there it goes back,
    /// against the edges, to where step-ups begin. So there are no more edges than the flow has, however
    /// many states share a step-up and however many ways it ends.
    pub(super) fn lead_back(&self, graph: &mut Graph, base: usize, ways: &WaysBack<'_, 'f>) {
        let mut begin = Vec::new();
        for (asked, state) in self.flow.states.values().enumerate() {
            let entered = (ways.entered)(state).into_iter();
            let entered: Vec<_> = entered.filter_map(|to| self.index(&to.state)).collect();
            if entered.is_empty() {
                continue;
            }
            for on in (ways.on)(asked, state) {
                begin.extend(entered.iter().map(|to| (*to, on)));
            }
        }
        let region = self.own.reach(begin.iter().map(|(to, _)| *to));
        let within = |state: usize| region.get(state).is_some_and(|within| *within);
        for (from, to) in self.own.edges().filter(|(from, to)| within(*from) && within(*to)) {
            graph.add(base + to, base + from);
        }
        for (index, state) in self.flow.states.values().enumerate() {
            if within(index) && matches!(state.kind, Kind::Return(_)) {
                graph.add((ways.left)(index), base + index);
            }
        }
        for (to, on) in begin {
            graph.add(base + to, on);
        }
    }
}

/// How a `return` comes back.
pub(super) struct WaysBack<'w, 'f> {
    /// The step-ups of a state.
    pub(super) entered: &'w dyn Fn(&'f State) -> Vec<&'f Target>,
    /// The node of a `return`.
    pub(super) left: &'w dyn Fn(usize) -> usize,
    /// The nodes to which whoever comes back to a state goes on.
    pub(super) on: &'w dyn Fn(usize, &'f State) -> Vec<usize>,
}

/// A flow's edges without those to step-ups.
fn without_step_ups(flow: &Flow) -> Graph {
    let mut graph = Graph::new(flow.states.len());
    for (from, state) in flow.states.values().enumerate() {
        let to = own_targets(state).into_iter();
        to.filter_map(|to| flow.states.get_index_of(&to.state)).for_each(|to| graph.add(from, to));
    }
    graph
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
pub(super) fn step_ups(state: &State) -> impl Iterator<Item = &Target> {
    step_up(state).into_iter().chain(state.agent_step_up())
}

/// Where a state sends a caller who cannot meet its level.
pub(super) fn denied(state: &State) -> Option<&Target> {
    state.routes.get(&Outcome::Denied)
}
