//! The flows of a folder as the editor has them: what is open in the place of what is on disc.

use std::sync::Arc;

use indexmap::IndexMap;

use super::sketch::{Piece, Role, Sketch};
use crate::check::check_sources;
use crate::diagnostic::encoding::Text;
use crate::diagnostic::{Finding, Sources};
use crate::flow::FlowSet;

/// A file.
#[derive(Debug)]
pub struct Paper {
    /// Its text.
    pub text: Arc<str>,
    /// Where the first bytes are that are not UTF-8.
    foreign: Option<usize>,
    /// Its names.
    pub sketch: Sketch,
}

impl Paper {
    /// A file with this text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self::of(Text { text: text.into(), foreign: None })
    }

    /// A file as it was read.
    pub fn of(Text { text, foreign }: Text) -> Self {
        Self { sketch: Sketch::of(&text), text, foreign }
    }

    /// Whether it is meant to be a flow, and not some other file in TOML.
    pub fn is_flow(&self) -> bool {
        let start = self.sketch.names(&["start"]).next().is_some();
        start
            || self.sketch.pieces.iter().any(|piece| {
                piece.role == Role::Header
                    && piece.path.first().is_some_and(|first| first == "states")
            })
    }

    /// What a piece of it says.
    pub fn said(&self, piece: &Piece) -> &str {
        self.text.get(piece.span.clone()).unwrap_or_default()
    }

    /// The name of its flow.
    pub fn flow(&self) -> Option<&str> {
        self.sketch.values(&["name"]).next().map(|piece| self.said(piece))
    }
}

/// Files that may call each other, by their names.
#[derive(Debug, Default)]
pub struct Folder {
    /// Them.
    pub papers: IndexMap<String, Paper>,
}

impl Folder {
    /// The flows, and everything that is wrong with them.
    pub fn check(&self) -> (FlowSet, Vec<Finding>) {
        let mut sources = Sources::default();
        for (file, paper) in &self.papers {
            let (text, foreign) = (paper.text.clone(), paper.foreign);
            sources.add_read(file, Text { text, foreign });
        }
        check_sources(&sources)
    }

    /// The names on a path: those of this file, and then those of the others.
    pub fn names<'f>(&'f self, file: &str, path: &'f [&str]) -> Vec<(&'f str, &'f Piece)> {
        let own = self.papers.get_key_value(file);
        let others = self.papers.iter().filter(|(other, _)| *other != file);
        let named = |(file, paper): (&'f String, &'f Paper)| {
            paper.sketch.names(path).map(move |piece| (file.as_str(), piece))
        };
        own.into_iter().chain(others).flat_map(named).collect()
    }

    /// The file of a flow.
    pub fn flow(&self, name: &str) -> Option<(&str, &Paper)> {
        let found = self.papers.iter().find(|(_, paper)| paper.flow() == Some(name));
        found.map(|(file, paper)| (file.as_str(), paper))
    }
}
