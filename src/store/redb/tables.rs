//! What lies in the embedded file, and the contract's operations over it.
//!
//! The ids are 128-bit numbers and the times microseconds since 1970, so that keys sort as they
//! should: what is due first comes first.

use ::redb::{
    ReadOnlyTable, ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, Table,
    TableDefinition, WriteTransaction,
};
use jiff::Timestamp;
use uuid::Uuid;

use super::super::{
    Backlog, Claim, Claimed, Commit, Committed, Due, DueWhat, Lease, RecordKey, Revision,
    StoreError, Stored, Version, at_us, due_us, now_us,
};
use crate::engine::id::{CallId, EffectId, TurnId};

/// (version, turn, begun, expires, deadline, state) by call.
type CallRow = (u64, u128, i64, i64, Option<i64>, &'static [u8]);
const CALLS: TableDefinition<'static, u128, CallRow> = TableDefinition::new("calls");
/// (due, attempt, lease, body) by (call, effect).
type EffectRow = (i64, u32, Option<u128>, &'static [u8]);
const EFFECTS: TableDefinition<'static, (u128, u128), EffectRow> = TableDefinition::new("effects");
/// (due, [`DEADLINE`] or [`EFFECT`], call, effect or 0).
type DueKey = (i64, u8, u128, u128);
const DUE: TableDefinition<'static, DueKey, ()> = TableDefinition::new("due");
/// Entry by (call, number of its turn).
const JOURNAL: TableDefinition<'static, (u128, u64), &[u8]> = TableDefinition::new("journal");
const BEGUN: TableDefinition<'static, (i64, u128), ()> = TableDefinition::new("begun");
/// Of each call a moment at which to look whether it has expired: no later than it does. A turn that lets it
/// live longer leaves that as it is; whoever looks puts down when to look again.
const EXPIRY: TableDefinition<'static, (i64, u128), ()> = TableDefinition::new("expiry");
/// (revision, expires, value) by (kind, id).
type RecordRow = (u64, i64, &'static [u8]);
const RECORDS: TableDefinition<'static, (&str, &str), RecordRow> = TableDefinition::new("records");
/// The same of each record.
const RECORD_EXPIRY: TableDefinition<'static, (i64, &str, &str), ()> =
    TableDefinition::new("record_expiry");

const DEADLINE: u8 = 0;
const EFFECT: u8 = 1;

/// Why an operation failed.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// The disk, or the system: the file must be opened anew.
    Io(String),
    /// The file holds what redb or callgate did not write.
    Corrupt(String),
    /// The file could not be opened anew.
    Closed(String),
}

impl<E: Into<::redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        match error.into() {
            ::redb::Error::Corrupted(what) => Self::Corrupt(what),
            error @ (::redb::Error::TableTypeMismatch { .. }
            | ::redb::Error::TypeDefinitionChanged { .. }
            | ::redb::Error::TableDoesNotExist(_)) => Self::Corrupt(error.to_string()),
            error => Self::Io(error.to_string()),
        }
    }
}

impl Fault {
    /// As the store's callers are told.
    pub(super) fn told(&self) -> StoreError {
        match self {
            Self::Io(what) | Self::Closed(what) => StoreError::Unavailable(what.clone()),
            Self::Corrupt(what) => StoreError::Corrupt(what.clone()),
        }
    }
}

/// A swap's parameters.
pub(super) struct Swap {
    pub(super) key: RecordKey,
    pub(super) expected: Option<Revision>,
    pub(super) value: Vec<u8>,
    pub(super) expires_us: i64,
    pub(super) now_us: i64,
}

/// Makes the tables, so that no read meets a missing one.
pub(super) fn make(transaction: &WriteTransaction) -> Result<(), Fault> {
    Tables::of(transaction).map(|_| ())
}

/// The last flushed state.
pub(super) struct View(pub(super) ReadTransaction);

impl View {
    pub(super) fn load(&self, call: CallId) -> Result<Option<Stored>, Fault> {
        let calls = self.0.open_table(CALLS)?;
        let row = calls.get(call.0.as_u128())?;
        Ok(row.map(|row| {
            let (number, turn, _, _, _, state) = row.value();
            let version = Version { number, turn: TurnId(Uuid::from_u128(turn)) };
            Stored { version, state: state.to_vec() }
        }))
    }

    pub(super) fn journal(&self, call: CallId) -> Result<Vec<Vec<u8>>, Fault> {
        let journal: ReadOnlyTable<_, _> = self.0.open_table(JOURNAL)?;
        let mut entries = Vec::new();
        for row in journal.range(of_call(call.0.as_u128()))? {
            entries.push(row?.1.value().to_vec());
        }
        Ok(entries)
    }

    pub(super) fn calls(&self, count_max: usize) -> Result<Vec<CallId>, Fault> {
        let begun = self.0.open_table(BEGUN)?;
        let mut calls = Vec::new();
        for row in begun.iter()?.rev().take(count_max) {
            calls.push(CallId(Uuid::from_u128(row?.0.value().1)));
        }
        Ok(calls)
    }

    pub(super) fn record(&self, key: &RecordKey) -> Result<Option<(Revision, Vec<u8>)>, Fault> {
        let records = self.0.open_table(RECORDS)?;
        let row = records.get((key.kind, key.id.as_str()))?;
        Ok(row.map(|row| {
            let (revision, _, value) = row.value();
            (Revision(revision), value.to_vec())
        }))
    }

    pub(super) fn backlog(&self, now_us: i64) -> Result<Backlog, Fault> {
        let due = self.0.open_table(DUE)?;
        let mut backlog = Backlog::default();
        for row in due.range(..=(now_us, u8::MAX, u128::MAX, u128::MAX))? {
            let (at, ..) = row?.0.value();
            backlog.oldest = backlog.oldest.or_else(|| at_us(at));
            backlog.count = backlog.count.saturating_add(1);
        }
        Ok(backlog)
    }

    pub(super) fn any_due(&self, now_us: i64) -> Result<bool, Fault> {
        let due = self.0.open_table(DUE)?;
        let first = due.first()?;
        Ok(first.is_some_and(|row| row.0.value().0 <= now_us))
    }

    /// How many rows there are in the tables that hold anything large.
    pub(super) fn rows(&self) -> Result<u64, Fault> {
        let rows = [
            self.0.open_table(CALLS)?.len()?,
            self.0.open_table(JOURNAL)?.len()?,
            self.0.open_table(EFFECTS)?.len()?,
            self.0.open_table(RECORDS)?.len()?,
        ];
        Ok(rows.into_iter().fold(0, u64::saturating_add))
    }

    pub(super) fn any_expired(&self, now_us: i64) -> Result<bool, Fault> {
        let calls = self.0.open_table(EXPIRY)?;
        let records = self.0.open_table(RECORD_EXPIRY)?;
        let call = calls.first()?.is_some_and(|row| row.0.value().0 <= now_us);
        let record = records.first()?.is_some_and(|row| row.0.value().0 <= now_us);
        Ok(call || record)
    }
}

/// The tables, open in one write transaction.
pub(super) struct Tables<'t> {
    /// Whether there is anything to flush.
    pub(super) changed: bool,
    calls: Table<'t, u128, CallRow>,
    effects: Table<'t, (u128, u128), EffectRow>,
    due: Table<'t, DueKey, ()>,
    journal: Table<'t, (u128, u64), &'static [u8]>,
    begun: Table<'t, (i64, u128), ()>,
    expiry: Table<'t, (i64, u128), ()>,
    records: Table<'t, (&'static str, &'static str), RecordRow>,
    record_expiry: Table<'t, (i64, &'static str, &'static str), ()>,
}

/// A call's row without its state.
#[derive(Clone, Copy)]
struct Head {
    version: Version,
    begun_us: i64,
    expires_us: i64,
    deadline_us: Option<i64>,
}

struct Effect {
    due_us: i64,
    attempt: u32,
    lease: Option<u128>,
    body: Vec<u8>,
}

impl<'t> Tables<'t> {
    pub(super) fn of(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            changed: false,
            calls: transaction.open_table(CALLS)?,
            effects: transaction.open_table(EFFECTS)?,
            due: transaction.open_table(DUE)?,
            journal: transaction.open_table(JOURNAL)?,
            begun: transaction.open_table(BEGUN)?,
            expiry: transaction.open_table(EXPIRY)?,
            records: transaction.open_table(RECORDS)?,
            record_expiry: transaction.open_table(RECORD_EXPIRY)?,
        })
    }

    pub(super) fn commit(&mut self, commit: &Commit, now_us: i64) -> Result<Committed, Fault> {
        let call = commit.call.0.as_u128();
        let mut head = self.head(call)?;
        if head.is_some_and(|head| head.expires_us <= now_us) {
            self.forget_call(call)?;
            head = None;
        }
        let verdict = commit.against(head.map(|head| head.version));
        if verdict != Committed::Applied {
            return Ok(verdict);
        }
        self.changed = true;

        let begun_us = head.map_or(now_us, |head| head.begun_us);
        let expires_us = due_us(commit.expires_at);
        let deadline_us = commit.deadline.map(due_us);
        if head.is_none() {
            self.begun.insert((begun_us, call), ())?;
        }
        if head.is_none_or(|head| expires_us < head.expires_us) {
            self.expiry.insert((expires_us, call), ())?;
        }
        let before_us = head.and_then(|head| head.deadline_us);
        if before_us != deadline_us {
            if let Some(at) = before_us {
                self.due.remove((at, DEADLINE, call, 0))?;
            }
            if let Some(at) = deadline_us {
                self.due.insert((at, DEADLINE, call, 0), ())?;
            }
        }
        let Version { number, turn } = commit.version;
        let row =
            (number, turn.0.as_u128(), begun_us, expires_us, deadline_us, commit.state.as_slice());
        self.calls.insert(call, row)?;
        // A turn has one entry, and none has its number twice.
        self.journal.insert((call, number), commit.entry.as_slice())?;
        for settled in &commit.settled {
            self.forget_effect(call, settled.0.as_u128())?;
        }
        for new in &commit.effects {
            let id = new.id.0.as_u128();
            self.forget_effect(call, id)?;
            let body = new.body.clone();
            let effect = Effect { due_us: due_us(new.due), attempt: 0, lease: None, body };
            self.put_effect(call, id, &effect)?;
        }
        Ok(Committed::Applied)
    }

    pub(super) fn claim(&mut self, claim: Claim) -> Result<Vec<Due>, Fault> {
        let now_us = now_us(claim.now);
        let until_us = due_us(claim.until);
        let mut found = Vec::new();
        for row in self.due.range(..=(now_us, u8::MAX, u128::MAX, u128::MAX))? {
            if found.len() >= claim.count_max {
                break;
            }
            let key = row?.0.value();
            let head = self.calls.get(key.2)?.map(|row| row.value().3);
            if head.is_some_and(|expires_us| expires_us > now_us) {
                found.push(key);
            }
        }

        let mut claimed = Vec::new();
        for (_, kind, call, id) in found {
            let what = if kind == DEADLINE {
                if !self.set_deadline(call, until_us)? {
                    continue;
                }
                DueWhat::Deadline
            } else {
                let Some(mut effect) = self.take_effect(call, id)? else { continue };
                effect.due_us = until_us;
                effect.attempt = effect.attempt.saturating_add(1);
                effect.lease = Some(claim.lease.0.as_u128());
                self.put_effect(call, id, &effect)?;
                let attempt = effect.attempt;
                DueWhat::Effect { id: EffectId(Uuid::from_u128(id)), body: effect.body, attempt }
            };
            claimed.push(Due { call: CallId(Uuid::from_u128(call)), lease: claim.lease, what });
        }
        self.changed |= !claimed.is_empty();
        Ok(claimed)
    }

    pub(super) fn settle(&mut self, claimed: Claimed) -> Result<bool, Fault> {
        let (call, effect) = (claimed.call.0.as_u128(), claimed.effect.0.as_u128());
        let ours = self.holds(call, effect, claimed.lease)?;
        if ours {
            self.changed = true;
            self.forget_effect(call, effect)?;
        }
        Ok(ours)
    }

    pub(super) fn put_off(
        &mut self,
        claimed: Claimed,
        due: Timestamp,
        body: &[u8],
    ) -> Result<bool, Fault> {
        let (call, id) = (claimed.call.0.as_u128(), claimed.effect.0.as_u128());
        if !self.holds(call, id, claimed.lease)? {
            return Ok(false);
        }
        let Some(mut effect) = self.take_effect(call, id)? else { return Ok(false) };
        self.changed = true;
        effect.due_us = due_us(due);
        effect.lease = None;
        body.clone_into(&mut effect.body);
        self.put_effect(call, id, &effect)?;
        Ok(true)
    }

    pub(super) fn swap(&mut self, swap: &Swap) -> Result<bool, Fault> {
        let key = (swap.key.kind, swap.key.id.as_str());
        let row = self.records.get(key)?.map(|row| (row.value().0, row.value().1));
        let standing = row.filter(|(_, expires_us)| *expires_us > swap.now_us);
        if standing.map(|(revision, _)| Revision(revision)) != swap.expected {
            return Ok(false);
        }
        self.changed = true;
        let Revision(revision) = Revision::after(swap.expected);
        self.records.insert(key, (revision, swap.expires_us, swap.value.as_slice()))?;
        if row.is_none_or(|(_, expires_us)| swap.expires_us < expires_us) {
            self.record_expiry.insert((swap.expires_us, key.0, key.1), ())?;
        }
        Ok(true)
    }

    /// Looks at up to `count_max` calls and as many records that may have expired, and forgets those that
    /// have.
    pub(super) fn sweep(&mut self, now_us: i64, count_max: usize) -> Result<(), Fault> {
        let mut expired = Vec::new();
        for row in self.expiry.range(..=(now_us, u128::MAX))?.take(count_max) {
            expired.push(row?.0.value());
        }
        for (at, call) in expired {
            self.changed = true;
            self.expiry.remove((at, call))?;
            match self.head(call)? {
                Some(head) if head.expires_us <= now_us => self.forget_call(call)?,
                Some(head) => drop(self.expiry.insert((head.expires_us, call), ())?),
                None => {}
            }
        }
        for _ in 0..count_max {
            let Some(first) = self.record_expiry.first()?.and_then(|row| {
                let (at, kind, id) = row.0.value();
                (at <= now_us).then(|| (at, kind.to_owned(), id.to_owned()))
            }) else {
                break;
            };
            self.changed = true;
            let (at, kind, id) = first;
            let key = (kind.as_str(), id.as_str());
            self.record_expiry.remove((at, key.0, key.1))?;
            let found = self.records.get(key)?.map(|row| row.value().1);
            match found {
                Some(expires_us) if expires_us <= now_us => drop(self.records.remove(key)?),
                Some(at) => drop(self.record_expiry.insert((at, key.0, key.1), ())?),
                None => {}
            }
        }
        Ok(())
    }

    fn head(&self, call: u128) -> Result<Option<Head>, Fault> {
        Ok(self.calls.get(call)?.map(|row| {
            let (number, turn, begun_us, expires_us, deadline_us, _) = row.value();
            let version = Version { number, turn: TurnId(Uuid::from_u128(turn)) };
            Head { version, begun_us, expires_us, deadline_us }
        }))
    }

    fn set_deadline(&mut self, call: u128, at: i64) -> Result<bool, Fault> {
        let Some(head) = self.head(call)? else { return Ok(false) };
        let state = self.calls.get(call)?.map(|row| row.value().5.to_vec()).unwrap_or_default();
        self.forget_deadline(call, head)?;
        self.due.insert((at, DEADLINE, call, 0), ())?;
        let Version { number, turn } = head.version;
        let turn = turn.0.as_u128();
        let row = (number, turn, head.begun_us, head.expires_us, Some(at), state.as_slice());
        self.calls.insert(call, row)?;
        Ok(true)
    }

    fn forget_deadline(&mut self, call: u128, head: Head) -> Result<(), Fault> {
        if let Some(at) = head.deadline_us {
            self.due.remove((at, DEADLINE, call, 0))?;
        }
        Ok(())
    }

    fn holds(&self, call: u128, effect: u128, lease: Lease) -> Result<bool, Fault> {
        let row = self.effects.get((call, effect))?;
        Ok(row.is_some_and(|row| row.value().2 == Some(lease.0.as_u128())))
    }

    fn put_effect(&mut self, call: u128, id: u128, effect: &Effect) -> Result<(), Fault> {
        let row = (effect.due_us, effect.attempt, effect.lease, effect.body.as_slice());
        self.effects.insert((call, id), row)?;
        self.due.insert((effect.due_us, EFFECT, call, id), ())?;
        Ok(())
    }

    fn take_effect(&mut self, call: u128, id: u128) -> Result<Option<Effect>, Fault> {
        let taken = self.effects.remove((call, id))?.map(|row| {
            let (due_us, attempt, lease, body) = row.value();
            Effect { due_us, attempt, lease, body: body.to_vec() }
        });
        if let Some(effect) = &taken {
            self.due.remove((effect.due_us, EFFECT, call, id))?;
        }
        Ok(taken)
    }

    fn forget_effect(&mut self, call: u128, id: u128) -> Result<(), Fault> {
        self.take_effect(call, id).map(|_| ())
    }

    fn forget_call(&mut self, call: u128) -> Result<(), Fault> {
        let Some(head) = self.head(call)? else { return Ok(()) };
        self.changed = true;
        self.calls.remove(call)?;
        self.begun.remove((head.begun_us, call))?;
        self.expiry.remove((head.expires_us, call))?;
        self.forget_deadline(call, head)?;
        self.journal.retain_in(of_call(call), |_, _| false)?;
        let mut effects = Vec::new();
        for row in self.effects.range((call, 0)..=(call, u128::MAX))? {
            effects.push(row?.0.value().1);
        }
        for effect in effects {
            self.forget_effect(call, effect)?;
        }
        Ok(())
    }
}

fn of_call(call: u128) -> std::ops::RangeInclusive<(u128, u64)> {
    (call, 0)..=(call, u64::MAX)
}
