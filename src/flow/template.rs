//! Texts with places to fill in: `{{ account.balance | money }}`, `{{ code }}`, `{{ amount }}`.
//!
//! Templates are minijinja's, with strict undefined and a bounded budget. What they may use is known
//! before they run, so that the checker can hold each use against its level. They yield plain text;
//! escaping is done where a document is written, once.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::Value as Filled;
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior};

use super::locale::Locale;
use super::name::{FieldName, VariableName, is_name};
use super::value::Value;
use super::wording;
use crate::diagnostic::fix::Spelling;
use crate::diagnostic::{Finding, Place, Problems, did_you_mean};
use crate::limits;

/// The compiled texts of one flow.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    count: usize,
}

/// One text, compiled.
#[derive(Clone, Debug)]
pub struct Template {
    key: Arc<str>,
    /// What it always says, if it fills nothing in.
    plain: Option<Arc<str>>,
    /// The text as written.
    pub source: Arc<str>,
    /// What it fills in.
    pub uses: Vec<Use>,
    /// Where it stands.
    pub place: Place,
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

/// What a text is filled with.
#[derive(Debug)]
pub struct Filling<'a> {
    /// The account's fields, those the caller may hear.
    pub fields: BTreeMap<&'a str, &'a Value>,
    /// The variables that have been set.
    pub variables: BTreeMap<&'a str, &'a Value>,
    /// The code, where there is one.
    pub code: Option<&'a str>,
    /// The language being spoken.
    pub locale: &'a Locale,
    /// ISO 4217.
    pub currency: &'a str,
}

const CODE: &str = "code";
const ACCOUNT: &str = "account";
const LOCALE: &str = "callgate_locale";
const CURRENCY: &str = "callgate_currency";

/// Why a variable may not be called so, for messages.
pub(super) const NAMING: &str = "a name is a letter, then letters, digits, `_` and `-`; `account` and `code` mean something else";

/// Names that no variable may take.
pub const RESERVED: [&str; 4] = [CODE, ACCOUNT, LOCALE, CURRENCY];

const FILLING: &str = "write {{ name }} for a variable, {{ account.field }} for a field of the \
                       account, {{ amount | money }} with a filter";

/// What the template language has beyond ours.
const FUNCTIONS: [&str; 6] = ["range", "dict", "namespace", "debug", "self", "super"];

/// The filters, for messages and the schema.
pub const FILTERS: [&str; 3] = ["money", "date", "digits"];

impl Default for Templates {
    fn default() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(limits::PROMPT_FUEL));
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_formatter(|out, state, value| match whole(value) {
            Some(number) => Ok(write!(out, "{number}")?),
            None => minijinja::escape_formatter(out, state, value),
        });
        environment.add_filter("money", money);
        environment.add_filter("date", date);
        environment.add_filter("digits", digits);
        Self { environment, count: 0 }
    }
}

impl Templates {
    /// Compiles a text, reporting what is wrong with it.
    pub fn add(&mut self, source: &str, place: &Place, problems: &Problems) -> Option<Template> {
        if source.chars().count() > limits::PROMPT_CHARS_MAX {
            let message =
                format!("the text is longer than {} characters", limits::PROMPT_CHARS_MAX);
            let finding = Finding::error("text-too-long", message, place.clone());
            problems.add(finding.help("split it over several states"));
            return None;
        }
        let key: Arc<str> = format!("t{}", self.count).into();
        self.count += 1;
        let added = self.environment.add_template_owned(key.to_string(), source.to_owned());
        let refuse = |message: String, help: &str| {
            problems.add(Finding::error("bad-template", message, place.clone()).help(help));
            None
        };
        if let Err(error) = added {
            let detail = error.detail().unwrap_or("it cannot be read");
            return refuse(format!("the text cannot be filled in: {detail}"), FILLING);
        }
        if let Some(unknown) = filters(source).find(|name| !self.has_filter(name)) {
            let help = did_you_mean(unknown, FILTERS)
                .unwrap_or_else(|| format!("the filters are: {}", FILTERS.join(", ")));
            let message = format!("there is no filter `{unknown}`");
            let own = word_in(source, place, unknown);
            let at = own.clone().unwrap_or_else(|| place.clone());
            let finding = Finding::error("bad-template", message, at).help(help);
            problems.add(match own {
                Some(_) => finding.respelt(unknown, FILTERS, Spelling::Key),
                None => finding,
            });
            return None;
        }
        let compiled = self.environment.get_template(&key).ok()?;
        let mut names: Vec<_> = compiled.undeclared_variables(true).into_iter().collect();
        names.sort();
        let uses: Vec<_> = names.iter().map(|name| read_use(name, place, problems)).collect();
        let sound = uses.iter().all(Option::is_some);
        let uses = uses.into_iter().flatten().collect();
        let plain = || compiled.render(()).ok().map(Arc::from);
        let plain = (!source.contains('{')).then(plain).flatten();
        let template = Template { key, plain, source: source.into(), uses, place: place.clone() };
        if let (true, Some(detail)) = (sound, self.always_fails(&template)) {
            return refuse(format!("the text can never be filled in: {detail}"), FILLING);
        }
        Some(template)
    }

    fn has_filter(&self, name: &str) -> bool {
        let tried = self.environment.compile_expression_owned(format!("0|{name}"));
        let tried = tried.and_then(|filter| filter.eval(()));
        !tried.is_err_and(|error| error.kind() == ErrorKind::UnknownFilter)
    }

    /// Why a text cannot be filled in, whatever it is filled with: a mistake in it that shows only
    /// when it is used.
    fn always_fails(&self, template: &Template) -> Option<String> {
        let samples = [Value::Text("1".into()), Value::Number(1.0), Value::Flag(true)];
        let fill = |sample: &Value| {
            let (mut fields, mut variables) = (BTreeMap::new(), BTreeMap::new());
            for used in &template.uses {
                match used {
                    Use::Field(name) => drop(fields.insert(name.as_str(), sample)),
                    Use::Variable(name) => drop(variables.insert(name.as_str(), sample)),
                    Use::Code => {}
                }
            }
            let locale = &wording::english();
            let currency = "USD";
            self.render(template, &Filling { fields, variables, code: Some("1"), locale, currency })
        };
        let failures = samples.iter().map(|sample| fill(sample).err()).collect::<Option<Vec<_>>>();
        let first = failures?.into_iter().next()?;
        Some(first.detail().map_or_else(|| first.kind().to_string(), str::to_owned))
    }

    /// Fills a text in. Fails only where a designer's own arithmetic does, or the budget runs out.
    pub fn fill(&self, template: &Template, filling: &Filling<'_>) -> Option<String> {
        let mut text = match &template.plain {
            Some(plain) => plain.to_string(),
            None => self.render(template, filling).ok()?,
        };
        if let Some((end, _)) = text.char_indices().nth(limits::SPOKEN_CHARS_MAX) {
            text.truncate(end);
        }
        Some(text)
    }

    fn render(&self, template: &Template, filling: &Filling<'_>) -> Result<String, Error> {
        let absent = wording::not_available(filling.locale);
        let mut context: BTreeMap<&str, Filled> = BTreeMap::new();
        let mut account: BTreeMap<&str, Filled> = BTreeMap::new();
        for used in &template.uses {
            match used {
                Use::Field(name) => {
                    let field = filling.fields.get(name.as_str());
                    account
                        .insert(name.as_str(), field.map_or_else(|| absent.into(), |v| filled(v)));
                }
                Use::Variable(name) => {
                    let variable = filling.variables.get(name.as_str());
                    let value = variable.map_or_else(|| Filled::from(""), |value| filled(value));
                    context.insert(name.as_str(), value);
                }
                Use::Code => {
                    context.insert(CODE, filling.code.unwrap_or_default().into());
                }
            }
        }
        context.insert(ACCOUNT, Filled::from_pairs(account));
        context.insert(LOCALE, filling.locale.as_str().into());
        context.insert(CURRENCY, filling.currency.into());
        self.environment.get_template(&template.key)?.render(Filled::from_pairs(context))
    }
}

impl Template {
    /// Where a name stands that the text fills in; `None`: that is not certain.
    pub fn place_of(&self, name: &str) -> Option<Place> {
        word_in(&self.source, &self.place, name)
    }
}

/// Where a word stands within a text, if it stands there once, within braces, and the text is written
/// in the file as it reads.
fn word_in(source: &str, place: &Place, word: &str) -> Option<Place> {
    // Quotes alone are around it: nothing in it is escaped.
    if word.is_empty() || place.span.len() != source.len() + 2 {
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
    let start = place.span.start + 1 + at;
    Some(Place { span: start..start + word.len(), ..place.clone() })
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
    match &*value.shown() {
        Value::Flag(flag) => Filled::from(*flag),
        Value::Number(number) => Filled::from(*number),
        Value::Text(text) => Filled::from(text.as_str()),
    }
}

fn number_of(value: &Filled) -> Option<f64> {
    value
        .as_str()
        .map_or_else(|| f64::try_from(value.clone()).ok(), |text| text.trim().parse().ok())
        .filter(|number: &f64| number.is_finite())
}

/// A number without decimals: it is said, sent and written without a point too.
fn whole(value: &Filled) -> Option<f64> {
    let number = value.is_number().then(|| f64::try_from(value.clone()).ok()).flatten();
    number.filter(|number| number.fract() == 0.0 && number.abs() < limits::WHOLE_MAX)
}

fn locale_of(state: &State<'_, '_>) -> Locale {
    let tag = state.lookup(LOCALE);
    let tag = tag.as_ref().and_then(|tag| tag.as_str()).and_then(Locale::parse);
    tag.unwrap_or_else(wording::english)
}

/// An amount as it is said: "1,234 dollars and 56 cents". What is no number is left as it is.
fn money(state: &State<'_, '_>, value: &Filled) -> String {
    let currency = state.lookup(CURRENCY);
    let currency = currency.as_ref().and_then(|code| code.as_str()).unwrap_or("USD");
    number_of(value).map_or_else(
        || value.to_string(),
        |amount| wording::money(amount, currency, &locale_of(state)),
    )
}

/// A date as it is said: "November 22, 2026". What is no date is left as it is.
fn date(state: &State<'_, '_>, value: &Filled) -> String {
    let text = value.to_string();
    let date: Option<jiff::civil::Date> = text.parse().ok();
    date.map_or(text, |date| wording::date(date, &locale_of(state)))
}

/// Digit by digit: "4 8 2 9".
fn digits(value: &Filled) -> Result<String, Error> {
    let text = whole(value).map_or_else(|| value.to_string(), |number| number.to_string());
    if text.chars().count() > limits::VARIABLE_CHARS_MAX {
        return Err(Error::new(ErrorKind::InvalidOperation, "too long to spell"));
    }
    Ok(text.chars().map(String::from).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(source: &str, variables: &[(&str, Value)]) -> Option<String> {
        let problems = Problems::default();
        let mut templates = Templates::default();
        let place = Place { file: "t".into(), span: 0..0 };
        let template = templates.add(source, &place, &problems).expect("compiles");
        let locale = wording::english();
        let filling = Filling {
            fields: BTreeMap::new(),
            variables: variables.iter().map(|(name, value)| (*name, value)).collect(),
            code: Some("012345"),
            locale: &locale,
            currency: "USD",
        };
        templates.fill(&template, &filling)
    }

    #[test]
    fn texts_are_filled() {
        assert_eq!(
            fill("You owe {{ sum | money }}.", &[("sum", Value::Number(1234.5))]).unwrap(),
            "You owe 1,234 dollars and 50 cents."
        );
        assert_eq!(fill("{{ code | digits }}", &[]).unwrap(), "0 1 2 3 4 5");
        assert_eq!(
            fill("{{ sum | money }}", &[("sum", Value::Text("a lot".into()))]).unwrap(),
            "a lot"
        );
    }

    #[test]
    fn a_number_without_decimals_has_no_point() {
        for (source, number, text) in [
            ("{{ n }} parcels", 3.0, "3 parcels"),
            ("{{ n | digits }}", 4829.0, "4 8 2 9"),
            ("{{ n }}", -2.0, "-2"),
            ("{{ n }}", 0.0, "0"),
            ("{{ n }}", 88.25, "88.25"),
            ("{{ n / 2 }}", 4.0, "2"),
        ] {
            assert_eq!(fill(source, &[("n", Value::Number(number))]).unwrap(), text, "{source}");
        }
    }

    #[test]
    fn what_fills_nothing_in_is_said_as_it_stands() {
        assert_eq!(fill("Good } day.\n", &[]).unwrap(), "Good } day.");
        let long = "é".repeat(limits::SPOKEN_CHARS_MAX);
        let name = [("name", Value::Text(format!("{long}!")))];
        assert_eq!(fill("{{ name }}", &name).unwrap(), long);
    }

    #[test]
    fn what_is_not_there_is_said_so() {
        assert_eq!(fill("Hello {{ account.name }}", &[]).unwrap(), "Hello not available");
        assert_eq!(fill("Hello {{ name }}", &[]).unwrap(), "Hello ");
    }

    fn refused(source: &str) -> Option<String> {
        let problems = Problems::default();
        let place = Place { file: "t".into(), span: 0..0 };
        Templates::default().add(source, &place, &problems);
        problems.into_findings().first().map(|finding| finding.message.clone())
    }

    #[test]
    fn what_can_never_be_filled_in_is_refused() {
        let deep = "{% for a in [1, 2, 3, 4, 5, 6, 7, 8, 9] %}{{ a }}".repeat(5)
            + &"{% endfor %}".repeat(5);
        for (source, message) in [
            ("{{ a | mony }}", "there is no filter `mony`"),
            ("{% if a %}{{ 'a|b' | upper | mony }}{% endif %}", "there is no filter `mony`"),
            (
                "{{ a }",
                "the text cannot be filled in: unexpected `}`, expected end of variable block",
            ),
            ("{{ a is odds }}", "the text can never be filled in: test odds is unknown"),
            ("{% for a in range(9) %}a{% endfor %}", "`range` cannot be used here"),
            (&deep, "the text can never be filled in: engine ran out of fuel"),
        ] {
            assert_eq!(refused(source).as_deref(), Some(message), "{source}");
        }
    }

    #[test]
    fn markup_is_left_to_the_writer() {
        assert_eq!(
            fill("{{ name }}", &[("name", Value::Text("<Hangup/>".into()))]).unwrap(),
            "<Hangup/>"
        );
    }
}
