//! Bodies whose result is looked at: they return, borrow, move and coerce as those of plain functions do, without a warning.

#![deny(warnings, clippy::all, clippy::pedantic)]
#![allow(clippy::missing_errors_doc)]
#![forbid(unsafe_code)]

use csp::{Channel, Reader, Writer, parallel, process};
use std::collections::HashMap;
use std::error::Error;
use std::fmt::{Debug, Display};

type Ended<T = ()> = Result<T, csp::Termination>;
type Boxed = Box<dyn Error + Send + Sync>;

/// Returns from the middle and from a loop.
#[process]
fn returns(input: Reader<u32>, most: u32) -> csp::Result<u32> {
    if most == 0 {
        return Ok(0);
    }
    for value in &input {
        if value > most {
            return Ok(value);
        }
    }
    let last = input.read()?;
    Ok(last)
}

/// Moves one argument in a loop, a part of another, and changes a third.
#[process]
fn moves(input: Reader<String>, pair: (String, Vec<String>), mut all: Vec<String>) -> Ended<Vec<String>> {
    let first = pair.0;
    all.push(first);
    for value in input {
        all.push(value);
    }
    all.extend(pair.1.iter().cloned());
    Ok(all)
}

/// Borrows an argument for a variable, a closure and a thread.
#[process]
fn borrows(names: HashMap<String, u32>, label: &'static str) -> Result<&'static str, String> {
    let longest = names.keys().max_by_key(|name| name.len()).ok_or("there are none")?;
    let count = || names.values().sum::<u32>();
    let length = std::thread::scope(|scope| scope.spawn(|| longest.len()).join().unwrap_or(0));
    if length > label.len() + count() as usize { Err(longest.clone()) } else { Ok(&label[1..]) }
}

/// Changes what outlives it.
#[process]
fn changes(numbers: &'static mut [u32]) -> Result<&'static mut u32, String> {
    numbers.sort_unstable();
    numbers.first_mut().ok_or_else(|| "there is none".to_owned())
}

/// Its result becomes a trait object.
#[process]
fn coerces(number: u32) -> Result<Box<dyn Debug + Send>, Boxed> {
    if number == 0 {
        return Err("nothing".into());
    }
    Ok(Box::new(number))
}

#[process]
async fn coerces_async(number: u32) -> Result<Box<dyn Debug + Send>, Boxed> {
    if number == 0 {
        return Err("nothing".into());
    }
    Ok(Box::new(number))
}

#[process]
async fn boxes(number: u32) -> Box<dyn Debug + Send> {
    Box::new(number)
}

/// Ends by an error only.
#[process]
fn for_ever(input: Reader<u32>, out: Writer<u32>) -> csp::Result<std::convert::Infallible> {
    loop {
        out.write(input.read()?)?;
    }
}

#[process]
async fn for_ever_async(input: Reader<u32>, (out, _): (Writer<u32>, u8)) -> csp::Result {
    loop {
        out.write_async(input.read_async().await?).await?;
    }
}

#[process]
fn panics(_input: Reader<u32>) -> csp::Result<u32> {
    unimplemented!("it has no result")
}

/// Generic in everything, with an attribute inside.
#[process]
fn generic<T, E, const N: usize>(values: [T; N], convert: fn(&T) -> Result<u32, E>) -> Result<u32, E>
where
    T: Display + Send + 'static,
    E: Send + 'static,
{
    #![allow(clippy::needless_for_each)]
    let mut sum = 0;
    for value in &values {
        sum += convert(value)?;
    }
    values.iter().for_each(|value| assert!(!value.to_string().is_empty()));
    Ok(sum)
}

/// Its error is any type whatever.
#[process]
async fn any_error<E: Send + 'static>(error: E) -> Result<(), E> {
    Err(error)
}

/// Takes an argument by a pattern with a reference.
#[process]
fn by_reference(ref name: String, (left, mut right): (u32, Vec<u32>)) -> Result<usize, String> {
    right.push(left);
    Ok(name.len() + right.len())
}

/// Starts itself.
#[process]
fn recursive(depth: u32) -> Result<u32, String> {
    if depth == 0 {
        return Ok(0);
    }
    let (deeper,) = parallel!(recursive(depth - 1));
    Ok(deeper? + 1)
}

/// The result is no `Result`, although its name does not tell.
struct Plain(u32);

#[process]
fn plain(number: u32) -> Plain {
    Plain(number)
}

macro_rules! processes {
    ($($name:ident: $result:ty = $body:block)*) => { $(
        #[process]
        fn $name() -> $result $body

        pub mod $name {
            #[csp::process]
            pub async fn awaits() -> $result $body
        }
    )* };
}

processes! {
    from_a_macro: std::result::Result<u8, String> = { Ok("7".parse::<u8>().map_err(|error| error.to_string())?) }
}

fn main() {
    let numbers: &'static mut [u32] = Box::leak(Box::new([3, 1, 2]));
    let results = parallel!(
        borrows(HashMap::from([("ab".to_owned(), 1)]), "long"),
        changes(numbers),
        generic([1_u8, 2], |value| u32::try_from(*value)),
        by_reference("abc".to_owned(), (1, vec![2])),
        recursive(3),
        from_a_macro(),
        from_a_macro::awaits(),
        any_error(7),
    );
    assert_eq!(results.0, Ok("ong"));
    assert_eq!(results.1, Ok(&mut 1));
    assert_eq!(results.2, Ok(3));
    assert_eq!((results.3, results.4), (Ok(5), Ok(3)));
    assert_eq!((results.5, results.6, results.7), (Ok(7), Ok(7), Err(7)));
    let results = parallel!(coerces(1), coerces_async(0), boxes(2), plain(3));
    assert_eq!(format!("{:?} {:?}", results.0.ok(), results.2), "Some(1) 2");
    assert_eq!((results.1.unwrap_err().to_string(), results.3.0), ("nothing".to_owned(), 3));
    let words = Channel::buffered(1);
    let _ = words.writer().write("c".to_owned());
    let pair = ("a".to_owned(), vec!["d".to_owned()]);
    let (all,) = parallel!(moves(words.reader(), pair, Vec::new()));
    assert_eq!(all, Ok(vec!["a".to_owned(), "c".to_owned(), "d".to_owned()]));
    let _ = (returns(Channel::new().reader(), 0), panics(Channel::new().reader()));
    let _ = for_ever(Channel::new().reader(), Channel::new().writer());
    let _ = for_ever_async(Channel::new().reader(), (Channel::new().writer(), 0));
}
