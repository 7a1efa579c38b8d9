//! Bytes become values.

use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::super::failed::Failed;
use super::limits::{Done, MOST_WITHOUT_BYTES, count_empty, take_room};
use crate::stack::depth::Depth;

pub(super) struct Unpacker<'de> {
    pub(super) rest: &'de [u8],
    pub(super) depth: Depth,
    /// The number of parts that took no bytes.
    pub(super) empty: usize,
    /// The bytes of memory that the parts of sequences and maps may still take.
    pub(super) room: usize,
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
        let first = [false; 2];
        self.deeper(|unpacker| visitor.visit_seq(Parts { unpacker, left, first }))
    }

    /// Takes a sequence or a map, whose number of parts comes first.
    fn counted<R>(
        &mut self,
        take: impl FnOnce(Parts<'_, 'de>) -> Result<R, Failed>,
    ) -> Result<R, Failed> {
        let left = self.count()?;
        let before = self.rest.len();
        let taken = self.deeper(|unpacker| take(Parts { unpacker, left, first: [true; 2] }))?;
        // Parts that took no bytes are more parts than bytes.
        let more = left.saturating_sub(before - self.rest.len());
        count_empty(&mut self.empty, more)?;
        Ok(taken)
    }
}

/// The parts that are left.
struct Parts<'a, 'de> {
    unpacker: &'a mut Unpacker<'de>,
    left: usize,
    /// The first part is to come, and the first value that belongs to a key. Their number was
    /// announced, so their memory is counted then, for all of them.
    first: [bool; 2],
}

impl Parts<'_, '_> {
    /// Limits the announced length, so that no more room is made than there can be parts.
    fn hint(&self) -> usize {
        self.left.min(self.unpacker.rest.len())
    }

    /// Counts the memory of so many parts.
    #[cold]
    fn count(&mut self, parts: usize, size: usize) -> Done {
        take_room(&mut self.unpacker.room, parts, size)
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
        if std::mem::take(&mut self.first[0]) {
            self.count(self.left, size_of::<T::Value>())?;
        }
        self.left -= 1;
        seed.deserialize(&mut *self.unpacker).map(Some)
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
        if std::mem::take(&mut self.first[1]) {
            // The number of keys that are left has gone down by one.
            self.count(self.left.saturating_add(1), size_of::<V::Value>())?;
        }
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
        self.counted(|parts| visitor.visit_seq(parts))
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
        self.counted(|parts| visitor.visit_map(parts))
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
