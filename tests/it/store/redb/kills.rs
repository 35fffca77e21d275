//! Kills in the midst of what writes the whole file anew: a move to another format, and what makes it smaller. Whatever
//! moment it is, all of it is there afterwards.

use std::collections::BTreeSet;
use std::time::Duration;

use super::formats::{FORMAT, has_all_of, of_the_first_format};
use super::*;

/// When everything that [`a_day`] put down is over.
pub(super) const A_DAY_LATER_S: i64 = 90_000;

/// The process has said this.
fn says(lines: &mut impl Iterator<Item = std::io::Result<String>>, what: &str) -> bool {
    lines.map_while(Result::ok).any(|line| line == what)
}

/// How long a process takes from saying the one to saying the other, with this file.
fn takes(file: &Path, role: &str, (from, to): (&str, &str)) -> Duration {
    let mut child = another_process(file, role);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(says(&mut lines, from));
    let begun = std::time::Instant::now();
    assert!(says(&mut lines, to));
    let took = begun.elapsed();
    let _ = child.kill();
    child.wait().unwrap();
    took
}

/// Kills a process so long after it has said that.
fn kill_after(file: &Path, role: &str, from: &str, wait: Duration) {
    let mut child = another_process(file, role);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(says(&mut lines, from));
    // Any moment will do.
    std::thread::sleep(wait);
    child.kill().unwrap();
    child.wait().unwrap();
}

fn format_of(file: &Path) -> u64 {
    use ::redb::ReadableDatabase as _;
    let database = ::redb::Database::open(file).unwrap();
    let meta = database.begin_read().unwrap().open_table(FORMAT).unwrap();
    meta.get("format").unwrap().unwrap().value()
}

#[tokio::test]
async fn in_a_move_to_another_format_leave_all_of_it_or_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (before, file) =
        (directory.path().join("before.redb"), directory.path().join("calls.redb"));
    let calls: Vec<_> = (0..400).map(|_| (fresh_call(), EffectId(fresh_call().0))).collect();
    let turn = TurnId(fresh_call().0);
    of_the_first_format(&before, &calls, turn, fresh_lease());
    std::fs::copy(&before, &file).unwrap();
    let takes = takes(&file, "hold", ("opens", "held"));
    let mut formats = BTreeSet::new();
    for step in 0..40 {
        std::fs::copy(&before, &file).unwrap();
        kill_after(&file, "hold", "opens", takes * step / 36);
        formats.insert(format_of(&file));
        has_all_of(&RedbStore::open(&file).unwrap(), &calls, turn).await;
        assert_eq!(format_of(&file), 4);
    }
    assert!(formats.contains(&1), "none came before it was moved on");
}

/// A file that was large for a day, with a call in it that goes on.
async fn a_day(file: &Path) -> CallId {
    let store = RedbStore::open(file).unwrap();
    let mut alive = first(fresh_call());
    alive.expires_at = at(9 * A_DAY_LATER_S);
    store.commit(&alive, at(0)).await.unwrap();
    let commits: Vec<_> = (0..300)
        .map(|_| {
            let mut commit = first(fresh_call());
            commit.state = vec![7; 300_000];
            commit.expires_at = at(A_DAY_LATER_S - 1);
            commit
        })
        .collect();
    join_all(commits.iter().map(|commit| store.commit(commit, at(0)))).await;
    alive.call
}

#[tokio::test]
async fn while_it_becomes_smaller_take_nothing_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let (before, file) =
        (directory.path().join("before.redb"), directory.path().join("calls.redb"));
    let alive = a_day(&before).await;
    let length = || std::fs::metadata(&file).unwrap().len();
    std::fs::copy(&before, &file).unwrap();
    let full = length();
    let takes = takes(&file, "sweep", ("sweeps", "swept"));
    assert!(length() < full / 4, "{full} bytes became {}", length());
    for step in 0..8 {
        std::fs::copy(&before, &file).unwrap();
        kill_after(&file, "sweep", "sweeps", takes * step / 7);
        let store = RedbStore::open(&file).unwrap();
        assert_eq!(store.load(alive).await.unwrap().unwrap().state, b"state 1");
        assert_eq!(store.journal(alive).await.unwrap(), [b"entry 1"]);
        store.sweep(at(A_DAY_LATER_S)).await.unwrap();
        assert_eq!(store.calls(9).await.unwrap(), [alive]);
        drop(store);
        assert!(length() < full / 4, "{full} bytes became {}", length());
    }
}
