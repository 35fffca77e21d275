//! The time, as a parameter.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use crate::limits;

/// Tells the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock. If it is set back while the program runs, this one goes on from where it was, so that
/// nothing lives longer. If it is set far forward, this one may do so too until somebody confirms the new time
/// (see [`SystemClock::ask_before_steps`]), so that nothing ends too early.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// What the machine's clock shows in this process.
static FACE: Mutex<Face> = Mutex::new(Face { shown: None, asks: false, ahead: None });

#[derive(Debug)]
struct Face {
    /// What was shown last, and when by the clock that nobody sets.
    shown: Option<(Timestamp, Instant)>,
    /// Whether somebody is asked before a large step forward is followed.
    asks: bool,
    /// How far the machine's clock is ahead of what is shown, while the answer is awaited.
    ahead: Option<SignedDuration>,
}

impl Face {
    /// What to show when the machine's clock says `wall`.
    fn look(&mut self, wall: Timestamp, tick: Instant) -> Timestamp {
        let gone_on = self.shown.and_then(|(last, at)| {
            let elapsed = SignedDuration::try_from(tick.duration_since(at)).ok()?;
            last.checked_add(elapsed).ok()
        });
        let ahead = gone_on.map_or(SignedDuration::ZERO, |gone_on| wall.duration_since(gone_on));
        self.ahead = (self.asks && ahead > limits::CLOCK_STEP_MAX).then_some(ahead);
        let now = match gone_on {
            Some(gone_on) if ahead.is_negative() || self.ahead.is_some() => gone_on,
            _ => wall,
        };
        self.shown = Some((now, tick));
        now
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        face().look(Timestamp::now(), Instant::now())
    }
}

impl SystemClock {
    /// Whether the machine's clock itself is before 1970, whatever was shown before it was set there.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn stands_before_1970() -> bool {
        Timestamp::now() < Timestamp::UNIX_EPOCH
    }

    /// From now on a step forward of more than [`limits::CLOCK_STEP_MAX`] is not followed before
    /// [`SystemClock::follow`] is called.
    pub fn ask_before_steps() {
        face().asks = true;
    }

    /// Like a machine whose clock was further ahead than that of the others at the start: what is shown begins at
    /// their time, and such a step is not followed either. Returns how far ahead it is.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn begin_no_later_than(theirs: Timestamp) -> Option<SignedDuration> {
        let ahead = Timestamp::now().duration_since(theirs);
        if ahead <= limits::CLOCK_STEP_MAX {
            return None;
        }
        let mut face = face();
        face.shown = Some((theirs, Instant::now()));
        face.asks = true;
        Some(ahead)
    }

    /// How far the machine's clock was set forward without being followed.
    pub fn ahead(self) -> Option<SignedDuration> {
        self.now();
        face().ahead
    }

    /// Shows what the machine's clock says, however far it was set forward.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn follow() {
        let mut face = face();
        face.shown = Some((Timestamp::now(), Instant::now()));
        face.ahead = None;
    }
}

fn face() -> MutexGuard<'static, Face> {
    FACE.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Moves it forward.
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

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// What is shown when the machine's clock says this, a second later each time.
    fn shows(asks: bool, walls: &[i64]) -> (Vec<Timestamp>, Option<SignedDuration>) {
        let mut face = Face { shown: None, asks, ahead: None };
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        let ticks = std::iter::successors(Some(begun), |tick| Some(*tick + second));
        let shown = walls.iter().zip(ticks).map(|(wall, tick)| face.look(at(*wall), tick));
        (shown.collect(), face.ahead)
    }

    #[test]
    fn a_clock_set_back_goes_on_from_where_it_was() {
        for asks in [false, true] {
            let (shown, ahead) = shows(asks, &[100, 101, 0, 1, 103, 105]);
            assert_eq!(shown, [100, 101, 102, 103, 104, 105].map(at));
            assert_eq!(ahead, None);
        }
    }

    #[test]
    fn a_clock_set_forward_is_followed_at_once_unless_somebody_is_to_be_asked() {
        assert_eq!(shows(false, &[100, 9_000]), ([100, 9_000].map(at).into(), None));
        let (shown, ahead) = shows(true, &[100, 106, 9_000, 9_001]);
        assert_eq!(shown, [100, 106, 107, 108].map(at), "what is near is followed");
        assert_eq!(ahead, Some(SignedDuration::from_secs(8_893)));
        let (shown, ahead) = shows(true, &[100, 9_000, 102]);
        assert_eq!(shown, [100, 101, 102].map(at), "and set right again");
        assert_eq!(ahead, None);
    }
}
