//! The time, as a parameter.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// Tells the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock. Set back while the program runs, it goes on from where it was, so that nothing
/// lives longer for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// What the machine's clock said last, and when by the one that nobody sets.
static SAID: Mutex<Option<(Timestamp, Instant)>> = Mutex::new(None);

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall, tick) = (Timestamp::now(), Instant::now());
        let now = said.map_or(wall, |(last, at)| going_on(last, tick.duration_since(at), wall));
        *said = Some((now, tick));
        now
    }
}

impl SystemClock {
    /// Whether the machine's clock itself stands before 1970, whatever was shown before it was set there.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn stands_before_1970() -> bool {
        Timestamp::now() < Timestamp::UNIX_EPOCH
    }
}

/// What a clock shows that has shown `last` and then went on for `elapsed`, if the wall says `wall`.
fn going_on(last: Timestamp, elapsed: std::time::Duration, wall: Timestamp) -> Timestamp {
    let elapsed = SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::ZERO);
    last.checked_add(elapsed).map_or(wall, |gone_on| gone_on.max(wall))
}

/// A clock that stands still until it is moved: for replays and tests.
#[derive(Debug)]
pub struct VirtualClock(Mutex<Timestamp>);

impl VirtualClock {
    /// A clock that shows this moment.
    pub fn at(start: Timestamp) -> Self {
        Self(Mutex::new(start))
    }

    /// Sets it, which may be back.
    pub fn set(&self, to: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// Moves it on.
    pub fn advance(&self, by: std::time::Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        *now = now.checked_add(by).unwrap_or(Timestamp::MAX);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_set_back_goes_on_from_where_it_was() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let second = Duration::from_secs(1);
        assert_eq!(going_on(at(100), second, at(101)), at(101));
        assert_eq!(going_on(at(100), second, at(500)), at(500), "set forward");
        assert_eq!(going_on(at(100), second, at(0)), at(101), "set back");
    }
}
