//! Syntax errors in a designer's words.
//!
//! The parser goes on after an error and often stumbles over the same mistake again and again: of
//! errors on neighbouring lines the first is reported, and of a bracket that is never closed the
//! place where it was opened.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue, Error};

use crate::diagnostic::{Finding, Place, Problems, is_invisible};

/// More errors than this in one file say nothing new.
const ERRORS_MAX: usize = 50;
/// Lines without an error that may lie between two errors of one mistake.
const GAP: usize = 1;

/// Reports syntax errors, and what of the file was lost by them: from the line of each to the next key
/// that could be read in spite of it.
pub(super) fn report(
    file: &Arc<str>,
    text: &str,
    root: &DeTable<'_>,
    errors: &[Error],
    problems: &Problems,
) {
    if errors.is_empty() {
        return;
    }
    let mut keys = Vec::new();
    keys_of(root, &mut keys);
    keys.sort_unstable();
    let mut errors: Vec<_> = errors
        .iter()
        .map(|error| (error.span().unwrap_or(0..0), error.message().trim().replace('\n', ", ")))
        .collect();
    errors.sort_by_key(|(span, _)| span.start);
    let place = |span: Range<usize>| Place { file: file.clone(), span };
    let unclosed = errors.iter().any(|(_, message)| is_unclosed(message));
    let opened = errors.first().filter(|_| unclosed).and_then(|(span, _)| opener(text, span.start));
    if let Some((at, bracket)) = opened {
        let close = if bracket == '{' { '}' } else { ']' };
        let message = format!("this `{bracket}` is never closed");
        let finding = Finding::error("syntax", message, place(at..at + 1));
        problems.add(finding.help(format!("write the `{close}` that belongs to it")));
        problems.lose(place(at..text.len()));
        return;
    }
    let mut reported = 0;
    // The end of the last line with an error, or of what may belong to the same mistake.
    let mut last: Option<usize> = None;
    // What is lost already ends here.
    let mut lost = 0;
    for (span, message) in errors {
        let line = line_span(text, span.start);
        let between = last.and_then(|last| text.get(last..line.start));
        let same = last.is_some_and(|last| line.start <= last)
            || between.is_some_and(|between| between.matches('\n').count() <= 1 + GAP);
        last = Some(line.end);
        if reported == ERRORS_MAX {
            problems.lose(place(line.start.max(lost)..text.len()));
            return;
        }
        if line.end > lost {
            let next = keys.get(keys.partition_point(|key| *key < line.end));
            let end = next.copied().unwrap_or(text.len()).max(line.end);
            problems.lose(place(line.start.max(lost)..end));
            lost = end;
        }
        if !same {
            reported += 1;
            problems.add(worded(text, &message, &place(span)));
        }
    }
}

/// Where each key that could be read stands.
fn keys_of(table: &DeTable<'_>, keys: &mut Vec<usize>) {
    for (key, value) in table {
        keys.push(key.span().start);
        values_of(value.get_ref(), keys);
    }
}

fn values_of(value: &DeValue<'_>, keys: &mut Vec<usize>) {
    match value {
        DeValue::Table(table) => keys_of(table, keys),
        DeValue::Array(array) => array.iter().for_each(|value| values_of(value.get_ref(), keys)),
        _ => {}
    }
}

fn is_unclosed(message: &str) -> bool {
    message.starts_with("unclosed inline table")
        || message.starts_with("unclosed array,")
        || message == "unclosed array"
}

fn worded(text: &str, message: &str, place: &Place) -> Finding {
    let span = place.span.clone();
    let written = text.get(span.clone()).unwrap_or_default();
    let line = text.get(line_span(text, span.start)).unwrap_or_default().trim();
    let is = |start: &str| message.starts_with(start);
    let find = |message: &str| Finding::error("syntax", message, place.clone());
    if is("duplicate key") {
        return duplicate(text, written, place);
    }
    if message.contains("expected non-") {
        return find("no text has such a character in it").help("take it out; it may be invisible");
    }
    if is("invalid basic string") || is("invalid literal string") {
        return find("the text does not end: its closing quote is missing").help(
            "close it on the same line; a text of several lines stands between `\"\"\"` and `\"\"\"`",
        );
    }
    if is("string values must be quoted") && line.ends_with('=') {
        return find("there is no value behind the `=`").help("a text stands in quotes: `\"…\"`");
    }
    let begins = text.get(span.start..).and_then(|rest| rest.chars().next());
    let unquoted = is("string values must be quoted") || is("missing opening quote");
    if unquoted && begins.is_some_and(is_invisible) {
        return find("there is a blank here that is none, or an invisible character")
            .help(INVISIBLE);
    }
    if unquoted {
        let curly = written.starts_with(['“', '”', '„', '«', '‘', '’']);
        let help = match written.trim().to_lowercase().as_str() {
            _ if curly => "use straight quotes: `\"`",
            "yes" | "no" | "on" | "off" | "ja" | "nein" | "sí" | "si" | "oui" | "non" => {
                "write `true` or `false`, or a text in quotes: `\"…\"`"
            }
            _ => "write it in quotes: `\"…\"`",
        };
        return find("a text must stand in straight quotes").help(help);
    }
    if is("missing escaped value") || is("invalid escape") || is("too few unicode value digits") {
        return find("a backslash in a text means something else")
            .help("write it twice, `\\\\`, or the whole text in single quotes");
    }
    if is("missing comma") {
        return find("a comma is missing before this");
    }
    if is("unclosed table") || is("unclosed array table") {
        let help = match text.get(span.start..).and_then(|rest| rest.chars().next()) {
            Some(c) if c.is_alphabetic() && !c.is_ascii() => Some(ACCENTS),
            _ => line.contains(']').then_some("a name has no spaces; use `_` or `-`"),
        };
        return find("the `]` after the name of the table is missing")
            .maybe_help(help.map(Into::into));
    }
    if is("invalid unquoted key") || is("key with no value") || is("invalid key-value pair") {
        return find("this is no `key = value`").maybe_help(no_key(line, begins).map(Into::into));
    }
    if is("invalid boolean") {
        return find(&format!("`{written}` is no value"))
            .help("write `true` or `false` in small letters");
    }
    if is("unexpected key or value") {
        let help = if begins == Some(';') { "take the `;` out" } else { too_much(line) };
        return find("the line should end before this").help(help);
    }
    if is("carriage return must be followed") {
        return find("a line ends here in a way that no system has any more")
            .help("save the file with the line ends of Unix or Windows");
    }
    if is("cannot recurse") || is("recursion limit") {
        return find("tables are nested too deep here");
    }
    find(message)
}

const INVISIBLE: &str = "take it out, and write a plain blank where there is to be one";
const ACCENTS: &str = "names are without accents: letters a to z, digits, `_` and `-`";

/// What to do about a line that does not begin with a key; `at`: the character where that shows.
fn no_key(line: &str, at: Option<char>) -> Option<&'static str> {
    let assigns = line.contains('=');
    if at.is_some_and(is_invisible) {
        return Some("there is an invisible character here, or a blank that is none: take it out");
    }
    if line.starts_with("//")
        || line.starts_with("--")
        || line.starts_with([';', '%', '•', '–', '—'])
    {
        return Some("a comment begins with `#`");
    }
    if at.is_some_and(|c| c.is_alphabetic() && !c.is_ascii()) {
        return Some(ACCENTS);
    }
    if line.ends_with(']') && !assigns {
        return Some("the name of a table stands between `[` and `]`");
    }
    (line.contains(':') && !assigns).then_some("write `=` between key and value, not `:`")
}

/// What to do about a line that goes on behind its value.
fn too_much(line: &str) -> &'static str {
    let value = line.split_once('=').map_or("", |(_, value)| value.trim_start());
    if value.starts_with('\'') {
        return "write a text with an apostrophe in it in double quotes: `\"…\"`";
    }
    let behind = value.trim_start_matches(|c: char| c.is_ascii_digit());
    if behind.len() < value.len() && behind.starts_with(',') {
        return "write a number with a point, not a comma: `1.5`";
    }
    "write a quote inside a text as `\\\"`, and each key on a line of its own"
}

fn duplicate(text: &str, key: &str, place: &Place) -> Finding {
    let at = line_span(text, place.span.start);
    let line = text.get(at.clone()).unwrap_or_default().trim();
    let header = line.starts_with('[');
    let what = if header { line } else { key };
    let mut finding = Finding::error("syntax", format!("`{what}` is there already"), place.clone());
    // A key is looked for in its own table, a table in the whole file before it.
    let before = text.get(..at.start).unwrap_or_default();
    let mut end = before.len();
    for earlier in before.split_inclusive('\n').rev() {
        end -= earlier.len();
        let trimmed = earlier.trim();
        let start = end + (earlier.len() - earlier.trim_start().len());
        let same = if header {
            trimmed == line
        } else {
            trimmed.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        if same {
            let length = if header { trimmed.len() } else { key.len() };
            let first = Place { file: place.file.clone(), span: start..start + length };
            finding = finding.label("first here", first);
            break;
        }
        if !header && trimmed.starts_with('[') {
            break;
        }
    }
    finding.help(if header {
        "give each its own name, or join them"
    } else {
        "keep one of the two"
    })
}

/// The last bracket that is still open at a place.
fn opener(text: &str, until: usize) -> Option<(usize, char)> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut rest = text.get(..until)?.char_indices().peekable();
    let mut line_start = true;
    while let Some((at, c)) = rest.next() {
        match c {
            '#' => while rest.next_if(|(_, c)| *c != '\n').is_some() {},
            '"' | '\'' => skip_string(text.get(..until)?, at, c, &mut rest),
            // The name of a table, not a list.
            '[' if line_start && open.is_empty() => {
                while rest.next_if(|(_, c)| *c != '\n').is_some() {}
            }
            '{' | '[' => open.push((at, c)),
            '}' | ']' => drop(open.pop()),
            _ => {}
        }
        line_start = c == '\n' || (line_start && c.is_whitespace());
    }
    open.pop()
}

fn skip_string(
    text: &str,
    at: usize,
    quote: char,
    rest: &mut std::iter::Peekable<std::str::CharIndices<'_>>,
) {
    let three: String = std::iter::repeat_n(quote, 3).collect();
    let long = text.get(at..).is_some_and(|text| text.starts_with(&three));
    let close = if long { three.as_str() } else { three.get(..1).unwrap_or_default() };
    let inside = at + close.len();
    let mut end = text.len();
    let mut escaped = false;
    for (index, c) in text.get(inside..).unwrap_or_default().char_indices() {
        let here = text.get(inside + index..).unwrap_or_default();
        if escaped {
            escaped = false;
        } else if c == '\\' && quote == '"' {
            escaped = true;
        } else if here.starts_with(close) || (!long && c == '\n') {
            end = inside + index + close.len();
            break;
        }
    }
    while rest.next_if(|(index, _)| *index < end).is_some() {}
}

fn line_span(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let start = text.get(..at).and_then(|text| text.rfind('\n')).map_or(0, |newline| newline + 1);
    let end = text.get(at..).and_then(|text| text.find('\n')).map_or(text.len(), |end| at + end);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    fn found(text: &str) -> Vec<String> {
        let problems = Problems::default();
        document::read(&"t.toml".into(), text, &problems, |_| ());
        let findings = problems.into_findings().into_iter();
        let line = |place: &Place| text[..place.span.start].matches('\n').count() + 1;
        findings.map(|f| format!("{}: {}", line(&f.labels[0].place), f.message)).collect()
    }

    #[test]
    fn one_mistake_is_one_finding() {
        let unclosed = "a = 1\nb = { c = \"}\", d = [1, 2]\ne = 2\n\n[f]\ng = 3\n[h]\ni = 4\n";
        assert_eq!(found(unclosed), ["2: this `{` is never closed"]);
        assert_eq!(found("a = [\n  1,\n  2\nb = 3\n"), ["1: this `[` is never closed"]);
        let twice = "[a]\nb = 1\nc = 2\n[a]\nb = 1\nc = 2\n";
        assert_eq!(found(twice), ["4: `[a]` is there already"]);
        let lines = "a = \"one\nb = 1\nc = 2\nd = 3\ne = menu\n";
        assert_eq!(
            found(lines),
            [
                "1: the text does not end: its closing quote is missing",
                "5: a text must stand in straight quotes"
            ]
        );
    }

    #[test]
    fn a_file_of_nothing_but_errors_is_soon_told() {
        let text = "= \n\n\n\n".repeat(20_000);
        assert_eq!(found(&text).len(), ERRORS_MAX);
    }
}
