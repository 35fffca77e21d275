//! What an operator should know of the store: logged at the start, and anything new while the server runs. A
//! store, or a clock, may be set up differently while the house is open.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::exchange::Exchange;
use crate::limits;

/// Watches until the server stops.
pub(super) async fn watch(exchange: Arc<Exchange>, stop: CancellationToken) {
    let mut every = tokio::time::interval(limits::OUTLOOK_EVERY);
    let (mut told, mut answers) = (BTreeSet::new(), true);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        match exchange.check_rights().await {
            Some(Ok(())) => tracing::info!("the store lets us do again all that turns need"),
            Some(Err(error)) => tell_not_ready(&error),
            None => {}
        }
        match exchange.store().outlook(exchange.now()).await {
            Ok(advice) => {
                let advice = BTreeSet::from_iter(advice);
                for advice in advice.difference(&told) {
                    tracing::warn!(%advice, "the store is not what calls can rely on");
                }
                (told, answers) = (advice, true);
            }
            Err(error) if answers => {
                tracing::warn!(%error, "the store does not tell how it is set up");
                answers = false;
            }
            Err(_) => {}
        }
    }
}

pub(super) fn tell_not_ready(error: &dyn Display) {
    tracing::error!(%error, "not ready: turns cannot be taken, all or some, and their callers are put through");
}
