//! Texts that are ids, hashes, times and numbers in their one usual spelling, and how they are told.
//!
//! Whatever is spelled in another way (a UUID in capitals, a time with a zero at its end) is a text like
//! any other, so that what is read is what was written.

use super::{byte, words};

/// Texts of fewer digits are as short as themselves.
const DIGITS_MIN: usize = 4;
/// More do not surely fit into 64 bits.
const DIGITS_MAX: usize = 18;
const HEX_MIN: usize = 8;
const DAY_S: u32 = 86_400;

/// Writes a text in the shortest way that there is for it.
pub(super) fn write(text: &str, to: &mut Vec<u8>) {
    if let Some(number) = words::number_of(text) {
        match number.checked_sub(words::ONE_BYTE) {
            None => to.push(low(number)),
            Some(rare) => to.extend_from_slice(&[byte::RARE_WORD, low(rare)]),
        }
    } else if write_shaped(text, to).is_none() {
        let length = text.len();
        if length < usize::from(byte::SMALL) {
            to.push(byte::TEXT + low(length));
        } else {
            to.push(byte::LONG_TEXT);
            write_whole(length as u64, to);
        }
        to.extend_from_slice(text.as_bytes());
    }
}

/// Writes a text of a known shape; `None`: it is none, and nothing was written.
fn write_shaped(text: &str, to: &mut Vec<u8>) -> Option<()> {
    let bytes = text.as_bytes();
    let (first, last) = (bytes.first()?, bytes.last()?);
    match bytes.len() {
        36 if let Some(id) = uuid(bytes) => put(to, byte::UUID, &id),
        34 if let Some((letters, digits)) = bytes.split_first_chunk::<2>()
            && letters.iter().all(u8::is_ascii_uppercase)
            && let Some(id) = unhex::<16>(digits) =>
        {
            put(to, byte::SID, letters);
            to.extend_from_slice(&id);
        }
        64 if let Some(hash) = unhex::<32>(bytes) => put(to, byte::HEX_64, &hash),
        32 if let Some(id) = unhex::<16>(bytes) => put(to, byte::HEX_32, &id),
        20..=30 if *last == b'Z' => {
            let (second, nanosecond) = time(bytes)?;
            if nanosecond == 0 {
                put(to, byte::SECOND, &second.to_be_bytes());
            } else {
                put(to, byte::NANOSECOND, &second.to_be_bytes());
                to.extend_from_slice(&nanosecond.to_be_bytes());
            }
        }
        length => {
            let (kind, digits) = match bytes.strip_prefix(b"+") {
                Some(digits) => (byte::PLUS_DIGITS, digits),
                None => (byte::DIGITS, bytes),
            };
            if let Some(number) = number(digits) {
                to.push(kind);
                write_whole(number, to);
            } else {
                let may_be = length >= HEX_MIN && [first, last].iter().all(|d| is_digit(**d));
                may_be.then_some(())?;
                let begin = to.len();
                to.push(byte::HEX);
                write_whole(length as u64 / 2, to);
                let place = to.len();
                to.resize(place + length / 2, 0);
                if !unhex_into(bytes, to.get_mut(place..)?) {
                    to.truncate(begin);
                    return None;
                }
            }
        }
    }
    Some(())
}

fn put(to: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    to.push(kind);
    to.extend_from_slice(bytes);
}

/// Writes a whole number in groups of seven bits, the lowest first; the highest bit says that more follow.
pub(super) fn write_whole(mut number: u64, to: &mut Vec<u8>) {
    while number > 0x7f {
        to.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    to.push(number.to_le_bytes()[0]);
}

/// The lowest byte: of a number that has no other.
fn low(number: usize) -> u8 {
    number.to_le_bytes()[0]
}

/// Decimal digits as the number that they are: as many as fit, and no zero before them.
fn number(digits: &[u8]) -> Option<u64> {
    let plain = (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) && *digits.first()? != b'0';
    plain.then_some(digits)?.iter().try_fold(0_u64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
    })
}

/// The bytes that lower-case hexadecimal digits spell.
fn unhex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    unhex_into(digits, &mut bytes).then_some(bytes)
}

/// Whether they spell as many bytes. Looks at all of them before it says so, which most often it must.
fn unhex_into(digits: &[u8], bytes: &mut [u8]) -> bool {
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut all = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (value_of(*high), value_of(*low));
        *byte = high << 4 | low;
        all |= high | low;
    }
    pairs.len() == bytes.len() && rest.is_empty() && all < NO_DIGIT
}

/// Higher than any digit.
const NO_DIGIT: u8 = 16;

fn is_digit(digit: u8) -> bool {
    value_of(digit) < NO_DIGIT
}

fn value_of(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => NO_DIGIT,
    }
}

/// Where the hyphens of a UUID are, and how long the groups between them.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    let (mut digits, mut rest) = ([0; 32], text);
    let mut free = digits.as_mut_slice();
    for length in GROUPS {
        let (group, after) = rest.split_at_checked(length)?;
        let (place, left) = std::mem::take(&mut free).split_at_mut_checked(length)?;
        place.copy_from_slice(group);
        free = left;
        rest = match after {
            [b'-', after @ ..] => after,
            [] => after,
            _ => return None,
        };
    }
    unhex(&digits)
}

/// Seconds since 1970 and nanoseconds of a time as `2026-11-22T12:00:00.5Z`: no zero at the end of a
/// fraction, no leap second, and in the years that 32 bits reach.
fn time(text: &[u8]) -> Option<(u32, u32)> {
    let (whole, fraction) = text.strip_suffix(b"Z")?.split_at_checked(19)?;
    let &[y0, y1, y2, y3, b'-', o0, o1, b'-', d0, d1, b'T', h0, h1, b':', m0, m1, b':', s0, s1] =
        whole
    else {
        return None;
    };
    let year = decimal(&[y0, y1, y2, y3])?;
    let (month, day) = (decimal(&[o0, o1])?, decimal(&[d0, d1])?);
    let (hour, minute, second) = (decimal(&[h0, h1])?, decimal(&[m0, m1])?, decimal(&[s0, s1])?);
    let is_one = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let days = is_one.then(|| days_before(year) + days_before_month(year, month) + day - 1)?;
    let seconds =
        u64::from(days) * u64::from(DAY_S) + u64::from((hour * 60 + minute) * 60 + second);
    let nanosecond = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) && *digits.last()? != b'0' => {
            decimal(digits)? * 10_u32.pow(u32::try_from(9 - digits.len()).ok()?)
        }
        _ => return None,
    };
    Some((u32::try_from(seconds).ok()?, nanosecond))
}

fn decimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'))
    })
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days from 1970 to the first of this year.
fn days_before(year: u32) -> u32 {
    let leaps = |year: u32| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

fn days_of(year: u32, month: u32) -> u32 {
    match month {
        2 => 28 + u32::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_before_month(year: u32, month: u32) -> u32 {
    (1..month).map(|month| days_of(year, month)).sum()
}
