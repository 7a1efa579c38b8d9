//! Values as bytes: the user's, and the longer messages between OS processes. Both ends run the
//! same executable, so the bytes do not describe themselves. Numbers are little-endian and keep
//! their width, lengths have eight bytes, and variants are known by their index.
//!
//! It is our own, instead of postcard's, for two reasons. An error keeps the text that the user's
//! `Serialize` or `Deserialize` gave it. A value that is nested too deep for the stack on which it
//! is packed or unpacked is an error.
//!
//! Types that can't be read so travel as [`described`](super::described) values.

use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};
use serde::ser::{self, Serialize};
use std::collections::HashMap;
use std::rc::Rc;

use super::failed::Failed;
use crate::stack::depth::Depth;

/// The most parts of sequences and maps in one value that take no bytes. Without a limit, a length of
/// eight bytes could announce any number of them.
const MOST_WITHOUT_BYTES: usize = 65_536;

type Done = Result<(), Failed>;

/// Appends a value.
pub(in crate::backend::subprocess) fn pack<T: Serialize + ?Sized>(
    value: &T,
    mut to: Vec<u8>,
) -> Result<Vec<u8>, Failed> {
    pack_to(value, &mut to, None)?;
    Ok(to)
}

/// Appends a value. A value that fails leaves nothing. `fields`: the number of fields that are
/// read, by the names of structs, if it is to be compared.
pub(super) fn pack_to<T: Serialize + ?Sized>(
    value: &T,
    to: &mut Vec<u8>,
    fields: Option<Fields>,
) -> Done {
    let start = to.len();
    let mut packer = Packer { bytes: std::mem::take(to), depth: Depth::new(), fields, empty: 0 };
    let done = value.serialize(&mut packer);
    *to = packer.bytes;
    if done.is_err() {
        to.truncate(start);
    }
    done
}

/// The number of fields that are read, by the names of structs.
pub(super) type Fields = Rc<HashMap<&'static str, usize>>;

/// Takes the value in front.
pub(in crate::backend::subprocess) fn unpack<'de, T: de::Deserialize<'de>>(
    from: &mut &'de [u8],
) -> Result<T, Failed> {
    let mut unpacker = Unpacker { rest: from, depth: Depth::new(), empty: 0 };
    let value = T::deserialize(&mut unpacker)?;
    *from = unpacker.rest;
    Ok(value)
}

/// Takes a value of which nothing is left.
pub(in crate::backend::subprocess) fn unpack_whole<'de, T: de::Deserialize<'de>>(
    mut from: &'de [u8],
) -> Result<T, Failed> {
    let value = unpack(&mut from)?;
    match from.is_empty() {
        true => Ok(value),
        false => Err(Failed::new("bytes behind the value".to_owned())),
    }
}

struct Packer {
    bytes: Vec<u8>,
    depth: Depth,
    fields: Option<Fields>,
    /// The number of parts that took no bytes.
    empty: usize,
}

impl Packer {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) -> Done {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn put_sized(&mut self, bytes: &[u8]) -> Done {
        self.put(&(bytes.len() as u64).to_le_bytes())?;
        self.put(bytes)
    }

    #[inline]
    fn nested<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.deeper()?;
        value.serialize(&mut *self)?;
        self.depth.leave();
        Ok(())
    }

    #[inline]
    fn deeper(&mut self) -> Done {
        self.depth.enter().map_err(Failed::new)
    }

    #[inline]
    fn compound(&mut self) -> Result<Compound<'_>, Failed> {
        self.deeper()?;
        Ok(Compound { packer: self, length: None })
    }

    /// Begins a compound whose length is filled in at the end, because not every `Serialize` knows
    /// it before.
    #[inline]
    fn counted(&mut self) -> Result<Compound<'_>, Failed> {
        self.deeper()?;
        let at = self.bytes.len();
        self.put(&[0; 8])?;
        Ok(Compound { packer: self, length: Some((at, 0)) })
    }
}

/// A value with parts.
struct Compound<'a> {
    packer: &'a mut Packer,
    /// The place of the length, and its present value.
    length: Option<(usize, u64)>,
}

impl Compound<'_> {
    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut *self.packer)
    }

    #[inline]
    fn counted<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if let Some((_, length)) = &mut self.length {
            *length += 1;
        }
        let before = self.packer.bytes.len();
        self.part(value)?;
        match self.packer.bytes.len() == before {
            true => Failed::unless_few(&mut self.packer.empty, MOST_WITHOUT_BYTES),
            false => Ok(()),
        }
    }

    #[inline]
    fn close(self) -> Done {
        if let Some((at, length)) = self.length {
            self.packer.bytes[at..at + 8].copy_from_slice(&length.to_le_bytes());
        }
        self.packer.depth.leave();
        Ok(())
    }
}

macro_rules! numbers_are_put {
    ($($method:ident: $number:ty),*) => { $(
        #[inline(always)]
        fn $method(self, number: $number) -> Done {
            self.put(&number.to_le_bytes())
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
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_f32: f32, serialize_f64: f64
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Done {
        self.put(&[value.into()])
    }

    fn serialize_char(self, value: char) -> Done {
        self.serialize_u32(value.into())
    }

    fn serialize_str(self, value: &str) -> Done {
        self.put_sized(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.put_sized(value)
    }

    fn serialize_none(self) -> Done {
        self.put(&[0])
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        self.put(&[1])?;
        self.nested(value)
    }

    fn serialize_unit(self) -> Done {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Done {
        self.serialize_u32(index)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        self.nested(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Done {
        self.put(&index.to_le_bytes())?;
        self.nested(value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a>, Failed> {
        self.counted()
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'a>, Failed> {
        self.compound()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'a>, Failed> {
        self.compound()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, Failed> {
        self.put(&index.to_le_bytes())?;
        self.compound()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'a>, Failed> {
        self.counted()
    }

    fn serialize_struct(self, name: &'static str, fields: usize) -> Result<Compound<'a>, Failed> {
        if let Some(all) = &self.fields
            && all.get(name).is_some_and(|read| *read != fields)
        {
            return Err(Failed::left_out(name));
        }
        self.compound()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, Failed> {
        self.put(&index.to_le_bytes())?;
        self.compound()
    }
}

macro_rules! parts_are_put {
    ($($parts:ident: $method:ident by $how:ident),*) => { $(
        impl ser::$parts for Compound<'_> {
            type Ok = ();
            type Error = Failed;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.$how(value)
            }

            #[inline]
            fn end(self) -> Done {
                self.close()
            }
        }
    )* };
}

parts_are_put! {
    SerializeSeq: serialize_element by counted,
    SerializeTuple: serialize_element by part,
    SerializeTupleStruct: serialize_field by part,
    SerializeTupleVariant: serialize_field by part
}

macro_rules! fields_are_put {
    ($($parts:ident),*) => { $(
        impl ser::$parts for Compound<'_> {
            type Ok = ();
            type Error = Failed;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Done {
                self.part(value)
            }

            fn skip_field(&mut self, name: &'static str) -> Done {
                Err(Failed::left_out(name))
            }

            #[inline]
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
        self.counted(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.part(value)
    }

    fn end(self) -> Done {
        self.close()
    }
}

struct Unpacker<'de> {
    rest: &'de [u8],
    depth: Depth,
    /// The number of parts that took no bytes.
    empty: usize,
}

impl<'de> Unpacker<'de> {
    #[inline]
    fn bytes(&mut self, length: usize) -> Result<&'de [u8], Failed> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(Failed::ends_early)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(Failed::ends_early)?;
        self.rest = rest;
        Ok(*bytes)
    }

    #[inline]
    fn length(&mut self) -> Result<usize, Failed> {
        let length = u64::from_le_bytes(self.array()?);
        usize::try_from(length).map_err(|_| Failed::ends_early())
    }

    /// Takes the number of parts that follow: no more than there are bytes, or of parts without
    /// bytes than are allowed.
    #[inline]
    fn count(&mut self) -> Result<usize, Failed> {
        let count = self.length()?;
        match count <= self.rest.len().max(MOST_WITHOUT_BYTES) {
            true => Ok(count),
            false => Err(Failed::ends_early()),
        }
    }

    fn text(&mut self) -> Result<&'de str, Failed> {
        let length = self.length()?;
        std::str::from_utf8(self.bytes(length)?).map_err(de::Error::custom)
    }

    #[inline]
    fn deeper<R>(&mut self, go: impl FnOnce(&mut Self) -> Result<R, Failed>) -> Result<R, Failed> {
        self.depth.enter().map_err(Failed::new)?;
        let result = go(self)?;
        self.depth.leave();
        Ok(result)
    }

    #[inline]
    fn parts<V: Visitor<'de>>(&mut self, left: usize, visitor: V) -> Result<V::Value, Failed> {
        self.deeper(|unpacker| visitor.visit_seq(Parts { unpacker, left, is_counted: false }))
    }
}

/// The parts that are left.
struct Parts<'a, 'de> {
    unpacker: &'a mut Unpacker<'de>,
    left: usize,
    /// Their number was announced. Otherwise it is the type's.
    is_counted: bool,
}

impl Parts<'_, '_> {
    /// Limits the announced length, so that no more room is made than there can be parts.
    fn hint(&self) -> usize {
        self.left.min(self.unpacker.rest.len())
    }
}

impl<'de> de::SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Failed;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Failed> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let before = self.unpacker.rest.len();
        let part = seed.deserialize(&mut *self.unpacker)?;
        if self.unpacker.rest.len() == before && self.is_counted {
            Failed::unless_few(&mut self.unpacker.empty, MOST_WITHOUT_BYTES)?;
        }
        Ok(Some(part))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
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
        seed.deserialize(&mut *self.unpacker)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}

/// One of the variants of an `enum`.
struct Variant<'a, 'de>(&'a mut Unpacker<'de>);

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Failed;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Failed> {
        let index = u32::from_le_bytes(self.0.array()?);
        let index: de::value::U32Deserializer<Failed> = index.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Failed;

    fn unit_variant(self) -> Done {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Failed> {
        self.0.deeper(|unpacker| seed.deserialize(unpacker))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Failed> {
        self.0.parts(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failed> {
        self.0.parts(fields.len(), visitor)
    }
}

macro_rules! numbers_are_taken {
    ($($method:ident, $visit:ident: $number:ty),*) => { $(
        #[inline(always)]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
            visitor.$visit(<$number>::from_le_bytes(self.array()?))
        }
    )* };
}

macro_rules! nobody_knows {
    ($($method:ident),*) => { $(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Failed> {
            Err(Failed::new("a `Deserialize` that asks for the type of the next value: the bytes do not say it".to_owned()))
        }
    )* };
}

impl<'de> de::Deserializer<'de> for &mut Unpacker<'de> {
    type Error = Failed;

    numbers_are_taken! {
        deserialize_i8, visit_i8: i8, deserialize_i16, visit_i16: i16, deserialize_i32, visit_i32: i32,
        deserialize_i64, visit_i64: i64, deserialize_i128, visit_i128: i128,
        deserialize_u8, visit_u8: u8, deserialize_u16, visit_u16: u16, deserialize_u32, visit_u32: u32,
        deserialize_u64, visit_u64: u64, deserialize_u128, visit_u128: u128,
        deserialize_f32, visit_f32: f32, deserialize_f64, visit_f64: f64
    }

    nobody_knows!(deserialize_any, deserialize_identifier, deserialize_ignored_any);

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match self.array()? {
            [0] => visitor.visit_bool(false),
            [1] => visitor.visit_bool(true),
            [other] => Err(Failed::new(format!("{other} is no `bool`"))),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        let number = u32::from_le_bytes(self.array()?);
        let char = char::from_u32(number);
        visitor.visit_char(char.ok_or_else(|| Failed::new(format!("{number} is no `char`")))?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        let length = self.length()?;
        visitor.visit_borrowed_bytes(self.bytes(length)?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match self.array()? {
            [0] => visitor.visit_none(),
            [1] => self.deeper(|unpacker| visitor.visit_some(unpacker)),
            [other] => Err(Failed::new(format!("{other} is no `Option`"))),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failed> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failed> {
        self.deeper(|unpacker| visitor.visit_newtype_struct(unpacker))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        let left = self.count()?;
        self.deeper(|unpacker| visitor.visit_seq(Parts { unpacker, left, is_counted: true }))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Failed> {
        self.parts(length, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Failed> {
        self.parts(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        let left = self.count()?;
        self.deeper(|unpacker| visitor.visit_map(Parts { unpacker, left, is_counted: true }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failed> {
        self.parts(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failed> {
        self.deeper(|unpacker| visitor.visit_enum(Variant(unpacker)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt;
    use std::time::Duration;

    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Point,
        Newtype(Option<Box<Shape>>),
        Pair(i8, char),
        Fields { text: String, map: BTreeMap<u16, Vec<(f64, ())>> },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Newtype(u128);

    #[track_caller]
    fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(value: T) {
        let bytes = pack(&value, vec![9]).expect("it can be packed");
        let mut rest = &bytes[1..];
        assert_eq!(unpack::<T>(&mut rest).expect("it can be unpacked"), value);
        assert_eq!((bytes[0], rest.len()), (9, 0));
        // Cut anywhere it is an error. If nothing of the value was cut off, it is the same value.
        for length in 0..bytes.len() - 1 {
            let cut: Result<T, _> = unpack(&mut &bytes[1..1 + length]);
            assert!(cut.is_err() || cut.is_ok_and(|cut| cut == value));
        }
        for at in 1..bytes.len() {
            for other in [0, 1, 2, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = other;
                let _: Result<T, _> = unpack(&mut &bytes[1..]);
            }
        }
    }

    #[test]
    fn every_value_comes_out_as_it_went_in() {
        there_and_back((true, -1_i8, 2_u8, -3_i16, 4_u16, -5_i32, 6_u32, -7_i64, 8_u64));
        there_and_back((i128::MIN, Newtype(u128::MAX), 0.5_f32, f64::MAX, 'ß', ()));
        there_and_back(("text".to_owned(), vec![1_u32, 2, 3], [7_u8; 5], Duration::from_nanos(1)));
        there_and_back([Some(Some(1_u8)), Some(None), None]);
        let map = [(1, vec![(0.25, ())]), (2, vec![])].into();
        there_and_back(Shape::Fields { text: String::new(), map });
        there_and_back(vec![Shape::Point, Shape::Newtype(None), Shape::Pair(-1, 'x')]);
        there_and_back(Shape::Newtype(Some(Box::new(Shape::Newtype(Some(Box::new(
            Shape::Point,
        )))))));
        there_and_back(std::num::NonZeroU32::MIN);
        there_and_back(Some(Err::<u8, String>("wrong".into())));
    }

    #[test]
    fn a_sequence_need_not_know_its_length() {
        struct Evens(u32);
        impl Serialize for Evens {
            fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq((0..self.0).filter(|n| n % 2 == 0))
            }
        }
        let bytes = pack(&Evens(7), Vec::new()).unwrap();
        assert_eq!(unpack::<Vec<u32>>(&mut &bytes[..]).unwrap(), [0, 2, 4, 6]);
    }

    #[test]
    fn a_length_that_is_not_there_takes_no_memory() {
        let bytes = u64::MAX.to_le_bytes();
        assert!(unpack::<Vec<u64>>(&mut &bytes[..]).is_err());
        assert!(unpack::<String>(&mut &bytes[..]).is_err());
        assert!(unpack::<BTreeMap<u8, u8>>(&mut &bytes[..]).is_err());
    }

    /// The same for a value that is packed: its writer is told.
    #[test]
    fn parts_without_bytes_are_limited() {
        let announced = |count: u64| unpack::<Vec<()>>(&mut &count.to_le_bytes()[..]);
        assert!(announced(u64::MAX).is_err() && announced(1 << 40).is_err());
        assert!(announced(65_537).is_err());
        assert_eq!(announced(65_536).map(|units| units.len()).ok(), Some(65_536));
        // All sequences of a value together.
        let many = [65_536_u64; 3].map(u64::to_le_bytes).concat();
        let many = [&2_u64.to_le_bytes()[..], &many].concat();
        assert!(unpack::<Vec<Vec<()>>>(&mut &many[..]).is_err());
        assert!(pack(&vec![(); 65_537], Vec::new()).is_err());
        assert!(pack(&vec![(); 65_536], Vec::new()).is_ok());
        assert!(pack(&vec![0_u8; 100_000], Vec::new()).is_ok());
        there_and_back([vec![(); 3], vec![]]);
    }

    #[test]
    fn what_is_nested_deep_is_an_error_and_no_overflow() {
        #[derive(Serialize, Deserialize)]
        struct List(Option<Box<List>>);

        impl Drop for List {
            fn drop(&mut self) {
                let mut next = self.0.take();
                while let Some(mut list) = next {
                    next = list.0.take();
                }
            }
        }

        let list = |length| (0..length).fold(List(None), |list, _| List(Some(Box::new(list))));
        let bytes = pack(&list(40), Vec::new()).expect("not deep");
        assert!(unpack::<List>(&mut &bytes[..]).is_ok());
        let error = pack(&list(1_000_000), Vec::new()).unwrap_err().to_string();
        assert!(error.contains("too deep"), "{error}");
        // A list of a million has as many `Some`.
        let bytes = vec![1; 1_000_000];
        let error = unpack::<List>(&mut &bytes[..]).map(drop).unwrap_err().to_string();
        assert!(error.contains("too deep"), "{error}");
    }
}
