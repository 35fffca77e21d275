//! The embedded store: one file, durable, for one process.
//!
//! Every write goes through one thread, which takes all writes that wait, applies them in one
//! transaction, flushes that to the disk and answers them all (*group commit*): a flush costs the same
//! for one as for many. Reads see the last flushed state, on the blocking pool.
//!
//! After a kill at any moment, the file opens with every write that was answered. After an I/O error (a full
//! disk), the writes that met it are answered with it, and the file is opened again before the next. The same
//! happens when the database panics, as it does over a page that something else has overwritten.

mod fault;
mod file;
mod length;
mod older;
mod places;
mod tables;
mod writer;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::mpsc;

use self::fault::Fault;
use self::file::{Place, Slot};
use self::length::Length;
use self::places::Id;
use self::tables::{Swap, Tables, View};
use self::writer::Job;
use super::{
    Backlog, Claim, Claimed, Commit, Committed, Due, OpenError, RecordKey, Revision, Store,
    StoreError, Stored, due_us, now_us,
};
use crate::engine::id::CallId;
use crate::limits::{STORE_QUEUE_MAX, SWEEP_BATCH_MAX};

/// A store in a file of this process's own.
///
/// Dropping it waits until the writes under way are on the disk and the file is closed.
pub struct RedbStore {
    slot: Arc<Slot>,
    /// Taken by `drop` alone, which ends the thread.
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<std::thread::JoinHandle<()>>,
}

impl RedbStore {
    /// Opens the store in this file, or makes it. Reads the file: not for an async worker.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let length = Length::default();
        let (opened, measured) = (path.to_owned(), length.clone());
        let mut slot = Slot::open(path, Box::new(move || file::open(&opened, &measured)))?;
        slot.place = Place::of(path, length);
        if let Err(error) = slot.compact_at_start() {
            tracing::warn!(%error, "the store could not give empty space back");
        }
        Self::over(slot)
    }

    fn over(slot: Slot) -> Result<Self, OpenError> {
        let slot = Arc::new(slot);
        let (jobs, waiting) = mpsc::channel(STORE_QUEUE_MAX);
        let writer = std::thread::Builder::new().name("store-writer".into()).spawn({
            let slot = Arc::clone(&slot);
            move || writer::run(&slot, waiting)
        });
        let writer = writer
            .map_err(|source| OpenError::System { path: "store-writer thread".into(), source })?;
        Ok(Self { slot, jobs: Some(jobs), writer: Some(writer) })
    }

    /// Hands one write to the writer thread and waits until it is on the disk.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tables<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::Unavailable("the writer thread has ended".into());
        let (job, answered) = writer::job(work);
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(job).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&View) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(move |slot| slot.read(question)).await
    }

    async fn read_call<T: Send + 'static>(
        &self,
        call: CallId,
        question: impl FnOnce(&View, &[i64]) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(move |slot| slot.read_at(Id::call(call.0.as_u128()), question)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Slot) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let slot = Arc::clone(&self.slot);
        let asked = move || {
            let answer = catch_unwind(AssertUnwindSafe(|| question(&slot)));
            answer.unwrap_or_else(|_| {
                // The panic may have poisoned the database's locks, and then everybody who takes one panics too.
                drop(slot.reopen());
                Err(StoreError::Damaged("a read of the file panicked".into()))
            })
        };
        let gone = |_| StoreError::Unavailable("the server is stopping".into());
        tokio::task::spawn_blocking(asked).await.map_err(gone)?
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take() {
            // A thread that panicked has answered its callers by ending.
            let _ = writer.join();
        }
        self.slot.tell_of_its_place();
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn load(&self, call: CallId) -> Result<Option<Stored>, StoreError> {
        self.read_call(call, move |view, places| view.load(call, places)).await
    }

    async fn commit(&self, commit: &Commit, now: Timestamp) -> Result<Committed, StoreError> {
        let commit = commit.clone();
        let now_us = now_us(now);
        self.write(move |tables| tables.commit(&commit, now_us)).await
    }

    async fn take_over(&self, now: Timestamp) -> Result<(), StoreError> {
        let now_us = now_us(now);
        self.write(move |tables| tables.take_over(now_us)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Due>, StoreError> {
        // Most claims find nothing: they need not cost a flush.
        let now_us = now_us(claim.now);
        if claim.count_max == 0 || !self.read(move |view| view.any_due(now_us)).await? {
            return Ok(Vec::new());
        }
        self.write(move |tables| tables.claim(claim)).await
    }

    async fn settle(&self, claimed: Claimed) -> Result<bool, StoreError> {
        self.write(move |tables| tables.settle(claimed)).await
    }

    async fn put_off(
        &self,
        claimed: Claimed,
        due: Timestamp,
        body: Vec<u8>,
    ) -> Result<bool, StoreError> {
        self.write(move |tables| tables.put_off(claimed, due, &body)).await
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        let now_us = now_us(now);
        self.read(move |view| view.backlog(now_us)).await
    }

    async fn journal(&self, call: CallId) -> Result<Vec<Vec<u8>>, StoreError> {
        self.read_call(call, move |view, places| view.journal(call, places)).await
    }

    async fn calls(&self, count_max: usize) -> Result<Vec<CallId>, StoreError> {
        self.read(move |view| view.calls(count_max)).await
    }

    async fn read(&self, key: &RecordKey) -> Result<Option<(Revision, Vec<u8>)>, StoreError> {
        let (kind, id) = (key.kind, tables::spelled(&key.id));
        self.ask(move |slot| {
            slot.read_at(Id::record(kind, &id), |view, places| view.record((kind, &id), places))
        })
        .await
    }

    async fn swap(
        &self,
        one: super::Swap<'_>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let swap = Swap {
            key: one.key.clone(),
            expected: one.expected,
            value: one.value.to_vec(),
            expires_us: due_us(expires_at),
            now_us: now_us(now),
        };
        self.write(move |tables| tables.swap(&swap)).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let now_us = now_us(now);
        while self.read(move |view| view.any_expired(now_us)).await? {
            self.write(move |tables| tables.sweep(now_us, SWEEP_BATCH_MAX)).await?;
        }
        self.ask(move |slot| {
            slot.tell_of_its_place();
            slot.compact_if_sparse(now_us)
        })
        .await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.ask(|slot| {
            slot.check_place().map_err(|fault| fault.told())?;
            slot.read(|_| Ok(()))
        })
        .await
    }
}

#[cfg(test)]
mod tests;
