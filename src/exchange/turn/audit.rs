//! Writes the audit: entries with their turn, and links when a call is over or something happens outside calls.

use futures_util::future::join_all;
use serde::de::DeserializeOwned;

use crate::audit::{self, Bound, CallAudit, Head, Link};
use crate::engine::account::Whom;
use crate::engine::audit::Deed;
use crate::engine::effect::Effect;
use crate::engine::id::{CallId, EffectId};
use crate::engine::turn::Turn;
use crate::exchange::{Exchange, ExchangeError};
use crate::limits;
use crate::store::envelope::Kind;
use crate::store::{RecordKey, Revision};

/// A call that is over, whose audit is still to be written.
#[derive(Clone, Debug)]
pub struct Over {
    /// The call.
    pub call: CallId,
    /// The number of the turn that ended it.
    pub last: u64,
    /// The end of its chain, as that turn left it.
    pub head: Option<Head>,
}

impl Exchange {
    /// Chains what the turn noted to what the call has, and asks for the chain to be closed when the call is
    /// over.
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
            if turn.call.end.is_some() {
                let effect = EffectId::of(id, turn.call.turn, turn.effects.len());
                turn.effects.push((effect, Effect::CloseAudit(Some(head.clone()))));
                turn.entry.effects.push(effect);
            }
            turn.call.audit = Some(head);
        }
    }

    /// Writes down the audits of calls that are over, for as long as audits are kept, and appends their ends to
    /// one chain, as one link; says which ones are written. If that is done twice, there are two links to the
    /// same ends.
    pub async fn close_audits(&self, over: &[Over]) -> Result<Vec<CallId>, ExchangeError> {
        let found = join_all(over.iter().map(|over| self.audit_of(over))).await;
        let (mut done, mut ends, mut audits) = (Vec::new(), Vec::new(), Vec::new());
        let tell = |call: CallId, error: &ExchangeError| {
            tracing::warn!(call.id = %call, %error, "an audit could not be put down");
        };
        for (over, found) in over.iter().zip(found) {
            match found {
                Ok(Some((head, audit))) => {
                    ends.push((over.call, head));
                    audits.push((audit::call_key(over.call), audit));
                }
                Ok(None) => done.push(over.call),
                Err(error) => tell(over.call, &error),
            }
        }
        let now = self.clock.now();
        let put = self.begin_records(&audits, (limits::AUDIT_RETENTION, now), CallAudit::put).await;
        let put = ends.into_iter().zip(put).filter_map(|((call, head), put)| {
            put.inspect_err(|error| tell(call, error)).is_ok().then_some((call, head))
        });
        let ends: Vec<_> = put.collect();
        done.extend(ends.iter().map(|(call, _)| *call));
        let Some((first, head)) = ends.first().cloned() else { return Ok(done) };
        let what = if ends.len() == 1 { Bound::Call(first, head) } else { Bound::Calls(ends) };
        self.bind(audit::chain_of_call(first), what).await?;
        Ok(done)
    }

    /// An audit to be written down, and how its chain ends; `None`: it is empty.
    async fn audit_of(&self, over: &Over) -> Result<Option<(Head, CallAudit)>, ExchangeError> {
        let Over { call, last, ref head } = *over;
        let ends_so = |entries: &[audit::Entry], head: &Head| {
            entries.last().is_some_and(|entry| entry.hash == head.hash)
        };
        let mut entries = match self.recent.audit_of(call) {
            Some(entries) => entries,
            None => self.audited(call).await?,
        };
        let head = if let Some(head) = head.clone().filter(|head| ends_so(&entries, head)) {
            head
        } else {
            // The journal is an older copy, or altered: what there is of it is compared with the call.
            let loaded = self.load_since(call, last).await?;
            let Some(head) = loaded.call.audit else { return Ok(None) };
            entries = self.audited(call).await?;
            head
        };
        Ok(Some((head, CallAudit { entries })))
    }

    /// What the journal of a call has for the audit, oldest first.
    async fn audited(&self, call: CallId) -> Result<Vec<audit::Entry>, ExchangeError> {
        #[derive(serde::Deserialize)]
        struct Audited {
            #[serde(default)]
            audit: Vec<audit::Entry>,
        }
        let journal = self.journal_of::<Audited>(call).await?;
        Ok(journal.into_iter().flat_map(|entry| entry.audit).collect())
    }

    /// Writes down something that happened outside any call.
    pub async fn audit_outside(&self, whom: &Whom, deed: Deed) -> Result<(), ExchangeError> {
        let about = self.reference(whom);
        self.bind(audit::chain_of(&about), Bound::Deed { about, deed }).await
    }

    /// Appends a link to a chain: whoever creates the record of the next number has appended it, so that two at
    /// once make two links.
    async fn bind(&self, chain: u64, what: Bound) -> Result<(), ExchangeError> {
        let head_key = audit::head_key(chain);
        let said = self.opened_in::<Head>(&head_key).await?;
        let said_in = said.as_ref().map(|(revision, _)| *revision);
        let mut head = said.map(|(_, head)| head).unwrap_or_default();
        for _ in 0..limits::AUDIT_TRIES_MAX {
            let now = self.clock.now();
            let link = Link::after(head.clone(), &self.vault, chain, now, what.clone());
            let next = link.head();
            let key = audit::link_key(chain, next.number);
            let expires = (limits::AUDIT_RETENTION, now);
            if self.swap(&key, None, &link, expires).await? {
                // Usually nobody else has appended meanwhile.
                let kept_for = (limits::AUDIT_HEAD_RETENTION, now);
                if self.swap(&head_key, said_in, &next, kept_for).await? {
                    return Ok(());
                }
                return self.advance(chain, next).await;
            }
            // Another one has this number, and has perhaps not told the length yet.
            let Some(link) = self.opened::<Link>(&key).await? else { continue };
            head = link.head();
        }
        Err(ExchangeError::Contended)
    }

    /// Writes down how long a chain has become, unless a greater length is written already.
    async fn advance(&self, chain: u64, to: Head) -> Result<(), ExchangeError> {
        let advance = |head: &mut Head| {
            if head.number < to.number {
                *head = to.clone();
            }
        };
        let (key, now) = (audit::head_key(chain), self.clock.now());
        self.change_record(&key, limits::AUDIT_HEAD_RETENTION, now, advance).await
    }

    pub(in crate::exchange) async fn opened<T: DeserializeOwned>(
        &self,
        key: &RecordKey,
    ) -> Result<Option<T>, ExchangeError> {
        Ok(self.opened_in(key).await?.map(|(_, record)| record))
    }

    /// A record, and the revision at which it was read.
    async fn opened_in<T: DeserializeOwned>(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(Revision, T)>, ExchangeError> {
        let Some((revision, bytes)) = self.store.read(key).await? else { return Ok(None) };
        Ok(Some((revision, self.open(Kind::Record, &key.id, &bytes)?)))
    }

    /// What stands for an account in the audit: a keyed hash that is not a key of the store.
    pub(in crate::exchange) fn reference(&self, whom: &Whom) -> String {
        audit::reference(&self.vault, whom)
    }
}
