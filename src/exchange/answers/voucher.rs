//! Vouchers: signed statements of what a caller has proved, so that a system behind us can check them.
//!
//! A voucher is a JWT (RFC 7519) under Ed25519. The key is derived from the state key and a number, so that all
//! servers of a house sign alike and nothing has to be stored; another number gives another key. The keys before
//! and after the present one are published with it: a verifier knows the next key before the first server signs
//! with it, and the last one until its last voucher has expired.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::engine::turn::later;
use crate::engine::voucher::{Voucher, tell_one_factor};
use crate::exchange::Exchange;
use crate::limits;
use crate::secret::Secret;
use crate::store::envelope::Vault;

/// Who signs if nothing is configured: a replay, or a command.
const ISSUER: &str = "callgate";
/// The first key.
const FIRST_KEY: u32 = 1;

/// What signs.
pub(in crate::exchange) struct Signer {
    issuer: String,
    /// The key before the present one, that one, and the next.
    keys: [Key; 3],
}

struct Key {
    pair: Ed25519KeyPair,
    /// Its thumbprint (RFC 7638).
    id: String,
}

impl Signer {
    pub(in crate::exchange) fn new(vault: &Vault) -> Self {
        Self::with(vault, ISSUER, FIRST_KEY)
    }

    fn with(vault: &Vault, issuer: &str, number: u32) -> Self {
        let numbers = [number.wrapping_sub(1), number, number.wrapping_add(1)];
        Self { issuer: issuer.to_owned(), keys: numbers.map(|number| Key::new(vault, number)) }
    }

    fn sign(&self, voucher: &Voucher, subject: Option<String>) -> Secret {
        let [_, key, _] = &self.keys;
        let facts: Map<String, Value> =
            voucher.proved.iter().map(|(fact, age_s)| (fact.to_string(), json!(age_s))).collect();
        let until = later(voucher.at, limits::VOUCHER_TTL);
        let mut claims = json!({
            "iss": self.issuer,
            "aud": voucher.audience,
            "iat": voucher.at.as_second(),
            "exp": until.as_second(),
            "jti": voucher.id.to_string(),
            "call": voucher.call.to_string(),
            "facts": facts,
            "levels": voucher.levels,
            "flow": voucher.flow,
            "edition": voucher.edition,
            "share": voucher.shared,
        });
        if let (Some(subject), Some(claims)) = (subject, claims.as_object_mut()) {
            claims.insert("sub".into(), subject.into());
        }
        tell_one_factor(&mut claims, &voucher.one_factor);
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": key.id });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(bytes(value));
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = key.pair.sign(signed.as_bytes());
        Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl Key {
    fn new(vault: &Vault, number: u32) -> Self {
        let seed = vault.keyed_hash("voucher key", &[&number.to_be_bytes()]);
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .unwrap_or_else(|_| unreachable!("any 32 bytes are a seed"));
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        Self { id: URL_SAFE_NO_PAD.encode(Sha256::digest(canonical)), pair }
    }

    fn published(&self) -> Value {
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": self.id,
            "x": URL_SAFE_NO_PAD.encode(self.pair.public_key()),
        })
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, key, _] = &self.keys;
        f.debug_struct("Signer").field("key", &key.id).finish_non_exhaustive()
    }
}

impl Exchange {
    /// Signs as this house, with the key of this number.
    #[must_use]
    pub fn vouching_as(mut self, issuer: &str, key: u32) -> Self {
        self.signer = Signer::with(&self.vault, issuer, key);
        self
    }

    /// The keys that vouchers are checked with, as a JWK set (RFC 7517).
    pub fn voucher_keys(&self) -> Value {
        json!({ "keys": self.signer.keys.iter().map(Key::published).collect::<Vec<_>>() })
    }

    /// The voucher as it is handed over. It names the account by the reference that the audit has.
    pub(super) fn vouch(&self, voucher: &Voucher) -> Secret {
        let subject = voucher.whom.as_ref().map(|whom| self.reference(whom));
        self.signer.sign(voucher, subject)
    }
}

/// As JSON. All keys of a voucher are texts and all its numbers fit into JSON, so this cannot fail.
fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
