//! What no call comes to as the flows are, for a demand before it lets nobody in.

use super::{Gap, Walks};
use crate::flow::state::{Kind, State};

impl<'f> Walks<'f> {
    /// The states behind a demand that no call comes to while it is not met, the nearest first: of what is
    /// wrong there nothing is known yet.
    pub(in crate::check) fn behind(&self, gap: &Gap<'f>) -> Vec<&'f State> {
        let mut seen = self.come_to();
        let mut next: Vec<_> = self.number(gap.flow, &gap.state.name).into_iter().collect();
        let mut behind = Vec::new();
        while !next.is_empty() {
            let to = next.iter().flat_map(|place| self.leads_to(*place));
            let unseen = |place: &usize| {
                seen.get_mut(*place).is_some_and(|seen| !std::mem::replace(seen, true))
            };
            next = to.filter(unseen).collect();
            behind.extend(next.iter().filter_map(|place| self.state(*place)));
        }
        behind.into_iter().map(|(_, state)| state).collect()
    }

    /// Where a state leads in its own flow, and the start of the flow that it calls.
    fn leads_to(&self, place: usize) -> Vec<usize> {
        let Some((flow, state)) = self.state(place) else { return Vec::new() };
        let called = match &state.kind {
            Kind::Call(call) => self.first_of(&call.flow),
            _ => None,
        };
        let to = state.edges().into_iter();
        to.filter_map(|edge| self.number(flow, &edge.to.state)).chain(called).collect()
    }
}
