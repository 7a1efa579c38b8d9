//! Every shape of a signature.

use std::collections::HashMap;
use std::fmt::Debug;

use csp::{Channel, Process, Reader, Writer, multiprocess, parallel, process};

#[process]
fn nothing() {}

#[process]
fn patterns(
    mut a: u8,
    (b, [c, _]): (u8, [u8; 2]),
    _: u8,
    d @ (_, e): (u8, u8),
    Pair { x, .. }: Pair,
) -> u8 {
    a += 1;
    a + b + c + d.0 + e + x
}

#[derive(Clone)]
struct Pair {
    x: u8,
    #[allow(dead_code)]
    y: u8,
}

/// Generic, with a `where` clause and a constant.
#[process]
pub(crate) fn generic<K, V: Debug + Send + 'static, const N: usize>(
    keys: [K; N],
    value: V,
) -> HashMap<K, String>
where
    K: std::hash::Hash + Eq + Send + 'static,
{
    keys.into_iter().map(|key| (key, format!("{value:?}"))).collect()
}

#[process]
fn borrows_for_ever(
    text: &'static str,
    f: fn(&str) -> &str,
    g: Box<dyn for<'a> Fn(&'a str) -> &'a str + Send>,
) -> usize {
    g(f(text)).len()
}

#[process]
fn endless(input: Reader<u8>) -> ! {
    loop {
        if input.read().is_err() {
            panic!("the end");
        }
    }
}

#[process]
fn recursive(depth: u8) -> u8 {
    match depth {
        0 => 0,
        _ => parallel!(recursive(depth - 1)).0 + 1,
    }
}

#[process]
fn r#loop(r#in: u8) -> u8 {
    r#in
}

#[process]
fn conditional(
    #[cfg(any())] a: u8,
    #[cfg(all())] b: u16,
    #[cfg(not(all()))] c: u32,
    #[allow(unused_mut)] mut d: u64,
) -> u64 {
    u64::from(b) + d
}

#[cfg(any())]
#[process]
fn gone(x: NoSuchType) {}

#[process]
#[cfg_attr(all(), allow(unused_variables))]
#[inline]
fn attributes(unused: u8) {}

#[deprecated = "use another"]
#[process]
#[expect(unused_variables)]
fn old(unused: u8) {}

macro_rules! make {
    ($vis:vis $name:ident($argument:ident: $type:ty) -> $result:ty $body:block) => {
        #[multiprocess]
        $vis fn $name($argument: $type, other: $type) -> $result {
            let _ = other;
            $body
        }
    };
}
make!(pub(crate) made(x: u8) -> u8 { x + 1 });

macro_rules! make_whole {
    ($name:ident($argument:ident: $type:ty) $body:block) => {
        #[process]
        fn $name($argument: $type) -> $type $body
    };
}
make_whole!(made_whole(x: u8) { x + 1 });

struct Farm;

impl Farm {
    #[process]
    pub fn worker(results: Writer<u8>) -> csp::Result {
        Ok(results.write(7)?)
    }
}

mod inner {
    #[csp::process]
    pub(super) fn outer_names(x: super::Pair) -> Option<super::Pair> {
        Some(x)
    }
}

fn returned(x: u8) -> Process<(u8,), u8> {
    #[process]
    fn local(x: u8) -> u8 {
        x
    }
    local(x)
}

#[csp::main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pair = Pair { x: 6, y: 0 };
    let results = parallel!(
        nothing(),
        patterns(0, (2, [3, 9]), 9, (4, 5), pair.clone()),
        generic::<u8, _, 2>([1, 2], 'x'),
        borrows_for_ever("abc", |text| &text[1..], Box::new(|text| &text[1..])),
        recursive(3),
        r#loop(4),
        conditional(5, 6),
        attributes(7),
        3 * made(7, 8),
        made_whole(7),
        inner::outer_names(pair),
        returned(9),
    );
    assert_eq!(results.1, 1 + 2 + 3 + 4 + 5 + 6);
    assert_eq!(results.2[&1], "'x'");
    assert_eq!((results.3, results.4, results.5, results.6), (1, 3, 4, 11));
    assert_eq!((results.8, results.9, results.11), (vec![8, 8, 8], 8, 9));
    assert_eq!(results.10.map(|pair| pair.x), Some(6));

    let channel = Channel::new();
    let (read, written) = parallel!(read(channel.reader()), Farm::worker(channel.writer()));
    assert_eq!((read?, written?), (7, ()));
    #[allow(deprecated)]
    drop(old(1));
    drop(endless(Channel::new().reader()));
    Ok(())
}

#[process]
fn read(input: Reader<u8>) -> csp::Result<u8> {
    input.read()
}
