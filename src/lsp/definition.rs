//! Where a name is defined.

use std::ops::Range;

use super::folder::Folder;
use super::word::{self, Sort, Word};

/// The file and the bytes in which the name at a byte is defined.
pub fn definition(folder: &Folder, file: &str, byte: usize) -> Option<(String, Range<usize>)> {
    let paper = folder.papers.get(file)?;
    let word = word::at(paper, byte)?;
    of(folder, file, &word)
}

/// The same for a word.
pub fn of(folder: &Folder, file: &str, word: &Word) -> Option<(String, Range<usize>)> {
    let paper = folder.papers.get(file)?;
    let name = paper.text.get(word.span.clone())?;
    let here = |path: &[&str]| {
        let piece = paper.sketch.names(path).next()?;
        Some((file.to_owned(), piece.span.clone()))
    };
    // Levels and disclosure are those of the flow a call begins in, which may be another file.
    let anywhere = |path: &[&str]| {
        let (file, piece) = folder.names(file, path).into_iter().next()?;
        Some((file.to_owned(), piece.span.clone()))
    };
    match word.sort {
        Sort::State => here(&["states", name]),
        Sort::Hours => here(&["hours", name]),
        Sort::Level | Sort::Label => anywhere(&["levels", name]),
        Sort::Field => anywhere(&["disclose", name]),
        Sort::Variable => {
            let assigned = paper.sketch.values(&["states", "*", "var"]);
            let assigned = assigned.filter(|piece| paper.said(piece) == name);
            let (values, give) = (["states", "*", "values", name], ["states", "*", "give", name]);
            let (set, given) = (paper.sketch.names(&values), paper.sketch.names(&give));
            let own = assigned.chain(set).chain(given).min_by_key(|piece| piece.span.start);
            match own {
                Some(piece) => Some((file.to_owned(), piece.span.clone())),
                None => anywhere(&["states", "*", "with", name]),
            }
        }
        Sort::Flow => {
            let (file, paper) = folder.flow(name)?;
            let piece = paper.sketch.values(&["name"]).next()?;
            Some((file.to_owned(), piece.span.clone()))
        }
        _ => None,
    }
}
