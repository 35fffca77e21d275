//! Texts with places to fill in: `{{ account.balance | money }}`, `{{ code }}`, `{{ amount }}`.
//!
//! Most texts only name things, with a filter at most: they are filled in piece by piece, and that cannot fail.
//! What else a text does is minijinja's, see [`computed`]. Either way it is known before it is filled in what a
//! text may use, so that the checker can hold each use against its level. It yields plain text; escaping is done
//! where a document is written, once.

mod computed;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

pub use self::computed::mixtures;
use self::computed::{CURRENCY, Computed, LOCALE, has_another, no_filter};
use super::locale::Locale;
use super::name::{FieldName, VariableName, is_name};
use super::value::Value;
use super::wording;
use crate::diagnostic::{Finding, Place, Problems};
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
    how: How,
}

/// How a text is filled in.
#[derive(Clone, Debug)]
enum How {
    Piecewise(Arc<[Piece]>),
    Computed(Arc<Computed>),
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
pub const RESERVED: [&str; 4] = [CODE, ACCOUNT, LOCALE, CURRENCY];

const FILLING: &str = "write {{ name }} for a variable, {{ account.field }} for a field of the \
                       account, {{ amount | money }} with a filter";

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
        let reading = Reading { source, place, problems, computes: Cell::new(false) };
        let pieces = reading.pieces();
        let (how, uses) = if reading.computes.get() {
            let (computed, uses) = Computed::read(source, place, problems)?;
            (How::Computed(computed.into()), uses)
        } else {
            let mut uses: Vec<_> = pieces.iter().filter_map(Piece::used).cloned().collect();
            uses.sort_by(|one, other| one.written().cmp(&other.written()));
            uses.dedup();
            (How::Piecewise(pieces.into()), uses)
        };
        Some(Self { source: source.into(), uses, place: place.clone(), how })
    }

    /// Fills the text in. Fails only where a designer's own arithmetic does, or the budget runs out.
    pub fn fill(&self, filling: &Filling<'_>) -> Option<String> {
        let mut text = match &self.how {
            How::Piecewise(pieces) => self.join(pieces, filling),
            How::Computed(computed) => computed.fill(&self.uses, filling).ok()?,
        };
        if let Some((end, _)) = text.char_indices().nth(limits::SPOKEN_CHARS_MAX) {
            text.truncate(end);
        }
        Some(text)
    }

    fn join(&self, pieces: &[Piece], filling: &Filling<'_>) -> String {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Plain(range) => {
                    text.push_str(self.source.get(range.clone()).unwrap_or_default());
                }
                Piece::Filled(used, filter) => {
                    let value = filling.value(used);
                    text.push_str(&match filter {
                        Some(filter) => filter.said(&value, filling.locale, filling.currency),
                        None => value.words(),
                    });
                }
            }
            if text.len() > limits::SPOKEN_CHARS_MAX * char::MAX.len_utf8() {
                break;
            }
        }
        text
    }

    /// Where a name stands that the text fills in; `None`: that is not certain.
    pub fn place_of(&self, name: &str) -> Option<Place> {
        word_in(&self.source, &self.place, name)
    }

    /// The filter with which something is filled in first, if it has one and that is certain.
    pub fn filter_of(&self, used: &Use) -> Option<Filter> {
        let How::Piecewise(pieces) = &self.how else { return None };
        let found = pieces.iter().find(|piece| piece.used() == Some(used))?;
        if let Piece::Filled(_, filter) = found { *filter } else { None }
    }

    /// Whether the code stands in it once, as it is.
    pub fn has_code_once(&self) -> bool {
        match &self.how {
            How::Piecewise(pieces) => {
                let codes = pieces.iter().filter(|piece| piece.used() == Some(&Use::Code));
                matches!(codes.collect::<Vec<_>>().as_slice(), [Piece::Filled(_, None)])
            }
            How::Computed(_) => {
                let spelled =
                    ["{{ code }}", "{{code}}"].map(|tag| self.source.matches(tag).count());
                spelled.into_iter().sum::<usize>() == 1
            }
        }
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
    /// As it is written between the braces.
    pub fn written(&self) -> Cow<'_, str> {
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

    /// A value as it is said. What is no amount or no date is left as it is, and so is what is said of a value that
    /// is not there.
    fn said(self, value: &Value, locale: &Locale, currency: &str) -> String {
        let words = value.words();
        if words == wording::not_available(locale) {
            return words;
        }
        match self {
            Self::Money => match value.as_number() {
                Some(amount) => wording::money(amount, currency, locale),
                None => words,
            },
            Self::Date => match words.parse() {
                Ok(date) => wording::date(date, locale),
                Err(_) => words,
            },
            Self::Digits => words.chars().map(String::from).collect::<Vec<_>>().join(" "),
        }
    }
}

impl<'a> Filling<'a> {
    /// What is filled in; of what is not there, or not to be heard, that.
    fn value(&self, used: &Use) -> Cow<'a, Value> {
        let absent = || Value::Text(wording::not_available(self.locale).to_owned());
        self.given(used).unwrap_or_else(|| Cow::Owned(absent()))
    }

    /// What is filled in; `None`: it is not there, or not to be heard.
    fn given(&self, used: &Use) -> Option<Cow<'a, Value>> {
        let text = |text: &str| Some(Cow::Owned(Value::Text(text.to_owned())));
        match used {
            Use::Field(name) => self.fields.get(name.as_str()).map(|value| value.shown()),
            Use::Variable(name) => match self.variables.get(name.as_str()) {
                Some(value) => value.map(Value::shown),
                None => text(""),
            },
            Use::Code => text(self.code.unwrap_or_default()),
        }
    }
}

/// A text being read.
struct Reading<'r> {
    source: &'r str,
    place: &'r Place,
    problems: &'r Problems,
    /// Whether it does more than name things.
    computes: Cell<bool>,
}

impl Reading<'_> {
    fn pieces(&self) -> Vec<Piece> {
        // The line end before the closing quotes is layout.
        let said = self.source.strip_suffix('\n').unwrap_or(self.source);
        let (mut pieces, mut from) = (Vec::new(), 0);
        self.single_braces(said);
        while let Some((open, of)) = next_tag(said, from) {
            pieces.push(Piece::Plain(from..open));
            let inside = open + 2;
            let rest = said.get(inside..).unwrap_or_default();
            from = inside;
            if of != '{' {
                self.computes.set(true);
                return pieces;
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

    /// Braces that are one where two are meant would be said, and nothing filled in.
    fn single_braces(&self, said: &str) {
        let mut from = 0;
        while let Some(open) = said.get(from..).and_then(|rest| rest.find('{')).map(|at| from + at)
        {
            let inside = said.get(open + 1..).unwrap_or_default();
            from = open + 1;
            if let Some(of) = inside.chars().next().filter(|of| matches!(of, '{' | '%' | '#')) {
                // What stands in a tag is no text.
                let close = if of == '{' { "}}".to_owned() } else { format!("{of}}}") };
                let Some(end) = inside.find(&close) else { return };
                from += end + close.len();
                continue;
            }
            let Some(end) = inside.find('}') else { return };
            let between = inside.get(..end).unwrap_or_default();
            let name = between.split('|').next().unwrap_or_default().trim();
            if is_name(name.strip_prefix("account.").unwrap_or(name)) {
                let message = format!("`{{{between}}}` is said as it stands");
                self.refuse(open..open + end + 2, message, FILLING);
            }
        }
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
            _ if is_accented(name) => refuse(
                "is no name",
                "names are without accents: letters a to z, digits, `_` and `-`",
            ),
            _ => {
                self.computes.set(true);
                None
            }
        };
        Some(Piece::Filled(used?, filter))
    }

    fn filter(&self, text: &str, start: usize) -> Option<Filter> {
        let at = start + text.len() - text.trim_start().len();
        let text = text.trim();
        if let Some(filter) = Filter::named(text) {
            return Some(filter);
        }
        if !is_name(text) || has_another(text) {
            self.computes.set(true);
            return None;
        }
        let own = self.written_at(at..at + text.len());
        self.problems.add(no_filter(text, self.place, own));
        None
    }

    fn refuse(&self, at: Range<usize>, message: String, help: &str) {
        let place = self.written_at(at).unwrap_or_else(|| self.place.clone());
        self.problems.add(Finding::error("bad-template", message, place).help(help));
    }

    fn written_at(&self, at: Range<usize>) -> Option<Place> {
        written_at(self.source, self.place, at)
    }
}

/// Whether it is a name, or a field, but for letters beyond a to z.
fn is_accented(name: &str) -> bool {
    let named = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_ascii() && name.chars().all(named)
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
    let inside = |open, close| before.rfind(open) > before.rfind(close);
    if more.is_some() || !(inside("{{", "}}") || inside("{%", "%}")) {
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
        template.unwrap().fill(&filling).unwrap()
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
    fn what_cannot_be_filled_in_is_refused() {
        let deep = "{% for a in [1, 2, 3, 4, 5, 6, 7, 8, 9] %}{{ a }}".repeat(5)
            + &"{% endfor %}".repeat(5);
        for (source, at, message) in [
            ("{{ a | mony }}", "mony", "there is no filter `mony`"),
            ("{{ a }", "{{", "`{{` is not closed with `}}`"),
            ("{{ a and {{ b }}", "{{", "`{{` is not closed with `}}`"),
            ("{{ }}", " ", "there is no name between the braces"),
            ("{{ account }}", "account", "`account` is not a text"),
            ("{{ user.name }}", "user.name", "`user.name` cannot be filled in"),
            (
                "{% if a %}{{ 'a|b' | upper | mony }}{% endif %}",
                "mony",
                "there is no filter `mony`",
            ),
            ("{{ a | money | mony }}", "mony", "there is no filter `mony`"),
            ("{{ account.a.b }}", "", "`account.a.b` cannot be filled in"),
            ("{{ a is odds }}", "", "the text can never be filled in: test odds is unknown"),
            ("{{ range(9) }}", "", "`range` cannot be used here"),
            ("{% for a in range(9) %}a{% endfor %}", "", "`range` cannot be used here"),
            (&deep, "", "the text can never be filled in: engine ran out of fuel"),
        ] {
            let (_, findings) = read(source);
            let [finding] = findings.as_slice() else { panic!("{source}: {findings:?}") };
            assert_eq!(finding.message, message, "{source}");
            if !at.is_empty() {
                let span = finding.place().unwrap().span.clone();
                assert_eq!(source.get(span.start - 1..span.end - 1), Some(at), "{source}");
            }
        }
    }

    #[test]
    fn what_does_more_than_name_things_is_computed() {
        for (source, text) in [
            ("{% if sum > 2 %}{{ sum }} parcels{% else %}one{% endif %}", "4 parcels"),
            ("{{ sum / 2 }}", "2"),
            ("{{ sum | default(1) | digits }}", "4"),
            ("{# a note #}{{ (sum + 0.5) | money }}", "4 dollars and 50 cents"),
            ("{{- sum -}}", "4"),
        ] {
            assert_eq!(fill(source, Value::Number(4.0)), text, "{source}");
        }
        assert_eq!(fill("{{ sum | upper }}", Value::Text("ada".into())), "ADA");
        let (template, _) = read("{% if a %}{{ account.x }}{% endif %}{{ code }}");
        let template = template.unwrap();
        let written: Vec<_> = template.uses.iter().map(Use::written).collect();
        assert_eq!(written, ["a", "account.x", "code"], "what decides is used too");
        assert!(template.has_code_once());
    }

    /// What a text that names things says is what the template language would make of it.
    #[test]
    fn both_ways_say_the_same() {
        let texts =
            ["", "a lot", "12", "1234.5", "2026-11-22", "not available", "<x>&", "a\u{7}b\nc"];
        let values = texts.map(|text| Value::Text(text.into())).into_iter();
        let numbers = [0.0, -2.0, 4829.0, 88.25, 1e15, 1e21, 0.1].map(Value::Number);
        let values: Vec<_> =
            values.chain(numbers).chain([true, false].map(Value::Flag)).map(Some).collect();
        for value in values.into_iter().chain([None]) {
            for filter in ["", " | digits", " | money", " | date"] {
                let variables = [("sum", value.clone())];
                let named = filled(&format!("{{{{ sum{filter} }}}}"), &variables);
                let computed = filled(&format!("{{{{ (sum){filter} }}}}"), &variables);
                assert_eq!(named, computed, "{value:?}{filter}");
            }
        }
    }
}
