//! Taking a turn: what a request is to its call, the flow version that the call keeps, the machine's step, and
//! one commit with everything that comes of it.

mod audit;
pub(super) mod edition;
mod posted;
mod recent;
mod request;
mod take;

pub use audit::Over;
pub(super) use edition::Editions;
pub use posted::Posted;
pub(super) use recent::Recent;
pub use request::{Answered, Request, Wants};
pub use take::{Served, Settles};
