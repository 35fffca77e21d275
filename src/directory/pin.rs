//! PINs at rest: Argon2id over a keyed hash.
//!
//! The key makes it strong: a PIN has only a million values, and without the key none of them can be tried.

pub mod choice;
pub mod own;
pub mod popular;

use std::cell::RefCell;
use std::sync::LazyLock;

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;

use crate::chance::Chance;
use crate::secret::Secret;
use crate::store::envelope::Vault;

/// 19 MiB, two passes, one lane: the least that OWASP recommends.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// The most that a hash made elsewhere may take: the second recommendation of RFC 9106 (section 4), 64 MiB and
/// three passes. Otherwise whoever writes the accounts could let each check of a PIN take all the memory, or
/// minutes.
const MEMORY_KIB_MAX: u32 = 64 * 1024;
/// The memory times the passes, likewise.
const WORK_KIB_MAX: u32 = 3 * MEMORY_KIB_MAX;
/// The hash of a secret that nobody knows.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a text cannot serve as the hash of a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// It is no hash.
    #[error("is not an Argon2id hash")]
    NoHash,
    /// It is a hash, but checking a PIN against it would keep callers waiting.
    #[error(
        "takes too much to try a PIN at: more than {} MiB, or than {} MiB in one pass",
        MEMORY_KIB_MAX / 1024,
        WORK_KIB_MAX / 1024
    )]
    Costly,
}

/// What a PIN is checked against.
#[derive(Clone)]
pub enum StoredPin {
    /// A hash in the PHC format.
    Hashed(String),
    /// The PIN itself: only in fixtures and in the demo.
    Plain(Secret),
}

impl std::fmt::Debug for StoredPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredPin(***)")
    }
}

impl StoredPin {
    /// A hash as [`hash`] writes it.
    pub fn hashed(text: &str) -> Result<Self, HashError> {
        let hash = PasswordHash::new(text).map_err(|_| HashError::NoHash)?;
        if hash.algorithm.as_str() != "argon2id" {
            return Err(HashError::NoHash);
        }
        let params = Params::try_from(&hash).map_err(|_| HashError::NoHash)?;
        let work = params.m_cost().saturating_mul(params.t_cost());
        if params.m_cost() > MEMORY_KIB_MAX || work > WORK_KIB_MAX {
            return Err(HashError::Costly);
        }
        Ok(Self::Hashed(text.to_owned()))
    }

    /// A PIN as it is.
    pub fn plain(text: &str) -> Self {
        Self::Plain(Secret::new(text))
    }

    /// What an entry is checked against if there is no PIN: the same work as for any other, and the result never
    /// counts.
    pub fn of_nobody() -> Self {
        Self::Hashed(NOBODY.to_owned())
    }

    /// Whether the entry is the PIN. A hash takes some 20 ms of a processor, and the thread keeps its memory for
    /// the next one: do not call this on an async worker.
    pub fn is(&self, entry: &Secret, vault: &Vault) -> bool {
        match self {
            Self::Plain(pin) => pin.expose().as_bytes().ct_eq(entry.expose().as_bytes()).into(),
            Self::Hashed(text) => is_hash_of(text, &keyed(entry, vault)).unwrap_or(false),
        }
    }
}

/// The hash of a PIN, to be put into the accounts file.
pub fn hash(pin: &Secret, vault: &Vault, chance: &dyn Chance) -> Option<String> {
    let salt = chance.bytes();
    let salt = salt.get(..16)?;
    let hash = hasher().hash_password_with_salt(&keyed(pin, vault), salt).ok()?;
    Some(hash.to_string())
}

/// The hash as [`argon2::PasswordVerifier`] computes it, in memory that is at hand; `None`: the text is no hash,
/// or there is no memory for it.
fn is_hash_of(text: &str, keyed: &[u8]) -> Option<bool> {
    thread_local! {
        /// The memory of the last hash: getting so much from the system, page by page, takes a third of the time
        /// of a hash.
        static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
    }
    let hash = PasswordHash::new(text).ok()?;
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let version = hash.version.map(Version::try_from).transpose().ok()?.unwrap_or_default();
    let params = Params::try_from(&hash).ok()?;
    let (salt, output) = (hash.salt?, hash.hash?);
    let blocks = params.block_count();
    let hasher = Argon2::new(algorithm, version, params);
    let mut found = [0; Output::MAX_LENGTH];
    let found = found.get_mut(..output.len())?;
    MEMORY.with_borrow_mut(|memory| {
        memory.try_reserve_exact(blocks.saturating_sub(memory.len())).ok()?;
        memory.resize(blocks, Block::default());
        hasher.hash_password_into_with_memory(keyed, &salt, found, memory).ok()
    })?;
    Some(found.ct_eq(output.as_bytes()).into())
}

fn keyed(pin: &Secret, vault: &Vault) -> [u8; 32] {
    vault.keyed_hash("pin", &[pin.expose().as_bytes()])
}

fn hasher() -> &'static Argon2<'static> {
    static HASHER: LazyLock<Argon2<'static>> = LazyLock::new(|| {
        let params = Params::new(MEMORY_KIB, PASSES, 1, None).unwrap_or_default();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
    });
    &HASHER
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    #[test]
    fn a_hash_needs_the_pin_and_the_key() {
        let (vault, chance) = (Vault::new(&[7; 32]), SeededChance::new(1));
        let pin = Secret::new("246813");
        let text = hash(&pin, &vault, &chance).unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        let stored = StoredPin::hashed(&text).unwrap();
        assert!(stored.is(&pin, &vault));
        assert!(!stored.is(&Secret::new("246814"), &vault));
        assert!(!stored.is(&pin, &Vault::new(&[8; 32])));
    }

    #[test]
    fn a_hash_is_held_against_as_it_was_made() {
        let (vault, pin, salt) = (Vault::new(&[7; 32]), Secret::new("246813"), [9; 16]);
        for (memory_kib, passes, lanes) in [(1_024, 1, 2), (64, 3, 1), (2_048, 1, 1)] {
            let params = Params::new(memory_kib, passes, lanes, Some(24)).unwrap();
            let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x10, params);
            let hash = hasher.hash_password_with_salt(&keyed(&pin, &vault), &salt).unwrap();
            let stored = StoredPin::hashed(&hash.to_string()).unwrap();
            assert!(stored.is(&pin, &vault), "{hash}");
            assert!(!stored.is(&Secret::new("246814"), &vault), "{hash}");
        }
    }

    #[test]
    fn nobody_is_as_much_work_as_anybody_and_never_right() {
        let (vault, chance) = (Vault::new(&[7; 32]), SeededChance::new(1));
        let text = hash(&Secret::new("246813"), &vault, &chance).unwrap();
        let parameters = |text: &str| text.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(parameters(&text), parameters(NOBODY));
        assert_eq!(text.len(), NOBODY.len());
        assert!(StoredPin::hashed(NOBODY).is_ok());
        assert!(!StoredPin::of_nobody().is(&Secret::new(""), &vault));
    }

    #[test]
    fn only_argon2id_is_a_hash() {
        for text in [
            "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A",
            "1234",
        ] {
            assert_eq!(StoredPin::hashed(text).err(), Some(HashError::NoHash), "{text}");
        }
    }

    #[test]
    fn a_hash_costs_no_more_than_callers_can_wait_for() {
        let with = |costs: &str| {
            let text = format!(
                "$argon2id$v=19${costs}$c29tZXNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A"
            );
            StoredPin::hashed(&text).err()
        };
        for costs in ["m=19456,t=2,p=1", "m=65536,t=3,p=4", "m=47104,t=1,p=1", "m=7168,t=5,p=1"] {
            assert_eq!(with(costs), None, "{costs}");
        }
        for costs in
            ["m=65537,t=1,p=1", "m=2097152,t=1,p=4", "m=19456,t=11,p=1", "m=8,t=4294967295,p=1"]
        {
            assert_eq!(with(costs), Some(HashError::Costly), "{costs}");
        }
    }
}
