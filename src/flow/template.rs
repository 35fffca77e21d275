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
use crate::diagnostic::{Finding, Place, Problems};
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

/// Names that no variable may take.
pub const RESERVED: [&str; 4] = [CODE, ACCOUNT, LOCALE, CURRENCY];

/// The filters, for messages and the schema.
pub const FILTERS: [&str; 3] = ["money", "date", "digits"];

impl Default for Templates {
    fn default() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(limits::PROMPT_FUEL));
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
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
            problems.add(Finding::error("prompt-too-long", message, place.clone()));
            return None;
        }
        let key: Arc<str> = format!("t{}", self.count).into();
        self.count += 1;
        let added = self.environment.add_template_owned(key.to_string(), source.to_owned());
        if let Err(error) = added {
            let detail = error.detail().unwrap_or("it cannot be read").to_owned();
            let message = format!("this text is not a template: {detail}");
            problems.add(
                Finding::error("bad-template", message, place.clone())
                    .help("fill in with {{ name }} or {{ account.field }}, optionally with a filter: {{ amount | money }}"),
            );
            return None;
        }
        let compiled = self.environment.get_template(&key).ok()?;
        let mut names: Vec<_> = compiled.undeclared_variables(true).into_iter().collect();
        names.sort();
        let uses = names.iter().filter_map(|name| read_use(name, place, problems)).collect();
        Some(Template { key, source: source.into(), uses, place: place.clone() })
    }

    /// Fills a text in. Fails only where a designer's own arithmetic does, or the budget runs out.
    pub fn fill(&self, template: &Template, filling: &Filling<'_>) -> Option<String> {
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
        let compiled = self.environment.get_template(&template.key).ok()?;
        let text = compiled.render(Filled::from_pairs(context)).ok()?;
        Some(text.chars().take(limits::SPOKEN_CHARS_MAX).collect())
    }
}

fn read_use(name: &str, place: &Place, problems: &Problems) -> Option<Use> {
    let refuse = |message: String, help: &str| {
        problems.add(Finding::error("bad-template", message, place.clone()).help(help));
        None
    };
    match name.split_once('.') {
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

fn number_of(value: &Filled) -> Option<f64> {
    value
        .as_str()
        .map_or_else(|| f64::try_from(value.clone()).ok(), |text| text.trim().parse().ok())
        .filter(|number: &f64| number.is_finite())
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
    let text = value.to_string();
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
    fn what_is_not_there_is_said_so() {
        assert_eq!(fill("Hello {{ account.name }}", &[]).unwrap(), "Hello not available");
        assert_eq!(fill("Hello {{ name }}", &[]).unwrap(), "Hello ");
    }

    #[test]
    fn a_text_cannot_run_for_ever() {
        assert_eq!(
            fill(
                "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
                &[]
            ),
            None
        );
    }

    #[test]
    fn markup_is_left_to_the_writer() {
        assert_eq!(
            fill("{{ name }}", &[("name", Value::Text("<Hangup/>".into()))]).unwrap(),
            "<Hangup/>"
        );
    }
}
