//! How versions and revisions are written before what they are of: a number in decimal digits, a colon,
//! and of a version the 16 bytes of its turn.

use uuid::Uuid;

use super::super::{Revision, Stored, Version};
use crate::engine::id::TurnId;

const TURN_BYTES: usize = 16;

pub(super) fn version(Version { number, turn }: Version) -> Vec<u8> {
    let mut bytes = format!("{number}:").into_bytes();
    bytes.extend_from_slice(turn.0.as_bytes());
    bytes
}

/// A call as it lies there.
pub(super) fn stored(mut call: Vec<u8>) -> Option<Stored> {
    let (number, at) = number(&call)?;
    let (turn, _) = call.get(at..)?.split_first_chunk::<TURN_BYTES>()?;
    let version = Version { number, turn: TurnId(Uuid::from_bytes(*turn)) };
    call.drain(..at + TURN_BYTES);
    Some(Stored { version, state: call })
}

/// A record as it lies there.
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

    #[test]
    fn versions_and_revisions_read_back() {
        let of = Version { number: 12, turn: TurnId(Uuid::from_u128(0x3a3a << 100)) };
        let state = b"3:\0\xff".to_vec();
        let call = [version(of), state.clone()].concat();
        assert_eq!(stored(call), Some(Stored { version: of, state: state.clone() }));
        assert_eq!(record([b"7:", state.as_slice()].concat()), Some((Revision(7), state)));
    }

    #[test]
    fn what_is_neither_is_not_read() {
        for bytes in [&b""[..], b"7", b":", b"x:", b"-1:", b"99999999999999999999:"] {
            assert_eq!(record(bytes.to_vec()), None);
        }
        assert_eq!(stored(b"1:fifteen bytes..".to_vec()), None);
    }
}
