//! Takes a one-use code that the customer got on the web, and proves the fact `service_code`.
//!
//! A code is good for the account that it was issued for and, if it was issued for a `purpose`, where that is asked for
//! alone. The fact holds for all of the call, like any other: ask for the code directly before what its purpose is.
//! It counts as possession only if the web session that it came from had two factors. `locked` is taken
//! only where `failed` would have been, after the same words.

use super::{
    BARGE_IN, Key, LAST_PROMPT, Outcome, PROMPT, REPROMPT, Shape, StateReader, StateType, TIMEOUT,
    TRIES,
};
use crate::flow::name::fills_in;
use crate::flow::state::{Kind, Listen};

/// A state that takes a code from the web.
#[derive(Debug)]
pub struct GatherServiceCode {
    /// How it listens.
    pub listen: Listen,
    /// How many digits the code has; `None`: as the policy says.
    pub digits: Option<u32>,
    /// What the code must have been issued for, if it was issued for something.
    pub purpose: Option<String>,
}

/// `gather_service_code`
pub const TYPE: StateType = StateType {
    name: "gather_service_code",
    source: include_str!("gather_service_code.rs"),
    outcomes: &[Outcome::Ok, Outcome::Failed, Outcome::Locked],
    keys: &[
        PROMPT,
        REPROMPT,
        LAST_PROMPT,
        TRIES,
        TIMEOUT,
        BARGE_IN,
        Key::new("digits", Shape::Integer(6, 12), "How many digits it has: as the policy says."),
        Key::new(
            "purpose",
            Shape::Text,
            "What the code must have been issued for, if it was issued for something.",
        ),
    ],
    read: |state| Some(Kind::GatherServiceCode(read(state)?)),
};

fn read(state: &StateReader<'_, '_>) -> Option<GatherServiceCode> {
    let digits = state.optional_integer("digits", 6, 12);
    let purpose = state.item("purpose");
    if let Some(item) = purpose.as_ref().filter(|item| item.as_text().is_some_and(fills_in)) {
        item.refuse("bad-template", "a purpose is fixed: nothing is filled in there");
    }
    let purpose = purpose.and_then(|purpose| purpose.name()).map(str::to_owned);
    Some(GatherServiceCode { listen: state.listen()?, digits, purpose })
}
