//! The audits of calls that are over, written down many at a time: they wait only for the store, and one link of
//! a chain binds them all.

use super::{DELIVERY_MAX, Outbox};
use crate::engine::effect::Effect;
use crate::engine::id::EffectId;
use crate::exchange::{ExchangeError, Over};
use crate::store::{Claimed, Due, DueWhat, Lease};

/// An audit to be written down, claimed.
pub(super) struct Audit {
    effect: EffectId,
    lease: Lease,
    over: Over,
}

impl Outbox {
    /// The audit to be written down, if that is what is due.
    pub(super) fn audit_in(&self, due: &Due) -> Option<Audit> {
        let DueWhat::Effect { id, body, .. } = &due.what else { return None };
        let posted = self.exchange.open_effect(*id, body)?;
        let Effect::CloseAudit(head) = posted.effect else { return None };
        let over = Over { call: due.call, last: posted.turn, head };
        Some(Audit { effect: *id, lease: due.lease, over })
    }

    /// Writes audits down, and settles those that are written.
    pub(super) async fn close_audits(&self, audits: Vec<Audit>) {
        let held: Vec<_> = audits
            .into_iter()
            .filter_map(|audit| Some((self.in_hand.take(audit.effect, audit.lease)?, audit)))
            .collect();
        let audits: Vec<&Audit> = held.iter().map(|(_, audit)| audit).collect();
        let closed = tokio::time::timeout(DELIVERY_MAX, Box::pin(self.close(&audits))).await;
        // A failure here loses nothing: the leases end, and they are due again.
        match closed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "audits could not be closed"),
            Err(_) => tracing::warn!("audits took too long and are left to their leases"),
        }
    }

    async fn close(&self, audits: &[&Audit]) -> Result<(), ExchangeError> {
        let over: Vec<Over> = audits.iter().map(|audit| audit.over.clone()).collect();
        let done = self.exchange.close_audits(&over).await?;
        let done = audits.iter().filter(|audit| done.contains(&audit.over.call));
        let claimed = done.map(|audit| Claimed {
            call: audit.over.call,
            effect: audit.effect,
            lease: self.in_hand.lease_of(audit.effect).unwrap_or(audit.lease),
        });
        for settled in self.exchange.store().settle_all(&claimed.collect::<Vec<_>>()).await {
            settled?;
        }
        Ok(())
    }
}
