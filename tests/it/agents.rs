//! What the people who take over learn of a caller: what was proved, and no more.

mod document;
mod events;
mod hand_over;
pub(crate) mod office;
mod roles;
mod step_up;
mod verifier;

pub(crate) use office::call_of;
