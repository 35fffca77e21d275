//! callgate from outside: its parts against real counterparts.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and so do the stand-ins that serve it"
)]

mod carrier;
mod support;
