//! Who may go first: no line takes more places than it leaves free, so that a line whose messages pile up, or
//! whose provider hangs, keeps nobody else waiting.
//!
//! A line alone may take half of the places, two lines a third each, and at least one place is left for the next
//! line. If an effect finds no place for its line, it is due again a little later, one after another, behind what
//! others have to do now.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{OUTBOX_PASSED_OVER_EVERY, OUTBOX_PASSED_OVER_WAIT_MAX, OUTBOX_TASKS_MAX};

/// The places of one server's outbox, by line.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<String, Line>>);

#[derive(Debug)]
struct Line {
    /// Effects that are being done.
    taken: usize,
    /// When the last of those that were passed over is due.
    queued_until: Instant,
}

/// A place; free again when dropped.
pub(super) struct Place<'a> {
    of: &'a Places,
    line: String,
}

impl Places {
    /// A place for an effect of this line; `None`: others go first.
    pub(super) fn of(&self, line: &str) -> Option<Place<'_>> {
        let now = Instant::now();
        let mut lines = self.all();
        lines.retain(|_, line| line.taken > 0 || line.queued_until > now);
        let taken: usize = lines.values().map(|line| line.taken).sum();
        let free = OUTBOX_TASKS_MAX.saturating_sub(taken);
        let known = lines.entry(line.to_owned()).or_insert(Line { taken: 0, queued_until: now });
        if known.taken >= free {
            return None;
        }
        known.taken = known.taken.saturating_add(1);
        Some(Place { of: self, line: line.to_owned() })
    }

    /// How long an effect waits that found no place: each a little longer than the one before.
    pub(super) fn wait(&self, line: &str) -> Duration {
        let now = Instant::now();
        let mut lines = self.all();
        let known = lines.entry(line.to_owned()).or_insert(Line { taken: 0, queued_until: now });
        let last = now + OUTBOX_PASSED_OVER_WAIT_MAX;
        known.queued_until = (known.queued_until.max(now) + OUTBOX_PASSED_OVER_EVERY).min(last);
        known.queued_until.duration_since(now)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(line) = self.of.all().get_mut(&self.line) {
            line.taken = line.taken.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_leaves_as_many_places_free_as_it_takes() {
        let places = Places::default();
        let all_of = |line: &str| std::iter::from_fn(|| places.of(line)).collect::<Vec<_>>();
        let first = all_of("a");
        assert_eq!(first.len(), OUTBOX_TASKS_MAX / 2);
        let second = all_of("b");
        assert_eq!(second.len(), OUTBOX_TASKS_MAX / 4);
        assert!(places.of("a").is_none());
        assert!(places.of("c").is_some(), "there is one for whoever comes next");
        drop(first);
        assert!(places.of("b").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_passed_over_waits_in_a_row_and_not_for_ever() {
        let places = Places::default();
        assert_eq!(places.wait("a"), OUTBOX_PASSED_OVER_EVERY);
        assert_eq!(places.wait("a"), 2 * OUTBOX_PASSED_OVER_EVERY);
        assert_eq!(places.wait("b"), OUTBOX_PASSED_OVER_EVERY);
        tokio::time::advance(OUTBOX_PASSED_OVER_EVERY).await;
        assert_eq!(places.wait("a"), 2 * OUTBOX_PASSED_OVER_EVERY);
        for _ in 0..100_000 {
            assert!(places.wait("a") <= OUTBOX_PASSED_OVER_WAIT_MAX);
        }
        tokio::time::advance(OUTBOX_PASSED_OVER_WAIT_MAX).await;
        drop(places.of("c"));
        assert_eq!(places.all().keys().collect::<Vec<_>>(), ["c"], "the others are forgotten");
    }
}
