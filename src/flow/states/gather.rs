//! Takes digits, speech, a date or an amount into a variable.
//!
//! `kind = "digits"` takes keys (`digits` of them where the length is known), `"amount"` a number with
//! `*` for the decimal point or said aloud, `"date"` eight keys in the order of `format`, `"speech"`
//! whatever is said. What was taken is plain text to the flow: a secret belongs in a verifier state.
//! An entry that is no such thing, or outside `at_least` and `at_most`, is asked again; when the tries
//! are used up the outcome is `invalid`, or `no_input` if the last was silent.

use super::{
    BARGE_IN, Key, LAST_PROMPT, Outcome, PROMPT, REPROMPT, Shape, StateReader, StateType, TIMEOUT,
    TRIES,
};
use crate::diagnostic::{Finding, Place};
use crate::flow::name::{VariableName, is_name};
use crate::flow::state::{Kind, Listen};
use crate::flow::template::{NAMING, RESERVED};
use crate::limits;

/// A state that takes something into a variable.
#[derive(Debug)]
pub struct Gather {
    /// How it listens.
    pub listen: Listen,
    /// Where the value goes.
    pub variable: VariableName,
    /// Where that is written.
    pub variable_place: Place,
    /// What is taken.
    pub what: What,
    /// Whether it may be said instead of keyed.
    pub speech: bool,
}

/// What a `gather` takes.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Keys, this many of them.
    Digits(Option<u32>),
    /// Whatever is said.
    Speech,
    /// A date, keyed in this order.
    Date(DateFormat),
    /// A number within bounds.
    Amount {
        /// Not below.
        at_least: Option<f64>,
        /// Not above.
        at_most: Option<f64>,
    },
}

/// The order in which a date is keyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateFormat {
    /// Month, day, year.
    Mmddyyyy,
    /// Day, month, year.
    Ddmmyyyy,
    /// Year, month, day.
    Yyyymmdd,
}

const KINDS: [&str; 4] = ["digits", "speech", "date", "amount"];
const FORMATS: [(&str, DateFormat); 3] = [
    ("mmddyyyy", DateFormat::Mmddyyyy),
    ("ddmmyyyy", DateFormat::Ddmmyyyy),
    ("yyyymmdd", DateFormat::Yyyymmdd),
];

/// `gather`
pub const TYPE: StateType = StateType {
    name: "gather",
    source: include_str!("gather.rs"),
    outcomes: &[Outcome::Ok, Outcome::NoInput, Outcome::Invalid],
    keys: &[
        PROMPT,
        REPROMPT,
        LAST_PROMPT,
        TRIES,
        TIMEOUT,
        BARGE_IN,
        Key::required("var", Shape::Text, "The variable that takes the value."),
        Key::new("kind", Shape::Choice(&KINDS), "What is taken: \"digits\"."),
        Key::new("digits", Shape::Integer(1, limits::DIGITS_MAX as u64), "How many keys."),
        Key::new("at_least", Shape::Integer(0, u64::MAX), "The least amount."),
        Key::new("at_most", Shape::Integer(0, u64::MAX), "The greatest amount."),
        Key::new(
            "format",
            Shape::Choice(&["mmddyyyy", "ddmmyyyy", "yyyymmdd"]),
            "The order in which a date is keyed: \"mmddyyyy\".",
        ),
        Key::new("speech", Shape::Boolean, "Whether digits or an amount may be said: false."),
    ],
    read: |state| Some(Kind::Gather(read(state)?)),
};

fn read(state: &StateReader<'_, '_>) -> Option<Gather> {
    let kind = state.item("kind");
    let kind = kind.map_or(Some("digits"), |kind| kind.choice(&KINDS.map(|name| (name, name))));
    let digits = state.optional_integer("digits", 1, limits::DIGITS_MAX as u64);
    let bound = |key: &str| {
        let item = state.item(key)?;
        let bound = item.number()?;
        if bound < 0.0 {
            item.refuse(
                "out-of-range",
                format!("`{key}` must be a number from 0: keys are no less"),
            );
        }
        Some(bound)
    };
    let (at_least, at_most) = (bound("at_least"), bound("at_most"));
    let format = state.item("format").and_then(|format| format.choice(&FORMATS));
    let speech = state.item("speech").and_then(|speech| speech.boolean()).unwrap_or(false);
    let only = |key: &str, of: &str| {
        if state.table.has(key) && kind != Some(of) {
            let message = format!("`{key}` has a meaning for `kind = \"{of}\"` alone");
            let place =
                state.item(key).map_or_else(|| state.table.place(), |item| item.key_place());
            let help = format!("write `kind = \"{of}\"`, or leave `{key}` out");
            state.table.report(Finding::error("bad-gather", message, place).help(help));
        }
    };
    only("digits", "digits");
    only("format", "date");
    only("at_least", "amount");
    only("at_most", "amount");
    if speech && kind == Some("date") {
        let place =
            state.item("speech").map_or_else(|| state.table.place(), |item| item.key_place());
        let finding = Finding::error("bad-gather", "a date cannot be said", place);
        state.table.report(finding.help("leave `speech` out: dates are keyed in"));
    }
    if let (Some(least), Some(most)) = (at_least, at_most)
        && least > most
    {
        let message = format!("no amount is at least {least} and at most {most}");
        let place = state.item("at_most").map_or_else(|| state.table.place(), |item| item.place());
        let help = "every entry would be asked for again: write the greater one at `at_most`";
        state.table.report(Finding::error("bad-gather", message, place).help(help));
    }
    let what = match kind? {
        "speech" => What::Speech,
        "date" => What::Date(format.unwrap_or(DateFormat::Mmddyyyy)),
        "amount" => What::Amount { at_least, at_most },
        _ => What::Digits(digits),
    };
    let variable = state.required("var")?;
    let name = variable.name()?;
    if !is_name(name) || RESERVED.contains(&name) {
        let message = format!("`{name}` cannot be the name of a variable");
        variable.report(Finding::error("bad-name", message, variable.place()).help(NAMING));
    }
    let speech = speech || what == What::Speech;
    let (variable, variable_place) = (name.into(), variable.place());
    Some(Gather { listen: state.listen()?, variable, variable_place, what, speech })
}
