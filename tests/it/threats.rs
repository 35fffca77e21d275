//! Each threat of `SECURITY.md` that callgate closes, and the test that shows it closed.

mod alike;
mod audit;
mod audited;
mod callbacks;
mod callers;
mod claims;
mod codes;
mod concurrency;
mod failures;
mod flows;
mod foreign;
mod full_year;
mod guesses;
mod late;
mod notices;
mod numbers;
pub(crate) mod office;
mod secrets;
mod slow;
mod specialists;
mod table;
mod timing;
mod told;
mod verdicts;
mod webhooks;
mod words;
mod year;
