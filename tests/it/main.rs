//! Everything that is tested from outside: one binary, so that it links once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect is to fail, and so are the stand-ins that serve it"
)]

mod carrier;
mod store;
mod flows;
mod support;
