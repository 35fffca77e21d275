//! A clock that is set before 1970 while a server runs.
//!
//! There is no date then to answer with, and what times the connections of a worker ends for good: from some
//! seconds later on none would be answered, also when the clock is right again. Such a server ends, so that
//! whatever looks after it starts another.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::SystemClock;

/// Workers look at the clock every half a second.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(100);

/// Looks until the server stops, and has it stop when the clock stands before 1970; says whether it does.
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
