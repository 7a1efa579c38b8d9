//! The result of a process decides about the ends that it still holds.
//!
//! The macros call [`Decides::decide`] on the result, before the arguments are dropped. A result that is no `Result`, or is `Ok`,
//! decides nothing. An error is looked at in the best way that its type allows. The choice is made at compile time, by the depth of
//! references in front of [`ProcessResult`]: method lookup takes the outermost that has an implementation ("autoref specialisation",
//! after David Tolnay).

use std::any::{Any, type_name};
use std::error::Error;
use std::fmt::{Debug, Display};
use std::io;

use super::errors::{termination_in, with_sources};
use super::supervise::GaveUp;
use crate::process::Failure;
use crate::report::termination::{Cause, Poison, Termination};
use crate::wait::park;
use crate::wait::quietly;

/// The result of a process.
#[derive(Debug)]
pub struct ProcessResult<'a, R>(pub &'a R);

/// Decides about the ends of the process that runs, by its result.
pub trait Decides {
    /// Does so.
    fn decide(&self);
}

type SharedError = dyn Error + Send + Sync + 'static;
type OwnedError = dyn Error + Send + 'static;

/// An error that tells its sources.
impl<T, E: Error + 'static> Decides for &&&&&&ProcessResult<'_, Result<T, E>> {
    #[inline(always)]
    fn decide(&self) {
        if let Err(error) = self.0 {
            by_error(error);
        }
    }
}

/// The errors of `anyhow` and `eyre`, and boxed errors.
impl<T, E: AsRef<SharedError>> Decides for &&&&&ProcessResult<'_, Result<T, E>> {
    #[inline(always)]
    fn decide(&self) {
        if let Err(error) = self.0 {
            by_error(error.as_ref());
        }
    }
}

/// Boxed errors that are not `Sync`.
impl<T, E: AsRef<OwnedError>> Decides for &&&&ProcessResult<'_, Result<T, E>> {
    #[inline(always)]
    fn decide(&self) {
        if let Err(error) = self.0 {
            by_error(error.as_ref());
        }
    }
}

/// Text, and types of which no more is known than their text.
impl<T, E: Display + 'static> Decides for &&&ProcessResult<'_, Result<T, E>> {
    #[inline(always)]
    fn decide(&self) {
        if let Err(error) = self.0 {
            by_value(error, &|| error.to_string());
        }
    }
}

impl<T, E: Debug + 'static> Decides for &&ProcessResult<'_, Result<T, E>> {
    #[inline(always)]
    fn decide(&self) {
        if let Err(error) = self.0 {
            by_value(error, &|| format!("{error:?}"));
        }
    }
}

impl<T, E: 'static> Decides for &ProcessResult<'_, Result<T, E>> {
    #[inline(always)]
    fn decide(&self) {
        if let Err(error) = self.0 {
            by_value(error, &|| text_of(error));
        }
    }
}

/// Every other result decides nothing.
impl<R> Decides for ProcessResult<'_, R> {
    #[inline(always)]
    fn decide(&self) {}
}

#[cold]
fn by_error(error: &(dyn Error + 'static)) {
    decide(|| termination_in(error), || with_sources(error));
}

/// Decides by an error of a type that need not be known to be one where the process is defined. A generic function may know
/// nothing of its error type, which is a usual one all the same.
#[cold]
fn by_value(error: &dyn Any, text: &dyn Fn() -> String) {
    match known(error) {
        Some(error) => by_error(error),
        None => decide(|| None, text),
    }
}

fn known(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    macro_rules! one_of {
        ($($known:ty),*) => {
            $(if let Some(error) = error.downcast_ref::<$known>() {
                return Some(error);
            })*
        };
    }
    one_of!(Termination, Poison, Cause, Failure, GaveUp, io::Error);
    if let Some(error) = error.downcast_ref::<Box<SharedError>>() {
        return Some(&**error);
    }
    error.downcast_ref::<Box<OwnedError>>().map(|error| &**error as _)
}

/// Returns the text of a value of which nothing is known at compile time.
fn text_of<E: 'static>(error: &E) -> String {
    let error: &dyn Any = error;
    let text = error.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| error.downcast_ref::<&str>().copied());
    text.map_or_else(|| format!("an error of the type `{}`", type_name::<E>()), str::to_owned)
}

/// Decides by the end of a channel that stands in the error, or else by its text. Both are the user's code, which may panic.
fn decide(ended: impl FnOnce() -> Option<Termination>, text: impl FnOnce() -> String) {
    let context = park::current();
    if context.retiring().on_error() {
        return;
    }
    let ended = quietly::catch(ended).unwrap_or_default();
    context.returns(ended.unwrap_or_else(|| {
        // A poison that stops the process is the first cause.
        let poison = context.poison().unwrap_or_else(|| {
            let message = quietly::catch(text);
            let message = message.unwrap_or_else(|_| "an error whose text panicked".to_owned());
            Poison::new(Cause::Error { process: context.path(), message })
        });
        Termination::Poisoned(poison)
    }));
}
