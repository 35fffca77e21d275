//! A TOML document read strictly: every key accounted for, every problem at its place.
//!
//! Syntax errors are collected too, and what could be read in spite of them is read, so that one run
//! reports everything. Unknown keys are reported by [`Reader::finish`], with the key that was
//! probably meant.

mod syntax;

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::fix::{Fix, Spelling};
use crate::diagnostic::{Finding, Place, Problems, did_you_mean};

/// Parses `text` and reports its syntax errors; `read` gets the root of what could be read.
pub fn read<T>(
    file: &Arc<str>,
    text: &str,
    problems: &Problems,
    read: impl FnOnce(Reader<'_>) -> T,
) -> T {
    let (root, errors) = DeTable::parse_recoverable(text);
    syntax::report(file, text, root.get_ref(), &errors, problems);
    let source = Source { file, problems, above: &[] };
    let first = text.chars().next().map_or(0, char::len_utf8);
    read(Reader::new(root.get_ref(), 0..first, "the file".into(), source))
}

/// What is to be done with a key of the file itself that stands in a table.
pub const ABOVE: &str = "it belongs to the whole file: write it above the first `[…]`";

#[derive(Clone, Copy, Debug)]
struct Source<'a> {
    file: &'a Arc<str>,
    problems: &'a Problems,
    /// Keys of the file itself, which stand above its tables.
    above: &'static [&'static str],
}

impl Source<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        Place { file: self.file.clone(), span }
    }
}

/// A table being read.
#[derive(Debug)]
pub struct Reader<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    what: String,
    source: Source<'a>,
    asked: RefCell<Vec<String>>,
    /// Keys that it may have, as far as that is known beforehand: none of them is a slip.
    known: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    fn new(table: &'a DeTable<'a>, span: Range<usize>, what: String, source: Source<'a>) -> Self {
        Self { table, span, what, source, asked: RefCell::default(), known: Vec::new() }
    }

    /// The value of a key, if the key is there.
    pub fn item(&self, key: &str) -> Option<Item<'a>> {
        self.asked.borrow_mut().push(key.to_owned());
        let (name, value) = self.table.get_key_value(key)?;
        Some(Item::new(name.get_ref(), name.span(), value, self.source))
    }

    /// The value of a key that must be there. If another key was probably meant to be this one, that is reported
    /// instead.
    pub fn required(&self, key: &str) -> Option<Item<'a>> {
        self.required_or(key, || None)
    }

    /// The same, with help if it is missing.
    pub fn required_or(
        &self,
        key: &str,
        help: impl FnOnce() -> Option<String>,
    ) -> Option<Item<'a>> {
        let item = self.item(key);
        if item.is_some() {
            return item;
        }
        if let Some(misspelt) = self.misspelt(key).and_then(|name| self.item(name)) {
            let place = misspelt.key_place();
            let finding = self.unknown(misspelt.key, place).help(format!("did you mean `{key}`?"));
            self.report(finding.respelt(misspelt.key, [key], Spelling::Key));
        } else {
            let message = format!("{} lacks `{key}`", self.what);
            let finding = Finding::error("missing-key", message, self.place());
            self.report(finding.maybe_help(help()));
        }
        None
    }

    fn unknown(&self, key: &str, place: Place) -> Finding {
        Finding::error("unknown-key", format!("{} has no key `{key}`", self.what), place)
    }

    /// Every key with its value, in the author's order: a table whose keys are names.
    pub fn entries(&self) -> Vec<Item<'a>> {
        let mut asked = self.asked.borrow_mut();
        self.table
            .iter()
            .map(|(name, value)| {
                asked.push(name.get_ref().to_string());
                Item::new(name.get_ref(), name.span(), value, self.source)
            })
            .collect()
    }

    /// Whether a key is there, without reading it.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Reports every key that nobody has read.
    pub fn finish(self) {
        let known: Vec<_> = self.asked.borrow().clone();
        self.finish_among(known.iter().map(String::as_str));
    }

    /// Reports every key that nobody has read and that is not `known` either: what a reader that gave up early
    /// did not reach is no mistake.
    pub fn finish_among<'k>(self, known: impl IntoIterator<Item = &'k str>) {
        let known: Vec<_> = known.into_iter().collect();
        let asked = self.asked.borrow();
        let read: HashSet<_> =
            known.iter().copied().chain(asked.iter().map(String::as_str)).collect();
        for (name, _) in self.table {
            if read.contains(name.get_ref().as_ref()) {
                continue;
            }
            let place = self.source.place(name.span());
            self.source.problems.add_with("unknown-key", &place, || {
                let above = self.source.above.contains(&name.get_ref().as_ref());
                let help = above
                    .then(|| ABOVE.to_owned())
                    .or_else(|| did_you_mean(name.get_ref(), known.iter().copied()))
                    .or_else(|| Some(format!("it may have: {}", list(&known))));
                // A key that is already there is not meant a second time.
                let free = known.iter().copied().filter(|key| !self.table.contains_key(*key));
                let finding = self.unknown(name.get_ref(), place.clone()).maybe_help(help);
                finding.respelt(name.get_ref(), free, Spelling::Key)
            });
        }
    }

    /// Where the table begins.
    pub fn place(&self) -> Place {
        self.source.place(self.span.clone())
    }

    /// What the table is, for messages: "state `menu`".
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Reports a finding.
    pub fn report(&self, finding: Finding) {
        self.source.problems.add(finding);
    }

    /// The same table under a better name.
    pub fn named(mut self, what: String) -> Self {
        self.what = what;
        self
    }

    /// Says which keys the table may have, whatever is asked for.
    pub fn knowing(mut self, known: impl IntoIterator<Item = &'static str>) -> Self {
        self.known.extend(known);
        self
    }

    /// Says which keys belong to the file itself, so that one that stands further down is known for what it is.
    pub fn heading(mut self, keys: &'static [&'static str]) -> Self {
        self.source.above = keys;
        self
    }

    /// What stands there under other keys than these.
    pub fn others(&self, known: &[&str]) -> Vec<Item<'a>> {
        let others =
            self.table.iter().filter(|(name, _)| !known.contains(&name.get_ref().as_ref()));
        others
            .map(|(name, value)| Item::new(name.get_ref(), name.span(), value, self.source))
            .collect()
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The keys that are there and are none of these.
    pub fn has_others(&self, known: &[&str]) -> bool {
        self.table.keys().any(|name| !known.contains(&name.get_ref().as_ref()))
    }

    fn misspelt(&self, key: &str) -> Option<&'a str> {
        const NEAR: f64 = 0.85;
        let asked = self.asked.borrow();
        let free =
            |name: &&str| !self.known.contains(name) && !asked.iter().any(|asked| asked == name);
        let mut present = self.table.keys().map(|name| name.get_ref().as_ref()).filter(free);
        present
            .find(|name| name.eq_ignore_ascii_case(key) || strsim::jaro_winkler(name, key) >= NEAR)
    }
}

/// A value being read, with the key (or the array) it stands in.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    /// The key, or the key of the array.
    pub key: &'a str,
    key_span: Range<usize>,
    value: &'a DeValue<'a>,
    span: Range<usize>,
    source: Source<'a>,
}

impl<'a> Item<'a> {
    fn new(
        key: &'a str,
        key_span: Range<usize>,
        value: &'a Spanned<DeValue<'a>>,
        source: Source<'a>,
    ) -> Self {
        // A value that was lost to a syntax error has no place of its own: its key stands for it.
        let span = if value.span().is_empty() { key_span.clone() } else { value.span() };
        Self { key, key_span, value: value.get_ref(), span, source }
    }

    /// Where the value is.
    pub fn place(&self) -> Place {
        self.source.place(self.span.clone())
    }

    /// Where the key is.
    pub fn key_place(&self) -> Place {
        self.source.place(self.key_span.clone())
    }

    /// Reports that the value cannot be used.
    pub fn refuse(&self, code: &'static str, message: impl Into<String>) {
        self.report(Finding::error(code, message, self.place()));
    }

    /// Reports a finding.
    pub fn report(&self, finding: Finding) {
        self.source.problems.add(finding);
    }

    /// Reports that something else is expected here; `what`, with its article.
    pub fn expected<T>(&self, what: &str) -> Option<T> {
        self.expected_instead(what, None)
    }

    /// The same; the expected text is quoted.
    fn expected_instead<T>(&self, what: &str, quoted: Option<&str>) -> Option<T> {
        let found = match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) if self.as_number().is_none() => "nan or inf",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let help = match what {
            "a table" => Some("a table is written `{ name = value }`, or as a section of its own"),
            "a list" => Some("a list is written `[…]`, its elements between commas"),
            _ if what.starts_with("a duration") => {
                Some("write it in quotes, with its unit: `\"5s\"`")
            }
            _ => None,
        };
        let message = format!("`{}` must be {what}, not {found}", self.key);
        let finding = Finding::error("wrong-type", message, self.place());
        let fix = quoted.map(|value| {
            Fix::replace(format!("write {value} without quotes"), self.place(), value)
        });
        self.report(finding.maybe_help(help.map(Into::into)).fix(fix));
        None
    }

    /// A text.
    pub fn text(&self) -> Option<&'a str> {
        self.as_text().or_else(|| self.expected("a text in quotes"))
    }

    /// A text that is not empty.
    pub fn name(&self) -> Option<&'a str> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.refuse("empty-value", format!("`{}` must not be empty", self.key));
            return None;
        }
        Some(text)
    }

    /// The text, if it is one; nothing is reported otherwise.
    pub fn as_text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// Whether the value is a number, or what TOML has in the place of one.
    pub fn is_number(&self) -> bool {
        matches!(self.value, DeValue::Integer(_) | DeValue::Float(_))
    }

    /// Whether the value is a table.
    pub fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// Whether the value is a table with nothing in it.
    pub fn is_empty_table(&self) -> bool {
        matches!(self.value, DeValue::Table(table) if table.is_empty())
    }

    /// Whether the value is a list.
    pub fn is_list(&self) -> bool {
        self.value.is_array()
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        let quoted = self.as_text().filter(|text| matches!(*text, "true" | "false"));
        self.value.as_bool().or_else(|| self.expected_instead("true or false", quoted))
    }

    /// `true` or `false`, if it is one; nothing is reported otherwise.
    pub fn as_boolean(&self) -> Option<bool> {
        self.value.as_bool()
    }

    /// A whole number from `min` to `max`.
    pub fn integer(&self, min: u64, max: u64) -> Option<u64> {
        let bounds = format!("a whole number from {min} to {max}");
        let Some(integer) = self.value.as_integer() else {
            let within = |text: &&str| text.parse().is_ok_and(|n: u64| (min..=max).contains(&n));
            let quoted = self.as_text().filter(within);
            return self.expected_instead(&bounds, quoted);
        };
        let text = integer.as_str().replace('_', "");
        match u64::from_str_radix(&text, integer.radix()) {
            Ok(number) if (min..=max).contains(&number) => Some(number),
            _ => {
                self.refuse("out-of-range", format!("`{}` must be {bounds}", self.key));
                None
            }
        }
    }

    /// A number.
    pub fn number(&self) -> Option<f64> {
        self.as_number().or_else(|| self.expected("a number"))
    }

    /// A number, if it is one; nothing is reported otherwise.
    pub fn as_number(&self) -> Option<f64> {
        let text = match self.value {
            DeValue::Integer(integer) => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            _ => return None,
        };
        text.replace('_', "").parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// A duration such as `"5s"` or `"2m 30s"`, from `min` to `max`.
    pub fn duration(&self, min: Duration, max: Duration) -> Option<Duration> {
        let Some(text) = self.as_text() else {
            return self.expected("a duration such as `\"5s\"`");
        };
        let read = parse_duration(text);
        match read {
            Some(duration) if (min..=max).contains(&duration) => Some(duration),
            Some(_) => {
                let message = format!(
                    "`{}` must be from {} to {}",
                    self.key,
                    show_duration(min),
                    show_duration(max)
                );
                self.refuse("out-of-range", message);
                None
            }
            None => {
                self.report(
                    Finding::error(
                        "bad-duration",
                        format!("`{text}` is not a duration"),
                        self.place(),
                    )
                    .help("write numbers with their units: `\"30s\"`, `\"2m 30s\"`, `\"2h\"`, `\"30d\"`"),
                );
                None
            }
        }
    }

    /// A date (`2026-12-25`, quoted or not) as text.
    pub fn date(&self) -> Option<jiff::civil::Date> {
        let text = match self.value {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(date) => date.to_string(),
            _ => return self.expected("a date such as \"2026-12-25\""),
        };
        let date = text.parse().ok();
        if date.is_none() {
            self.refuse("bad-date", format!("`{text}` is not a date such as 2026-12-25"));
        }
        date
    }

    /// A moment such as `2026-11-23T10:00:00-05:00`, quoted or not.
    pub fn timestamp(&self) -> Option<jiff::Timestamp> {
        let text = match self.value {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(date) => date.to_string(),
            _ => return self.expected("a moment such as 2026-11-23T10:00:00-05:00"),
        };
        let moment = text.parse().ok();
        if moment.is_none() {
            self.report(
                Finding::error("bad-date", format!("`{text}` is not a moment"), self.place())
                    .help("write a date, a time and an offset: 2026-11-23T10:00:00-05:00"),
            );
        }
        moment
    }

    /// A table, called `what` in messages.
    pub fn table(&self, what: impl Into<String>) -> Option<Reader<'a>> {
        let Some(table) = self.value.as_table() else { return self.expected("a table") };
        Some(Reader::new(table, self.key_span.clone(), what.into(), self.source))
    }

    /// The table, if it is one; nothing is reported otherwise.
    pub fn peek(&self) -> Option<Reader<'a>> {
        let table = self.value.as_table()?;
        Some(Reader::new(table, self.key_span.clone(), self.key.to_owned(), self.source))
    }

    /// The elements of a list.
    pub fn list(&self) -> Option<Vec<Item<'a>>> {
        let Some(array) = self.value.as_array() else { return self.expected("a list") };
        let element = |value| Item::new(self.key, self.span.clone(), value, self.source);
        Some(array.iter().map(element).collect())
    }

    /// The tables of a list (`[[accounts]]`), called `what` in messages.
    pub fn tables(&self, what: &str) -> Option<Vec<Reader<'a>>> {
        let table = |item: &Item<'a>| {
            let table = item.value.as_table();
            if table.is_none() {
                item.expected::<()>("a table");
            }
            Some(Reader::new(table?, item.span.clone(), what.to_owned(), item.source))
        };
        Some(self.list()?.iter().filter_map(table).collect())
    }

    /// One of a closed set of words.
    pub fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let place = self.place();
            self.source.problems.add_with("unknown-value", &place, || {
                let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
                let help = did_you_mean(text, names.iter().copied())
                    .or_else(|| Some(format!("it may be: {}", list(&names))));
                let message = format!("`{}` cannot be `{text}`", self.key);
                let finding = Finding::error("unknown-value", message, place.clone());
                finding.maybe_help(help).respelt(text, names, Spelling::Value)
            });
        }
        found
    }
}

/// Reads `5s`, `2m 30s`, `30d` (a day is 24 hours).
pub fn parse_duration(text: &str) -> Option<Duration> {
    let span: jiff::Span = text.parse().ok()?;
    let signed = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(signed).ok()
}

/// A duration in the words a flow uses.
pub fn show_duration(duration: Duration) -> String {
    match jiff::SignedDuration::try_from(duration) {
        Ok(signed) => format!("{signed:#}"),
        Err(_) => format!("{}s", duration.as_secs()),
    }
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str, with: impl FnOnce(Reader<'_>)) -> Vec<String> {
        let problems = Problems::default();
        read(&"t.toml".into(), text, &problems, with);
        let show = |f: Finding| format!("{}: {} {:?}", f.code, f.message, f.help);
        problems.into_findings().into_iter().map(show).collect()
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let found = problems("a = 1\nb = [\nnmae = \"x\"\nc = \"5 parsecs\"", |root| {
            root.required("name");
            root.item("a").and_then(|a| a.text());
            root.item("c").and_then(|c| c.duration(Duration::ZERO, Duration::from_secs(9)));
            root.finish();
        });
        assert!(found.len() >= 3, "{found:#?}");
        assert!(found.iter().any(|f| f.starts_with("syntax")), "{found:#?}");
        assert!(found.iter().any(|f| f.contains("lacks `name`")), "{found:#?}");
        assert!(found.iter().any(|f| f.contains("`a` must be a text")), "{found:#?}");
    }

    #[test]
    fn durations_have_bounds_and_days() {
        assert_eq!(parse_duration("30d"), Some(Duration::from_hours(720)));
        assert_eq!(parse_duration("2m 30s"), Some(Duration::from_secs(150)));
        assert_eq!(parse_duration("-5s"), None);
        assert_eq!(parse_duration("5"), None);
    }
}
