//! The results of several processes as one result.

use crate::report::termination::{Result, Termination};

/// The results of processes, as [`parallel!`](crate::parallel) and its kin return them: tuples, `Vec`s, arrays and `Option`s of
/// `Result`s. Methods make one `Result` of them, for `?`.
///
/// | | is for | gives |
/// |---|---|---|
/// | [`no_error`](Self::no_error) | workers, whose normal end is `Err(Retired)` | `()`, or the first error that is no retirement |
/// | [`all_ok`](Self::all_ok) | results with values and one error type | the values, or the first error |
/// | [`all_ok_as`](Self::all_ok_as) | results with values and several error types | the values, or the first error, converted |
///
/// The first error is that of the first part in the order of the source, whichever process ended first. If one process fails,
/// the poison of its channels is often the error of the others, and has the same cause.
///
/// ```
/// use csp::{Channel, Reader, Results, Writer, parallel, process};
///
/// #[process]
/// fn source(out: Writer<u32>) -> csp::Result {
///     (0..9).try_for_each(|n| Ok(out.write(n)?))
/// }
/// #[process]
/// fn worker(input: Reader<u32>, out: Writer<u32>) -> csp::Result {
///     loop {
///         out.write(10 * input.read()?)?;
///     }
/// }
/// #[process]
/// fn sink(input: Reader<u32>) -> csp::Result {
///     for value in &input {
///         println!("{value}");
///     }
///     input.termination().map_or(Ok(()), Err)
/// }
///
/// #[csp::main]
/// fn main() -> csp::Result {
///     let (a, b) = (Channel::new(), Channel::new());
///     parallel!(
///         source(a.writer()),
///         4 * worker(a.reader(), b.writer()),
///         sink(b.reader()),
///     )
///     .no_error()
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "each part must be a `Result`: `{Self}` is none",
    note = "a process that returns a plain value has no error to pass on: let it return `Ok(value)`, or take its value out of the tuple"
)]
pub trait Results: Sized {
    /// The values: the same tuples and `Vec`s, without the `Result`s.
    type Values;

    /// Returns all values, or the first error. All parts have one error type.
    ///
    /// ```
    /// use csp::{Results, parallel, process};
    ///
    /// #[process]
    /// fn length(path: &'static str) -> std::io::Result<u64> {
    ///     Ok(std::fs::metadata(path)?.len())
    /// }
    ///
    /// # fn both() -> std::io::Result<()> {
    /// let (one, others) = parallel!(length("/dev/null"), 2 * length("/dev/zero")).all_ok()?;
    /// assert_eq!((one, others), (0, vec![0, 0]));
    /// # Ok(())
    /// # }
    /// # both().unwrap();
    /// assert!(parallel!(length("/dev/null"), length("/no/such/file")).all_ok().is_err());
    /// ```
    fn all_ok(self) -> Result<Self::Values, <Self as OneError>::Error>
    where
        Self: OneError + ErrorsInto<<Self as OneError>::Error>,
    {
        self.all_into()
    }

    /// Returns all values, or the first error, as an `E`.
    ///
    /// ```
    /// use csp::{Channel, Reader, Results, Writer, parallel, process};
    ///
    /// #[process]
    /// fn source(out: Writer<u32>) -> csp::Result {
    ///     Ok(out.write(7)?)
    /// }
    /// #[process]
    /// fn parsed(text: &'static str) -> Result<u32, std::num::ParseIntError> {
    ///     text.parse()
    /// }
    ///
    /// # fn both() -> anyhow::Result<()> {
    /// let numbers = Channel::buffered(1);
    /// # let _reader = numbers.reader();
    /// let ((), number) = parallel!(source(numbers.writer()), parsed("12")).all_ok_as::<anyhow::Error>()?;
    /// assert_eq!(number, 12);
    /// # Ok(())
    /// # }
    /// # both().unwrap();
    /// ```
    fn all_ok_as<E>(self) -> Result<Self::Values, E>
    where
        Self: ErrorsInto<E>,
    {
        self.all_into()
    }

    /// Returns `Ok(())` if each part ended well or by retirement, and else the first other error.
    ///
    /// ```
    /// use csp::{Channel, Reader, Results, Termination, Writer, parallel, process};
    ///
    /// #[process]
    /// fn source(out: Writer<u32>) -> csp::Result {
    ///     Ok(out.write(7)?)
    /// }
    /// #[process]
    /// fn reader(input: Reader<u32>, most: u32) -> csp::Result {
    ///     loop {
    ///         if input.read()? > most {
    ///             input.poison("too much");
    ///         }
    ///     }
    /// }
    ///
    /// let numbers = Channel::new();
    /// let ended = parallel!(source(numbers.writer()), reader(numbers.reader(), 9)).no_error();
    /// assert_eq!(ended, Ok(()));
    ///
    /// let numbers = Channel::new();
    /// let ended = parallel!(source(numbers.writer()), reader(numbers.reader(), 5)).no_error();
    /// assert!(matches!(ended, Err(Termination::Poisoned(_))));
    /// ```
    fn no_error(self) -> Result
    where
        Self: ErrorsInto<Termination>,
    {
        let mut first = None;
        self.each_error(&mut |error| {
            if error != Termination::Retired {
                first.get_or_insert(error);
            }
        });
        first.map_or(Ok(()), Err)
    }
}

/// [`Results`] whose parts all have one error type.
#[diagnostic::on_unimplemented(
    message = "the parts of `{Self}` have different error types",
    note = "`all_ok_as::<E>()` turns each error into an `E`"
)]
pub trait OneError: Results {
    /// The error type.
    type Error;
}

/// [`Results`] whose errors all can be turned into an `E`.
#[diagnostic::on_unimplemented(
    message = "an error among `{Self}` can't be turned into a `{E}`",
    note = "each part must be a `Result` whose error type has `Into<{E}>`"
)]
pub trait ErrorsInto<E>: Results {
    #[doc(hidden)]
    fn all_into(self) -> Result<Self::Values, E>;
    #[doc(hidden)]
    fn each_error(self, tell: &mut dyn FnMut(E));
}

impl<T, E> Results for Result<T, E> {
    type Values = T;
}

impl<T, E> OneError for Result<T, E> {
    type Error = E;
}

impl<T, E, X: Into<E>> ErrorsInto<E> for Result<T, X> {
    fn all_into(self) -> Result<T, E> {
        self.map_err(Into::into)
    }

    fn each_error(self, tell: &mut dyn FnMut(E)) {
        if let Err(error) = self {
            tell(error.into());
        }
    }
}

impl<P: Results> Results for Vec<P> {
    type Values = Vec<P::Values>;
}

impl<P: OneError> OneError for Vec<P> {
    type Error = P::Error;
}

impl<E, P: ErrorsInto<E>> ErrorsInto<E> for Vec<P> {
    fn all_into(self) -> Result<Self::Values, E> {
        self.into_iter().map(ErrorsInto::all_into).collect()
    }

    fn each_error(self, tell: &mut dyn FnMut(E)) {
        self.into_iter().for_each(|part| part.each_error(tell));
    }
}

impl<P: Results> Results for Option<P> {
    type Values = Option<P::Values>;
}

impl<P: OneError> OneError for Option<P> {
    type Error = P::Error;
}

impl<E, P: ErrorsInto<E>> ErrorsInto<E> for Option<P> {
    fn all_into(self) -> Result<Self::Values, E> {
        self.map(ErrorsInto::all_into).transpose()
    }

    fn each_error(self, tell: &mut dyn FnMut(E)) {
        self.into_iter().for_each(|part| part.each_error(tell));
    }
}

impl<P: Results, const N: usize> Results for [P; N] {
    type Values = [P::Values; N];
}

impl<P: OneError, const N: usize> OneError for [P; N] {
    type Error = P::Error;
}

impl<E, P: ErrorsInto<E>, const N: usize> ErrorsInto<E> for [P; N] {
    fn all_into(self) -> Result<Self::Values, E> {
        let values = Vec::from(self).all_into()?;
        Ok(values.try_into().unwrap_or_else(|_| unreachable!("as many as before")))
    }

    fn each_error(self, tell: &mut dyn FnMut(E)) {
        self.into_iter().for_each(|part| part.each_error(tell));
    }
}

macro_rules! tuples {
    ($first:ident $($part:ident)*) => {
        impl<$first: Results $(, $part: Results)*> Results for ($first, $($part,)*) {
            type Values = ($first::Values, $($part::Values,)*);
        }

        impl<$first: OneError $(, $part: OneError<Error = $first::Error>)*> OneError
            for ($first, $($part,)*)
        {
            type Error = $first::Error;
        }

        #[allow(non_snake_case, reason = "a part is named as its type")]
        impl<To, $first: ErrorsInto<To> $(, $part: ErrorsInto<To>)*> ErrorsInto<To>
            for ($first, $($part,)*)
        {
            fn all_into(self) -> Result<Self::Values, To> {
                let ($first, $($part,)*) = self;
                Ok(($first.all_into()?, $($part.all_into()?,)*))
            }

            fn each_error(self, tell: &mut dyn FnMut(To)) {
                let ($first, $($part,)*) = self;
                $first.each_error(tell);
                $($part.each_error(tell);)*
            }
        }

        tuples!($($part)*);
    };
    () => {};
}

tuples!(A B C D E F G H I J K L M N O P Q R S T U V W X Y);
