//! How calls and records are written.
//!
//! A version is its number in decimal digits, a colon, and the 16 bytes of its turn. A call is its version; its
//! deadline in microseconds since 1970, or 0, in 8 bytes; the length of its state, a colon, and the state; and
//! each entry of its journal in the same way. A record is its revision, a colon, and its value; if it is stored
//! together with others, the second in which it expires comes first, in 4 bytes.

use uuid::Uuid;

use super::super::{Revision, Stored, Version};
use crate::engine::id::TurnId;

const TURN_BYTES: usize = 16;
const DEADLINE_BYTES: usize = 8;
const SECOND_BYTES: usize = 4;

pub(super) fn version(Version { number, turn }: Version) -> Vec<u8> {
    let mut bytes = format!("{number}:").into_bytes();
    bytes.extend_from_slice(turn.0.as_bytes());
    bytes
}

/// A call as it is stored.
pub(super) fn stored(mut call: Vec<u8>) -> Option<Stored> {
    let (version, rest) = versioned(&call)?;
    let (state, journal) = with_length(after_deadline(rest)?)?;
    let (length, end) = (state.len(), call.len() - journal.len());
    call.truncate(end);
    call.drain(..end - length);
    Some(Stored { version, state: call })
}

/// The journal of a call as it is stored, oldest entry first.
pub(super) fn journal(call: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (_, rest) = versioned(call)?;
    let (_, mut rest) = with_length(after_deadline(rest)?)?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (entry, after) = with_length(rest)?;
        entries.push(entry.to_vec());
        rest = after;
    }
    Some(entries)
}

/// Version and state as an older callgate wrote them.
pub(super) fn older(mut call: Vec<u8>) -> Option<Stored> {
    let (version, state) = versioned(&call)?;
    let at = call.len() - state.len();
    call.drain(..at);
    Some(Stored { version, state: call })
}

fn versioned(bytes: &[u8]) -> Option<(Version, &[u8])> {
    let (number, at) = number(bytes)?;
    let (turn, rest) = bytes.get(at..)?.split_first_chunk::<TURN_BYTES>()?;
    Some((Version { number, turn: TurnId(Uuid::from_bytes(*turn)) }, rest))
}

fn after_deadline(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(DEADLINE_BYTES..)
}

/// As many bytes as the number before the colon says, and what follows them.
fn with_length(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, at) = number(bytes)?;
    bytes.get(at..)?.split_at_checked(usize::try_from(length).ok()?)
}

/// A record that is stored together with others.
pub(super) fn small(mut small: Vec<u8>) -> Option<(Revision, Vec<u8>)> {
    runs_out(&small)?;
    small.drain(..SECOND_BYTES);
    record(small)
}

/// The second in which it expires.
pub(super) fn runs_out(small: &[u8]) -> Option<u32> {
    small.first_chunk::<SECOND_BYTES>().map(|second| u32::from_be_bytes(*second))
}

/// A record as it is stored.
pub(super) fn record(mut record: Vec<u8>) -> Option<(Revision, Vec<u8>)> {
    let (number, at) = number(&record)?;
    record.drain(..at);
    Some((Revision(number), record))
}

/// The number before the colon, and where what follows that begins.
fn number(bytes: &[u8]) -> Option<(u64, usize)> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let digits = std::str::from_utf8(bytes.get(..colon)?).ok()?;
    Some((digits.parse().ok()?, colon + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &[u8] = b"3:\0\xff";

    fn version_of() -> Version {
        Version { number: 12, turn: TurnId(Uuid::from_u128(0x3a3a << 100)) }
    }

    #[test]
    fn calls_and_records_read_back() {
        let of = version_of();
        let call =
            |journal: &[u8]| [&version(of), &b"\0\0\0::::2"[..], b"4:", STATE, journal].concat();
        let written = call(b"0:1:a3:1:b");
        let entries = vec![Vec::new(), b"a".to_vec(), b"1:b".to_vec()];
        assert_eq!(journal(&written), Some(entries));
        assert_eq!(stored(written), Some(Stored { version: of, state: STATE.to_vec() }));
        assert_eq!(journal(&call(b"")), Some(Vec::new()));
        let older_call = [&version(of), STATE].concat();
        assert_eq!(older(older_call), Some(Stored { version: of, state: STATE.to_vec() }));
        let kept = [b"7:", STATE].concat();
        assert_eq!(record(kept.clone()), Some((Revision(7), STATE.to_vec())));
        let together = [&b"\0\0\x01\0"[..], &kept].concat();
        assert_eq!(runs_out(&together), Some(256));
        assert_eq!(small(together), Some((Revision(7), STATE.to_vec())));
    }

    #[test]
    fn what_is_neither_is_not_read() {
        for bytes in [&b""[..], b"7", b":", b"x:", b"-1:", b"99999999999999999999:"] {
            assert_eq!(record(bytes.to_vec()), None);
        }
        assert_eq!(older(b"1:fifteen bytes..".to_vec()), None);
        let of = version(version_of());
        for rest in [&b""[..], b"4:", b"deadline", b"deadline5:four", b"deadline:", b"deadlinex:"] {
            assert_eq!(stored([&of, rest].concat()), None);
        }
        assert_eq!(journal(&[&of, &b"deadline1:a2:b"[..]].concat()), None);
        assert_eq!(small(b"abc".to_vec()), None);
    }
}
