//! What transcripts reach of a flow, as colours.

use super::{Mark, Picture, marked};
use crate::flow::Flow;
use crate::flow::edge::Label;
use crate::flow::state::State;

/// The picture of a flow in which each way is marked by how far it is covered, and each state by that
/// and by how often it was entered.
pub fn covered(
    flow: &Flow,
    entered: impl Fn(&State) -> usize,
    way: impl Fn(&State, &Label) -> Mark,
) -> Picture {
    let mut picture = marked(flow, &way);
    for (card, state) in picture.cards.iter_mut().zip(flow.states.values()) {
        let count = entered(state);
        let mut edges = state.edges().into_iter().map(|edge| way(state, &edge.label));
        card.mark = match count {
            0 => Mark::Uncovered,
            _ if edges.all(|mark| mark == Mark::Covered) => Mark::Covered,
            _ => Mark::Partly,
        };
        card.remark = match count {
            0 => "never".to_owned(),
            1 => "once".to_owned(),
            count => format!("{count} times"),
        };
    }
    picture.title = format!("{}: what is covered", flow.name);
    picture.marks = vec![Mark::Covered, Mark::Partly, Mark::Uncovered];
    picture
}
