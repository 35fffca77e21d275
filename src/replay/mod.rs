//! Calls run again: transcripts, and how the result differs from them.
//!
//! A transcript is a call as a file: the caller's side turn by turn, and what must come back. It runs
//! through the same exchange as a live call, over a store and under a virtual clock, so that the call
//! is sealed, kept and loaded between turns. [`Transcript::read`] reads one, [`run`] runs it,
//! [`bless`](bless::bless) writes what came back into it, and [`folder`] does so with many at once.
//! [`phone`] is the same provider with a person at the keys.

pub mod against;
pub mod beside;
pub mod bless;
pub mod capture;
pub mod coverage;
pub mod folder;
pub mod journal;
pub mod junit;
mod met;
pub mod phone;
pub mod play;
pub mod provider;
mod read;
pub mod record;
pub mod recorder;
pub mod report;
mod run;
mod show;
mod substitute;
pub mod telephone;
pub mod transcript;
pub mod world;
pub mod written;

pub use read::{INPUTS, KEYS, default_clock};
pub use report::{Came, Difference, Layout, Report};
pub use run::run;
pub use transcript::Transcript;
