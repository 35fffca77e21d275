//! Who has proved what where: every way through the flows, with what a caller may have proved on it.
//!
//! The ways are those of the machine itself: silence, tries used up, time-outs, errors of the
//! provider, locks, step-ups and their coming back, sub-flows and theirs. What a caller has proved is
//! a set of facts, each with an upper bound of its age ([`Known`]). Per state, and per things to come
//! back to, all sets that can arrive are kept, save those whose every way another covers. A demand
//! holds where it holds for each of them; the first for which it does not is the end of a shortest
//! way, and that is a call script.
//!
//! Variables carry the levels of what they are made of, and of what was asked about before they were
//! set ([`labels`]): who hears one must meet them.
//!
//! A sub-flow is walked once for each thing that may be known when it is entered ([`entries`]).
//!
//! What is not followed: the values of variables and the time of day. A branch on them may go either
//! way. What the network says of a number and the band of the call's risk hold for the whole call.

mod cells;
mod conditions;
mod entries;
mod example;
mod inputs;
mod known;
mod labels;
mod pauses;
mod play;
mod script;
mod spent;
mod stacks;
mod steps;
mod uses;
mod walk;

pub use cells::Cell;
pub use example::Example;
pub(super) use known::{Known, asks_for_less};
pub(super) use script::{Script, deeds, proved, shared};
pub use uses::Told;
pub(super) use uses::fields;
pub(super) use walk::{Behind, Gap, Trail, Walks};
