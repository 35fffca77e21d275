//! For people: each finding with the lines it is about, carets under the place, and the way out.

use std::borrow::Cow;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diagnostic::{Finding, Place, Severity, Sources};

/// The findings as a text for a terminal, with colours if `styled`. Empty if there are none.
pub fn render(findings: &[Finding], sources: &Sources, styled: bool) -> String {
    let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for finding in findings {
        text.push_str(&renderer.render(&[group(finding, sources)]));
        text.push_str("\n\n");
    }
    text
}

/// What was found, in a line: `2 errors, 1 warning`.
pub fn summary(findings: &[Finding]) -> String {
    let count = |severity| {
        let own = findings.iter().filter(|finding| finding.severity == severity);
        own.map(|finding| finding.more.max(1)).sum()
    };
    let say = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        _ => Some(format!("{count} {what}s")),
    };
    let said = [
        say(count(Severity::Error), Severity::Error.as_str()),
        say(count(Severity::Warning), Severity::Warning.as_str()),
    ];
    let said: Vec<_> = said.into_iter().flatten().collect();
    if said.is_empty() { "no findings".into() } else { said.join(", ") }
}

fn group<'a>(finding: &'a Finding, sources: &'a Sources) -> Group<'a> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(plain(&finding.message)).id(finding.code);
    let mut group = Group::with_title(title);
    let mut files: Vec<&str> = Vec::new();
    for label in &finding.labels {
        if !files.contains(&&*label.place.file) {
            files.push(&label.place.file);
        }
    }
    for file in files {
        group = match snippet(finding, file, sources) {
            Some(snippet) => group.element(snippet),
            None => group.element(annotate_snippets::Origin::path(plain(file))),
        };
    }
    group.elements(finding.help.iter().map(|help| Level::HELP.message(plain(help))))
}

/// The text without what a terminal would obey: a finding repeats a user's words, whatever they are.
fn plain(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let show = |c: char| if obeyed(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(show).collect())
}

/// The lines of one file that the finding is about. Only these are handed on, so that a long file
/// with many findings is not read through for each.
fn snippet<'a>(
    finding: &'a Finding,
    file: &'a str,
    sources: &'a Sources,
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let text = sources.text(file)?;
    let labels =
        || finding.labels.iter().enumerate().filter(|(_, label)| *label.place.file == *file);
    let start = labels().map(|(_, label)| label.place.span.start).min()?;
    let end = labels().map(|(_, label)| label.place.span.end).max()?;
    let (line, lines) = sources.lines(file, start..end)?;
    let annotations = labels().map(|(index, label)| {
        let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(within(&label.place, text, lines.start));
        let said = (!label.text.is_empty()).then(|| plain(&label.text));
        annotation.label(said)
    });
    let shown = text.get(lines.clone())?;
    Some(Snippet::source(shown).path(plain(file)).line_start(line).annotations(annotations))
}

/// The span in the lines shown. What covers several lines is marked on its first alone: the carets
/// say where it is, not how long.
fn within(place: &Place, text: &str, start: usize) -> std::ops::Range<usize> {
    let end = place.span.end.min(text.len());
    let from = place.span.start.min(end);
    let marked = text.get(from..end).unwrap_or_default();
    let first = marked.find('\n').unwrap_or(marked.len());
    let first = marked.get(..first).map_or(0, |line| line.trim_end().len());
    from.saturating_sub(start)..(from + first).saturating_sub(start)
}
