//! The expansion of `#[multiprocess]`: the function as an [`Entry`] that a child finds, and the
//! ways of its arguments and its result. One call each, at the type, asks the user's types for
//! `Serialize` and `DeserializeOwned`.
#![allow(unreachable_pub, reason = "what the macros expand to names these")]
#![allow(missing_debug_implementations, reason = "nobody outside sees them")]

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::boot::process;
use super::values::carry;
use crate::process::code::{Departure, Entry};

pub use super::boot::entry::ENTRIES;
pub use linkme;

/// Bytes into which values are put, one after the other.
pub type To = Vec<u8>;
/// The rest of such bytes.
pub type From<'a> = &'a [u8];

/// Returns a marker. A function that takes a value from it returns none, but finds out how the next
/// value of that type is to be packed.
pub fn asking() -> From<'static> {
    carry::asking()
}

/// Packs an argument up.
pub fn argument_sent<T: Serialize>(argument: &T, to: &mut To) -> Result<(), String> {
    carry::put(argument, to).map_err(|error| explain::<T>("argument", "serialised", &error))
}

/// Unpacks an argument.
pub fn argument_received<T: DeserializeOwned>(from: &mut From<'_>) -> Result<T, String> {
    carry::take(from).map_err(|error| explain::<T>("argument", "deserialised", &error))
}

/// Packs a result up.
pub fn result_sent<T: Serialize>(result: &T) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    match carry::put(result, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(explain::<T>("result", "serialised", &error)),
    }
}

/// Unpacks a result.
pub fn result_received<T: DeserializeOwned>(mut bytes: From<'_>) -> Result<T, String> {
    carry::take(&mut bytes).map_err(|error| explain::<T>("result", "deserialised", &error))
}

fn explain<T>(what: &str, how: &str, error: &str) -> String {
    let name = std::any::type_name::<T>();
    format!("the {what} of type `{name}` could not be {how}: {error}")
}

/// Returns the result of a process that never returns.
pub fn never(never: &std::convert::Infallible) -> Result<Vec<u8>, String> {
    match *never {}
}

/// Handles a result of a process that never returns, which is an error.
pub fn none(_: From<'_>) -> Result<std::convert::Infallible, String> {
    Err("a process that never returns has returned".to_owned())
}

/// Packs up a call of the function that `entry` stands for.
pub fn depart<A, R>(
    entry: &'static Entry,
    arguments: &A,
    put: fn(&A, &mut To) -> Result<(), String>,
    get: fn(From<'_>) -> Result<R, String>,
) -> Result<Departure<R>, String> {
    let mut bytes = To::new();
    put(arguments, &mut bytes)?;
    Ok(Departure { entry, arguments: bytes, arrive: get })
}

/// Runs a function in the child.
pub fn run<A, R>(
    mut arguments: From<'_>,
    take: fn(&mut From<'_>) -> Result<A, String>,
    body: fn(A) -> R,
    give: fn(&R) -> Result<Vec<u8>, String>,
    get: fn(From<'_>) -> Result<R, String>,
) -> Result<Vec<u8>, String> {
    let give = |result: &R| {
        let _ = get(asking());
        give(result)
    };
    process::run(|| take(&mut arguments), body, give)
}

/// Stands behind `#[multiprocess]`: the [`Code`](crate::__private::Code) of a function that can run
/// in another OS process.
#[doc(hidden)]
#[macro_export]
macro_rules! __csp_portable {
    ([$($mistakes:tt)+] [$($instance:expr)?] $name:expr, $signature:expr, $body:expr, $($ways:tt)*) => {{
        $($mistakes)+
        $crate::__private::Code::new($body)
    }};
    // Not generic: its entry is in a table that the linker collects.
    ([] [] $name:expr, $signature:expr, $body:expr, $put:expr, $take:expr, $give:expr, $get:expr) => {{
        #[$crate::__private::linkme::distributed_slice($crate::__private::ENTRIES)]
        #[linkme(crate = $crate::__private::linkme)]
        static ENTRY: $crate::__private::Entry = $crate::__private::Entry::new(
            ::core::concat!(::core::module_path!(), "::", $name),
            $crate::__private::hash($signature),
            || "",
            |arguments| $crate::__private::run(arguments, $take, $body, $give, $get),
        );
        $crate::__private::Code::new($body)
            .portable(|arguments| $crate::__private::depart(&ENTRY, arguments, $put, $get))
    }};
    // Generic: each instance has a static of its own, which only the instance can name.
    ([] [$instance:expr] $name:expr, $signature:expr, $body:expr, $put:expr, $take:expr, $give:expr, $get:expr) => {
        $crate::__private::Code::new($body).portable(|arguments| {
            let entry = &const {
                $crate::__private::Entry::new(
                    ::core::concat!(::core::module_path!(), "::", $name),
                    $crate::__private::hash($signature),
                    || ::core::any::type_name_of_val(&$instance),
                    |arguments| $crate::__private::run(arguments, $take, $body, $give, $get),
                )
            };
            $crate::__private::depart(entry, arguments, $put, $get)
        })
    };
}
