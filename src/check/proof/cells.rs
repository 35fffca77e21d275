//! Every way out of every state, at each set of levels that callers who take it may have reached, with a
//! shortest call that does so.

use super::play::Play;
use super::script::deeds_of;
use super::walk::{Arrival, By, Walks};
use crate::flow::edge::Label;
use crate::flow::name::{FlowName, LevelName, StateName};

/// A way out of a state, taken by callers who have reached just these levels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The flow in which the calls begin.
    pub start: FlowName,
    /// The flow and the state.
    pub at: (FlowName, StateName),
    /// The way out.
    pub way: Label,
    /// The levels of the start flow that are met when it is taken, were nothing to grow old.
    pub levels: Vec<LevelName>,
    /// What the caller does, in words.
    pub script: Vec<String>,
    /// A transcript without what must come back; `None`: no values were found with which the branches
    /// on the way go this way.
    pub transcript: Option<String>,
}

impl Walks<'_> {
    /// The cells of all calls that begin here.
    pub(in crate::check) fn cells(&self) -> Vec<Cell> {
        self.cells
            .iter()
            .filter_map(|((place, _, levels), last)| self.cell(*place, levels, last))
            .collect()
    }

    fn cell(&self, place: usize, levels: &[LevelName], last: &Arrival<'_>) -> Option<Cell> {
        let By::Edge(_, way, _) = &last.by else { return None };
        let (flow, state) = self.state(place)?;
        let arrivals = self.way_of(last);
        let transcript = Play::along(self, &arrivals, &[]).map(|play| {
            let mut text = format!("flow = \"{}\"\n", self.start.name);
            play.write(&mut text);
            text
        });
        Some(Cell {
            start: self.start.name.clone(),
            at: (flow.name.clone(), state.name.clone()),
            way: way.clone(),
            levels: levels.to_vec(),
            script: deeds_of(self, &arrivals),
            transcript,
        })
    }
}
