//! What is wrong behind a demand that lets nobody by: no call comes there until it is mended, and whoever mends
//! it wants to know of both at once.

use std::collections::HashSet;

use super::{Gap, Walks};
use crate::flow::name::{FlowName, StateName};
use crate::flow::state::State;

/// A demand that callers come to without what it asks for once those before it are mended.
#[derive(Debug)]
pub(in crate::check) struct Behind<'f> {
    /// The demand, and what callers have proved there who had proved no more than those before it ask for.
    pub(in crate::check) gap: Gap<'f>,
    /// The state that lets nobody by as it is, the nearest before it.
    pub(in crate::check) after: &'f State,
    /// Whether that is for want of a way to prove what it asks for: then nothing is open as it is.
    pub(in crate::check) is_shut: bool,
}

impl<'f> Walks<'f> {
    /// The states that callers come to and nobody is let into, by number: no step-up proves what they ask for. Whoever
    /// accepts that means it.
    pub(super) fn shut(all: &[Self]) -> HashSet<usize> {
        // Of one through which there are too many ways nothing is known.
        if all.iter().any(|walks| walks.unfinished) {
            return HashSet::new();
        }
        let open = |walks: &Self| -> Vec<_> {
            let unmet = walks.gaps.iter().filter(|gap| gap.told.is_none());
            let unmet = unmet.map(|gap| (gap.flow, gap.state));
            let open = walks.insiders().map(|(flow, state, _)| (flow, state)).chain(unmet);
            open.filter_map(|(flow, state)| walks.number(flow, &state.name)).collect()
        };
        let mut shut: HashSet<_> = all.iter().flat_map(Walks::places).collect();
        for open in all.iter().flat_map(open) {
            shut.remove(&open);
        }
        let is_meant = |state: &State| state.accept.iter().any(|(code, _)| code == "never-proved");
        let state = |place: &usize| all.first()?.state(*place);
        shut.retain(|place| state(place).is_some_and(|(_, state)| !is_meant(state)));
        shut
    }

    /// Takes what a walk finds that goes further than this one, past its gaps and what is shut.
    pub(super) fn look_behind(&mut self, further: &Self) {
        self.steps += further.steps;
        let known: HashSet<_> = self.gaps.iter().map(Gap::key).collect();
        let unmet: HashSet<_> =
            self.gaps.iter().map(|gap| (&gap.flow.name, &gap.state.name)).collect();
        let new = further.gaps.iter().filter(|gap| !known.contains(&gap.key()));
        let behind = new.filter_map(|gap| {
            let (is_shut, after) = further.last_of(gap.arrival, &unmet)?;
            Some(Behind { gap: gap.clone(), after, is_shut })
        });
        self.behind = behind.collect();
        let insiders = further.insiders();
        self.open_behind = insiders.map(|(flow, state, _)| (&flow.name, &state.name)).collect();
    }

    /// The last state on the way to an arrival, but for its own, that is shut or one of these, and whether it is shut.
    fn last_of(
        &self,
        arrival: usize,
        unmet: &HashSet<(&FlowName, &StateName)>,
    ) -> Option<(bool, &'f State)> {
        let way = self.way(arrival);
        way.iter().rev().skip(1).find_map(|before| {
            let (flow, state) = self.state(before.place)?;
            let is_shut = self.shut.contains(&before.place);
            (is_shut || unmet.contains(&(&flow.name, &state.name))).then_some((is_shut, state))
        })
    }
}
