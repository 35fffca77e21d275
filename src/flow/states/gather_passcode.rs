//! Takes the caller's verbal passcode and proves the fact `passcode`.
//!
//! It is said, or keyed if it consists of digits. What is said is compared as words in lower case, without
//! punctuation and with a single digit among them by its name; or, if all of it is digits, as those. Each entry is an attempt,
//! reserved before it is verified; nothing that sounds like it is tried in its place. `locked` is taken only
//! where `failed` would have been, after the same words.
//!
//! `verdict = "combined"` is for the first of two proofs in a row: one entry leads on to `ok`, right or
//! wrong, and nobody is told which. After a wrong one the next proof is asked for in the same words, sends
//! nothing, rings nobody and fails, so that a guesser never learns that the passcode alone was right.
//! A passcode that was proved before counts again only with that verdict.

use super::{
    BARGE_IN, Key, LAST_PROMPT, Outcome, PROMPT, REPROMPT, Shape, StateReader, StateType, TIMEOUT,
    TRIES, VERDICT, combined,
};
use crate::flow::state::{Kind, Listen};

/// A state that takes a verbal passcode.
#[derive(Debug)]
pub struct GatherPasscode {
    /// How it listens.
    pub listen: Listen,
    /// How many digits a passcode of digits has; `None`: it is words, or digits ended with `#`.
    pub digits: Option<u32>,
    /// Whether the verdict on it is given with that on the next proof.
    pub combined: bool,
}

/// `gather_passcode`
pub const TYPE: StateType = StateType {
    name: "gather_passcode",
    source: include_str!("gather_passcode.rs"),
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
            "How many digits a passcode has; one of words is no entry then.",
        ),
        VERDICT,
    ],
    read: |state| Some(Kind::GatherPasscode(read(state)?)),
};

fn read(state: &StateReader<'_, '_>) -> Option<GatherPasscode> {
    let digits = state.optional_integer("digits", 4, 12);
    let combined = combined(state);
    Some(GatherPasscode { listen: state.listen()?, digits, combined })
}
