//! Writes: serde's things to bytes.

use std::fmt::{self, Display, Write as _};
use std::ops::Range;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{ONCE_MAX, ONCE_MIN, byte, shape};

/// Why a thing cannot be written. Nothing that we store is such a thing.
#[derive(Debug, thiserror::Error)]
#[error("not to be spelled")]
pub(super) struct Unspellable;

impl Error for Unspellable {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

/// Room for the texts of most things.
const TEXTS: usize = 24;
/// Room for most texts that are put together from parts.
const TEXT_BYTES: usize = 40;

/// Writes after what is already there.
pub(super) struct Writer<'a> {
    to: &'a mut Vec<u8>,
    /// Where a value is turned into text.
    text: String,
    /// The place where the thing lies.
    place: &'a str,
    /// Where the texts begin that may come again.
    once: Vec<Range<usize>>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(place: &'a str, to: &'a mut Vec<u8>) -> Self {
        let mut once = Vec::with_capacity(TEXTS);
        once.push(0..0);
        Self { to, text: String::new(), place, once }
    }

    fn spell(&mut self, text: &str) {
        let begin = self.to.len();
        shape::write(text, self.to);
        if self.to.len() - begin >= ONCE_MIN {
            self.spell_once(text, begin);
        }
    }

    /// The earlier text that is the same as the one that begins there, and takes its place.
    fn spell_once(&mut self, text: &str, begin: usize) {
        let before = if text == self.place {
            Some(0)
        } else {
            let (earlier, spelled) = self.to.split_at(begin);
            let is_it = |known: &Range<usize>| {
                known.len() == spelled.len() && earlier.get(known.clone()) == Some(spelled)
            };
            self.once.iter().position(is_it)
        };
        if let Some(before) = before.and_then(|before| u8::try_from(before).ok()) {
            self.to.truncate(begin);
            self.to.extend_from_slice(&[byte::AGAIN, before]);
        } else if self.once.len() < ONCE_MAX {
            self.once.push(begin..self.to.len());
        }
    }

    /// `few`, `many` and `open`: the bytes of a list or a map.
    fn begin(&mut self, count: Option<usize>, few: u8, many: u8, open: u8) {
        match count.map(|count| (count, u8::try_from(count))) {
            Some((_, Ok(count))) if count < byte::FEW => self.to.push(few + count),
            Some((count, _)) => {
                self.to.push(many);
                shape::write_whole(count as u64, self.to);
            }
            None => self.to.push(open),
        }
    }

    fn list<'w>(&'w mut self, count: Option<usize>) -> Parts<'w, 'a> {
        self.begin(count, byte::SMALL_LIST, byte::LIST, byte::OPEN_LIST);
        Parts { writer: self, left: count }
    }

    fn map<'w>(&'w mut self, count: Option<usize>) -> Parts<'w, 'a> {
        self.begin(count, byte::SMALL_MAP, byte::MAP, byte::OPEN_MAP);
        Parts { writer: self, left: count }
    }

    /// The beginning of a variant that contains something.
    fn variant(&mut self, name: &str) {
        self.to.push(byte::SMALL_MAP + 1);
        self.spell(name);
    }
}

/// The parts of a list or a map.
pub(super) struct Parts<'w, 'a> {
    writer: &'w mut Writer<'a>,
    /// How many are still to come; `None`: unknown.
    left: Option<usize>,
}

impl Parts<'_, '_> {
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unspellable> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1).ok_or(Unspellable)?;
        }
        value.serialize(&mut *self.writer)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Unspellable> {
        self.writer.spell(name);
        self.part(value)
    }

    fn close(self) -> Result<(), Unspellable> {
        match self.left {
            Some(0) => Ok(()),
            Some(_) => Err(Unspellable),
            None => {
                self.writer.to.push(byte::END);
                Ok(())
            }
        }
    }
}

impl<'w, 'a> Serializer for &'w mut Writer<'a> {
    type Ok = ();
    type Error = Unspellable;
    type SerializeSeq = Parts<'w, 'a>;
    type SerializeTuple = Parts<'w, 'a>;
    type SerializeTupleStruct = Parts<'w, 'a>;
    type SerializeTupleVariant = Parts<'w, 'a>;
    type SerializeMap = Parts<'w, 'a>;
    type SerializeStruct = Parts<'w, 'a>;
    type SerializeStructVariant = Parts<'w, 'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Unspellable> {
        self.to.push(if value { byte::TRUE } else { byte::FALSE });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Unspellable> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Unspellable> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Unspellable> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Unspellable> {
        if let Ok(value) = u64::try_from(value) {
            return self.serialize_u64(value);
        }
        self.to.push(byte::NEGATIVE);
        shape::write_whole((!value).unsigned_abs(), self.to);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Unspellable> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Unspellable> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Unspellable> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Unspellable> {
        match u8::try_from(value) {
            Ok(small) if small < byte::SMALL => self.to.push(byte::NUMBER + small),
            // Groups of seven bits would take more.
            _ if value >> 56 != 0 => {
                self.to.push(byte::LARGE);
                self.to.extend_from_slice(&value.to_be_bytes());
            }
            _ => {
                self.to.push(byte::WHOLE);
                shape::write_whole(value, self.to);
            }
        }
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Unspellable> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Unspellable> {
        // As in JSON, which has no others.
        if !value.is_finite() {
            return self.serialize_unit();
        }
        self.to.push(byte::FRACTION);
        self.to.extend_from_slice(&value.to_bits().to_be_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Unspellable> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Unspellable> {
        self.spell(value);
        Ok(())
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Unspellable> {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        text.reserve(TEXT_BYTES);
        let written: fmt::Result = write!(text, "{value}");
        written.map_err(|_| Unspellable)?;
        self.spell(&text);
        self.text = text;
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Unspellable> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), Unspellable> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unspellable> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unspellable> {
        self.to.push(byte::NOTHING);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unspellable> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Unspellable> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unspellable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Unspellable> {
        self.variant(variant);
        value.serialize(self)
    }

    fn serialize_seq(self, count: Option<usize>) -> Result<Parts<'w, 'a>, Unspellable> {
        Ok(self.list(count))
    }

    fn serialize_tuple(self, count: usize) -> Result<Parts<'w, 'a>, Unspellable> {
        Ok(self.list(Some(count)))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        count: usize,
    ) -> Result<Parts<'w, 'a>, Unspellable> {
        Ok(self.list(Some(count)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Parts<'w, 'a>, Unspellable> {
        self.variant(variant);
        Ok(self.list(Some(count)))
    }

    fn serialize_map(self, count: Option<usize>) -> Result<Parts<'w, 'a>, Unspellable> {
        Ok(self.map(count))
    }

    fn serialize_struct(self, _: &'static str, count: usize) -> Result<Parts<'w, 'a>, Unspellable> {
        Ok(self.map(Some(count)))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Parts<'w, 'a>, Unspellable> {
        self.variant(variant);
        Ok(self.map(Some(count)))
    }
}

impl SerializeSeq for Parts<'_, '_> {
    type Ok = ();
    type Error = Unspellable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unspellable> {
        self.part(value)
    }

    fn end(self) -> Result<(), Unspellable> {
        self.close()
    }
}

impl SerializeTuple for Parts<'_, '_> {
    type Ok = ();
    type Error = Unspellable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unspellable> {
        self.part(value)
    }

    fn end(self) -> Result<(), Unspellable> {
        self.close()
    }
}

impl SerializeTupleStruct for Parts<'_, '_> {
    type Ok = ();
    type Error = Unspellable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unspellable> {
        self.part(value)
    }

    fn end(self) -> Result<(), Unspellable> {
        self.close()
    }
}

impl SerializeTupleVariant for Parts<'_, '_> {
    type Ok = ();
    type Error = Unspellable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unspellable> {
        self.part(value)
    }

    fn end(self) -> Result<(), Unspellable> {
        self.close()
    }
}

impl SerializeMap for Parts<'_, '_> {
    type Ok = ();
    type Error = Unspellable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unspellable> {
        key.serialize(&mut *self.writer)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unspellable> {
        self.part(value)
    }

    fn end(self) -> Result<(), Unspellable> {
        self.close()
    }
}

impl SerializeStruct for Parts<'_, '_> {
    type Ok = ();
    type Error = Unspellable;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unspellable> {
        self.field(name, value)
    }

    fn end(self) -> Result<(), Unspellable> {
        self.close()
    }
}

impl SerializeStructVariant for Parts<'_, '_> {
    type Ok = ();
    type Error = Unspellable;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unspellable> {
        self.field(name, value)
    }

    fn end(self) -> Result<(), Unspellable> {
        self.close()
    }
}
