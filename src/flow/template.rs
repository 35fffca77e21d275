//! Texts with places to fill in: `{{ account.balance | money }}`, `{{ code }}`, `{{ amount }}`.
//!
//! A place has a name and one filter at most, and nothing else is understood: no expressions, no conditions,
//! no loops. So what a text may use is known before it is filled in, the checker can hold each use against its
//! level, and filling in cannot fail. It yields plain text; escaping is done where a document is written, once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::locale::Locale;
use super::name::{FieldName, VariableName, is_name};
use super::value::Value;
use super::wording;
use crate::diagnostic::fix::Spelling;
use crate::diagnostic::{Finding, Place, Problems, did_you_mean};
use crate::limits;

/// One text, read.
#[derive(Clone, Debug)]
pub struct Template {
    /// The text as written.
    pub source: Arc<str>,
    /// What it fills in, each thing once, by name.
    pub uses: Vec<Use>,
    /// Where it stands.
    pub place: Place,
    pieces: Arc<[Piece]>,
}

/// A part of a text.
#[derive(Clone, Debug)]
enum Piece {
    /// Said as it stands there in the source.
    Plain(Range<usize>),
    /// Filled in.
    Filled(Use, Option<Filter>),
}

/// Something that a text fills in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// A field of the account: `account.balance`.
    Field(FieldName),
    /// A variable.
    Variable(VariableName),
    /// The one-time code of the state.
    Code,
}

/// How a value is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// An amount: "1,234 dollars and 56 cents".
    Money,
    /// A date: "November 22, 2026".
    Date,
    /// Digit by digit: "4 8 2 9".
    Digits,
}

/// What a text is filled with.
#[derive(Debug)]
pub struct Filling<'a> {
    /// The account's fields, those the caller may hear.
    pub fields: BTreeMap<&'a str, &'a Value>,
    /// The variables that have been set; `None`: the caller may not hear it.
    pub variables: BTreeMap<&'a str, Option<&'a Value>>,
    /// The code, where there is one.
    pub code: Option<&'a str>,
    /// The language being spoken.
    pub locale: &'a Locale,
    /// ISO 4217.
    pub currency: &'a str,
}

const CODE: &str = "code";
const ACCOUNT: &str = "account";

/// Why a variable may not be called so, for messages.
pub(super) const NAMING: &str = "a name is a letter, then letters, digits, `_` and `-`; `account` and `code` mean something else";

/// Names that no variable may take.
pub const RESERVED: [&str; 2] = [CODE, ACCOUNT];

const FILLING: &str = "write {{ name }} for a variable, {{ account.field }} for a field of the \
                       account, {{ amount | money }} with a filter";

const COMPUTES: &str = "a text computes nothing: write {{ name }}, {{ account.field }} or {{ amount | money }}; \
                        what is to be worked out comes from a `lookup`";

const DECIDES: &str = "a text decides and repeats nothing: a `branch` leads to states of their own, each with its \
                       own text";

impl Template {
    /// Reads a text, reporting what is wrong with it. Its lines end alike, however those of its file do.
    pub fn read(source: &str, place: &Place, problems: &Problems) -> Option<Self> {
        let source = &*source.replace("\r\n", "\n");
        if source.chars().count() > limits::PROMPT_CHARS_MAX {
            let message =
                format!("the text is longer than {} characters", limits::PROMPT_CHARS_MAX);
            let finding = Finding::error("text-too-long", message, place.clone());
            problems.add(finding.help("split it over several states"));
            return None;
        }
        let reading = Reading { source, place, problems };
        let pieces = reading.pieces();
        let mut uses: Vec<_> = pieces.iter().filter_map(Piece::used).cloned().collect();
        uses.sort_by(|one, other| one.written().cmp(&other.written()));
        uses.dedup();
        Some(Self { source: source.into(), uses, place: place.clone(), pieces: pieces.into() })
    }

    /// Fills the text in.
    pub fn fill(&self, filling: &Filling<'_>) -> String {
        let mut text = String::new();
        for piece in &*self.pieces {
            match piece {
                Piece::Plain(range) => {
                    text.push_str(self.source.get(range.clone()).unwrap_or_default());
                }
                Piece::Filled(used, filter) => text.push_str(&filling.value(used, *filter)),
            }
            if text.len() > limits::SPOKEN_CHARS_MAX * char::MAX.len_utf8() {
                break;
            }
        }
        if let Some((end, _)) = text.char_indices().nth(limits::SPOKEN_CHARS_MAX) {
            text.truncate(end);
        }
        text
    }

    /// Where a name stands that the text fills in; `None`: that is not certain.
    pub fn place_of(&self, name: &str) -> Option<Place> {
        word_in(&self.source, &self.place, name)
    }

    /// The filter with which something is filled in first, if it has one.
    pub fn filter_of(&self, used: &Use) -> Option<Filter> {
        let found = self.pieces.iter().find(|piece| piece.used() == Some(used))?;
        if let Piece::Filled(_, filter) = found { *filter } else { None }
    }

    /// Whether the code stands in it once, as it is.
    pub fn has_code_once(&self) -> bool {
        let codes: Vec<_> =
            self.pieces.iter().filter(|piece| piece.used() == Some(&Use::Code)).collect();
        matches!(codes.as_slice(), [Piece::Filled(_, None)])
    }
}

impl Piece {
    fn used(&self) -> Option<&Use> {
        match self {
            Self::Filled(used, _) => Some(used),
            Self::Plain(_) => None,
        }
    }
}

impl Use {
    fn written(&self) -> Cow<'_, str> {
        match self {
            Self::Field(field) => format!("{ACCOUNT}.{field}").into(),
            Self::Variable(name) => name.as_str().into(),
            Self::Code => CODE.into(),
        }
    }
}

impl Filter {
    const ALL: [(&str, Self); 3] =
        [("money", Self::Money), ("date", Self::Date), ("digits", Self::Digits)];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(own, _)| *own == name).map(|(_, filter)| *filter)
    }
}

impl Filling<'_> {
    fn value(&self, used: &Use, filter: Option<Filter>) -> String {
        let value = match used {
            Use::Field(name) => self.fields.get(name.as_str()).copied(),
            Use::Variable(name) => match self.variables.get(name.as_str()) {
                Some(value) => *value,
                None => return String::new(),
            },
            Use::Code => {
                let code = Value::Text(self.code.unwrap_or_default().to_owned());
                return self.said(&code, filter);
            }
        };
        let absent = || wording::not_available(self.locale).to_owned();
        value.map_or_else(absent, |value| self.said(value, filter))
    }

    /// A value as it is said. What is no amount or no date is left as it is.
    fn said(&self, value: &Value, filter: Option<Filter>) -> String {
        let value = value.shown();
        let words = value.words();
        match filter {
            None => words,
            Some(Filter::Money) => match value.as_number() {
                Some(amount) => wording::money(amount, self.currency, self.locale),
                None => words,
            },
            Some(Filter::Date) => match words.parse() {
                Ok(date) => wording::date(date, self.locale),
                Err(_) => words,
            },
            Some(Filter::Digits) => words.chars().map(String::from).collect::<Vec<_>>().join(" "),
        }
    }
}

/// A text being read.
struct Reading<'r> {
    source: &'r str,
    place: &'r Place,
    problems: &'r Problems,
}

impl Reading<'_> {
    fn pieces(&self) -> Vec<Piece> {
        // The line end before the closing quotes is layout.
        let said = self.source.strip_suffix('\n').unwrap_or(self.source);
        let (mut pieces, mut from, mut told) = (Vec::new(), 0, false);
        while let Some((open, of)) = next_tag(said, from) {
            pieces.push(Piece::Plain(from..open));
            let inside = open + 2;
            let rest = said.get(inside..).unwrap_or_default();
            from = inside;
            if of != '{' {
                let (what, help) = match of {
                    '%' => ("{% … %}", DECIDES),
                    _ => ("{# … #}", "a note stands outside of the text, after `#`"),
                };
                if !std::mem::replace(&mut told, true) {
                    let message = format!("`{what}` cannot be used here");
                    self.refuse(open..inside, message, help);
                }
                continue;
            }
            let closed = rest
                .find("}}")
                .filter(|end| !rest.get(..*end).is_some_and(|inner| inner.contains("{{")));
            let Some(end) = closed else {
                self.refuse(open..inside, "`{{` is not closed with `}}`".into(), FILLING);
                continue;
            };
            from = inside + end + 2;
            pieces.extend(self.filled(inside..inside + end));
        }
        pieces.push(Piece::Plain(from..said.len()));
        pieces
    }

    /// What stands between the braces.
    fn filled(&self, inside: Range<usize>) -> Option<Piece> {
        let text = self.source.get(inside.clone())?;
        let (name, filter) = match text.split_once('|') {
            Some((name, filter)) => (name, Some(filter)),
            None => (text, None),
        };
        let filter = match filter {
            Some(filter) => Some(self.filter(filter, inside.start + text.len() - filter.len())?),
            None => None,
        };
        let at = inside.start + name.len() - name.trim_start().len();
        let name = name.trim();
        let refuse = |message: &str, help: &str| {
            let message = format!("`{name}` {message}");
            self.refuse(at..at + name.len(), message, help);
            None
        };
        let used = match name.split_once('.') {
            _ if name.is_empty() => {
                self.refuse(inside, "there is no name between the braces".into(), FILLING);
                None
            }
            None if name == CODE => Some(Use::Code),
            None if name == ACCOUNT => {
                refuse("is not a text", "name one of its fields: {{ account.first_name }}")
            }
            None if is_name(name) => Some(Use::Variable(name.into())),
            Some((ACCOUNT, field)) if is_name(field) => Some(Use::Field(field.into())),
            Some((of, field)) if is_name(of) && is_name(field) => refuse(
                "cannot be filled in",
                "only `account` has fields; a variable is named alone",
            ),
            _ => refuse("cannot be filled in", COMPUTES),
        };
        Some(Piece::Filled(used?, filter))
    }

    fn filter(&self, text: &str, start: usize) -> Option<Filter> {
        let at = start + text.len() - text.trim_start().len();
        let text = text.trim();
        if let Some(filter) = Filter::named(text) {
            return Some(filter);
        }
        let names = Filter::ALL.map(|(name, _)| name);
        let first = text.split_once('|').map(|(first, _)| first.trim_end());
        if let Some(first) = first.filter(|first| Filter::named(first).is_some()) {
            let message = "a value takes one filter".into();
            self.refuse(at..at + text.len(), message, &format!("keep `{first}` alone"));
            return None;
        }
        let help = did_you_mean(text, names)
            .unwrap_or_else(|| format!("the filters are: {}", names.join(", ")));
        let finding = self.finding(at..at + text.len(), format!("there is no filter `{text}`"));
        let finding = finding.help(help);
        self.problems.add(match self.written_at(0..0) {
            Some(_) => finding.respelt(text, names, Spelling::Key),
            None => finding,
        });
        None
    }

    fn refuse(&self, at: Range<usize>, message: String, help: &str) {
        self.problems.add(self.finding(at, message).help(help));
    }

    fn finding(&self, at: Range<usize>, message: String) -> Finding {
        let place = self.written_at(at).unwrap_or_else(|| self.place.clone());
        Finding::error("bad-template", message, place)
    }

    fn written_at(&self, at: Range<usize>) -> Option<Place> {
        written_at(self.source, self.place, at)
    }
}

/// The next `{{`, `{%` or `{#`, and its second character.
fn next_tag(text: &str, from: usize) -> Option<(usize, char)> {
    let rest = text.get(from..)?;
    rest.match_indices('{').find_map(|(at, _)| {
        let second = rest.get(at + 1..)?.chars().next()?;
        matches!(second, '{' | '%' | '#').then_some((from + at, second))
    })
}

/// Where a part of a text stands in the file, if the text is written there as it reads.
fn written_at(source: &str, place: &Place, at: Range<usize>) -> Option<Place> {
    // Quotes alone are around it: nothing in it is escaped.
    if place.span.len() != source.len() + 2 {
        return None;
    }
    let start = place.span.start + 1;
    Some(Place { span: start + at.start..start + at.end, ..place.clone() })
}

/// Where a word stands within a text, if it stands there once, within braces, and the text is written
/// in the file as it reads.
fn word_in(source: &str, place: &Place, word: &str) -> Option<Place> {
    if word.is_empty() {
        return None;
    }
    let named = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let mut found = source.match_indices(word).map(|(at, _)| at).filter(|at| {
        let (before, after) = (source.get(..*at), source.get(at + word.len()..));
        !before.is_some_and(|text| text.ends_with(named))
            && !after.is_some_and(|text| text.starts_with(named))
    });
    let (at, more) = (found.next()?, found.next());
    let before = source.get(..at)?;
    if more.is_some() || before.rfind("{{") <= before.rfind("}}") {
        return None;
    }
    written_at(source, place, at..at + word.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> (Option<Template>, Vec<Finding>) {
        let problems = Problems::default();
        let place = Place { file: "t".into(), span: 0..source.len() + 2 };
        let template = Template::read(source, &place, &problems);
        (template, problems.into_findings())
    }

    fn filled(source: &str, variables: &[(&str, Option<Value>)]) -> String {
        let (template, findings) = read(source);
        assert_eq!(findings, [], "{source}");
        let locale = wording::english();
        let filling = Filling {
            fields: BTreeMap::new(),
            variables: variables.iter().map(|(name, value)| (*name, value.as_ref())).collect(),
            code: Some("012345"),
            locale: &locale,
            currency: "USD",
        };
        template.unwrap().fill(&filling)
    }

    fn fill(source: &str, value: Value) -> String {
        filled(source, &[("sum", Some(value))])
    }

    #[test]
    fn texts_are_filled() {
        let owed = fill("You owe {{ sum | money }}.", Value::Number(1234.5));
        assert_eq!(owed, "You owe 1,234 dollars and 50 cents.");
        assert_eq!(filled("{{ code | digits }}", &[]), "0 1 2 3 4 5");
        assert_eq!(fill("{{sum|money}}", Value::Text("a lot".into())), "a lot");
        assert_eq!(fill("{{ sum | date }}", Value::Text("2026-11-22".into())), "November 22, 2026");
        let due = filled("{{ due-date }}", &[("due-date", Some(Value::Text("today".into())))]);
        assert_eq!(due, "today");
    }

    #[test]
    fn a_number_without_decimals_has_no_point() {
        for (source, number, text) in [
            ("{{ sum }} parcels", 3.0, "3 parcels"),
            ("{{ sum | digits }}", 4829.0, "4 8 2 9"),
            ("{{ sum }}", -2.0, "-2"),
            ("{{ sum }}", 0.0, "0"),
            ("{{ sum }}", 88.25, "88.25"),
        ] {
            assert_eq!(fill(source, Value::Number(number)), text, "{source}");
        }
    }

    #[test]
    fn what_fills_nothing_in_is_said_as_it_stands() {
        assert_eq!(filled("Good } day }} {.\n", &[]), "Good } day }} {.");
        assert_eq!(filled("One,\r\ntwo.\r\n", &[]), "One,\ntwo.");
        let long = "é".repeat(limits::SPOKEN_CHARS_MAX);
        assert_eq!(fill("{{ sum }}", Value::Text(format!("{long}!"))), long);
    }

    #[test]
    fn what_is_not_there_is_said_so() {
        for filter in ["", " | digits", " | money", " | date"] {
            let field = filled(&format!("Hello {{{{ account.name{filter} }}}}"), &[]);
            assert_eq!(field, "Hello not available");
            let withheld = filled(&format!("Hello {{{{ sum{filter} }}}}"), &[("sum", None)]);
            assert_eq!(withheld, "Hello not available");
            assert_eq!(filled(&format!("Hello {{{{ sum{filter} }}}}"), &[]), "Hello ");
        }
    }

    #[test]
    fn markup_is_left_to_the_writer() {
        assert_eq!(fill("{{ sum }}", Value::Text("<Hangup/>".into())), "<Hangup/>");
    }

    #[test]
    fn what_a_text_uses_is_known() {
        let (template, _) = read("{{ b }}{{ account.x | money }}{{ b | digits }}{{ a }}{{ code }}");
        let template = template.unwrap();
        let written: Vec<_> = template.uses.iter().map(Use::written).collect();
        assert_eq!(written, ["a", "account.x", "b", "code"]);
        assert_eq!(template.filter_of(&Use::Field("x".into())), Some(Filter::Money));
        assert_eq!(template.filter_of(&Use::Variable("b".into())), None);
        assert!(template.has_code_once());
        for wrong in ["{{ code | digits }}", "{{ code }} {{ code }}", "none"] {
            assert!(!read(wrong).0.unwrap().has_code_once(), "{wrong}");
        }
    }

    #[test]
    fn nothing_but_names_and_filters_is_understood() {
        for (source, at, message) in [
            ("{{ a | mony }}", "mony", "there is no filter `mony`"),
            ("{{ a | upper }}", "upper", "there is no filter `upper`"),
            ("{{ a | default('b|c') }}", "default('b|c')", "there is no filter `default('b|c')`"),
            ("{{ a | money | digits }}", "money | digits", "a value takes one filter"),
            ("{{ a | }}", "", "there is no filter ``"),
            ("{{ a }", "{{", "`{{` is not closed with `}}`"),
            ("{{ a and {{ b }}", "{{", "`{{` is not closed with `}}`"),
            ("{{ }}", " ", "there is no name between the braces"),
            ("{{ 1+1 }}", "1+1", "`1+1` cannot be filled in"),
            ("{{ a is odds }}", "a is odds", "`a is odds` cannot be filled in"),
            ("{{ range(9) }}", "range(9)", "`range(9)` cannot be filled in"),
            ("{{ 'a' }}", "'a'", "`'a'` cannot be filled in"),
            ("{{- a -}}", "- a -", "`- a -` cannot be filled in"),
            ("{{ account }}", "account", "`account` is not a text"),
            ("{{ user.name }}", "user.name", "`user.name` cannot be filled in"),
            ("{{ account.a.b }}", "account.a.b", "`account.a.b` cannot be filled in"),
            ("a{% if b %}{{ b }}{% endif %}", "{%", "`{% … %}` cannot be used here"),
            ("{# a note #}", "{#", "`{# … #}` cannot be used here"),
        ] {
            let (_, findings) = read(source);
            let [finding] = findings.as_slice() else { panic!("{source}: {findings:?}") };
            assert_eq!(finding.message, message, "{source}");
            let span = finding.place().unwrap().span.clone();
            assert_eq!(&source[span.start - 1..span.end - 1], at, "{source}");
        }
    }
}
