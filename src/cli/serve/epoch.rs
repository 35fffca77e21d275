//! A clock that is set before 1970 while a server runs.
//!
//! Then there is no date to answer with, and the timer of a worker's connections breaks for good: some seconds
//! later nothing would be answered, even when the clock is right again. Such a server ends, so that whatever
//! looks after it starts another.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::SystemClock;

/// Workers look at the clock twice a second.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(100);

/// Watches until the server stops, and stops it if the clock is before 1970; returns whether that happened.
pub(super) async fn watch(stop: CancellationToken) -> bool {
    let mut every = tokio::time::interval(LOOKED_AT_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return false,
            _ = every.tick() => {}
        }
        if SystemClock::stands_before_1970() {
            tracing::error!("the clock of this machine was set before 1970: callgate stops");
            stop.cancel();
            return true;
        }
    }
}
