//! How a thing lies in a store: sealed, bound to its place, with the version of its format.
//!
//! What is in it is XChaCha20-Poly1305 under a key derived from the state key. The seal binds the
//! version, the kind and the id, so that a value copied to another key of the store, or another kind,
//! does not open.
//!
//! An envelope of version 4 is bytes: the version; 2 that name the key; 12 of nonce; the ciphertext and its tag.
//! The thing in it is spelled by [`packed`]. Nearly every place has a key of its own (see [`salt_of`]), so that
//! 12 random bytes are never drawn twice under one key.
//!
//! Older versions are still read. Version 3 has 4 bytes to name the key and 24 of nonce, of which 16 make the key
//! of this one envelope. What is inside versions 1 and 2 is JSON, and their seals also bind the hash of a flow,
//! which they show. Version 2 is bytes: the version; the length of that hash, and the hash (two digits a byte if
//! it is lower-case hexadecimal, which the length's highest bit says); 8 that name the key; and the rest as
//! above. Version 1 is JSON, `{"v":1,"flow":"<hash or empty>","sealed":"<base64>"}`, with the rest in `sealed`.
//!
//! A callgate that does not know a version says so and leaves the thing as it is.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_PAD_INDIFFERENT};
use chacha20::{R20, hchacha};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac::{self, HMAC_SHA256};
use secrecy::{ExposeSecret, SecretBox};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::packed;
use crate::hex::hex;

/// The version that [`Vault::seal`] writes.
pub const VERSION: u32 = 4;
/// The one before it, in which every envelope had a key of its own.
const VERSION_OF_LONG_NONCES: u32 = 3;
/// The one before that, in which things were JSON.
const VERSION_OF_JSON: u32 = 2;
/// The first, which was JSON itself.
const VERSION_IN_JSON: u32 = 1;

/// How an envelope of [`VERSION`] begins.
const VERSION_BYTE: u8 = 4;
/// And those of the versions before it.
const VERSION_BYTE_OF_LONG_NONCES: u8 = 3;
const VERSION_BYTE_OF_JSON: u8 = 2;

const KEY_BYTES: usize = 32;
/// Nearly always enough to tell a wrong key from damage.
const KEY_NAME_BYTES: usize = 2;
/// In envelopes of version 3.
const MIDDLE_KEY_NAME_BYTES: usize = 4;
/// In older envelopes.
const LONG_KEY_NAME_BYTES: usize = 8;
/// In envelopes before version 4, with what goes into the key of one envelope.
const LONG_NONCE_BYTES: usize = 24;
/// The part of a place, and before version 4 of a nonce, that goes into a key.
const SALT_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
/// Length of a keyed hash that is cut to 64 bits.
const SHORT_DIGITS: usize = 16;
/// Enough room for nearly everything that is stored.
const PLAIN_BYTES: usize = 640;
/// In the byte that tells the length of a flow's hash: two hexadecimal digits stand in one byte.
const PACKED: u8 = 0x80;

/// What kind of thing is sealed; part of what the seal binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call's state.
    Call,
    /// An effect of the outbox.
    Effect,
    /// A journal entry.
    Entry,
    /// A counted record.
    Record,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Effect => "effect",
            Self::Entry => "entry",
            Self::Record => "record",
        }
    }
}

/// Seals, opens, and hashes under keys derived from the one state key.
#[derive(Clone)]
pub struct Vault {
    seal_key: Arc<SecretBox<[u8; KEY_BYTES]>>,
    key_name: [u8; LONG_KEY_NAME_BYTES],
    /// The key is already taken in: that is half the work of a short hash.
    hash_key: hmac::Key,
}

/// What an envelope held.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The version of the envelope.
    pub version: u32,
    /// The id of its place.
    id: String,
    /// The thing itself, as it is spelled in that version.
    plain: Vec<u8>,
}

/// Why an envelope does not open. Never says what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Written by a newer callgate.
    #[error("version {0} of the stored format is unknown to this callgate; update it")]
    UnknownVersion(u64),
    /// Sealed under another state key.
    #[error("sealed with another state key")]
    WrongKey,
    /// Not an envelope, or changed since it was sealed, or copied here from another place.
    #[error("altered, or moved from another place in the store")]
    Altered,
}

/// Why a text is no state key. Never shows the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not base64.
    #[error("the state key is not base64; make one with `openssl rand -base64 32`")]
    NotBase64,
    /// Base64 of something that is no key.
    #[error("the state key is {0} bytes long, not 32; make one with `openssl rand -base64 32`")]
    Length(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[expect(dead_code, reason = "read before the rest, from `Versioned`")]
    v: u32,
    flow: String,
    sealed: String,
}

/// The one field that every version will have.
#[derive(Deserialize)]
struct Versioned {
    v: u64,
}

impl Vault {
    /// A vault under this state key.
    pub fn new(state_key: &[u8; KEY_BYTES]) -> Self {
        let state_key = hmac::Key::new(HMAC_SHA256, state_key);
        let derived = |label: &str| hash_of(&state_key, [label.as_bytes()]);
        let name = derived("callgate state key name");
        Self {
            seal_key: Arc::new(SecretBox::new(Box::new(derived("callgate seal")))),
            key_name: name.first_chunk().copied().unwrap_or_default(),
            hash_key: hmac::Key::new(HMAC_SHA256, &derived("callgate keyed hash")),
        }
    }

    /// A vault under the state key in this base64 text; white space around it is ignored.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let bytes = SecretBox::new(Box::new(
            STANDARD_PAD_INDIFFERENT.decode(text.trim()).map_err(|_| KeyError::NotBase64)?,
        ));
        let key = bytes.expose_secret().as_slice();
        let key = key.try_into().map_err(|_| KeyError::Length(key.len()))?;
        Ok(Self::new(key))
    }

    /// Seals a thing for the place that `kind` and `id` name.
    ///
    /// A nonce must never be used twice in a place: 12 random bytes.
    pub fn seal(
        &self,
        kind: Kind,
        id: &str,
        value: &impl Serialize,
        nonce: [u8; NONCE_LEN],
    ) -> Vec<u8> {
        let key_name = self.key_name.split_at(KEY_NAME_BYTES).0;
        let head: [&[u8]; 3] = [&[VERSION_BYTE], key_name, &nonce];
        let begin = head.iter().map(|part| part.len()).sum::<usize>();
        let mut sealed = Vec::with_capacity(begin + PLAIN_BYTES + TAG_BYTES);
        for part in head {
            sealed.extend_from_slice(part);
        }
        // Every number that we store fits into JSON, and everything has as many parts as it says: this cannot
        // fail. (If it did, an empty thing would be sealed, which opens as altered.)
        let written = packed::write(value, id, &mut sealed);
        let aad = Aad::from(bound(VERSION, kind, id, None));
        let key = self.key_of(&salt_of(id)).filter(|_| written);
        let tag = key.zip(sealed.get_mut(begin..)).and_then(|(key, plain)| {
            let nonce = Nonce::assume_unique_for_key(nonce);
            key.seal_in_place_separate_tag(nonce, aad, plain).ok()
        });
        match tag {
            Some(tag) => sealed.extend_from_slice(tag.as_ref()),
            // Refused only for 256 GiB or more.
            None => sealed.truncate(begin),
        }
        sealed
    }

    /// Opens what was sealed for the place that `kind` and `id` name.
    pub fn open(&self, kind: Kind, id: &str, envelope: &[u8]) -> Result<Opened, EnvelopeError> {
        let altered = EnvelopeError::Altered;
        match envelope.split_first().ok_or(altered)? {
            (&VERSION_BYTE, sealed) => {
                let (key_name, sealed) = sealed.split_at_checked(KEY_NAME_BYTES).ok_or(altered)?;
                let (nonce, sealed) = sealed.split_first_chunk().ok_or(altered)?;
                let under = (key_name, salt_of(id), *nonce);
                let plain = self.open_sealed(under, sealed, bound(VERSION, kind, id, None))?;
                Ok(Opened { version: VERSION, id: id.to_owned(), plain })
            }
            (&VERSION_BYTE_OF_LONG_NONCES, sealed) => {
                let named = sealed.split_at_checked(MIDDLE_KEY_NAME_BYTES).ok_or(altered)?;
                self.open_older(VERSION_OF_LONG_NONCES, kind, id, None, named)
            }
            (&VERSION_BYTE_OF_JSON, rest) => {
                let (flow, sealed) = read(rest).ok_or(altered)?;
                let named = sealed.split_at_checked(LONG_KEY_NAME_BYTES).ok_or(altered)?;
                self.open_older(VERSION_OF_JSON, kind, id, Some(&flow), named)
            }
            (b'{', _) => {
                let (flow, sealed) = read_json(envelope)?;
                let named = sealed.split_at_checked(LONG_KEY_NAME_BYTES).ok_or(altered)?;
                self.open_older(VERSION_IN_JSON, kind, id, Some(&flow), named)
            }
            (version, _) if *version < b' ' => {
                Err(EnvelopeError::UnknownVersion(u64::from(*version)))
            }
            _ => Err(altered),
        }
    }

    /// Opens what was sealed before version 4, and in versions 1 and 2 with the hash of a flow.
    fn open_older(
        &self,
        version: u32,
        kind: Kind,
        id: &str,
        flow: Option<&str>,
        (key_name, sealed): (&[u8], &[u8]),
    ) -> Result<Opened, EnvelopeError> {
        let altered = EnvelopeError::Altered;
        let (nonce, sealed) = sealed.split_first_chunk::<LONG_NONCE_BYTES>().ok_or(altered)?;
        // Both the key and the nonce under it are made of the long nonce (draft-irtf-cfrg-xchacha, 2.3).
        let (salt, rest) = nonce.split_first_chunk::<SALT_BYTES>().ok_or(altered)?;
        let mut short = [0; NONCE_LEN];
        short.iter_mut().rev().zip(rest.iter().rev()).for_each(|(to, from)| *to = *from);
        let bound = bound(version, kind, id, flow);
        let plain = self.open_sealed((key_name, *salt, short), sealed, bound)?;
        Ok(Opened { version, id: id.to_owned(), plain })
    }

    fn open_sealed(
        &self,
        (key_name, salt, nonce): (&[u8], [u8; SALT_BYTES], [u8; NONCE_LEN]),
        ciphertext: &[u8],
        bound: Vec<u8>,
    ) -> Result<Vec<u8>, EnvelopeError> {
        let altered = EnvelopeError::Altered;
        if !self.key_name.starts_with(key_name) {
            return Err(EnvelopeError::WrongKey);
        }
        let key = self.key_of(&salt).ok_or(altered)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let mut plain = ciphertext.to_vec();
        let opened = key.open_in_place(nonce, Aad::from(bound), &mut plain);
        let bytes = opened.map_err(|_| altered)?.len();
        plain.truncate(bytes);
        Ok(plain)
    }

    /// The key that belongs to these bytes.
    fn key_of(&self, salt: &[u8; SALT_BYTES]) -> Option<LessSafeKey> {
        let key = hchacha::<R20>(self.seal_key.expose_secret().into(), &(*salt).into());
        Some(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).ok()?))
    }

    /// A hash that nobody without the state key can compute or try out: HMAC-SHA-256 over the label
    /// and the parts, each with its length before it, so that no two lists of parts are the same text.
    pub fn keyed_hash(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let parts = std::iter::once(label.as_bytes()).chain(parts.iter().copied());
        hash_of(&self.hash_key, parts)
    }

    /// [`Self::keyed_hash`] in 64 lower-case hexadecimal digits.
    pub fn keyed_hex(&self, label: &str, parts: &[&[u8]]) -> String {
        hex(&self.keyed_hash(label, parts))
    }

    /// The first 16 digits of it: 64 bits tell two things apart, unless somebody could choose them.
    pub fn keyed_short(&self, label: &str, parts: &[&[u8]]) -> String {
        let mut short = self.keyed_hex(label, parts);
        short.truncate(SHORT_DIGITS);
        short
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(***)")
    }
}

impl Opened {
    /// The thing; `None`: it is something else.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        if self.version >= VERSION_OF_LONG_NONCES {
            packed::read(&self.plain, &self.id).ok()
        } else {
            serde_json::from_slice(&self.plain).ok()
        }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, id: _, plain: _ } = self;
        f.debug_struct("Opened").field("version", version).finish_non_exhaustive()
    }
}

/// The flow's hash that an envelope of version 2 shows, and what is sealed.
fn read(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (flow, rest) = rest.split_at_checked(usize::from(length & !PACKED))?;
    let flow =
        if length & PACKED == 0 { std::str::from_utf8(flow).ok()?.to_owned() } else { hex(flow) };
    Some((flow, rest))
}

/// The same for an envelope in JSON.
fn read_json(envelope: &[u8]) -> Result<(String, Vec<u8>), EnvelopeError> {
    let altered = EnvelopeError::Altered;
    let Versioned { v } = serde_json::from_slice(envelope).map_err(|_| altered)?;
    if v != u64::from(VERSION_IN_JSON) {
        return Err(EnvelopeError::UnknownVersion(v));
    }
    let read: Read = serde_json::from_slice(envelope).map_err(|_| altered)?;
    let sealed = STANDARD.decode(&read.sealed).map_err(|_| altered)?;
    Ok((read.flow, sealed))
}

fn hash_of<'a>(key: &hmac::Key, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut mac = hmac::Context::with_key(key);
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.sign().as_ref().first_chunk().copied().unwrap_or_default()
}

/// The part of a place that goes into its key; nearly every place has its own. Two places with the same part
/// share a key, under which a nonce would repeat only after some 2^48 drawings; the seal binds the place itself.
fn salt_of(id: &str) -> [u8; SALT_BYTES] {
    let mut salt = [0_u8; SALT_BYTES];
    for some in id.as_bytes().chunks(SALT_BYTES) {
        for (to, byte) in salt.iter_mut().zip(some) {
            *to = to.rotate_left(4) ^ byte;
        }
    }
    salt
}

/// What a seal binds besides the contents; `flow`: before the third version.
fn bound(version: u32, kind: Kind, id: &str, flow: Option<&str>) -> Vec<u8> {
    let parts = [kind.word(), id].into_iter().chain(flow);
    let length = parts.clone().map(|part| size_of::<u64>() + part.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(size_of::<u64>() + length);
    bytes.extend_from_slice(&u64::from(version).to_be_bytes());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests;
