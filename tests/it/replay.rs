//! Transcripts, and the telephone in the terminal.

mod anything;
mod blessing;
mod captures;
mod depths;
mod phone;
mod proofs;
mod transcripts;
