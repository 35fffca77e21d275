//! Answers to the machine's questions: who the customer is, whether an entry is right, what the limits still
//! allow, what others say when they are asked. What changes the world is done once under its key.

mod answer;
pub(super) mod eligible;
pub(super) mod look_up;
pub mod service_code;
pub(super) mod shared;
mod signals;
pub(super) mod verification;
mod verifier;
mod voucher;

pub(super) use verifier::Verifier;
pub(super) use voucher::Signer;
