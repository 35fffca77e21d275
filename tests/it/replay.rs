//! Transcripts, and the telephone in the terminal.

mod anything;
mod captures;
mod phone;
mod proofs;
mod transcripts;
