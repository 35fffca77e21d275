//! Transcripts, and the telephone in the terminal.

mod anything;
mod phone;
mod proofs;
mod transcripts;
