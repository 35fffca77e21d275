//! The addresses that answers and REST requests give to the provider: always absolute, always below
//! the configured public URL.

use crate::engine::id::{CallId, EffectId, LegId, Nonce};

/// Makes addresses below `public_url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    base: String,
}

impl Links {
    /// `public_url` is the scheme, host, optional port and path prefix, with or without a last `/`.
    pub fn new(public_url: &str) -> Self {
        Self { base: public_url.trim_end_matches('/').to_owned() }
    }

    /// The public URL without a last `/`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where a leg is carried on.
    pub fn turn(&self, call: CallId, nonce: Nonce) -> String {
        format!("{}/twilio/turn/{call}/{nonce}", self.base)
    }

    /// The answer URL of a leg that we placed, and of whispers.
    pub fn leg(&self, call: CallId, nonce: Nonce) -> String {
        format!("{}/twilio/leg/{call}/{nonce}", self.base)
    }

    /// A leg's present prompt.
    pub fn resume(&self, call: CallId, leg: LegId) -> String {
        format!("{}/twilio/resume/{call}/{leg}", self.base)
    }

    /// The status of a leg that we placed.
    pub fn status(&self, call: CallId, effect: EffectId) -> String {
        format!("{}/twilio/status/{call}/{effect}", self.base)
    }

    /// The status of a message that we sent.
    pub fn message(&self, call: CallId, effect: EffectId) -> String {
        format!("{}/twilio/message/{call}/{effect}", self.base)
    }

    /// The fallback URL.
    pub fn fallback(&self) -> String {
        format!("{}/twilio/fallback", self.base)
    }
}
