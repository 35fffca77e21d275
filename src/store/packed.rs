//! How what is stored is spelled before it is sealed: what JSON says, in a third of its bytes.
//!
//! A thing is written field by field with the names of its fields, so that a reader who does not know a newer
//! field skips it, and one who does not find it uses its default. The spelling makes it short: a known name or
//! word is its number in [`words`], and a text that is an id, a hash, a time or a number in its one usual form
//! (see [`shape`]) is that number in binary. Any other text is itself. What is read is what was written, to the
//! last character, and what JSON would have given.
//!
//! Each thing begins with a byte:
//!
//! | byte | what follows |
//! |---|---|
//! | `00`–`7f` | the word of this number |
//! | `80`–`9f` | the number 0–31 |
//! | `a0`–`bf` | a text of 0–31 bytes |
//! | `c0` `c1` `c2` | nothing, false, true |
//! | `c3` `c4` | a whole number *n* in groups of 7 bits, the lowest first; −1 − *n* |
//! | `c5` `c6` | a whole number in 8 bytes; a number with a fraction in 8 (IEEE 754); both highest first |
//! | `c7` | a byte: the word of the number 128 + it |
//! | `c8` | a text: its length as with `c3`, and it |
//! | `c9` `ca` `cb` | hexadecimal digits, lower-case, two a byte: 64 of them, 32, or so many pairs as a length as with `c3` says |
//! | `cc` | a UUID with hyphens, lower-case, in 16 bytes |
//! | `cd` | a provider's name of something: two capital letters, and 32 hexadecimal digits in 16 bytes |
//! | `ce` `cf` | a time of the zone Z: 4 bytes of seconds since 1970; and 4 of nanoseconds |
//! | `d0` `d1` | decimal digits, as with `c3`; those after a `+` |
//! | `d2` `d3` | a list, a map; first how many things or pairs, as with `c3` |
//! | `d4` `d5` `d6` | a list, a map, of which nobody said how long it would be; the end of one |
//! | `d7` | a byte: the text again that was the first of 5 bytes and more (0), the next such (1), and so on |
//! | `e0`–`ef` | a map of 0–15 pairs |
//! | `f0`–`ff` | a list of 0–15 things |
//!
//! A variant is its name, or a map from its name to what is in it. Texts that may come again are counted as they
//! are spelled, each once, after the first one, which is the place where the thing lies.

mod read;
mod shape;
mod words;
mod write;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) use read::Unreadable;

/// The bytes that things begin with.
mod byte {
    pub(super) const NUMBER: u8 = 0x80;
    pub(super) const TEXT: u8 = 0xa0;
    pub(super) const NOTHING: u8 = 0xc0;
    pub(super) const FALSE: u8 = 0xc1;
    pub(super) const TRUE: u8 = 0xc2;
    pub(super) const WHOLE: u8 = 0xc3;
    pub(super) const NEGATIVE: u8 = 0xc4;
    pub(super) const LARGE: u8 = 0xc5;
    pub(super) const FRACTION: u8 = 0xc6;
    pub(super) const RARE_WORD: u8 = 0xc7;
    pub(super) const LONG_TEXT: u8 = 0xc8;
    pub(super) const HEX_64: u8 = 0xc9;
    pub(super) const HEX_32: u8 = 0xca;
    pub(super) const HEX: u8 = 0xcb;
    pub(super) const UUID: u8 = 0xcc;
    pub(super) const SID: u8 = 0xcd;
    pub(super) const SECOND: u8 = 0xce;
    pub(super) const NANOSECOND: u8 = 0xcf;
    pub(super) const DIGITS: u8 = 0xd0;
    pub(super) const PLUS_DIGITS: u8 = 0xd1;
    pub(super) const LIST: u8 = 0xd2;
    pub(super) const MAP: u8 = 0xd3;
    pub(super) const OPEN_LIST: u8 = 0xd4;
    pub(super) const OPEN_MAP: u8 = 0xd5;
    pub(super) const END: u8 = 0xd6;
    pub(super) const AGAIN: u8 = 0xd7;
    pub(super) const SMALL_MAP: u8 = 0xe0;
    pub(super) const SMALL_LIST: u8 = 0xf0;

    /// The numbers and the lengths of texts that fit into the first byte itself.
    pub(super) const SMALL: u8 = 32;
    /// The same for pairs of maps and things of lists.
    pub(super) const FEW: u8 = 16;
}

/// Texts of at least so many bytes are spelled once.
const ONCE_MIN: usize = 5;
/// As many of them as a byte tells apart; later ones are spelled again.
const ONCE_MAX: usize = 256;

/// Writes a thing that lies at `place` after what is in `to`; `false`: it cannot be written, because it is beyond
/// JSON or has more or fewer parts than it says.
#[must_use]
pub(super) fn write(value: &impl Serialize, place: &str, to: &mut Vec<u8>) -> bool {
    value.serialize(&mut write::Writer::new(place, to)).is_ok()
}

/// Reads the one thing that was written.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8], place: &str) -> Result<T, Unreadable> {
    let place = spelled(place);
    let mut reader = read::Reader::new(&place, bytes);
    let value = T::deserialize(&mut reader)?;
    if reader.is_at_end() { Ok(value) } else { Err(Unreadable) }
}

/// The place where a thing lies, as the first text that may come again.
fn spelled(place: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(place.len());
    shape::write(place, &mut bytes);
    bytes
}

#[cfg(test)]
mod tests;
