//! Files of older formats: each is moved on, with all that is in it.

use super::*;

/// The table in which a file says of which format it is.
pub(super) const FORMAT: ::redb::TableDefinition<'static, &str, u64> =
    ::redb::TableDefinition::new("callgate");

/// The tables of the first format that have changed since, and those that have not.
mod older {
    use redb::TableDefinition;

    type Call = (u64, u128, i64, i64, Option<i64>, &'static [u8]);
    pub(super) const CALLS: TableDefinition<'static, u128, Call> = TableDefinition::new("calls");
    type Effect = (i64, u32, Option<u128>, &'static [u8]);
    pub(super) const EFFECTS: TableDefinition<'static, (u128, u128), Effect> =
        TableDefinition::new("effects");
    pub(super) const JOURNAL: TableDefinition<'static, (u128, u64), &[u8]> =
        TableDefinition::new("journal");
    pub(super) const BEGUN: TableDefinition<'static, (i64, u128), ()> =
        TableDefinition::new("begun");
    pub(super) const DUE: TableDefinition<'static, (i64, u8, u128, u128), ()> =
        TableDefinition::new("due");
    pub(super) const EXPIRY: TableDefinition<'static, (i64, u128), ()> =
        TableDefinition::new("expiry");
    type Record = (u64, i64, &'static [u8]);
    pub(super) const RECORDS: TableDefinition<'static, (&str, &str), Record> =
        TableDefinition::new("records");
    pub(super) const RECORD_EXPIRY: TableDefinition<'static, (i64, &str, &str), ()> =
        TableDefinition::new("record_expiry");
}

/// Writes a file as callgate wrote it in the first format: of each call two turns and an effect, which somebody
/// has claimed, and a deadline; the calls began one after the other.
pub(super) fn of_the_first_format(
    file: &Path,
    calls: &[(CallId, EffectId)],
    turn: TurnId,
    lease: Lease,
) {
    let database = ::redb::Database::create(file).unwrap();
    let transaction = database.begin_write().unwrap();
    let us = |seconds| at(seconds).as_microsecond();
    transaction.open_table(FORMAT).unwrap().insert("format", 1).unwrap();
    for ((call, effect), second) in calls.iter().zip(0..) {
        let (call, effect, lease) = (call.0.as_u128(), effect.0.as_u128(), lease.0.as_u128());
        let state = format!("state {second}");
        let row = (2, turn.0.as_u128(), us(second), us(900), Some(us(50)), state.as_bytes());
        transaction.open_table(older::CALLS).unwrap().insert(call, row).unwrap();
        let mut journal = transaction.open_table(older::JOURNAL).unwrap();
        for number in [1, 2] {
            let entry = format!("entry {number} of {second}");
            journal.insert((call, number), entry.as_bytes()).unwrap();
        }
        let row = (us(60), 1, Some(lease), b"body".as_slice());
        transaction.open_table(older::EFFECTS).unwrap().insert((call, effect), row).unwrap();
        transaction.open_table(older::BEGUN).unwrap().insert((us(second), call), ()).unwrap();
        transaction.open_table(older::EXPIRY).unwrap().insert((us(900), call), ()).unwrap();
        let mut due = transaction.open_table(older::DUE).unwrap();
        due.insert((us(50), 0, call, 0), ()).unwrap();
        due.insert((us(60), 1, call, effect), ()).unwrap();
    }
    let mut records = transaction.open_table(older::RECORDS).unwrap();
    records.insert(("ledger", "aa"), (3, us(900), b"value".as_slice())).unwrap();
    drop(records);
    let mut expiry = transaction.open_table(older::RECORD_EXPIRY).unwrap();
    expiry.insert((us(900), "ledger", "aa"), ()).unwrap();
    drop(expiry);
    transaction.commit().unwrap();
}

/// Makes of a file that was just moved on one of an older format: the second had a table of the places of calls and
/// one of those of records, the third besides, in the order in which they came, what was placed last.
fn back_to(format: u64, file: &Path) {
    use ::redb::{ReadableTable as _, TableDefinition};
    type Key = (i64, &'static str, &'static [u8]);
    const RECORDS: TableDefinition<'static, Key, (u64, i64, &[u8])> =
        TableDefinition::new("records");
    type Call = (u64, u128, i64, Option<i64>, &'static [u8]);
    const CALLS: TableDefinition<'static, (i64, u128), Call> = TableDefinition::new("calls");
    const PLACES: TableDefinition<'static, u128, i64> = TableDefinition::new("places");
    const RECORD_PLACES: TableDefinition<'static, (&str, &[u8]), i64> =
        TableDefinition::new("record_places");
    const FRESH: TableDefinition<'static, u64, (&[u8], i64)> = TableDefinition::new("fresh_places");

    let database = ::redb::Database::open(file).unwrap();
    let transaction = database.begin_write().unwrap();
    assert!(transaction.delete_table(PLACES).unwrap());
    let placed_last: TableDefinition<'_, u64, (u128, i64)> = TableDefinition::new("placed_last");
    assert!(transaction.delete_table(placed_last).unwrap());
    {
        let mut calls = transaction.open_table(PLACES).unwrap();
        let mut records = transaction.open_table(RECORD_PLACES).unwrap();
        let mut fresh = (format == 3).then(|| transaction.open_table(FRESH).unwrap());
        for (row, number) in transaction.open_table(CALLS).unwrap().iter().unwrap().zip(0..) {
            let (begun, call) = row.unwrap().0.value();
            match &mut fresh {
                Some(fresh) if number % 2 == 0 => {
                    let key = [&[0], call.to_be_bytes().as_slice()].concat();
                    fresh.insert(number, (key.as_slice(), begun)).unwrap();
                }
                _ => drop(calls.insert(call, begun).unwrap()),
            }
        }
        for row in transaction.open_table(RECORDS).unwrap().iter().unwrap() {
            let key = row.unwrap().0;
            let (at, kind, id) = key.value();
            match &mut fresh {
                Some(fresh) => {
                    let key = [kind.as_bytes(), &[0], id].concat();
                    fresh.insert(1_000, (key.as_slice(), at)).unwrap();
                }
                None => drop(records.insert((kind, id), at).unwrap()),
            }
        }
        let mut meta = transaction.open_table(FORMAT).unwrap();
        assert_eq!(meta.insert("format", format).unwrap().unwrap().value(), 4);
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_file_of_a_format_before_is_moved_on_with_all_that_is_in_it() {
    for format in [1, 2, 3] {
        is_moved_on(format).await;
    }
}

/// Everything that was written into a file of the first format.
pub(super) async fn has_all_of(store: &RedbStore, calls: &[(CallId, EffectId)], turn: TurnId) {
    for ((call, _), second) in calls.iter().zip(0..) {
        let stored = store.load(*call).await.unwrap().unwrap();
        assert_eq!(stored.version, Version { number: 2, turn });
        assert_eq!(stored.state, format!("state {second}").into_bytes());
        let entries = [1, 2].map(|n| format!("entry {n} of {second}").into_bytes());
        assert_eq!(store.journal(*call).await.unwrap(), entries);
    }
    let newest_first: Vec<_> = calls.iter().rev().map(|(call, _)| *call).collect();
    assert_eq!(store.calls(calls.len() + 1).await.unwrap(), newest_first);
    let value = store.read(&record("aa")).await.unwrap();
    assert_eq!(value, Some((Revision(3), b"value".to_vec())));
    assert_eq!(store.backlog(at(60)).await.unwrap().count, 2 * calls.len() as u64);
}

async fn is_moved_on(format: u64) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calls.redb");
    let calls: Vec<_> = (0..40).map(|_| (fresh_call(), EffectId(fresh_call().0))).collect();
    let (turn, lease) = (TurnId(fresh_call().0), fresh_lease());
    of_the_first_format(&file, &calls, turn, lease);
    if format > 1 {
        drop(RedbStore::open(&file).unwrap());
        back_to(format, &file);
    }

    // Opened once it is moved on; opened again it is as any other.
    for _ in 0..2 {
        has_all_of(&RedbStore::open(&file).unwrap(), &calls, turn).await;
    }

    let store = RedbStore::open(&file).unwrap();
    for (call, effect) in &calls {
        let claimed = Claimed { call: *call, effect: *effect, lease };
        assert!(store.settle(claimed).await.unwrap());
    }
    assert_eq!(store.claim(claim(at(60))).await.unwrap().len(), 40, "the deadlines");
    let mut next = first(calls[0].0);
    next.expected = Some(Version { number: 2, turn });
    next.version.number = 3;
    assert_eq!(store.commit(&next, at(61)).await.unwrap(), Committed::Applied);
    assert_eq!(store.journal(calls[0].0).await.unwrap().len(), 3);
    store.sweep(at(900)).await.unwrap();
    assert_eq!(store.calls(99).await.unwrap(), [calls[0].0], "it was let live longer");
    assert_eq!(store.read(&record("aa")).await.unwrap(), None);
}
