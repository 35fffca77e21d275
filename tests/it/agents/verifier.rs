//! Another system that is shown a voucher: it knows the published keys and RFC 7519, and nothing of
//! callgate.

use std::collections::HashSet;
use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, decode, decode_header};
use serde_json::Value;
use signature::{Error, Verifier};

struct Ed25519(Vec<u8>);

impl Verifier<Vec<u8>> for Ed25519 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, &self.0);
        key.verify(message, signature).map_err(|_| Error::new())
    }
}

impl JwtVerifier for Ed25519 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that the library asks for")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    match algorithm {
        Algorithm::EdDSA => Ok(Box::new(Ed25519(key.try_get_as_bytes()?.to_vec()))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that the library asks for")]
fn no_signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    Err(ErrorKind::InvalidAlgorithm.into())
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: no_signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// What a voucher says to this audience, if it holds at this moment of Unix time.
pub(super) fn verify(voucher: &str, keys: &Value, audience: &str, now_s: u64) -> Result<Value> {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| PROVIDER.install_default().unwrap());
    let keys: JwkSet = serde_json::from_value(keys.clone()).unwrap();
    let kid = decode_header(voucher)?.kid.ok_or(ErrorKind::InvalidToken)?;
    let key = keys.find(&kid).ok_or(ErrorKind::InvalidToken)?;
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_audience(&[audience]);
    rules.set_issuer(&[crate::support::house::PUBLIC_URL]);
    rules.required_spec_claims = HashSet::from(["exp", "aud", "iss"].map(str::to_owned));
    rules.leeway = 0;
    // The test has its own clock.
    rules.validate_exp = false;
    let claims: Value = decode(voucher, &DecodingKey::from_jwk(key)?, &rules)?.claims;
    let until = claims["exp"].as_u64().ok_or(ErrorKind::InvalidToken)?;
    if until <= now_s { Err(ErrorKind::ExpiredSignature.into()) } else { Ok(claims) }
}
