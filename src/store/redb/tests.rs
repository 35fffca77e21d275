//! A disk that fails and a disk that waits, under the embedded store.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use ::redb::StorageBackend;
use ::redb::backends::FileBackend;
use futures_util::future::join_all;
use uuid::Uuid;

use super::*;
use crate::engine::id::{EffectId, TurnId};
use crate::store::{Lease, Version};

/// What the tests do to the disk.
#[derive(Debug, Default)]
struct Disk {
    full: AtomicBool,
    flushes: AtomicUsize,
    held: Mutex<bool>,
    released: Condvar,
}

impl Disk {
    fn check(&self) -> std::io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn hold(&self, held: bool) {
        *self.held.lock().unwrap() = held;
        self.released.notify_all();
    }
}

#[derive(Debug)]
struct OnDisk {
    file: FileBackend,
    disk: Arc<Disk>,
}

impl StorageBackend for OnDisk {
    fn len(&self) -> std::io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.disk.check()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.disk.check()?;
        self.disk.flushes.fetch_add(1, Ordering::SeqCst);
        let held = self.disk.held.lock().unwrap();
        drop(self.disk.released.wait_while(held, |held| *held).unwrap());
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.disk.check()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> std::io::Result<()> {
        self.file.close()
    }
}

fn store_on(path: PathBuf, disk: &Arc<Disk>) -> RedbStore {
    drop(RedbStore::open(&path).unwrap());
    let disk = Arc::clone(disk);
    let opener = move || {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let file = FileBackend::new(file).unwrap();
        let backend = OnDisk { file, disk: Arc::clone(&disk) };
        let opened = ::redb::Database::builder().create_with_backend(backend);
        opened.map_err(|error| OpenError::System {
            path: path.clone(),
            source: std::io::Error::other(error.to_string()),
        })
    };
    RedbStore::over(Slot::open(Box::new(opener)).unwrap()).unwrap()
}

fn commit(call: u128) -> Commit {
    Commit {
        call: CallId(Uuid::from_u128(call)),
        expected: None,
        version: Version { number: 1, turn: TurnId(Uuid::from_u128(call)) },
        state: vec![7; 2_000],
        expires_at: Timestamp::MAX,
        deadline: None,
        effects: Vec::new(),
        settled: Vec::new(),
        entry: Vec::new(),
    }
}

#[tokio::test]
async fn a_failing_disk_is_told_to_each_caller_and_then_gone_on_from() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let store = store_on(directory.path().join("calls.redb"), &disk);
    let now = Timestamp::UNIX_EPOCH;
    assert_eq!(store.commit(&commit(1), now).await.unwrap(), Committed::Applied);

    disk.full.store(true, Ordering::SeqCst);
    for round in 0..3 {
        let commits: Vec<_> = (10..20).map(commit).collect();
        for answer in join_all(commits.iter().map(|commit| store.commit(commit, now))).await {
            let error = answer.expect_err("a full disk");
            assert!(matches!(error, StoreError::Unavailable(_)), "round {round}: {error}");
        }
    }

    disk.full.store(false, Ordering::SeqCst);
    assert_eq!(store.commit(&commit(2), now).await.unwrap(), Committed::Applied);
    for call in [1, 2] {
        assert!(store.load(CallId(Uuid::from_u128(call))).await.unwrap().is_some());
    }
    assert_eq!(store.commit(&commit(2), now).await.unwrap(), Committed::AlreadyYours);
}

#[tokio::test]
async fn writes_that_wait_share_a_flush() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let store = Arc::new(store_on(directory.path().join("calls.redb"), &disk));
    let now = Timestamp::UNIX_EPOCH;

    let before = disk.flushes.load(Ordering::SeqCst);
    store.commit(&commit(0), now).await.unwrap();
    let of_one = disk.flushes.load(Ordering::SeqCst) - before;

    // One write holds the disk; meanwhile 100 others queue behind it.
    disk.hold(true);
    let commits: Vec<_> = (1..=101).map(commit).collect();
    let writes = join_all(commits.iter().map(|commit| store.commit(commit, now)));
    let before = disk.flushes.load(Ordering::SeqCst);
    let release = async {
        while disk.flushes.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
        disk.hold(false);
    };
    let (answers, ()) = futures_util::future::join(writes, release).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == Committed::Applied));
    let flushes = disk.flushes.load(Ordering::SeqCst) - before;
    // Not one or two: the runtime hands the writes over in a few portions.
    assert!(flushes <= 10 * of_one, "{flushes} flushes for 101 writes, {of_one} for one");
}

#[tokio::test]
async fn what_changes_nothing_costs_no_flush() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let store = store_on(directory.path().join("calls.redb"), &disk);
    let now = Timestamp::UNIX_EPOCH;
    store.commit(&commit(1), now).await.unwrap();

    let before = disk.flushes.load(Ordering::SeqCst);
    let lease = Lease(Uuid::nil());
    let claim = Claim { now, lease, until: now, count_max: 9 };
    assert!(store.claim(claim).await.unwrap().is_empty());
    assert_eq!(store.commit(&commit(1), now).await.unwrap(), Committed::AlreadyYours);
    let claimed = Claimed { call: CallId(Uuid::nil()), effect: EffectId(Uuid::nil()), lease };
    assert!(!store.settle(claimed).await.unwrap());
    store.sweep(now).await.unwrap();
    assert_eq!(disk.flushes.load(Ordering::SeqCst), before);
}

#[test]
fn no_two_ids_of_records_are_spelled_alike() {
    let ids = ["", "a", "aa", "aaa", "0a", "0A", "g0", "\0", "\u{1}aa", "00", "0001", "é"];
    let spelled: std::collections::BTreeSet<_> = ids.map(tables::spelled).into_iter().collect();
    assert_eq!(spelled.len(), ids.len());
    assert!(spelled.contains(&vec![0, 0x0a]), "{spelled:?}");
}
