//! The one thread that writes: it takes every write that waits, and flushes them together.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::{mpsc, oneshot};

use super::super::StoreError;
use super::fault::Fault;
use super::file::Slot;
use super::tables::Tables;
use crate::limits::{
    STORE_BATCH_MAX, STORE_GATHER_FROM, STORE_GATHER_PAUSE, STORE_GATHER_PAUSES,
    STORE_GATHER_PAUSES_IN_VAIN,
};

/// A write that somebody waits for.
pub(super) type Job = Box<dyn Write>;

pub(super) trait Write: Send {
    /// Applies the write to the open transaction.
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), Fault>;
    /// Answers whoever waits: with what `apply` found, or with the fault that undid it.
    fn answer(self: Box<Self>, fault: Option<&Fault>);
}

struct Waiting<W, T> {
    work: W,
    found: Option<T>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

/// A write, and where its answer will be.
pub(super) fn job<T: Send + 'static>(
    work: impl FnMut(&mut Tables<'_>) -> Result<T, Fault> + Send + 'static,
) -> (Job, oneshot::Receiver<Result<T, StoreError>>) {
    let (answer, answered) = oneshot::channel();
    (Box::new(Waiting { work, found: None, answer }), answered)
}

impl<W, T> Write for Waiting<W, T>
where
    W: FnMut(&mut Tables<'_>) -> Result<T, Fault> + Send,
    T: Send,
{
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), Fault> {
        self.found = Some((self.work)(tables)?);
        Ok(())
    }

    fn answer(self: Box<Self>, fault: Option<&Fault>) {
        let answer = match (self.found, fault) {
            (Some(found), None) => Ok(found),
            (_, Some(fault)) => Err(fault.told()),
            (None, None) => Err(StoreError::Unavailable("the write was not reached".into())),
        };
        // Whoever waited may have given up.
        let _ = self.answer.send(answer);
    }
}

/// Writes until the store is dropped.
pub(super) fn run(slot: &Slot, mut waiting: mpsc::Receiver<Job>) {
    let (mut broken, mut expected) = (false, 1);
    while let Some(first) = waiting.blocking_recv() {
        let mut batch = vec![first];
        gather(&mut waiting, &mut batch, expected);
        let written = if broken { slot.reopen() } else { Ok(()) };
        let written = written.and_then(|()| {
            // A write that panics must not take all those after it down with it.
            let flushed = catch_unwind(AssertUnwindSafe(|| flush(slot, &mut batch)));
            flushed.unwrap_or_else(|_| Err(Fault::Closed("a write of the file panicked".into())))
        });
        // Opening the file again does not mend what is written in it.
        broken = matches!(written, Err(Fault::Io(_) | Fault::Closed(_)));
        // Those who are answered now may soon write again.
        expected = batch.len() + waiting.len();
        for job in batch {
            job.answer(written.as_ref().err());
        }
        // Opened again at once: nobody else does it for those who only read.
        broken = broken && slot.reopen().is_err();
    }
}

/// Takes the writes that wait. A flush costs the same for one as for many, and most of those who wrote with the
/// last flush, or came during it, will write again: if they are many, we wait for them as long as they keep
/// coming.
fn gather(waiting: &mut mpsc::Receiver<Job>, batch: &mut Vec<Job>, expected: usize) {
    let most = (expected - expected / 4).min(STORE_BATCH_MAX);
    let enough = if expected < STORE_GATHER_FROM { 1 } else { most };
    let (mut pauses, mut in_vain) = (0, 0);
    loop {
        let before = batch.len();
        while batch.len() < STORE_BATCH_MAX
            && let Ok(job) = waiting.try_recv()
        {
            batch.push(job);
        }
        in_vain = if batch.len() > before { 0 } else { in_vain + 1 };
        let over = pauses == STORE_GATHER_PAUSES || in_vain > STORE_GATHER_PAUSES_IN_VAIN;
        if over || batch.len() >= enough {
            return;
        }
        pauses += 1;
        std::thread::sleep(STORE_GATHER_PAUSE);
    }
}

/// Applies a batch and flushes it: all of it or nothing.
fn flush(slot: &Slot, batch: &mut [Job]) -> Result<(), Fault> {
    slot.write(|transaction, fresh| {
        let mut tables = Tables::of(transaction, fresh)?;
        for job in batch {
            job.apply(&mut tables)?;
        }
        if tables.changed {
            tables.places.move_some()?;
        }
        Ok(tables.changed)
    })
}
