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
use crate::store::{Lease, NewEffect, Version};

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
    let (disk, named) = (Arc::clone(disk), path.clone());
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
    RedbStore::over(Slot::open(named.as_path(), Box::new(opener)).unwrap()).unwrap()
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
    assert_eq!(places::lock(&store.slot.fresh).count(), 2, "what failed has no place");
}

#[tokio::test]
async fn what_panics_takes_nothing_else_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_on(directory.path().join("calls.redb"), &Arc::default());
    let now = Timestamp::UNIX_EPOCH;
    assert_eq!(store.commit(&commit(1), now).await.unwrap(), Committed::Applied);

    // Half of a write has been done, and a place is known of it.
    let write = store.write(|tables| -> Result<(), Fault> {
        tables.commit(&commit(2), 0)?;
        panic!("as over a page that is none of redb's")
    });
    let third = commit(3);
    let (panicked, beside) = tokio::join!(write, store.commit(&third, now));
    assert!(matches!(panicked, Err(StoreError::Unavailable(_))), "{panicked:?}");
    // It was flushed before, after, or not at all.
    let beside = beside.is_ok();
    let read = store.read(|_| -> Result<(), Fault> { panic!("as over a page that is none") }).await;
    assert!(matches!(read, Err(StoreError::Damaged(_))), "it is no matter of one call: {read:?}");

    assert_eq!(store.commit(&commit(4), now).await.unwrap(), Committed::Applied);
    for (call, is_there) in [(1, true), (2, false), (3, beside), (4, true)] {
        let found = store.load(CallId(Uuid::from_u128(call))).await.unwrap();
        assert_eq!(found.is_some(), is_there, "{call}");
    }
}

/// A call whose id is as random as a call's.
fn some_call(n: u128) -> CallId {
    CallId(Uuid::new_v5(&Uuid::NAMESPACE_OID, &n.to_be_bytes()))
}

fn some_record(n: u128) -> RecordKey {
    RecordKey { kind: "ledger", id: some_call(n).0.simple().to_string() }
}

fn write<'a>(
    key: &'a RecordKey,
    expected: Option<Revision>,
    value: &'a [u8],
) -> crate::store::Swap<'a> {
    crate::store::Swap { key, expected, value }
}

/// Commits a call and writes a record of each number, all at once; those that are on the disk.
async fn place(store: &RedbStore, numbers: std::ops::Range<u128>, now: Timestamp) -> Vec<u128> {
    let later = now + jiff::SignedDuration::from_secs(100);
    let placed = numbers.map(async |n| {
        let commit = Commit { call: some_call(n), expires_at: later, ..commit(n) };
        let (record, value) = (some_record(n), n.to_be_bytes());
        let (call, record) = futures_util::future::join(
            store.commit(&commit, now),
            store.swap(write(&record, None, &value), later, now),
        )
        .await;
        (n, call.is_ok_and(|call| call == Committed::Applied) && record.is_ok_and(|record| record))
    });
    let placed = join_all(placed).await;
    placed.into_iter().filter(|(_, placed)| *placed).map(|(n, _)| n).collect()
}

async fn assert_found(store: &RedbStore, numbers: impl IntoIterator<Item = u128>) {
    for n in numbers {
        let stored = store.load(some_call(n)).await.unwrap();
        assert!(stored.is_some_and(|stored| stored.version.turn.0.as_u128() == n), "call {n}");
        let read = Store::read(store, &some_record(n)).await.unwrap();
        assert!(read.is_some_and(|(_, value)| value == n.to_be_bytes()), "record {n}");
    }
}

/// Rows of the tables of places: by id, and in the order in which they came.
fn rows_of_places(path: &std::path::Path) -> [u64; 2] {
    use ::redb::{ReadableDatabase as _, ReadableTableMetadata as _};
    let database = ::redb::Database::open(path).unwrap();
    let transaction = database.begin_read().unwrap();
    ["places", "placed_last"].map(|name| {
        let tables = transaction.list_tables().unwrap();
        let table = { tables }.find(|table| ::redb::TableHandle::name(table) == name).unwrap();
        transaction.open_untyped_table(table).unwrap().len().unwrap()
    })
}

/// Begins to move what was placed last at so many.
fn keeping(store: RedbStore, most: usize) -> RedbStore {
    places::lock(&store.slot.fresh).most = most;
    store
}

#[tokio::test]
async fn what_was_placed_is_found_while_it_is_moved_and_once_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calls.redb");
    let now = Timestamp::UNIX_EPOCH;
    let (mut placed, mut counts) = (0, Vec::new());
    // Closed and opened at any step on the way.
    for round in 1..8 {
        let store = keeping(RedbStore::open(&path).unwrap(), 100);
        for _ in 0..round {
            let numbers = placed..placed + 20;
            assert_eq!(place(&store, numbers, now).await.len(), 20);
            placed += 20;
            assert_found(&store, 0..placed).await;
            counts.push(places::lock(&store.slot.fresh).count());
        }
    }
    assert!(counts.iter().all(|count| *count <= 200), "{counts:?}");
    assert!(!counts.is_sorted(), "nothing was moved: {counts:?}");
    let [by_id, fresh] = rows_of_places(&path);
    assert!(fresh <= 200, "{fresh}");
    assert!(by_id > 600, "{by_id} of {placed} calls and as many records");

    let store = RedbStore::open(&path).unwrap();
    assert_found(&store, 0..placed).await;
    store.sweep(now + jiff::SignedDuration::from_secs(100)).await.unwrap();
    assert!(store.load(some_call(0)).await.unwrap().is_none());
    assert_eq!(places::lock(&store.slot.fresh).count(), 0);
    drop(store);
    assert_eq!(rows_of_places(&path), [0, 0]);
}

#[tokio::test]
async fn what_was_placed_is_found_though_the_disk_was_full_while_it_was_moved() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let store = keeping(store_on(directory.path().join("calls.redb"), &disk), 10);
    let now = Timestamp::UNIX_EPOCH;
    let (mut placed, mut next) = (Vec::new(), 0);
    // As many at once as make it fail at any step on the way.
    for round in 0..90 {
        let numbers = next..next + 1 + round * 5 % 7;
        next = numbers.end;
        let is_full = round % 3 == 1;
        disk.full.store(is_full, Ordering::SeqCst);
        let now_placed = place(&store, numbers.clone(), now).await;
        disk.full.store(false, Ordering::SeqCst);
        assert_eq!(now_placed.len(), if is_full { 0 } else { numbers.count() });
        placed.extend(now_placed);
    }
    assert_found(&store, placed).await;
}

#[tokio::test]
async fn a_record_is_read_where_it_lay_until_where_it_is_moved_is_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let store = store_on(directory.path().join("calls.redb"), &disk);
    let (now, record) = (Timestamp::UNIX_EPOCH, some_record(1));
    let after = |seconds| now + jiff::SignedDuration::from_secs(seconds);
    assert!(store.swap(write(&record, None, b"first"), after(100), now).await.unwrap());

    // It is to be looked at earlier, so it lies elsewhere.
    disk.hold(true);
    let before = disk.flushes.load(Ordering::SeqCst);
    let swap = store.swap(write(&record, Some(Revision(1)), b"second"), after(50), now);
    let read = async {
        while disk.flushes.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
        let read = Store::read(&store, &record).await;
        disk.hold(false);
        read
    };
    let (swapped, read) = futures_util::future::join(swap, read).await;
    assert!(swapped.unwrap());
    assert_eq!(read.unwrap(), Some((Revision(1), b"first".to_vec())));
    let read = Store::read(&store, &record).await.unwrap();
    assert_eq!(read, Some((Revision(2), b"second".to_vec())));
}

/// How many rows each table has, but for that of the format.
fn rows(path: &std::path::Path) -> Vec<(String, u64)> {
    use ::redb::{ReadableDatabase as _, ReadableTableMetadata as _, TableHandle as _};
    let database = ::redb::Database::open(path).unwrap();
    let transaction = database.begin_read().unwrap();
    let tables = transaction.list_tables().unwrap().filter(|table| table.name() != "callgate");
    let count = |table: ::redb::UntypedTableHandle| {
        let name = table.name().to_owned();
        (name, transaction.open_untyped_table(table).unwrap().len().unwrap())
    };
    tables.map(count).collect()
}

#[tokio::test]
async fn what_has_expired_leaves_no_row_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calls.redb");
    let store = RedbStore::open(&path).unwrap();
    let now = Timestamp::UNIX_EPOCH;
    let after = |seconds| now + jiff::SignedDuration::from_secs(seconds);
    let of_turn = |number: u64, expires_at| Commit {
        call: some_call(1),
        version: Version { number, turn: TurnId(Uuid::from_u128(number.into())) },
        expires_at,
        deadline: Some(after(1_000)),
        effects: vec![NewEffect {
            id: EffectId(Uuid::from_u128(number.into())),
            due: now,
            body: vec![7],
        }],
        entry: vec![7],
        ..commit(1)
    };
    let first = of_turn(1, after(100));
    let second = Commit { expected: Some(first.version), ..of_turn(2, after(200)) };
    for turn in [&first, &second] {
        assert_eq!(store.commit(turn, now).await.unwrap(), Committed::Applied);
    }
    let record = some_record(1);
    assert!(store.swap(write(&record, None, b"value"), after(100), now).await.unwrap());
    store.sweep(after(150)).await.unwrap();
    assert!(store.load(some_call(1)).await.unwrap().is_some(), "it lives longer");
    store.sweep(after(200)).await.unwrap();
    drop(store);
    let rows = rows(&path);
    assert!(rows.len() > 5 && rows.iter().all(|(_, count)| *count == 0), "{rows:?}");
}

/// Nobody goes on in another file that was put in the place of theirs.
#[test]
fn another_file_in_its_place_is_not_gone_on_with() {
    let directory = tempfile::tempdir().unwrap();
    let [path, away] = ["calls.redb", "away.redb"].map(|name| directory.path().join(name));
    let store = RedbStore::open(&path).unwrap();
    std::fs::rename(&path, &away).unwrap();
    drop(RedbStore::open(&path).unwrap());
    assert!(store.slot.reopen().is_err());
    std::fs::rename(&away, &path).unwrap();
    assert!(store.slot.reopen().is_ok());
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
