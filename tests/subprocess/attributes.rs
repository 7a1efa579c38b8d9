//! Types with serde's attributes: each such value arrives unchanged, as an argument, as a result, and over channels.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;
use std::num::NonZeroU8;

use csp::{Channel, Reader, Writer, multiprocess, parallel};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::tests;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    x: i32,
    y: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u32),
    Text(String),
    Pair { a: u8, b: Option<u8> },
    List(Vec<i64>),
    Deep(Box<Untagged>, bool),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Unit,
    Fields {
        n: u64,
        at: IpAddr,
    },
    Newtype(Inner),
    #[serde(other)]
    Other,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Unit,
    One(u8),
    Two(u8, String),
    Fields { x: f64 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u32,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    rest: BTreeMap<String, u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Skips {
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<u8>,
    b: u8,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    c: Vec<char>,
    #[serde(skip)]
    cache: u8,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct WritesLess {
    #[serde(skip_serializing, default)]
    secret: String,
    shown: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ReadsLess {
    #[serde(skip_deserializing)]
    derived: u8,
    shown: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Named {
    #[serde(rename = "type", alias = "sort")]
    of_type: (u8, NonZeroU8),
    #[serde(with = "as_text")]
    long_number: u64,
    shape: Result<Shape, Through>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Shape {
    Point,
    Circle(f32),
    FreeForm { points: Vec<(i16, i16)> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Through(Vec<Option<()>>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
struct Even(u8);

impl TryFrom<u8> for Even {
    type Error = String;

    fn try_from(n: u8) -> Result<Self, String> {
        if n.is_multiple_of(2) { Ok(Even(n)) } else { Err(format!("{n} is odd")) }
    }
}

impl From<Even> for u8 {
    fn from(even: Even) -> u8 {
        even.0
    }
}

/// Holds the value deep inside other types.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Holds {
    list: Vec<(u8, BTreeMap<String, Option<Untagged>>)>,
    shape: Shape,
    next: Option<Box<Holds>>,
}

mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[multiprocess]
fn same<T: Serialize + DeserializeOwned + Send + 'static>(
    before: u8,
    value: T,
    behind: String,
) -> (T, u8, String) {
    (value, before, behind)
}

#[multiprocess]
fn passes<T: Serialize + DeserializeOwned + Send + 'static>(
    from: Reader<T>,
    to: Writer<T>,
) -> csp::Result {
    for value in &from {
        to.write(value)?;
    }
    Ok(())
}

/// Sends the values there and back by each way, and returns what came back.
fn returned<T: Clone + Serialize + DeserializeOwned + Send + 'static>(values: &[T]) -> [Vec<T>; 2] {
    let by_calls = values.iter().map(|value| {
        let ((same, before, behind),) = parallel!(same(7, value.clone(), "behind".to_owned()));
        assert_eq!((before, &*behind), (7, "behind"));
        same
    });
    let by_calls = by_calls.collect();
    let (there, back) = (Channel::buffered(2), Channel::buffered(2));
    let (to, from) = (there.writer(), back.reader());
    let child = csp::spawn(passes(there.reader(), back.writer()));
    drop((there, back));
    let writes = std::thread::spawn({
        let values = values.to_vec();
        move || {
            values.into_iter().for_each(|value| to.write(value).map_err(|e| e.to_string()).unwrap())
        }
    });
    let by_channels = from.iter().collect();
    writes.join().unwrap();
    assert_eq!(child.join(), Ok(()));
    [by_calls, by_channels]
}

fn comes_back<T>(values: &[T])
where
    T: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + 'static,
{
    assert_eq!(returned(values), [values.to_vec(), values.to_vec()]);
}

fn inner() -> Inner {
    Inner { x: -1, y: Some("y".to_owned()) }
}

fn untagged() -> Vec<Untagged> {
    vec![
        Untagged::Number(7),
        Untagged::Text("text".to_owned()),
        Untagged::Pair { a: 1, b: None },
        Untagged::List(vec![-1, 1 << 40]),
        Untagged::Deep(Box::new(Untagged::Number(1)), true),
    ]
}

tests! {
    fn untagged_values_come_back() {
        comes_back(&untagged());
    }

    fn tagged_values_come_back() {
        comes_back(&[
            Tagged::Unit,
            Tagged::Fields { n: u64::MAX, at: [127, 0, 0, 1].into() },
            Tagged::Newtype(inner()),
            Tagged::Other,
        ]);
        let fields = Adjacent::Fields { x: 0.5 };
        comes_back(&[Adjacent::Unit, Adjacent::One(1), Adjacent::Two(2, "two".to_owned()), fields]);
    }

    fn flattened_values_come_back() {
        let rest = [("one".to_owned(), 1), ("two".to_owned(), 2)].into();
        comes_back(&[Flat { id: 1, inner: inner(), rest }]);
    }

    fn values_that_leave_out_fields_come_back() {
        let full = Skips { a: Some(1), b: 2, c: vec!['c'], cache: 0 };
        comes_back(&[full.clone(), Skips { a: None, ..full.clone() }, Skips { c: vec![], ..full.clone() }, full]);
    }

    fn fields_of_one_side_only_are_the_default_of_the_other() {
        let [calls, channels] = returned(&[WritesLess { secret: "s".to_owned(), shown: 5 }]);
        assert_eq!((&calls[0].secret[..], calls[0].shown), ("", 5));
        assert_eq!(calls, channels);
        let [calls, channels] = returned(&[ReadsLess { derived: 3, shown: 5 }]);
        assert_eq!((calls[0].derived, calls[0].shown), (0, 5));
        assert_eq!(calls, channels);
    }

    fn renamed_and_converted_values_come_back() {
        let shapes = [Shape::Point, Shape::Circle(0.5), Shape::FreeForm { points: vec![(-1, 1)] }];
        let one = NonZeroU8::MIN;
        let mut all: Vec<Named> = shapes
            .into_iter()
            .map(|shape| Named { of_type: (0, one), long_number: 1 << 50, shape: Ok(shape) })
            .collect();
        let through = Through(vec![Some(()), None]);
        all.push(Named { of_type: (1, one), long_number: 0, shape: Err(through) });
        comes_back(&all);
        comes_back(&[Even(2), Even(4)]);
    }

    fn what_is_deep_in_a_value_comes_back() {
        let list = untagged().into_iter().map(|one| (1, [("k".to_owned(), Some(one))].into()));
        let inner = Holds { list: list.collect(), shape: Shape::Circle(1.0), next: None };
        let empty = Holds { list: vec![], shape: Shape::Point, next: Some(Box::new(inner)) };
        comes_back(&[empty]);
    }
}
