//! Converts files of older formats.

use std::sync::Mutex;

use ::redb::{ReadableTable as _, TableDefinition, WriteTransaction};

use super::fault::Fault;
use super::places::{Fresh, Id};
use super::tables::{EffectRow, Tables, spelled};

/// (version, turn, begun, expires, deadline, state) by call.
type CallRow = (u64, u128, i64, i64, Option<i64>, &'static [u8]);
type Calls = TableDefinition<'static, u128, CallRow>;
/// By (call, effect).
type Effects = TableDefinition<'static, (u128, u128), EffectRow>;
/// By (call, number of its turn).
type Journal = TableDefinition<'static, (u128, u64), &'static [u8]>;
/// (revision, expires, value) by (kind, id).
type RecordRow = (u64, i64, &'static [u8]);
type Records = TableDefinition<'static, (&'static str, &'static str), RecordRow>;

const CALLS: Calls = TableDefinition::new("calls");
const EFFECTS: Effects = TableDefinition::new("effects");
const JOURNAL: Journal = TableDefinition::new("journal");
const RECORDS: Records = TableDefinition::new("records");
/// (begun, call): the calls are now stored in this order themselves.
const BEGUN: TableDefinition<'static, (i64, u128), ()> = TableDefinition::new("begun");
/// (when to check whether it has expired, kind, id): the records are now stored in this order themselves.
const RECORD_EXPIRY: TableDefinition<'static, (i64, &str, &str), ()> =
    TableDefinition::new("record_expiry");

/// What they are called while the old and the new tables are both there.
const OLD_CALLS: Calls = TableDefinition::new("calls of format 1");
const OLD_EFFECTS: Effects = TableDefinition::new("effects of format 1");
const OLD_JOURNAL: Journal = TableDefinition::new("journal of format 1");
const OLD_RECORDS: Records = TableDefinition::new("records of format 1");

/// Where records lay, and what was placed last, before both had the short ids that they have now.
const OLD_RECORD_PLACES: TableDefinition<'static, (&str, &[u8]), i64> =
    TableDefinition::new("record_places");
const OLD_FRESH: TableDefinition<'static, u64, (&[u8], i64)> = TableDefinition::new("fresh_places");

/// For the second format, which had no table of what was placed last, and the third: places everything anew.
pub(super) fn place_anew(transaction: &WriteTransaction) -> Result<(), Fault> {
    transaction.delete_table(OLD_RECORD_PLACES)?;
    transaction.delete_table(OLD_FRESH)?;
    let fresh = Mutex::new(Fresh::new(0));
    let Tables { mut places, calls, records, .. } = Tables::of(transaction, &fresh)?;
    for row in calls.iter()? {
        let (begun_us, call) = row?.0.value();
        places.put(Id::call(call), None, begun_us)?;
    }
    for row in records.iter()? {
        let key = row?.0;
        let (at, kind, id) = key.value();
        places.put(Id::record(kind, id), None, at)?;
    }
    Ok(())
}

/// For the first format, where the place of each call was its random id. Puts every call, with its journal and
/// its effects, next to the calls that began at the same time, and every record next to those that expire at the
/// same time.
pub(super) fn arrange_by_time(transaction: &WriteTransaction) -> Result<(), Fault> {
    transaction.rename_table(CALLS, OLD_CALLS)?;
    transaction.rename_table(EFFECTS, OLD_EFFECTS)?;
    transaction.rename_table(JOURNAL, OLD_JOURNAL)?;
    transaction.rename_table(RECORDS, OLD_RECORDS)?;
    let calls = transaction.open_table(OLD_CALLS)?;
    let effects = transaction.open_table(OLD_EFFECTS)?;
    let journal = transaction.open_table(OLD_JOURNAL)?;
    let records = transaction.open_table(OLD_RECORDS)?;
    let fresh = Mutex::new(Fresh::new(0));
    let mut tables = Tables::of(transaction, &fresh)?;
    for row in calls.iter()? {
        let (call, row) = row?;
        let call = call.value();
        let (number, turn, begun_us, expires_us, deadline_us, state) = row.value();
        tables.places.put(Id::call(call), None, begun_us)?;
        tables.calls.insert((begun_us, call), (number, turn, expires_us, deadline_us, state))?;
        for entry in journal.range((call, 0)..=(call, u64::MAX))? {
            let (key, entry) = entry?;
            tables.journal.insert((begun_us, call, key.value().1), entry.value())?;
        }
        for effect in effects.range((call, 0)..=(call, u128::MAX))? {
            let (key, effect) = effect?;
            tables.effects.insert((begun_us, call, key.value().1), effect.value())?;
        }
    }
    for row in records.iter()? {
        let (key, row) = row?;
        let (kind, id) = key.value();
        tables.put_record((kind, &spelled(id)), None, row.value())?;
    }
    drop(tables);
    transaction.delete_table(calls)?;
    transaction.delete_table(effects)?;
    transaction.delete_table(journal)?;
    transaction.delete_table(records)?;
    transaction.delete_table(BEGUN)?;
    transaction.delete_table(RECORD_EXPIRY)?;
    Ok(())
}
