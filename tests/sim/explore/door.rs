//! The door of a server: before each question to the store, before a call that was loaded is looked at, and
//! before each answer of the provider, it stands there until it is let through.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use async_trait::async_trait;
use callgate::carrier::{Carrier, Delivery, Found, Reference};
use callgate::clock::{Clock as _, VirtualClock};
use callgate::engine::effect::{PlaceCall, Sms};
use callgate::engine::id::{CallId, EffectId, LegId, Sid};
use callgate::engine::reply::Reply;
use callgate::store::{
    Backlog, Claim, Claimed, Commit, Committed, Due, DueWhat, RecordKey, Revision, Store,
    StoreError, Stored, Swap,
};
use jiff::Timestamp;

use super::super::ground::Ground;
use super::super::planted::Plant;
use super::ways::{Bounds, Choices};

/// What is common to all servers of a way.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) ground: Arc<Ground>,
    pub(crate) plant: Option<Plant>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) choices: Mutex<Choices>,
    /// What may still happen.
    pub(crate) left: Mutex<Bounds>,
    pub(crate) books: Mutex<Books>,
}

/// What the world has seen.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) rung: Vec<(PlaceCall, Sid, Timestamp)>,
    pub(crate) sent: Vec<(EffectId, String)>,
    pub(crate) replies: Vec<Reply>,
}

/// One life of a server.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) common: Arc<Common>,
    /// Whether it may go through, once.
    pub(crate) open: AtomicBool,
    /// Whether it stands there.
    pub(crate) waits: AtomicBool,
    /// Nobody is kept waiting, and nothing goes wrong.
    pub(crate) free: bool,
    /// All that it has heard.
    pub(crate) heard: Mutex<DefaultHasher>,
}

impl Door {
    pub(crate) fn new(common: &Arc<Common>, free: bool) -> Arc<Self> {
        Arc::new(Self {
            common: common.clone(),
            open: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            free,
            heard: Mutex::default(),
        })
    }

    pub(crate) async fn through(&self) {
        if self.free {
            return;
        }
        std::future::poll_fn(|_| {
            if self.open.swap(false, Ordering::Relaxed) {
                self.waits.store(false, Ordering::Relaxed);
                return Poll::Ready(());
            }
            self.waits.store(true, Ordering::Relaxed);
            Poll::Pending
        })
        .await;
        // One door further on is another state, though nothing was heard there; and whoever goes through
        // may look at the clock.
        self.hear(self.common.clock.now());
    }

    fn hear(&self, what: impl std::hash::Hash) {
        what.hash(&mut *self.heard.lock().unwrap());
    }

    /// Something that may go wrong in so many ways, if it still may: 0 if it goes well.
    fn fate(&self, left: fn(&mut Bounds) -> &mut u8, ways: usize) -> usize {
        let mut bounds = self.common.left.lock().unwrap();
        let left = left(&mut bounds);
        if self.free || *left == 0 {
            return 0;
        }
        let chosen = self.common.choices.lock().unwrap().choose(1 + ways);
        if chosen > 0 {
            *left -= 1;
        }
        self.hear(chosen);
        chosen
    }

    /// Asks the provider: it is done at once, and the answer comes when it comes.
    async fn ask(&self, done: impl FnOnce(&mut Books) -> Sid) -> Delivery {
        let fate = self.fate(|left| &mut left.unheard, 2);
        let sid = (fate < 2).then(|| done(&mut self.common.books.lock().unwrap()));
        self.through().await;
        match (fate, sid) {
            (0, Some(sid)) => Delivery::Accepted(sid),
            _ => Delivery::Unknown,
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.heard.lock().unwrap().finish()
    }
}

#[async_trait]
impl Store for Door {
    async fn load(&self, call: CallId) -> Result<Option<Stored>, StoreError> {
        self.through().await;
        let older = self.fate(|left| &mut left.older, 1) == 1;
        let stored = if older {
            self.common.ground.stale(call)
        } else {
            self.common.ground.load(call).await?
        };
        self.hear(stored.as_ref().map(|stored| stored.version.turn));
        // What is done upon a copy may be done long after it was read.
        self.through().await;
        Ok(stored)
    }

    async fn commit(&self, commit: &Commit, now: Timestamp) -> Result<Committed, StoreError> {
        self.through().await;
        let done = self.common.ground.commit(commit, now).await?;
        self.hear(format!("{done:?}"));
        Ok(done)
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Due>, StoreError> {
        self.through().await;
        let due = self.common.ground.claim(claim).await?;
        for due in &due {
            if let DueWhat::Effect { id, attempt, .. } = due.what {
                self.hear((id, attempt));
            }
        }
        Ok(due)
    }

    async fn settle(&self, claimed: Claimed) -> Result<bool, StoreError> {
        self.through().await;
        let done = self.common.ground.settle(claimed).await?;
        self.hear(done);
        Ok(done)
    }

    async fn put_off(
        &self,
        claimed: Claimed,
        due: Timestamp,
        body: Vec<u8>,
    ) -> Result<bool, StoreError> {
        self.through().await;
        let done = self.common.ground.put_off(claimed, due, body).await?;
        self.hear(done);
        Ok(done)
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        self.common.ground.backlog(now).await
    }

    async fn journal(&self, call: CallId) -> Result<Vec<Vec<u8>>, StoreError> {
        self.common.ground.journal(call).await
    }

    async fn calls(&self, count_max: usize) -> Result<Vec<CallId>, StoreError> {
        self.common.ground.calls(count_max).await
    }

    async fn read(&self, key: &RecordKey) -> Result<Option<(Revision, Vec<u8>)>, StoreError> {
        // What flows say never changes: whenever it is read, it is the same.
        if key.kind != "edition" {
            self.through().await;
        }
        let read = self.common.ground.read(key).await?;
        self.hear(read.as_ref().map(|(revision, _)| revision.0));
        Ok(read)
    }

    async fn swap(
        &self,
        swap: Swap<'_>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.through().await;
        let done = self.common.ground.swap(swap, expires_at, now).await?;
        self.hear(done);
        Ok(done)
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        self.common.ground.sweep(now).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A door, seen from the outbox.
#[derive(Debug)]
pub(crate) struct Line(pub(crate) Arc<Door>);

#[async_trait]
impl Carrier for Line {
    async fn send_sms(&self, reference: Reference, sms: &Sms) -> Delivery {
        let sent = |books: &mut Books| {
            books.sent.push((reference.effect, sms.body.expose().to_owned()));
            Sid("SM1".into())
        };
        self.0.ask(sent).await
    }

    async fn place_call(&self, _: Reference, place: &PlaceCall) -> Delivery {
        let now = self.0.common.clock.now();
        let rung = |books: &mut Books| {
            let sid = Sid(format!("CB{}", books.rung.len()));
            books.rung.push((place.clone(), sid.clone(), now));
            sid
        };
        self.0.ask(rung).await
    }

    async fn find_call(&self, place: &PlaceCall, since: Timestamp, others: &[Sid]) -> Found {
        let found = {
            let books = self.0.common.books.lock().unwrap();
            let of = books
                .rung
                .iter()
                .find(|(it, sid, at)| it.to == place.to && *at >= since && !others.contains(sid));
            of.map(|(_, sid, _)| sid.clone())
        };
        self.0.through().await;
        if self.0.common.plant == Some(Plant::RingsWithoutAsking) {
            return Found::None;
        }
        self.0.hear(found.is_some());
        found.map_or(Found::None, Found::Call)
    }

    async fn redirect_leg(&self, _: CallId, _: LegId, sid: &Sid) -> Delivery {
        self.0.ask(|_| sid.clone()).await
    }

    async fn end_leg(&self, sid: &Sid) -> Delivery {
        self.0.ask(|_| sid.clone()).await
    }
}
