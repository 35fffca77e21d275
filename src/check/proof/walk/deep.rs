//! How much a call has to come back to: sub-flows and step-ups inside each other, as the machine remembers them.

use std::collections::HashMap;

use super::{Arrival, Walks};
use crate::check::proof::stacks::Frame;
use crate::flow::Flow;
use crate::flow::name::FlowName;
use crate::flow::state::{Kind, State};
use crate::limits;

impl<'f> Walks<'f> {
    /// The states with which a call has more to come back to than is remembered: those that call a sub-flow, and
    /// those whose level is missing. What lies deeper is not among them.
    pub(in crate::check) fn too_deep(&self) -> Vec<(&'f Flow, &'f State)> {
        let within = self.within();
        let deep = self.arrivals.iter().filter_map(|arrival| {
            let (flow, state) = self.state(arrival.place)?;
            let frames = within.get(&flow.name)? + self.own(arrival, flow, state)?;
            (frames > limits::FRAMES_MAX).then_some((flow, state))
        });
        deep.collect()
    }

    /// How many frames each flow is within at most; it is left out where they are more than are remembered.
    fn within(&self) -> HashMap<&'f FlowName, usize> {
        let mut within = HashMap::from([(&self.start.name, 0)]);
        // No flow calls itself, so that each round but the last goes deeper.
        for _ in 0..=limits::FRAMES_MAX {
            for arrival in &self.arrivals {
                let Some((flow, state)) = self.state(arrival.place) else { continue };
                let Kind::Call(call) = &state.kind else { continue };
                let (Some(below), Some(called)) =
                    (within.get(&flow.name), self.map.flows.get(call.flow.as_str()))
                else {
                    continue;
                };
                let frames = below + self.stacks.own(arrival.stack) + 1;
                if frames <= limits::FRAMES_MAX {
                    let most = within.entry(&called.name).or_insert(frames);
                    *most = frames.max(*most);
                }
            }
        }
        within
    }

    /// The frames of its own flow that an arrival has once its state has put one there; `None`: it puts none.
    fn own(&self, arrival: &Arrival<'f>, flow: &'f Flow, state: &'f State) -> Option<usize> {
        if let Some((name, _)) = &state.requires
            && state.step_up.is_some()
            && !arrival.known.meets(self.level_or_nobodys(flow, name))
        {
            return Some(self.stacks.own_with(arrival.stack, Frame::StepUp(arrival.place)));
        }
        matches!(state.kind, Kind::Call(_)).then(|| self.stacks.own(arrival.stack) + 1)
    }
}
