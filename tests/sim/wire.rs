//! What lies between a server and the store: delay, silence, answers that are lost or late, copies
//! that are stale. A server that has died is one that nothing comes back to.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use callgate::engine::id::CallId;
use callgate::store::{
    Backlog, Claim, Claimed, Commit, Committed, Due, RecordKey, Revision, Store, StoreError,
    Stored, Swap,
};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::planted::Plant;
use super::world::World;

/// How long a server waits for the store.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// One server's way to the store.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) world: Arc<World>,
    /// Cancelled when the server dies.
    pub(crate) life: CancellationToken,
}

/// What becomes of a question to the store.
enum Fate {
    Answered,
    /// It never arrives.
    NotAsked,
    /// It is done, and nobody hears of it.
    Unheard,
    /// It is done long after the server has given up.
    Late(Duration),
}

impl Wire {
    /// Waits, and goes on only if the server lives.
    pub(crate) async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
        if self.life.is_cancelled() {
            std::future::pending::<()>().await;
        }
    }

    fn fate(&self) -> Fate {
        let dice = &self.world.dice;
        if !self.world.is_calm() && self.world.is_out() {
            return Fate::NotAsked;
        }
        if !self.world.gusts() {
            return Fate::Answered;
        }
        match dice.below(1_000) {
            0..15 => Fate::NotAsked,
            15..35 => Fate::Unheard,
            35..45 => Fate::Late(dice.ms(500, 9_000)),
            _ => Fate::Answered,
        }
    }

    async fn through<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let dice = &self.world.dice;
        let fate = self.fate();
        self.pass(dice.ms(1, 4)).await;
        let no_answer = || Err(StoreError::Unavailable("no answer".into()));
        match fate {
            Fate::Answered => {
                if self.world.fails(20) {
                    self.pass(dice.ms(50, 2_000)).await;
                }
                let done = work.await;
                self.pass(dice.ms(1, 4)).await;
                done
            }
            Fate::NotAsked => {
                self.pass(dice.ms(1, 2_500)).await;
                no_answer()
            }
            Fate::Unheard => {
                // Whatever it is, nobody hears of it.
                let _ = work.await;
                self.pass(PATIENCE).await;
                no_answer()
            }
            Fate::Late(after) => {
                tokio::spawn(async move {
                    tokio::time::sleep(PATIENCE + after).await;
                    let _ = work.await;
                });
                self.pass(PATIENCE).await;
                no_answer()
            }
        }
    }

    fn is_stale(&self) -> bool {
        self.world.fails(40)
    }

    fn is_refused(&self) -> bool {
        self.world.fails(20)
    }
}

#[async_trait]
impl Store for Wire {
    async fn load(&self, call: CallId) -> Result<Option<Stored>, StoreError> {
        let (world, stale) = (self.world.clone(), self.is_stale());
        self.through(async move {
            if stale {
                world.oracle.disturb(call);
                return Ok(world.ground.stale(call));
            }
            world.ground.load(call).await
        })
        .await
    }

    async fn commit(&self, commit: &Commit, now: Timestamp) -> Result<Committed, StoreError> {
        let (world, commit, refused) = (self.world.clone(), commit.clone(), self.is_refused());
        self.through(async move {
            if refused {
                return Ok(Committed::Conflict);
            }
            let done = world.ground.commit(&commit, now).await?;
            if done == Committed::Applied {
                world.committed(&commit).await;
            }
            Ok(done)
        })
        .await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Due>, StoreError> {
        let world = self.world.clone();
        self.through(async move {
            let due = world.ground.claim(claim).await?;
            world.oracle.claimed(&due, claim.now, claim.until);
            Ok(due)
        })
        .await
    }

    async fn settle(&self, claimed: Claimed) -> Result<bool, StoreError> {
        let world = self.world.clone();
        self.through(async move {
            let done = world.ground.settle(claimed).await?;
            if done {
                world.settled(claimed.call, claimed.effect).await;
            }
            Ok(done)
        })
        .await
    }

    async fn put_off(
        &self,
        claimed: Claimed,
        due: Timestamp,
        body: Vec<u8>,
    ) -> Result<bool, StoreError> {
        let world = self.world.clone();
        self.through(async move {
            let done = world.ground.put_off(claimed, due, body).await?;
            if done {
                world.oracle.given_back(claimed.effect);
            }
            Ok(done)
        })
        .await
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        self.world.ground.backlog(now).await
    }

    async fn journal(&self, call: CallId) -> Result<Vec<Vec<u8>>, StoreError> {
        let world = self.world.clone();
        self.through(async move { world.ground.journal(call).await }).await
    }

    async fn calls(&self, count_max: usize) -> Result<Vec<CallId>, StoreError> {
        let world = self.world.clone();
        self.through(async move { world.ground.calls(count_max).await }).await
    }

    async fn read(&self, key: &RecordKey) -> Result<Option<(Revision, Vec<u8>)>, StoreError> {
        let (world, key, stale) = (self.world.clone(), key.clone(), self.is_stale());
        self.through(async move {
            if stale {
                return Ok(world.ground.stale_record(&key));
            }
            world.ground.read(&key).await
        })
        .await
    }

    async fn swap(
        &self,
        swap: Swap<'_>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (world, key, value) = (self.world.clone(), swap.key.clone(), swap.value.to_vec());
        let expected = swap.expected;
        let refused = self.is_refused();
        self.through(async move {
            if refused {
                return Ok(false);
            }
            let swap = Swap { key: &key, expected, value: &value };
            world.ground.swap(swap, expires_at, now).await
        })
        .await
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let world = self.world.clone();
        self.through(async move { world.ground.sweep(now).await }).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.through(async { Ok(()) }).await
    }
}

impl Wire {
    /// Whether this fault is planted.
    pub(crate) fn has(&self, plant: Plant) -> bool {
        self.world.plant == Some(plant)
    }
}
