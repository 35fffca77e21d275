//! What an operator watches: counts, and turns as they are committed. Nothing here says whose call it was, or
//! what was said in it.

pub mod events;
pub mod guards;
pub mod tally;
pub mod versions;

pub(super) use events::Events;
pub(super) use guards::Guards;
pub(super) use tally::Tally;
