//! A text that does more than name things: minijinja's, with strict undefined and a bounded budget.
//!
//! What it uses is known before it runs, as of any text: whatever it decides by or repeats is held against its
//! level as if it were said.

mod names;

use std::collections::BTreeMap;
use std::fmt;

use minijinja::value::{Value as Filled, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior};

use super::{ACCOUNT, CODE, FILLING, Filling, Filter, How, Piece, Template, Use, word_in};
use crate::diagnostic::fix::Spelling;
use crate::diagnostic::{Finding, Place, Problems, did_you_mean};
use crate::flow::locale::Locale;
use crate::flow::name::is_name;
use crate::flow::value::Value;
use crate::flow::wording;
use crate::limits;

pub(super) const LOCALE: &str = "callgate_locale";
pub(super) const CURRENCY: &str = "callgate_currency";
/// The one template of an environment.
const TEXT: &str = "text";

/// What the template language has beyond ours.
const FUNCTIONS: [&str; 6] = ["range", "dict", "namespace", "debug", "self", "super"];

/// One text, compiled.
pub(super) struct Computed(Environment<'static>);

impl fmt::Debug for Computed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Computed").finish_non_exhaustive()
    }
}

impl Computed {
    /// Compiles a text, and finds what it uses; reports what is wrong with it.
    pub(super) fn read(
        source: &str,
        place: &Place,
        problems: &Problems,
    ) -> Option<(Self, Vec<Use>)> {
        let mut environment = environment();
        let added = environment.add_template_owned(TEXT, source.to_owned());
        let refuse = |message: String| {
            problems.add(Finding::error("bad-template", message, place.clone()).help(FILLING));
            None
        };
        if let Err(error) = added {
            let detail = match error.detail() {
                _ if source.contains("{{{") => "three braces stand where two should",
                detail => detail.unwrap_or("it cannot be read"),
            };
            return refuse(format!("the text cannot be filled in: {detail}"));
        }
        if let Some(unknown) = filters(source).find(|name| !has_filter(&environment, name)) {
            let own = word_in(source, place, unknown);
            problems.add(no_filter(unknown, place, own));
            return None;
        }
        let compiled = environment.get_template(TEXT).ok()?;
        let names = names::names(&compiled);
        let uses: Vec<_> = names.iter().map(|name| read_use(name, place, problems)).collect();
        let uses: Vec<_> = uses.into_iter().collect::<Option<_>>()?;
        let computed = Self(environment);
        match computed.always_fails(&uses) {
            Some(detail) => refuse(format!("the text can never be filled in: {detail}")),
            None => Some((computed, uses)),
        }
    }

    /// Fills the text in. Fails only where a designer's own arithmetic does, or the budget runs out.
    pub(super) fn fill(&self, uses: &[Use], filling: &Filling<'_>) -> Result<String, Error> {
        let (mut account, mut context) = (Vec::new(), Vec::new());
        for used in uses {
            let value = filling.given(used).map_or_else(absent, |value| filled(&value));
            match used {
                Use::Field(name) => account.push((name.as_str(), value)),
                Use::Variable(name) => context.push((name.as_str(), value)),
                Use::Code => context.push((CODE, value)),
            }
        }
        context.push((ACCOUNT, Filled::from_pairs(account)));
        context.push((LOCALE, filling.locale.as_str().into()));
        context.push((CURRENCY, filling.currency.into()));
        self.0.get_template(TEXT)?.render(Filled::from_pairs(context))
    }

    /// Why the text cannot be filled in, whatever it is filled with: a mistake in it that shows only
    /// when it is used.
    fn always_fails(&self, uses: &[Use]) -> Option<String> {
        let samples = [Value::Text("1".into()), Value::Number(1.0), Value::Flag(true)];
        let fill = |kinds: Vec<usize>| {
            let locale = &wording::english();
            let code = Some("1");
            let mut filling = Filling { code, ..Filling::with_nothing(locale, "USD") };
            for (used, kind) in uses.iter().zip(kinds) {
                let Some(sample) = samples.get(kind) else { continue };
                match used {
                    Use::Field(name) => {
                        filling.fields.insert(name.as_str(), sample);
                    }
                    Use::Variable(name) => {
                        filling.variables.insert(name.as_str(), Some(sample));
                    }
                    Use::Code => {}
                }
            }
            self.fill(uses, &filling)
        };
        let mut first = None;
        for kinds in mixtures(uses.len(), samples.len()) {
            let error = fill(kinds).err()?;
            first.get_or_insert_with(|| why(&error));
        }
        first
    }
}

/// As many names are each given every kind, whatever kinds the others have.
const NAMES_APART: usize = 6;

/// The kinds that each of so many names may be of: first all of the same, then in every mixture; of more than six names
/// the seventh is as the first, and so on.
pub fn mixtures(names: usize, kinds: usize) -> impl Iterator<Item = Vec<usize>> {
    let alike = (0..kinds).map(move |kind| vec![kind; names]);
    let apart = if names > 1 { names.min(NAMES_APART) } else { 0 };
    let ways = (0..apart).fold(1, |ways, _| ways * kinds);
    let mixed = (1..ways).map(move |way| {
        let mut left = way;
        let kind = |name: usize| {
            if name.is_multiple_of(NAMES_APART) {
                left = way;
            }
            let kind = left % kinds;
            left /= kinds;
            kind
        };
        (0..names).map(kind).collect()
    });
    alike.chain(mixed)
}

impl<'a> Filling<'a> {
    fn with_nothing(locale: &'a Locale, currency: &'a str) -> Self {
        let (fields, variables) = (BTreeMap::new(), BTreeMap::new());
        Self { fields, variables, code: None, locale, currency }
    }
}

impl Template {
    /// Whether it does more than name things: only then can it fail.
    pub fn calculates(&self) -> bool {
        matches!(self.how, How::Computed(_))
    }

    /// Characters that are said whatever is filled in, as far as that is certain.
    pub fn certain_chars(&self) -> usize {
        let How::Piecewise(pieces) = &self.how else { return 0 };
        let plain = pieces.iter().filter_map(|piece| match piece {
            Piece::Plain(range) => self.source.get(range.clone()),
            Piece::Filled(..) => None,
        });
        plain.map(|text| text.chars().count()).sum()
    }

    /// Why it cannot be filled in with this, if it cannot.
    pub fn why_not(&self, filling: &Filling<'_>) -> Option<String> {
        let How::Computed(computed) = &self.how else { return None };
        computed.fill(&self.uses, filling).err().as_ref().map(why)
    }
}

fn why(error: &Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

/// Whether the template language has a filter of this name that is none of ours.
pub(super) fn has_another(name: &str) -> bool {
    has_filter(&environment(), name)
}

/// That there is no such filter; `own` is where it stands, if that is certain.
pub(super) fn no_filter(name: &str, place: &Place, own: Option<Place>) -> Finding {
    let names = Filter::ALL.map(|(name, _)| name);
    let help = did_you_mean(name, names)
        .unwrap_or_else(|| format!("the filters are: {}", names.join(", ")));
    let message = format!("there is no filter `{name}`");
    let is_certain = own.is_some();
    let finding = Finding::error("bad-template", message, own.unwrap_or_else(|| place.clone()));
    let finding = finding.help(help);
    if is_certain { finding.respelt(name, names, Spelling::Key) } else { finding }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(limits::PROMPT_FUEL));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    // A value is said as any of ours is: a number without decimals has no point.
    environment.set_formatter(|out, state, value| match value_of(value) {
        Some(value) => Ok(write!(out, "{}", value.words())?),
        None if is_absent(value) => Ok(out.write_str(wording::not_available(&spoken(state)))?),
        None => minijinja::escape_formatter(out, state, value),
    });
    // What is said is escaped in one place, where the answer is written.
    for name in ["e", "escape", "safe"] {
        environment.add_filter(name, |value: &Filled| value.clone());
    }
    for (name, filter) in Filter::ALL {
        environment.add_filter(name, move |state: &State<'_, '_>, value: &Filled| {
            said(state, value, filter)
        });
    }
    environment
}

fn has_filter(environment: &Environment<'_>, name: &str) -> bool {
    let tried = environment.compile_expression_owned(format!("0|{name}"));
    let tried = tried.and_then(|filter| filter.eval(()));
    !tried.is_err_and(|error| error.kind() == ErrorKind::UnknownFilter)
}

/// The filters that a text names, as they are written: what stands after `|` inside its braces.
fn filters(source: &str) -> impl Iterator<Item = &str> {
    let inside = source.match_indices(['{', '%']).filter_map(|(at, _)| {
        let tag = source.get(at..)?;
        let close = if tag.starts_with("{{") {
            "}}"
        } else if tag.starts_with("{%") {
            "%}"
        } else {
            return None;
        };
        tag.get(2..tag.find(close)?)
    });
    inside.flat_map(|tag| {
        // A bar within quotes is text.
        let bare = tag.split(['"', '\'']).step_by(2);
        bare.flat_map(|part| part.split('|').skip(1)).filter_map(|part| {
            let part = part.trim_start();
            let end = part.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(part.len());
            part.get(..end).filter(|name| !name.is_empty())
        })
    })
}

fn read_use(name: &str, place: &Place, problems: &Problems) -> Option<Use> {
    let refuse = |message: String, help: &str| {
        problems.add(Finding::error("bad-template", message, place.clone()).help(help));
        None
    };
    match name.split_once('.') {
        None if FUNCTIONS.contains(&name) => refuse(
            format!("`{name}` cannot be used here"),
            "a text fills in values; it has no functions",
        ),
        None if name == CODE => Some(Use::Code),
        None if name == ACCOUNT => refuse(
            "`account` is not a text".into(),
            "name one of its fields: {{ account.first_name }}",
        ),
        None => Some(Use::Variable(name.into())),
        Some((ACCOUNT, field)) if is_name(field) => Some(Use::Field(field.into())),
        Some(_) => refuse(
            format!("`{name}` cannot be filled in"),
            "only `account` has fields; a variable is named alone",
        ),
    }
}

fn filled(value: &Value) -> Filled {
    match value {
        Value::Flag(flag) => Filled::from(*flag),
        Value::Number(number) => Filled::from(*number),
        Value::Text(text) => Filled::from(text.as_str()),
    }
}

/// What is not there, or not to be heard: to a text that asks about it that is nothing, and a text that says it
/// says so. (Nothing else in a text is empty and marked as safe.)
fn absent() -> Filled {
    Filled::from_safe_string(String::new())
}

fn is_absent(value: &Filled) -> bool {
    value.is_safe() && value.as_str() == Some("")
}

/// The language that is spoken.
fn spoken(state: &State<'_, '_>) -> Locale {
    let locale = state.lookup(LOCALE).and_then(|locale| locale.as_str().and_then(Locale::parse));
    locale.unwrap_or_else(wording::english)
}

/// A flag or a number as ours.
fn value_of(value: &Filled) -> Option<Value> {
    match value.kind() {
        ValueKind::Bool => Some(Value::Flag(value.is_true())),
        ValueKind::Number => f64::try_from(value.clone()).ok().map(Value::Number),
        _ => None,
    }
}

fn said(state: &State<'_, '_>, value: &Filled, filter: Filter) -> Result<String, Error> {
    let locale = spoken(state);
    if is_absent(value) {
        return Ok(wording::not_available(&locale).to_owned());
    }
    let currency = state.lookup(CURRENCY).and_then(|value| value.as_str().map(str::to_owned));
    let currency = currency.unwrap_or_else(|| "USD".into());
    let value = value_of(value).unwrap_or_else(|| Value::Text(value.to_string()));
    if value.words().chars().count() > limits::VARIABLE_CHARS_MAX {
        return Err(Error::new(ErrorKind::InvalidOperation, "too long for a filter"));
    }
    Ok(filter.said(&value, &locale, &currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a text that calculates a filter says what it says in any other.
    #[test]
    fn a_filter_is_of_the_callers_language_and_the_flows_currency() {
        let said = |source: &str, language: &str| {
            let (place, problems) = (Place { file: "t".into(), span: 0..1 }, Problems::default());
            let template = Template::read(source, &place, &problems).unwrap();
            assert_eq!(problems.into_findings(), []);
            let (locale, sum) = (Locale::parse(language).unwrap(), Value::Number(1234.5));
            let mut filling = Filling::with_nothing(&locale, "EUR");
            filling.variables.insert("sum", Some(&sum));
            (template.calculates(), template.fill(&filling).unwrap())
        };
        for language in ["en-US", "es-MX", "de-DE", "it-IT"] {
            let (calculates, plain) = said("{{ sum | money }}", language);
            assert!(!calculates);
            let computed = said("{% if sum > 1 %}{{ sum | money }}{% endif %}", language);
            assert_eq!(computed, (true, plain), "{language}");
        }
    }

    /// A text that asks about what is not there finds nothing, and one that says it says so.
    #[test]
    fn what_is_not_there_is_nothing_to_whoever_asks() {
        for (source, expected) in [
            ("{% if account.owed %}You owe {{ account.owed }}.{% else %}Fine.{% endif %}", "Fine."),
            ("{% if sum and sum > 5 %}much{% else %}little{% endif %}", "little"),
            ("{% if 1 %}{{ account.owed }}{% endif %}", "not available"),
            ("{% if 1 %}{{ account.owed | money }}{% endif %}", "not available"),
            ("{% if 1 %}{{ sum | date }}, {{ sum[:4] }}{% endif %}", "not available, "),
            ("{{ account.owed or 'nothing' }}", "nothing"),
            (
                "{{ account.owed | e }}, {{ '' | e }}{{ '' | safe }}{{ '&' | escape }}",
                "not available, &",
            ),
        ] {
            let (place, problems) = (Place { file: "t".into(), span: 0..1 }, Problems::default());
            let template = Template::read(source, &place, &problems).unwrap();
            assert_eq!(problems.into_findings(), []);
            let locale = wording::english();
            let mut filling = Filling::with_nothing(&locale, "USD");
            filling.variables.insert("sum", None);
            assert_eq!(template.fill(&filling).as_deref(), Some(expected), "{source}");
        }
    }

    #[test]
    fn every_mixture_of_kinds_is_tried_and_first_all_alike() {
        let of = |names, kinds| mixtures(names, kinds).collect::<Vec<_>>();
        assert_eq!(of(0, 3), [[], [], []] as [[usize; 0]; 3]);
        assert_eq!(of(1, 3), [[0], [1], [2]]);
        let two = of(2, 2);
        assert_eq!(two.first_chunk(), Some(&[vec![0, 0], vec![1, 1]]));
        assert!(two.contains(&vec![0, 1]) && two.contains(&vec![1, 0]));
        let six: std::collections::BTreeSet<_> = mixtures(6, 3).collect();
        assert_eq!(six.len(), 729);
        let eight = of(8, 3);
        assert!(eight.iter().all(|kinds| kinds.len() == 8 && kinds[..2] == kinds[6..]));
    }

    /// Also where no try of the reader's gets there.
    #[test]
    fn what_is_looked_up_is_filled_in() {
        let place = Place { file: "t".into(), span: 0..1 };
        let (a, b) = (Value::Text("7".into()), Value::Text("0730".into()));
        for (inner, expected) in [
            ("{{ b[:2] }}", "07"),
            ("{% set b = b | int(0) + 1 %}{{ b }}", "731"),
            ("{% filter replace('x', b) %}<x>{% endfilter %}", "<0730>"),
        ] {
            let source = format!("{{% if a is startingwith '7' %}}{inner}{{% endif %}}");
            let (computed, uses) = Computed::read(&source, &place, &Problems::default()).unwrap();
            let locale = wording::english();
            let mut filling = Filling::with_nothing(&locale, "USD");
            filling.variables.extend([("a", Some(&a)), ("b", Some(&b))]);
            assert_eq!(computed.fill(&uses, &filling).unwrap(), expected, "{source}");
        }
    }
}
