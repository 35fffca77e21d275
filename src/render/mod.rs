//! Findings made readable: for people, for programs, for viewers of SARIF, for GitHub.
//!
//! Renderers only print: what is found, how bad it is and what follows from it is decided elsewhere.

pub mod github;
pub mod human;
pub mod json;
pub mod odds;
pub mod sarif;
pub mod statement;

#[cfg(test)]
mod tests;
