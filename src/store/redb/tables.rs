//! What lies in the embedded file, and the contract's operations over it.
//!
//! The ids are 128-bit numbers and the times microseconds since 1970, so that keys sort as they
//! should: what is due first comes first.
//!
//! Ids are random, and writing a row costs as much as writing the page that it lies in. So what a turn writes
//! lies by the time when its call began: the calls of this hour lie side by side, however many there are from the
//! day before. [`super::places`] knows where that is.

use ::redb::{
    ReadOnlyTable, ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, Table,
    TableDefinition, WriteTransaction,
};
use std::sync::Mutex;

use jiff::Timestamp;
use uuid::Uuid;

use super::super::{
    Backlog, Claim, Claimed, Commit, Committed, Due, DueWhat, Lease, RecordKey, Revision, Stored,
    Version, at_us, due_us, now_us,
};
use super::fault::Fault;
use super::places::{Fresh, Id, Places};
use crate::engine::id::{CallId, EffectId, TurnId};

/// (version, turn, expires, deadline, state) by (begun, call).
pub(super) type CallRow = (u64, u128, i64, Option<i64>, &'static [u8]);
pub(super) const CALLS: TableDefinition<'static, Place, CallRow> = TableDefinition::new("calls");
/// (due, attempt, lease, body) by (begun, call, effect).
pub(super) type EffectRow = (i64, u32, Option<u128>, &'static [u8]);
type EffectKey = (i64, u128, u128);
pub(super) const EFFECTS: TableDefinition<'static, EffectKey, EffectRow> =
    TableDefinition::new("effects");
/// (due, [`DEADLINE`] or [`EFFECT`], call, effect or 0).
type DueKey = (i64, u8, u128, u128);
const DUE: TableDefinition<'static, DueKey, ()> = TableDefinition::new("due");
/// Entry by (begun, call, number of its turn).
type EntryKey = (i64, u128, u64);
pub(super) const JOURNAL: TableDefinition<'static, EntryKey, &[u8]> =
    TableDefinition::new("journal");
/// For each call, a moment at which to check whether it has expired, never later than its expiry. A turn that
/// lets the call live longer does not change it; whoever checks writes down when to check again.
const EXPIRY: TableDefinition<'static, (i64, u128), ()> = TableDefinition::new("expiry");
/// (revision, expires, value) by (when to check whether it has expired, kind, id); as for a call, never later
/// than its expiry.
type RecordRow = (u64, i64, &'static [u8]);
type RecordPlace = (i64, &'static str, &'static [u8]);
const RECORDS: TableDefinition<'static, RecordPlace, RecordRow> = TableDefinition::new("records");
/// (begun, call).
pub(super) type Place = (i64, u128);

/// The deadlines that are claimed, by (when the lease ends, call): such a call's deadline is at that moment, so that one
/// which has another was woken, or has moved on. What is left by an older server is not here, and waits for its lease.
const CLAIMED: TableDefinition<'static, (i64, u128), ()> = TableDefinition::new("claimed");

const DEADLINE: u8 = 0;
const EFFECT: u8 = 1;

/// How the id of a record begins in a key, see [`spelled`].
const PACKED: u8 = 0;
const PLAIN: u8 = 1;

/// A swap's parameters.
pub(super) struct Swap {
    pub(super) key: RecordKey,
    pub(super) expected: Option<Revision>,
    pub(super) value: Vec<u8>,
    pub(super) expires_us: i64,
    pub(super) now_us: i64,
}

/// Makes the tables, so that no read finds one missing.
pub(super) fn make(transaction: &WriteTransaction) -> Result<(), Fault> {
    Tables::of(transaction, &Mutex::new(Fresh::new(0))).map(|_| ())
}

/// The last flushed state.
pub(super) struct View(pub(super) ReadTransaction);

impl View {
    /// A call that lies at one of these places.
    pub(super) fn load(&self, call: CallId, places: &[i64]) -> Result<Option<Stored>, Fault> {
        let calls = self.0.open_table(CALLS)?;
        for begun_us in places {
            if let Some(row) = calls.get((*begun_us, call.0.as_u128()))? {
                let (number, turn, _, _, state) = row.value();
                let version = Version { number, turn: TurnId(Uuid::from_u128(turn)) };
                return Ok(Some(Stored { version, state: state.to_vec() }));
            }
        }
        Ok(None)
    }

    pub(super) fn journal(&self, call: CallId, places: &[i64]) -> Result<Vec<Vec<u8>>, Fault> {
        let mut entries = Vec::new();
        let journal: ReadOnlyTable<_, _> = self.0.open_table(JOURNAL)?;
        for begun_us in places {
            for row in journal.range(entries_of((*begun_us, call.0.as_u128())))? {
                entries.push(row?.1.value().to_vec());
            }
        }
        Ok(entries)
    }

    pub(super) fn calls(&self, count_max: usize) -> Result<Vec<CallId>, Fault> {
        let by_begin = self.0.open_table(CALLS)?;
        let mut calls = Vec::new();
        for row in by_begin.iter()?.rev().take(count_max) {
            calls.push(CallId(Uuid::from_u128(row?.0.value().1)));
        }
        Ok(calls)
    }

    /// A record that lies at one of these places.
    pub(super) fn record(
        &self,
        (kind, id): (&str, &[u8]),
        places: &[i64],
    ) -> Result<Option<(Revision, Vec<u8>)>, Fault> {
        let records = self.0.open_table(RECORDS)?;
        for at in places {
            if let Some(row) = records.get((*at, kind, id))? {
                let (revision, _, value) = row.value();
                return Ok(Some((Revision(revision), value.to_vec())));
            }
        }
        Ok(None)
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

    /// How many rows there are in the tables that hold large values.
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
        let records = self.0.open_table(RECORDS)?;
        let call = calls.first()?.is_some_and(|row| row.0.value().0 <= now_us);
        let record = records.first()?.is_some_and(|row| row.0.value().0 <= now_us);
        Ok(call || record)
    }
}

/// The tables, open in one write transaction.
pub(super) struct Tables<'t> {
    /// Whether there is anything to flush.
    pub(super) changed: bool,
    pub(super) places: Places<'t>,
    pub(super) calls: Table<'t, Place, CallRow>,
    pub(super) effects: Table<'t, EffectKey, EffectRow>,
    due: Table<'t, DueKey, ()>,
    claimed: Table<'t, (i64, u128), ()>,
    pub(super) journal: Table<'t, EntryKey, &'static [u8]>,
    expiry: Table<'t, (i64, u128), ()>,
    pub(super) records: Table<'t, RecordPlace, RecordRow>,
}

/// A call's row without its state, and where it lies.
#[derive(Clone, Copy)]
struct Head {
    place: Place,
    version: Version,
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
    pub(super) fn of(
        transaction: &'t WriteTransaction,
        fresh: &'t Mutex<Fresh>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            changed: false,
            places: Places::of(transaction, fresh)?,
            calls: transaction.open_table(CALLS)?,
            effects: transaction.open_table(EFFECTS)?,
            due: transaction.open_table(DUE)?,
            claimed: transaction.open_table(CLAIMED)?,
            journal: transaction.open_table(JOURNAL)?,
            expiry: transaction.open_table(EXPIRY)?,
            records: transaction.open_table(RECORDS)?,
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

        let place = head.map_or((now_us, call), |head| head.place);
        let expires_us = due_us(commit.expires_at);
        let deadline_us = commit.deadline.map(due_us);
        if head.is_none() {
            self.places.put(Id::call(call), None, now_us)?;
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
        let row = (number, turn.0.as_u128(), expires_us, deadline_us, commit.state.as_slice());
        self.calls.insert(place, row)?;
        // A turn has one entry, and none has its number twice.
        self.journal.insert((place.0, call, number), commit.entry.as_slice())?;
        for settled in &commit.settled {
            self.take_effect(place, settled.0.as_u128())?;
        }
        for new in &commit.effects {
            let id = new.id.0.as_u128();
            self.take_effect(place, id)?;
            let body = new.body.clone();
            let effect = Effect { due_us: due_us(new.due), attempt: 0, lease: None, body };
            self.put_effect(place, id, &effect)?;
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
            if let Some(head) = self.head(key.2)?
                && head.expires_us > now_us
            {
                found.push((key, head.place));
            }
        }

        let mut claimed = Vec::new();
        if !found.is_empty() {
            self.claimed.retain_in(..=(now_us, u128::MAX), |_, ()| false)?;
        }
        for ((_, kind, call, id), place) in found {
            let what = if kind == DEADLINE {
                if !self.set_deadline(call, until_us)? {
                    continue;
                }
                self.claimed.insert((until_us, call), ())?;
                DueWhat::Deadline
            } else {
                let Some(mut effect) = self.take_effect(place, id)? else { continue };
                effect.due_us = until_us;
                effect.attempt = effect.attempt.saturating_add(1);
                effect.lease = Some(claim.lease.0.as_u128());
                self.put_effect(place, id, &effect)?;
                let attempt = effect.attempt;
                DueWhat::Effect { id: EffectId(Uuid::from_u128(id)), body: effect.body, attempt }
            };
            claimed.push(Due { call: CallId(Uuid::from_u128(call)), lease: claim.lease, what });
        }
        self.changed |= !claimed.is_empty();
        Ok(claimed)
    }

    /// Makes due whatever is claimed.
    pub(super) fn take_over(&mut self, now_us: i64) -> Result<(), Fault> {
        let mut claimed = Vec::new();
        for row in self.effects.iter()? {
            let (key, row) = row?;
            if row.value().2.is_some() {
                claimed.push(key.value());
            }
        }
        self.changed |= !claimed.is_empty();
        for (begun_us, call, id) in claimed {
            let place = (begun_us, call);
            let Some(effect) = self.take_effect(place, id)? else { continue };
            self.put_effect(place, id, &Effect { due_us: now_us, lease: None, ..effect })?;
        }
        let mut told = Vec::new();
        for row in self.claimed.iter()? {
            told.push(row?.0.value());
        }
        self.changed |= !told.is_empty();
        for (until_us, call) in told {
            self.claimed.remove((until_us, call))?;
            if self.head(call)?.is_some_and(|head| head.deadline_us == Some(until_us)) {
                self.set_deadline(call, now_us)?;
            }
        }
        Ok(())
    }

    pub(super) fn settle(&mut self, claimed: Claimed) -> Result<bool, Fault> {
        let Some(place) = self.held(claimed)? else { return Ok(false) };
        self.changed = true;
        self.take_effect(place, claimed.effect.0.as_u128())?;
        Ok(true)
    }

    pub(super) fn put_off(
        &mut self,
        claimed: Claimed,
        due: Timestamp,
        body: &[u8],
    ) -> Result<bool, Fault> {
        let Some(place) = self.held(claimed)? else { return Ok(false) };
        let id = claimed.effect.0.as_u128();
        let Some(mut effect) = self.take_effect(place, id)? else { return Ok(false) };
        self.changed = true;
        effect.due_us = due_us(due);
        effect.lease = None;
        body.clone_into(&mut effect.body);
        self.put_effect(place, id, &effect)?;
        Ok(true)
    }

    pub(super) fn swap(&mut self, swap: &Swap) -> Result<bool, Fault> {
        let (kind, id) = (swap.key.kind, spelled(&swap.key.id));
        let id = id.as_slice();
        let at = self.places.get(Id::record(kind, id))?;
        let row = match at {
            Some(at) => self.records.get((at, kind, id))?.map(|row| (row.value().0, row.value().1)),
            None => None,
        };
        let standing = row.filter(|(_, expires_us)| *expires_us > swap.now_us);
        if standing.map(|(revision, _)| Revision(revision)) != swap.expected {
            return Ok(false);
        }
        let Revision(revision) = Revision::after(swap.expected);
        self.put_record((kind, id), at, (revision, swap.expires_us, &swap.value))?;
        Ok(true)
    }

    /// Writes a record where it lies, or elsewhere if it must now be checked earlier.
    pub(super) fn put_record(
        &mut self,
        (kind, id): (&str, &[u8]),
        before: Option<i64>,
        row: (u64, i64, &[u8]),
    ) -> Result<(), Fault> {
        self.changed = true;
        let (_, expires_us, _) = row;
        let at = before.map_or(expires_us, |before| before.min(expires_us));
        if before != Some(at) {
            if let Some(before) = before {
                self.records.remove((before, kind, id))?;
            }
            self.places.put(Id::record(kind, id), before, at)?;
        }
        self.records.insert((at, kind, id), row)?;
        Ok(())
    }

    /// Checks up to `count_max` calls and as many records that may have expired, and forgets those that have.
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
            let Some(first) = self.records.first()?.and_then(|(key, row)| {
                let ((at, kind, id), (revision, expires_us, value)) = (key.value(), row.value());
                let key = (kind.to_owned(), id.to_vec());
                (at <= now_us).then(|| (at, key, (revision, expires_us, value.to_vec())))
            }) else {
                break;
            };
            self.changed = true;
            let (at, (kind, id), (revision, expires_us, value)) = first;
            self.records.remove((at, kind.as_str(), id.as_slice()))?;
            if expires_us <= now_us {
                self.places.forget(Id::record(&kind, &id))?;
            } else {
                self.places.put(Id::record(&kind, &id), Some(at), expires_us)?;
                let row = (revision, expires_us, value.as_slice());
                self.records.insert((expires_us, kind.as_str(), id.as_slice()), row)?;
            }
        }
        Ok(())
    }

    fn head(&self, call: u128) -> Result<Option<Head>, Fault> {
        let Some(place) = self.place(call)? else { return Ok(None) };
        Ok(self.calls.get(place)?.map(|row| {
            let (number, turn, expires_us, deadline_us, _) = row.value();
            let version = Version { number, turn: TurnId(Uuid::from_u128(turn)) };
            Head { place, version, expires_us, deadline_us }
        }))
    }

    fn place(&self, call: u128) -> Result<Option<Place>, Fault> {
        Ok(self.places.get(Id::call(call))?.map(|begun_us| (begun_us, call)))
    }

    fn set_deadline(&mut self, call: u128, at: i64) -> Result<bool, Fault> {
        let Some(head) = self.head(call)? else { return Ok(false) };
        let row = self.calls.get(head.place)?;
        let state = row.map(|row| row.value().4.to_vec()).unwrap_or_default();
        self.forget_deadline(call, head)?;
        self.due.insert((at, DEADLINE, call, 0), ())?;
        let Version { number, turn } = head.version;
        let row = (number, turn.0.as_u128(), head.expires_us, Some(at), state.as_slice());
        self.calls.insert(head.place, row)?;
        Ok(true)
    }

    fn forget_deadline(&mut self, call: u128, head: Head) -> Result<(), Fault> {
        if let Some(at) = head.deadline_us {
            self.due.remove((at, DEADLINE, call, 0))?;
        }
        Ok(())
    }

    /// Where the call of an effect lies, if the effect exists and is claimed under this lease.
    fn held(&self, claimed: Claimed) -> Result<Option<Place>, Fault> {
        let Claimed { call, effect, lease: Lease(lease) } = claimed;
        let Some(place) = self.place(call.0.as_u128())? else { return Ok(None) };
        let row = self.effects.get((place.0, place.1, effect.0.as_u128()))?;
        Ok(row.filter(|row| row.value().2 == Some(lease.as_u128())).map(|_| place))
    }

    fn put_effect(&mut self, place: Place, id: u128, effect: &Effect) -> Result<(), Fault> {
        let (begun_us, call) = place;
        let row = (effect.due_us, effect.attempt, effect.lease, effect.body.as_slice());
        self.effects.insert((begun_us, call, id), row)?;
        self.due.insert((effect.due_us, EFFECT, call, id), ())?;
        Ok(())
    }

    fn take_effect(&mut self, place: Place, id: u128) -> Result<Option<Effect>, Fault> {
        let (begun_us, call) = place;
        let taken = self.effects.remove((begun_us, call, id))?.map(|row| {
            let (due_us, attempt, lease, body) = row.value();
            Effect { due_us, attempt, lease, body: body.to_vec() }
        });
        if let Some(effect) = &taken {
            self.due.remove((effect.due_us, EFFECT, call, id))?;
        }
        Ok(taken)
    }

    fn forget_call(&mut self, call: u128) -> Result<(), Fault> {
        let Some(head) = self.head(call)? else { return Ok(()) };
        self.changed = true;
        self.places.forget(Id::call(call))?;
        self.calls.remove(head.place)?;
        self.expiry.remove((head.expires_us, call))?;
        self.forget_deadline(call, head)?;
        self.journal.retain_in(entries_of(head.place), |_, _| false)?;
        let (begun_us, _) = head.place;
        let mut effects = Vec::new();
        for row in self.effects.range((begun_us, call, 0)..=(begun_us, call, u128::MAX))? {
            effects.push(row?.0.value().2);
        }
        for effect in effects {
            self.take_effect(head.place, effect)?;
        }
        Ok(())
    }
}

fn entries_of((begun_us, call): Place) -> std::ops::RangeInclusive<EntryKey> {
    (begun_us, call, 0)..=(begun_us, call, u64::MAX)
}

/// A record's id in a key: two hexadecimal digits become a byte, and everything else stays as it is.
pub(super) fn spelled(id: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, odd) = id.as_bytes().as_chunks();
    let packed = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    let packed: Option<Vec<u8>> = [Some(PACKED)].into_iter().chain(packed).collect();
    match packed {
        Some(packed) if odd.is_empty() => packed,
        _ => [&[PLAIN], id.as_bytes()].concat(),
    }
}
