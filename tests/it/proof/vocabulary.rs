//! What random flows say and do, beside what the language has: whatever is added to it must be drawn.

use std::collections::BTreeSet;

use callgate::diagnostic::Sources;
use callgate::flow::condition::{SUBJECTS, TESTS};
use callgate::flow::level::{Class, Fact};
use callgate::flow::states::lookup::Type;
use callgate::flow::states::transfer::TARGETS;
use callgate::flow::states::{COMMON, Shape, TYPES};
use toml_edit::{DocumentMut, Item, TableLike, Value};

/// Words of the language, each after what it belongs to: `menu.keys`, `when.risk`, `to.queue`.
pub(super) type Words = BTreeSet<String>;

/// Every word that a proof can have to do with.
pub(super) fn of_language() -> Words {
    let mut words = Words::new();
    let mut add = |of: &str, word: &str| {
        words.insert(format!("{of}.{word}"));
    };
    for key in COMMON {
        add("state", key.name);
    }
    for of in TYPES {
        add("type", of.name);
        for key in of.keys {
            add(of.name, key.name);
            if let Shape::Choice(choices) | Shape::Choices(choices) = key.shape {
                for word in choices {
                    add(&format!("{}.{}", of.name, key.name), word);
                }
            }
        }
        // `next` and `otherwise` are keys as well.
        for outcome in of.outcomes {
            add(of.name, outcome.as_str());
        }
    }
    for word in SUBJECTS.iter().chain(&TESTS) {
        add("when", word);
    }
    for word in TARGETS {
        add("to", word);
    }
    for (word, _) in Type::ALL {
        add("gives", word);
    }
    let facts = Fact::ALL.map(Fact::as_str);
    let classes = [Class::Knowledge, Class::Possession].map(Class::as_str);
    for word in facts.into_iter().chain(classes).chain(["all", "any", "within", "at_risk"]) {
        add("level", word);
    }
    words
}

/// The words that flows are made of.
pub(super) fn of_flows(sources: &Sources, words: &mut Words) {
    for (_, text) in sources.iter() {
        let document: DocumentMut = text.parse().unwrap();
        let table = |key: &str| document.get(key).and_then(Item::as_table_like);
        for (_, level) in table("levels").into_iter().flat_map(TableLike::iter) {
            of_level(level.as_value().unwrap(), words);
        }
        for (_, state) in table("states").unwrap().iter() {
            of_state(state.as_table_like().unwrap(), words);
        }
    }
}

pub(super) fn of_state(state: &dyn TableLike, words: &mut Words) {
    let of = state.get("type").and_then(Item::as_str).unwrap();
    words.insert(format!("type.{of}"));
    for (key, value) in state.iter() {
        let common = COMMON.iter().any(|it| it.name == key);
        words.insert(format!("{}.{key}", if common { "state" } else { of }));
        match (key, value.as_value().unwrap()) {
            ("cases", Value::Array(cases)) => {
                let when = |case: &Value| case.as_inline_table().unwrap()["when"].clone();
                for case in cases {
                    of_condition(&when(case), words);
                }
            }
            ("to", Value::InlineTable(to)) => {
                words.extend(to.iter().map(|(target, _)| format!("to.{target}")));
            }
            ("give", Value::InlineTable(give)) if of == "lookup" => {
                let of = |given: &Value| {
                    given.as_inline_table().unwrap()["type"].as_str().unwrap().to_owned()
                };
                words.extend(give.iter().map(|(_, given)| format!("gives.{}", of(given))));
            }
            (_, Value::Array(list)) => {
                let of_list = list.iter().filter_map(Value::as_str);
                words.extend(of_list.map(|word| format!("{of}.{key}.{word}")));
            }
            ("on", Value::InlineTable(on)) => {
                words.extend(on.iter().map(|(outcome, _)| format!("{of}.{outcome}")));
            }
            (_, Value::String(word)) => drop(words.insert(format!("{of}.{key}.{}", word.value()))),
            _ => {}
        }
    }
}

fn of_level(value: &Value, words: &mut Words) {
    if let Some(fact) = value.as_str() {
        words.insert(format!("level.{fact}"));
    }
    for part in value.as_array().into_iter().flatten() {
        of_level(part, words);
    }
    for (key, part) in value.as_inline_table().into_iter().flatten() {
        words.insert(format!("level.{key}"));
        of_level(part, words);
    }
}

fn of_condition(value: &Value, words: &mut Words) {
    for part in value.as_array().into_iter().flatten() {
        of_condition(part, words);
    }
    for (key, part) in value.as_inline_table().into_iter().flatten() {
        words.insert(format!("when.{key}"));
        of_condition(part, words);
    }
}
