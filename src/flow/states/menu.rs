//! Lets the caller choose by one key or a phrase.
//!
//! `keys` leads from each key to a state, `phrases` from what may be said. `*` repeats the prompt
//! unless it is one of the keys. A wrong key or an unknown phrase is asked again until the tries are
//! used up: then `no_match`, or `no_input` if the last try was silent.

use indexmap::IndexMap;

use super::read_target;
use super::{
    BARGE_IN, Key, LAST_PROMPT, Outcome, PROMPT, REPROMPT, Shape, StateReader, StateType, TIMEOUT,
    TRIES,
};
use crate::diagnostic::Finding;
use crate::flow::name::fills_in;
use crate::flow::state::{Kind, Listen, Target};

/// A state that offers a choice.
#[derive(Debug)]
pub struct Menu {
    /// How it listens.
    pub listen: Listen,
    /// Where each key leads.
    pub keys: IndexMap<char, Target>,
    /// Where each phrase leads, as written.
    pub phrases: IndexMap<String, Target>,
}

/// `menu`
pub const TYPE: StateType = StateType {
    name: "menu",
    source: include_str!("menu.rs"),
    outcomes: &[Outcome::NoInput, Outcome::NoMatch],
    keys: &[
        PROMPT,
        REPROMPT,
        LAST_PROMPT,
        TRIES,
        TIMEOUT,
        BARGE_IN,
        Key::new("keys", Shape::Routes, "Where each key (`0` to `9`, `*`, `#`) leads."),
        Key::new("phrases", Shape::Routes, "Where each spoken phrase leads."),
    ],
    read: |state| Some(Kind::Menu(read(state)?)),
};

fn read(state: &StateReader<'_, '_>) -> Option<Menu> {
    let mut keys = IndexMap::new();
    let mut phrases = IndexMap::new();
    for entry in state
        .item("keys")
        .and_then(|keys| keys.table("`keys`"))
        .iter()
        .flat_map(crate::document::Reader::entries)
    {
        let mut chars = entry.key.chars();
        let key = chars.next().filter(|key| key.is_ascii_digit() || matches!(key, '*' | '#'));
        let Some(key) = key.filter(|_| chars.next().is_none()) else {
            let message = format!("`{}` is not a key of a telephone", entry.key);
            let help = "keys are 0 to 9, \"*\" and \"#\"";
            entry.report(Finding::error("bad-key", message, entry.key_place()).help(help));
            continue;
        };
        keys.extend(read_target(&entry).map(|target| (key, target)));
    }
    for entry in state
        .item("phrases")
        .and_then(|table| table.table("`phrases`"))
        .iter()
        .flat_map(crate::document::Reader::entries)
    {
        if !entry.key.contains(char::is_alphanumeric) {
            let message = format!("no word is in the phrase `{}`", entry.key);
            entry.report(Finding::error("empty-value", message, entry.key_place()));
        }
        if fills_in(entry.key) {
            let message = "a phrase is fixed: nothing is filled in there";
            entry.report(Finding::error("bad-template", message, entry.key_place()));
        }
        phrases.extend(read_target(&entry).map(|target| (entry.key.to_owned(), target)));
    }
    let offers = |key| state.item(key).is_some_and(|item| !item.is_empty_table());
    if !offers("keys") && !offers("phrases") {
        let message = format!("{} offers no choice", state.table.what());
        state.table.report(
            Finding::error("missing-key", message, state.table.place())
                .help("give it `keys` or `phrases`"),
        );
    }
    Some(Menu { listen: state.listen()?, keys, phrases })
}
