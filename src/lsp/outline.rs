//! What a flow file is made of, for the editor's outline.

use std::ops::Range;

use super::folder::Paper;
use super::sketch::Role;
use super::word;

/// What an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A state.
    State,
    /// A level.
    Level,
    /// Opening hours.
    Hours,
}

/// Something in a file that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub sort: Sort,
    /// The state's type.
    pub detail: Option<String>,
    /// The bytes of its name.
    pub span: Range<usize>,
    /// The bytes of all of it.
    pub whole: Range<usize>,
}

/// The states, levels and hours of a file, in its order.
pub fn outline(paper: &Paper) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for piece in &paper.sketch.pieces {
        let [table, name, ..] = piece.path.as_slice() else { continue };
        let sort = match table.as_str() {
            "states" => Sort::State,
            "levels" => Sort::Level,
            "hours" => Sort::Hours,
            _ => continue,
        };
        if let Some(known) = entries.iter_mut().find(|e| e.sort == sort && e.name == *name) {
            known.whole.end = known.whole.end.max(piece.span.end);
        } else if piece.role != Role::Value && piece.path.len() == 2 {
            entries.push(Entry {
                name: name.clone(),
                sort,
                detail: word::type_of(paper, name).map(|of| of.name.to_owned()),
                span: piece.span.clone(),
                whole: piece.span.clone(),
            });
        }
    }
    entries
}
