//! What the provider reported while the store was away, and will not report again: a caller has hung up, a
//! message did not arrive.
//!
//! It is kept in memory and noted when the store is back. A server that ends meanwhile forgets it; then the
//! call's deadline finds out, minutes later, and until then a caller who hung up keeps their place at the
//! account.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;

use crate::engine::id::CallId;
use crate::exchange::ExchangeError;
use crate::limits::{STATUS_KEPT_FOR, STATUS_WAIT_MAX, STATUS_WAIT_MIN, STATUSES_KEPT_MAX};

/// Room for what is kept.
#[derive(Debug)]
pub struct Kept(Arc<Semaphore>);

impl Default for Kept {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(STATUSES_KEPT_MAX)))
    }
}

impl Kept {
    /// Tries again, more and more rarely, until the store is back; `false`: there is no room.
    pub(super) fn keep<T, W>(&self, call: CallId, note: impl Fn() -> W + Send + 'static) -> bool
    where
        W: Future<Output = Result<T, ExchangeError>> + Send,
    {
        let Ok(place) = self.0.clone().try_acquire_owned() else { return false };
        let until = Instant::now() + STATUS_KEPT_FOR;
        let trying = async move {
            let _place = place;
            let mut wait = STATUS_WAIT_MIN;
            loop {
                sleep(wait).await;
                match note().await {
                    Ok(_) => {
                        tracing::info!(call.id = %call, "a status that was kept is noted");
                        return;
                    }
                    Err(error) if error.store_is_away() && Instant::now() + wait < until => {}
                    Err(error) => {
                        tracing::error!(call.id = %call, %error, "a status was kept in vain");
                        return;
                    }
                }
                wait = (wait * 2).min(STATUS_WAIT_MAX);
            }
        };
        tokio::spawn(trying.in_current_span());
        true
    }
}
