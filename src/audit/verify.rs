//! Verifies every chain from its end to its beginning, and finds what is missing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::told::Told;
use super::{CallAudit, Entry, Head, Link, call_key, head_key, is_hash_of, link_key};
use crate::engine::call::Call;
use crate::engine::id::CallId;
use crate::engine::turn::{self, later};
use crate::limits;
use crate::store::envelope::{EnvelopeError, Kind, Vault};
use crate::store::{PARTITIONS, RecordKey, Store, StoreError};

/// What was verified, and what is wrong with it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Calls whose chain was verified.
    pub calls: u64,
    /// Entries in those chains.
    pub entries: u64,
    /// Links verified.
    pub links: u64,
    /// The ends of the chains of links: if they are kept elsewhere, they show whether a chain was cut short.
    pub heads: Vec<ChainHead>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// The end of a chain of links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// Which chain.
    pub chain: u64,
    /// How many links it has had.
    pub number: u64,
    /// The hash of the last.
    pub hash: String,
}

/// Something wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The call or the chain of links.
    #[serde(rename = "in")]
    pub place: String,
    /// Which entry, turn or link; `None`: all of it.
    pub number: Option<u64>,
    /// What is wrong with it.
    pub what: What,
}

/// What may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It is missing, and has not expired.
    Removed,
    /// It is not what was written.
    Altered,
    /// It is not where it was written.
    Reordered,
    /// It says that a newer callgate wrote it, and only that can tell. If none did, it was altered.
    Newer,
}

impl Report {
    /// Whether something is wrong that cannot be left to a newer callgate.
    pub fn is_broken(&self) -> bool {
        self.faults.iter().any(|fault| fault.what != What::Newer)
    }
}

/// Verifies everything there is.
pub async fn verify(
    store: &dyn Store,
    vault: &Vault,
    now: Timestamp,
) -> Result<Report, StoreError> {
    verify_and_tell(store, vault, now, &[], &mut |_| ()).await
}

/// The same, and checks that each of `kept`, which were ends of chains once, is still in its chain; reports each
/// intact entry, in no order.
pub async fn verify_and_tell(
    store: &dyn Store,
    vault: &Vault,
    now: Timestamp,
    kept: &[ChainHead],
    tell: &mut (dyn FnMut(Told) + Send),
) -> Result<Report, StoreError> {
    let (seen, report) = (BTreeSet::new(), Report::default());
    let mut audit = Audit { store, vault, now, tell, seen, report };
    let mut ends = Vec::new();
    for chain in 0..PARTITIONS {
        ends.extend(audit.end_of(chain).await?.map(|end| (chain, end)));
    }
    // By a slow clock, what had expired when the last link was written would be missing.
    audit.now = ends.iter().filter_map(|(_, end)| end.at).fold(now, Timestamp::max);
    for (chain, end) in ends {
        audit.follow(chain, end).await?;
    }
    for end in kept {
        audit.still_has(end).await?;
    }
    for call in store.calls(limits::LISTED_CALLS_MAX).await? {
        audit.journal(call).await?;
    }
    Ok(audit.report)
}

struct Audit<'a> {
    store: &'a dyn Store,
    vault: &'a Vault,
    now: Timestamp,
    tell: &'a mut (dyn FnMut(Told) + Send),
    /// Chains of calls that are already counted, by the first entry's hash.
    seen: BTreeSet<(CallId, Option<String>)>,
    report: Report,
}

/// What is verified.
trait Verified: DeserializeOwned {
    /// Fields that it has always had, where its seal could be that of something else.
    const ALWAYS: &'static [&'static str] = &[];
}

impl Verified for Head {
    const ALWAYS: &'static [&'static str] = &["number", "hash"];
}

impl Verified for Link {
    const ALWAYS: &'static [&'static str] = &["after", "at", "what", "hash"];
}

impl Verified for CallAudit {
    const ALWAYS: &'static [&'static str] = &["entries"];
}

impl Verified for Call {}

impl Verified for turn::Entry {}

/// What a record proved to be.
enum Read<T> {
    There(T),
    Missing,
    /// It is [`What::Altered`], or [`What::Newer`].
    Not(What),
}

impl Audit<'_> {
    fn fault(&mut self, place: &str, number: Option<u64>, what: What) {
        let fault = Fault { place: place.to_owned(), number, what };
        if !self.report.faults.contains(&fault) {
            self.report.faults.push(fault);
        }
    }

    /// The end of a chain of links; `None`: it has none that can be read.
    async fn end_of(&mut self, chain: u64) -> Result<Option<Head>, StoreError> {
        let mut head = match self.read::<Head>(&head_key(chain)).await? {
            Read::There(head) => head,
            Read::Missing => Head::default(),
            Read::Not(what) => {
                self.fault(&format!("chain {chain}"), None, what);
                return Ok(None);
            }
        };
        // The last one to append may not have written the length yet.
        while let Read::There(link) =
            self.read::<Link>(&link_key(chain, head.number.saturating_add(1))).await?
        {
            if link.after.number != head.number || link.after.hash != head.hash {
                break;
            }
            head = link.head();
        }
        if head.number > 0 {
            let (number, hash) = (head.number, head.hash.clone());
            self.report.heads.push(ChainHead { chain, number, hash });
        }
        Ok(Some(head))
    }

    /// Follows a chain of links from its end backwards.
    async fn follow(&mut self, chain: u64, end: Head) -> Result<(), StoreError> {
        let (place, mut head) = (format!("chain {chain}"), end);
        while head.number > 0 {
            let Some(before) = self.link(chain, &place, &head).await? else { break };
            head = before;
        }
        Ok(())
    }

    /// Verifies the link that `head` names, and says what came before it; `None`: the chain is not followed any
    /// further.
    async fn link(
        &mut self,
        chain: u64,
        place: &str,
        head: &Head,
    ) -> Result<Option<Head>, StoreError> {
        let number = Some(head.number);
        let link = match self.read::<Link>(&link_key(chain, head.number)).await? {
            Read::There(link) => link,
            Read::Missing => {
                if self.is_kept(head.at) {
                    self.fault(place, number, What::Removed);
                }
                return Ok(None);
            }
            Read::Not(what) => {
                self.fault(place, number, what);
                return Ok(None);
            }
        };
        if link.hash != link.hash_in(self.vault, chain) {
            self.fault(place, number, What::Altered);
        } else if link.head() != *head {
            self.fault(place, number, What::Reordered);
        } else if let Some(told) = Told::of_link(chain, &link) {
            (self.tell)(told);
        }
        self.report.links += 1;
        for (call, end) in link.what.calls() {
            self.closed(call, end, link.at).await?;
        }
        Ok(Some(link.after))
    }

    /// Verifies that a chain continues from an end that it once had. A chain that was set back and has grown
    /// again since is intact in itself, but has another link there.
    async fn still_has(&mut self, was: &ChainHead) -> Result<(), StoreError> {
        let (place, number) = (format!("chain {}", was.chain), Some(was.number));
        let of_chain = |head: &&ChainHead| head.chain == was.chain;
        let end = self.report.heads.iter().find(of_chain).map_or(0, |head| head.number);
        match self.read::<Link>(&link_key(was.chain, was.number)).await? {
            // What lies beyond the end belongs to a chain that was set back.
            _ if was.number > end => self.fault(&place, number, What::Removed),
            Read::There(link) if link.hash != was.hash => {
                self.fault(&place, number, What::Altered);
            }
            // What has expired is gone; whatever else is missing or unreadable has been reported.
            Read::There(_) | Read::Missing | Read::Not(_) => {}
        }
        Ok(())
    }

    /// Verifies the audit of a call that is over.
    async fn closed(
        &mut self,
        call: CallId,
        end: &Head,
        bound: Timestamp,
    ) -> Result<(), StoreError> {
        let place = format!("call {call}");
        match self.read::<CallAudit>(&call_key(call)).await? {
            Read::There(audit) => {
                let ends_so =
                    |chain: &&[Entry]| chain.last().is_some_and(|last| last.head() == *end);
                let chain = audit.chains().find(ends_so).unwrap_or(&audit.entries);
                self.entries(call, &place, chain, end);
            }
            Read::Missing if self.is_kept(Some(bound)) => self.fault(&place, None, What::Removed),
            Read::Missing => {}
            Read::Not(what) => self.fault(&place, None, what),
        }
        Ok(())
    }

    /// Verifies the chain of a call against its end.
    fn entries(&mut self, call: CallId, place: &str, entries: &[Entry], end: &Head) {
        let begin = entries.first().map(|entry| entry.hash.clone());
        let first = self.seen.insert((call, begin));
        if first {
            self.report.calls += 1;
            self.report.entries += entries.len() as u64;
        }
        let mut head = Head::default();
        for entry in entries {
            let expected = head.number.saturating_add(1);
            let fault = if entry.number > expected {
                Some((expected, What::Removed))
            } else if entry.number < expected {
                Some((entry.number, What::Reordered))
            } else if !is_hash_of(entry, &head.hash, self.vault, call) {
                Some((entry.number, What::Altered))
            } else {
                None
            };
            if let Some((number, what)) = fault {
                self.fault(place, Some(number), what);
                return;
            }
            head = entry.head();
            if first {
                (self.tell)(Told::of_call(call, entry));
            }
        }
        if head.number < end.number {
            self.fault(place, Some(head.number.saturating_add(1)), What::Removed);
        } else if head != *end {
            self.fault(place, Some(head.number), What::Altered);
        }
    }

    /// Verifies the journal of a call of the last day, whether it is over or not.
    async fn journal(&mut self, id: CallId) -> Result<(), StoreError> {
        let place = format!("call {id}");
        let Some((call, journal)) = self.at_rest(id).await? else { return Ok(()) };
        let call = match self.opened::<Call>(Kind::Call, &id.to_string(), &call) {
            Ok(call) => call,
            Err(what) => {
                self.fault(&place, None, what);
                return Ok(());
            }
        };
        let mut turns = Vec::new();
        for (sealed, position) in journal.iter().zip(1..) {
            match self.opened::<turn::Entry>(Kind::Entry, &id.to_string(), sealed) {
                Ok(turn) => turns.push(turn),
                Err(what) => {
                    self.fault(&place, Some(position), what);
                    return Ok(());
                }
            }
        }
        let numbers: Vec<u64> = turns.iter().map(|turn| turn.number).collect();
        if let Some((number, what)) = out_of_line(&numbers, call.turns) {
            self.fault(&place, Some(number), what);
            return Ok(());
        }
        let entries: Vec<Entry> = turns.into_iter().flat_map(|turn| turn.audit).collect();
        self.entries(id, &place, &entries, &call.audit.unwrap_or_default());
        Ok(())
    }

    /// A call's state and journal at one moment; `None`: it is gone, or it never rests.
    async fn at_rest(&self, id: CallId) -> Result<Option<(Vec<u8>, Vec<Vec<u8>>)>, StoreError> {
        for _ in 0..limits::COMMIT_TRIES_MAX {
            let Some(before) = self.store.load(id).await? else { return Ok(None) };
            let journal = self.store.journal(id).await?;
            let after = self.store.load(id).await?;
            if after.is_some_and(|after| after.version == before.version) {
                return Ok(Some((before.state, journal)));
            }
        }
        Ok(None)
    }

    /// Whether something written then must still be there.
    fn is_kept(&self, at: Option<Timestamp>) -> bool {
        at.is_none_or(|at| later(at, limits::AUDIT_RETENTION) > self.now)
    }

    fn opened<T: Verified>(&self, kind: Kind, id: &str, sealed: &[u8]) -> Result<T, What> {
        match self.vault.open(kind, id, sealed) {
            // Its seal fits this place, but does not tell one kind of record from another: what lacks a field that was
            // always there was put there from elsewhere. With all of them, a newer callgate may have written it.
            Ok(opened) => opened.read().ok_or_else(|| {
                let fields: Value = opened.read().unwrap_or_default();
                let has_all = T::ALWAYS.iter().all(|name| fields.get(name).is_some());
                if has_all { What::Newer } else { What::Altered }
            }),
            Err(EnvelopeError::UnknownVersion(_)) => Err(What::Newer),
            Err(EnvelopeError::WrongKey | EnvelopeError::Altered) => Err(What::Altered),
        }
    }

    async fn read<T: Verified>(&self, key: &RecordKey) -> Result<Read<T>, StoreError> {
        let Some((_, sealed)) = self.store.read(key).await? else { return Ok(Read::Missing) };
        Ok(match self.opened(Kind::Record, &key.id, &sealed) {
            Ok(there) => Read::There(there),
            Err(what) => Read::Not(what),
        })
    }
}

/// The first turn of a journal that is not in its place, which must be 1 to `last`.
fn out_of_line(numbers: &[u64], last: u64) -> Option<(u64, What)> {
    if let Some(number) = numbers.array_windows().find_map(|[a, b]| (b <= a).then_some(*b)) {
        return Some((number, What::Reordered));
    }
    let missing = (1..=last).find(|number| !numbers.contains(number));
    missing.map(|number| (number, What::Removed))
}
