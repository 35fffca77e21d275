//! The one source of chance in a run: the same seed throws the same again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The dice.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Any number: `SplitMix64`.
    pub(crate) fn any(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.any() % end.max(1)
    }

    pub(crate) fn index(&self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    /// Whether something happens that happens so often in a thousand.
    pub(crate) fn falls(&self, in_thousand: u64) -> bool {
        self.below(1_000) < in_thousand
    }

    /// So many milliseconds, from the first to the last.
    pub(crate) fn ms(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from + 1))
    }

    /// Digits, so many.
    pub(crate) fn digits(&self, count: u32) -> String {
        let width = usize::try_from(count).unwrap();
        format!("{:0width$}", self.below(10_u64.pow(count)))
    }
}
