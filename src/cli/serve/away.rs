//! A store that is away when the server starts.
//!
//! The server runs all the same, as one does whose store goes away later: it is not ready, and callers are put
//! through. If it ended instead, whatever starts servers would wait longer each time (Kubernetes up to five
//! minutes, Docker one), and nobody would answer callers meanwhile. But a store may belong to another house:
//! nothing is asked of it until we know that it does not.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{outlook, steps};
use crate::cli::configured::check_key;
use crate::cli::failure::Failure;
use crate::exchange::Exchange;
use crate::limits::{STORE_AWAY_TOLD_EVERY, STORE_LOOKED_FOR_EVERY};
use crate::store::counted::Known;
use crate::store::envelope::Vault;
use crate::store::{Store, StoreError};

/// Why the store is away, perhaps only for a moment; `None`: it is there, and ours. What waiting does not mend (a
/// wrong password, certificate or key, something that is not Redis) is a failure.
pub(super) async fn look(store: &dyn Store, vault: &Vault) -> Result<Option<StoreError>, Failure> {
    let looked = match store.ping().await {
        Ok(()) => check_key(store, vault).await,
        Err(error) => Err(Failure::Ping { error }),
    };
    match looked {
        Ok(()) => {
            steps::begin(store).await;
            Ok(None)
        }
        Err(Failure::Ping { error: error @ StoreError::Unavailable(_) }) => Ok(Some(error)),
        Err(failure) => Err(failure),
    }
}

/// The store that a server was started with.
pub(super) struct Awaited {
    away: Option<StoreError>,
    store: Arc<dyn Store>,
    vault: Vault,
    known: Known,
}

impl Awaited {
    /// The store as it was found, and who must be told once it is there.
    pub(super) fn new(
        away: Option<StoreError>,
        (store, vault): (Arc<dyn Store>, Vault),
        known: Known,
    ) -> Self {
        if away.is_none() {
            known.tell();
        }
        Self { away, store, vault, known }
    }

    /// Waits until it is there or the server stops; if waiting is no help, stops the server.
    pub(super) async fn wait(
        mut self,
        exchange: Arc<Exchange>,
        stop: CancellationToken,
    ) -> Result<(), Failure> {
        let mut told: Option<Instant> = None;
        while let Some(error) = self.away {
            if told.is_none_or(|told| told.elapsed() >= STORE_AWAY_TOLD_EVERY) {
                tracing::error!(%error, "not ready: the store is away; callers are put through until it is there");
                told = Some(Instant::now());
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(STORE_LOOKED_FOR_EVERY) => {}
            }
            self.away =
                look(self.store.as_ref(), &self.vault).await.inspect_err(|_| stop.cancel())?;
        }
        self.known.tell();
        if told.is_some() {
            tracing::info!("the store is there");
        }
        // It may answer, and still be a replica, or let us do less than turns need, which the probe tells too once that
        // was tried: an operator who starts it looks at the log, not at a probe.
        exchange.check_rights().await;
        if let Err(error) = exchange.probe().await {
            outlook::tell_not_ready(&error);
        }
        Ok(())
    }
}
