//! What transcripts reach: each state, each way out of it, and the levels then met; and what none of them
//! reaches.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Report;
use super::folder::Outcome;
use crate::check::{self, Cell};
use crate::engine::turn::Hop;
use crate::flow::edge::Label;
use crate::flow::name::LevelName;
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
    /// Each way out.
    pub ways: Vec<Way>,
}

/// What is reached of a way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// In words.
    pub name: String,
    /// What leads that way: the keys, phrases and cases that lead to the same state count as one way.
    pub labels: Vec<Label>,
    /// How often it was taken.
    pub taken: usize,
    /// The same by the levels that were then met.
    pub at: BTreeMap<Vec<String>, usize>,
    /// The levels at which callers may go that way, and none did.
    pub missing: Vec<Cell>,
}

/// Measures these outcomes against the flows.
///
/// Keys, phrases and cases that lead to the same state are one way: a call's journal tells where it went, not
/// which key led there. At which levels a way is possible, the checker foresees.
pub fn measure(flows: &FlowSet, outcomes: &[Outcome]) -> Vec<Coverage> {
    let reports: Vec<_> = outcomes.iter().map(|outcome| &outcome.report).collect();
    let cells = check::cells(flows);
    flows.iter().map(|flow| of_flow(flow, &reports, &cells)).collect()
}

/// Whether a call takes the way of a cell at its levels.
pub fn takes(flows: &FlowSet, report: &Report, cell: &Cell) -> bool {
    let (flow, state) = &cell.at;
    let state = flows.get(flow.as_str()).and_then(|flow| flow.state(state));
    let Some((flow, state)) = flows.get(flow.as_str()).zip(state) else { return false };
    let row = of_state(flow, state, &[report]);
    row.ways
        .iter()
        .any(|way| way.labels.contains(&cell.way) && way.at.contains_key(&names(&cell.levels)))
}

fn of_flow(flow: &Flow, reports: &[&Report], cells: &[Cell]) -> Coverage {
    let rows = flow.states.values().map(|state| {
        let mut row = of_state(flow, state, reports);
        let at = (flow.name.clone(), state.name.clone());
        for cell in cells.iter().filter(|cell| cell.at == at) {
            let way = row.ways.iter_mut().find(|way| way.labels.contains(&cell.way));
            let Some(way) = way else { continue };
            let levels = names(&cell.levels);
            let known = way.missing.iter().any(|other| other.levels == cell.levels);
            if !known && !way.at.contains_key(&levels) {
                way.missing.push(cell.clone());
            }
        }
        row
    });
    Coverage { flow: flow.name.to_string(), rows: rows.collect() }
}

fn of_state(flow: &Flow, state: &State, reports: &[&Report]) -> Row {
    let here = |hop: &Hop| hop.at.flow == flow.name && hop.at.state == state.name;
    let mut entered = 0;
    let mut ways = ways(state);
    for report in reports {
        let hops = &report.hops;
        for (index, hop) in hops.iter().enumerate().filter(|(_, hop)| here(hop)) {
            let before = index.checked_sub(1).and_then(|before| hops.get(before));
            // A state in which the call waited appears twice: when it was entered, and with how it ended.
            let waited = before.is_some_and(|before| here(before) && before.outcome.is_none());
            if !(waited && hop.outcome.is_some()) {
                entered += 1;
            }
            let next = hops.get(index + 1).filter(|next| next.at.flow == flow.name);
            if let Some(out) = ways.iter_mut().find(|out| out.is_taken(hop, next)) {
                out.way.taken += 1;
                let met = report.met.get(index).cloned().unwrap_or_default();
                *out.way.at.entry(met).or_default() += 1;
            }
        }
    }
    let ways = ways.into_iter().map(|out| out.way).collect();
    Row { state: state.name.to_string(), entered, ways }
}

fn names(levels: &[LevelName]) -> Vec<String> {
    levels.iter().map(ToString::to_string).collect()
}

/// Levels in words.
pub fn at_words(levels: &[String]) -> String {
    if levels.is_empty() { "no level".to_owned() } else { levels.join("+") }
}

/// A way out of a state.
struct WayOut {
    way: Way,
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
                // The same state with an outcome is how it ended; without one, it was entered again.
                hop.outcome.is_none()
                    && next.is_some_and(|next| {
                        next.at.state.as_str() == state
                            && (next.at.state != hop.at.state || next.outcome.is_none())
                    })
            }
        }
    }
}

fn ways(state: &State) -> Vec<WayOut> {
    let mut ways: Vec<WayOut> = Vec::new();
    for edge in state.edges() {
        let name = edge.label.to_string();
        let by = match &edge.label {
            Label::Outcome(outcome) => By::Outcome(outcome.to_string()),
            _ => By::Target(edge.to.state.to_string()),
        };
        let same = ways.iter_mut().find(|out| match (&out.by, &by) {
            (By::Target(one), By::Target(other)) => one == other,
            _ => false,
        });
        if let Some(out) = same {
            let _ = write!(out.way.name, " {name}");
            out.way.labels.push(edge.label);
            continue;
        }
        let labels = vec![edge.label];
        let (taken, at, missing) = (0, BTreeMap::new(), Vec::new());
        ways.push(WayOut { way: Way { name, labels, taken, at, missing }, by });
    }
    ways
}

impl Coverage {
    /// The cells that no call reached, each with the shortest way to it.
    pub fn missing(&self) -> impl Iterator<Item = &Cell> {
        self.rows.iter().flat_map(|row| &row.ways).flat_map(|way| &way.missing)
    }

    /// What is reached of a way out; `None`: the state has no such way.
    pub fn way(&self, state: &str, label: &Label) -> Option<&Way> {
        let row = self.rows.iter().find(|row| row.state == state)?;
        row.ways.iter().find(|way| way.labels.contains(label))
    }

    /// How often a state was entered.
    pub fn entered(&self, state: &str) -> usize {
        self.rows.iter().find(|row| row.state == state).map_or(0, |row| row.entered)
    }

    /// The table, and the missing cells under it.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.summary()];
        let width = |texts: &mut dyn Iterator<Item = &String>| {
            texts.map(|text| text.chars().count()).max().unwrap_or_default()
        };
        let ways = || self.rows.iter().flat_map(|row| &row.ways);
        let states_w = width(&mut self.rows.iter().map(|row| &row.state)).max("state".len());
        let ways_w = width(&mut ways().map(|way| &way.name)).max("way out".len());
        lines.push(format!(
            "  {:states_w$}  entered  {:ways_w$}  taken  at levels",
            "state", "way out"
        ));
        for row in &self.rows {
            let entered = format!("  {:states_w$}  {:>7}", row.state, row.entered);
            if row.ways.is_empty() {
                lines.push(entered.clone());
            }
            for (index, way) in row.ways.iter().enumerate() {
                let at =
                    way.at.iter().map(|(levels, count)| format!("{} {count}", at_words(levels)));
                let at: Vec<_> = at.collect();
                let begin = if index == 0 { entered.clone() } else { " ".repeat(states_w + 11) };
                let line =
                    format!("{begin}  {:ways_w$}  {:>5}  {}", way.name, way.taken, at.join(", "));
                lines.push(line.trim_end().to_owned());
            }
        }
        let missing = self.missing_lines();
        if !missing.is_empty() {
            lines.push("  missing:".to_owned());
            lines.extend(missing);
        }
        lines
    }

    fn summary(&self) -> String {
        let ways = || self.rows.iter().flat_map(|row| &row.ways);
        let entered = self.rows.iter().filter(|row| row.entered > 0).count();
        let taken = ways().filter(|way| way.taken > 0).count();
        let reached: usize = ways().map(|way| way.at.len()).sum();
        let cells = reached + self.missing().count();
        format!(
            "{}: {entered} of {} states entered, {taken} of {} ways out taken, {reached} of {cells} cells of a way out and the levels met",
            self.flow,
            self.rows.len(),
            ways().count()
        )
    }

    fn missing_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for row in &self.rows {
            if row.entered == 0 {
                lines.push(format!("    {} is never entered", row.state));
                continue;
            }
            for way in &row.ways {
                if way.taken == 0 {
                    lines.push(format!("    {}: {}", row.state, way.name));
                }
                for cell in way.missing.iter().filter(|_| way.taken > 0) {
                    let at = at_words(&names(&cell.levels));
                    lines.push(format!("    {}: {} at {at}", row.state, way.name));
                }
            }
        }
        lines
    }
}

/// The flows that some call came to.
pub fn touched(all: &[Coverage]) -> impl Iterator<Item = &Coverage> {
    all.iter().filter(|coverage| coverage.rows.iter().any(|row| row.entered > 0))
}
