//! The walk: breadth first, so that the first way to a gap is a shortest.

use std::collections::{HashMap, VecDeque};

use super::conditions::Levels;
use super::known::{Known, NEVER};
use super::stacks::{Frame, Stack, Stacks};
use super::steps::ways;
use crate::check::Subject;
use crate::diagnostic::Place;
use crate::flow::condition::Condition;
use crate::flow::edge::Label;
use crate::flow::level::Level;
use crate::flow::name::{FieldName, FlowName, LevelName, StateName};
use crate::flow::outcome::Outcome;
use crate::flow::prompt::Prompt;
use crate::flow::state::{Kind, State, Target};
use crate::flow::states::set::Assigned;
use crate::flow::template::Use;
use crate::flow::{Flow, FlowSet};

/// Arrivals that are looked at from one start: more ways than any flow that people understand has.
const ARRIVALS_MAX: usize = 200_000;
/// Sets of ages kept apart at one place: beyond that their higher bounds stand for them.
const BOUNDS_MAX: usize = 16;

/// All ways through the flows from one start.
#[derive(Debug)]
pub(in crate::check) struct Walks<'f> {
    /// The flow that the calls begin in.
    pub(in crate::check) start: &'f Flow,
    /// Every demand that some way does not meet, the shortest way to each.
    pub(in crate::check) gaps: Vec<Gap<'f>>,
    /// Whether there were too many ways to look at all.
    pub(in crate::check) unfinished: bool,
    flows: &'f FlowSet,
    /// Every state of every flow; what the others call the number of a state.
    places: Vec<(&'f Flow, &'f State)>,
    numbers: HashMap<(&'f FlowName, &'f StateName), usize>,
    stacks: Stacks,
    arrivals: Vec<Arrival<'f>>,
    kept: HashMap<(usize, Stack), Vec<Known>>,
    wanted: VecDeque<usize>,
    /// The number of the gap of each demand.
    told: HashMap<(usize, String), usize>,
    pub(super) oldest_s: u32,
}

/// An arrival, as others see it.
pub(in crate::check) struct Trail<'f> {
    pub(in crate::check) number: usize,
    pub(in crate::check) flow: &'f Flow,
    pub(in crate::check) state: &'f State,
    pub(in crate::check) known: Known,
}

/// A state that was left, the edge, and what is known after it.
pub(in crate::check) type Step<'f, 'w> = (Option<&'f State>, Option<&'w Label>, Known);

/// A demand that is not met on some way.
#[derive(Clone, Debug)]
pub(in crate::check) struct Gap<'f> {
    /// The flow of the state that demands.
    pub(in crate::check) flow: &'f Flow,
    /// The state that demands.
    pub(in crate::check) state: &'f State,
    /// The level that is missing.
    pub(in crate::check) name: LevelName,
    /// What it asks for.
    pub(in crate::check) level: &'f Level,
    /// What asks for it; `None`: the state's own `requires`.
    pub(in crate::check) field: Option<(FieldName, Place)>,
    /// What is known there.
    pub(in crate::check) known: Known,
    /// How many other ways lead there without it.
    pub(in crate::check) others: usize,
    pub(super) arrival: usize,
}

/// A state that was come to.
#[derive(Clone, Debug)]
pub(super) struct Arrival<'f> {
    pub(super) place: usize,
    stack: Stack,
    pub(super) known: Known,
    /// From where, and how.
    pub(super) from: Option<usize>,
    pub(super) by: By<'f>,
}

/// How a state was come to.
#[derive(Clone, Debug)]
pub(super) enum By<'f> {
    /// The call begins there.
    Dial,
    /// An edge; the state it belongs to.
    Edge(usize, Label, &'f Target),
    /// A sub-flow begins there.
    Call,
    /// A step-up has come back.
    Back,
}

impl<'f> Walks<'f> {
    /// Walks from every flow in which calls begin.
    pub(in crate::check) fn of(subject: &Subject<'f>) -> Vec<Self> {
        let begins = subject.walks().filter(|walk| {
            let returns = |state: &State| matches!(state.kind, Kind::Return(_));
            // One with levels of its own may be dialled as well as called.
            !walk.is_sub_flow()
                || !walk.flow.levels.is_empty()
                || !walk.flow.states.values().any(returns)
        });
        begins.map(|walk| Self::from(subject.flows, walk.flow)).collect()
    }

    fn from(flows: &'f FlowSet, start: &'f Flow) -> Self {
        let states = |flow: &'f std::sync::Arc<Flow>| {
            flow.states.values().map(move |state| (&**flow, state))
        };
        let places: Vec<_> = flows.iter().flat_map(states).collect();
        let numbers = places.iter().enumerate();
        let numbers = numbers.map(|(n, (flow, state))| ((&flow.name, &state.name), n)).collect();
        let levels = flows.iter().flat_map(|flow| flow.levels.values());
        let longest = levels.filter_map(|level| level.within).max().unwrap_or_default();
        let mut walks = Self {
            start,
            gaps: Vec::new(),
            unfinished: false,
            flows,
            places,
            numbers,
            stacks: Stacks::default(),
            arrivals: Vec::new(),
            kept: HashMap::new(),
            wanted: VecDeque::new(),
            told: HashMap::new(),
            oldest_s: u32::try_from(longest.as_secs()).unwrap_or(NEVER - 2).saturating_add(1),
        };
        if let Some(place) = walks.number(start, &start.start) {
            walks.arrive(place, 0, Known::NOTHING, None, By::Dial);
        }
        while let Some(arrival) = walks.wanted.pop_front() {
            if walks.arrivals.len() > ARRIVALS_MAX {
                walks.unfinished = true;
                break;
            }
            walks.enter(arrival);
        }
        walks
    }

    /// Every state that can be come to, with what is proved then: each fact's highest age.
    pub(in crate::check) fn arrivals(&self) -> impl Iterator<Item = (&'f Flow, &'f State, Known)> {
        self.arrivals.iter().filter_map(|arrival| {
            let (flow, state) = self.state(arrival.place)?;
            Some((flow, state, arrival.known))
        })
    }

    /// Every arrival, with its number.
    pub(in crate::check) fn trails(&self) -> impl Iterator<Item = Trail<'f>> {
        self.arrivals.iter().enumerate().filter_map(|(number, arrival)| {
            let (flow, state) = self.state(arrival.place)?;
            Some(Trail { number, flow, state, known: arrival.known })
        })
    }

    /// The way from the ring to an arrival: the state that was left, by which edge, and what was known
    /// then. Step-ups, and what a denied caller does, take nobody any time.
    pub(in crate::check) fn steps(&self, to: usize) -> Vec<Step<'f, '_>> {
        let way = self.way(to).into_iter();
        let step = |arrival: &'_ Arrival<'f>| match &arrival.by {
            By::Edge(from, label, _)
                if !matches!(label, Label::StepUp | Label::Outcome(Outcome::Denied)) =>
            {
                self.state(*from).map(|(_, state)| state)
            }
            _ => None,
        };
        way.map(|arrival| {
            let label = match &arrival.by {
                By::Edge(_, label, _) => Some(label),
                _ => None,
            };
            (step(arrival), label, arrival.known)
        })
        .collect()
    }

    /// The arrivals from the ring to this one.
    pub(super) fn way(&self, to: usize) -> Vec<&Arrival<'f>> {
        let last = self.arrivals.get(to);
        let before = |arrival: &&Arrival<'f>| self.arrivals.get(arrival.from?);
        let mut way: Vec<_> = std::iter::successors(last, before).collect();
        way.reverse();
        way
    }

    /// The state of a number.
    pub(super) fn state(&self, place: usize) -> Option<(&'f Flow, &'f State)> {
        self.places.get(place).copied()
    }

    /// Every state of every flow.
    pub(super) fn states(&self) -> impl Iterator<Item = &(&'f Flow, &'f State)> {
        self.places.iter()
    }

    fn number(&self, flow: &'f Flow, state: &'f StateName) -> Option<usize> {
        self.numbers.get(&(&flow.name, state)).copied()
    }

    pub(super) fn level(&self, flow: &'f Flow, name: &LevelName) -> Option<&'f Level> {
        self.start.levels.get(name).or_else(|| flow.levels.get(name))
    }

    /// The level under which a field is disclosed.
    pub(super) fn level_of(&self, flow: &'f Flow, field: &FieldName) -> Option<&'f Level> {
        self.level(flow, self.start.disclose.get(field)?)
    }

    fn arrive(
        &mut self,
        place: usize,
        stack: Stack,
        mut known: Known,
        from: Option<usize>,
        by: By<'f>,
    ) {
        let kept = self.kept.entry((place, stack)).or_default();
        if kept.iter().any(|other| other.covers(&known)) {
            return;
        }
        let alike = |other: &&Known| other.kind() == known.kind();
        if kept.iter().filter(alike).count() >= BOUNDS_MAX {
            known = kept.iter().filter(alike).fold(known, Known::joined);
        }
        kept.retain(|other| !known.covers(other));
        kept.push(known);
        self.wanted.push_back(self.arrivals.len());
        self.arrivals.push(Arrival { place, stack, known, from, by });
    }

    /// Follows an edge of the state of `place` within its flow.
    fn follow(
        &mut self,
        place: usize,
        stack: Stack,
        known: Known,
        from: usize,
        (label, to): (Label, &'f Target),
    ) {
        let Some((flow, _)) = self.state(place) else { return };
        if let Some(next) = self.number(flow, &to.state) {
            self.arrive(next, stack, known, Some(from), By::Edge(place, label, to));
        }
    }

    fn deny(&mut self, place: usize, stack: Stack, known: Known, from: usize) {
        let Some((_, state)) = self.state(place) else { return };
        if let Some(to) = state.routes.get(&Outcome::Denied) {
            let edge = (Label::Outcome(Outcome::Denied), to);
            self.follow(place, stack, known, from, edge);
        }
    }

    /// What the machine does when it enters a state.
    fn enter(&mut self, from: usize) {
        let Some(Arrival { place, stack, known, .. }) = self.arrivals.get(from).cloned() else {
            return;
        };
        let Some((flow, state)) = self.state(place) else { return };
        let Some((name, _)) = &state.requires else {
            return self.inside(from, place, stack, known);
        };
        let Some(level) = self.level(flow, name) else { return };
        if !known.meets(level) {
            if let Some(to) = &state.step_up {
                if let Some(stack) = self.stacks.step_up(stack, place) {
                    self.follow(place, stack, known, from, (Label::StepUp, to));
                }
            } else {
                self.gap(from, (name.clone(), level), None, known);
                self.deny(place, stack, known, from);
            }
        }
        for known in known.if_met(level) {
            self.inside(from, place, stack, known);
        }
    }

    /// The caller is let in.
    fn inside(&mut self, from: usize, place: usize, stack: Stack, known: Known) {
        let Some((flow, state)) = self.state(place) else { return };
        let mut heard = vec![known];
        for (field, at) in fields(state) {
            let name = self.start.disclose.get(&field).cloned();
            let level = name.as_ref().and_then(|name| self.level(flow, name));
            let (Some(name), Some(level)) = (name, level) else { continue };
            if !known.meets(level) {
                self.gap(from, (name, level), Some((field, at)), known);
            }
            // Who lacks the level is turned away; a branch goes on as if there were no field.
            if !matches!(state.kind, Kind::Branch(_)) {
                for known in heard.iter().filter(|known| !known.meets(level)).copied() {
                    self.deny(place, stack, known, from);
                }
                heard = heard.iter().flat_map(|known| known.if_met(level)).collect();
            }
        }
        for known in heard {
            self.follow_all(from, place, stack, known);
        }
    }

    /// What the state itself does.
    fn follow_all(&mut self, from: usize, place: usize, stack: Stack, known: Known) {
        let Some((flow, state)) = self.state(place) else { return };
        match &state.kind {
            Kind::Call(call) => {
                let Some(called) = self.flows.get(call.flow.as_str()) else { return };
                let start = self.number(called, &called.start);
                let stack = self.stacks.push(stack, Frame::Call(place));
                if let (Some(start), Some(stack)) = (start, stack) {
                    self.arrive(start, stack, known, Some(from), By::Call);
                }
            }
            Kind::Return(back) => {
                let outcome = back.outcome.as_ref().map(|(outcome, _)| outcome);
                self.come_back(from, stack, known, outcome);
            }
            _ => {
                let named = |name: &LevelName| self.level(flow, name);
                let of_field = |field: &FieldName| self.level_of(flow, field);
                let levels = Levels { named: &named, of_field: &of_field };
                let all = ways(state, known, self.oldest_s, &levels);
                for way in all {
                    self.follow(place, stack, way.known, from, (way.label, way.to));
                }
            }
        }
    }

    fn come_back(&mut self, from: usize, stack: Stack, known: Known, outcome: Option<&'f Outcome>) {
        match self.stacks.pop(stack) {
            Some((Frame::StepUp(place), stack)) => {
                let Some((flow, state)) = self.state(place) else { return };
                let name = state.requires.as_ref().map(|(name, _)| name);
                let Some(level) = name.and_then(|name| self.level(flow, name)) else { return };
                for known in known.if_met(level) {
                    self.arrive(place, stack, known, Some(from), By::Back);
                }
                if !known.meets(level) {
                    self.deny(place, stack, known, from);
                }
            }
            Some((Frame::Call(place), stack)) => {
                let Some((_, state)) = self.state(place) else { return };
                if let Some(outcome) = outcome
                    && let Some(to) = state.routes.get(outcome)
                {
                    let edge = (Label::Outcome(outcome.clone()), to);
                    self.follow(place, stack, known, from, edge);
                }
            }
            None => {}
        }
    }

    fn gap(
        &mut self,
        arrival: usize,
        (name, level): (LevelName, &'f Level),
        field: Option<(FieldName, Place)>,
        known: Known,
    ) {
        let Some(place) = self.arrivals.get(arrival).map(|arrival| arrival.place) else { return };
        let Some((flow, state)) = self.state(place) else { return };
        let what = field.as_ref().map_or_else(String::new, |(field, _)| field.to_string());
        if let Some(gap) = self.told.get(&(place, what.clone())) {
            if let Some(gap) = self.gaps.get_mut(*gap) {
                gap.others += 1;
            }
            return;
        }
        self.told.insert((place, what), self.gaps.len());
        self.gaps.push(Gap { flow, state, name, level, field, known, others: 0, arrival });
    }
}

/// The account fields that a state uses, each with the place of its first use.
pub(in crate::check) fn fields(state: &State) -> Vec<(FieldName, Place)> {
    let mut templates: Vec<_> = state.prompts().into_iter().flat_map(Prompt::templates).collect();
    if let Kind::Set(set) = &state.kind {
        templates.extend(set.values.iter().filter_map(|value| match &value.to {
            Assigned::Text(template) => Some(template),
            Assigned::Value(_) => None,
        }));
    }
    let used = templates.into_iter().flat_map(|template| {
        template.uses.iter().filter_map(|used| match used {
            Use::Field(field) => Some((field.clone(), template.place.clone())),
            _ => None,
        })
    });
    let mut fields: Vec<_> = used.collect();
    if let Kind::Branch(branch) = &state.kind {
        let asked = branch.cases.iter().flat_map(|case| case.when.walk());
        fields.extend(asked.filter_map(|condition| match condition {
            Condition::Field(field, _, place) => Some((field.clone(), place.clone())),
            _ => None,
        }));
    }
    fields
}
