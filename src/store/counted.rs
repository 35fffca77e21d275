//! A store that counts what is asked of it, and how long it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tokio::time::Instant;

use super::{
    Backlog, Claim, Claimed, Commit, Committed, Due, Held, RecordKey, Revision, Store, StoreError,
    Stored, Swap,
};
use crate::engine::id::CallId;

/// What is counted of a store.
#[derive(Clone, Debug)]
pub struct Questions {
    /// How often each thing was asked, and what came of it.
    pub asked: Family<Asked, Counter>,
    /// Seconds until the answer.
    pub seconds: Family<Of, Histogram, fn() -> Histogram>,
}

impl Default for Questions {
    fn default() -> Self {
        let buckets = || Histogram::new(exponential_buckets(0.0001, 2.0, 16));
        Self { asked: Family::default(), seconds: Family::new_with_constructor(buckets) }
    }
}

/// A question, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Asked {
    /// What was asked.
    pub operation: Operation,
    /// What came of it.
    pub outcome: Answered,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Of {
    /// What was asked.
    pub operation: Operation,
}

/// What a store is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Operation {
    /// A call.
    Load,
    /// To write a turn.
    Commit,
    /// What is due.
    Claim,
    /// To erase an effect.
    Settle,
    /// To make an effect due later.
    PutOff,
    /// The journal of a call, or a list of calls.
    Look,
    /// A record.
    Read,
    /// To write a record.
    Swap,
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Answered {
    /// It was answered.
    Done,
    /// Somebody else was quicker: the race is run again.
    Conflict,
    /// There was no answer, or an unreadable one.
    Failed,
}

/// A store whose questions are counted.
#[derive(Debug)]
pub struct Counted {
    store: Arc<dyn Store>,
    questions: Questions,
    known: Known,
}

/// Whether we know whose a store is: we must not write into one of another house, under another key. Until we
/// know, a store is only asked whether it is there.
#[derive(Clone, Debug, Default)]
pub struct Known(Arc<AtomicBool>);

impl Known {
    /// The store is ours.
    pub fn tell(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn check(&self) -> Result<(), StoreError> {
        let unknown = || StoreError::Unavailable("not since this server was started".into());
        self.0.load(Ordering::Acquire).then_some(()).ok_or_else(unknown)
    }
}

impl Counted {
    /// The same store, counted, and asked only once it is known whose it is.
    pub fn over(store: Arc<dyn Store>, questions: Questions, known: Known) -> Arc<dyn Store> {
        Arc::new(Self { store, questions, known })
    }

    async fn count<T>(
        &self,
        operation: Operation,
        question: impl Future<Output = Result<T, StoreError>> + Send,
        is_conflict: impl Fn(&T) -> bool + Send,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let answer = match self.known.check() {
            Ok(()) => question.await,
            Err(unknown) => Err(unknown),
        };
        let outcome = match &answer {
            Ok(answer) if is_conflict(answer) => Answered::Conflict,
            Ok(_) => Answered::Done,
            Err(_) => Answered::Failed,
        };
        self.note(operation, outcome, begun);
        answer
    }

    /// Counts a question about many things as one, with the worst outcome among them.
    async fn count_all(
        &self,
        operation: Operation,
        count: usize,
        question: impl Future<Output = Vec<Result<bool, StoreError>>> + Send,
    ) -> Vec<Result<bool, StoreError>> {
        let begun = Instant::now();
        let answers = match self.known.check() {
            Ok(()) => question.await,
            Err(unknown) => vec![Err(unknown); count],
        };
        let outcome = if answers.iter().any(Result::is_err) {
            Answered::Failed
        } else if answers.iter().flatten().any(|won| !won) {
            Answered::Conflict
        } else {
            Answered::Done
        };
        self.note(operation, outcome, begun);
        answers
    }

    fn note(&self, operation: Operation, outcome: Answered, begun: Instant) {
        self.questions.asked.get_or_create(&Asked { operation, outcome }).inc();
        let seconds = self.questions.seconds.get_or_create(&Of { operation });
        seconds.observe(begun.elapsed().as_secs_f64());
    }
}

fn never<T>(_: &T) -> bool {
    false
}

#[async_trait]
impl Store for Counted {
    async fn load(&self, call: CallId) -> Result<Option<Stored>, StoreError> {
        self.count(Operation::Load, self.store.load(call), never).await
    }

    async fn commit(&self, commit: &Commit, now: Timestamp) -> Result<Committed, StoreError> {
        let lost = |committed: &Committed| *committed == Committed::Conflict;
        self.count(Operation::Commit, self.store.commit(commit, now), lost).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Due>, StoreError> {
        self.count(Operation::Claim, self.store.claim(claim), never).await
    }

    async fn take_over(&self, now: Timestamp) -> Result<(), StoreError> {
        match self.known.check() {
            Ok(()) => self.store.take_over(now).await,
            Err(_) => Ok(()),
        }
    }

    async fn settle(&self, claimed: Claimed) -> Result<bool, StoreError> {
        let settle = self.store.settle(claimed);
        self.count(Operation::Settle, settle, |ours| !ours).await
    }

    async fn settle_all(&self, claimed: &[Claimed]) -> Vec<Result<bool, StoreError>> {
        let settle = self.store.settle_all(claimed);
        self.count_all(Operation::Settle, claimed.len(), settle).await
    }

    async fn put_off(
        &self,
        claimed: Claimed,
        due: Timestamp,
        body: Vec<u8>,
    ) -> Result<bool, StoreError> {
        let put_off = self.store.put_off(claimed, due, body);
        self.count(Operation::PutOff, put_off, |ours| !ours).await
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        self.count(Operation::Look, self.store.backlog(now), never).await
    }

    async fn journal(&self, call: CallId) -> Result<Vec<Vec<u8>>, StoreError> {
        self.count(Operation::Look, self.store.journal(call), never).await
    }

    async fn calls(&self, count_max: usize) -> Result<Vec<CallId>, StoreError> {
        self.count(Operation::Look, self.store.calls(count_max), never).await
    }

    async fn read(&self, key: &RecordKey) -> Result<Option<(Revision, Vec<u8>)>, StoreError> {
        self.count(Operation::Read, self.store.read(key), never).await
    }

    async fn swap(
        &self,
        swap: Swap<'_>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let swap = self.store.swap(swap, expires_at, now);
        self.count(Operation::Swap, swap, |won| !won).await
    }

    async fn swap_all(
        &self,
        swaps: &[Swap<'_>],
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Vec<Result<bool, StoreError>> {
        let swap = self.store.swap_all(swaps, expires_at, now);
        self.count_all(Operation::Swap, swaps.len(), swap).await
    }

    async fn hold(&self, what: Held<'_>) -> Result<(), StoreError> {
        self.known.check()?;
        self.store.hold(what).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        self.known.check()?;
        self.store.sweep(now).await
    }

    async fn outlook(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        self.store.outlook(now).await
    }

    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.time().await
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    async fn rights(&self) -> Result<(), StoreError> {
        self.known.check()?;
        self.store.rights().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}
