//! What the embedded store promises besides: its file outlives it, and is never harmed.

mod formats;
mod kills;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use callgate::engine::id::{CallId, EffectId, TurnId};
use callgate::limits::{STORE_COMPACT_BYTES_MIN, STORE_COMPACT_USED_BYTES_MAX};
use callgate::store::redb::RedbStore;
use callgate::store::{
    Claimed, Commit, Committed, Due, DueWhat, Lease, OpenError, Revision, Store as _, Version,
};
use futures_util::future::join_all;

use super::{after, at, claim, effect, first, fresh_call, fresh_lease, record, write};

const FILE: &str = "CALLGATE_TEST_STORE_FILE";
const ROLE: &str = "CALLGATE_TEST_STORE_ROLE";

/// Not a test: what another process does with the store, when this binary is started as one.
#[test]
fn as_another_process() {
    let Some(file) = std::env::var_os(FILE) else { return };
    println!("\nopens");
    let store = RedbStore::open(Path::new(&file)).unwrap();
    if std::env::var_os(ROLE).is_some_and(|role| role == "sweep") {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        println!("\nsweeps");
        runtime.block_on(store.sweep(at(kills::A_DAY_LATER_S))).unwrap();
        println!("\nswept");
        return;
    }
    if std::env::var_os(ROLE).is_some_and(|role| role == "hold") {
        println!("\nheld");
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(join_all((0..8).map(async |_| write_on(&store).await)));
}

/// Commits turn upon turn of call upon call, and says what was acknowledged.
async fn write_on(store: &RedbStore) {
    loop {
        let mut commit = first(CallId(uuid::Builder::from_random_bytes(random()).into_uuid()));
        loop {
            commit.effects = vec![effect(&commit, 0, at(0))];
            assert_eq!(store.commit(&commit, at(0)).await.unwrap(), Committed::Applied);
            println!("\nacknowledged {} {}", commit.call, commit.version.number);
            if commit.version.number == 5 {
                break;
            }
            commit = after(&commit);
        }
    }
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes
}

fn another_process(file: &Path, role: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::redb::as_another_process", "--nocapture"])
        .env(FILE, file)
        .env(ROLE, role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Whoever had the file before is gone: what they had in hand is due, and theirs no more. What was put off is not.
#[tokio::test]
async fn what_was_in_the_hands_of_another_process_is_due() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calls.redb");
    let store = RedbStore::open(&file).unwrap();
    let mut one = first(fresh_call());
    one.effects = vec![effect(&one, 0, at(0)), effect(&one, 1, at(0)), effect(&one, 2, at(9))];
    let [held, put_off, later] = [0, 1, 2].map(|number: usize| one.effects[number].id);
    store.commit(&one, at(0)).await.unwrap();
    let claimed = store.claim(claim(at(0))).await.unwrap();
    assert_eq!(claimed.len(), 2);
    let of = |effect| claimed[0].claimed(effect);
    assert!(store.put_off(of(put_off), at(5), b"again".to_vec()).await.unwrap());
    drop(store);

    let store = RedbStore::open(&file).unwrap();
    assert_eq!(store.claim(claim(at(1))).await.unwrap().len(), 0, "its lease lasts");
    store.take_over(at(1)).await.unwrap();
    assert!(!store.settle(of(held)).await.unwrap(), "nobody has it");
    let due_at = async |second| {
        let due = store.claim(claim(at(second))).await.unwrap().into_iter();
        let of_effect = |due: Due| match due.what {
            DueWhat::Effect { id, attempt, .. } => (id, attempt),
            DueWhat::Deadline => unreachable!(),
        };
        due.map(of_effect).collect::<Vec<_>>()
    };
    assert_eq!(due_at(1).await, [(held, 2)]);
    assert_eq!(due_at(5).await, [(put_off, 2)]);
    assert_eq!(due_at(9).await, [(later, 1)]);
}

/// So are the deadlines that they had begun to tell calls of; but not those of calls that have been told.
#[tokio::test]
async fn a_deadline_in_the_hands_of_another_process_is_due() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calls.redb");
    let store = RedbStore::open(&file).unwrap();
    let [mut held, mut told, mut over] = [(); 3].map(|()| first(fresh_call()));
    for one in [&mut held, &mut told, &mut over] {
        one.deadline = Some(at(1));
        store.commit(one, at(0)).await.unwrap();
    }
    assert_eq!(store.claim(claim(at(1))).await.unwrap().len(), 3);
    for (one, deadline) in [(&told, Some(at(7))), (&over, None)] {
        let next = Commit { deadline, ..after(one) };
        assert_eq!(store.commit(&next, at(1)).await.unwrap(), Committed::Applied);
    }
    drop(store);

    let store = RedbStore::open(&file).unwrap();
    assert_eq!(store.claim(claim(at(2))).await.unwrap().len(), 0, "its lease lasts");
    store.take_over(at(2)).await.unwrap();
    let due_at = async |second| {
        let due = store.claim(claim(at(second))).await.unwrap();
        assert!(due.iter().all(|due| due.what == DueWhat::Deadline));
        due.iter().map(|due| due.call).collect::<Vec<_>>()
    };
    assert_eq!(due_at(2).await, [held.call]);
    assert_eq!(due_at(7).await, [told.call]);
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calls.redb");
    let mut acknowledged = Vec::new();
    for lines_before_kill in [1, 7, 40, 150] {
        let mut child = another_process(&file, "write");
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut seen = 0;
        let mut line = String::new();
        // A line that the kill has cut is no acknowledgement.
        while lines.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
            if let Some((call, number)) =
                line.trim().strip_prefix("acknowledged ").and_then(|rest| rest.split_once(' '))
            {
                let call = CallId::parse(call).unwrap();
                acknowledged.push((call, number.parse::<u64>().unwrap()));
                seen += 1;
            }
            if seen == lines_before_kill {
                child.kill().unwrap();
            }
            line.clear();
        }
        child.wait().unwrap();
        assert!(seen >= lines_before_kill);

        let store = RedbStore::open(&file).unwrap();
        for (call, number) in &acknowledged {
            let stored = store.load(*call).await.unwrap().unwrap();
            assert!(stored.version.number >= *number, "{call} {number}: {stored:?}");
            // What stands, stands whole.
            let number = stored.version.number;
            assert_eq!(stored.state, format!("state {number}").into_bytes());
            assert_eq!(store.journal(*call).await.unwrap().len() as u64, number);
        }
    }
    let store = RedbStore::open(&file).unwrap();
    let effects = store.claim(callgate::store::Claim { count_max: 9_999, ..claim(at(0)) });
    assert!(effects.await.unwrap().len() >= acknowledged.len());
}

#[tokio::test]
async fn closed_and_opened_it_holds_everything() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calls.redb");
    let mut one = first(fresh_call());
    one.effects = vec![effect(&one, 0, at(0)), effect(&one, 1, at(70))];
    let mut two = after(&one);
    two.deadline = Some(at(50));
    let store = RedbStore::open(&file).unwrap();
    store.commit(&one, at(0)).await.unwrap();
    let lease = store.claim(claim(at(0))).await.unwrap()[0].lease;
    store.commit(&two, at(1)).await.unwrap();
    store.swap(write(&record("aa"), None, b"value"), at(99), at(0)).await.unwrap();
    drop(store);

    let store = RedbStore::open(&file).unwrap();
    let stored = store.load(one.call).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.state), (two.version, two.state.clone()));
    assert_eq!(store.commit(&two, at(2)).await.unwrap(), Committed::AlreadyYours);
    assert_eq!(store.journal(one.call).await.unwrap(), [b"entry 1", b"entry 2"]);
    assert_eq!(store.calls(9).await.unwrap(), [one.call]);
    assert!(
        store.settle(Claimed { call: one.call, effect: one.effects[0].id, lease }).await.unwrap()
    );
    assert_eq!(store.claim(claim(at(70))).await.unwrap().len(), 2);
    let value = store.read(&record("aa")).await.unwrap();
    assert_eq!(value, Some((Revision(1), b"value".to_vec())));
}

#[tokio::test]
async fn a_sweep_leaves_nothing_of_what_has_expired() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calls.redb");
    let store = RedbStore::open(&file).unwrap();
    let commits: Vec<_> = (0..1_200)
        .map(|_| {
            let mut commit = first(fresh_call());
            commit.expires_at = at(10);
            commit.effects = vec![effect(&commit, 0, at(5))];
            commit
        })
        .collect();
    join_all(commits.iter().map(|commit| store.commit(commit, at(0)))).await;
    let records: Vec<_> = (0..600).map(|n| record(&format!("{n:04x}"))).collect();
    join_all(records.iter().map(|key| store.swap(write(key, None, b"x"), at(10), at(0)))).await;
    store.sweep(at(10)).await.unwrap();
    for commit in &commits {
        assert_eq!(store.load(commit.call).await.unwrap(), None);
    }
    for key in &records {
        assert_eq!(store.read(key).await.unwrap(), None);
    }
    assert!(store.calls(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_let_live_longer_is_forgotten_later_and_not_never() {
    let directory = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&directory.path().join("calls.redb")).unwrap();
    let mut one = first(fresh_call());
    one.expires_at = at(10);
    store.commit(&one, at(0)).await.unwrap();
    let mut two = after(&one);
    two.expires_at = at(100);
    store.commit(&two, at(5)).await.unwrap();
    let mut short = first(fresh_call());
    short.expires_at = at(100);
    store.commit(&short, at(0)).await.unwrap();
    let mut shorter = after(&short);
    shorter.expires_at = at(20);
    store.commit(&shorter, at(5)).await.unwrap();
    let key = record("aa");
    assert!(store.swap(write(&key, None, b"x"), at(10), at(0)).await.unwrap());
    assert!(store.swap(write(&key, Some(Revision(1)), b"y"), at(100), at(5)).await.unwrap());

    for now in [10, 20, 99] {
        store.sweep(at(now)).await.unwrap();
        assert!(store.load(one.call).await.unwrap().is_some());
        assert_eq!(store.load(short.call).await.unwrap().is_some(), now < 20);
        assert!(store.read(&key).await.unwrap().is_some());
    }
    store.sweep(at(100)).await.unwrap();
    assert_eq!(store.load(one.call).await.unwrap(), None);
    assert_eq!(store.read(&key).await.unwrap(), None);
    assert!(store.calls(9).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_is_bounded_by_what_lives_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calls.redb");
    let store = RedbStore::open(&file).unwrap();
    let length = || std::fs::metadata(&file).unwrap().len();
    let fill = async |day: i64, state: usize| {
        let commits = (0..400).map(|_| {
            let mut commit = first(fresh_call());
            commit.state = vec![7; state];
            commit.expires_at = at(day * 86_400 + 10);
            commit
        });
        let commits: Vec<_> = commits.collect();
        let now = at(day * 86_400);
        join_all(commits.iter().map(|commit| store.commit(commit, now))).await;
        length()
    };
    let a_day_of_calls = async |day: i64, state: usize| {
        let full = fill(day, state).await;
        store.sweep(at(day * 86_400 + 20)).await.unwrap();
        full
    };

    // Day after day as many calls: the file is as large as one day needs, however many there were.
    a_day_of_calls(0, 4_000).await;
    let second = a_day_of_calls(1, 4_000).await;
    let mut last = second;
    for day in 2..16 {
        last = a_day_of_calls(day, 4_000).await;
    }
    // The file grows by doubling.
    assert!(last <= second * 3, "{second} bytes became {last}");

    // After a day of far more than usual the space is given back, and nothing that lives is lost. Writes go on
    // meanwhile, and each is done.
    let mut alive = first(fresh_call());
    alive.expires_at = at(200 * 86_400);
    alive.state = vec![7; usize::try_from(STORE_COMPACT_USED_BYTES_MAX / 2).unwrap()];
    store.commit(&alive, at(20 * 86_400)).await.unwrap();
    let over = AtomicBool::new(false);
    let writes = async {
        let (key, expires, now) = (record("bb"), alive.expires_at, at(20 * 86_400));
        let mut revision = None;
        while !over.load(Ordering::Relaxed) {
            assert!(store.swap(write(&key, revision, b"value"), expires, now).await.unwrap());
            revision = Some(Revision(revision.map_or(1, |Revision(last)| last + 1)));
        }
    };
    let day = async {
        let full = fill(21, 400_000).await;
        store.sweep(at(21 * 86_400 + 20)).await.unwrap();
        over.store(true, Ordering::Relaxed);
        full
    };
    let ((), full) = futures_util::future::join(writes, day).await;
    assert!(full > STORE_COMPACT_BYTES_MIN, "{full}");
    assert!(length() < full / 4, "{full} bytes became {}", length());
    assert_eq!(store.load(alive.call).await.unwrap().unwrap().state, alive.state);
    drop(store);
    let store = RedbStore::open(&file).unwrap();
    assert_eq!(store.load(alive.call).await.unwrap().unwrap().state, alive.state);
}

/// Too much to be moved while turns wait is moved when the store is opened.
#[tokio::test]
async fn what_is_mostly_empty_becomes_smaller_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calls.redb");
    let length = || std::fs::metadata(&file).unwrap().len();
    let state = vec![7; usize::try_from(STORE_COMPACT_USED_BYTES_MAX / 4).unwrap()];
    let calls = |count: usize, expires_s: i64| -> Vec<_> {
        let call = |_| {
            let mut commit = first(fresh_call());
            (commit.state, commit.expires_at) = (state.clone(), at(expires_s));
            commit
        };
        (0..count).map(call).collect()
    };
    let (alive, gone) = (calls(8, 100_000), calls(120, 10));
    let store = RedbStore::open(&file).unwrap();
    // What lives lies at the end of the file, which is cut by itself where nothing does.
    for commit in gone.iter().chain(&alive) {
        store.commit(commit, at(0)).await.unwrap();
    }
    store.sweep(at(20)).await.unwrap();
    drop(store);
    let full = length();
    assert!(full > STORE_COMPACT_BYTES_MIN, "{full}");
    let store = RedbStore::open(&file).unwrap();
    assert!(length() < full / 2, "{full} bytes became {}", length());
    for commit in &alive {
        assert_eq!(store.load(commit.call).await.unwrap().unwrap().state, state);
    }
    // It is not made smaller again and again.
    let small = length();
    drop(store);
    drop(RedbStore::open(&file).unwrap());
    assert_eq!(length(), small);
}

#[test]
fn a_file_in_use_is_told_from_a_damaged_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calls.redb");
    let mut child = another_process(&file, "hold");
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line.trim() != "held" {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the other process ended");
    }
    let error = RedbStore::open(&file).unwrap_err();
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
    assert!(error.to_string().contains("in use by another process; stop that one"), "{error}");

    drop(child.stdin.take());
    child.wait().unwrap();
    RedbStore::open(&file).unwrap();
}

#[test]
fn a_path_that_cannot_be_is_told_why() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("nowhere/calls.redb");
    let error = RedbStore::open(&missing).unwrap_err();
    assert!(matches!(error, OpenError::NoDirectory(_)), "{error}");
    assert!(!missing.exists());
    let error = RedbStore::open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::IsDirectory(_)), "{error}");
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = RedbStore::open(&file.join("calls.redb")).unwrap_err();
    assert!(matches!(error, OpenError::NoDirectory(_)), "{error}");
}

#[cfg(unix)]
#[test]
fn a_forbidden_file_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_directory, file) = written();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&file).is_ok() {
        return; // Nothing is forbidden to root.
    }
    let error = RedbStore::open(&file).unwrap_err();
    assert!(matches!(error, OpenError::Forbidden(_)), "{error}");
}

/// A store with something in it, closed.
fn written() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calls.redb");
    let store = RedbStore::open(&file).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for _ in 0..40 {
            let mut commit = first(fresh_call());
            commit.state = vec![7; 1_000];
            commit.effects = vec![effect(&commit, 0, at(0))];
            store.commit(&commit, at(0)).await.unwrap();
        }
    });
    drop(store);
    (directory, file)
}

#[test]
fn what_is_no_store_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calls.redb");
    for foreign in [b"x".as_slice(), b"public_url = \"https://ivr.example.com\"\n", &[0; 9_000]] {
        std::fs::write(&file, foreign).unwrap();
        let error = RedbStore::open(&file).unwrap_err();
        assert!(matches!(error, OpenError::Foreign(_)), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), foreign);
    }
    let others = [("another program's", "events"), ("callgate", "format")];
    for (name, key) in others {
        std::fs::remove_file(&file).unwrap();
        let database = ::redb::Database::create(&file).unwrap();
        let table: ::redb::TableDefinition<'_, &str, u64> = ::redb::TableDefinition::new(name);
        let transaction = database.begin_write().unwrap();
        transaction.open_table(table).unwrap().insert(key, 5).unwrap();
        transaction.commit().unwrap();
        drop(database);
        let error = RedbStore::open(&file).unwrap_err().to_string();
        let told = ["is not a callgate store", "has format 5, and this callgate reads 4"];
        assert!(told.iter().any(|told| error.contains(told)), "{name}: {error}");
    }
}

#[test]
fn a_damaged_file_is_told_and_left_as_it_is() {
    let (_directory, file) = written();
    let good = std::fs::read(&file).unwrap();
    let mut told = 0;
    for at in (0..good.len()).step_by(997) {
        let mut bad = good.clone();
        bad[at] ^= 0xff;
        std::fs::write(&file, &bad).unwrap();
        if let Err(error) = RedbStore::open(&file) {
            told += 1;
            assert!(
                matches!(error, OpenError::Damaged(_) | OpenError::Foreign(_)),
                "byte {at}: {error}"
            );
            assert!(std::fs::read(&file).unwrap() == bad, "byte {at}: the file was changed");
        }
    }
    // Most of the file is free space, where a byte means nothing.
    assert!(told > 10, "{told}");
    for length in [1, 9, 100, 4_096, 9_000, good.len() / 2, good.len() - 1] {
        std::fs::write(&file, &good[..length]).unwrap();
        let error = RedbStore::open(&file).unwrap_err();
        assert!(
            matches!(error, OpenError::Damaged(_) | OpenError::Foreign(_)),
            "cut to {length}: {error}"
        );
        assert!(std::fs::read(&file).unwrap() == good[..length], "cut to {length}: changed");
    }
    std::fs::write(&file, &good).unwrap();
    RedbStore::open(&file).unwrap();
}

#[test]
fn a_kill_while_it_was_made_leaves_no_obstacle() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calls.redb");
    let mut beside = std::fs::File::create(directory.path().join("calls.redb.new")).unwrap();
    beside.write_all(&[0; 5_000]).unwrap();
    RedbStore::open(&file).unwrap();
    assert!(!directory.path().join("calls.redb.new").exists());
    std::fs::hard_link(&file, directory.path().join("calls.redb.new")).unwrap();
    RedbStore::open(&file).unwrap();
    assert!(!directory.path().join("calls.redb.new").exists());
}
