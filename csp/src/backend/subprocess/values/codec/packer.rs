//! Values become bytes.

use serde::ser::{self, Serialize};

use super::super::failed::Failed;
use super::limits::{Done, Fields, MOST_WITHOUT_BYTES, count_empty};
use crate::stack::depth::Depth;

pub(super) struct Packer {
    pub(super) bytes: Vec<u8>,
    pub(super) depth: Depth,
    pub(super) fields: Option<Fields>,
    /// The number of parts that took no bytes.
    pub(super) empty: usize,
    /// The bytes of memory that the parts of sequences and maps take.
    pub(super) memory: usize,
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
        Ok(Compound { packer: self, length: None, size: [0; 2] })
    }

    /// Begins a compound whose length is filled in at the end, because not every `Serialize` knows
    /// it before.
    #[inline]
    fn counted(&mut self) -> Result<Compound<'_>, Failed> {
        self.deeper()?;
        let at = self.bytes.len();
        self.put(&[0; 8])?;
        Ok(Compound { packer: self, length: Some((at, 0)), size: [0; 2] })
    }
}

/// A value with parts.
pub(super) struct Compound<'a> {
    packer: &'a mut Packer,
    /// The place of the length, and its present value.
    length: Option<(usize, u64)>,
    /// The memory of a part, and of the value that belongs to a key.
    size: [usize; 2],
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
        self.size[0] = size_of_val(value);
        // There can be any number of parts without memory, so these are not counted at the end only.
        match size_of_val(value) == 0 && self.without_bytes() > MOST_WITHOUT_BYTES {
            true => count_empty(&mut self.packer.empty, usize::MAX),
            false => self.part(value),
        }
    }

    /// Returns by how much there are more parts than bytes.
    fn without_bytes(&self) -> usize {
        let Some((at, length)) = self.length else { return 0 };
        (length as usize).saturating_sub(self.packer.bytes.len() - (at + 8))
    }

    #[inline]
    fn close(self) -> Done {
        if let Some((at, length)) = self.length {
            self.packer.bytes[at..at + 8].copy_from_slice(&length.to_le_bytes());
            let more = self.without_bytes();
            count_empty(&mut self.packer.empty, more)?;
            let memory = (self.size[0] + self.size[1]).saturating_mul(length as usize);
            self.packer.memory = self.packer.memory.saturating_add(memory);
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
        self.size[1] = size_of_val(value);
        self.part(value)
    }

    fn end(self) -> Done {
        self.close()
    }
}
