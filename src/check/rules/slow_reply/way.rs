//! A way through an answer that may be too slow, followed with what it comes back to.
//!
//! [`Answers`] lets a `return` lead wherever any `return` of its flow leads. So what it finds is followed once
//! more here: from a sub-flow to the state that called it, by the outcome that is returned, and from a
//! step-up to the state that asked.

use std::collections::HashSet;
use std::time::Duration;

use super::{Answers, at_once, entered, resumed, waits};
use crate::check::subject::step_ups;
use crate::flow::edge::Label;
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State, Target};
use crate::limits;

/// What is known of a way that may be too slow.
pub(super) enum Found {
    /// The nodes on it that take time, in order.
    Way(Vec<usize>),
    /// There is none.
    None,
    /// There are more than are looked at.
    TooMany,
}

/// Where somebody is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    /// A state is come to.
    Entered(usize),
    /// A state is come back to from its step-up.
    Back(usize),
    /// Who was waited for leads on from a state.
    Resumed(usize),
}

/// What a `return` comes back to.
#[derive(Clone, Copy)]
enum Pending {
    StepUp(usize),
    Call(usize),
}

/// What is to be come back to from somewhere.
#[derive(Clone)]
struct Depth {
    /// A state that is come to in whatever happened in answers before.
    root: usize,
    /// And what has begun in this one.
    pending: Vec<Pending>,
}

impl Depth {
    fn and(&self, begun: Pending) -> Self {
        Self { root: self.root, pending: [self.pending.as_slice(), &[begun]].concat() }
    }

    /// What begun last, and what else.
    fn last(&self) -> Option<(Pending, Self)> {
        let (last, rest) = self.pending.split_last()?;
        Some((*last, Self { root: self.root, pending: rest.to_vec() }))
    }

    fn at(root: usize) -> Self {
        Self { root, pending: Vec::new() }
    }
}

/// Where a way may go on, each with what is then to be come back to.
type Ways = Vec<(At, Depth)>;

/// One step of the way that is being followed.
struct Step {
    at: At,
    /// The node, if it takes time.
    slow: Option<usize>,
    /// The time up to it.
    before: Duration,
    /// And with it.
    total: Duration,
    /// What may follow.
    next: Ways,
    /// The same for who has to prove something first, or is denied: nothing is done for them there.
    aside: Ways,
}

impl Answers<'_, '_> {
    /// A way from a node on which time is up.
    pub(super) fn too_slow(&self, start: usize, base: Duration, steps: &mut usize) -> Found {
        let first = if start == entered(start / 2) {
            At::Entered(start / 2)
        } else {
            At::Resumed(start / 2)
        };
        let mut way: Vec<Step> = Vec::new();
        let mut on_it = HashSet::new();
        let mut wanted = Some((first, Depth::at(start / 2), base));
        loop {
            if let Some((at, depth, before)) = wanted.take() {
                let Some(left) = steps.checked_sub(1) else { return Found::TooMany };
                *steps = left;
                let hopeless = before + self.worst(node(at)) <= limits::TURN_DEADLINE;
                if !hopeless && on_it.insert(at) {
                    let cost = self.cost(node(at));
                    let slow = (!cost.is_zero()).then_some(node(at));
                    let total = before + cost;
                    if total > limits::TURN_DEADLINE {
                        let slow_ones = way.iter().filter_map(|step| step.slow).chain(slow);
                        return Found::Way(slow_ones.collect());
                    }
                    let (next, aside) = self.after(at, &depth);
                    way.push(Step { at, slow, before, total, next, aside });
                }
            }
            let Some(step) = way.last_mut() else { return Found::None };
            wanted = step.next.pop().map(|(at, depth)| (at, depth, step.total));
            if wanted.is_none() {
                step.slow = None;
                wanted = step.aside.pop().map(|(at, depth)| (at, depth, step.before));
            }
            if wanted.is_none() {
                on_it.remove(&step.at);
                way.pop();
            }
        }
    }

    /// What may follow within the same answer, with what is then to be come back to; apart from it what follows
    /// where the state does nothing, for it asks for a proof first or denies.
    fn after(&self, at: At, depth: &Depth) -> (Ways, Ways) {
        let (At::Entered(index) | At::Back(index) | At::Resumed(index)) = at;
        let Some((_, state)) = self.states.get(index).copied() else {
            return (Vec::new(), Vec::new());
        };
        let beside = |target: &Target| self.beside(index, target);
        let (mut after, mut aside) = (Vec::new(), Vec::new());
        for edge in state.edges() {
            let Some(to) = beside(edge.to) else { continue };
            if self.is_waited_for(&edge.label, to) {
                continue;
            }
            let denied = edge.label == Label::Outcome(Outcome::Denied);
            let goes = match (at, &edge.label) {
                (At::Resumed(_), Label::AgentStepUp) | (At::Entered(_), Label::StepUp) => {
                    aside.push((At::Entered(to), depth.and(Pending::StepUp(index))));
                    false
                }
                (_, Label::AgentStepUp | Label::StepUp) => false,
                (At::Resumed(_), _) => !denied,
                (_, label) => denied || !waits(&state.kind) || at_once(&state.kind, label),
            };
            if goes && denied {
                aside.push((At::Entered(to), depth.clone()));
            } else if goes && !matches!(state.kind, Kind::Call(_)) {
                after.push((At::Entered(to), depth.clone()));
            }
        }
        match &state.kind {
            Kind::Call(call) => {
                let called = self.first(call.flow.as_str());
                let within = depth.and(Pending::Call(index));
                after.extend(called.map(|to| (At::Entered(to), within)));
            }
            Kind::Return(back) => {
                let outcome = back.outcome.as_ref().map(|(outcome, _)| outcome);
                match depth.last() {
                    Some((Pending::StepUp(asked), rest)) => after.push((At::Back(asked), rest)),
                    Some((Pending::Call(caller), rest)) => {
                        let to = outcome.and_then(|outcome| self.routed(caller, outcome));
                        after.extend(to.map(|to| (At::Entered(to), rest)));
                    }
                    None => after.extend(self.begun_before(depth.root, outcome)),
                }
            }
            _ => {}
        }
        (after, aside)
    }

    /// What a `return` comes back to that began in an answer before: a step-up, or a call of its flow.
    fn begun_before(&self, root: usize, outcome: Option<&Outcome>) -> Vec<(At, Depth)> {
        let Some((walk, state)) = self.states.get(root).copied() else { return Vec::new() };
        let leading = walk.index(&state.name).map(|index| walk.leading_to(index));
        let leads = |target: &Target| {
            let index = walk.index(&target.state)?;
            leading.as_ref()?.get(index).copied()
        };
        let mut back = Vec::new();
        for (other, (its, state)) in self.states.iter().enumerate() {
            let own = its.flow.name == walk.flow.name;
            if own && step_ups(state).any(|target| leads(target) == Some(true)) {
                back.push((At::Back(other), Depth::at(other)));
            }
            if let (Kind::Call(call), Some(outcome)) = (&state.kind, outcome)
                && call.flow == walk.flow.name
            {
                let to = self.routed(other, outcome);
                back.extend(to.map(|to| (At::Entered(to), Depth::at(other))));
            }
        }
        back
    }

    /// The number of a state of the same flow.
    fn beside(&self, index: usize, target: &Target) -> Option<usize> {
        let (walk, state): (_, &State) = self.states.get(index).copied()?;
        let first = index.checked_sub(walk.index(&state.name)?)?;
        Some(first + walk.index(&target.state)?)
    }

    fn routed(&self, caller: usize, outcome: &Outcome) -> Option<usize> {
        let (_, state) = self.states.get(caller)?;
        self.beside(caller, state.routes.get(outcome)?)
    }

    /// The state in which a flow starts.
    fn first(&self, flow: &str) -> Option<usize> {
        self.states.iter().position(|(walk, state)| {
            walk.flow.name.as_str() == flow && walk.flow.start == state.name
        })
    }
}

fn node(at: At) -> usize {
    match at {
        At::Entered(index) | At::Back(index) => entered(index),
        At::Resumed(index) => resumed(index),
    }
}
