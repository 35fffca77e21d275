//! Takes the code last sent in this call and proves the fact of its channel (`sms_otp`).
//!
//! `*` asks for a new code, which gives back no attempts. It is sent only if the state that sent the first one would
//! let the caller in now, and if the variables that its message names are still there, which those of a sub-flow that has
//! come back are not. If not, the caller hears the same, and the code in hand stays good until its time is over.
//!
//! `expired`: the code has run out of time, none was sent, or a variable that its message named (an amount, say) has
//! another value by now. Variables that some `with` or `give` links count as one, so give what a sub-flow calculates a
//! name of its own.
//!
//! `undelivered`: the provider refused the message, or reported it undelivered while the caller was waiting, who is then
//! led on at once. If `undelivered` leads to the same state as `failed`, a caller who has proved nothing does not hear of
//! it, because the code of an account that does not exist never comes back either.

use super::{
    BARGE_IN, Key, LAST_PROMPT, Outcome, PROMPT, REPROMPT, Shape, StateReader, StateType, TIMEOUT,
    TRIES,
};
use crate::flow::state::{Kind, Listen};

/// A state that takes a code.
#[derive(Debug)]
pub struct GatherOtp {
    /// How it listens.
    pub listen: Listen,
    /// How many digits are asked for where none was sent; `None`: as the policy says.
    pub digits: Option<u32>,
}

/// `gather_otp`
pub const TYPE: StateType = StateType {
    name: "gather_otp",
    source: include_str!("gather_otp.rs"),
    outcomes: &[Outcome::Ok, Outcome::Failed, Outcome::Expired, Outcome::Undelivered],
    keys: &[
        PROMPT,
        REPROMPT,
        LAST_PROMPT,
        TRIES,
        TIMEOUT,
        BARGE_IN,
        Key::new(
            "digits",
            Shape::Integer(6, 10),
            "How many digits are asked for where none was sent, as the policy says; a code that was sent has its own number.",
        ),
    ],
    read: |state| Some(Kind::GatherOtp(read(state)?)),
};

fn read(state: &StateReader<'_, '_>) -> Option<GatherOtp> {
    let digits = state.optional_integer("digits", 6, 10);
    Some(GatherOtp { listen: state.listen()?, digits })
}
