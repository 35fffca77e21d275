//! That the checker is right: what it alarms of happens, and what it does not alarm of does not.

mod apart;
mod bad_input;
mod explore;
mod growth;
mod holes;
mod judge;
mod linked;
mod made;
mod monsters;
mod mutation;
mod proved;
pub(crate) mod random;
mod soundness;
mod strangers;
mod twins;
mod vocabulary;
mod watch;
mod ways;
mod wide;
mod words;
mod world;
