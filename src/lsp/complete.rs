//! What could be written at a place.

use std::collections::BTreeSet;
use std::ops::Range;

use super::folder::{Folder, Paper};
use super::word::{self, Sort, Word};
use crate::check::RULES;
use crate::diagnostic::Severity;
use crate::flow;
use crate::flow::condition::{SUBJECTS, TESTS};
use crate::flow::level::{Class, Fact};
use crate::flow::outcome::Outcome;
use crate::flow::states::lookup::ANYONE;
use crate::flow::states::{COMMON, TYPES};

/// Something that could be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The name.
    pub name: String,
    /// What it is, in a line.
    pub about: String,
    /// More, in Markdown.
    pub page: String,
    /// What is written, with quotes where they are missing.
    pub text: String,
    /// The bytes it takes the place of.
    pub span: Range<usize>,
}

/// Everything that could be written at a byte.
pub fn complete(folder: &Folder, file: &str, byte: usize) -> Vec<Candidate> {
    let Some(paper) = folder.papers.get(file) else { return Vec::new() };
    let Some(word) = word::at(paper, byte) else { return Vec::new() };
    let quote = word.bare_value && word.sort != Sort::Choice(&["true", "false"]);
    let named = names(folder, file, paper, &word);
    let mut seen = BTreeSet::new();
    named
        .into_iter()
        .filter(|(name, ..)| seen.insert(name.clone()))
        .map(|(name, about, page)| Candidate {
            text: if quote { format!("\"{name}\"") } else { name.clone() },
            span: word.span.clone(),
            name,
            about,
            page,
        })
        .collect()
}

type Names = Vec<(String, String, String)>;

fn names(folder: &Folder, file: &str, paper: &Paper, word: &Word) -> Names {
    let plain = |names: Vec<&str>, about: &str| -> Names {
        names.into_iter().map(|name| (name.to_owned(), about.to_owned(), String::new())).collect()
    };
    let elsewhere = |path: &[&str], about: &str| {
        let names = folder
            .names(file, path)
            .into_iter()
            .filter_map(|(file, piece)| Some(folder.papers.get(file)?.said(piece)));
        plain(names.collect(), about)
    };
    match word.sort {
        Sort::FlowKey => {
            let free = flow::KEYS.iter().filter(|(key, _)| !written(paper, &[key], &word.span));
            free.map(|(key, about)| ((*key).to_owned(), (*about).to_owned(), String::new()))
                .collect()
        }
        Sort::State => states(paper, &word.span),
        Sort::Type => {
            let types = TYPES.iter();
            types.map(|of| (of.name.to_owned(), "state type".to_owned(), of.page())).collect()
        }
        Sort::StateKey => keys(paper, word),
        Sort::Outcome => outcomes(folder, paper, word),
        Sort::Level => elsewhere(&["levels", "*"], "level"),
        Sort::Label => {
            let mut names = elsewhere(&["levels", "*"], "level");
            names.extend(plain(vec![ANYONE], "no proof is needed"));
            names
        }
        Sort::Backend => {
            let named = folder.papers.values().flat_map(|paper| {
                let pieces = paper.sketch.values(&["states", "*", "backend"]);
                pieces.filter(|piece| piece.span != word.span).map(|it| paper.said(it))
            });
            plain(named.filter(|name| !name.is_empty()).collect(), "back end")
        }
        Sort::LevelKey => plain(vec!["all", "any", "within", "at_risk"], "of a level"),
        Sort::Fact => plain(Fact::ALL.map(Fact::as_str).to_vec(), "fact"),
        Sort::Proof => {
            let classes = [Class::Knowledge, Class::Possession].map(Class::as_str).to_vec();
            let mut names = plain(Fact::ALL.map(Fact::as_str).to_vec(), "fact");
            names.extend(plain(classes, "any fact of this class"));
            names
        }
        Sort::Field => elsewhere(&["disclose", "*"], "account field"),
        Sort::Variable => variables(folder, file, paper),
        Sort::Flow => {
            let flows = folder.papers.values().filter_map(Paper::flow);
            plain(flows.filter(|name| paper.flow() != Some(name)).collect(), "flow")
        }
        Sort::Hours => plain(
            paper.sketch.names(&["hours", "*"]).map(|piece| paper.said(piece)).collect(),
            "opening hours",
        ),
        Sort::CaseKey => plain(vec!["when", "next"], "of a case"),
        Sort::ConditionKey => {
            let mut names = plain(SUBJECTS.to_vec(), "what is asked");
            names.extend(plain(TESTS.to_vec(), "what it is held against"));
            names.extend(plain(vec!["zone"], "the time zone of a `time`"));
            names
        }
        Sort::Code => RULES
            .iter()
            .filter(|rule| rule.severity == Severity::Warning)
            .map(|rule| (rule.code.to_owned(), rule.title.to_owned(), String::new()))
            .collect(),
        Sort::Choice(words) => plain(words.to_vec(), ""),
    }
}

/// Whether a key is there already, elsewhere than under the cursor.
fn written(paper: &Paper, path: &[&str], here: &Range<usize>) -> bool {
    let own = |path: &[&str]| paper.sketch.on(path).any(|piece| piece.span != *here);
    own(path)
}

fn states(paper: &Paper, here: &Range<usize>) -> Names {
    let pieces = paper.sketch.names(&["states", "*"]).filter(|piece| piece.span != *here);
    let state = pieces.map(|piece| {
        let name = paper.said(piece);
        let of = word::type_of(paper, name).map_or("state", |of| of.name);
        (name.to_owned(), of.to_owned(), String::new())
    });
    state.collect()
}

fn keys(paper: &Paper, word: &Word) -> Names {
    let state = word.state.as_deref().unwrap_or_default();
    let own = word::type_of(paper, state).map(|of| of.keys).unwrap_or_default();
    let free = COMMON
        .iter()
        .chain(own)
        .filter(|key| !written(paper, &["states", state, key.name], &word.span));
    free.map(|key| (key.name.to_owned(), key.doc.to_owned(), String::new())).collect()
}

/// The outcomes of a state that lead nowhere yet.
fn outcomes(folder: &Folder, paper: &Paper, word: &Word) -> Names {
    let state = word.state.as_deref().unwrap_or_default();
    let Some(of) = word::type_of(paper, state) else { return Vec::new() };
    let fixed = of.outcomes.iter().filter(|o| !matches!(o, Outcome::Next | Outcome::Otherwise));
    let mut outcomes: Vec<_> = fixed.map(|outcome| outcome.as_str().to_owned()).collect();
    if let Some(called) = paper.sketch.values(&["states", state, "flow"]).next()
        && let Some((_, called)) = folder.flow(paper.said(called))
    {
        let said = called.sketch.values(&["states", "*", "outcome"]);
        outcomes.extend(said.map(|piece| called.said(piece).to_owned()));
    }
    if paper.sketch.names(&["states", state, "requires"]).next().is_some() {
        outcomes.push(Outcome::Denied.as_str().to_owned());
    }
    outcomes.retain(|name| !written(paper, &["states", state, "on", name], &word.span));
    let about = |name| (name, format!("outcome of `{}`, not routed yet", of.name), String::new());
    outcomes.into_iter().map(about).collect()
}

fn variables(folder: &Folder, file: &str, paper: &Paper) -> Names {
    let values = paper.sketch.values(&["states", "*", "var"]).map(|piece| paper.said(piece));
    let mut names: Vec<_> = values.map(str::to_owned).collect();
    for path in [["states", "*", "values", "*"], ["states", "*", "give", "*"]] {
        names.extend(paper.sketch.names(&path).map(|piece| paper.said(piece).to_owned()));
    }
    // What other flows pass in.
    for (from, piece) in folder.names(file, &["states", "*", "with", "*"]) {
        let Some(other) = folder.papers.get(from) else { continue };
        let [_, state, ..] = piece.path.as_slice() else { continue };
        let path = ["states", state, "flow"];
        let called = other.sketch.values(&path).next().map(|flow| other.said(flow));
        if called == paper.flow() {
            names.push(other.said(piece).to_owned());
        }
    }
    names.into_iter().map(|name| (name, "variable".to_owned(), String::new())).collect()
}
