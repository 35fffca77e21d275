//! A clock that is far ahead when a server starts, or is set far forward while it runs.
//!
//! By such a clock every code has expired and every call has lasted too long: a server that believed it would end
//! the calls of all others. So the store is asked, which has a clock of its own, and until that agrees the server
//! goes on from where it was. An embedded store has none, and its server believes the machine.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::clock::SystemClock;
use crate::exchange::Exchange;
use crate::limits;
use crate::store::Store;

/// Uses the time of the store if that of the machine is far ahead of it at the start: by such a time, everything
/// that others do would be late.
pub(super) async fn begin(store: &dyn Store) {
    // If it does not answer in time, it is asked later how far apart they are.
    let Ok(Some(there)) = store.time().await else { return };
    if let Some(ahead) = SystemClock::begin_no_later_than(there) {
        tracing::error!(
            seconds = ahead.as_secs(),
            "the clock of this machine is ahead of that of the store: this server begins by the time of the store"
        );
    }
}

/// Watches until the server stops.
pub(super) async fn watch(exchange: Arc<Exchange>, stop: CancellationToken) {
    if matches!(exchange.store().time().await, Ok(None)) {
        return;
    }
    SystemClock::ask_before_steps();
    let mut told = false;
    loop {
        let wait = if told { limits::OUTLOOK_EVERY } else { limits::CLOCK_LOOKED_AT_EVERY };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        let Some(ahead) = SystemClock.ahead() else {
            told = false;
            continue;
        };
        // A store that does not answer is asked again.
        let Ok(Some(there)) = exchange.store().time().await else { continue };
        let seconds = ahead.as_secs();
        if there.duration_since(exchange.now()) > ahead / 2 {
            SystemClock::follow();
            tracing::warn!(
                seconds,
                "the clock of this machine was set forward; so is that of the store, and it is followed"
            );
        } else if !told {
            told = true;
            tracing::error!(
                seconds,
                "the clock of this machine was set forward and that of the store was not: this server goes on by the \
                 time that it had; set the clock right (NTP)"
            );
        }
    }
}
