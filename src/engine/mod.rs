//! The machine.

pub mod effect;
pub mod id;
pub mod reply;
