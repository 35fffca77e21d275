//! The addresses that answers and REST requests give to the provider: always absolute, always below
//! the configured public URL.

use std::fmt::{Display, Write as _};

use crate::engine::id::{CallId, EffectId, LegId, Nonce};

/// What an address takes at most beyond the public URL.
const PATH_BYTES: usize = 96;

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
        self.below("turn", call, nonce)
    }

    /// The answer URL of a leg that we placed, and of whispers.
    pub fn leg(&self, call: CallId, nonce: Nonce) -> String {
        self.below("leg", call, nonce)
    }

    /// A leg's present prompt.
    pub fn resume(&self, call: CallId, leg: LegId) -> String {
        self.below("resume", call, leg)
    }

    /// The status of a leg that we placed.
    pub fn status(&self, call: CallId, effect: EffectId) -> String {
        self.below("status", call, effect)
    }

    /// The status of a message that we sent.
    pub fn message(&self, call: CallId, effect: EffectId) -> String {
        self.below("message", call, effect)
    }

    /// The fallback URL.
    pub fn fallback(&self) -> String {
        format!("{}/twilio/fallback", self.base)
    }

    fn below(&self, route: &str, call: CallId, last: impl Display) -> String {
        let mut url = String::with_capacity(self.base.len() + PATH_BYTES);
        let _ = write!(url, "{}/twilio/{route}/{call}/{last}", self.base);
        url
    }
}
