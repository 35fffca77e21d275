//! The store that cannot fail, beneath the one that does: the real memory store, with every write
//! written down, so that a fail-over can forget the last of them.

use std::collections::HashMap;
use std::hash::{Hash as _, Hasher};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use callgate::engine::id::CallId;
use callgate::store::memory::MemoryStore;
use callgate::store::{
    Backlog, Claim, Claimed, Commit, Committed, Due, DueWhat, RecordKey, Revision, Store,
    StoreError, Stored, Swap, Version,
};
use futures_util::FutureExt as _;
use jiff::Timestamp;

use super::planted::Plant;

/// A write, as it was asked for.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Commit(Box<Commit>, Timestamp),
    Claim(Claim),
    Settle(Claimed),
    PutOff(Claimed, Timestamp, Vec<u8>),
    Swap(RecordKey, Option<Revision>, Vec<u8>, Timestamp, Timestamp),
}

impl Write {
    /// Which half of the store it is in; a claim is in both.
    fn half(&self) -> Option<u8> {
        let of_call = |call: &CallId| call.0.as_bytes().last().map(|byte| byte % 2);
        match self {
            Self::Commit(commit, _) => of_call(&commit.call),
            Self::Settle(claimed) | Self::PutOff(claimed, ..) => of_call(&claimed.call),
            Self::Swap(key, ..) => key.id.bytes().last().map(|byte| byte % 2),
            Self::Claim(_) => None,
        }
    }
}

type Record = Option<(Revision, Vec<u8>)>;

/// The ground.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    inner: Mutex<Inner>,
    plant: Option<Plant>,
}

#[derive(Debug, Default)]
struct Inner {
    store: Arc<MemoryStore>,
    log: Vec<Write>,
    /// What calls and records were before their last write.
    before: HashMap<CallId, Option<Stored>>,
    records_before: HashMap<RecordKey, Record>,
}

impl Ground {
    /// The store, with this fault planted in it.
    pub(crate) fn new(plant: Option<Plant>) -> Self {
        Self { inner: Mutex::default(), plant }
    }

    /// A store in which these writes were made.
    pub(crate) fn of(log: Vec<Write>, plant: Option<Plant>) -> Self {
        let (store, mut before) = (Arc::new(MemoryStore::new()), HashMap::new());
        for write in &log {
            if let Write::Commit(commit, _) = write {
                let was = store.load(commit.call).now_or_never().unwrap().unwrap();
                before.insert(commit.call, was);
            }
            again(&store, write.clone()).now_or_never().unwrap().unwrap();
        }
        let inner = Inner { store, log, before, ..Inner::default() };
        Self { inner: Mutex::new(inner), plant }
    }

    /// A hash of all writes after the first of them.
    pub(crate) fn hash_after(&self, first: usize, hash: &mut impl Hasher) {
        for write in &self.inner.lock().unwrap().log[first..] {
            match write {
                Write::Commit(commit, _) => commit.version.turn.hash(hash),
                Write::Claim(claim) => (claim.lease.0, claim.now).hash(hash),
                Write::Settle(claimed) => (claimed.effect, claimed.lease.0).hash(hash),
                Write::PutOff(claimed, due, _) => (claimed.effect, due, claimed.lease.0).hash(hash),
                Write::Swap(key, expected, value, ..) => {
                    (&key.id, expected.map(|it| it.0), value).hash(hash);
                }
            }
        }
    }

    /// Every write so far.
    pub(crate) fn log(&self) -> Vec<Write> {
        self.inner.lock().unwrap().log.clone()
    }

    fn store(&self) -> Arc<MemoryStore> {
        self.inner.lock().unwrap().store.clone()
    }

    fn note(&self, write: Write) {
        self.inner.lock().unwrap().log.push(write);
    }

    /// A fail-over: the last `count` writes are as if they had never been, all of them or those of one
    /// half of the store.
    pub(crate) fn fail_over(&self, count: usize, half: Option<u8>) -> Vec<Write> {
        let mut inner = self.inner.lock().unwrap();
        let (mut lost, mut kept) = (Vec::new(), Vec::new());
        for write in inner.log.drain(..).rev() {
            if lost.len() < count && (half.is_none() || write.half() == half) {
                lost.push(write);
            } else {
                kept.push(write);
            }
        }
        kept.reverse();
        let store = Arc::new(MemoryStore::new());
        for write in &kept {
            again(&store, write.clone()).now_or_never().unwrap().unwrap();
        }
        inner.log = kept;
        inner.store = store;
        lost
    }

    /// A call as it was before its last write.
    pub(crate) fn stale(&self, call: CallId) -> Option<Stored> {
        self.inner.lock().unwrap().before.get(&call).cloned().flatten()
    }

    /// A record as it was before its last write.
    pub(crate) fn stale_record(&self, key: &RecordKey) -> Record {
        self.inner.lock().unwrap().records_before.get(key).cloned().flatten()
    }

    /// Breaks the compare of the compare-and-set.
    async fn unguarded(&self, commit: &mut Commit) {
        if self.plant == Some(Plant::CommitsOverAnything) {
            let standing = self.store().load(commit.call).await.unwrap();
            commit.expected = standing.map(|stored| stored.version);
            commit.version = Version { number: commit.version.number, turn: commit.version.turn };
        }
    }
}

async fn again(store: &MemoryStore, write: Write) -> Result<(), StoreError> {
    match write {
        Write::Commit(commit, now) => store.commit(&commit, now).await.map(drop),
        Write::Claim(claim) => store.claim(claim).await.map(drop),
        Write::Settle(claimed) => store.settle(claimed).await.map(drop),
        Write::PutOff(claimed, due, body) => store.put_off(claimed, due, body).await.map(drop),
        Write::Swap(key, expected, value, expires_at, now) => {
            let swap = Swap { key: &key, expected, value: &value };
            store.swap(swap, expires_at, now).await.map(drop)
        }
    }
}

#[async_trait]
impl Store for Ground {
    async fn load(&self, call: CallId) -> Result<Option<Stored>, StoreError> {
        self.store().load(call).await
    }

    async fn commit(&self, commit: &Commit, now: Timestamp) -> Result<Committed, StoreError> {
        let mut commit = commit.clone();
        self.unguarded(&mut commit).await;
        if self.plant == Some(Plant::LosesEffects) {
            // All but what closes the audit, which every call has.
            commit.effects.truncate(usize::from(commit.effects.len() > 1));
        }
        let before = self.store().load(commit.call).await?;
        let done = self.store().commit(&commit, now).await?;
        if done == Committed::Applied {
            self.inner.lock().unwrap().before.insert(commit.call, before);
            self.note(Write::Commit(Box::new(commit), now));
        }
        Ok(done)
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Due>, StoreError> {
        let mut claim = claim;
        if self.plant == Some(Plant::LeasesNothing) {
            claim.until = claim.now;
        }
        let mut due = self.store().claim(claim).await?;
        if !due.is_empty() {
            self.note(Write::Claim(claim));
        }
        if self.plant == Some(Plant::CountsNoTries) {
            for due in &mut due {
                if let DueWhat::Effect { attempt, .. } = &mut due.what {
                    *attempt = 1;
                }
            }
        }
        if self.plant == Some(Plant::SettlesWhenClaimed) {
            for due in &due {
                if let DueWhat::Effect { id, .. } = due.what {
                    self.store().settle(due.claimed(id)).await?;
                }
            }
        }
        Ok(due)
    }

    async fn settle(&self, claimed: Claimed) -> Result<bool, StoreError> {
        let done = self.store().settle(claimed).await?;
        if done {
            self.note(Write::Settle(claimed));
        }
        Ok(done)
    }

    async fn put_off(
        &self,
        claimed: Claimed,
        due: Timestamp,
        body: Vec<u8>,
    ) -> Result<bool, StoreError> {
        let done = self.store().put_off(claimed, due, body.clone()).await?;
        if done {
            self.note(Write::PutOff(claimed, due, body));
        }
        Ok(done)
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        self.store().backlog(now).await
    }

    async fn journal(&self, call: CallId) -> Result<Vec<Vec<u8>>, StoreError> {
        self.store().journal(call).await
    }

    async fn calls(&self, count_max: usize) -> Result<Vec<CallId>, StoreError> {
        self.store().calls(count_max).await
    }

    async fn read(&self, key: &RecordKey) -> Result<Record, StoreError> {
        self.store().read(key).await
    }

    async fn swap(
        &self,
        swap: Swap<'_>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Swap { key, expected, value } = swap;
        let before = self.store().read(key).await?;
        let expected = if self.plant == Some(Plant::CountsOverAnything) && key.kind == "ledger" {
            before.as_ref().map(|(revision, _)| *revision)
        } else {
            expected
        };
        let swap = Swap { key, expected, value };
        let done = self.store().swap(swap, expires_at, now).await?;
        if done {
            self.inner.lock().unwrap().records_before.insert(key.clone(), before);
            self.note(Write::Swap(key.clone(), expected, value.to_vec(), expires_at, now));
        }
        Ok(done)
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        self.store().sweep(now).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
