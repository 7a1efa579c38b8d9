//! Ready-made processes: the small parts that networks are plugged together from.
//!
//! They are the `plugNplay` of PyCSP and JCSP, and occam's before. Each takes its inputs first, then its outputs, then what
//! else it needs, and runs until a read or a write finds that its channel has ended. It returns that termination, so its
//! other ends retire, or are poisoned if it was poison. That an output has ended it finds out at its next write. It reads
//! nothing before it has written what it made of the last.
//!
//! ```
//! use csp::{Channel, plug, spawn};
//!
//! // The numbers 0, 1, 2, … out of a loop of three processes.
//! let (a, b, c, numbers) = (Channel::new(), Channel::new(), Channel::new(), Channel::new());
//! spawn(plug::prefix(c.reader(), a.writer(), 0));
//! spawn(plug::delta2(a.reader(), b.writer(), numbers.writer()));
//! spawn(plug::successor(b.reader(), c.writer()));
//!
//! let numbers: Vec<u32> = numbers.reader().iter().take(4).collect();
//! assert_eq!(numbers, [0, 1, 2, 3]);
//! ```

use std::ops::Add;

use crate::{Reader, Termination, Writer, alt, process};

/// Writes what it reads: a place in a pipeline.
///
/// Two in a row hold two values, where one channel holds none: that is how a buffer is built from processes (JCSP
/// `Identity`, PyCSP `Identity`).
///
/// ```
/// use csp::{Channel, plug, spawn};
///
/// let (input, output) = (Channel::new(), Channel::new());
/// spawn(plug::identity(input.reader(), output.writer()));
/// let (input, output) = (input.writer(), output.reader());
///
/// input.write("a")?; // returns though nobody has read `output` yet
/// assert_eq!(output.read()?, "a");
/// # Ok::<(), csp::Termination>(())
/// ```
#[process(crate = crate)]
pub fn identity<T: Send + 'static>(input: Reader<T>, output: Writer<T>) -> crate::Result {
    loop {
        output.write(input.read()?)?;
    }
}

/// Writes `first`, and from then on what it reads: it gets a loop of processes going (JCSP `Prefix`, PyCSP
/// `Prefix`).
///
/// ```
/// use csp::{Channel, plug, spawn};
///
/// let (input, output) = (Channel::new(), Channel::new());
/// spawn(plug::prefix(input.reader(), output.writer(), 0));
/// let (input, output) = (input.writer(), output.reader());
///
/// assert_eq!(output.read()?, 0);
/// input.write(1)?;
/// assert_eq!(output.read()?, 1);
/// # Ok::<(), csp::Termination>(())
/// ```
#[process(crate = crate)]
pub fn prefix<T: Send + 'static>(input: Reader<T>, output: Writer<T>, first: T) -> crate::Result {
    output.write(first)?;
    loop {
        output.write(input.read()?)?;
    }
}

/// Drops the first value it reads and writes the others: undoes a [`prefix`] (JCSP `Tail`, PyCSP `Tail`).
///
/// ```
/// use csp::{Channel, plug, spawn};
///
/// let (input, output) = (Channel::buffered(3), Channel::new());
/// spawn(plug::tail(input.reader(), output.writer()));
/// let input = input.writer();
/// for letter in ["a", "b", "c"] {
///     input.write(letter)?;
/// }
/// input.retire();
///
/// let letters: Vec<_> = output.reader().iter().collect();
/// assert_eq!(letters, ["b", "c"]);
/// # Ok::<(), csp::Termination>(())
/// ```
#[process(crate = crate)]
pub fn tail<T: Send + 'static>(input: Reader<T>, output: Writer<T>) -> crate::Result {
    input.read()?;
    loop {
        output.write(input.read()?)?;
    }
}

/// Writes each number it reads, plus one (JCSP `Successor`, PyCSP `Successor`).
///
/// One is `T::from(true)`, which every number type of the language has. A sum that does not fit is what it is for
/// `+`: a panic, or wrapped around, as the program was built.
///
/// ```
/// use csp::{Channel, plug, spawn};
///
/// let (input, output) = (Channel::new(), Channel::new());
/// spawn(plug::successor(input.reader(), output.writer()));
/// let (input, output) = (input.writer(), output.reader());
///
/// input.write(41)?;
/// assert_eq!(output.read()?, 42);
/// # Ok::<(), csp::Termination>(())
/// ```
#[process(crate = crate)]
pub fn successor<T>(input: Reader<T>, output: Writer<T>) -> crate::Result
where
    T: Add<Output = T> + From<bool> + Send + 'static,
{
    loop {
        output.write(input.read()? + T::from(true))?;
    }
}

/// Writes what it reads to both outputs, in whichever order they are read (JCSP `Delta2`, PyCSP `Delta2`).
///
/// Each value is offered to both at once, and the next is read when both have been taken. So whoever reads the
/// two outputs may do so in any order. When one output has ended, a value still offered to the other is delivered
/// before the process ends.
///
/// ```
/// use csp::{Channel, plug, spawn};
///
/// let (input, left, right) = (Channel::new(), Channel::new(), Channel::new());
/// spawn(plug::delta2(input.reader(), left.writer(), right.writer()));
/// let (input, left, right) = (input.writer(), left.reader(), right.reader());
///
/// input.write(1)?;
/// assert_eq!((left.read()?, right.read()?), (1, 1));
/// input.write(2)?;
/// assert_eq!((right.read()?, left.read()?), (2, 2));
/// # Ok::<(), csp::Termination>(())
/// ```
#[process(crate = crate)]
pub fn delta2<T>(input: Reader<T>, first: Writer<T>, second: Writer<T>) -> crate::Result
where
    T: Clone + Send + 'static,
{
    loop {
        let value = input.read()?;
        let copy = value.clone();
        alt! {
            first.write(copy)  => second.write(value)?,
            second.write(copy) => first.write(value)?,
        }?;
    }
}

/// Writes the sums of what it reads from its two inputs, in whichever order they are written (JCSP `Plus`, PyCSP
/// `Plus`).
///
/// A value from each input makes a sum. The process ends with either input; a value of the other that it has
/// read already is lost with it.
///
/// ```
/// use csp::{Channel, plug, spawn};
///
/// let (left, right, sums) = (Channel::new(), Channel::new(), Channel::new());
/// spawn(plug::plus(left.reader(), right.reader(), sums.writer()));
/// let (left, right, sums) = (left.writer(), right.writer(), sums.reader());
///
/// left.write(1)?;
/// right.write(2)?;
/// assert_eq!(sums.read(), Ok(3));
/// right.write(3)?;
/// left.write(4)?;
/// assert_eq!(sums.read(), Ok(7));
/// # Ok::<(), csp::Termination>(())
/// ```
#[process(crate = crate)]
pub fn plus<A, B>(first: Reader<A>, second: Reader<B>, sums: Writer<A::Output>) -> crate::Result
where
    A: Add<B, Output: Send + 'static> + Send + 'static,
    B: Send + 'static,
{
    loop {
        let sum = alt! {
            a = first.read()  => a + second.read()?,
            b = second.read() => first.read()? + b,
            retired(first)    => return Err(Termination::Retired),
            retired(second)   => return Err(Termination::Retired),
        }?;
        sums.write(sum)?;
    }
}

/// Writes the sum of each two neighbours that it reads: of `a, b, c, …` it makes `a + b, b + c, …` (JCSP `Pairs`,
/// PyCSP `Pairs`).
///
/// ```
/// use csp::{Channel, plug, spawn};
///
/// let (input, sums) = (Channel::buffered(4), Channel::new());
/// spawn(plug::pairs(input.reader(), sums.writer()));
/// let input = input.writer();
/// for number in [1, 2, 3, 4] {
///     input.write(number)?;
/// }
/// input.retire();
///
/// let sums: Vec<_> = sums.reader().iter().collect();
/// assert_eq!(sums, [3, 5, 7]);
/// # Ok::<(), csp::Termination>(())
/// ```
#[process(crate = crate)]
pub fn pairs<T>(input: Reader<T>, sums: Writer<T::Output>) -> crate::Result
where
    T: Add<Output: Send + 'static> + Clone + Send + 'static,
{
    let mut last = input.read()?;
    loop {
        let next = input.read()?;
        sums.write(last + next.clone())?;
        last = next;
    }
}

/// Merges two streams into one, fairly: while both have values, neither gets in twice before the other (JCSP
/// `Multiplex`, PyCSP `Mux2`).
///
/// It goes on until both inputs have retired, and has written all it has read from either before it ends.
///
/// ```
/// use csp::{Channel, plug, spawn};
///
/// let (left, right, merged) = (Channel::new(), Channel::new(), Channel::new());
/// spawn(plug::mux2(left.reader(), right.reader(), merged.writer()));
/// let (left, right, merged) = (left.writer(), right.writer(), merged.reader());
///
/// left.write("l")?;
/// assert_eq!(merged.read()?, "l");
/// left.retire();
/// right.write("r")?;
/// assert_eq!(merged.read()?, "r");
/// # Ok::<(), csp::Termination>(())
/// ```
#[process(crate = crate)]
pub fn mux2<T: Send + 'static>(
    first: Reader<T>,
    second: Reader<T>,
    merged: Writer<T>,
) -> crate::Result {
    loop {
        let value = alt! {
            x = first.read()  => x,
            x = second.read() => x,
        }?;
        merged.write(value)?;
    }
}
