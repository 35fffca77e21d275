//! Limits lines of the log that strangers cause, or callers for whom there is no room: they can send and call as
//! much as they like, and would fill a disk.
//!
//! For each reason a few lines are written in a minute, and at its end one that says how many were left out.
//! Counters count everything.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::limits::REFUSALS_TOLD_A_MINUTE;

/// How many lines each reason has caused in this minute.
#[derive(Debug, Default)]
pub struct Few(Mutex<BTreeMap<&'static str, u64>>);

impl Few {
    /// Whether one more line may be written for this reason.
    pub fn may_tell(&self, reason: &'static str) -> bool {
        let mut lines = self.lines();
        let count = lines.entry(reason).or_default();
        *count += 1;
        *count <= REFUSALS_TOLD_A_MINUTE
    }

    /// The minute is over: logs what was left out in it.
    pub fn next_minute(&self) {
        let lines = take(&mut *self.lines());
        for (reason, count) in lines {
            let left_out = count.saturating_sub(REFUSALS_TOLD_A_MINUTE);
            if left_out > 0 {
                tracing::warn!(
                    reason,
                    left_out,
                    "more requests were refused for this reason in a minute than lines tell of"
                );
            }
        }
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_few_in_each_minute() {
        let few = Few::default();
        let told = |reason| (0..1_000).filter(|_| few.may_tell(reason)).count() as u64;
        for _ in 0..3 {
            assert_eq!(
                [told("a"), told("b"), told("a")],
                [REFUSALS_TOLD_A_MINUTE, REFUSALS_TOLD_A_MINUTE, 0]
            );
            few.next_minute();
        }
    }
}
