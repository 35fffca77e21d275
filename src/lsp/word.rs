//! What a word in a flow file is about, from where it stands.

use std::ops::Range;

use super::folder::Paper;
use super::sketch::{Role, Spot};
use crate::flow::budget;
use crate::flow::states::transfer::TARGETS;
use crate::flow::states::{COMMON, Key, Shape, StateType, TYPES};

/// What a word is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A key of the file.
    FlowKey,
    /// A state.
    State,
    /// A type of states.
    Type,
    /// A key of a state.
    StateKey,
    /// A way in which a state ends.
    Outcome,
    /// A level.
    Level,
    /// A level, or that anyone may.
    Label,
    /// A back end of the configuration.
    Backend,
    /// A key of a level.
    LevelKey,
    /// A fact.
    Fact,
    /// A fact or a class of facts.
    Proof,
    /// A field of the account.
    Field,
    /// A variable.
    Variable,
    /// A flow.
    Flow,
    /// Opening hours.
    Hours,
    /// A key of a case.
    CaseKey,
    /// A key of a condition.
    ConditionKey,
    /// The code of a warning.
    Code,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// A word with what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it names.
    pub sort: Sort,
    /// Its bytes; empty where one is still to be written.
    pub span: Range<usize>,
    /// Whether it is to be put in quotes when written.
    pub bare_value: bool,
    /// The state it stands in.
    pub state: Option<String>,
    /// The keys of the table it stands in.
    pub path: Vec<String>,
}

/// The type of a state, if it says one that there is.
pub fn type_of(paper: &Paper, state: &str) -> Option<&'static StateType> {
    let path = ["states", state, "type"];
    let name = paper.sketch.values(&path).next()?;
    let name = paper.said(name);
    TYPES.iter().find(|of| of.name == name).copied()
}

/// A key of a state, by its name and the state's type.
pub fn key_of(paper: &Paper, state: &str, name: &str) -> Option<&'static Key> {
    let own = type_of(paper, state).map(|of| of.keys).unwrap_or_default();
    COMMON.iter().chain(own).find(|key| key.name == name)
}

/// The word at a byte.
pub fn at(paper: &Paper, byte: usize) -> Option<Word> {
    let spot = paper.sketch.spot(byte);
    let path: Vec<&str> = spot.path.iter().map(String::as_str).collect();
    let state = match path.as_slice() {
        ["states", state, ..] => Some((*state).to_owned()),
        _ => None,
    };
    let (sort, span) = match in_template(paper, &spot, byte) {
        Some(found) => found,
        None if spot.role == Role::Value => (value(paper, &path)?, spot.span.clone()),
        None if spot.role == Role::Nothing => return None,
        None => (key(&path)?, spot.span.clone()),
    };
    let bare_value = spot.role == Role::Value && !spot.quoted && span == spot.span;
    Some(Word { sort, span, bare_value, state, path: spot.path })
}

fn key(path: &[&str]) -> Option<Sort> {
    Some(match path {
        [] => Sort::FlowKey,
        ["states"] => Sort::State,
        ["states", _] => Sort::StateKey,
        ["states", _, "on"] => Sort::Outcome,
        ["states", _, "values" | "give"] => Sort::Variable,
        ["states", _, "cases"] => Sort::CaseKey,
        ["states", _, "cases", "when", ..] => Sort::ConditionKey,
        ["states", _, "give", _] => Sort::Choice(&["type", "label"]),
        ["states", _, "to"] => Sort::Choice(&TARGETS),
        ["levels"] => Sort::Level,
        ["levels", _, .., "at_risk"] => Sort::Choice(&["medium", "high"]),
        ["levels", ..] => Sort::LevelKey,
        ["disclose"] => Sort::Field,
        ["hours"] => Sort::Hours,
        ["hours", _] => Sort::Choice(&["zone", "open", "closed"]),
        ["budget"] => Sort::Choice(&budget::KEYS),
        _ => return None,
    })
}

fn value(paper: &Paper, path: &[&str]) -> Option<Sort> {
    Some(match path {
        ["start"] => Sort::State,
        ["disclose", _] => Sort::Level,
        ["levels", _, .., "all" | "any"] => Sort::Proof,
        ["budget", "pins"] => {
            Sort::Choice(&["random", "chosen", "chosen_274_blocked", "chosen_1000_blocked"])
        }
        ["states", _, "type"] => Sort::Type,
        ["states", _, "backend"] => Sort::Backend,
        ["states", _, "give", _, "type"] => Sort::Choice(&["text", "number", "flag", "date"]),
        ["states", _, "give", _, "label"] => Sort::Label,
        ["states", _, "requires"] => Sort::Level,
        ["states", _, "flow"] => Sort::Flow,
        ["states", _, "var" | "with"] => Sort::Variable,
        ["states", _, "with", _] => Sort::Variable,
        ["states", _, "share"] => Sort::Field,
        ["states", _, "accept"] => Sort::Code,
        ["states", _, "on" | "keys" | "phrases", _] | ["states", _, "cases", "next"] => Sort::State,
        ["states", _, "cases", "when", .., subject] => match *subject {
            "var" => Sort::Variable,
            "field" => Sort::Field,
            "fact" => Sort::Fact,
            "level" => Sort::Level,
            "open" => Sort::Hours,
            "risk" | "risk_at_least" => Sort::Choice(&["low", "medium", "high"]),
            "attestation" => Sort::Choice(&["A", "B", "C", "failed", "relayed", "none"]),
            _ => return None,
        },
        ["states", state, key] => match key_of(paper, state, key)?.shape {
            Shape::State => Sort::State,
            Shape::Choice(words) | Shape::Choices(words) => Sort::Choice(words),
            Shape::Boolean => Sort::Choice(&["true", "false"]),
            _ => return None,
        },
        _ => return None,
    })
}

/// A name inside `{{ … }}` of a text that is spoken or sent.
fn in_template(paper: &Paper, spot: &Spot, byte: usize) -> Option<(Sort, Range<usize>)> {
    if spot.role != Role::Value || !spot.quoted || spot.path.first()? != "states" {
        return None;
    }
    let before = paper.text.get(spot.span.start..byte)?;
    let open = before.rfind("{{")?;
    if before.get(open..)?.contains("}}") || before.get(open..)?.contains('|') {
        return None;
    }
    let named = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let start = byte - before.len()
        + before.rfind(|c| !named(c)).map_or(0, |at| {
            at + before.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
        });
    let after = paper.text.get(byte..spot.span.end)?;
    let end = byte + after.find(|c| !named(c)).unwrap_or(after.len());
    let field = paper.text.get(..start)?.ends_with("account.");
    Some((if field { Sort::Field } else { Sort::Variable }, start..end))
}
