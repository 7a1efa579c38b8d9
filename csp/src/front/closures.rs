//! Closures as processes: the closure is the argument, and the body calls it.

use std::panic::Location;

use crate::process::Process;
use crate::process::code::Code;
use crate::process::definition::Definition;

static CLOSURE: Definition = Definition::of_all_kinds("closure");

/// Makes a process of a closure. The attribute of the same name makes one of a function.
///
/// The process is named by the place of this call: `main/main.rs:12:5`. [`named`](Process::named), [`on`](Process::on) and the
/// other methods work, and so does `n * csp::process(…)`. It clones the closure, and a cloned end is a new end of its channel.
/// A closure cannot run in another OS process.
///
/// The ends that a closure captures are dropped when it returns or panics. A panic poisons them, as those of a function. An error that
/// the closure returns only retires them, because they are dropped before the result is seen. The library does not see what it captures, so these ends have no known holder. If all processes wait for one another, the
/// deadlock is found all the same. A deadlock of some processes, while others go on, is found only if functions with
/// `#[process]` hold the ends. So larger networks are made of functions.
///
/// ```
/// use csp::{Channel, parallel, process};
///
/// let (numbers, squares) = (Channel::new(), Channel::new());
/// let (out, input, squared, results) =
///     (numbers.writer(), numbers.reader(), squares.writer(), squares.reader());
/// drop((numbers, squares));
/// let (.., sum) = parallel!(
///     process(move || (1..=4).try_for_each(|n| out.write(n))).named("source"),
///     2 * process(move || input.iter().try_for_each(|n| squared.write(n * n))),
///     process(move || results.iter().sum::<u32>()),
/// );
/// assert_eq!(sum, 30);
/// ```
#[track_caller]
pub fn process<F, R>(f: F) -> Process<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    closure(f, Code::new(|f: F| f()), Location::caller())
}

/// Makes an `async` process of a closure that returns a future: `async move || …`. See [`process`](fn@crate::process).
///
/// The closure is `Send`. The future stays on its thread, and need not be.
///
/// ```
/// use csp::{Channel, parallel, process_async};
///
/// let numbers = Channel::new();
/// let (out, input) = (numbers.writer(), numbers.reader());
/// drop(numbers);
/// let (_, sum) = parallel!(
///     process_async(async move || {
///         for n in 1..=4 {
///             out.write_async(n).await?;
///         }
///         Ok::<_, csp::Termination>(())
///     }),
///     process_async(async move || {
///         let mut sum = 0;
///         while let Ok(n) = input.read_async().await {
///             sum += n;
///         }
///         sum
///     }),
/// );
/// assert_eq!(sum, 10);
/// ```
#[track_caller]
pub fn process_async<F, P, R>(f: F) -> Process<F, R>
where
    F: FnOnce() -> P + Send + 'static,
    P: Future<Output = R> + 'static,
    R: Send + 'static,
{
    closure(f, Code::awaiting(|f: F| f()), Location::caller())
}

fn closure<F, R>(f: F, code: Code<F, R>, place: &Location<'_>) -> Process<F, R> {
    // A name is a step of a path, so it has no `/`.
    let file = place.file().rsplit(['/', '\\']).next().unwrap_or_default();
    let name = format!("{file}:{}:{}", place.line(), place.column());
    crate::front::private::process(&CLOSURE, f, code).named(name)
}
