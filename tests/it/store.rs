//! The contract of the store, held by all three, and what each promises besides.

mod cluster;
mod contract;
mod contract_of_records;
mod model;
mod redb;
mod redis;
mod redis_damage;
mod redis_links;
mod through_open;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use callgate::engine::id::{CallId, EffectId, TurnId};
use callgate::store::memory::MemoryStore;
use callgate::store::redb::RedbStore;
use callgate::store::redis::RedisStore;
use callgate::store::{Claim, Commit, Lease, NewEffect, RecordKey, Revision, Store, Swap, Version};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::sync::MutexGuard;
use uuid::Uuid;

use crate::support::cluster::RedisCluster;
use crate::support::redis::RedisServer;

/// A store that nothing else uses, and what must live as long.
struct Fresh {
    store: Arc<dyn Store>,
    _directory: Option<TempDir>,
    /// The cluster has one database: its tests come one after the other.
    _alone: Option<MutexGuard<'static, ()>>,
}

fn fresh_memory() -> Fresh {
    Fresh { store: Arc::new(MemoryStore::new()), _directory: None, _alone: None }
}

fn fresh_redb() -> Fresh {
    let directory = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&directory.path().join("calls.redb")).unwrap();
    Fresh { store: Arc::new(store), _directory: Some(directory), _alone: None }
}

fn fresh_redis() -> Fresh {
    let store = RedisStore::connect(&RedisServer::shared().database()).unwrap();
    Fresh { store: Arc::new(store), _directory: None, _alone: None }
}

async fn fresh_cluster() -> Fresh {
    let (cluster, alone) = RedisCluster::alone().await;
    let store = RedisStore::connect(&cluster.url()).unwrap();
    Fresh { store: Arc::new(store), _directory: None, _alone: Some(alone) }
}

/// A moment: so many seconds after the tests' beginning of time.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

/// Ids that no two tests share.
fn fresh_uuid() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &next.to_be_bytes())
}

fn fresh_call() -> CallId {
    CallId(fresh_uuid())
}

fn fresh_lease() -> Lease {
    Lease(fresh_uuid())
}

/// The first turn of a new call.
fn first(call: CallId) -> Commit {
    Commit {
        call,
        expected: None,
        version: Version { number: 1, turn: TurnId(fresh_uuid()) },
        state: b"state 1".to_vec(),
        expires_at: at(86_400),
        deadline: None,
        effects: Vec::new(),
        settled: Vec::new(),
        entry: b"entry 1".to_vec(),
    }
}

/// The turn after this one.
fn after(last: &Commit) -> Commit {
    let number = last.version.number + 1;
    Commit {
        expected: Some(last.version),
        version: Version { number, turn: TurnId(fresh_uuid()) },
        state: format!("state {number}").into_bytes(),
        deadline: None,
        effects: Vec::new(),
        settled: Vec::new(),
        entry: format!("entry {number}").into_bytes(),
        ..last.clone()
    }
}

fn effect(commit: &Commit, index: usize, due: Timestamp) -> NewEffect {
    let id = EffectId::of(commit.call, commit.version.turn, index);
    NewEffect { id, due, body: format!("body {index}").into_bytes() }
}

/// Everything due at `now`, for ten seconds.
fn claim(now: Timestamp) -> Claim {
    let until = now + SignedDuration::from_secs(10);
    Claim { now, lease: fresh_lease(), until, count_max: 100 }
}

/// This value, written over what is expected there.
fn write<'a>(key: &'a RecordKey, expected: Option<Revision>, value: &'a [u8]) -> Swap<'a> {
    Swap { key, expected, value }
}

/// A record of which there are as many as callers.
fn of_many(id: &str) -> RecordKey {
    RecordKey { kind: callgate::store::CALLERS, id: id.into() }
}

fn record(id: &str) -> RecordKey {
    RecordKey { kind: "ledger", id: id.into() }
}
