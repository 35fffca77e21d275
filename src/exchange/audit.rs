//! Writing the audit: entries with their turn, and links when a call is over or something happens
//! outside calls.

use super::{Exchange, ExchangeError, later};
use crate::audit::{self, Bound, CallAudit, Head, Link};
use crate::engine::account::Whom;
use crate::engine::audit::Deed;
use crate::engine::effect::Effect;
use crate::engine::id::{CallId, EffectId};
use crate::engine::turn::Turn;
use crate::limits;
use crate::store::RecordKey;
use crate::store::envelope::Kind;

impl Exchange {
    /// Chains what the turn noted to what the call has, and has the chain closed when the call is over.
    pub(super) fn chain(&self, turn: &mut Turn) {
        let (id, now) = (turn.call.id, turn.entry.moment.now);
        let mut head = turn.call.audit.take().unwrap_or_default();
        for noted in &turn.noted {
            let about = self.reference(&noted.whom);
            let entry = audit::entry_after(&head, &self.vault, id, now, about, noted.deed.clone());
            head = entry.head();
            turn.entry.audit.push(entry);
        }
        if head.number > 0 {
            turn.call.audit = Some(head);
            if turn.call.end.is_some() {
                let effect = EffectId::of(id, turn.call.turn, turn.effects.len());
                turn.effects.push((effect, Effect::CloseAudit));
                turn.entry.effects.push(effect);
            }
        }
    }

    /// Puts the audit of a call that is over down for as long as audits are kept, and appends its end
    /// to its partition's chain. `last` is the number of the turn that ended it. Done twice it is bound
    /// twice, to the same end.
    pub async fn close_audit(&self, call: CallId, last: u64) -> Result<(), ExchangeError> {
        let loaded = self.load_since(call, last).await?;
        let Some(head) = loaded.call.audit else { return Ok(()) };
        let journal = self.journal(call).await?;
        let entries: Vec<_> = journal.into_iter().flat_map(|entry| entry.audit).collect();
        let put = |record: &mut CallAudit| record.entries.clone_from(&entries);
        let now = self.clock.now();
        self.change_record(&audit::call_key(call), limits::AUDIT_RETENTION, now, put).await?;
        self.bind(audit::chain_of_call(call), Bound::Call(call, head)).await
    }

    /// Writes down something that happens outside any call.
    pub async fn audit_outside(&self, whom: &Whom, deed: Deed) -> Result<(), ExchangeError> {
        let about = self.reference(whom);
        self.bind(audit::chain_of(&about), Bound::Deed { about, deed }).await
    }

    /// Appends a link to a chain: whoever makes the record of the next number has appended, so that
    /// two at once make two links.
    async fn bind(&self, chain: u64, what: Bound) -> Result<(), ExchangeError> {
        let mut head: Head = self.opened(&audit::head_key(chain)).await?.unwrap_or_default();
        for _ in 0..limits::AUDIT_TRIES_MAX {
            let now = self.clock.now();
            let link = Link::after(head.clone(), &self.vault, chain, now, what.clone());
            let next = link.head();
            let key = audit::link_key(chain, next.number);
            let plain = super::json(&link);
            let sealed = self.vault.seal(Kind::Record, &key.id, "", &plain, self.seal_nonce());
            let expires = later(now, limits::AUDIT_RETENTION);
            if self.store.swap(&key, None, &sealed, expires, now).await? {
                return self.advance(chain, next).await;
            }
            // Another got the number, and has perhaps not said so yet.
            let Some(link) = self.opened::<Link>(&key).await? else { continue };
            head = link.head();
        }
        Err(ExchangeError::Contended)
    }

    /// Says how long a chain has become; one that says more already is left.
    async fn advance(&self, chain: u64, to: Head) -> Result<(), ExchangeError> {
        let advance = |head: &mut Head| {
            if head.number < to.number {
                *head = to.clone();
            }
        };
        let (key, now) = (audit::head_key(chain), self.clock.now());
        self.change_record(&key, limits::AUDIT_HEAD_RETENTION, now, advance).await
    }

    pub(super) async fn opened<T: serde::de::DeserializeOwned>(
        &self,
        key: &RecordKey,
    ) -> Result<Option<T>, ExchangeError> {
        let Some((_, bytes)) = self.store.read(key).await? else { return Ok(None) };
        let opened = self
            .vault
            .open(Kind::Record, &key.id, &bytes)
            .map_err(|error| ExchangeError::Sealed("audit record", error))?;
        let read = serde_json::from_slice(&opened.plain);
        read.map(Some).map_err(|_| ExchangeError::Unreadable("audit record"))
    }

    /// What stands for an account in the audit: a keyed hash that is no key of the store.
    pub(super) fn reference(&self, whom: &Whom) -> String {
        let subject = self.subject(whom);
        self.vault.keyed_hex("audit reference", &[subject.as_bytes()])
    }
}
