//! The ways through a flow on which variables are missing.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::sets::{made_of_accounts, sets};
use crate::flow::Flow;
use crate::flow::edge::Edge;
use crate::flow::name::VariableName;
use crate::flow::state::{Kind, State};

/// So many variables are followed together.
pub(super) const AT_ONCE: usize = 64;

/// The ways through a flow, with the variables that are there wherever each is taken.
pub(super) struct Ways<'f> {
    flow: &'f Flow,
    start: Option<usize>,
    /// The states that take the claim of an account.
    pub(super) claims: Vec<usize>,
    /// The variables that those drop: what is made of account data wherever it is set.
    made: BTreeSet<&'f VariableName>,
    states: Vec<Vec<Way<'f>>>,
}

struct Way<'f> {
    edge: Edge<'f>,
    to: usize,
    sets: BTreeSet<&'f VariableName>,
}

/// The states that a caller may come to without a variable, each with the one before it.
pub(super) type Without = HashMap<usize, Option<usize>>;

/// Why a variable is missing.
pub(super) enum Why<'w, 'f> {
    /// This edge leaves a state without the variable that it sets otherwise.
    Left(&'w Edge<'f>),
    /// This state drops it.
    Dropped(&'f State),
}

impl<'f> Ways<'f> {
    pub(super) fn of(flow: &'f Flow) -> Self {
        let ways = |state: &'f State| {
            let ways = state.edges().into_iter().filter_map(|edge| {
                let to = flow.states.get_index_of(&edge.to.state)?;
                let sets = sets(state, &edge.label);
                Some(Way { edge, to, sets })
            });
            ways.collect()
        };
        let claims = flow.states.values().enumerate();
        let claims = claims.filter(|(_, state)| matches!(state.kind, Kind::Identify(_)));
        Self {
            flow,
            start: flow.states.get_index_of(&flow.start),
            claims: claims.map(|(index, _)| index).collect(),
            made: made_of_accounts(flow).into_iter().collect(),
            states: flow.states.values().map(ways).collect(),
        }
    }

    /// Which of these variables, [`AT_ONCE`] of them, a caller may come to each state without: a bit for each. They
    /// are missing from the start on, and behind a state that drops them. `None`: so much was looked at that no more
    /// is.
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
        let mut lacking = vec![0; self.states.len()];
        let mut wanted = VecDeque::new();
        let all = bits.values().fold(0, |all, bit| all | bit);
        let dropped = bits_of(&self.made);
        let begins = self.claims.iter().map(|claim| (*claim, dropped));
        for (from, bits) in self.start.map(|start| (start, all)).into_iter().chain(begins) {
            *lacking.get_mut(from)? |= bits;
            wanted.push_back(from);
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

    /// The states that a caller may come to without the variable: from the start, or from a state that drops it.
    /// `None`: so much was looked at that no more is.
    pub(super) fn without(&self, variable: &VariableName, steps: &mut usize) -> Option<Without> {
        let mut wanted: VecDeque<_> =
            self.start.iter().chain(self.drops(variable)).copied().collect();
        let mut reached: HashMap<_, _> = wanted.iter().map(|from| (*from, None)).collect();
        while let Some(from) = wanted.pop_front() {
            for way in self.states.get(from).into_iter().flatten() {
                *steps = steps.checked_sub(1)?;
                if !way.sets.contains(variable) && !reached.contains_key(&way.to) {
                    reached.insert(way.to, Some(from));
                    wanted.push_back(way.to);
                }
            }
        }
        Some(reached)
    }

    fn drops(&self, variable: &VariableName) -> &[usize] {
        if self.made.contains(variable) { &self.claims } else { &[] }
    }

    /// Why it is missing in a state that callers come to so.
    pub(super) fn why(
        &self,
        variable: &VariableName,
        reached: &Without,
        at: usize,
    ) -> Option<Why<'_, 'f>> {
        let before = reached.get(&at).copied().flatten();
        self.left_without(variable, reached, before)
            .map(Why::Left)
            .or_else(|| self.dropped_in(variable, reached, at).map(Why::Dropped))
    }

    /// The state on the way to `at` that drops the variable.
    fn dropped_in(
        &self,
        variable: &VariableName,
        reached: &Without,
        mut at: usize,
    ) -> Option<&'f State> {
        while let Some(before) = reached.get(&at).copied().flatten() {
            at = before;
        }
        let begins = self.drops(variable).contains(&at) && self.start != Some(at);
        self.flow.states.get_index(at).filter(|_| begins).map(|(_, state)| state)
    }

    /// The last edge on that way which leaves a state without the variable that it sets otherwise.
    fn left_without(
        &self,
        variable: &VariableName,
        reached: &Without,
        mut before: Option<usize>,
    ) -> Option<&Edge<'f>> {
        while let Some(from) = before {
            let ways = self.states.get(from)?;
            if ways.iter().any(|way| way.sets.contains(variable)) {
                let mut others = ways.iter().filter(|way| !way.sets.contains(variable));
                return others.next().map(|way| &way.edge);
            }
            before = reached.get(&from).copied().flatten();
        }
        None
    }
}
