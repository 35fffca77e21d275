//! Assigns variables, or the language the caller is spoken to in, and goes on.
//!
//! `values` gives each variable a text, a number, `true` or `false`; a text may fill in others:
//! `{ greeting = "Hello {{ account.first_name }}" }`. `locale` changes the language.

use super::{Key, NEXT, Outcome, Shape, StateReader, StateType};
use crate::diagnostic::fix::Spelling;
use crate::diagnostic::{Finding, Place};
use crate::flow::condition;
use crate::flow::locale::{Locale, no_language};
use crate::flow::name::{VariableName, is_name};
use crate::flow::state::Kind;
use crate::flow::template::{NAMING, RESERVED, Template};
use crate::flow::value::Value;

/// A state that assigns.
#[derive(Debug)]
pub struct Set {
    /// What is assigned.
    pub values: Vec<Assignment>,
    /// The language from here on.
    pub locale: Option<Locale>,
}

impl Set {
    /// The texts that it fills in.
    pub fn texts(&self) -> impl Iterator<Item = &Template> {
        self.values.iter().filter_map(|value| value.to.text())
    }
}

/// One assignment.
#[derive(Debug)]
pub struct Assignment {
    /// The variable.
    pub name: VariableName,
    /// Where it is written.
    pub place: Place,
    /// What it becomes.
    pub to: Assigned,
}

/// What a variable becomes.
#[derive(Debug)]
pub enum Assigned {
    /// This value.
    Value(Value),
    /// This text, filled in.
    Text(Template),
}

impl Assigned {
    /// The text that is filled in, if it is one.
    pub fn text(&self) -> Option<&Template> {
        match self {
            Self::Text(template) => Some(template),
            Self::Value(_) => None,
        }
    }
}

/// `set`
pub const TYPE: StateType = StateType {
    name: "set",
    source: include_str!("set.rs"),
    outcomes: &[Outcome::Next],
    keys: &[
        Key::new("values", Shape::Values, "Variables and what they become."),
        Key::new("locale", Shape::Text, "The language from here on."),
        NEXT,
    ],
    read: |state| Some(Kind::Set(read(state))),
};

fn read(state: &StateReader<'_, '_>) -> Set {
    let mut values = Vec::new();
    let table = state.item("values").and_then(|values| values.table("`values`"));
    for entry in table.iter().flat_map(crate::document::Reader::entries) {
        if !is_name(entry.key) || RESERVED.contains(&entry.key) {
            let message = format!("`{}` cannot be the name of a variable", entry.key);
            let finding = Finding::error("bad-name", message, entry.key_place());
            entry.report(finding.help(NAMING));
        }
        let to = match entry.as_text() {
            Some(text) => {
                Template::read(text, &entry.place(), state.words.problems).map(Assigned::Text)
            }
            None => condition::read_value(&entry).map(Assigned::Value),
        };
        values.extend(to.map(|to| Assignment {
            name: entry.key.into(),
            place: entry.key_place(),
            to,
        }));
    }
    let locale = state.item("locale").and_then(|item| {
        let text = item.text()?;
        let locale = Locale::parse(text);
        if locale.is_none() {
            item.report(no_language(text, item.place(), Spelling::Value));
        }
        locale
    });
    if !state.table.has("values") && !state.table.has("locale") {
        let message = format!("{} sets nothing", state.table.what());
        let finding = Finding::error("missing-key", message, state.table.place());
        state.table.report(finding.help("give it `values` or `locale`"));
    }
    Set { values, locale }
}
