//! Where things lie in Redis.
//!
//! | key | type | what |
//! |---|---|---|
//! | `cg:{pNN}:call:<call>` | string | version, deadline, state and the entries of the journal, oldest first (see [`form`](super::form)) |
//! | `cg:{pNN}:effects:<call>` | hash | of each effect `b:` body, `a:` attempts, `l:` lease |
//! | `cg:{pNN}:due4` | sorted set | `d:<call>` and `e:<call>:<effect>` by when they are due; `f:<moment>` by that |
//! | `cg:{pNN}:far:<moment>` | list | calls, in 16 bytes each, whose deadlines are not before that moment, in microseconds |
//! | `cg:{pNN}:calls` | sorted set | calls by when they began |
//! | `cg:{pNN}:held` | string | nothing: it was written to wait until replicas have all that was written before |
//! | `cg:{pNN}:rec:<kind>:<id>` | string | revision and value in one |
//! | `cg:{pNN}:many:<kind>:<0, 1 or 2>` | hash | by what its id begins with, when a record runs out, its revision and its value |
//!
//! Where there are many records, those that expire in the same hours are stored together, in turn in one of three
//! places: among those not yet forgotten, no two have the same name.
//!
//! An older callgate kept a call as a list (version and state in one, then the entries of the journal). One
//! before it used a hash (`n` number and `t` turn of the version, `s` state), with the journal in a list
//! `cg:{pNN}:journal:<call>`, and hashes for records (`r` revision, `v` value). What they left is read, and
//! becomes what it is now with the next write. They in turn refuse what they do not know, because Redis tells
//! them that it is another kind of value. What they counted of callers is not read: the hour begins again. They
//! kept due things in `cg:{pNN}:due3`, and before that in `cg:{pNN}:due`: what stands there is taken over when
//! its time has come. So an older callgate that still runs sees nothing of what newer ones have to do: it could
//! not read it, and would keep them waiting for it.
//!
//! The braces are a cluster's hash tag: all keys of a partition lie on one node, so that a script may
//! touch them together, and the partitions spread over the nodes.

use std::fmt;

use ring::digest::{self, SHA256};
use uuid::Uuid;

use super::super::{PARTITIONS, RecordKey};
use crate::engine::id::{CallId, EffectId};

/// One of [`PARTITIONS`] parts of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Partition(u32);

/// The due things, for those who read the format in which they are sealed.
const DUE: &str = "due4";
pub(super) const OLDER_DUE: [&str; 2] = ["due3", "due"];

/// As much of a keyed hash as is needed to tell records apart.
const SMALL_NAME_BYTES: usize = 12;
/// As long as nearly every key is.
const KEY_BYTES: usize = 96;

impl Partition {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..PARTITIONS).map(Self::nth)
    }

    pub(super) fn of(call: CallId) -> Self {
        Self::hashed(&[call.0.as_bytes()])
    }

    pub(super) fn of_record(key: &RecordKey) -> Self {
        Self::hashed(&[key.kind.as_bytes(), b":", key.id.as_bytes()])
    }

    /// The cluster's slot of its keys.
    pub(super) fn slot(self) -> u16 {
        slot(&self.key(&[]))
    }

    /// A stable hash: what one version of callgate wrote, every later one must find.
    fn hashed(parts: &[&[u8]]) -> Self {
        let mut hash = digest::Context::new(&SHA256);
        for part in parts {
            hash.update(part);
        }
        let hash = hash.finish();
        let bits = hash.as_ref().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        Self::nth(bits % PARTITIONS)
    }

    fn nth(number: u64) -> Self {
        Self(u32::try_from(number).unwrap_or_default())
    }

    pub(super) fn due(self) -> String {
        self.key(&[DUE])
    }

    /// Where a callgate of an older format keeps its due things: one of [`OLDER_DUE`].
    pub(super) fn older_due(self, older: &str) -> String {
        self.key(&[older])
    }

    /// Where deadlines wait that need not be looked at before this moment.
    pub(super) fn far(self, until_us: i64) -> String {
        self.key(&["far:", &until_us.to_string()])
    }

    pub(super) fn calls(self) -> String {
        self.key(&["calls"])
    }

    /// Where it is tried whether we may do everything that we need to: a text, a hash, a list and a sorted set.
    pub(super) fn rights(self) -> [String; 4] {
        ["text", "hash", "list", "sorted"].map(|kind| self.key(&["rights:", kind]))
    }

    pub(super) fn held(self) -> String {
        self.key(&["held"])
    }

    pub(super) fn call(self, id: CallId) -> String {
        self.key_of("call:", id)
    }

    pub(super) fn effects(self, call: CallId) -> String {
        self.key_of("effects:", call)
    }

    fn key_of(self, what: &str, call: CallId) -> String {
        let mut id = Uuid::encode_buffer();
        self.key(&[what, call.0.as_hyphenated().encode_lower(&mut id)])
    }

    /// Put together by hand: a turn needs half a dozen keys, and a look at what is due needs one for each
    /// partition.
    fn key(self, rest: &[&str]) -> String {
        let mut key = String::with_capacity(KEY_BYTES);
        key.push_str("cg:{p");
        key.extend([self.0 / 10, self.0 % 10].into_iter().filter_map(|d| char::from_digit(d, 10)));
        key.push_str("}:");
        key.extend(rest.iter().copied());
        key
    }
}

pub(super) fn call(id: CallId) -> String {
    Partition::of(id).call(id)
}

pub(super) fn effects(call: CallId) -> String {
    Partition::of(call).effects(call)
}

pub(super) fn journal(call: CallId) -> String {
    Partition::of(call).key_of("journal:", call)
}

pub(super) fn record(key: &RecordKey) -> String {
    let RecordKey { kind, id } = key;
    Partition::of_record(key).key(&["rec:", kind, ":", id])
}

/// Where a record may be stored of which there are many: in the first place if it expires in the first of three
/// periods, and so on.
pub(super) fn small_places(key: &RecordKey) -> [String; 3] {
    let partition = Partition::of_record(key);
    ["0", "1", "2"].map(|place| partition.key(&["many:", key.kind, ":", place]))
}

/// How many those are.
pub(super) const SMALL_PLACES: u64 = 3;

/// Its name there: the beginning of its id, in bytes.
pub(super) fn small_name(key: &RecordKey) -> Vec<u8> {
    let (pairs, _) = key.id.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().take(SMALL_NAME_BYTES).map_while(byte).collect()
}

/// The cluster's slot of a key: of what stands between the braces.
fn slot(key: &str) -> u16 {
    const SLOTS: u16 = 16_384;
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    let tag = tag.map_or(key, |(tag, _)| tag);
    crc16::State::<crc16::XMODEM>::calculate(tag.as_bytes()) % SLOTS
}

/// A member of a partition's list of due things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Deadline(CallId),
    Effect(CallId, EffectId),
}

impl Member {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(call) = text.strip_prefix("d:") {
            return CallId::parse(call).map(Self::Deadline);
        }
        let (call, effect) = text.strip_prefix("e:")?.split_once(':')?;
        Some(Self::Effect(CallId::parse(call)?, EffectId::parse(effect)?))
    }

    pub(super) fn call(self) -> CallId {
        match self {
            Self::Deadline(call) | Self::Effect(call, _) => call,
        }
    }

    /// The key that must exist for it to mean anything.
    pub(super) fn home(self) -> String {
        match self {
            Self::Deadline(id) => call(id),
            Self::Effect(call, _) => effects(call),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline(call) => write!(f, "d:{call}"),
            Self::Effect(call, effect) => write!(f, "e:{call}:{effect}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_where_they_are() {
        let id = CallId(Uuid::from_u128(1));
        assert_eq!(call(id), "cg:{p59}:call:00000000-0000-0000-0000-000000000001");
        let key = RecordKey { kind: "ledger", id: "c0ffee".into() };
        assert_eq!(record(&key), "cg:{p14}:rec:ledger:c0ffee");
    }

    /// With another format there is another list: add the one before it to those that are taken over.
    #[test]
    fn what_is_due_is_kept_by_format() {
        assert_eq!(DUE, format!("due{}", super::super::super::envelope::VERSION));
        // A commit takes an older call's deadline off all of them, and makes their names itself.
        let commit = include_str!("../lua/commit.lua");
        for older in OLDER_DUE {
            assert!(commit.contains(&format!("partition .. '{older}', own")), "{older}");
        }
    }

    #[test]
    fn what_one_call_touches_shares_a_partition() {
        let id = CallId(Uuid::from_u128(77));
        let of = Partition::of(id);
        let tag = |key: &str| key[..key.find('}').unwrap()].to_owned();
        let mut keys = vec![call(id), effects(id), journal(id), of.due(), of.far(1)];
        keys.extend(OLDER_DUE.map(|older| of.older_due(older)));
        assert!(keys.iter().all(|key| tag(key) == tag(&keys[0])), "{keys:?}");
    }

    /// By `CLUSTER KEYSLOT` of Redis 7.0.
    #[test]
    fn a_slot_is_the_clusters() {
        assert_eq!(slot("123456789"), 0x31C3);
        assert_eq!(slot("cg:{p59}:call:1"), slot("p59"));
    }

    #[test]
    fn calls_spread_over_all_partitions() {
        let partitions: std::collections::HashSet<_> =
            (0..2_000).map(|n| Partition::of(CallId(Uuid::from_u128(n)))).collect();
        assert_eq!(partitions.len(), Partition::all().count());
    }

    #[test]
    fn a_member_reads_back() {
        let (call, effect) = (CallId(Uuid::from_u128(1)), EffectId(Uuid::from_u128(2)));
        for member in [Member::Deadline(call), Member::Effect(call, effect)] {
            assert_eq!(Member::parse(&member.to_string()), Some(member));
        }
        assert_eq!(Member::parse("e:1:2"), None);
    }
}
