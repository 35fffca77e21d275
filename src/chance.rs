//! Randomness, as a parameter.

use std::sync::atomic::{AtomicU64, Ordering};

use rand::Rng as _;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::secret::Secret;

/// A source of randomness.
pub trait Chance: Send + Sync + std::fmt::Debug {
    /// 32 bytes that nobody can guess.
    fn bytes(&self) -> [u8; 32];
}

/// Randomness that is seeded by the operating system: each thread has a generator fit for keys (`ChaCha`, seeded
/// again every 64 KiB), because a turn draws half a dozen times and need not ask the system each time. Without a
/// first seed no secret can be made: then the thread that draws panics.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemChance;

impl Chance for SystemChance {
    #[expect(clippy::disallowed_methods, reason = "the one place that draws")]
    fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        bytes
    }
}

/// Randomness from a seed: the same every time, for replays and tests.
#[derive(Debug)]
pub struct SeededChance {
    seed: u64,
    drawn: AtomicU64,
}

impl SeededChance {
    /// From this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }
}

impl Chance for SeededChance {
    fn bytes(&self) -> [u8; 32] {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(drawn.to_be_bytes());
        hash.finalize().into()
    }
}

/// A random id.
pub fn id(chance: &dyn Chance) -> Uuid {
    let bytes = chance.bytes();
    let random = bytes.first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_random_bytes(random).into_uuid()
}

/// A code of this many digits (at most 18), each equally likely, leading zeros kept.
pub fn code(chance: &dyn Chance, digits: u32) -> Secret {
    let digits = digits.min(18);
    let span = 10_u64.pow(digits);
    // What lies above the last whole multiple would make small codes likelier: in that case it draws again.
    let bound = u64::MAX - u64::MAX % span;
    loop {
        let bytes = chance.bytes();
        let drawn = u64::from_be_bytes(bytes.first_chunk().copied().unwrap_or_default());
        if drawn < bound {
            let width = usize::try_from(digits).unwrap_or(0);
            return Secret::new(format!("{:0width$}", drawn % span));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_their_length_and_every_digit_is_as_likely() {
        let chance = SeededChance::new(7);
        let mut counts = [0_u32; 10];
        let mut leading_zeros = 0;
        for _ in 0..20_000 {
            let code = code(&chance, 6);
            let code = code.expose();
            assert_eq!(code.len(), 6);
            leading_zeros += u32::from(code.starts_with('0'));
            for digit in code.bytes() {
                counts[usize::from(digit - b'0')] += 1;
            }
        }
        // Chi-square with 9 degrees of freedom: 27.9 is exceeded once in a thousand.
        let expected = 12_000.0;
        let chi: f64 = counts.iter().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
        assert!(chi < 27.9, "{counts:?}");
        assert!((1_800..2_200).contains(&leading_zeros), "{leading_zeros}");
    }

    #[test]
    fn a_seed_gives_the_same_again() {
        assert_eq!(id(&SeededChance::new(1)), id(&SeededChance::new(1)));
        assert_ne!(id(&SeededChance::new(1)), id(&SeededChance::new(2)));
        assert_ne!(id(&SystemChance), id(&SystemChance));
    }
}
