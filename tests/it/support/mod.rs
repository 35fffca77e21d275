//! The world that the tests stand in for.

pub(crate) mod provider;
