//! Each threat of `SECURITY.md` that callgate closes, and the test that shows it closed.

mod audit;
mod office;
