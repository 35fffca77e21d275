//! Where calls and records lie: of each id the moment that its key in the tables of rows begins with.
//!
//! Ids are random: among a million of them each new one would rewrite a page of its own, and those above it. So
//! what was placed last is kept in memory, and on the disk in the order in which it came. When that is much it is
//! moved to the tables by id a little with every flush, in the order of the ids: many to a page.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable, Table, TableDefinition,
    WriteTransaction,
};

use super::fault::Fault;
use crate::limits::STORE_MOVED_FOR_TWO_PLACED;

/// When a call began, by call.
const PLACES: TableDefinition<'static, u128, i64> = TableDefinition::new("places");
/// When to look whether a record has expired, by (kind, id): no later than it does.
type RecordId = (&'static str, &'static [u8]);
const RECORD_PLACES: TableDefinition<'static, RecordId, i64> =
    TableDefinition::new("record_places");
/// (key, place) of what was placed last, by its number in that order; the key is that of [`Id::key`].
type FreshRow = (&'static [u8], i64);
const FRESH: TableDefinition<'static, u64, FreshRow> = TableDefinition::new("fresh_places");

/// Rows that are taken out of the order for each that is moved with the same flush.
const CLEARED_FOR_MOVED: usize = 4;

/// What has a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Id<'a> {
    Call(u128),
    /// (kind, id), the id as [`super::tables::spelled`].
    Record(&'a str, &'a [u8]),
}

impl Id<'_> {
    /// In the order in which both tables by id have them. No kind has a NUL in it.
    fn key(self) -> Box<[u8]> {
        match self {
            Self::Call(call) => [&[0], call.to_be_bytes().as_slice()].concat().into(),
            Self::Record(kind, id) => [kind.as_bytes(), &[0], id].concat().into(),
        }
    }
}

/// A key, taken apart again.
fn id_of(key: &[u8]) -> Result<Id<'_>, Fault> {
    let unreadable = || Fault::Corrupt("the place of something that has no id".into());
    let nul = key.iter().position(|byte| *byte == 0).ok_or_else(unreadable)?;
    let (kind, id) = key.split_at(nul);
    let id = id.get(1..).ok_or_else(unreadable)?;
    if kind.is_empty() {
        let call = id.try_into().map_err(|_| unreadable())?;
        return Ok(Id::Call(u128::from_be_bytes(call)));
    }
    Ok(Id::Record(std::str::from_utf8(kind).map_err(|_| unreadable())?, id))
}

/// What was placed last: as in the file, and what the transaction that is under way has done to it.
#[derive(Debug)]
pub(super) struct Fresh {
    /// When it is so many they begin to be moved; twice as many are the most that are kept.
    pub(super) most: usize,
    by_id: BTreeMap<Box<[u8]>, Spot>,
    /// The number of the next.
    next: u64,
    /// How many were placed since some were moved.
    placed: usize,
    pass: Option<Pass>,
    /// Where those lie for whoever reads the last flushed state that the transaction under way has moved.
    before: BTreeMap<Box<[u8]>, Vec<i64>>,
}

#[derive(Debug)]
struct Spot {
    number: u64,
    place: i64,
}

/// On the way through what is to be moved to the tables by id.
#[derive(Debug)]
struct Pass {
    /// The number of the first that is not moved.
    until: u64,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// Those up to this key are in the tables by id.
    Moving { after: Box<[u8]> },
    /// All are; their rows go.
    Clearing,
    /// Their rows are gone.
    Done,
}

impl Fresh {
    pub(super) fn new(most: usize) -> Self {
        let (by_id, before) = (BTreeMap::new(), BTreeMap::new());
        Self { most, by_id, next: 0, placed: 0, pass: None, before }
    }

    /// Reads what is in the file.
    pub(super) fn load(database: &Database, most: usize) -> Result<Self, Fault> {
        let mut fresh = Self::new(most);
        let transaction = database.begin_read()?;
        for row in transaction.open_table(FRESH)?.iter()? {
            let (number, row) = row?;
            let (number, (key, place)) = (number.value(), row.value());
            fresh.by_id.insert(key.into(), Spot { number, place });
            fresh.next = number.saturating_add(1);
        }
        Ok(fresh)
    }

    /// Where it may lie in the last flushed state, if it was placed lately.
    pub(super) fn places(&self, id: Id<'_>) -> Vec<i64> {
        let key = id.key();
        let Some(spot) = self.by_id.get(&key) else { return Vec::new() };
        let before = self.before.get(&key).into_iter().flatten();
        std::iter::once(&spot.place).chain(before).copied().collect()
    }

    /// How much was placed last.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.by_id.len()
    }

    /// Takes note that the transaction under way is on the disk.
    pub(super) fn flushed(&mut self) {
        self.before.clear();
        if let Some(Pass { until, step: Step::Done }) = self.pass {
            self.by_id.retain(|_, spot| spot.number >= until);
            self.pass = None;
        }
    }
}

pub(super) fn lock(fresh: &Mutex<Fresh>) -> MutexGuard<'_, Fresh> {
    fresh.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where it lies by the tables by id.
fn written(
    calls: &impl ReadableTable<u128, i64>,
    records: &impl ReadableTable<RecordId, i64>,
    id: Id<'_>,
) -> Result<Option<i64>, Fault> {
    let place = match id {
        Id::Call(call) => calls.get(call)?,
        Id::Record(kind, id) => records.get((kind, id))?,
    };
    Ok(place.map(|place| place.value()))
}

/// As [`written`], in the last flushed state.
pub(super) fn read(transaction: &ReadTransaction, id: Id<'_>) -> Result<Option<i64>, Fault> {
    written(&transaction.open_table(PLACES)?, &transaction.open_table(RECORD_PLACES)?, id)
}

/// All places, open in one write transaction.
pub(super) struct Places<'t> {
    fresh: &'t Mutex<Fresh>,
    in_order: Table<'t, u64, FreshRow>,
    calls: Table<'t, u128, i64>,
    records: Table<'t, RecordId, i64>,
}

impl<'t> Places<'t> {
    pub(super) fn of(
        transaction: &'t WriteTransaction,
        fresh: &'t Mutex<Fresh>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            fresh,
            in_order: transaction.open_table(FRESH)?,
            calls: transaction.open_table(PLACES)?,
            records: transaction.open_table(RECORD_PLACES)?,
        })
    }

    pub(super) fn get(&self, id: Id<'_>) -> Result<Option<i64>, Fault> {
        let fresh = lock(self.fresh).by_id.get(&id.key()).map(|spot| spot.place);
        if fresh.is_some() {
            return Ok(fresh);
        }
        written(&self.calls, &self.records, id)
    }

    /// Places it; `before` is where it lay.
    pub(super) fn put(&mut self, id: Id<'_>, before: Option<i64>, place: i64) -> Result<(), Fault> {
        let key = id.key();
        let mut fresh = lock(self.fresh);
        fresh.placed = fresh.placed.saturating_add(1);
        match fresh.by_id.remove(&key) {
            Some(spot) => drop(self.in_order.remove(spot.number)?),
            None if fresh.by_id.len() >= fresh.most.saturating_mul(2) => {
                drop(fresh);
                return self.write(id, place);
            }
            None => {}
        }
        if let Some(before) = before {
            fresh.before.entry(key.clone()).or_default().push(before);
        }
        let number = fresh.next;
        fresh.next = number.saturating_add(1);
        fresh.by_id.insert(key.clone(), Spot { number, place });
        drop(fresh);
        self.in_order.insert(number, (&*key, place))?;
        Ok(())
    }

    /// Forgets where it lay: it is gone.
    pub(super) fn forget(&mut self, id: Id<'_>) -> Result<(), Fault> {
        let spot = lock(self.fresh).by_id.remove(&id.key());
        if let Some(spot) = spot {
            self.in_order.remove(spot.number)?;
        }
        match id {
            Id::Call(call) => drop(self.calls.remove(call)?),
            Id::Record(kind, id) => drop(self.records.remove((kind, id))?),
        }
        Ok(())
    }

    fn write(&mut self, id: Id<'_>, place: i64) -> Result<(), Fault> {
        match id {
            Id::Call(call) => drop(self.calls.insert(call, place)?),
            Id::Record(kind, id) => drop(self.records.insert((kind, id), place)?),
        }
        Ok(())
    }

    /// Once what was placed last is much, moves a little of it to the tables by id: [`STORE_MOVED_FOR_TWO_PLACED`]
    /// of it for two that were placed, so that every flush has its share and none has much.
    ///
    /// A process that is killed on the way begins again: all is still in the order, and what is moved is moved
    /// once more to where it is.
    pub(super) fn move_some(&mut self) -> Result<(), Fault> {
        let mut fresh = lock(self.fresh);
        let fresh = &mut *fresh;
        let count_max = fresh.placed.saturating_mul(STORE_MOVED_FOR_TWO_PLACED).div_ceil(2);
        fresh.placed = 0;
        if count_max == 0 {
            return Ok(());
        }
        if fresh.pass.is_none() && fresh.by_id.len() >= fresh.most {
            let step = Step::Moving { after: Box::default() };
            fresh.pass = Some(Pass { until: fresh.next, step });
        }
        let Some(pass) = &mut fresh.pass else { return Ok(()) };
        match &pass.step {
            Step::Moving { after } => {
                let rest = (Bound::Excluded(after.clone()), Bound::Unbounded);
                let rest = fresh.by_id.range::<Box<[u8]>, _>(rest);
                let moved = rest.filter(|(_, spot)| spot.number < pass.until).take(count_max);
                let moved: Vec<_> = moved.map(|(key, spot)| (key, spot.place)).collect();
                for (key, place) in &moved {
                    self.write(id_of(key)?, *place)?;
                }
                pass.step = match moved.last() {
                    Some((last, _)) => Step::Moving { after: (*last).clone() },
                    None => Step::Clearing,
                };
            }
            Step::Clearing => {
                for _ in 0..count_max.saturating_mul(CLEARED_FOR_MOVED) {
                    let first = self.in_order.first()?.map(|(number, _)| number.value());
                    let Some(first) = first.filter(|first| *first < pass.until) else {
                        pass.step = Step::Done;
                        break;
                    };
                    self.in_order.remove(first)?;
                }
            }
            Step::Done => {}
        }
        Ok(())
    }
}
