//! Takes the claim of an account, by caller ID, keys or speech. It proves nothing.
//!
//! It first drops the account, every fact, pending codes and all variables derived from account data.
//! Callers whose claim fits no account go on all the same, with a decoy: every secret is wrong after the
//! same number of prompts, and codes are "sent" but nothing goes out. Lead `found` and `unknown` to the
//! same state, so that nobody learns which accounts exist. A number that has claimed too many accounts is treated
//! like one that belongs to nobody.

use super::{
    BARGE_IN, Key, LAST_PROMPT, Outcome, REPROMPT, Shape, StateReader, StateType, TIMEOUT, TRIES,
};
use crate::diagnostic::Finding;
use crate::flow::prompt::Prompt;
use crate::flow::state::{Kind, Listen};
use crate::flow::template::Use;
use crate::limits;

/// A state that takes the claim of an account.
#[derive(Debug)]
pub struct Identify {
    /// Whether a number that rings is looked up first.
    pub caller_id: bool,
    /// Whether the account number may be keyed.
    pub keys: bool,
    /// Whether it may be said.
    pub speech: bool,
    /// How it listens; `None` where caller ID is all.
    pub listen: Option<Listen>,
    /// How many digits an account number has.
    pub digits: Option<u32>,
}

const WAYS: [&str; 3] = ["caller_id", "digits", "speech"];

/// `identify`
pub const TYPE: StateType = StateType {
    name: "identify",
    source: include_str!("identify.rs"),
    outcomes: &[Outcome::Found, Outcome::Unknown],
    keys: &[
        Key::required("by", Shape::Choices(&WAYS), "The ways in which an account is claimed."),
        Key::new("prompt", Shape::Prompt, "Asks for the account number."),
        REPROMPT,
        LAST_PROMPT,
        TRIES,
        TIMEOUT,
        BARGE_IN,
        Key::new(
            "digits",
            Shape::Integer(1, limits::DIGITS_MAX as u64),
            "How many digits an account number has.",
        ),
    ],
    read: |state| Some(Kind::Identify(read(state)?)),
};

fn read(state: &StateReader<'_, '_>) -> Option<Identify> {
    let by = state.required("by")?;
    let ways: Vec<_> =
        by.list()?.iter().filter_map(|way| way.choice(&WAYS.map(|name| (name, name)))).collect();
    if ways.is_empty() {
        by.refuse("empty-value", "`by` names no way to claim an account");
    }
    let (keys, speech) = (ways.contains(&"digits"), ways.contains(&"speech"));
    let listen = if keys || speech { Some(state.listen()?) } else { None };
    let digits = state.optional_integer("digits", 1, limits::DIGITS_MAX as u64);
    if let (None, Some(prompt)) = (&listen, state.item("prompt")) {
        let message = "`prompt` asks for an account number, but `by` takes none";
        prompt.report(
            Finding::error("bad-identify", message, prompt.key_place())
                .help("add \"digits\" to `by`, or leave the prompt out"),
        );
    }
    let texts = listen.iter().flat_map(Listen::prompts).flat_map(Prompt::templates);
    for text in texts {
        for used in &text.uses {
            let Use::Field(field) = used else { continue };
            let message =
                format!("`account.{field}` is never there: `identify` begins without an account");
            let place = text.place_of(field.as_str()).unwrap_or_else(|| text.place.clone());
            let help =
                "say it in a state before, while the account that was claimed last is still there";
            state.table.report(Finding::error("bad-identify", message, place).help(help));
        }
    }
    Some(Identify { caller_id: ways.contains(&"caller_id"), keys, speech, listen, digits })
}
