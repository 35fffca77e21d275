//! What there is to know of the word under the cursor.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use super::definition;
use super::folder::{Folder, Paper};
use super::sketch::Role;
use super::word::{self, Sort, Word};
use crate::check::explain;
use crate::diagnostic::Finding;
use crate::document::show_duration;
use crate::flow::FlowSet;
use crate::flow::level::Formula;
use crate::flow::states::TYPES;

/// A page about what is at a byte, in Markdown, with the bytes it is about.
pub fn hover(folder: &Folder, file: &str, byte: usize) -> Option<(Range<usize>, String)> {
    let paper = folder.papers.get(file)?;
    let (flows, findings) = folder.check();
    let word = word::at(paper, byte);
    let mut span = word.as_ref().map(|word| word.span.clone());
    let mut parts: Vec<_> =
        word.iter().filter_map(|word| about(folder, &flows, file, paper, word)).collect();
    if parts.is_empty() {
        span = None;
    }
    let here = |finding: &&Finding| {
        finding.place().is_some_and(|place| {
            *place.file == *file && place.span.start <= byte && byte <= place.span.end
        })
    };
    let mut told: Vec<&str> = Vec::new();
    for finding in findings.iter().filter(here) {
        if !told.contains(&finding.code) {
            told.push(finding.code);
            parts.extend(explain(finding.code));
            span = span.or_else(|| finding.place().map(|place| place.span.clone()));
        }
    }
    (!parts.is_empty()).then_some((span.unwrap_or(byte..byte), parts.join("\n\n---\n\n")))
}

fn about(
    folder: &Folder,
    flows: &FlowSet,
    file: &str,
    paper: &Paper,
    word: &Word,
) -> Option<String> {
    let name = paper.text.get(word.span.clone()).filter(|name| !name.is_empty())?;
    match word.sort {
        Sort::Type => {
            let of = TYPES.iter().find(|of| of.name == name)?;
            Some(format!("**{name}**: state type\n\n{}", of.page()))
        }
        Sort::StateKey => {
            let key = word::key_of(paper, word.state.as_deref()?, name)?;
            Some(format!("**{name}**\n\n{}", key.doc))
        }
        Sort::State => {
            let of = word::type_of(paper, name)?;
            let written = section(paper, &["states", name])?;
            Some(format!("**{name}**: `{}`\n\n```toml\n{written}\n```\n\n{}", of.name, of.page()))
        }
        Sort::Level | Sort::Label => {
            let of = flows.iter().find(|flow| flow.levels.contains_key(name))?;
            let level = flows
                .iter()
                .find(|flow| *flow.file == *file)
                .and_then(|flow| flow.levels.get(name))
                .or_else(|| of.levels.get(name))?;
            let words = |formula: &Formula, within: Option<Duration>| {
                let within = within.map(|it| format!(", proved within {}", show_duration(it)));
                formula.words() + &within.unwrap_or_default()
            };
            let mut page = format!("level **{name}**: {}", words(&level.formula, level.within));
            for (risk, more) in &level.at_risk {
                let asked = words(&more.formula, more.within);
                let _ = write!(page, "; from {risk} risk upwards also {asked}");
            }
            Some(page)
        }
        Sort::Field => {
            let (from, _) = definition::of(folder, file, word)?;
            let from = folder.papers.get(&from)?;
            let path = ["disclose", name];
            let level = from.sketch.values(&path).next()?;
            Some(format!("account field **{name}**: for callers who meet `{}`", from.said(level)))
        }
        Sort::Code => explain(name),
        _ => None,
    }
}

/// The lines in which a table is written, if it has a header.
fn section<'p>(paper: &'p Paper, path: &[&str]) -> Option<&'p str> {
    const LINES_MAX: usize = 15;
    let header = paper.sketch.names(path).find(|piece| piece.role == Role::Header)?;
    let start = paper.text.get(..header.span.start)?.rfind('\n').map_or(0, |newline| newline + 1);
    let rest = paper.text.get(start..)?;
    let end = rest.find("\n\n").unwrap_or(rest.len());
    let written = rest.get(..end)?;
    let cut = written.match_indices('\n').nth(LINES_MAX - 1).map_or(written.len(), |(at, _)| at);
    written.get(..cut)
}
