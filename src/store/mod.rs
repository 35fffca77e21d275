//! The memory: calls, their effects and timers, their journals, and counted records.
//!
//! One contract, three stores: [`memory`] (tests and `simulate`), [`redb`] (the embedded default) and
//! [`redis`] (production). What a store keeps is opaque to it: the states, effects and entries come
//! in sealed (see [`envelope`]) and go out sealed. No store reads a clock: the time is an argument,
//! so that a virtual one serves as well.
//!
//! The contract, which one suite holds all three to:
//! - [`Store::commit`] is atomic: state, effects, timer and journal entry together or not at all. It
//!   compares the version *and* the random id of the last turn, so that a copy which a fail-over has
//!   made obsolete never commits over another history. The same turn committed again is
//!   [`Committed::AlreadyYours`].
//! - [`Store::claim`] gives each due effect or timer to one claimant until its lease ends; then it is
//!   due again. Settling or putting off needs the lease that claimed it.
//! - [`Store::swap`] is a compare-and-set on one record: whoever read an older revision loses.
//! - Everything has an expiry: an effect and a deadline are forgotten with their call. Until
//!   [`Store::sweep`] (or the store by itself) has forgotten it, an expired thing may still be read,
//!   but no write builds on it.
//! - Times are kept to the microsecond, and nothing is due early for it.
//! - An error means "not known whether it happened", never "did not happen".

pub mod counted;
pub mod envelope;
pub mod memory;
mod open;
mod packed;
pub mod redb;
pub mod redis;
mod terms;

use async_trait::async_trait;
use futures_util::future::join_all;
use jiff::Timestamp;
use uuid::Uuid;

use crate::engine::id::{CallId, EffectId, TurnId};

pub use open::{check_named, open, open_with};
pub use terms::{ClientCertificate, OpenError, Options, Replicas};

/// How often a call has changed, and the turn that changed it last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// 1 after the first turn.
    pub number: u64,
    /// The turn that made this version.
    pub turn: TurnId,
}

/// A call as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What a commit over this copy must expect.
    pub version: Version,
    /// The sealed state.
    pub state: Vec<u8>,
}

/// Everything that one turn changes.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The call.
    pub call: CallId,
    /// The version this turn was computed from; `None`: the call is new.
    pub expected: Option<Version>,
    /// The version it becomes.
    pub version: Version,
    /// The sealed state.
    pub state: Vec<u8>,
    /// When the call and its journal may be forgotten.
    pub expires_at: Timestamp,
    /// When the call wants to be woken; replaces any earlier wish; `None`: not at all.
    pub deadline: Option<Timestamp>,
    /// Effects to be delivered.
    pub effects: Vec<NewEffect>,
    /// Effects that this turn settles: erased, whoever holds their lease.
    pub settled: Vec<EffectId>,
    /// The sealed journal entry.
    pub entry: Vec<u8>,
}

impl Commit {
    /// What becomes of this commit if the call now stands at `current`.
    fn against(&self, current: Option<Version>) -> Committed {
        if current == Some(self.version) {
            Committed::AlreadyYours
        } else if current == self.expected {
            Committed::Applied
        } else {
            Committed::Conflict
        }
    }
}

/// An effect on its way into the outbox.
#[derive(Clone, Debug)]
pub struct NewEffect {
    /// Its name.
    pub id: EffectId,
    /// When it is due.
    pub due: Timestamp,
    /// What is to be done, sealed.
    pub body: Vec<u8>,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// The turn stands.
    Applied,
    /// This very turn stood already (a write that timed out had been applied): nothing was changed.
    AlreadyYours,
    /// Another turn won: nothing was changed; load again.
    Conflict,
}

/// The right to deliver one due thing, until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease(pub Uuid);

/// An effect, and the lease that somebody claimed it under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The call it belongs to.
    pub call: CallId,
    /// Its name.
    pub effect: EffectId,
    /// The lease.
    pub lease: Lease,
}

/// Something due, claimed.
#[derive(Clone, Debug)]
pub struct Due {
    /// The call it belongs to.
    pub call: CallId,
    /// The lease under which it was claimed.
    pub lease: Lease,
    /// What.
    pub what: DueWhat,
}

impl Due {
    /// This effect of it, in the hands of whoever claimed it.
    pub fn claimed(&self, effect: EffectId) -> Claimed {
        Claimed { call: self.call, effect, lease: self.lease }
    }
}

/// What waits to be claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many effects and deadlines are due.
    pub count: u64,
    /// When the oldest of them was due.
    pub oldest: Option<Timestamp>,
}

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DueWhat {
    /// An effect of the outbox.
    Effect {
        /// Its name.
        id: EffectId,
        /// Its sealed body, as committed or as last put off.
        body: Vec<u8>,
        /// How often it has been claimed, this time included.
        attempt: u32,
    },
    /// A call's deadline. It is over when a commit of that call sets another or none.
    Deadline,
}

/// A claim's parameters.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Things due at or before this.
    pub now: Timestamp,
    /// The lease to claim them under.
    pub lease: Lease,
    /// When the lease ends and they are due again.
    pub until: Timestamp,
    /// How many at most.
    pub count_max: usize,
}

/// A counted thing outside any call (an attempt ledger, a flow's text), by kind and id.
///
/// The id must not give anybody away: a hash, keyed where what it hashes is guessable.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    /// What kind of record, a short word.
    pub kind: &'static str,
    /// Which, in hexadecimal digits.
    pub id: String,
}

/// The kind of what is counted of each caller's number.
pub const CALLERS: &str = "callers";
/// And of each block of callers' numbers.
pub const CALLER_PREFIXES: &str = "caller-prefix";

impl RecordKey {
    /// Whether it is one of as many as there are callers, small, and kept for little more than an hour: a
    /// store may keep many such together.
    fn is_one_of_many(&self) -> bool {
        [CALLERS, CALLER_PREFIXES].contains(&self.kind)
    }
}

/// A record that is to be written over what is expected there.
#[derive(Clone, Copy, Debug)]
pub struct Swap<'a> {
    /// Which.
    pub key: &'a RecordKey,
    /// The revision that it must still have; `None`: there must be none.
    pub expected: Option<Revision>,
    /// What is in it then, sealed.
    pub value: &'a [u8],
}

/// How often a record has been written; 1 after the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of what is written over this one, or where there is nothing.
    pub fn after(before: Option<Self>) -> Self {
        Self(before.map_or(1, |Self(number)| number.saturating_add(1)))
    }
}

/// What was read, and is to be as safe as what is written.
#[derive(Clone, Copy, Debug)]
pub enum Held<'a> {
    /// A call.
    Call(CallId),
    /// A record.
    Record(&'a RecordKey),
}

/// Why a store could not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// It could not be reached, or did not answer in time: what was asked may have been done.
    #[error("the store did not answer: {0}")]
    Unavailable(String),
    /// It answered, and does not let us in as we are set up: to wait is no help.
    #[error("the store did not answer: {0}")]
    Refused(String),
    /// It answered with something callgate did not write.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
    /// Its file as a whole cannot be relied on, which says nothing of what was asked for.
    #[error("the store's file is damaged: {0}")]
    Damaged(String),
}

impl StoreError {
    /// Whether nobody answered what was asked: somebody may in a moment.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Refused(_))
    }
}

/// The contract.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The call, unless it is unknown or forgotten.
    async fn load(&self, call: CallId) -> Result<Option<Stored>, StoreError>;

    /// Writes one turn, atomically.
    async fn commit(&self, commit: &Commit, now: Timestamp) -> Result<Committed, StoreError>;

    /// Makes the effects and deadlines due that were claimed by whoever had the store before, where only one process can
    /// have it: that process is gone. To be asked once, before the first claim. (In a store of many, leases end by themselves.)
    async fn take_over(&self, _now: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    /// Claims what is due, earliest first.
    async fn claim(&self, claim: Claim) -> Result<Vec<Due>, StoreError>;

    /// Erases a delivered effect; `false`: the lease is no longer ours. A lease that has ended is
    /// still ours until somebody else claims the effect.
    async fn settle(&self, claimed: Claimed) -> Result<bool, StoreError>;

    /// Erases delivered effects, all at once; of each what [`Self::settle`] says.
    async fn settle_all(&self, claimed: &[Claimed]) -> Vec<Result<bool, StoreError>> {
        join_all(claimed.iter().map(|one| self.settle(*one))).await
    }

    /// Makes a claimed effect due again at `due` with a new body; `false`: the lease is no longer ours.
    async fn put_off(
        &self,
        claimed: Claimed,
        due: Timestamp,
        body: Vec<u8>,
    ) -> Result<bool, StoreError>;

    /// What is due and not claimed, things of calls that are forgotten included until they are met.
    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError>;

    /// The sealed journal entries of a call, oldest first.
    async fn journal(&self, call: CallId) -> Result<Vec<Vec<u8>>, StoreError>;

    /// The calls begun last, newest first; of those begun at once, the greater id first.
    async fn calls(&self, count_max: usize) -> Result<Vec<CallId>, StoreError>;

    /// A record and its revision.
    async fn read(&self, key: &RecordKey) -> Result<Option<(Revision, Vec<u8>)>, StoreError>;

    /// Writes a record over what is expected there; `false`: another write won.
    async fn swap(
        &self,
        swap: Swap<'_>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Writes records, no two of them the same, all at once; of each what [`Self::swap`] says.
    async fn swap_all(
        &self,
        swaps: &[Swap<'_>],
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Vec<Result<bool, StoreError>> {
        join_all(swaps.iter().map(|one| self.swap(*one, expires_at, now))).await
    }

    /// Says when what stands there is held as safely as what is written, whoever wrote it: a turn or a
    /// count that was refused for want of a replica stands on the primary all the same. To be asked before
    /// something is answered from what was only read.
    async fn hold(&self, _: Held<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    /// Forgets what has expired by `now`; a store that expires by itself does nothing.
    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError>;

    /// What an operator should know of it before the first call, in sentences: a version too old, a
    /// setting that loses or forgets calls, a clock that is not ours (`now`).
    async fn outlook(&self, _now: Timestamp) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// What time it is by a clock of the store's own; `None`: it has none.
    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    /// Whether several servers may have it at the same time.
    fn is_shared(&self) -> bool {
        false
    }

    /// Whether it lets us do all that turns and effects need. [`StoreError::Refused`] says what it does not.
    async fn rights(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether it answers.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// The moment by which a thing is due, in microseconds since 1970: rounded up, so that it is not early.
fn due_us(at: Timestamp) -> i64 {
    us(at.as_nanosecond().saturating_add(999))
}

/// The present moment in microseconds since 1970: rounded down.
fn now_us(at: Timestamp) -> i64 {
    us(at.as_nanosecond())
}

/// The moment that is so many microseconds after 1970.
fn at_us(us: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(us).ok()
}

fn us(nanoseconds: i128) -> i64 {
    i64::try_from(nanoseconds.div_euclid(1_000)).unwrap_or(i64::MAX)
}

/// The number of partitions that the keys of a clustered store are spread over.
pub const PARTITIONS: u64 = 64;
