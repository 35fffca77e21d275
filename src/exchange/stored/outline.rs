//! The outline of a type: what it asks for when it is read, of a reader that gives it something of everything.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::value::Error as Unreadable;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected,
    IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use serde::Serialize;

use crate::chance::{Chance as _, SeededChance};
use crate::store::envelope::{Kind, Vault};

/// A type is read as often, each time with other variants in it.
const READS: usize = 3_000;
/// Between the name of a struct and those of its fields: others of the name are others.
const NAMED: char = '\0';
/// The name of a field that no type has.
const MORE: &str = "more than is known";

/// The structs and variants with fields, and the enums, in what was read; of each what is in it.
pub(super) struct Outline {
    seen: RefCell<BTreeMap<String, BTreeSet<String>>>,
    /// The variants that were asked for, as `Enum::variant`, and those that were given.
    given: RefCell<BTreeMap<String, bool>>,
    chance: SeededChance,
    /// What was given last.
    last: RefCell<String>,
    /// What is given a field [`MORE`], and whether it was.
    more: Option<String>,
    gave_more: Cell<bool>,
}

impl Default for Outline {
    fn default() -> Self {
        Self {
            seen: RefCell::default(),
            given: RefCell::default(),
            chance: SeededChance::new(0),
            last: RefCell::default(),
            more: None,
            gave_more: Cell::default(),
        }
    }
}

impl Outline {
    /// Adds all that is in this type.
    pub(super) fn of<T: DeserializeOwned>(&mut self) {
        for _ in 0..READS {
            self.read::<T>().unwrap();
        }
        assert_eq!(self.given.borrow().iter().find(|(_, given)| !*given), None);
    }

    /// One of this type, sealed as the record of this id.
    pub(super) fn one_sealed<T: DeserializeOwned + Serialize>(
        &self,
        vault: &Vault,
        id: &str,
    ) -> Vec<u8> {
        vault.seal(Kind::Record, id, &self.read::<T>().unwrap(), [0; 12])
    }

    /// Adds a struct that is not read field by field.
    pub(super) fn add(&mut self, name: &str, fields: impl IntoIterator<Item = String>) {
        self.seen.get_mut().entry(name.to_owned()).or_default().extend(fields);
    }

    /// The structs, and the variants with fields.
    pub(super) fn places(&self) -> Vec<String> {
        self.seen.borrow().keys().filter(|name| !name.starts_with("enum ")).cloned().collect()
    }

    /// How often one of these was given a field that it does not have, and how often it passed over that.
    pub(super) fn passes_over<T: DeserializeOwned>(place: &str) -> (usize, usize) {
        let outline = Self { more: Some(place.to_owned()), ..Self::default() };
        let read = |_| (outline.read::<T>().is_ok(), outline.gave_more.take());
        let given: Vec<_> = (0..READS / 10).map(read).filter(|(_, given)| *given).collect();
        (given.len(), given.iter().filter(|(passed, _)| *passed).count())
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, Unreadable> {
        T::deserialize(self)
    }

    fn note(&self, place: &str, what: String) {
        self.seen.borrow_mut().entry(place.to_owned()).or_default().insert(what);
    }

    fn gives<T>(&self, what: &str, value: T) -> T {
        what.clone_into(&mut self.last.borrow_mut());
        value
    }

    /// What was given last, with this around it.
    fn within(&self, begin: &str, end: &str) {
        let last = format!("{begin}{}{end}", self.last.borrow());
        *self.last.borrow_mut() = last;
    }

    /// One of so many.
    fn draw(&self, of: usize) -> usize {
        let [first, second, ..] = self.chance.bytes();
        usize::from(u16::from_be_bytes([first, second])) % of
    }

    fn fields<'de, V: Visitor<'de>>(
        &self,
        place: &str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        let place = &format!("{place}{NAMED}{}", fields.join(" "));
        self.seen.borrow_mut().entry(place.to_owned()).or_default();
        let more = self.more.as_ref().is_some_and(|more| place.starts_with(more));
        self.gave_more.set(self.gave_more.get() || more);
        let value = visitor.visit_map(Fields {
            outline: self,
            place,
            left: fields.iter().chain(more.then_some(&MORE)).copied().collect(),
            at: "",
        })?;
        Ok(self.gives(name_of(place), value))
    }
}

impl fmt::Display for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, parts) in self.seen.borrow().iter() {
            writeln!(f, "{}", name_of(place))?;
            parts.iter().try_for_each(|part| writeln!(f, "    {part}"))?;
        }
        Ok(())
    }
}

fn name_of(place: &str) -> &str {
    place.split(NAMED).next().unwrap_or_default()
}

/// A text for whoever reads one: of the shape that they expect.
fn text_for(expected: &dyn Expected) -> (&'static str, &'static str) {
    let expected = expected.to_string();
    if expected.contains("UUID") {
        ("uuid", "5653d52d-6d7d-5e49-b892-6f8098a87f38")
    } else if expected.contains("timestamp") || expected.contains("datetime") {
        ("time", "2026-11-22T12:00:00Z")
    } else if expected.contains("date") {
        ("date", "2026-11-22")
    } else {
        ("text", "00000000000000000000000000000000")
    }
}

macro_rules! gives {
    ($($method:ident: $visit:ident($($value:expr)?), $name:literal;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
            let value = visitor.$visit($($value)?)?;
            Ok(self.gives($name, value))
        })*
    };
}

impl<'de> Deserializer<'de> for &Outline {
    type Error = Unreadable;

    gives! {
        deserialize_bool: visit_bool(true), "flag";
        deserialize_i8: visit_i8(1), "whole";
        deserialize_i16: visit_i16(1), "whole";
        deserialize_i32: visit_i32(1), "whole";
        deserialize_i64: visit_i64(1), "whole";
        deserialize_u8: visit_u8(1), "whole";
        deserialize_u16: visit_u16(1), "whole";
        deserialize_u32: visit_u32(1), "whole";
        deserialize_u64: visit_u64(1), "whole";
        deserialize_f32: visit_f32(1.0), "number";
        deserialize_f64: visit_f64(1.0), "number";
        deserialize_char: visit_char('x'), "text";
        deserialize_unit: visit_unit(), "nothing";
        deserialize_ignored_any: visit_unit(), "anything";
    }

    /// Whoever takes whatever comes can take a text, or else a list.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if (&visitor as &dyn Expected).to_string() == "accounts with times" {
            return self.deserialize_seq(visitor);
        }
        let value = visitor.visit_str("00000000000000000000000000000000")?;
        Ok(self.gives("any", value))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let (name, text) = text_for(&visitor);
        let value = visitor.visit_str(text)?;
        Ok(self.gives(name, value))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unreadable> {
        Err(Unreadable::custom("no type has bytes"))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let value = visitor.visit_some(self)?;
        self.within("", "?");
        Ok(value)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_tuple(1, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        let mut names = Vec::new();
        let value = visitor.visit_seq(Parts { outline: self, left: length, names: &mut names })?;
        *self.last.borrow_mut() = names.join(", ");
        self.within("[", "]");
        Ok(value)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let mut names = Vec::new();
        let value = visitor.visit_map(Parts { outline: self, left: 1, names: &mut names })?;
        *self.last.borrow_mut() = names.join(": ");
        self.within("{", "}");
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.fields(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        for variant in variants {
            self.given.borrow_mut().entry(format!("{name}::{variant}")).or_default();
        }
        let variant = variants[self.draw(variants.len())];
        let value = visitor.visit_enum(Variant { outline: self, of: name, name: variant })?;
        self.given.borrow_mut().insert(format!("{name}::{variant}"), true);
        Ok(self.gives(name, value))
    }
}

/// The fields of a struct.
struct Fields<'o> {
    outline: &'o Outline,
    place: &'o str,
    left: std::collections::VecDeque<&'static str>,
    at: &'static str,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unreadable> {
        let Some(name) = self.left.pop_front() else { return Ok(None) };
        self.at = name;
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Unreadable> {
        let value = seed.deserialize(self.outline)?;
        let what = format!("{}: {}", self.at, self.outline.last.borrow());
        self.outline.note(self.place, what);
        Ok(value)
    }
}

/// The parts of a list, or the one pair of a map.
struct Parts<'o> {
    outline: &'o Outline,
    left: usize,
    names: &'o mut Vec<String>,
}

impl Parts<'_> {
    fn give<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Unreadable> {
        let value = seed.deserialize(self.outline)?;
        self.names.push(self.outline.last.borrow().clone());
        Ok(value)
    }
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Unreadable;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unreadable> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.give(seed).map(Some)
    }
}

impl<'de> MapAccess<'de> for Parts<'_> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unreadable> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Unreadable> {
        self.give(seed)
    }
}

/// A variant of an enum.
struct Variant<'o> {
    outline: &'o Outline,
    of: &'static str,
    name: &'static str,
}

impl Variant<'_> {
    fn note(&self, what: &str) {
        self.outline.note(&format!("enum {}", self.of), format!("{}{what}", self.name));
    }
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Unreadable;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), Unreadable> {
        Ok((seed.deserialize(self.name.into_deserializer())?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<(), Unreadable> {
        self.note("");
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, Unreadable> {
        let value = seed.deserialize(self.outline)?;
        self.note(&format!("({})", self.outline.last.borrow()));
        Ok(value)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        let value = self.outline.deserialize_tuple(length, visitor)?;
        self.note(&format!("({})", self.outline.last.borrow()));
        Ok(value)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.note(" {}");
        self.outline.fields(&format!("{}::{}", self.of, self.name), fields, visitor)
    }
}
