//! What is wrong behind a demand that lets nobody by: no call comes there until it is mended, and whoever mends
//! it wants to know of both at once.

use std::collections::HashSet;

use super::walk::{Gap, Walks};
use crate::flow::name::{FlowName, StateName};
use crate::flow::state::State;

/// A demand that callers come to without what it asks for once those before it are mended.
#[derive(Debug)]
pub(in crate::check) struct Behind<'f> {
    /// The demand, and what callers have proved there who had proved no more than those before it ask for.
    pub(in crate::check) gap: Gap<'f>,
    /// The state that lets nobody by as it is, the nearest before it.
    pub(in crate::check) after: &'f State,
}

impl<'f> Walks<'f> {
    /// What a walk finds that goes further than this one, past its gaps.
    pub(super) fn behind(&self, further: &Self) -> Vec<Behind<'f>> {
        let known: HashSet<_> = self.gaps.iter().map(Gap::key).collect();
        let unmet: HashSet<_> =
            self.gaps.iter().map(|gap| (&gap.flow.name, &gap.state.name)).collect();
        let new = further.gaps.iter().filter(|gap| !known.contains(&gap.key()));
        let behind = new.filter_map(|gap| {
            let after = further.last_of(gap.arrival, &unmet)?;
            Some(Behind { gap: gap.clone(), after })
        });
        behind.collect()
    }

    /// The last of these states on the way to an arrival, but for its own.
    fn last_of(
        &self,
        arrival: usize,
        states: &HashSet<(&FlowName, &StateName)>,
    ) -> Option<&'f State> {
        let way = self.way(arrival);
        let before = way.iter().rev().skip(1).filter_map(|before| self.state(before.place));
        let mut before = before.filter(|(flow, state)| states.contains(&(&flow.name, &state.name)));
        before.next().map(|(_, state)| state)
    }
}
