//! Asks a back end of the business over HTTP, and takes typed answers into variables.
//!
//! `backend` is a name to which the configuration gives an address and a token, `path` what it is asked for.
//! It is told whose account is claimed (unless `account = false`), which facts are proved, and what
//! `send` says: texts that are filled in, numbers, `true` or `false`. `give` names the variables that
//! the answer fills, each with its type (`text`, `number`, `flag`, `date`) and its `label`: the level
//! that a caller must meet for it to be said, sent or asked about, or `anyone`, which is the name of none.
//! No answer, a late one, and one in which a value is missing or has another type are all `failed`; then none of
//! these variables is set, whatever was in it before.

use super::set::Assigned;
use super::{Key, Outcome, Shape, StateReader, StateType};
use crate::diagnostic::{Finding, Place};
use crate::document::{Item, Reader};
use crate::flow::condition;
use crate::flow::name::{LevelName, VariableName, fills_in, is_name};
use crate::flow::state::Kind;
use crate::flow::template::{NAMING, RESERVED, Template};
use crate::flow::value::Value;
use crate::limits;

/// A state that asks a back end.
#[derive(Debug)]
pub struct Lookup {
    /// Whom, by the configuration's name.
    pub backend: String,
    /// What is asked of it; may be empty.
    pub path: String,
    /// Whether it is told whose account is claimed.
    pub account: bool,
    /// What it is told besides, by name.
    pub send: Vec<(String, Assigned)>,
    /// What is taken from the answer.
    pub give: Vec<Given>,
}

/// A variable that an answer fills.
#[derive(Debug)]
pub struct Given {
    /// The variable, and the answer's key.
    pub name: VariableName,
    /// Where it is written.
    pub place: Place,
    /// What it must be.
    pub of: Type,
    /// Who may hear it; `None`: anyone.
    pub label: Option<(LevelName, Place)>,
}

/// What a value of an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A text.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A text such as `2026-12-25`.
    Date,
}

impl Type {
    /// All types by their names.
    pub const ALL: [(&str, Self); 4] = [
        ("text", Self::Text),
        ("number", Self::Number),
        ("flag", Self::Flag),
        ("date", Self::Date),
    ];

    /// A value of an answer, if it is of this type.
    pub fn read(self, json: &serde_json::Value) -> Option<Value> {
        let value = match json {
            serde_json::Value::Bool(flag) => Value::Flag(*flag),
            serde_json::Value::Number(number) => Value::Number(number.as_f64()?),
            serde_json::Value::String(text) => Value::Text(text.clone()),
            _ => return None,
        };
        self.admits(&value).then_some(value)
    }

    /// Whether a value is of this type.
    pub fn admits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Flag, Value::Flag(_)) => true,
            (Self::Number, Value::Number(number)) => number.is_finite(),
            (Self::Text, Value::Text(text)) => text.chars().count() <= limits::VARIABLE_CHARS_MAX,
            (Self::Date, Value::Text(text)) => text.parse::<jiff::civil::Date>().is_ok(),
            _ => false,
        }
    }
}

/// The label of what anybody may hear.
pub const ANYONE: &str = "anyone";

/// `lookup`
pub const TYPE: StateType = StateType {
    name: "lookup",
    source: include_str!("lookup.rs"),
    outcomes: &[Outcome::Ok, Outcome::Failed],
    keys: &[
        Key::required(
            "backend",
            Shape::Text,
            "Whom it asks: a name under `backends` in the configuration.",
        ),
        Key::new("path", Shape::Text, "What it asks for there: \"invoices/open\"."),
        Key::new(
            "account",
            Shape::Boolean,
            "Whether the back end is told whose account is claimed: true.",
        ),
        Key::new("send", Shape::Values, "What the back end is told besides, by name."),
        Key::new(
            "give",
            Shape::Gives,
            "The variables that the answer fills, with their types and labels.",
        ),
    ],
    read: |state| Some(Kind::Lookup(read(state)?)),
};

fn read(state: &StateReader<'_, '_>) -> Option<Lookup> {
    let account = state.item("account").and_then(|item| item.boolean());
    let path = state.item("path").and_then(|item| {
        let text = item.text()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        let sound = text.chars().all(plain)
            && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
            && text.len() <= limits::LOOKUP_PATH_BYTES_MAX;
        if !sound {
            let message = format!("`{text}` is not a path such as invoices/open");
            item.report(
                Finding::error("bad-path", message, item.place())
                    .help("letters, digits, `-`, `_` and `.`, parted by `/`; what changes belongs into `send`"),
            );
        }
        Some(text.to_owned())
    });
    let table = state.item("send").and_then(|send| send.table("`send`"));
    let mut send = Vec::new();
    for entry in table.iter().flat_map(Reader::entries) {
        name_is_free(&entry, &[]);
        let to = match entry.as_text() {
            Some(text) => {
                Template::read(text, &entry.place(), state.words.problems).map(Assigned::Text)
            }
            None => condition::read_value(&entry).map(Assigned::Value),
        };
        send.extend(to.map(|to| (entry.key.to_owned(), to)));
    }
    let table = state.item("give").and_then(|give| give.table("`give`"));
    let entries = table.iter().flat_map(Reader::entries);
    let give = entries.filter_map(|entry| read_given(&entry)).collect();
    let backend = state.required("backend")?;
    if backend.as_text().is_some_and(fills_in) {
        backend
            .refuse("bad-template", "the name of a back end is fixed: nothing is filled in there");
    }
    Some(Lookup {
        backend: backend.name()?.to_owned(),
        path: path.unwrap_or_default(),
        account: account.unwrap_or(true),
        send,
        give,
    })
}

fn read_given(entry: &Item<'_>) -> Option<Given> {
    name_is_free(entry, &RESERVED);
    let table = entry.table(format!("`{}`", entry.key))?;
    let of = table.required("type").and_then(|of| of.choice(&Type::ALL));
    let label = table.required_or("label", || {
        Some("say which level may hear it, or that anyone may: label = \"anyone\"".into())
    });
    let label = label.and_then(|label| Some((label.name()?.into(), label.place())));
    table.finish();
    let label: (LevelName, Place) = label?;
    Some(Given {
        name: entry.key.into(),
        place: entry.key_place(),
        of: of?,
        label: (label.0.as_str() != ANYONE).then_some(label),
    })
}

fn name_is_free(entry: &Item<'_>, taken: &[&str]) {
    if !is_name(entry.key) || taken.contains(&entry.key) {
        let message = format!("`{}` cannot be the name of a variable", entry.key);
        entry.report(Finding::error("bad-name", message, entry.key_place()).help(NAMING));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_of_its_type_or_none() {
        assert_eq!(Type::Number.read(&json!(12.5)), Some(Value::Number(12.5)));
        assert_eq!(Type::Flag.read(&json!(true)), Some(Value::Flag(true)));
        assert_eq!(Type::Text.read(&json!("a")), Some(Value::Text("a".into())));
        assert_eq!(Type::Date.read(&json!("2026-12-25")), Some(Value::Text("2026-12-25".into())));
        for (of, wrong) in [
            (Type::Number, json!("12.5")),
            (Type::Number, json!(null)),
            (Type::Flag, json!(1)),
            (Type::Flag, json!("true")),
            (Type::Text, json!(1)),
            (Type::Text, json!(["a"])),
            (Type::Text, json!("a".repeat(limits::VARIABLE_CHARS_MAX + 1))),
            (Type::Date, json!("2026-13-25")),
            (Type::Date, json!("soon")),
            (Type::Date, json!({ "day": 1 })),
        ] {
            assert_eq!(of.read(&wrong), None, "{of:?} {wrong}");
        }
    }
}
