//! The reference of the language: chapters about a flow as a whole, then a page for each state type, made
//! from the same tables that read it.

use super::outcome::Outcome;
use super::states::{COMMON, Key, StateType, TYPES};

const CHAPTERS: &str = include_str!("reference.md");

/// All of it, in Markdown.
pub fn reference() -> String {
    let mut text = format!("{CHAPTERS}\n## States\n\nEvery state may have these keys:\n\n");
    text.push_str(&table(COMMON));
    text.push_str("\nThe types, each with its own:\n\n");
    for of in TYPES {
        let page = of.page();
        let first = page.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        text.push_str(&format!("- [`{0}`](#{0}): {first}\n", of.name));
    }
    for of in TYPES {
        text.push_str(&format!("\n### {}\n\n{}", of.name, body(of)));
    }
    text
}

/// The page of one state type, in Markdown; `None`: there is no such type.
pub fn page(name: &str) -> Option<String> {
    let of = TYPES.iter().find(|of| of.name == name)?;
    Some(format!(
        "# {name}\n\nstate type\n\n{}\nKeys of every state:\n\n{}",
        body(of),
        table(COMMON)
    ))
}

fn body(of: &StateType) -> String {
    let mut text = format!("{}\n\nOutcomes: {}\n", of.page(), outcomes(of));
    if !of.keys.is_empty() {
        text.push_str(&format!("\n{}", table(of.keys)));
    }
    text
}

/// Where each way out is routed, in a sentence.
fn outcomes(of: &StateType) -> String {
    let listed = |outcomes: &[&Outcome]| {
        let names: Vec<_> = outcomes.iter().map(|it| format!("`{}`", it.as_str())).collect();
        names.join(", ")
    };
    let keys = [Outcome::Next, Outcome::Otherwise];
    let (own, routed): (Vec<_>, Vec<_>) = of.outcomes.iter().partition(|it| keys.contains(it));
    let mut parts = Vec::new();
    if !own.is_empty() {
        parts.push(format!("{} (a key of the state)", listed(&own)));
    }
    if !routed.is_empty() {
        parts.push(format!("{}, routed by `on`", listed(&routed)));
    }
    if of.name == "call" {
        parts.push("those of the sub-flow, routed by `on`".into());
    }
    if parts.is_empty() {
        return "none of its own.".into();
    }
    parts.join("; ") + "."
}

fn table(keys: &[Key]) -> String {
    let mut text = "| key | value | what it says |\n|---|---|---|\n".to_owned();
    for key in keys {
        let must = if key.required { " (required)" } else { "" };
        // A bar would end the cell.
        let (shape, doc) = (key.shape.words(), key.doc.replace('|', "\\|"));
        text.push_str(&format!("| `{}`{must} | {shape} | {doc} |\n", key.name));
    }
    text
}
