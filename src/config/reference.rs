//! The reference of the configuration: chapters about it as a whole, then a page for each section, made from
//! the tables of its keys.

use super::keys::{self, Key, Otherwise, Shape};
use super::policy::{self, Knob, Of};
use crate::document::show_duration;
use crate::engine::account::Line;
use crate::engine::policy::Policy;

const CHAPTERS: &str = include_str!("reference.md");

/// A section as it is shown.
struct Page {
    /// Its name; empty: the keys before any section.
    name: String,
    doc: &'static str,
    rows: Vec<Row>,
    examples: Vec<String>,
}

/// A key as it is shown.
struct Row {
    name: &'static str,
    value: String,
    otherwise: String,
    doc: &'static str,
}

/// All of it, in Markdown.
pub fn reference() -> String {
    let mut text = format!("{CHAPTERS}\n## Sections\n\n");
    let pages = pages();
    for page in &pages {
        let anchor: String = page.title().to_lowercase().replace(' ', "-");
        let anchor: String =
            anchor.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect();
        text.push_str(&format!("- [{}](#{anchor}): {}\n", page.title(), page.doc));
    }
    for page in &pages {
        text.push_str(&format!("\n### {}\n\n{}", page.title(), page.body()));
    }
    text
}

/// The pages of the section of this name, with its brackets or without, or of those that have a key of this
/// name; `None`: there is neither.
pub fn page(name: &str) -> Option<String> {
    let bare = name.trim_matches(['[', ']']);
    let pages = pages();
    let of_section: Vec<_> =
        pages.iter().filter(|page| !bare.is_empty() && page.name == bare).collect();
    let found = if of_section.is_empty() {
        pages.iter().filter(|page| page.rows.iter().any(|row| row.name == bare)).collect()
    } else {
        of_section
    };
    let shown: Vec<_> =
        found.iter().map(|page| format!("# {}\n\n{}", page.title(), page.body())).collect();
    (!shown.is_empty()).then(|| shown.join("\n"))
}

/// The names of all sections, as [`page`] takes them.
pub fn sections() -> Vec<String> {
    pages().into_iter().map(|page| page.name).filter(|name| !name.is_empty()).collect()
}

fn pages() -> Vec<Page> {
    let plain = keys::SECTIONS.iter().map(|section| Page {
        name: section.name.to_owned(),
        doc: section.doc,
        rows: section.keys.iter().map(row).collect(),
        examples: section.examples.iter().map(|it| (*it).to_owned()).collect(),
    });
    let of_policy = policy::SECTIONS.iter().map(|section| {
        let mut defaults = Policy::default();
        let written = |knob: &Knob, policy: &mut Policy| {
            format!("{} = {}\n", knob.name, knob.written(policy))
        };
        let example = section.knobs.iter().map(|knob| written(knob, &mut defaults)).collect();
        Page {
            name: format!("policy.{}", section.name),
            doc: section.doc,
            rows: section.knobs.iter().map(knob_row).collect(),
            examples: vec![example],
        }
    });
    plain.chain(of_policy).collect()
}

impl Page {
    fn title(&self) -> String {
        match self.name.as_str() {
            "" => "Before any section".into(),
            "admin.tokens" => "`[[admin.tokens]]`".into(),
            name => format!("`[{name}]`"),
        }
    }

    fn body(&self) -> String {
        let mut text = format!(
            "{}\n\n| key | value | if left out | what it does |\n|---|---|---|---|\n",
            self.doc
        );
        for Row { name, value, otherwise, doc } in &self.rows {
            text.push_str(&format!("| `{name}` | {value} | {otherwise} | {doc} |\n"));
        }
        let header = match self.name.as_str() {
            "" => String::new(),
            "admin.tokens" => "[[admin.tokens]]\n".into(),
            name => format!("[{}]\n", name.replace("NAME", "billing")),
        };
        for (number, example) in self.examples.iter().enumerate() {
            let or = if number > 0 { "\nor\n" } else { "" };
            text.push_str(&format!("{or}\n```toml\n{header}{}\n```\n", example.trim_end()));
        }
        text
    }
}

fn row(key: &Key) -> Row {
    let words = |words: &[&str]| {
        words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ")
    };
    let value = match key.shape {
        Shape::Text(what) | Shape::List(what) => what.to_owned(),
        Shape::Integer(of, min, max) => number(of, min, max),
        Shape::Duration(min, max) => {
            format!("a duration, {} to {}", show_duration(min), show_duration(max))
        }
        Shape::Boolean => "`true` or `false`".into(),
        Shape::Choice(of) => format!("one of {}", words(of)),
        Shape::Choices(of) => format!("a list of {}", words(of)),
    };
    let otherwise = match key.otherwise {
        Otherwise::Required => "required".into(),
        Otherwise::Default(value) => format!("`{value}`"),
        Otherwise::Else(words) => words.to_owned(),
    };
    Row { name: key.name, value, otherwise, doc: key.doc }
}

fn knob_row(knob: &Knob) -> Row {
    let value = match knob.of {
        Of::Small(of, min, max, _) | Of::Number(of, min, max, _) => number(of, min, max),
        Of::Waits(max, _) => format!("a list of seconds, 0 to {max}"),
        Of::Lines(_) => {
            let lines: Vec<_> = Line::ALL.iter().map(|(word, _)| format!("`\"{word}\"`")).collect();
            format!("a list of {}", lines.join(", "))
        }
        Of::Countries(_) => "a list of countries as in ISO 3166 (`\"US\"`)".into(),
    };
    let otherwise = format!("`{}`", knob.written(&mut Policy::default()));
    Row { name: knob.name, value, otherwise, doc: knob.doc }
}

fn number(of: &str, min: u64, max: u64) -> String {
    if of.is_empty() { format!("{min} to {max}") } else { format!("{of}, {min} to {max}") }
}
