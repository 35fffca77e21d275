//! Where calls and records lie: maps each id to the moment with which its key in the tables begins.
//!
//! Ids are random: among a million of them, each new one would rewrite a page of its own and the pages above it.
//! So what was placed last is kept in memory, and on the disk in the order in which it came. When there is much
//! of it, each flush moves a little to the table by id, in the order of the ids, so that many go to one page.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable, Table, TableDefinition,
    WriteTransaction,
};
use sha2::{Digest as _, Sha256};

use super::fault::Fault;
use crate::limits::STORE_MOVED_FOR_TWO_PLACED;

/// Where each lies: for a call, when it began; for a record, when to check whether it has expired, which is never
/// later than its expiry.
const PLACES: TableDefinition<'static, u128, i64> = TableDefinition::new("places");
/// (what, where) of what was placed last, by its number in that order.
const FRESH: TableDefinition<'static, u64, (u128, i64)> = TableDefinition::new("placed_last");

/// How many rows may be deleted from the order for each one that a flush may move.
const CLEARED_FOR_MOVED: usize = 4;

/// What has a place. It is equally short for all of them, so that many share a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(u128);

impl Id {
    pub(super) const fn call(call: u128) -> Self {
        Self(call)
    }

    /// A hash of its kind and its id: half of a SHA-256, so that no two are ever the same.
    pub(super) fn record(kind: &str, id: &[u8]) -> Self {
        let hash = Sha256::new().chain_update(kind).chain_update([0]).chain_update(id).finalize();
        Self(hash.iter().take(16).fold(0, |half, byte| half << 8 | u128::from(*byte)))
    }
}

/// What was placed last: as in the file, with what the open transaction has changed.
#[derive(Debug)]
pub(super) struct Fresh {
    /// From so many on they are moved; at most twice as many are kept.
    pub(super) most: usize,
    by_id: BTreeMap<Id, Spot>,
    /// The number of the next.
    next: u64,
    /// How many were placed since some were moved.
    placed: usize,
    pass: Option<Pass>,
    /// Where readers of the last flushed state find those that the open transaction has moved.
    before: BTreeMap<Id, Vec<i64>>,
}

#[derive(Debug)]
struct Spot {
    number: u64,
    place: i64,
}

/// How far the move to the table by id has come.
#[derive(Debug)]
struct Pass {
    /// The number of the first one that is not moved yet.
    until: u64,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// Those up to this one are in the table by id.
    Moving { after: Option<Id> },
    /// All of them are; their rows are deleted next.
    Clearing,
    /// Their rows are deleted.
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
            let (number, (id, place)) = (number.value(), row.value());
            fresh.by_id.insert(Id(id), Spot { number, place });
            fresh.next = number.saturating_add(1);
        }
        Ok(fresh)
    }

    /// Where it may lie in the last flushed state, if it was placed recently.
    pub(super) fn places(&self, id: Id) -> Vec<i64> {
        let Some(spot) = self.by_id.get(&id) else { return Vec::new() };
        let before = self.before.get(&id).into_iter().flatten();
        std::iter::once(&spot.place).chain(before).copied().collect()
    }

    /// How many there are of those placed last.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.by_id.len()
    }

    /// The open transaction has reached the disk.
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

/// Where it lies according to the table by id.
fn written(places: &impl ReadableTable<u128, i64>, id: Id) -> Result<Option<i64>, Fault> {
    Ok(places.get(id.0)?.map(|place| place.value()))
}

/// Like [`written`], in the last flushed state.
pub(super) fn read(transaction: &ReadTransaction, id: Id) -> Result<Option<i64>, Fault> {
    written(&transaction.open_table(PLACES)?, id)
}

/// All places, open in one write transaction.
pub(super) struct Places<'t> {
    fresh: &'t Mutex<Fresh>,
    in_order: Table<'t, u64, (u128, i64)>,
    by_id: Table<'t, u128, i64>,
}

impl<'t> Places<'t> {
    pub(super) fn of(
        transaction: &'t WriteTransaction,
        fresh: &'t Mutex<Fresh>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            fresh,
            in_order: transaction.open_table(FRESH)?,
            by_id: transaction.open_table(PLACES)?,
        })
    }

    pub(super) fn get(&self, id: Id) -> Result<Option<i64>, Fault> {
        let fresh = lock(self.fresh).by_id.get(&id).map(|spot| spot.place);
        if fresh.is_some() {
            return Ok(fresh);
        }
        written(&self.by_id, id)
    }

    /// Places it; `before` is where it lay.
    pub(super) fn put(&mut self, id: Id, before: Option<i64>, place: i64) -> Result<(), Fault> {
        let mut fresh = lock(self.fresh);
        fresh.placed = fresh.placed.saturating_add(1);
        match fresh.by_id.remove(&id) {
            Some(spot) => drop(self.in_order.remove(spot.number)?),
            None if fresh.by_id.len() >= fresh.most.saturating_mul(2) => {
                drop(fresh);
                self.by_id.insert(id.0, place)?;
                return Ok(());
            }
            None => {}
        }
        if let Some(before) = before {
            fresh.before.entry(id).or_default().push(before);
        }
        let number = fresh.next;
        fresh.next = number.saturating_add(1);
        fresh.by_id.insert(id, Spot { number, place });
        drop(fresh);
        self.in_order.insert(number, (id.0, place))?;
        Ok(())
    }

    /// Forgets where it lay: it is gone.
    pub(super) fn forget(&mut self, id: Id) -> Result<(), Fault> {
        let spot = lock(self.fresh).by_id.remove(&id);
        if let Some(spot) = spot {
            self.in_order.remove(spot.number)?;
        }
        self.by_id.remove(id.0)?;
        Ok(())
    }

    /// When much was placed, moves a little of it to the table by id: [`STORE_MOVED_FOR_TWO_PLACED`] for every
    /// two that were placed, so that every flush moves some and none moves much.
    ///
    /// A process that is killed on the way begins again: everything is still in the order, and what was already
    /// moved is moved once more to the same place.
    pub(super) fn move_some(&mut self) -> Result<(), Fault> {
        let mut fresh = lock(self.fresh);
        let fresh = &mut *fresh;
        let count_max = fresh.placed.saturating_mul(STORE_MOVED_FOR_TWO_PLACED).div_ceil(2);
        fresh.placed = 0;
        if count_max == 0 {
            return Ok(());
        }
        if fresh.pass.is_none() && fresh.by_id.len() >= fresh.most {
            let step = Step::Moving { after: None };
            fresh.pass = Some(Pass { until: fresh.next, step });
        }
        let Some(pass) = &mut fresh.pass else { return Ok(()) };
        match &pass.step {
            Step::Moving { after } => {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let rest = fresh.by_id.range((from, Bound::Unbounded));
                let moved = rest.filter(|(_, spot)| spot.number < pass.until).take(count_max);
                let mut last = None;
                for (id, spot) in moved {
                    self.by_id.insert(id.0, spot.place)?;
                    last = Some(*id);
                }
                pass.step = match last {
                    Some(_) => Step::Moving { after: last },
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
