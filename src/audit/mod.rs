//! The audit: what was claimed, tried, proved and handed over, in chains that show any change.
//!
//! Each call has a chain of its own: an entry's hash is keyed with the state key and covers the hash before it,
//! so that whoever can write the store but does not have the key can neither alter, remove, reorder nor invent
//! entries. The entries are committed with their turn, and the call keeps the head. When a call is over, its
//! entries are written down for as long as audits are kept, and its head is appended to one of 64 chains of
//! links, together with those of other calls; so is everything that happens outside calls.

pub mod key;
pub mod told;
pub mod verify;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::account::Whom;
pub use crate::engine::audit::{Deed, Entry, Head, Letter};
use crate::engine::id::CallId;
use crate::engine::turn::later;
use crate::limits::AUDIT_RETENTION;
use crate::store::envelope::Vault;
use crate::store::{PARTITIONS, RecordKey};

/// 128 bits of an entry's hash: without the key, nobody finds another entry with the same ones.
const ENTRY_HASH_DIGITS: usize = 32;

/// The audit of a call that is over. Where its first request came again when it was forgotten, there were several calls
/// of its id, and each has left a chain.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallAudit {
    /// Its entries, oldest first.
    pub entries: Vec<Entry>,
}

impl CallAudit {
    /// Puts down a chain of this call, in place of what there may be of it, and beside others that are kept.
    pub fn put(&mut self, chain: &Self) {
        let first = chain.entries.first().map(|entry| &entry.hash);
        let is_of_it = |of: &&[Entry]| of.first().map(|entry| &entry.hash) == first;
        let now = chain.entries.last().map(|entry| entry.at);
        let kept_until = |of: &[Entry]| of.last().map(|last| later(last.at, AUDIT_RETENTION));
        let others = self.chains().filter(|of| !is_of_it(of) && kept_until(of) > now);
        let others = others.collect::<Vec<_>>().concat();
        self.entries = [others.as_slice(), &chain.entries].concat();
    }

    /// The chains of its entries.
    pub fn chains(&self) -> impl Iterator<Item = &[Entry]> {
        self.entries.chunk_by(|_, next| next.number > 1)
    }
}

/// A link of a partition's chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The end of the chain before it.
    pub after: Head,
    /// When it was written.
    pub at: Timestamp,
    /// What it binds.
    pub what: Bound,
    /// The keyed hash over all of this.
    pub hash: String,
}

/// What a link binds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Bound {
    /// A call that is over, by its id and the end of its chain.
    Call(CallId, Head),
    /// Several of them, written down at once.
    Calls(Vec<(CallId, Head)>),
    /// Something outside any call.
    Deed {
        /// Whom it concerns: a keyed hash.
        about: String,
        /// What was done.
        deed: Deed,
    },
}

/// The entry that follows `after` in the chain of a call.
pub fn entry_after(
    after: &Head,
    vault: &Vault,
    call: CallId,
    at: Timestamp,
    about: String,
    deed: Deed,
) -> Entry {
    let number = after.number.saturating_add(1);
    let mut entry = Entry { number, at, about, deed, hash: String::new() };
    entry.hash = entry_hash(&entry, &after.hash, vault, call);
    entry.hash.truncate(ENTRY_HASH_DIGITS);
    entry
}

/// Whether the hash of an entry is right. An older callgate kept all 256 bits of it.
fn is_hash_of(entry: &Entry, before: &str, vault: &Vault, call: CallId) -> bool {
    let whole = entry_hash(entry, before, vault, call);
    let is_kept = [ENTRY_HASH_DIGITS, whole.len()].contains(&entry.hash.len());
    is_kept && whole.starts_with(&entry.hash)
}

fn entry_hash(entry: &Entry, before: &str, vault: &Vault, call: CallId) -> String {
    let content = json(&(entry.number, entry.at, &entry.about, &entry.deed));
    vault.keyed_hex("audit entry", &[call.0.as_bytes(), before.as_bytes(), &content])
}

impl Link {
    /// The link that follows `after` in a partition's chain.
    pub fn after(after: Head, vault: &Vault, chain: u64, at: Timestamp, what: Bound) -> Self {
        let mut link = Self { after, at, what, hash: String::new() };
        link.hash = link.hash_in(vault, chain);
        link
    }

    /// What the hash must be.
    fn hash_in(&self, vault: &Vault, chain: u64) -> String {
        let content = json(&(&self.after, self.at, &self.what));
        vault.keyed_hex("audit link", &[&chain.to_be_bytes(), &content])
    }

    /// The end of a chain whose last link this is.
    pub fn head(&self) -> Head {
        let number = self.after.number.saturating_add(1);
        Head { number, hash: self.hash.clone(), at: Some(self.at) }
    }
}

impl Bound {
    /// The calls that it binds, each with the end of its chain.
    pub fn calls(&self) -> Vec<(CallId, &Head)> {
        match self {
            Self::Call(call, head) => vec![(*call, head)],
            Self::Calls(calls) => calls.iter().map(|(call, head)| (*call, head)).collect(),
            Self::Deed { .. } => Vec::new(),
        }
    }
}

/// Which chain of links a call belongs to; if several are written down together, it is that of the first.
pub fn chain_of_call(call: CallId) -> u64 {
    call.0.as_bytes().last().map_or(0, |byte| u64::from(*byte)) % PARTITIONS
}

/// Which chain of links a keyed reference belongs to.
pub fn chain_of(about: &str) -> u64 {
    about.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
        % PARTITIONS
}

/// Where the audit of a call lies once it is over.
pub fn call_key(call: CallId) -> RecordKey {
    RecordKey { kind: "audit-call", id: call.0.as_simple().to_string() }
}

/// Where a link lies.
pub fn link_key(chain: u64, number: u64) -> RecordKey {
    RecordKey { kind: "audit-link", id: format!("{chain:02x}{number:016x}") }
}

/// Where the end of a chain of links lies.
pub fn head_key(chain: u64) -> RecordKey {
    RecordKey { kind: "audit-head", id: format!("{chain:02x}") }
}

/// What stands for an account, or for what was claimed and is none, in the keys of the store.
pub fn subject(vault: &Vault, whom: &Whom) -> String {
    let (kind, id) = match whom {
        // A claim that does not exist is counted like one that does: by what was claimed.
        Whom::Account(id) | Whom::Decoy(id) => ("claim", id.expose().to_owned()),
        Whom::Call(call) => ("call", call.to_string()),
    };
    vault.keyed_hex("ledger", &[kind.as_bytes(), id.as_bytes()])
}

/// What stands for it in the audit: a keyed hash that is no key of the store.
pub fn reference(vault: &Vault, whom: &Whom) -> String {
    vault.keyed_hex("audit reference", &[subject(vault, whom).as_bytes()])
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Fields in their order, and no maps: the same thing always gives the same text.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::level::Fact;

    fn chain(at_s: i64, length: u64) -> CallAudit {
        let at = Timestamp::from_second(at_s).unwrap();
        let deed = Deed::Proved { factor: Fact::Pin };
        let entry = |number| Entry {
            number,
            at,
            about: String::new(),
            deed: deed.clone(),
            hash: format!("{at_s}-{number}"),
        };
        CallAudit { entries: (1..=length).map(entry).collect() }
    }

    #[test]
    fn calls_of_one_id_have_a_chain_each_for_as_long_as_audits_are_kept() {
        let kept_s = i64::try_from(AUDIT_RETENTION.as_secs()).unwrap();
        let lengths = |audit: &CallAudit| audit.chains().map(<[_]>::len).collect::<Vec<_>>();
        let mut audit = CallAudit::default();
        audit.put(&chain(0, 2));
        audit.put(&chain(0, 2));
        assert_eq!(lengths(&audit), [2], "it is written down again");
        audit.put(&chain(kept_s - 1, 3));
        assert_eq!(lengths(&audit), [2, 3]);
        audit.put(&chain(kept_s, 1));
        assert_eq!(lengths(&audit), [3, 1], "nobody keeps the first one any longer");
    }

    /// Whatever of an entry or a link were another, its hash would be too.
    #[test]
    fn a_hash_covers_all_that_was_written_and_what_came_before() {
        let (vault, at) = (Vault::new(&[7; 32]), Timestamp::from_second(1).unwrap());
        let head = |number, hash: &str| Head { number, hash: hash.into(), at: Some(at) };
        let (one, other) = (CallId(uuid::Uuid::from_u128(1)), CallId(uuid::Uuid::from_u128(2)));
        let [pin, passcode] = [Fact::Pin, Fact::Passcode].map(|factor| Deed::Proved { factor });
        let later = Timestamp::from_second(2).unwrap();
        let entry = |after: Head, call, at, about: &str, deed: &Deed| {
            entry_after(&after, &vault, call, at, about.into(), deed.clone()).hash
        };
        let entries = [
            entry(head(1, "a"), one, at, "who", &pin),
            entry(head(2, "a"), one, at, "who", &pin),
            entry(head(1, "b"), one, at, "who", &pin),
            entry(head(1, "a"), other, at, "who", &pin),
            entry(head(1, "a"), one, later, "who", &pin),
            entry(head(1, "a"), one, at, "whom", &pin),
            entry(head(1, "a"), one, at, "who", &passcode),
        ];
        let link = |after: Head, chain, at, call| {
            Link::after(after, &vault, chain, at, Bound::Call(call, head(3, "c"))).hash
        };
        let links = [
            link(head(1, "a"), 5, at, one),
            link(head(2, "a"), 5, at, one),
            link(head(1, "b"), 5, at, one),
            link(head(1, "a"), 6, at, one),
            link(head(1, "a"), 5, later, one),
            link(head(1, "a"), 5, at, other),
        ];
        let all = entries.iter().chain(&links);
        let different: std::collections::BTreeSet<_> = all.clone().collect();
        assert_eq!(different.len(), all.count());
    }
}
