//! Names of calls, legs, turns and effects. Distinct types, so that one cannot stand for another.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The namespace of every `UUIDv5` that callgate derives.
const NAMESPACE: Uuid = Uuid::from_u128(0x6361_6c6c_6761_7465_8000_0000_0000_0001);

/// A call, derived from the provider's account and `CallSid`: the first webhook needs no index, and
/// its retry is the same call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub Uuid);

impl CallId {
    /// The call that the provider's account names by this `CallSid`.
    pub fn of(provider_account: &str, sid: &Sid) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, format!("{provider_account}\n{}", sid.0).as_bytes()))
    }

    /// Reads the id from a URL.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// One committed (or attempted) turn: 128 random bits, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TurnId(pub Uuid);

/// An effect, derived from its call, turn and place in the turn, so that a turn applied twice makes
/// the same effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectId(pub Uuid);

impl EffectId {
    /// The `index`-th effect of a turn.
    pub fn of(call: CallId, turn: TurnId, index: usize) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, format!("{call}\n{}\n{index}", turn.0).as_bytes()))
    }

    /// Reads the id from a URL.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// The provider's name of one leg (`CallSid`): opaque and bounded, for not every provider writes
/// `CA` and 32 digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sid(pub String);

/// A leg of a call by its number: 0 is the inbound leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LegId(pub u16);

impl LegId {
    /// The leg the caller rang in on.
    pub const INBOUND: Self = Self(0);
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The part of a leg's URL that is spent once: 128 random bits, 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(pub Uuid);

impl Nonce {
    /// Reads a nonce from a URL; any spelling but our own is no nonce.
    pub fn parse(text: &str) -> Option<Self> {
        let ours = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        ours.then(|| Uuid::try_parse(text).ok().map(Self)).flatten()
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_simple().fmt(f)
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_webhook_is_the_same_call() {
        let sid = Sid("CA1".into());
        assert_eq!(CallId::of("AC1", &sid), CallId::of("AC1", &sid));
        assert_ne!(CallId::of("AC1", &sid), CallId::of("AC2", &sid));
    }

    #[test]
    fn a_nonce_has_one_spelling() {
        let nonce = Nonce(Uuid::from_u128(7));
        assert_eq!(Nonce::parse(&nonce.to_string()), Some(nonce));
        assert_eq!(Nonce::parse(&nonce.to_string().to_uppercase().replace('0', "A")), None);
        assert_eq!(Nonce::parse(&nonce.0.as_hyphenated().to_string()), None);
    }
}
