//! The gate: how many turns are under way at once, and whether there is room for another call.
//!
//! When the store slows down, turns pile up. Calls in progress are always served; a new call is refused cheaply
//! while the house is full, so that those inside are not lost for the sake of newcomers.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::gauge::Gauge;

/// Counts turns in and out.
#[derive(Debug)]
pub struct Gate {
    turns: Gauge<u64, AtomicU64>,
    turns_max: u64,
}

/// A turn under way; dropped when it is over.
#[derive(Debug)]
pub(super) struct Pass(Gauge<u64, AtomicU64>);

impl Gate {
    /// A gate that is full at so many turns, and shows their number on this gauge.
    pub fn new(turns: Gauge<u64, AtomicU64>, turns_max: u64) -> Self {
        Self { turns, turns_max }
    }

    /// How many turns are under way.
    pub(super) fn turns(&self) -> u64 {
        self.turns.get()
    }

    pub(super) fn is_full(&self) -> bool {
        self.turns() >= self.turns_max
    }

    pub(super) fn pass(&self) -> Pass {
        self.turns.inc();
        Pass(self.turns.clone())
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.dec();
    }
}
