//! A finding as plain data: what is wrong, where, and the way out. [`crate::render`] prints it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;

pub mod alike;
pub mod encoding;
pub mod fix;

use alike::{Alike, Telling};
use encoding::Text;
use fix::{Fix, Spelling};

use crate::limits;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// What was written cannot be used.
    Error,
    /// What was written can be used, and is probably not what was meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A place in a file: bytes of its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file, as the user named it.
    pub file: Arc<str>,
    /// The bytes meant.
    pub span: Range<usize>,
}

/// A place with what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What; may be empty at the first label, whose text is the finding's message.
    pub text: String,
}

/// Something found in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name, such as `unknown-state`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence: lowercase, no full stop, the user's words in backticks.
    pub message: String,
    /// The places, the finding's own first.
    pub labels: Vec<Label>,
    /// The way out.
    pub help: Option<String>,
    /// The change that mends it, where there is no doubt what was meant.
    pub fix: Option<Fix>,
    /// How many others it stands for, of the same code in the same file, which are not told one by one;
    /// 0: it is a finding itself.
    pub more: usize,
}

impl Finding {
    /// An error at a place.
    pub fn error(code: &'static str, message: impl Into<String>, place: Place) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: vec![Label { place, text: String::new() }],
            help: None,
            fix: None,
            more: 0,
        }
    }

    /// A finding of this severity at a place.
    pub fn new(
        code: &'static str,
        severity: Severity,
        message: impl Into<String>,
        place: Place,
    ) -> Self {
        Self { severity, ..Self::error(code, message, place) }
    }

    /// A warning at a place.
    pub fn warning(code: &'static str, message: impl Into<String>, place: Place) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, place) }
    }

    /// Says the way out.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says the way out, if there is one to say.
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// Says what mends it.
    pub fn fix(mut self, fix: Option<Fix>) -> Self {
        self.fix = fix;
        self
    }

    /// Lets the name at the finding's place be written anew, if it is a slip of one that is known.
    pub fn respelt<'k>(
        self,
        written: &str,
        known: impl IntoIterator<Item = &'k str>,
        spelling: Spelling,
    ) -> Self {
        let meant = fix::slip(written, known).zip(self.place().cloned());
        let fix = meant.map(|(name, place)| Fix::respell(name, place, spelling));
        self.fix(fix)
    }

    /// Points at another place.
    pub fn label(mut self, text: impl Into<String>, place: Place) -> Self {
        self.labels.push(Label { place, text: text.into() });
        self
    }

    /// The place the finding is at.
    pub fn place(&self) -> Option<&Place> {
        self.labels.first().map(|label| &label.place)
    }
}

/// The files that findings point into, by the names the findings use.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: IndexMap<Arc<str>, Source>,
}

#[derive(Clone, Debug)]
struct Source {
    text: Text,
    /// Where each line begins.
    lines: Vec<usize>,
}

/// A position in a file, as people count: from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Sources {
    /// Adds a file and returns its name.
    pub fn add(&mut self, file: &str, text: impl Into<Arc<str>>) -> Arc<str> {
        self.add_read(file, Text { text: text.into(), foreign: None })
    }

    /// Adds a file whose text may not be all of what is in it, and returns its name.
    pub fn add_read(&mut self, file: &str, text: Text) -> Arc<str> {
        let file: Arc<str> = file.into();
        let lines = std::iter::once(0).chain(text.text.match_indices('\n').map(|(at, _)| at + 1));
        let lines = lines.collect();
        self.files.insert(file.clone(), Source { text, lines });
        file
    }

    /// A file's text.
    pub fn text(&self, file: &str) -> Option<&Arc<str>> {
        self.files.get(file).map(|source| &source.text.text)
    }

    /// All files, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.read().map(|(file, text)| (file, &text.text))
    }

    /// The same, with whether that is all of what is in them.
    pub fn read(&self) -> impl Iterator<Item = (&Arc<str>, &Text)> {
        self.files.iter().map(|(file, source)| (file, &source.text))
    }

    /// Where a place begins.
    pub fn start(&self, place: &Place) -> Position {
        self.position(&place.file, place.span.start)
    }

    /// Where a place ends: the position after its last character.
    pub fn end(&self, place: &Place) -> Position {
        self.position(&place.file, place.span.end)
    }

    /// Whole lines around a place, with the number of the first: what is shown of a long file.
    pub fn lines(&self, file: &str, span: Range<usize>) -> Option<(usize, Range<usize>)> {
        let source = self.files.get(file)?;
        let first = source.lines.partition_point(|start| *start <= span.start).max(1);
        let after = source.lines.partition_point(|start| *start < span.end.max(span.start + 1));
        let start = source.lines.get(first - 1).copied().unwrap_or_default();
        let end = source.lines.get(after).copied().unwrap_or(source.text.text.len());
        Some((first, start..end))
    }

    fn position(&self, file: &str, byte: usize) -> Position {
        let Some(source) = self.files.get(file) else { return Position { line: 1, column: 1 } };
        let byte = byte.min(source.text.text.len());
        let line = source.lines.partition_point(|start| *start <= byte).max(1);
        let start = source.lines.get(line - 1).copied().unwrap_or_default();
        let before = source.text.text.get(start..byte).unwrap_or_default();
        Position { line, column: before.chars().count() + 1 }
    }

    /// Puts findings in the order of files and places, and drops what was found twice.
    pub fn sort(&self, findings: &mut Vec<Finding>) {
        findings.sort_by_cached_key(|finding| {
            let place = finding.place();
            let file = place.and_then(|place| self.files.get_index_of(&place.file));
            let span = place.map(|place| (place.span.start, place.span.end));
            (file, span, finding.severity, finding.code, finding.message.clone())
        });
        findings.dedup();
    }
}

/// The code of what is no TOML at all.
pub const SYNTAX: &str = "syntax";

/// Where findings are collected while something is read: shared, so that every part of a reader can
/// report without handing the collection around.
#[derive(Debug, Default)]
pub struct Problems {
    findings: RefCell<Vec<Finding>>,
    lost: RefCell<BTreeMap<Arc<str>, Vec<Range<usize>>>>,
    alike: RefCell<Alike>,
    /// Names that written ones were compared with.
    compared: Cell<usize>,
}

impl Problems {
    /// Collects findings, and tells so much of them.
    pub fn new(telling: Telling) -> Self {
        Self { alike: RefCell::new(Alike::new(telling)), ..Self::default() }
    }

    /// Reports a finding.
    pub fn add(&self, finding: Finding) {
        let takes = |place| self.alike.borrow_mut().takes(finding.code, finding.severity, place);
        if finding.place().is_none_or(takes) {
            self.findings.borrow_mut().push(finding);
        }
    }

    /// Reports an error at a place, which is put in words only if it is told.
    pub fn add_with(&self, code: &'static str, place: &Place, finding: impl FnOnce() -> Finding) {
        if self.alike.borrow_mut().takes(code, Severity::Error, place) {
            let finding = finding();
            self.findings.borrow_mut().push(finding);
        }
    }

    /// The name meant by a misspelt one, as [`did_you_mean`] has it, as long as not too many were
    /// looked at.
    pub fn did_you_mean<'k>(
        &self,
        written: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Option<String> {
        self.among(known, |known| did_you_mean(written, known))
    }

    /// [`nearest`], as long as not too many names were looked at.
    pub fn nearest<'k>(
        &self,
        written: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Option<&'k str> {
        self.among(known, |known| nearest(written, known))
    }

    /// [`Finding::respelt`], as long as not too many names were looked at.
    pub fn respelt<'k>(
        &self,
        finding: Finding,
        written: &str,
        known: impl IntoIterator<Item = &'k str>,
        spelling: Spelling,
    ) -> Finding {
        let meant = self.among(known, |known| fix::slip(written, known));
        let meant = meant.zip(finding.place().cloned());
        let fix = meant.map(|(name, place)| Fix::respell(name, place, spelling));
        finding.fix(fix)
    }

    /// What is found among names; `None` too where there are more than may be looked at yet.
    fn among<'k, T>(
        &self,
        known: impl IntoIterator<Item = &'k str>,
        find: impl FnOnce(&mut dyn Iterator<Item = &'k str>) -> Option<T>,
    ) -> Option<T> {
        let left = || limits::NAMES_COMPARED_MAX.saturating_sub(self.compared.get());
        let count = |_: &&str| {
            self.compared.set(self.compared.get() + 1);
            left() > 0
        };
        let found = if left() > 0 { find(&mut known.into_iter().take_while(count)) } else { None };
        found.filter(|_| left() > 0)
    }

    /// Says that what stands at a place could not be read, and why is reported: other findings there
    /// would but follow from that.
    pub fn lose(&self, place: Place) {
        self.lost.borrow_mut().entry(place.file).or_default().push(place.span);
    }

    /// Whether anything of a file could not be read.
    pub fn lost_in(&self, file: &str) -> bool {
        self.lost.borrow().contains_key(file)
    }

    /// The text of a file that could not be read.
    pub fn lost_text(&self, file: &str, text: &str) -> String {
        let lost = self.lost.borrow();
        let spans = lost.get(file).into_iter().flatten();
        let texts = spans.filter_map(|span| text.get(span.clone()));
        texts.collect::<Vec<_>>().join("\n")
    }

    /// The files in which an error has been reported.
    pub fn files_with_errors(&self) -> BTreeSet<Arc<str>> {
        let findings = self.findings.borrow();
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
        errors.filter_map(|finding| Some(finding.place()?.file.clone())).collect()
    }

    /// The findings in the order in which they were made, without those at places that could not be
    /// read, the syntax errors themselves excepted.
    pub fn into_findings(self) -> Vec<Finding> {
        let mut lost = self.lost.into_inner();
        for spans in lost.values_mut() {
            spans.sort_by_key(|span| span.start);
        }
        let stands = |code: &'static str, file: &Arc<str>, at: usize| {
            let within = |spans: &Vec<Range<usize>>| {
                let after = spans.partition_point(|span| span.start <= at);
                let nearest = after.checked_sub(1).and_then(|index| spans.get(index));
                nearest.is_some_and(|span| at < span.end.max(span.start + 1))
            };
            code == SYNTAX || !lost.get(file).is_some_and(within)
        };
        let mut findings = self.findings.into_inner();
        findings.retain(|finding| {
            let place = finding.place();
            place.is_none_or(|place| stands(finding.code, &place.file, place.span.start))
        });
        let alike = self.alike.into_inner();
        findings.extend(alike.rest(|code, file, span| stands(code, file, span.start)));
        findings
    }
}

/// Whether any of the findings is an error.
pub fn any_error(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

/// The name meant by a misspelt one, if one is near: `did you mean …`.
pub fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let name = nearest(written, known)?;
    let unseen = if written.contains(is_invisible) {
        " there is an invisible character in this"
    } else {
        ""
    };
    Some(format!("did you mean `{name}`?{unseen}"))
}

/// Whether nobody sees it, or takes it for a blank: what comes along where a text is copied from elsewhere.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2007}' | '\u{2028}'..='\u{202f}' | '\u{2060}' | '\u{feff}')
}

/// The name meant by a misspelt one, if one is near.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR: f64 = 0.75;
    // Half of a word may be wrong, or missing at its end.
    let stands_for = |written: &str, name: &str| {
        let length = written.chars().count().max(name.chars().count());
        name.starts_with(written) || strsim::damerau_levenshtein(written, name) * 2 <= length
    };
    let written = written.to_lowercase();
    let length = written.chars().count();
    let likeness = |name: &str| {
        // Most names are far from it, and a file may have very many.
        let longer = name.chars().count().max(length);
        if strangers(&written, name) * 2 > longer && !name.is_empty() {
            let begins =
                name.get(..written.len()).is_some_and(|b| b.eq_ignore_ascii_case(&written));
            if !begins {
                return 0.0;
            }
        }
        let name = name.to_lowercase();
        // In a short word one slip of the finger leaves little that is alike.
        let slip = name.len() > 2 && strsim::damerau_levenshtein(&written, &name) == 1;
        if !stands_for(&written, &name) {
            return 0.0;
        }
        let alike = strsim::jaro_winkler(&written, &name);
        if slip { alike.max(0.9) } else { alike }
    };
    known
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Slips that lie between two texts at least: the letters that one of them has more often than the other.
/// Capitals are no different; of other than ASCII letters the number alone counts.
fn strangers(one: &str, other: &str) -> usize {
    let mut letters = [0_i32; 128];
    let (mut here, mut there) = (0_i32, 0_i32);
    for (text, sign) in [(one, 1), (other, -1)] {
        for letter in text.chars() {
            let lower = letter.to_ascii_lowercase();
            match letters.get_mut(lower as usize) {
                Some(count) => *count += sign,
                None if sign > 0 => here += 1,
                None => there += 1,
            }
        }
    }
    let more: i32 = letters.iter().filter(|count| **count > 0).sum();
    let less: i32 = letters.iter().filter(|count| **count < 0).sum();
    // A letter that is no ASCII in one of them may be any that is none in the other.
    let apart = (more + (here - there).max(0)).max((there - here).max(0) - less);
    usize::try_from(apart).unwrap_or_default()
}

/// Names in a sentence: `a`, `b` and `c`.
pub fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [name] => name.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let mut sources = Sources::default();
        let file = sources.add("a.toml", "é = 1\nxy = 2");
        let at = |span| Place { file: file.clone(), span };
        let position = |line, column| Position { line, column };
        assert_eq!(sources.start(&at(0..1)), position(1, 1));
        assert_eq!(sources.start(&at(3..4)), position(1, 3));
        assert_eq!(sources.start(&at(8..9)), position(2, 2));
        assert_eq!(sources.end(&at(0..13)), position(2, 7));
        assert_eq!(sources.lines("a.toml", 8..9), Some((2, 7..13)));
        assert_eq!(sources.lines("a.toml", 3..8), Some((1, 0..13)));
        assert_eq!(sources.lines("a.toml", 0..0), Some((1, 0..7)));
        assert_eq!(sources.lines("a.toml", 13..13), Some((2, 7..13)));
    }

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(
            did_you_mean("mneu", ["menu", "agent"]).as_deref(),
            Some("did you mean `menu`?")
        );
        assert_eq!(did_you_mean("balance", ["menu", "agent"]), None);
    }
}
