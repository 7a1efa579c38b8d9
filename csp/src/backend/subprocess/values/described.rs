//! Values as bytes that describe themselves: each number with its width, each field with its name,
//! each sequence with its length.
//!
//! They are longer and slower than [`codec`](super::codec), and only used for types that cannot be
//! read otherwise. The attributes `untagged`, `tag` and `flatten` of serde ask for the type of the
//! next value, and `skip_serializing_if` leaves out a field that its reader would count. The format
//! counts as human-readable, because serde's own intermediate values do so too.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, Visitor};
use serde::ser::{self, Serialize};

use super::codec::{most_memory, take_room};
use super::failed::Failed;
use crate::stack::depth::Depth;

type Done = Result<(), Failed>;

/// The tag of the next value.
mod tag {
    pub(super) const UNIT: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const I8: u8 = 3;
    pub(super) const I16: u8 = 4;
    pub(super) const I32: u8 = 5;
    pub(super) const I64: u8 = 6;
    pub(super) const I128: u8 = 7;
    pub(super) const U8: u8 = 8;
    pub(super) const U16: u8 = 9;
    pub(super) const U32: u8 = 10;
    pub(super) const U64: u8 = 11;
    pub(super) const U128: u8 = 12;
    pub(super) const F32: u8 = 13;
    pub(super) const F64: u8 = 14;
    pub(super) const CHAR: u8 = 15;
    pub(super) const TEXT: u8 = 16;
    pub(super) const BYTES: u8 = 17;
    pub(super) const NONE: u8 = 18;
    pub(super) const SOME: u8 = 19;
    pub(super) const SEQUENCE: u8 = 20;
    pub(super) const MAP: u8 = 21;
    /// The name of a variant, and its contents.
    pub(super) const VARIANT: u8 = 22;
}

/// Appends a value.
pub(in crate::backend::subprocess) fn pack<T: Serialize + ?Sized>(
    value: &T,
    to: &mut Vec<u8>,
) -> Done {
    let start = to.len();
    let mut packer = Packer { bytes: std::mem::take(to), depth: Depth::new() };
    let done = value.serialize(&mut packer);
    *to = packer.bytes;
    if done.is_err() {
        to.truncate(start);
    }
    done
}

/// Takes the value in front.
pub(in crate::backend::subprocess) fn unpack<'de, T: de::Deserialize<'de>>(
    from: &mut &'de [u8],
) -> Result<T, Failed> {
    let room = most_memory(from.len());
    let mut unpacker = Unpacker { rest: from, depth: Depth::new(), room };
    let value = T::deserialize(&mut unpacker)?;
    *from = unpacker.rest;
    Ok(value)
}

struct Packer {
    bytes: Vec<u8>,
    depth: Depth,
}

impl Packer {
    fn put(&mut self, tag: u8, bytes: &[u8]) -> Done {
        self.bytes.push(tag);
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn put_sized(&mut self, tag: u8, bytes: &[u8]) -> Done {
        self.put(tag, &(bytes.len() as u64).to_le_bytes())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn nested<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.depth.enter().map_err(Failed::new)?;
        value.serialize(&mut *self)?;
        self.depth.leave();
        Ok(())
    }

    fn variant(&mut self, name: &str) -> Done {
        self.put_sized(tag::VARIANT, name.as_bytes())
    }

    /// Begins a compound. The number of parts is filled in at the end.
    fn parts(&mut self, tag: u8) -> Result<Compound<'_>, Failed> {
        self.depth.enter().map_err(Failed::new)?;
        self.put(tag, &[0; 8])?;
        Ok(Compound { at: self.bytes.len() - 8, packer: self, parts: 0 })
    }
}

/// A value with parts.
struct Compound<'a> {
    packer: &'a mut Packer,
    /// The place of their number.
    at: usize,
    parts: u64,
}

impl Compound<'_> {
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.parts += 1;
        value.serialize(&mut *self.packer)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Done {
        self.part(name)?;
        value.serialize(&mut *self.packer)
    }

    fn close(self) -> Done {
        self.packer.bytes[self.at..self.at + 8].copy_from_slice(&self.parts.to_le_bytes());
        self.packer.depth.leave();
        Ok(())
    }
}

macro_rules! numbers_are_put {
    ($($method:ident: $number:ty, $tag:ident);*) => { $(
        fn $method(self, number: $number) -> Done {
            self.put(tag::$tag, &number.to_le_bytes())
        }
    )* };
}

impl<'a> ser::Serializer for &'a mut Packer {
    type Ok = ();
    type Error = Failed;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    numbers_are_put! {
        serialize_i8: i8, I8; serialize_i16: i16, I16; serialize_i32: i32, I32; serialize_i64: i64, I64;
        serialize_i128: i128, I128; serialize_u8: u8, U8; serialize_u16: u16, U16; serialize_u32: u32, U32;
        serialize_u64: u64, U64; serialize_u128: u128, U128; serialize_f32: f32, F32; serialize_f64: f64, F64
    }

    fn serialize_bool(self, value: bool) -> Done {
        self.put(if value { tag::TRUE } else { tag::FALSE }, &[])
    }

    fn serialize_char(self, value: char) -> Done {
        self.put(tag::CHAR, &u32::from(value).to_le_bytes())
    }

    fn serialize_str(self, value: &str) -> Done {
        self.put_sized(tag::TEXT, value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.put_sized(tag::BYTES, value)
    }

    fn serialize_none(self) -> Done {
        self.put(tag::NONE, &[])
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        self.put(tag::SOME, &[])?;
        self.nested(value)
    }

    fn serialize_unit(self) -> Done {
        self.put(tag::UNIT, &[])
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Done {
        self.variant(name)?;
        self.serialize_unit()
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        self.nested(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Done {
        self.variant(name)?;
        self.nested(value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a>, Failed> {
        self.parts(tag::SEQUENCE)
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'a>, Failed> {
        self.parts(tag::SEQUENCE)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'a>, Failed> {
        self.parts(tag::SEQUENCE)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, Failed> {
        self.variant(name)?;
        self.parts(tag::SEQUENCE)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'a>, Failed> {
        self.parts(tag::MAP)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound<'a>, Failed> {
        self.parts(tag::MAP)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, Failed> {
        self.variant(name)?;
        self.parts(tag::MAP)
    }
}

macro_rules! parts_are_put {
    ($($parts:ident: $method:ident),*) => { $(
        impl ser::$parts for Compound<'_> {
            type Ok = ();
            type Error = Failed;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.part(value)
            }

            fn end(self) -> Done {
                self.close()
            }
        }
    )* };
}

parts_are_put! {
    SerializeSeq: serialize_element, SerializeTuple: serialize_element, SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
}

macro_rules! fields_are_put {
    ($($parts:ident),*) => { $(
        impl ser::$parts for Compound<'_> {
            type Ok = ();
            type Error = Failed;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
                self.field(name, value)
            }

            fn end(self) -> Done {
                self.close()
            }
        }
    )* };
}

fields_are_put!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.part(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut *self.packer)
    }

    fn end(self) -> Done {
        self.close()
    }
}

struct Unpacker<'de> {
    rest: &'de [u8],
    depth: Depth,
    /// The bytes of memory that the parts of sequences and maps may still take.
    room: usize,
}

impl<'de> Unpacker<'de> {
    fn tag(&mut self) -> Result<u8, Failed> {
        self.array().map(|[tag]| tag)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(Failed::ends_early)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn length(&mut self) -> Result<usize, Failed> {
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|_| Failed::ends_early())
    }

    /// Takes the number of parts that follow. Each takes a byte or more.
    fn count(&mut self) -> Result<usize, Failed> {
        let count = self.length()?;
        match count <= self.rest.len() {
            true => Ok(count),
            false => Err(Failed::ends_early()),
        }
    }

    fn bytes(&mut self) -> Result<&'de [u8], Failed> {
        let length = self.length()?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(Failed::ends_early)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<&'de str, Failed> {
        std::str::from_utf8(self.bytes()?).map_err(de::Error::custom)
    }

    fn deeper<R>(&mut self, go: impl FnOnce(&mut Self) -> Result<R, Failed>) -> Result<R, Failed> {
        self.depth.enter().map_err(Failed::new)?;
        let result = go(self)?;
        self.depth.leave();
        Ok(result)
    }

    /// Takes the tag in front, if it is this one.
    fn is(&mut self, tag: u8) -> bool {
        let is = self.rest.first() == Some(&tag);
        if is {
            self.rest = &self.rest[1..];
        }
        is
    }
}

/// The parts that are left.
struct Parts<'a, 'de> {
    unpacker: &'a mut Unpacker<'de>,
    left: usize,
    /// The first part is to come, and the first value that belongs to a key.
    first: [bool; 2],
}

impl Parts<'_, '_> {
    /// Counts the memory of all parts before the first of them.
    fn count(&mut self, which: usize, parts: usize, size: usize) -> Done {
        match std::mem::take(&mut self.first[which]) {
            true => take_room(&mut self.unpacker.room, parts, size),
            false => Ok(()),
        }
    }
}

impl<'de> de::SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Failed;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Failed> {
        if self.left == 0 {
            return Ok(None);
        }
        self.count(0, self.left, size_of::<T::Value>())?;
        self.left -= 1;
        seed.deserialize(&mut *self.unpacker).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        // No more room is made than there can be parts.
        Some(self.left.min(self.unpacker.rest.len()))
    }
}

impl<'de> de::MapAccess<'de> for Parts<'_, 'de> {
    type Error = Failed;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Failed> {
        de::SeqAccess::next_element_seed(self, seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failed> {
        self.count(1, self.left.saturating_add(1), size_of::<V::Value>())?;
        seed.deserialize(&mut *self.unpacker)
    }

    fn size_hint(&self) -> Option<usize> {
        de::SeqAccess::size_hint(self)
    }
}

/// A variant, by its name. It can also be read as a map of one entry, because serde's intermediate
/// values keep it so.
struct Variant<'a, 'de> {
    unpacker: &'a mut Unpacker<'de>,
    name: Option<&'de str>,
}

impl<'de> de::MapAccess<'de> for Variant<'_, 'de> {
    type Error = Failed;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Failed> {
        let name = self.name.take();
        name.map(|name| seed.deserialize(BorrowedStrDeserializer::new(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failed> {
        seed.deserialize(&mut *self.unpacker)
    }
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Failed;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        mut self,
        seed: V,
    ) -> Result<(V::Value, Self), Failed> {
        let name = self.name.take().unwrap_or_default();
        Ok((seed.deserialize(BorrowedStrDeserializer::new(name))?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Failed;

    fn unit_variant(self) -> Done {
        de::Deserialize::deserialize(self.unpacker)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Failed> {
        self.unpacker.deeper(|unpacker| seed.deserialize(unpacker))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failed> {
        de::Deserializer::deserialize_any(self.unpacker, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failed> {
        de::Deserializer::deserialize_any(self.unpacker, visitor)
    }
}

impl<'de> de::Deserializer<'de> for &mut Unpacker<'de> {
    type Error = Failed;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match self.tag()? {
            // Values without parts.
            tag::UNIT => visitor.visit_unit(),
            tag::FALSE => visitor.visit_bool(false),
            tag::TRUE => visitor.visit_bool(true),
            tag::I8 => visitor.visit_i8(i8::from_le_bytes(self.array()?)),
            tag::I16 => visitor.visit_i16(i16::from_le_bytes(self.array()?)),
            tag::I32 => visitor.visit_i32(i32::from_le_bytes(self.array()?)),
            tag::I64 => visitor.visit_i64(i64::from_le_bytes(self.array()?)),
            tag::I128 => {
                // serde's intermediate values know no more than 64 bits.
                let number = i128::from_le_bytes(self.array()?);
                match i64::try_from(number) {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => visitor.visit_i128(number),
                }
            }
            tag::U8 => visitor.visit_u8(u8::from_le_bytes(self.array()?)),
            tag::U16 => visitor.visit_u16(u16::from_le_bytes(self.array()?)),
            tag::U32 => visitor.visit_u32(u32::from_le_bytes(self.array()?)),
            tag::U64 => visitor.visit_u64(u64::from_le_bytes(self.array()?)),
            tag::U128 => {
                let number = u128::from_le_bytes(self.array()?);
                match u64::try_from(number) {
                    Ok(number) => visitor.visit_u64(number),
                    Err(_) => visitor.visit_u128(number),
                }
            }
            tag::F32 => visitor.visit_f32(f32::from_le_bytes(self.array()?)),
            tag::F64 => visitor.visit_f64(f64::from_le_bytes(self.array()?)),
            tag::CHAR => {
                let number = u32::from_le_bytes(self.array()?);
                let char = char::from_u32(number);
                visitor
                    .visit_char(char.ok_or_else(|| Failed::new(format!("{number} is no `char`")))?)
            }
            tag::TEXT => visitor.visit_borrowed_str(self.text()?),
            tag::BYTES => visitor.visit_borrowed_bytes(self.bytes()?),
            tag::NONE => visitor.visit_none(),
            // Values with parts, each one level deeper.
            tag::SOME => self.deeper(|unpacker| visitor.visit_some(unpacker)),
            tag::SEQUENCE => {
                let left = self.count()?;
                self.deeper(|unpacker| {
                    visitor.visit_seq(Parts { unpacker, left, first: [true; 2] })
                })
            }
            tag::MAP => {
                let left = self.count()?;
                self.deeper(|unpacker| {
                    visitor.visit_map(Parts { unpacker, left, first: [true; 2] })
                })
            }
            tag::VARIANT => {
                let name = self.text()?;
                if self.is(tag::UNIT) {
                    return visitor.visit_borrowed_str(name);
                }
                let name = Some(name);
                self.deeper(|unpacker| visitor.visit_map(Variant { unpacker, name }))
            }
            other => Err(Failed::new(format!("{other} is the tag of no value"))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match self.rest.first() {
            Some(&(tag::NONE | tag::SOME | tag::UNIT)) => self.deserialize_any(visitor),
            _ => self.deeper(|unpacker| visitor.visit_some(unpacker)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failed> {
        self.deeper(|unpacker| visitor.visit_newtype_struct(unpacker))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failed> {
        if self.is(tag::VARIANT) {
            let name = Some(self.text()?);
            return self.deeper(|unpacker| visitor.visit_enum(Variant { unpacker, name }));
        }
        if self.is(tag::TEXT) {
            let name = self.text()?;
            return visitor.visit_enum(BorrowedStrDeserializer::new(name));
        }
        Err(Failed::new("a variant was to come".to_owned()))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}
