//! Finds out whether a type can be read from bytes that do not describe themselves. Its
//! `Deserialize` is asked, once for each type.
//!
//! No value is ever made. Each look goes one way down into the type, by one field or variant at
//! each step, and ends in an error. So the work of a user's `Deserialize` with the values that it
//! has read does not happen. Only numbers and texts of the standard library's are made up: those
//! before others in a tuple, and the keys of a map. Behind any other type nothing is found.

use serde::de::{self, DeserializeOwned, DeserializeSeed, Error, IntoDeserializer, Visitor};
use std::any::type_name;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::failed::Failed;
use crate::stack::depth::Depth;

/// The facts that are known of a type.
#[derive(Default)]
pub(super) struct Found {
    /// It asks for the type of the next value.
    pub(super) asks: bool,
    /// The number of fields that are read, by the names of structs.
    pub(super) fields: HashMap<&'static str, usize>,
}

/// The limits of the looks. Most types need few, and few of the looks into others are needed.
const LOOKS: usize = 4096;
const DEEPEST: usize = 64;

#[derive(Default)]
struct Look {
    /// The way to go at each step.
    way: Vec<usize>,
    steps: usize,
    depth: usize,
    stack: Option<Depth>,
    /// The number of ways at the place where it has ended.
    ways: usize,
    /// The places that were looked into, and need not be again.
    seen: HashSet<(usize, usize)>,
    found: Found,
}

/// The place of a look.
#[derive(Clone, Copy)]
struct Probe<'a>(&'a RefCell<Look>);

type Refused<T> = Result<T, Failed>;

fn stop() -> Failed {
    Failed::new("looked at".to_owned())
}

pub(super) fn probe<T: DeserializeOwned>() -> Found {
    let look = RefCell::new(Look::default());
    let mut ways = vec![Vec::new()];
    for _ in 0..LOOKS {
        let Some(way) = ways.pop() else { break };
        {
            let mut look = look.borrow_mut();
            (look.way, look.steps, look.depth, look.ways) = (way.clone(), 0, 0, 0);
            look.stack = Some(Depth::new());
        }
        // It is an error in any case.
        let _ = T::deserialize(Probe(&look));
        let look = look.borrow();
        if look.found.asks {
            break;
        }
        ways.extend((0..look.ways).map(|next| [&way[..], &[next]].concat()));
    }
    look.into_inner().found
}

impl Probe<'_> {
    fn asks(self) -> Failed {
        self.0.borrow_mut().found.asks = true;
        stop()
    }

    /// Goes one step further down.
    fn deeper(self) -> Result<Self, Failed> {
        let mut look = self.0.borrow_mut();
        look.depth += 1;
        let fits = look.stack.as_mut().is_none_or(|stack| stack.enter().is_ok());
        if look.depth > DEEPEST || !fits { Err(stop()) } else { Ok(self) }
    }

    /// Returns which of so many ways to go. `names`: their names, by which a place is recognised.
    fn choose(self, ways: usize, names: Option<&'static [&'static str]>) -> Result<usize, Failed> {
        let mut look = self.0.borrow_mut();
        let look = &mut *look;
        if let Some(next) = look.way.get(look.steps) {
            look.steps += 1;
            return Ok(*next);
        }
        let place = names.map(|names| (names.as_ptr().addr(), names.len()));
        if place.is_none_or(|place| look.seen.insert(place)) {
            look.ways = ways;
        }
        Err(stop())
    }

    fn fields<'de, V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Refused<V::Value> {
        let field = self.choose(fields.len(), Some(fields))?;
        visitor.visit_map(Field { probe: self.deeper()?, field })
    }

    fn places<'de, V: Visitor<'de>>(self, places: usize, visitor: V) -> Refused<V::Value> {
        let place = self.choose(places.min(64), None)?;
        visitor.visit_seq(Place { probe: self.deeper()?, before: place })
    }
}

/// One field of a struct.
struct Field<'a> {
    probe: Probe<'a>,
    field: usize,
}

impl<'de> de::MapAccess<'de> for Field<'_> {
    type Error = Failed;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Refused<Option<K::Value>> {
        let field: de::value::U64Deserializer<Failed> = (self.field as u64).into_deserializer();
        seed.deserialize(field).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Refused<V::Value> {
        seed.deserialize(self.probe)
    }
}

/// One place of a tuple, behind some others.
struct Place<'a> {
    probe: Probe<'a>,
    before: usize,
}

impl<'de> de::SeqAccess<'de> for Place<'_> {
    type Error = Failed;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Refused<Option<T::Value>> {
        if self.before == 0 {
            return seed.deserialize(self.probe).map(Some);
        }
        self.before -= 1;
        make_up(seed).map(Some)
    }
}

/// The keys or the values of a map.
struct Entry<'a> {
    probe: Probe<'a>,
    value: bool,
}

impl<'de> de::MapAccess<'de> for Entry<'_> {
    type Error = Failed;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Refused<Option<K::Value>> {
        match self.value {
            true => make_up(seed).map(Some),
            false => seed.deserialize(self.probe).map(Some),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Refused<V::Value> {
        seed.deserialize(self.probe)
    }
}

struct Variant<'a> {
    probe: Probe<'a>,
    variant: usize,
}

impl<'de> de::EnumAccess<'de> for Variant<'_> {
    type Error = Failed;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Refused<(V::Value, Self)> {
        let variant: de::value::U64Deserializer<Failed> = (self.variant as u64).into_deserializer();
        Ok((seed.deserialize(variant)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_> {
    type Error = Failed;

    fn unit_variant(self) -> Refused<()> {
        Err(stop())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Refused<T::Value> {
        seed.deserialize(self.probe)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Refused<V::Value> {
        self.probe.places(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Refused<V::Value> {
        self.probe.fields(fields, visitor)
    }
}

macro_rules! nothing_in_it {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, _: V) -> Refused<V::Value> {
            Err(stop())
        }
    )* };
}

macro_rules! asks_what_comes {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, _: V) -> Refused<V::Value> {
            Err(self.asks())
        }
    )* };
}

impl<'de> de::Deserializer<'de> for Probe<'_> {
    type Error = Failed;

    asks_what_comes! { deserialize_any deserialize_identifier deserialize_ignored_any }

    nothing_in_it! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Refused<V::Value> {
        visitor.visit_some(self.deeper()?)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, _: V) -> Refused<V::Value> {
        Err(stop())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Refused<V::Value> {
        visitor.visit_newtype_struct(self.deeper()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Refused<V::Value> {
        visitor.visit_seq(Place { probe: self.deeper()?, before: 0 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Refused<V::Value> {
        self.places(length, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Refused<V::Value> {
        self.places(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Refused<V::Value> {
        let value = self.choose(2, None)? == 1;
        visitor.visit_map(Entry { probe: self.deeper()?, value })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Refused<V::Value> {
        self.0.borrow_mut().found.fields.insert(name, fields.len());
        self.fields(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Refused<V::Value> {
        let variant = self.choose(variants.len(), Some(variants))?;
        visitor.visit_enum(Variant { probe: self.deeper()?, variant })
    }
}

/// Makes up a value that stands before the place of the look. Only the standard library's types are
/// made up.
fn make_up<'de, T: DeserializeSeed<'de>>(seed: T) -> Refused<T::Value> {
    const PLAIN: [&str; 17] = [
        "bool", "char", "()", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32",
        "u64", "u128", "usize", "f32", "f64",
    ];
    let name = type_name::<T::Value>();
    match PLAIN.contains(&name) || name == type_name::<String>() {
        true => seed.deserialize(MadeUp),
        false => Err(stop()),
    }
}

struct MadeUp;

macro_rules! numbers_are_made_up {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Refused<V::Value> {
            visitor.visit_u8(0)
        }
    )* };
}

impl<'de> de::Deserializer<'de> for MadeUp {
    type Error = Failed;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Refused<V::Value> {
        Err(Failed::custom("nothing is known of it"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Refused<V::Value> {
        visitor.visit_bool(false)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Refused<V::Value> {
        visitor.visit_char('a')
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Refused<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Refused<V::Value> {
        visitor.visit_str("")
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Refused<V::Value> {
        visitor.visit_f32(0.0)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Refused<V::Value> {
        visitor.visit_f64(0.0)
    }

    numbers_are_made_up! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_u128
    }

    serde::forward_to_deserialize_any! {
        str bytes byte_buf option unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
