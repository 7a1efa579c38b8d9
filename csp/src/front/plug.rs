//! Ready-made processes: the small parts that networks are plugged together from.
//!
//! They are the `plugNplay` of PyCSP and JCSP, and occam's before. Each takes its inputs first,
//! then its outputs, then its other arguments. It runs until a read or a write finds that its
//! channel has ended. It returns that termination, so its other ends retire, or are poisoned if it
//! was poison. A process finds out at its next write that an output has ended. It reads nothing
//! before it has written the result of the last value.
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

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Add;

use crate::{Alternation, Reader, Termination, Writer, alt, process};

/// Writes the values that it reads: a place in a pipeline.
///
/// Two in a row hold two values, whereas one channel holds none. So a buffer is built from
/// processes (JCSP `Identity`, PyCSP `Identity`).
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

/// Writes `first`, and from then on the values that it reads. It gets a loop of processes going
/// (JCSP `Prefix`, PyCSP `Prefix`).
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
/// One is `T::from(true)`, which every number type of the language has. A sum that does not fit panics
/// or wraps around, as `+` does in this build of the program.
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

/// Writes the values that it reads to both outputs, in whichever order they are read (JCSP `Delta2`,
/// PyCSP `Delta2`).
///
/// Each value is offered to both at once, and the next is read when both have been taken. So a
/// process may read the two outputs in any order. When one output has ended, a value still offered
/// to the other is delivered before the process ends.
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

/// Writes the sums of the values that it reads from its two inputs, in whichever order they are
/// written (JCSP `Plus`, PyCSP `Plus`).
///
/// A value from each input makes a sum. The process ends with either input. A value of the other that
/// it has read already is lost with it.
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

/// Writes the sum of each two neighbours that it reads (JCSP `Pairs`, PyCSP `Pairs`). It makes
/// `a + b, b + c, …` of `a, b, c, …`.
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
/// It goes on until both inputs have retired. Before it ends it has written all values that it has
/// read from either.
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

/// Writes each value that it reads to all outputs, in whichever order they are read (JCSP `DynamicDelta`).
///
/// Each value is offered to all outputs at once, and the next is read when all have taken it. So the slowest reader sets the pace. An
/// output that retires is left out from then on, and the process ends with the last of them. Poison of any output ends it.
///
/// Readers that must not hold up the others get a buffer each that drops values: [`overwrite_oldest`], [`overwrite_newest`] or
/// [`overflow`].
///
/// ```
/// use csp::{Channel, plug, spawn};
///
/// let (news, subscribers) = (Channel::new(), 3 * Channel::new());
/// let outputs = subscribers.iter().map(Channel::writer).collect();
/// spawn(plug::broadcast(news.reader(), outputs));
/// let subscribers: Vec<_> = subscribers.iter().map(Channel::reader).collect();
///
/// let news = news.writer();
/// news.write("rain")?;
/// for subscriber in subscribers.iter().rev() {
///     assert_eq!(subscriber.read()?, "rain");
/// }
/// # Ok::<(), csp::Termination>(())
/// ```
#[process(crate = crate)]
pub fn broadcast<T>(input: Reader<T>, outputs: Vec<Writer<T>>) -> crate::Result
where
    T: Clone + Send + 'static,
{
    let value = RefCell::new(None);
    // Which output has taken the value.
    let count = outputs.len();
    let mut choice = Alternation::new();
    for (index, output) in outputs.into_iter().enumerate() {
        let copy = || value.borrow().clone().expect("a value is offered after it was read");
        choice.write(output, copy, move || index);
    }
    loop {
        value.replace(Some(input.read()?));
        let mut taken = 0;
        (0..count).for_each(|index| choice.set_enabled(index, true));
        while taken < count {
            match choice.choose() {
                Ok(index) => choice.set_enabled(index, false),
                // Those that have not taken it have retired.
                Err(Termination::Retired) if taken > 0 => break,
                Err(termination) => return Err(termination),
            }
            taken += 1;
        }
        if count == 0 {
            return Err(Termination::Retired);
        }
    }
}

/// Keeps the last `capacity` values for a slow reader: when it is full, a new value replaces the oldest (JCSP
/// `OverWriteOldestBuffer`).
///
/// Its writer never waits for its reader. With a capacity of 1 it is the latest value, as of a sensor. When the input has retired, it
/// writes what it has kept, and then ends.
///
/// ```
/// use csp::{Channel, plug, spawn};
///
/// let (positions, latest) = (Channel::new(), Channel::new());
/// spawn(plug::overwrite_oldest(positions.reader(), latest.writer(), 1));
/// let (positions, latest) = (positions.writer(), latest.reader());
/// for position in 1..=100 {
///     positions.write(position)?; // returns though nobody reads
/// }
/// assert_eq!(latest.read()?, 100);
/// # Ok::<(), csp::Termination>(())
/// ```
///
/// # Panics
/// Panics if the capacity is 0.
#[process(crate = crate)]
pub fn overwrite_oldest<T: Send + 'static>(
    input: Reader<T>,
    output: Writer<T>,
    capacity: usize,
) -> crate::Result {
    keep(&input, &output, capacity, |kept, value| {
        kept.pop_front();
        kept.push_back(value);
    })
}

/// Keeps the first `capacity - 1` values and the last one for a slow reader: when it is full, a new value replaces the newest (JCSP
/// `OverWritingBuffer`).
///
/// In all else it is like [`overwrite_oldest`].
///
/// ```
/// use csp::{Channel, plug, spawn};
///
/// let (values, kept) = (Channel::new(), Channel::new());
/// spawn(plug::overwrite_newest(values.reader(), kept.writer(), 3));
/// let (values, kept) = (values.writer(), kept.reader());
/// for value in 1..=100 {
///     values.write(value)?;
/// }
/// values.retire();
/// assert_eq!(kept.iter().collect::<Vec<_>>(), [1, 2, 100]);
/// # Ok::<(), csp::Termination>(())
/// ```
///
/// # Panics
/// Panics if the capacity is 0.
#[process(crate = crate)]
pub fn overwrite_newest<T: Send + 'static>(
    input: Reader<T>,
    output: Writer<T>,
    capacity: usize,
) -> crate::Result {
    keep(&input, &output, capacity, |kept, value| {
        kept.pop_back();
        kept.push_back(value);
    })
}

/// Keeps the first `capacity` values for a slow reader: when it is full, a new value is dropped (JCSP `OverFlowingBuffer`).
///
/// In all else it is like [`overwrite_oldest`].
///
/// ```
/// use csp::{Channel, plug, spawn};
///
/// let (values, kept) = (Channel::new(), Channel::new());
/// spawn(plug::overflow(values.reader(), kept.writer(), 3));
/// let (values, kept) = (values.writer(), kept.reader());
/// for value in 1..=100 {
///     values.write(value)?;
/// }
/// values.retire();
/// assert_eq!(kept.iter().collect::<Vec<_>>(), [1, 2, 3]);
/// # Ok::<(), csp::Termination>(())
/// ```
///
/// # Panics
/// Panics if the capacity is 0.
#[process(crate = crate)]
pub fn overflow<T: Send + 'static>(
    input: Reader<T>,
    output: Writer<T>,
    capacity: usize,
) -> crate::Result {
    keep(&input, &output, capacity, |_, value| drop(value))
}

/// Takes every value at once, and gives the kept ones on. If there is no room, `crowd` decides what is dropped.
fn keep<T>(
    input: &Reader<T>,
    output: &Writer<T>,
    capacity: usize,
    crowd: impl Fn(&mut VecDeque<T>, T),
) -> crate::Result {
    assert!(capacity > 0, "a buffer keeps a value at least: its capacity is 0");
    let mut kept = VecDeque::new();
    loop {
        alt! {
            value = input.read() => match kept.len() < capacity {
                true => kept.push_back(value),
                false => crowd(&mut kept, value),
            },
            if !kept.is_empty(), output.write_with(|| kept.pop_front().expect("it keeps one")) => {}
            retired(input) => {
                kept.drain(..).try_for_each(|value| output.write(value))?;
                return Err(Termination::Retired);
            }
            retired(output) => return Err(Termination::Retired),
        }?;
    }
}
