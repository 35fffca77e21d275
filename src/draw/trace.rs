//! Where calls went: the states and ways they took stand out, the others fade.

use super::{Mark, Picture, Sort, Way, of};
use crate::engine::turn::Hop;
use crate::flow::Flow;
use crate::flow::outcome::Outcome;
use crate::flow::state::State;

/// The picture of a flow with the ways of these calls in it, each call as its hops in order. What
/// happened in other flows is left out; where a call came back from a step-up, it says so.
pub fn walked(flow: &Flow, calls: &[Vec<Hop>]) -> Picture {
    let mut picture = of(flow);
    for card in &mut picture.cards {
        card.mark = Mark::Missed;
    }
    for way in &mut picture.ways {
        way.mark = Mark::Missed;
    }
    let mut visits: Vec<Vec<String>> = vec![Vec::new(); picture.cards.len()];
    for call in calls {
        let mut before: Option<(usize, &Hop)> = None;
        let mut steps = 0_usize;
        for hop in call.iter().filter(|hop| hop.at.flow == flow.name) {
            let Some(at) = flow.states.get_index_of(&hop.at.state) else { continue };
            // A state in which the call waited is told of twice: when it was entered, and left.
            let waited = |(from, hop): &(usize, &Hop)| *from == at && hop.outcome.is_none();
            if !before.as_ref().is_some_and(waited) {
                steps += 1;
                if let Some(visits) = visits.get_mut(at) {
                    visits.push(steps.to_string());
                }
                if let Some((from, hop)) = before {
                    walk(&mut picture, flow, from, hop, at);
                }
            }
            before = Some((at, hop));
        }
    }
    let count = calls.len();
    for (card, visits) in picture.cards.iter_mut().zip(visits) {
        if !visits.is_empty() {
            card.mark = Mark::Walked;
            card.remark = match (count, visits.len()) {
                (1, _) => visits.join(", "),
                (_, 1) => "once".to_owned(),
                (_, often) => format!("{often} times"),
            };
        }
    }
    picture.title = match count {
        1 => format!("{}: the way of a call", flow.name),
        _ => format!("{}: the ways of {count} calls", flow.name),
    };
    picture.marks = vec![Mark::Walked, Mark::Missed];
    picture
}

/// Marks the way from a state to the next one of a call.
fn walk(picture: &mut Picture, flow: &Flow, from: usize, hop: &Hop, to: usize) {
    let Some((_, state)) = flow.states.get_index(from) else { return };
    let wanted = hop.outcome.as_ref().map(Outcome::as_str);
    let between = |way: &Way| way.from == from && way.to == to;
    let labelled = |way: &Way| wanted.is_some_and(|word| way.labels.iter().any(|l| l == word));
    let exact = picture.ways.iter().position(|way| between(way) && labelled(way));
    // A key, a phrase or a case has no outcome of its own.
    let other = || picture.ways.iter().position(|way| between(way) && way.sort != Sort::Failure);
    let any = || picture.ways.iter().position(between);
    match exact.or_else(other).or_else(any) {
        Some(index) => {
            if let Some(way) = picture.ways.get_mut(index) {
                way.mark = Mark::Walked;
            }
        }
        None if from != to && comes_back(state) => picture.ways.push(Way {
            from,
            to,
            labels: vec!["comes back".to_owned()],
            sort: Sort::Back,
            mark: Mark::Walked,
        }),
        None => {}
    }
}

fn comes_back(state: &State) -> bool {
    matches!(state.kind, crate::flow::state::Kind::Return(_))
}
