//! The store that forgets everything with the process: for tests, `simulate` and `replay`.
//!
//! One mutex over plain maps. It is also the model that the other two are compared with, so it is
//! written for reading, not for speed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Backlog, Claim, Claimed, Commit, Committed, Due, DueWhat, Lease, RecordKey, Revision, Store,
    StoreError, Stored, Swap, at_us, due_us, now_us,
};
use crate::engine::id::{CallId, EffectId};

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    calls: HashMap<CallId, Call>,
    effects: BTreeMap<(CallId, EffectId), Effect>,
    /// `None` is the call's deadline, which comes before its effects.
    due: BTreeSet<(i64, DueKey)>,
    begun: BTreeSet<(i64, CallId)>,
    records: HashMap<RecordKey, Record>,
}

#[derive(Debug)]
struct Call {
    stored: Stored,
    begun_us: i64,
    expires_us: i64,
    deadline_us: Option<i64>,
    journal: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Effect {
    due_us: i64,
    lease: Option<Lease>,
    attempt: u32,
    body: Vec<u8>,
}

#[derive(Debug)]
struct Record {
    revision: Revision,
    value: Vec<u8>,
    expires_us: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum DueKey {
    Deadline(CallId),
    Effect(CallId, EffectId),
}

impl DueKey {
    fn call(self) -> CallId {
        match self {
            Self::Deadline(call) | Self::Effect(call, _) => call,
        }
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget_call(&mut self, id: CallId) {
        let Some(call) = self.calls.remove(&id) else { return };
        self.begun.remove(&(call.begun_us, id));
        if let Some(at) = call.deadline_us {
            self.due.remove(&(at, DueKey::Deadline(id)));
        }
        let range = (id, EffectId(Uuid::nil()))..=(id, EffectId(Uuid::max()));
        let effects: Vec<EffectId> = self.effects.range(range).map(|((_, id), _)| *id).collect();
        for effect in effects {
            self.forget_effect(id, effect);
        }
    }

    fn forget_effect(&mut self, call: CallId, id: EffectId) {
        if let Some(effect) = self.effects.remove(&(call, id)) {
            self.due.remove(&(effect.due_us, DueKey::Effect(call, id)));
        }
    }

    fn commit(&mut self, commit: &Commit, now_us: i64) -> Committed {
        let id = commit.call;
        if self.calls.get(&id).is_some_and(|call| call.expires_us <= now_us) {
            self.forget_call(id);
        }
        let verdict = commit.against(self.calls.get(&id).map(|call| call.stored.version));
        if verdict != Committed::Applied {
            return verdict;
        }

        let deadline_us = commit.deadline.map(due_us);
        let call = self.calls.entry(id).or_insert_with(|| {
            self.begun.insert((now_us, id));
            Call {
                stored: Stored { version: commit.version, state: Vec::new() },
                begun_us: now_us,
                expires_us: 0,
                deadline_us: None,
                journal: Vec::new(),
            }
        });
        if let Some(at) = call.deadline_us {
            self.due.remove(&(at, DueKey::Deadline(id)));
        }
        if let Some(at) = deadline_us {
            self.due.insert((at, DueKey::Deadline(id)));
        }
        call.stored = Stored { version: commit.version, state: commit.state.clone() };
        call.expires_us = due_us(commit.expires_at);
        call.deadline_us = deadline_us;
        call.journal.push(commit.entry.clone());

        for settled in &commit.settled {
            self.forget_effect(id, *settled);
        }
        for new in &commit.effects {
            self.forget_effect(id, new.id);
            let due_us = due_us(new.due);
            let effect = Effect { due_us, lease: None, attempt: 0, body: new.body.clone() };
            self.effects.insert((id, new.id), effect);
            self.due.insert((due_us, DueKey::Effect(id, new.id)));
        }
        Committed::Applied
    }

    fn claim(&mut self, claim: Claim) -> Vec<Due> {
        let now_us = now_us(claim.now);
        let until_us = due_us(claim.until);
        let alive =
            |key: DueKey| self.calls.get(&key.call()).is_some_and(|call| call.expires_us > now_us);
        let due: Vec<(i64, DueKey)> = self
            .due
            .iter()
            .take_while(|(at, _)| *at <= now_us)
            .filter(|(_, key)| alive(*key))
            .take(claim.count_max)
            .copied()
            .collect();

        let mut claimed = Vec::new();
        for (at, key) in due {
            let what = match key {
                DueKey::Deadline(id) => {
                    let Some(call) = self.calls.get_mut(&id) else { continue };
                    call.deadline_us = Some(until_us);
                    DueWhat::Deadline
                }
                DueKey::Effect(call, id) => {
                    let Some(effect) = self.effects.get_mut(&(call, id)) else { continue };
                    effect.due_us = until_us;
                    effect.lease = Some(claim.lease);
                    effect.attempt = effect.attempt.saturating_add(1);
                    DueWhat::Effect { id, body: effect.body.clone(), attempt: effect.attempt }
                }
            };
            self.due.remove(&(at, key));
            self.due.insert((until_us, key));
            claimed.push(Due { call: key.call(), lease: claim.lease, what });
        }
        claimed
    }

    fn holds(&self, claimed: Claimed) -> bool {
        let standing = self.effects.get(&(claimed.call, claimed.effect));
        standing.is_some_and(|effect| effect.lease == Some(claimed.lease))
    }

    fn swap(&mut self, swap: Swap<'_>, expires_us: i64, now_us: i64) -> bool {
        let Swap { key, expected, value } = swap;
        let standing = self.records.get(key).filter(|record| record.expires_us > now_us);
        let revision = standing.map(|record| record.revision);
        if revision != expected {
            return false;
        }
        let revision = Revision::after(revision);
        self.records.insert(key.clone(), Record { revision, value: value.to_vec(), expires_us });
        true
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self, call: CallId) -> Result<Option<Stored>, StoreError> {
        Ok(self.lock().calls.get(&call).map(|call| call.stored.clone()))
    }

    async fn commit(&self, commit: &Commit, now: Timestamp) -> Result<Committed, StoreError> {
        Ok(self.lock().commit(commit, now_us(now)))
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Due>, StoreError> {
        Ok(self.lock().claim(claim))
    }

    async fn settle(&self, claimed: Claimed) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        let ours = inner.holds(claimed);
        if ours {
            inner.forget_effect(claimed.call, claimed.effect);
        }
        Ok(ours)
    }

    async fn put_off(
        &self,
        claimed: Claimed,
        due: Timestamp,
        body: Vec<u8>,
    ) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        if !inner.holds(claimed) {
            return Ok(false);
        }
        let Claimed { call, effect, .. } = claimed;
        let Some(standing) = inner.effects.get_mut(&(call, effect)) else { return Ok(false) };
        let key = DueKey::Effect(call, effect);
        let was_us = std::mem::replace(&mut standing.due_us, due_us(due));
        standing.lease = None;
        standing.body = body;
        inner.due.remove(&(was_us, key));
        inner.due.insert((due_us(due), key));
        Ok(true)
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        let inner = self.lock();
        let due = inner.due.iter().take_while(|(at, _)| *at <= now_us(now));
        let oldest = due.clone().next().and_then(|(at, _)| at_us(*at));
        Ok(Backlog { count: due.count().try_into().unwrap_or(u64::MAX), oldest })
    }

    async fn journal(&self, call: CallId) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(self.lock().calls.get(&call).map(|call| call.journal.clone()).unwrap_or_default())
    }

    async fn calls(&self, count_max: usize) -> Result<Vec<CallId>, StoreError> {
        Ok(self.lock().begun.iter().rev().take(count_max).map(|(_, id)| *id).collect())
    }

    async fn read(&self, key: &RecordKey) -> Result<Option<(Revision, Vec<u8>)>, StoreError> {
        let inner = self.lock();
        Ok(inner.records.get(key).map(|record| (record.revision, record.value.clone())))
    }

    async fn swap(
        &self,
        swap: Swap<'_>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.lock().swap(swap, due_us(expires_at), now_us(now)))
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let now_us = now_us(now);
        let expired: Vec<CallId> = inner
            .calls
            .iter()
            .filter(|(_, call)| call.expires_us <= now_us)
            .map(|(id, _)| *id)
            .collect();
        for id in expired {
            inner.forget_call(id);
        }
        inner.records.retain(|_, record| record.expires_us > now_us);
        Ok(())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
