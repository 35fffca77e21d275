//! Takes the caller's PIN and proves the fact `pin`.
//!
//! Each entry of the right length is an attempt. It is reserved before the entry is verified, and counts for the
//! account over all calls together. An entry of another length is asked for again and is no attempt. Exactly the digits
//! keyed count: nothing is trimmed, and no part of a longer entry is tried. `locked` is taken only
//! where `failed` would have been, after the same words.
//!
//! `verdict = "combined"` is for the first of two proofs in a row: one entry leads on to `ok`, right or
//! wrong, and nobody is told which. After a wrong one the next proof is asked for in the same words, sends
//! nothing, rings nobody and fails, so that a guesser never learns that the PIN alone was right.
//! A PIN that was proved before counts again only with that verdict.

use super::{
    BARGE_IN, Key, LAST_PROMPT, Outcome, PROMPT, REPROMPT, Shape, StateReader, StateType, TIMEOUT,
    TRIES, VERDICT, combined,
};
use crate::flow::state::{Kind, Listen};

/// A state that takes a PIN.
#[derive(Debug)]
pub struct GatherPin {
    /// How it listens.
    pub listen: Listen,
    /// How many digits a PIN has; `None`: four to twelve, ended with `#`.
    pub digits: Option<u32>,
    /// Whether it may be said digit by digit.
    pub speech: bool,
    /// Whether the verdict on it is given with that on the next proof.
    pub combined: bool,
}

impl GatherPin {
    /// The fewest digits that it takes.
    pub fn shortest(&self) -> u32 {
        self.digits.unwrap_or(4)
    }
}

/// `gather_pin`
pub const TYPE: StateType = StateType {
    name: "gather_pin",
    source: include_str!("gather_pin.rs"),
    outcomes: &[Outcome::Ok, Outcome::Failed, Outcome::Locked],
    keys: &[
        PROMPT,
        REPROMPT,
        LAST_PROMPT,
        TRIES,
        TIMEOUT,
        BARGE_IN,
        Key::new(
            "digits",
            Shape::Integer(4, 12),
            "How many digits a PIN has; left out: 4 to 12 of them, then `#`.",
        ),
        Key::new("speech", Shape::Boolean, "Whether the PIN may be said: false."),
        VERDICT,
    ],
    read: |state| Some(Kind::GatherPin(read(state)?)),
};

fn read(state: &StateReader<'_, '_>) -> Option<GatherPin> {
    let digits = state.optional_integer("digits", 4, 12);
    let speech = state.item("speech").and_then(|speech| speech.boolean()).unwrap_or(false);
    let combined = combined(state);
    Some(GatherPin { listen: state.listen()?, digits, speech, combined })
}
