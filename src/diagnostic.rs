//! A finding as plain data: what is wrong, where, and the way out. [`crate::render`] prints it.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;

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
        }
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
    texts: IndexMap<Arc<str>, Arc<str>>,
}

impl Sources {
    /// Adds a file and returns its name.
    pub fn add(&mut self, file: &str, text: impl Into<Arc<str>>) -> Arc<str> {
        let file: Arc<str> = file.into();
        self.texts.insert(file.clone(), text.into());
        file
    }

    /// A file's text.
    pub fn text(&self, file: &str) -> Option<&Arc<str>> {
        self.texts.get(file)
    }

    /// All files, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.texts.iter()
    }

    /// Line and column of a place's beginning, both from 1; columns count characters.
    pub fn position(&self, place: &Place) -> (usize, usize) {
        let text = self.text(&place.file).map_or("", |text| text);
        let before = text.get(..place.span.start.min(text.len())).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

/// Where findings are collected while something is read: shared, so that every part of a reader can
/// report without handing the collection around.
#[derive(Debug, Default)]
pub struct Problems {
    findings: RefCell<Vec<Finding>>,
}

impl Problems {
    /// Reports a finding.
    pub fn add(&self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }

    /// Whether an error has been reported.
    pub fn any_error(&self) -> bool {
        any_error(&self.findings.borrow())
    }

    /// All findings, in the order of files and places.
    pub fn into_findings(self) -> Vec<Finding> {
        self.findings.into_inner()
    }
}

/// Whether any of the findings is an error.
pub fn any_error(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

/// The name meant by a misspelt one, if one is near: `did you mean …`.
pub fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    const NEAR: f64 = 0.75;
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&written.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let mut sources = Sources::default();
        let file = sources.add("a.toml", "é = 1\nxy = 2");
        assert_eq!(sources.position(&Place { file: file.clone(), span: 0..1 }), (1, 1));
        assert_eq!(sources.position(&Place { file: file.clone(), span: 3..4 }), (1, 3));
        assert_eq!(sources.position(&Place { file, span: 8..9 }), (2, 2));
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
