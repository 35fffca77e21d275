//! The walk: the shortest way first, so that the first to a gap is a shortest.

mod behind;
mod deep;
mod enter;
mod map;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;

pub(in crate::check) use behind::Behind;
use map::Map;

use super::entries::{Entries, Entry};
use super::known::{Known, Unlabelled};
use super::labels::{self, Labels};
use super::stacks::{Frame, Stack, Stacks};
use super::uses::{Told, uses};
use crate::check::Subject;
use crate::diagnostic::Place;
use crate::flow::Flow;
use crate::flow::edge::Label;
use crate::flow::level::Level;
use crate::flow::name::{FlowName, LevelName, StateName};
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State, Target};
use crate::limits;

/// Sets of labels kept apart at one place: beyond that all of theirs together stand for them.
const LABELS_MAX: usize = 16;
/// Other ways to one gap that are kept, for the shortest may be one that no call can go.
const MORE_MAX: usize = 12;
/// Sets of ages kept apart at one place: beyond that their higher bounds stand for them.
const BOUNDS_MAX: usize = 16;

/// What stands for a level that is not there, and for the name of one that nothing names: nobody meets it.
static NOBODY: LazyLock<(LevelName, Level)> = LazyLock::new(|| {
    let place = Place { file: "".into(), span: 0..0 };
    ("".into(), Level::never(place))
});

/// All ways through the flows from one start.
#[derive(Debug)]
pub(in crate::check) struct Walks<'f> {
    /// The flow that the calls begin in.
    pub(in crate::check) start: &'f Flow,
    /// Every demand that some way does not meet, the shortest way to each.
    pub(in crate::check) gaps: Vec<Gap<'f>>,
    /// Whether there were too many ways to look at all.
    pub(in crate::check) unfinished: bool,
    /// Whether the flow has its levels from those that call it, and none of its own.
    borrows: bool,
    /// The flows that such calls come to.
    called: Vec<&'f Flow>,
    map: Arc<Map<'f>>,
    stacks: Stacks,
    labels: labels::Known<'f>,
    entries: Entries<'f>,
    arrivals: Vec<Arrival<'f>>,
    /// What is known of those who came to each place, by their labels: only such with the same are ever compared.
    kept: HashMap<(usize, Stack, Unlabelled), BTreeMap<Labels, Vec<Known>>>,
    /// Who came to any place, and whom they were compared with.
    pub(in crate::check) steps: usize,
    /// The shortest way first.
    wanted: BinaryHeap<Reverse<(usize, usize)>>,
    /// The number of the gap of each demand.
    told: HashMap<(usize, String), usize>,
    /// Each way out of each state (by its number and its words), at each set of levels, and the first
    /// to take it; only where they are asked for.
    pub(super) cells: Cells<'f>,
    aim: Aim,
    /// The states past which a walk goes that looks behind them, though nobody is let into them.
    shut: HashSet<usize>,
    /// What is wrong behind the gaps and the states that nobody is let into: such as are among those are not among
    /// these.
    pub(in crate::check) behind: Vec<Behind<'f>>,
    /// The states behind those that somebody is let into.
    pub(in crate::check) open_behind: HashSet<(&'f FlowName, &'f StateName)>,
}

/// What a walk looks for beside gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    /// Nothing.
    Gaps,
    /// Each way out of each state, at each set of levels.
    Cells,
    /// Gaps behind others, and behind states that nobody is let into: who lacks what they ask for goes on as if they
    /// had proved it.
    Behind,
}

type Cells<'f> = IndexMap<(usize, String, Vec<LevelName>), Arrival<'f>>;

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
    /// The level that is missing; empty: the field is disclosed at none.
    pub(in crate::check) name: LevelName,
    /// What it asks for.
    pub(in crate::check) level: &'f Level,
    /// What asks for it; `None`: the state's own `requires`.
    pub(in crate::check) told: Option<(Told, Place)>,
    /// What is known there.
    pub(in crate::check) known: Known,
    /// How many other ways lead there without it.
    pub(in crate::check) others: usize,
    /// A few of these, the shortest first: where each arrives, what is known there, and the level that is missing.
    more: Vec<(usize, Known, &'f Level)>,
    pub(super) arrival: usize,
}

impl<'f> Gap<'f> {
    /// What asks for it in its state, in words that are nothing else's.
    fn what(&self) -> String {
        match &self.told {
            None => String::new(),
            Some((Told::Field(field), _)) => format!("account.{field}"),
            Some((Told::Variable(variable), _)) => format!("{variable} {}", self.name),
        }
    }

    /// The same gap on each of the ways that are kept of it, the shortest first.
    pub(super) fn ways(&self) -> impl Iterator<Item = Self> {
        let more = self.more.iter().map(|(arrival, known, level)| Self {
            arrival: *arrival,
            known: *known,
            level,
            ..self.clone()
        });
        std::iter::once(self.clone()).chain(more)
    }

    /// The demand, apart from who comes to it.
    fn key(&self) -> (&'f FlowName, &'f StateName, String) {
        (&self.flow.name, &self.state.name, self.what())
    }
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
    /// The arrival at the state whose sub-flow has come back: what was before it is the caller's.
    caller: Option<usize>,
    /// The arrivals before it on its way.
    length: usize,
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
        let map = Arc::new(Map::of(subject));
        let dialled = subject.walks().filter(|walk| !walk.is_sub_flow());
        let called: HashSet<_> =
            dialled.flat_map(|walk| map.called_from(walk.flow)).map(|flow| &flow.name).collect();
        let begins = subject.walks().filter(|walk| {
            let returns = |state: &State| matches!(state.kind, Kind::Return(_));
            // One with levels of its own may be dialled as well as called, unless no line may lead there.
            let only_called = called.contains(&walk.flow.name) && walk.not_dialled().is_some();
            !walk.is_sub_flow()
                || !walk.flow.levels.is_empty() && !only_called
                || !walk.flow.states.values().any(returns)
        });
        let mut left = limits::ARRIVALS_OF_ALL_MAX;
        let mut from = |start: &'f Flow, aim, shut| {
            let walks = Self::from(&map, start, left, aim, shut);
            left = left.saturating_sub(walks.arrivals.len());
            walks
        };
        let mut all: Vec<_> = begins.map(|it| from(it.flow, Aim::Gaps, HashSet::new())).collect();
        let shut = Self::shut(&all);
        for walks in &mut all {
            let shut: HashSet<_> = walks.places().filter(|place| shut.contains(place)).collect();
            let anything = !walks.gaps.is_empty() || !shut.is_empty();
            if anything && !walks.unfinished {
                let further = from(walks.start, Aim::Behind, shut);
                walks.look_behind(&further);
            }
        }
        all
    }

    /// The same walk, with every way out of every state kept.
    pub(in crate::check) fn with_cells(&self) -> Self {
        Self::from(&self.map, self.start, limits::ARRIVALS_MAX, Aim::Cells, HashSet::new())
    }

    fn from(
        map: &Arc<Map<'f>>,
        start: &'f Flow,
        most: usize,
        aim: Aim,
        shut: HashSet<usize>,
    ) -> Self {
        let mut walks = Self {
            start,
            gaps: Vec::new(),
            unfinished: false,
            borrows: start.levels.is_empty() && map.called.contains(&start.name),
            called: map.called_from(start),
            map: map.clone(),
            stacks: Stacks::default(),
            labels: labels::Known::new(start),
            entries: Entries::default(),
            arrivals: Vec::new(),
            kept: HashMap::new(),
            steps: 0,
            wanted: BinaryHeap::new(),
            told: HashMap::new(),
            cells: IndexMap::new(),
            aim,
            shut,
            behind: Vec::new(),
            open_behind: HashSet::new(),
        };
        if let Some(place) = map.number(start, &start.start) {
            for risk in map.risks {
                walks.arrive(place, 0, Known::NOTHING.at(*risk), None, By::Dial, None);
            }
        }
        while let Some(Reverse((_, arrival))) = walks.wanted.pop() {
            let most = most.min(limits::ARRIVALS_MAX);
            if walks.arrivals.len() > most || walks.labels.kept() > limits::LABELS_KEPT_MAX {
                walks.unfinished = true;
                break;
            }
            walks.enter(arrival);
        }
        // What only the walk itself asks for: many walks are looked at together.
        walks.kept = HashMap::new();
        walks.wanted = BinaryHeap::new();
        walks.told = HashMap::new();
        walks
    }

    /// Beyond so many seconds all ages are one.
    pub(super) fn oldest_s(&self) -> u32 {
        self.map.oldest_s
    }

    /// Every state that can be come to, with what is proved then: each fact's highest age.
    pub(in crate::check) fn arrivals(&self) -> impl Iterator<Item = (&'f Flow, &'f State, Known)> {
        self.arrivals.iter().filter_map(|arrival| {
            let (flow, state) = self.state(arrival.place)?;
            Some((flow, state, arrival.known))
        })
    }

    /// The same, of those alone whom the state may let in: it requires nothing, or something that they may
    /// have proved.
    pub(in crate::check) fn insiders(&self) -> impl Iterator<Item = (&'f Flow, &'f State, Known)> {
        self.arrivals().filter(|(flow, state, known)| {
            let requires = state.requires.as_ref();
            let level = requires.map(|(name, _)| self.level_or_nobodys(flow, name));
            level.is_none_or(|level| !known.if_met(level).is_empty())
        })
    }

    /// The number of every state that can be come to, as often as it is.
    fn places(&self) -> impl Iterator<Item = usize> {
        self.arrivals.iter().map(|arrival| arrival.place)
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

    /// Whether a guard on this way shows that the code from the web which is keyed at its beginning came from a
    /// session with two factors, before another code is keyed.
    pub(super) fn shows_two_factors(&self, way: &[&Arrival<'f>]) -> bool {
        let keys_another = |arrival: &&&Arrival<'f>| match &arrival.by {
            By::Edge(from, Label::Outcome(Outcome::Ok), _) => self
                .state(*from)
                .is_some_and(|(_, state)| matches!(state.kind, Kind::GatherServiceCode(_))),
            _ => false,
        };
        let behind = way.iter().skip(1).take_while(|arrival| !keys_another(arrival));
        way.iter().take(1).chain(behind).any(|arrival| arrival.known.is_strong())
    }

    /// The arrivals from the ring to this one.
    pub(super) fn way(&self, to: usize) -> Vec<&Arrival<'f>> {
        self.arrivals.get(to).map(|last| self.way_of(last)).unwrap_or_default()
    }

    /// The arrivals from the ring to this one, and it.
    pub(super) fn way_of<'w>(&'w self, last: &'w Arrival<'f>) -> Vec<&'w Arrival<'f>> {
        let mut way: Vec<_> = self.back(Some(last)).collect();
        way.reverse();
        way
    }

    /// The same, the last first.
    fn back<'w>(
        &'w self,
        last: Option<&'w Arrival<'f>>,
    ) -> impl Iterator<Item = &'w Arrival<'f>> + use<'w, 'f> {
        // Where a sub-flow that is gone back through was called from, on this way.
        let mut callers = Vec::new();
        std::iter::successors(last, move |arrival| {
            callers.extend(arrival.caller);
            let called = matches!(arrival.by, By::Call).then(|| callers.pop()).flatten();
            called.or(arrival.from).and_then(|before| self.arrivals.get(before))
        })
    }

    /// The state of a number.
    pub(super) fn state(&self, place: usize) -> Option<(&'f Flow, &'f State)> {
        self.map.state(place)
    }

    /// Every state of every flow.
    pub(in crate::check) fn states(&self) -> impl Iterator<Item = &(&'f Flow, &'f State)> {
        self.map.places.iter()
    }

    /// The flow of this name.
    pub(in crate::check) fn flow(&self, name: &FlowName) -> Option<&'f Flow> {
        self.map.flows.get(name.as_str()).map(|flow| &**flow)
    }

    pub(super) fn number(&self, flow: &Flow, state: &StateName) -> Option<usize> {
        self.map.number(flow, state)
    }

    pub(super) fn level(&self, flow: &'f Flow, name: &LevelName) -> Option<&'f Level> {
        self.start.levels.get(name).or_else(|| flow.levels.get(name))
    }

    /// The level of this name, or the one that nobody meets: levels belong to the flow that the call
    /// begins in, and of two that call the same flow one may have none of that name.
    fn level_or_nobodys(&self, flow: &'f Flow, name: &LevelName) -> &'f Level {
        self.level(flow, name).unwrap_or(&NOBODY.1)
    }

    /// The levels of the variables that each state tells, once for each way to label them that some way through the
    /// flows has; without those that nobody meets.
    pub(in crate::check) fn labelled(
        &self,
    ) -> impl Iterator<Item = (&'f Flow, &'f State, Vec<(Told, &'f LevelName, &'f Level)>)> {
        let arrivals = self.arrivals.iter();
        let ways: BTreeSet<_> = arrivals.map(|it| (it.place, it.known.labels)).collect();
        ways.into_iter().filter_map(|(place, labels)| {
            let (flow, state) = self.state(place)?;
            let told = uses(state).into_iter().map(|(told, _)| told);
            let variables = told.filter(|told| matches!(told, Told::Variable(_)));
            let levels = variables.flat_map(|told| {
                let levels = self.levels_of(flow, labels, &told).into_iter();
                let levels = levels.filter(|(_, level)| !level.is_never());
                levels.map(|(name, level)| (told.clone(), name, level)).collect::<Vec<_>>()
            });
            Some((flow, state, levels.collect()))
        })
    }

    /// The levels under which something may be told on a way with these labels.
    pub(super) fn levels_of(
        &self,
        flow: &'f Flow,
        labels: Labels,
        told: &Told,
    ) -> Vec<(&'f LevelName, &'f Level)> {
        match told {
            // A field that the flow of the call's start does not disclose is disclosed to nobody.
            Told::Field(field) => {
                let name = self.labels.of_field(field).unwrap_or(&NOBODY.0);
                vec![(name, self.level_or_nobodys(flow, name))]
            }
            Told::Variable(variable) => {
                let names = self.labels.of(labels, variable).into_iter();
                names.flat_map(|name| self.carried(flow, name)).collect()
            }
        }
    }

    /// The levels of a name that a variable carries: where the start flow has none, it may be that of any
    /// flow that the call comes to.
    fn carried(&self, flow: &'f Flow, name: &'f LevelName) -> Vec<(&'f LevelName, &'f Level)> {
        let here = self.level_or_nobodys(flow, name);
        let mut levels = vec![(name, here)];
        if !self.start.levels.contains_key(name) && !here.is_never() {
            let all = self.called.iter().filter_map(|flow| flow.levels.get(name));
            levels.extend(all.filter(|level| !std::ptr::eq(*level, here)).map(|it| (name, it)));
        }
        levels
    }

    fn arrive(
        &mut self,
        place: usize,
        mut stack: Stack,
        mut known: Known,
        from: Option<usize>,
        by: By<'f>,
        caller: Option<usize>,
    ) {
        if !self.map.comes_back(place) {
            stack = 0;
        }
        let kept = self.kept.entry((place, stack, known.unlabelled())).or_default();
        if kept.len() >= LABELS_MAX && !kept.contains_key(&known.labels) {
            let all = kept.keys().fold(known.labels, |all, one| self.labels.joined(all, *one));
            known = known.labelled(all);
        }
        let kept = kept.entry(known.labels).or_default();
        self.steps += 1 + kept.len();
        if kept.iter().any(|other| other.covers(&known)) {
            return;
        }
        if kept.len() >= BOUNDS_MAX {
            known = kept.iter().fold(known, Known::joined);
        }
        kept.retain(|other| !known.covers(other));
        kept.push(known);
        let length = self.length(from, caller);
        self.wanted.push(Reverse((length, self.arrivals.len())));
        self.arrivals.push(Arrival { place, stack, known, from, by, caller, length });
    }

    /// The arrivals before one that comes from there.
    fn length(&self, from: Option<usize>, caller: Option<usize>) -> usize {
        let length = |arrival: usize| self.arrivals.get(arrival).map_or(0, |it| it.length);
        let Some(from) = from.and_then(|from| self.arrivals.get(from)) else { return 0 };
        let inside = match (caller, self.entry(from.stack)) {
            // What lies between the call and the coming back is as long for every caller.
            (Some(caller), Some(entry)) => {
                from.length.saturating_sub(self.entries.begins(entry)) + length(caller) + 1
            }
            _ => from.length,
        };
        inside + 1
    }

    /// The sub-flow that a stack belongs to.
    fn entry(&self, mut stack: Stack) -> Option<Entry> {
        loop {
            match self.stacks.pop(stack)? {
                (Frame::Caller(entry), _) => return Some(entry),
                (Frame::StepUp(_) | Frame::Agent(_), below) => stack = below,
            }
        }
    }

    /// Follows an edge of the state of `place` within its flow.
    fn follow(
        &mut self,
        place: usize,
        stack: Stack,
        known: Known,
        from: usize,
        edge: (Label, &'f Target),
    ) {
        self.lead(place, stack, known, (from, None), edge);
    }

    /// The same; where a sub-flow has come back, with the arrival that called it.
    fn lead(
        &mut self,
        place: usize,
        stack: Stack,
        known: Known,
        (from, caller): (usize, Option<usize>),
        (label, to): (Label, &'f Target),
    ) {
        let Some((flow, _)) = self.state(place) else { return };
        if let Some(next) = self.number(flow, &to.state) {
            let by = By::Edge(place, label, to);
            if self.aim == Aim::Cells {
                let (from, by) = (Some(from), by.clone());
                let length = self.length(from, caller);
                self.tell(Arrival { place: next, stack, known, from, by, caller, length });
            }
            self.arrive(next, stack, known, Some(from), by, caller);
        }
    }

    /// Keeps the first that takes a way with these levels.
    fn tell(&mut self, arrival: Arrival<'f>) {
        let By::Edge(place, label, _) = &arrival.by else { return };
        let met =
            self.start.levels.iter().filter(|(_, level)| arrival.known.meets_but_for_age(level));
        let key = (*place, format!("{label:?}"), met.map(|(name, _)| name.clone()).collect());
        self.cells.entry(key).or_insert(arrival);
    }
}
