//! How a thing lies in a store: sealed, bound to its place, with the version of its format.
//!
//! What is in it is XChaCha20-Poly1305 under a key derived from the state key. The seal binds the
//! version, the kind, the id and the flow, so that a value copied to another key of the store, or
//! another kind, does not open.
//!
//! An envelope of version 2 is bytes: the version; the length of the flow's hash, and that hash (two
//! digits a byte where it is lower-case hexadecimal, which the length's highest bit says); 8 bytes that
//! name the key; 24 of nonce; the ciphertext and its tag. One of version 1 was JSON,
//! `{"v":1,"flow":"<hash or empty>","sealed":"<base64>"}`, with the rest in `sealed`; it is read as ever.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_PAD_INDIFFERENT};
use chacha20::{R20, hchacha};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac::{self, HMAC_SHA256};
use secrecy::{ExposeSecret, SecretBox};
use serde::Deserialize;

/// The version that [`Vault::seal`] writes.
pub const VERSION: u32 = 2;
/// The one before it, which was JSON.
const VERSION_JSON: u32 = 1;

/// How an envelope of [`VERSION`] begins.
const VERSION_BYTE: [u8; 1] = [2];

const KEY_BYTES: usize = 32;
const KEY_NAME_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
/// As many of them as go into the key of one envelope; the others are its own nonce.
const SALT_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
/// In the byte that tells the length of the flow's hash: two hexadecimal digits stand in one byte.
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
    key_name: [u8; KEY_NAME_BYTES],
    /// Has taken the key in already: that is half the work of a short hash.
    hash_key: hmac::Key,
}

/// What an envelope held.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The version of the envelope.
    pub version: u32,
    /// The hash of the flow it belongs to, or nothing.
    pub flow: String,
    /// The thing itself.
    pub plain: Vec<u8>,
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
    /// Base64 of something else.
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

    /// A vault under the state key that this base64 text spells; white space around it is ignored.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let bytes = SecretBox::new(Box::new(
            STANDARD_PAD_INDIFFERENT.decode(text.trim()).map_err(|_| KeyError::NotBase64)?,
        ));
        let key = bytes.expose_secret().as_slice();
        let key = key.try_into().map_err(|_| KeyError::Length(key.len()))?;
        Ok(Self::new(key))
    }

    /// Seals `plain` for the place that `kind` and `id` name.
    ///
    /// A nonce must never be used twice: 24 random bytes. `flow_hash` stays readable.
    pub fn seal(
        &self,
        kind: Kind,
        id: &str,
        flow_hash: &str,
        plain: &[u8],
        nonce: [u8; NONCE_BYTES],
    ) -> Vec<u8> {
        let (length, flow) = written(flow_hash);
        let head: [&[u8]; 5] = [&VERSION_BYTE, &[length], &flow, &self.key_name, &nonce];
        let begin = head.iter().map(|part| part.len()).sum::<usize>();
        let mut sealed = Vec::with_capacity(begin + plain.len() + TAG_BYTES);
        for part in head {
            sealed.extend_from_slice(part);
        }
        sealed.extend_from_slice(plain);
        let aad = Aad::from(bound(u64::from(VERSION), kind, id, flow_hash));
        let tag =
            self.key_of(&nonce).zip(sealed.get_mut(begin..)).and_then(|((key, nonce), plain)| {
                key.seal_in_place_separate_tag(nonce, aad, plain).ok()
            });
        match tag {
            Some(tag) => sealed.extend_from_slice(tag.as_ref()),
            // Refused for 256 GiB and more alone; nothing is what then opens as altered.
            None => sealed.truncate(begin),
        }
        sealed
    }

    /// Opens what was sealed for the place that `kind` and `id` name.
    pub fn open(&self, kind: Kind, id: &str, envelope: &[u8]) -> Result<Opened, EnvelopeError> {
        let altered = EnvelopeError::Altered;
        let (version, flow, sealed) = match envelope.split_first().ok_or(altered)? {
            (b'{', _) => {
                let (flow, sealed) = read_json(envelope)?;
                (VERSION_JSON, flow, Cow::Owned(sealed))
            }
            (version, rest) if [*version] == VERSION_BYTE => {
                let (flow, sealed) = read(rest).ok_or(altered)?;
                (VERSION, flow, Cow::Borrowed(sealed))
            }
            (version, _) if *version < b' ' => {
                return Err(EnvelopeError::UnknownVersion(u64::from(*version)));
            }
            _ => return Err(altered),
        };
        let (key_name, rest) = sealed.split_first_chunk::<KEY_NAME_BYTES>().ok_or(altered)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(altered)?;
        if *key_name != self.key_name {
            return Err(EnvelopeError::WrongKey);
        }
        let aad = Aad::from(bound(u64::from(version), kind, id, &flow));
        let (key, nonce) = self.key_of(nonce).ok_or(altered)?;
        let mut plain = ciphertext.to_vec();
        let bytes = key.open_in_place(nonce, aad, &mut plain).map_err(|_| altered)?.len();
        plain.truncate(bytes);
        Ok(Opened { version, flow, plain })
    }

    /// The key of one envelope and the nonce under it, both made of its long nonce
    /// (draft-irtf-cfrg-xchacha, section 2.3).
    fn key_of(&self, nonce: &[u8; NONCE_BYTES]) -> Option<(LessSafeKey, Nonce)> {
        let (salt, rest) = nonce.split_first_chunk::<SALT_BYTES>()?;
        let key = hchacha::<R20>(self.seal_key.expose_secret().into(), &(*salt).into());
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key).ok()?;
        let mut short = [0; NONCE_LEN];
        short.iter_mut().rev().zip(rest.iter().rev()).for_each(|(to, from)| *to = *from);
        Some((LessSafeKey::new(key), Nonce::assume_unique_for_key(short)))
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
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(***)")
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, flow, plain: _ } = self;
        f.debug_struct("Opened")
            .field("version", version)
            .field("flow", flow)
            .finish_non_exhaustive()
    }
}

/// What stands in an envelope for a flow's hash, and the byte before it.
fn written(flow_hash: &str) -> (u8, Vec<u8>) {
    let packed = || {
        let digits = flow_hash.as_bytes().chunks_exact(2);
        let whole = digits.remainder().is_empty();
        let bytes = digits.map(|two| match two {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        });
        bytes.collect::<Option<Vec<u8>>>().filter(|_| whole)
    };
    let (flow, mark) = match packed() {
        Some(bytes) => (bytes, PACKED),
        None => (flow_hash.as_bytes().to_vec(), 0),
    };
    // No hash is as long as that; a length that is none is what then opens as altered.
    let length = u8::try_from(flow.len()).ok().filter(|length| *length < PACKED);
    (length.unwrap_or(PACKED - 1) | mark, flow)
}

fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// What [`written`] wrote, and what follows it.
fn read(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (flow, rest) = rest.split_at_checked(usize::from(length & !PACKED))?;
    let flow =
        if length & PACKED == 0 { std::str::from_utf8(flow).ok()?.to_owned() } else { hex(flow) };
    Some((flow, rest))
}

/// The flow's hash and what is sealed, of an envelope that is JSON.
fn read_json(envelope: &[u8]) -> Result<(String, Vec<u8>), EnvelopeError> {
    let altered = EnvelopeError::Altered;
    let Versioned { v } = serde_json::from_slice(envelope).map_err(|_| altered)?;
    if v != u64::from(VERSION_JSON) {
        return Err(EnvelopeError::UnknownVersion(v));
    }
    let read: Read = serde_json::from_slice(envelope).map_err(|_| altered)?;
    let sealed = STANDARD.decode(&read.sealed).map_err(|_| altered)?;
    Ok((read.flow, sealed))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from(if half < 10 { b'0' + half } else { b'a' + half - 10 }));
        }
    }
    text
}

fn hash_of<'a>(key: &hmac::Key, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut mac = hmac::Context::with_key(key);
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.sign().as_ref().first_chunk().copied().unwrap_or_default()
}

/// What a seal binds besides the contents.
fn bound(version: u64, kind: Kind, id: &str, flow: &str) -> Vec<u8> {
    let parts = [kind.word(), id, flow];
    let length = parts.iter().map(|part| size_of::<u64>() + part.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(size_of::<u64>() + length);
    bytes.extend_from_slice(&version.to_be_bytes());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests;
