//! The ways through a flow on which variables are missing.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::across::Across;
use super::sets::{drops, made_of_accounts, sets};
use crate::check::subject::Walk;
use crate::flow::Flow;
use crate::flow::edge::{Edge, Label};
use crate::flow::name::VariableName;
use crate::flow::state::{Kind, State};
use crate::flow::states::call::CallFlow;

/// So many variables are followed together.
pub(super) const AT_ONCE: usize = 64;

/// The ways through a flow, with the variables that are there wherever each is taken.
pub(super) struct Ways<'f> {
    flow: &'f Flow,
    start: Option<usize>,
    /// The variables that are there at the start.
    passed: BTreeSet<&'f VariableName>,
    /// The states that take the claim of an account.
    claims: Vec<usize>,
    /// The variables that those drop: what is made of account data wherever it is set.
    made: BTreeSet<&'f VariableName>,
    states: Vec<Vec<Way<'f>>>,
    /// The states that are on the way to prove what another asks for.
    aside: HashSet<usize>,
    /// Those among them that lead back there, and the states that ask.
    back: Vec<usize>,
    asking: Vec<usize>,
}

struct Way<'f> {
    edge: Edge<'f>,
    to: usize,
    sets: BTreeSet<&'f VariableName>,
    drops: BTreeSet<&'f VariableName>,
}

/// Where callers may be without a variable first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing was before it.
    Nothing,
    /// The state itself drops it.
    Dropped,
    /// They came from there.
    Came(usize),
    /// They came from there, where it was dropped.
    Left(usize),
}

/// The states that a caller may come to without a variable, each with what was before it.
pub(super) type Without = HashMap<usize, Before>;

/// Why a variable is missing.
#[derive(Clone, Copy)]
pub(super) enum Why<'w, 'f> {
    /// This edge leaves a state without the variable that it sets otherwise.
    Left(&'w Edge<'f>),
    /// This state drops it.
    Dropped(&'f State),
    /// This state drops it when it is left by this edge.
    Lost(&'f State, &'w Edge<'f>),
    /// Nothing may be taken out of the flow that is called here.
    NotGiven(&'f CallFlow),
}

impl<'f> Ways<'f> {
    pub(super) fn of(walk: &Walk<'f>, across: &Across<'f>) -> Self {
        let flow = walk.flow;
        let made: BTreeSet<_> = made_of_accounts(flow).into_iter().collect();
        let ways = |(index, state): (usize, &'f State)| {
            let reached = walk.reached(index);
            let ways = state.edges().into_iter().filter_map(|edge| {
                let to = flow.states.get_index_of(&edge.to.state)?;
                let sets = sets(state, &edge.label, across);
                let mut drops = drops(state, &edge.label, across, &made);
                drops.retain(|variable| reached && !sets.contains(variable));
                Some(Way { edge, to, sets, drops })
            });
            ways.collect()
        };
        let states = flow.states.values().enumerate();
        let claims = states.clone().filter(|(index, state)| {
            matches!(state.kind, Kind::Identify(_)) && walk.reached(*index)
        });
        let aside: HashSet<_> =
            states.clone().map(|(index, _)| index).filter(|it| walk.proves(*it)).collect();
        let back = states.clone().filter(|(index, state)| {
            matches!(state.kind, Kind::Return(_)) && aside.contains(index)
        });
        let asks = |edge: &Edge<'_>| matches!(edge.label, Label::StepUp | Label::AgentStepUp);
        let asking = states.clone().filter(|(_, state)| state.edges().iter().any(asks));
        Self {
            flow,
            start: flow.states.get_index_of(&flow.start),
            passed: across.passed(&flow.name).collect(),
            claims: claims.map(|(index, _)| index).collect(),
            back: back.map(|(index, _)| index).collect(),
            asking: asking.map(|(index, _)| index).collect(),
            states: states.map(ways).collect(),
            made,
            aside,
        }
    }

    /// Which of these variables, [`AT_ONCE`] of them, a caller may come to each state without: a bit for each. They
    /// are missing from the start on, behind a state that drops them, and where one comes back to from there. `None`:
    /// so much was looked at that no more is.
    pub(super) fn lacking(
        &self,
        variables: &[&VariableName],
        steps: &mut usize,
    ) -> Option<Vec<u64>> {
        let bits = variables.iter().copied().zip((0..64).map(|bit| 1_u64 << bit));
        let bits: HashMap<_, _> = bits.collect();
        let bits_of = |names: &BTreeSet<&VariableName>| {
            names.iter().filter_map(|name| bits.get(name)).fold(0, |all, bit| all | bit)
        };
        let set: Vec<Vec<u64>> = (self.states.iter())
            .map(|ways| ways.iter().map(|way| bits_of(&way.sets)).collect())
            .collect();
        let all = bits.values().fold(0, |all, bit| all | bit);
        let dropped = bits_of(&self.made);
        let start = self.start.map(|start| (start, all & !bits_of(&self.passed)));
        let claims = self.claims.iter().map(|claim| (*claim, *claim, dropped));
        let left = self.states.iter().enumerate().flat_map(|(from, ways)| {
            let bits_of = &bits_of;
            ways.iter().map(move |way| (from, way.to, bits_of(&way.drops)))
        });
        let drops: Vec<_> = claims.chain(left).filter(|(.., bits)| *bits != 0).collect();
        let aside = drops.iter().filter(|(from, ..)| self.aside.contains(from));
        let aside = self.spread(aside.map(|(_, to, bits)| (*to, *bits)), &set, steps)?;
        let back = self.back.iter().filter_map(|index| aside.get(*index));
        let back = back.fold(0, |all, bits| all | bits);
        let asking = self.asking.iter().map(|index| (*index, back));
        let drops = drops.iter().map(|(_, to, bits)| (*to, *bits));
        self.spread(start.into_iter().chain(drops).chain(asking), &set, steps)
    }

    /// What is lacking where, if it is from these states on; `set`: what each way sets.
    fn spread(
        &self,
        from: impl Iterator<Item = (usize, u64)>,
        set: &[Vec<u64>],
        steps: &mut usize,
    ) -> Option<Vec<u64>> {
        let mut lacking = vec![0; self.states.len()];
        let mut wanted = VecDeque::new();
        for (at, bits) in from.filter(|(_, bits)| *bits != 0) {
            *lacking.get_mut(at)? |= bits;
            wanted.push_back(at);
        }
        while let Some(from) = wanted.pop_front() {
            let here: u64 = *lacking.get(from)?;
            for (way, set) in self.states.get(from)?.iter().zip(set.get(from)?) {
                *steps = steps.checked_sub(1)?;
                let there: &mut u64 = lacking.get_mut(way.to)?;
                let new = here & !set & !*there;
                if new != 0 {
                    *there |= new;
                    wanted.push_back(way.to);
                }
            }
        }
        Some(lacking)
    }

    /// The states that a caller may come to without the variable: from the start, or from where it is dropped.
    /// `None`: so much was looked at that no more is.
    pub(super) fn without(&self, variable: &VariableName, steps: &mut usize) -> Option<Without> {
        let start = self.start.filter(|_| !self.passed.contains(variable));
        let start = start.map(|start| (start, Before::Nothing));
        let claims = self.drops(variable).iter().map(|claim| (*claim, Before::Dropped));
        let left = self.states.iter().enumerate().flat_map(|(from, ways)| {
            let drops = ways.iter().filter(|way| way.drops.contains(variable));
            drops.map(move |way| (way.to, Before::Left(from)))
        });
        let (mut wanted, mut reached) = (VecDeque::new(), Without::new());
        for (at, before) in start.into_iter().chain(claims).chain(left) {
            if reached.insert(at, before).is_none() {
                wanted.push_back(at);
            }
        }
        while let Some(from) = wanted.pop_front() {
            for way in self.states.get(from).into_iter().flatten() {
                *steps = steps.checked_sub(1)?;
                if !way.sets.contains(variable) && !reached.contains_key(&way.to) {
                    reached.insert(way.to, Before::Came(from));
                    wanted.push_back(way.to);
                }
            }
        }
        Some(reached)
    }

    fn drops(&self, variable: &VariableName) -> &[usize] {
        if self.made.contains(variable) { &self.claims } else { &[] }
    }

    /// Why it is missing in a state that callers come to so; `None`: nothing on the way has to do with it.
    pub(super) fn why(
        &self,
        variable: &VariableName,
        reached: &Without,
        mut at: usize,
    ) -> Option<Why<'_, 'f>> {
        loop {
            match *reached.get(&at)? {
                Before::Nothing => return None,
                Before::Dropped => return self.state(at).map(Why::Dropped),
                Before::Left(from) => {
                    let leads = |way: &&Way<'f>| way.to == at && way.drops.contains(variable);
                    let way = self.states.get(from)?.iter().find(leads)?;
                    return self.state(from).map(|state| Why::Lost(state, &way.edge));
                }
                Before::Came(from) => at = from,
            }
            let ways = self.states.get(at)?;
            if ways.iter().any(|way| way.sets.contains(variable)) {
                let mut others = ways.iter().filter(|way| !way.sets.contains(variable));
                return others.next().map(|way| Why::Left(&way.edge));
            }
            if let Some(Kind::Call(call)) = self.state(at).map(|state| &state.kind)
                && call.give.iter().any(|give| give.to == *variable)
            {
                return Some(Why::NotGiven(call));
            }
        }
    }

    fn state(&self, index: usize) -> Option<&'f State> {
        self.flow.states.get_index(index).map(|(_, state)| state)
    }
}
