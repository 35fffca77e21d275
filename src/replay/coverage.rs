//! What transcripts reach: each state, and each way out of it; and what none does.

use std::fmt::Write as _;

use super::folder::Outcome;
use crate::engine::turn::Hop;
use crate::flow::edge::Label;
use crate::flow::state::State;
use crate::flow::{Flow, FlowSet};

/// What is reached of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The flow.
    pub flow: String,
    /// Its states, in its order.
    pub rows: Vec<Row>,
}

/// What is reached of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The state.
    pub state: String,
    /// How often it was entered.
    pub entered: usize,
    /// Each way out, and how often it was taken.
    pub ways: Vec<(String, usize)>,
}

/// Measures these outcomes against the flows.
///
/// Keys, phrases and cases that lead to the same state are one way: a call's journal tells where it
/// went, not which key led there.
pub fn measure(flows: &FlowSet, outcomes: &[Outcome]) -> Vec<Coverage> {
    let calls: Vec<_> = outcomes.iter().map(|outcome| outcome.report.hops.as_slice()).collect();
    flows.iter().map(|flow| of_flow(flow, &calls)).collect()
}

fn of_flow(flow: &Flow, calls: &[&[Hop]]) -> Coverage {
    let rows = flow.states.values().map(|state| {
        let here = |hop: &Hop| hop.at.flow == flow.name && hop.at.state == state.name;
        let mut entered = 0;
        let mut taken = vec![0; ways(state).len()];
        for hops in calls {
            for (index, hop) in hops.iter().enumerate().filter(|(_, hop)| here(hop)) {
                let before = index.checked_sub(1).and_then(|before| hops.get(before));
                // A state in which the call waited is told of twice: when it was entered, and left.
                if !before.is_some_and(|before| here(before) && before.outcome.is_none()) {
                    entered += 1;
                }
                let next = hops.get(index + 1).filter(|next| next.at.flow == flow.name);
                let way = ways(state).iter().position(|way| way.is_taken(hop, next));
                if let Some(count) = way.and_then(|way| taken.get_mut(way)) {
                    *count += 1;
                }
            }
        }
        let names = ways(state).into_iter().map(|way| way.name);
        Row { state: state.name.to_string(), entered, ways: names.zip(taken).collect() }
    });
    Coverage { flow: flow.name.to_string(), rows: rows.collect() }
}

/// A way out of a state.
struct WayOut {
    name: String,
    /// The outcome's word, or the state to which a key, a phrase, a case or a step-up leads.
    by: By,
}

enum By {
    Outcome(String),
    Target(String),
}

impl WayOut {
    fn is_taken(&self, hop: &Hop, next: Option<&Hop>) -> bool {
        match &self.by {
            By::Outcome(word) => {
                hop.outcome.as_ref().is_some_and(|outcome| outcome.as_str() == word)
            }
            By::Target(state) => {
                hop.outcome.is_none()
                    && next.is_some_and(|next| {
                        next.at.state.as_str() == state && next.at.state != hop.at.state
                    })
            }
        }
    }
}

fn ways(state: &State) -> Vec<WayOut> {
    let mut ways: Vec<WayOut> = Vec::new();
    for edge in state.edges() {
        let to = edge.to.state.to_string();
        let (name, by) = match &edge.label {
            Label::Outcome(outcome) => (outcome.to_string(), By::Outcome(outcome.to_string())),
            Label::StepUp => ("step_up".to_owned(), By::Target(to)),
            Label::Key(key) => (key.to_string(), By::Target(to)),
            Label::Phrase(phrase) => (format!("\"{phrase}\""), By::Target(to)),
            Label::Case(number) => (format!("case {}", number + 1), By::Target(to)),
        };
        let same = ways.iter_mut().find(|way| match (&way.by, &by) {
            (By::Target(one), By::Target(other)) => one == other,
            _ => false,
        });
        match same {
            Some(way) => {
                let _ = write!(way.name, " {name}");
            }
            None => ways.push(WayOut { name, by }),
        }
    }
    ways
}

impl Coverage {
    /// The ways out of states that were not taken, and the states that were not entered: state and
    /// way.
    pub fn missing(&self) -> Vec<(String, Option<String>)> {
        let mut missing = Vec::new();
        for row in &self.rows {
            if row.entered == 0 {
                missing.push((row.state.clone(), None));
                continue;
            }
            let not_taken = row.ways.iter().filter(|(_, count)| *count == 0);
            missing.extend(not_taken.map(|(way, _)| (row.state.clone(), Some(way.clone()))));
        }
        missing
    }

    /// The table, and the missing cells under it.
    pub fn lines(&self) -> Vec<String> {
        let ways: usize = self.rows.iter().map(|row| row.ways.len()).sum();
        let taken: usize =
            self.rows.iter().flat_map(|row| &row.ways).filter(|(_, count)| *count > 0).count();
        let entered = self.rows.iter().filter(|row| row.entered > 0).count();
        let mut lines = vec![format!(
            "{}: {entered} of {} states entered, {taken} of {ways} ways out taken",
            self.flow,
            self.rows.len()
        )];
        let widest = self.rows.iter().map(|row| row.state.len()).max().unwrap_or_default();
        for row in &self.rows {
            let mut line = format!("  {:widest$} {:>4}", row.state, row.entered);
            for (way, count) in &row.ways {
                let _ = write!(line, "  {way}: {count}");
            }
            lines.push(line);
        }
        let missing = self.missing();
        if !missing.is_empty() {
            lines.push("  missing:".to_owned());
        }
        for (state, way) in missing {
            lines.push(match way {
                Some(way) => format!("    {state}: {way}"),
                None => format!("    {state} is never entered"),
            });
        }
        lines
    }
}

/// The flows that some call came to.
pub fn touched(all: &[Coverage]) -> impl Iterator<Item = &Coverage> {
    all.iter().filter(|coverage| coverage.rows.iter().any(|row| row.entered > 0))
}
