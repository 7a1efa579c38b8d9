//! Floor 5. Values as bytes: the user's, and the longer messages between OS processes. Both ends run the
//! same executable, so the bytes do not describe themselves. Numbers are little-endian and keep
//! their width, lengths have eight bytes, and variants are known by their index.
//!
//! It is our own, instead of postcard's, for two reasons. An error keeps the text that the user's
//! `Serialize` or `Deserialize` gave it. A value that is nested too deep for the stack on which it
//! is packed or unpacked is an error.
//!
//! Types that can't be read so travel as [`described`](super::described) values.

mod limits;
mod packer;
mod unpacker;

use serde::de;
use serde::ser::Serialize;

use self::limits::Done;
pub(super) use self::limits::{Fields, most_memory, take_room};
use self::packer::Packer;
use self::unpacker::Unpacker;
use super::failed::Failed;
use crate::stack::depth::Depth;

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
    let mut packer =
        Packer { bytes: std::mem::take(to), depth: Depth::new(), fields, empty: 0, memory: 0 };
    let mut done = value.serialize(&mut packer);
    *to = packer.bytes;
    if packer.memory > most_memory(to.len() - start) {
        done = Err(Failed::too_large());
    }
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
    let mut unpacker = Unpacker { rest: from, depth: Depth::new(), empty: 0, room };
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt;
    use std::time::Duration;

    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Serialize, ser};

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

    /// The same for a value that is packed, so its writer is told. A part of one byte may take much
    /// memory.
    #[test]
    fn memory_that_the_bytes_do_not_fill_is_limited() {
        type Large = Option<[u64; 32]>;
        let nothing = |parts: usize| [&(parts as u64).to_le_bytes()[..], &vec![0; parts]].concat();
        let many = most_memory(0) / size_of::<Large>() + 1;
        let error = |bytes: &[u8]| unpack::<Vec<Large>>(&mut &bytes[..]).map(drop).unwrap_err();
        assert!(error(&nothing(many)).to_string().contains("memory"));
        assert_eq!(
            unpack::<Vec<Large>>(&mut &nothing(100)[..]).map(|all| all.len()).ok(),
            Some(100)
        );
        assert!(unpack::<Vec<(u8, Large)>>(&mut &nothing(2 * many)[..]).is_err());
        struct Nothing(usize);
        impl Serialize for Nothing {
            fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq((0..self.0).map(|_| Large::None))
            }
        }
        assert!(pack(&Nothing(many), Vec::new()).is_err());
        assert!(pack(&Nothing(100), Vec::new()).is_ok());
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
