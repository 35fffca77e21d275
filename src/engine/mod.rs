//! The machine: a flow, a call and an event make a turn.
//!
//! [`step`] reads no clock, draws no randomness and performs nothing. Time and randomness are arguments; whatever
//! else it must know it asks for, and is run again with the answers so far. It is total: it has no error and does
//! not panic. What cannot be mended (a loop without end, a level that nobody can meet) ends the call with a
//! spoken apology.

pub mod account;
pub mod audit;
pub mod budget;
pub mod call;
mod disclosure;
pub mod effect;
pub mod eligibility;
pub mod event;
pub mod fuse;
pub mod id;
mod label;
pub mod ledger;
mod legs;
mod linking;
mod listen;
mod machine;
pub mod policy;
mod proving;
pub mod question;
pub mod reply;
pub mod risk;
mod speak;
pub mod spoken;
pub mod spread;
mod states;
pub mod step_up;
pub mod turn;
pub mod voucher;

use crate::flow::FlowSet;
use crate::flow::name::{FieldName, VariableName};
use call::{Call, Position};
use event::Event;
use machine::Machine;
use policy::Policy;
use question::Answer;
use turn::{Moment, Step};

pub(crate) use states::gather::value as gathered;

/// Whether a value need not be written: a missing one is read as this.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What stays the same during a call, or belongs to the house and not to the call.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The flows of the call's edition.
    pub flows: &'a FlowSet,
    /// The edition's hash.
    pub edition: &'a str,
    /// Attempts, codes, lockouts.
    pub policy: &'a Policy,
    /// Who takes callers whom the flow cannot serve.
    pub fallback_number: Option<&'a str>,
    /// The one demand that is let pass unmet. Only a replay sets it.
    pub unenforced: Option<&'a Unenforced>,
}

/// A demand that is let pass unmet, so that a replay shows what it protects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unenforced {
    /// The state that demands.
    pub at: Position,
    /// What asks for it there.
    pub demand: Waived,
}

/// What asks for the level that is let pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waived {
    /// The state's own `requires`.
    Requires,
    /// An account field that it uses.
    Field(FieldName),
    /// A variable that it uses, made of guarded data.
    Variable(VariableName),
}

/// Handles one event.
///
/// `call` is the call so far; `None` with an [`Event::Ring`] begins one, and anything else without a
/// call is no event. `answers` are those to the questions this same step has asked so far, in order.
/// `None`: the event means nothing to this call, and nothing changes.
pub fn step(
    setting: Setting<'_>,
    call: Option<&Call>,
    event: &Event,
    moment: &Moment,
    answers: &[Answer],
) -> Option<Step> {
    let moment = moment.as_seen_by(call);
    let machine = Machine::begin(setting, call, event, &moment, answers)?;
    machine.run(event).transpose().map(|done| match done {
        Ok(turn) => Step::Turn(Box::new(turn)),
        Err(question) => Step::Ask(question),
    })
}
