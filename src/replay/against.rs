//! The same calls with other flows: who would end elsewhere, prove more or less, or hear other words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::folder::Outcome;
use super::report::{Came, Report};
use super::transcript::{ENDS, word_of};
use crate::flow::FlowSet;
use crate::flow::name::{FlowName, StateName};
use crate::flow::outcome::Outcome as FlowOutcome;

/// What differs in one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The transcript.
    pub file: String,
    /// The differences, the gravest first.
    pub effects: Vec<Effect>,
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The caller gets into states that require a level, and did not before.
    GetsIn(Vec<String>),
    /// The caller no longer gets into states that require a level.
    KeptOut(Vec<String>),
    /// Levels that the caller reaches only now, and only before.
    Levels {
        /// Only now.
        gained: Vec<String>,
        /// Only before.
        lost: Vec<String>,
    },
    /// Facts that are proved only now, and only before.
    Facts {
        /// Only now.
        gained: Vec<String>,
        /// Only before.
        lost: Vec<String>,
    },
    /// The call ends elsewhere.
    Ends {
        /// Where, and how, before.
        before: String,
        /// And now.
        now: String,
    },
    /// Other words are heard.
    Words {
        /// Heard only before.
        before: Vec<String>,
        /// Heard only now.
        now: Vec<String>,
    },
    /// Other things are sent or done outside.
    Deeds {
        /// Done only before.
        before: Vec<String>,
        /// Done only now.
        now: Vec<String>,
    },
}

/// Compares the results of the same transcripts with two sets of flows, and returns those that differ.
pub fn compare(
    (old, before): (&FlowSet, &[Outcome]),
    (new, now): (&FlowSet, &[Outcome]),
) -> Vec<Change> {
    let both = before.iter().zip(now).filter(|(one, other)| one.file == other.file);
    both.filter_map(|(one, other)| {
        let effects = effects((old, &one.report), (new, &other.report));
        let file = one.file.display().to_string();
        (!effects.is_empty()).then_some(Change { file, effects })
    })
    .collect()
}

fn effects((old, before): (&FlowSet, &Report), (new, now): (&FlowSet, &Report)) -> Vec<Effect> {
    let mut effects = Vec::new();
    // A state that required a level in either set is one that not everybody gets into.
    // If both require one, the old one is named: it was asked of the caller.
    let guarded: BTreeMap<_, _> = guarded(new).chain(guarded(old)).collect();
    let inside = entered(old, before, &guarded);
    let inside_now = entered(new, now, &guarded);
    if let Some(states) = listed(inside_now.difference(&inside)) {
        effects.push(Effect::GetsIn(states));
    }
    if let Some(states) = listed(inside.difference(&inside_now)) {
        effects.push(Effect::KeptOut(states));
    }
    if let Some((gained, lost)) = apart(&levels(before), &levels(now)) {
        effects.push(Effect::Levels { gained, lost });
    }
    if let Some((gained, lost)) = apart(&facts(before), &facts(now)) {
        effects.push(Effect::Facts { gained, lost });
    }
    let (end, end_now) = (end(before), end(now));
    if end != end_now {
        effects.push(Effect::Ends { before: end, now: end_now });
    }
    let only = |of: &dyn Fn(&Came) -> Vec<String>| {
        let (one, other) = (all(before, of), all(now, of));
        (
            one.iter().filter(|it| !other.contains(it)).cloned().collect::<Vec<_>>(),
            other.iter().filter(|it| !one.contains(it)).cloned().collect::<Vec<_>>(),
        )
    };
    let (before, now) = only(&|came| came.says.clone());
    if !before.is_empty() || !now.is_empty() {
        effects.push(Effect::Words { before, now });
    }
    let (before, now) = only(&|came| came.effects.clone());
    if !before.is_empty() || !now.is_empty() {
        effects.push(Effect::Deeds { before, now });
    }
    effects
}

/// The states that require a level, and which.
fn guarded(flows: &FlowSet) -> impl Iterator<Item = ((FlowName, StateName), String)> {
    let states = flows.iter().flat_map(|flow| flow.states.values().map(move |state| (flow, state)));
    states.filter_map(|(flow, state)| {
        let (level, _) = state.requires.as_ref()?;
        Some(((flow.name.clone(), state.name.clone()), level.to_string()))
    })
}

/// What only the second has, and what only the first has; `None`: they are the same.
fn apart(before: &BTreeSet<String>, now: &BTreeSet<String>) -> Option<(Vec<String>, Vec<String>)> {
    let gained = now.difference(before).cloned().collect();
    let lost = before.difference(now).cloned().collect();
    (before != now).then_some((gained, lost))
}

/// The guarded states that a call got into, without being turned away there or sent to prove more.
fn entered(
    flows: &FlowSet,
    report: &Report,
    guarded: &BTreeMap<(FlowName, StateName), String>,
) -> BTreeSet<String> {
    let mut entered = BTreeSet::new();
    for (index, hop) in report.hops.iter().enumerate() {
        let next = report.hops.get(index + 1).map(|next| &next.at.state);
        let state = flows.get(hop.at.flow.as_str()).and_then(|flow| flow.state(&hop.at.state));
        let step_up = state.and_then(|state| state.step_up.as_ref()).map(|to| &to.state);
        let sent_off = hop.outcome.is_none() && step_up.is_some() && step_up == next;
        let turned_away = hop.outcome == Some(FlowOutcome::Denied);
        let level = guarded.get(&(hop.at.flow.clone(), hop.at.state.clone()));
        if let Some(level) = level.filter(|_| !turned_away && !sent_off) {
            entered.insert(format!("{}.{} ({level})", hop.at.flow, hop.at.state));
        }
    }
    entered
}

fn levels(report: &Report) -> BTreeSet<String> {
    report.turns.iter().flat_map(|came| came.levels.iter().cloned()).collect()
}

fn facts(report: &Report) -> BTreeSet<String> {
    let facts = report.turns.iter().flat_map(|came| &came.facts);
    facts.map(ToString::to_string).collect()
}

fn end(report: &Report) -> String {
    let Some(last) = report.turns.iter().rfind(|came| came.lapse.is_none()) else {
        return "nowhere".to_owned();
    };
    match last.end {
        Some(end) => format!("{} ({})", last.state, word_of(&ENDS, &end)),
        None => format!("{} (goes on)", last.state),
    }
}

fn all(report: &Report, of: &dyn Fn(&Came) -> Vec<String>) -> Vec<String> {
    report.turns.iter().flat_map(of).collect()
}

fn listed<'s>(states: impl Iterator<Item = &'s String>) -> Option<Vec<String>> {
    let states: Vec<_> = states.cloned().collect();
    (!states.is_empty()).then_some(states)
}

impl Effect {
    fn line(&self) -> String {
        let or_none = |list: &[String]| {
            if list.is_empty() { "nothing".to_owned() } else { list.join(", ") }
        };
        match self {
            Self::GetsIn(states) => format!("gets in: {}", states.join(", ")),
            Self::KeptOut(states) => format!("no longer gets in: {}", states.join(", ")),
            Self::Levels { gained, lost } => {
                let parts = [("reaches the level", gained), ("no longer reaches the level", lost)];
                let parts = parts.into_iter().filter(|(_, levels)| !levels.is_empty());
                let parts: Vec<_> =
                    parts.map(|(what, levels)| format!("{what}: {}", levels.join(", "))).collect();
                parts.join("; ")
            }
            Self::Facts { gained, lost } => {
                format!("proves {} more, {} less", or_none(gained), or_none(lost))
            }
            Self::Ends { before, now } => format!("ends in {now}, before in {before}"),
            Self::Words { .. } => "hears other words".to_owned(),
            Self::Deeds { .. } => "other things are done in the world".to_owned(),
        }
    }

    /// What was before and what is now, a line each.
    fn details(&self) -> Vec<(char, &str)> {
        match self {
            Self::Words { before, now } | Self::Deeds { before, now } => {
                let before = before.iter().map(|line| ('-', line.as_str()));
                before.chain(now.iter().map(|line| ('+', line.as_str()))).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The callers who get in now and did not before.
fn let_in(changes: &[Change]) -> Vec<&str> {
    let lets_in =
        |change: &&Change| change.effects.iter().any(|it| matches!(it, Effect::GetsIn(_)));
    changes.iter().filter(lets_in).map(|change| change.file.as_str()).collect()
}

const LET_IN: &str = "would get in without what is asked of them today";

/// For people: a call a paragraph.
pub fn text(changes: &[Change], calls: usize) -> String {
    let mut text = String::new();
    for change in changes {
        let _ = writeln!(text, "{}", change.file);
        for effect in &change.effects {
            let _ = writeln!(text, "  {}", effect.line());
            for (mark, line) in effect.details() {
                let _ = writeln!(text, "    {mark} {line}");
            }
        }
    }
    let _ = writeln!(text, "{} of {calls} calls would go otherwise", changes.len());
    let let_in = let_in(changes);
    if !let_in.is_empty() {
        let _ = writeln!(text, "{} {LET_IN}: {}", let_in.len(), let_in.join(", "));
    }
    text
}

/// For a comment on a pull request.
pub fn markdown(changes: &[Change], calls: usize) -> String {
    let mut text = format!("**{} of {calls} calls would go otherwise.**\n", changes.len());
    let let_in = let_in(changes);
    if !let_in.is_empty() {
        let names: Vec<_> = let_in.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "\n**{} {LET_IN}:** {}", let_in.len(), names.join(", "));
    }
    for change in changes {
        let _ = write!(text, "\n<details><summary><code>{}</code>", change.file);
        if let Some(first) = change.effects.first() {
            let _ = write!(text, ": {}", first.line());
        }
        text.push_str("</summary>\n\n");
        for effect in &change.effects {
            let _ = writeln!(text, "- {}", effect.line());
            let details = effect.details();
            if !details.is_empty() {
                text.push_str("\n  ```diff\n");
                for (mark, line) in details {
                    let _ = writeln!(text, "  {mark} {}", line.replace("```", "'''"));
                }
                text.push_str("  ```\n\n");
            }
        }
        text.push_str("\n</details>\n");
    }
    text
}

/// For programs.
pub fn json(changes: &[Change], calls: usize) -> Value {
    let effect = |effect: &Effect| match effect {
        Effect::GetsIn(states) => json!({ "kind": "gets_in", "states": states }),
        Effect::KeptOut(states) => json!({ "kind": "kept_out", "states": states }),
        Effect::Levels { gained, lost } => {
            json!({ "kind": "levels", "gained": gained, "lost": lost })
        }
        Effect::Facts { gained, lost } => {
            json!({ "kind": "facts", "gained": gained, "lost": lost })
        }
        Effect::Ends { before, now } => json!({ "kind": "ends", "before": before, "now": now }),
        Effect::Words { before, now } => json!({ "kind": "words", "before": before, "now": now }),
        Effect::Deeds { before, now } => json!({ "kind": "deeds", "before": before, "now": now }),
    };
    let change = |change: &Change| json!({ "file": change.file, "effects": change.effects.iter().map(effect).collect::<Vec<_>>() });
    json!({ "version": 1, "calls": calls, "changed": changes.iter().map(change).collect::<Vec<_>>() })
}
