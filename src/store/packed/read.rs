//! Reads: bytes to serde's things.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

use jiff::Timestamp;
use serde::de::value::CowStrDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer as _,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use uuid::Uuid;

use super::{ONCE_MAX, ONCE_MIN, byte, words};
use crate::hex;
use crate::limits::PACKED_DEPTH_MAX;

/// Why bytes are not the expected thing. Never says what is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not what was to be read")]
pub struct Unreadable;

impl Error for Unreadable {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

/// Reads from what is left.
pub(super) struct Reader<'de> {
    rest: &'de [u8],
    /// How many lists and maps are open.
    depth: usize,
    /// The texts that may come again, as they are spelled.
    once: Vec<&'de [u8]>,
}

/// A thing that is no list or map, or the beginning of one.
enum Thing<'de> {
    Nothing,
    Flag(bool),
    Whole(u64),
    Negative(i64),
    Fraction(f64),
    Text(Cow<'de, str>),
    /// And the number of things in it, if the writer knew it.
    List(Option<u64>),
    /// And how many pairs.
    Map(Option<u64>),
}

impl<'de> Reader<'de> {
    pub(super) fn new(place: &'de [u8], bytes: &'de [u8]) -> Self {
        Self { rest: bytes, depth: 0, once: vec![place] }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn first(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        let (first, rest) = self.rest.split_first().ok_or(Unreadable)?;
        self.rest = rest;
        Ok(*first)
    }

    fn bytes(&mut self, count: usize) -> Result<&'de [u8], Unreadable> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Unreadable)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Unreadable)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn whole(&mut self) -> Result<u64, Unreadable> {
        let (mut number, mut shift) = (0_u64, 0);
        loop {
            let byte = self.byte()?;
            let group = u64::from(byte & 0x7f);
            number |=
                group.checked_shl(shift).filter(|_| shift < 63 || group < 2).ok_or(Unreadable)?;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    fn length(&mut self) -> Result<usize, Unreadable> {
        usize::try_from(self.whole()?).map_err(|_| Unreadable)
    }

    fn word(number: usize) -> Result<Thing<'de>, Unreadable> {
        words::of(number).map(|word| Thing::Text(word.into())).ok_or(Unreadable)
    }

    fn text(&mut self, length: usize) -> Result<Thing<'de>, Unreadable> {
        let text = std::str::from_utf8(self.bytes(length)?).map_err(|_| Unreadable)?;
        Ok(Thing::Text(text.into()))
    }

    fn hex(&mut self, before: &str, count: usize) -> Result<Thing<'de>, Unreadable> {
        let bytes = self.bytes(count)?;
        let mut text = String::with_capacity(before.len() + 2 * bytes.len());
        text.push_str(before);
        hex::append(bytes, &mut text);
        Ok(Thing::Text(text.into()))
    }

    fn sid(&mut self) -> Result<Thing<'de>, Unreadable> {
        let letters = std::str::from_utf8(self.bytes(2)?).map_err(|_| Unreadable)?;
        self.hex(letters, 16)
    }

    fn time(&mut self, has_fraction: bool) -> Result<Thing<'de>, Unreadable> {
        let second = u32::from_be_bytes(self.array()?);
        let nanosecond = if has_fraction { u32::from_be_bytes(self.array()?) } else { 0 };
        let nanosecond = i32::try_from(nanosecond).map_err(|_| Unreadable)?;
        let time = Timestamp::new(second.into(), nanosecond).map_err(|_| Unreadable)?;
        Ok(Thing::Text(time.to_string().into()))
    }

    fn digits(&mut self, before: &str) -> Result<Thing<'de>, Unreadable> {
        let mut text = before.to_owned();
        let number = self.whole()?;
        write!(text, "{number}").map_err(|_| Unreadable)?;
        Ok(Thing::Text(text.into()))
    }

    fn thing(&mut self) -> Result<Thing<'de>, Unreadable> {
        let before = self.rest;
        let thing = self.spelled()?;
        if let (Thing::Text(_), Some(text)) = (&thing, before.len().checked_sub(self.rest.len())) {
            let is_there_room = self.once.len() < ONCE_MAX;
            let text = before.get(..text).filter(|text| is_there_room && text.len() >= ONCE_MIN);
            self.once.extend(text);
        }
        Ok(thing)
    }

    /// A text that came before.
    fn again(&mut self) -> Result<Thing<'de>, Unreadable> {
        let number = usize::from(self.byte()?);
        let text = self.once.get(number).copied().ok_or(Unreadable)?;
        let rest = std::mem::replace(&mut self.rest, text);
        let thing = self.spelled()?;
        self.rest = rest;
        Ok(thing)
    }

    fn spelled(&mut self) -> Result<Thing<'de>, Unreadable> {
        let first = self.byte()?;
        let small = usize::from(first & (byte::SMALL - 1));
        let few = u64::from(first & (byte::FEW - 1));
        Ok(match first {
            0..byte::NUMBER => return Self::word(first.into()),
            byte::NUMBER..byte::TEXT => Thing::Whole(small as u64),
            byte::TEXT..byte::NOTHING => return self.text(small),
            byte::NOTHING => Thing::Nothing,
            byte::FALSE => Thing::Flag(false),
            byte::TRUE => Thing::Flag(true),
            byte::WHOLE => Thing::Whole(self.whole()?),
            byte::NEGATIVE => {
                let number = i64::try_from(self.whole()?).map_err(|_| Unreadable)?;
                Thing::Negative(!number)
            }
            byte::LARGE => Thing::Whole(u64::from_be_bytes(self.array()?)),
            byte::FRACTION => Thing::Fraction(f64::from_bits(u64::from_be_bytes(self.array()?))),
            byte::RARE_WORD => {
                let rare = usize::from(self.byte()?);
                return Self::word(words::ONE_BYTE + rare);
            }
            byte::LONG_TEXT => {
                let length = self.length()?;
                return self.text(length);
            }
            byte::HEX_64 => return self.hex("", 32),
            byte::HEX_32 => return self.hex("", 16),
            byte::HEX => {
                let pairs = self.length()?;
                return self.hex("", pairs);
            }
            byte::UUID => Thing::Text(Uuid::from_bytes(self.array()?).to_string().into()),
            byte::SID => return self.sid(),
            byte::SECOND | byte::NANOSECOND => return self.time(first == byte::NANOSECOND),
            byte::DIGITS => return self.digits(""),
            byte::PLUS_DIGITS => return self.digits("+"),
            byte::LIST => Thing::List(Some(self.whole()?)),
            byte::MAP => Thing::Map(Some(self.whole()?)),
            byte::OPEN_LIST => Thing::List(None),
            byte::OPEN_MAP => Thing::Map(None),
            byte::AGAIN => return self.again(),
            byte::SMALL_MAP..byte::SMALL_LIST => Thing::Map(Some(few)),
            byte::SMALL_LIST.. => Thing::List(Some(few)),
            _ => return Err(Unreadable),
        })
    }

    /// Visits everything in a list or a map.
    fn within<T>(
        &mut self,
        count: Option<u64>,
        visit: impl FnOnce(&mut Parts<'_, 'de>) -> Result<T, Unreadable>,
    ) -> Result<T, Unreadable> {
        if self.depth == PACKED_DEPTH_MAX {
            return Err(Unreadable);
        }
        self.depth += 1;
        let mut parts = Parts { reader: self, left: count, is_over: false };
        let visited = visit(&mut parts)?;
        let nothing_is_left = parts.is_over || !parts.is_there_more()?;
        self.depth -= 1;
        if nothing_is_left { Ok(visited) } else { Err(Unreadable) }
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.thing()? {
            Thing::Nothing => visitor.visit_unit(),
            Thing::Flag(flag) => visitor.visit_bool(flag),
            Thing::Whole(number) => visitor.visit_u64(number),
            Thing::Negative(number) => visitor.visit_i64(number),
            Thing::Fraction(number) => visitor.visit_f64(number),
            Thing::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Thing::Text(Cow::Owned(text)) => visitor.visit_string(text),
            Thing::List(count) => self.within(count, |parts| visitor.visit_seq(parts)),
            Thing::Map(count) => self.within(count, |parts| visitor.visit_map(parts)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if self.first() == Some(byte::NOTHING) {
            self.byte()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        match self.thing()? {
            Thing::Text(name) => {
                let name: CowStrDeserializer<'_, Unreadable> = name.into_deserializer();
                visitor.visit_enum(name)
            }
            Thing::Map(Some(1)) => self.within(Some(1), |parts| visitor.visit_enum(parts)),
            _ => Err(Unreadable),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The parts of a list or a map that are still to be read.
struct Parts<'r, 'de> {
    reader: &'r mut Reader<'de>,
    /// How many there are; `None`: up to an end mark.
    left: Option<u64>,
    is_over: bool,
}

impl Parts<'_, '_> {
    /// Whether there is another one, which then counts as read.
    fn is_there_more(&mut self) -> Result<bool, Unreadable> {
        self.is_over |= match &mut self.left {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None if self.reader.first() == Some(byte::END) => {
                self.reader.byte()?;
                true
            }
            None => false,
        };
        Ok(!self.is_over)
    }
}

impl<'de> SeqAccess<'de> for &mut Parts<'_, 'de> {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unreadable> {
        if self.is_over || !self.is_there_more()? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for &mut Parts<'_, 'de> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unreadable> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, Unreadable> {
        seed.deserialize(&mut *self.reader)
    }
}

impl<'r, 'de> EnumAccess<'de> for &'r mut Parts<'_, 'de> {
    type Error = Unreadable;
    type Variant = &'r mut Reader<'de>;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, &'r mut Reader<'de>), Unreadable> {
        self.is_there_more()?;
        let name = seed.deserialize(&mut *self.reader)?;
        Ok((name, self.reader))
    }
}

impl<'de> VariantAccess<'de> for &mut Reader<'de> {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<(), Unreadable> {
        Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, Unreadable> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_any(visitor)
    }
}
