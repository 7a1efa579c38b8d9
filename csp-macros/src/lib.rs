//! The macros of `csp`: tokens in, a call to `csp::__private` out.
//!
//! Each goes the same way: the model parses, `validate` judges, `expand` prints; when something is wrong, `fallback` prints what
//! keeps the constructor defined, so that one mistake gives one error.

mod alternation;
mod blocking;
mod diagnostics;
mod entry;
mod function;
mod keeping;
mod options;
mod process;
mod spans;

use proc_macro::TokenStream;

use alternation::Order;
use process::Kind;

/// Turns a function into the constructor of a process: `f(a, b)` no longer runs the body but gives a `Process<(A, B), R>`, a
/// value that does nothing until it is run.
///
/// The body owns its arguments; they and the result are `Send + 'static`, whatever the process will run on.
///
/// An `async fn` is a process without a stack: a future, which awaits where others wait, by operations that have `_async`
/// behind their names. It meets the others on the same channels. What it keeps over an `.await` need not be `Send`, for it stays
/// on its thread.
///
/// Options, all of them optional:
///
/// - `name = "…"`: one step of the paths in which the process is named; the function's name unless said.
/// - `on = coroutine | thread | subprocess`: what it runs on; coroutines unless said, where they are compiled in, else threads.
/// - `stack = "64 KiB"`: the size of its stack, a whole number of `B`, `KiB` or `MiB`.
/// - `daemon`: it does not keep the network alive.
/// - `on_panic = poison | retire`: what becomes of the ends it held if it panics; `poison` unless said.
/// - `crate = path`: where the library is, if not at `::csp`.
///
/// The idea is PyCSP's `@process`.
///
/// ```
/// use csp::{Channel, Reader, Writer, parallel, process};
///
/// #[process]
/// fn producer(out: Writer<u64>, limit: u64) -> csp::Result {
///     for n in 0..limit {
///         out.write(n)?;
///     }
///     Ok(()) // `out` is dropped: this end retires
/// }
///
/// #[process(stack = "128 KiB", on_panic = retire)]
/// fn consumer<T: std::iter::Sum + Send + 'static>(input: Reader<T>) -> T {
///     input.iter().sum()
/// }
///
/// #[process]
/// async fn doubles(input: Reader<u64>, out: Writer<u64>) -> csp::Result {
///     loop {
///         out.write_async(2 * input.read_async().await?).await?;
///     }
/// }
///
/// let (plain, doubled) = (Channel::new(), Channel::new());
/// let (.., sum) = parallel!(
///     producer(plain.writer(), 4),
///     doubles(plain.reader(), doubled.writer()),
///     consumer(doubled.reader()),
/// );
/// assert_eq!(sum, 12);
/// ```
#[proc_macro_attribute]
pub fn process(options: TokenStream, item: TokenStream) -> TokenStream {
    process::attribute(Kind::Process, options.into(), item.into()).into()
}

/// Turns a function into the constructor of a process that runs in an OS process of its own where the feature `subprocess` is
/// on, and like [`macro@process`] where it is not. Options as there; `on = …` and `.on(…)` have it run elsewhere all the same.
///
/// With the feature, arguments and result are `Serialize + DeserializeOwned` (of serde): they are packed up, and made anew in the other OS
/// process, while the originals of the arguments are dropped. A generic function says so of its parameters.
///
/// The child is the same executable, started again and caught ahead of `main`, with the same command line, environment and working
/// folder; its standard input is empty. It ends when the function has returned and all that it spawned has ended, or at once with its
/// parent. If it ends otherwise (it panics, exits, aborts, or is killed) the process has failed, and says how.
///
/// The idea is PyCSP's `@multiprocess`.
///
/// ```
/// # use csp::{multiprocess, parallel};
/// #[multiprocess]
/// fn count(text: String) -> usize {
///     text.chars().count()
/// }
///
/// # #[csp::main]
/// # fn main() {
/// let (lengths,) = parallel!(3 * count("abc".into()));
/// assert_eq!(lengths, [3, 3, 3]);
/// # }
/// ```
#[proc_macro_attribute]
pub fn multiprocess(options: TokenStream, item: TokenStream) -> TokenStream {
    process::attribute(Kind::Multiprocess, options.into(), item.into()).into()
}

/// Makes a function without arguments the process `main`: it returns after all that it spawned has ended, and is where the
/// child of a `#[multiprocess]` takes over.
///
/// When it has ended, what it leaves behind is named on standard error: processes that are still alive, but for daemons;
/// channels with values that nobody has read; and, in a build with debug assertions, ends that nobody has used. All
/// that one line of the program makes count as one, and an end was of use, too, if somebody was told by its drop that the
/// channel had retired. `CSP_LEAKS=off` in the environment says that nobody wants to know.
///
/// Options:
///
/// - `dump_on_signal`: `SIGQUIT` (`ctrl-\`) and `SIGUSR1` print [`csp::network()`] on standard error, and the program goes on.
///   `CSP_DUMP` in the environment says how: `text`, unless it is `dot`, `mermaid` or `json`. On Unix.
/// - `leaks = allow`: what is left behind is not mentioned.
/// - `crate = path`: where the library is, if not at `::csp`.
///
/// [`csp::network()`]: https://docs.rs/csp/latest/csp/fn.network.html
///
/// ```
/// # use csp::{process, spawn};
/// #[process]
/// fn greet(name: &'static str) {
///     println!("hello, {name}");
/// }
///
/// #[csp::main]
/// fn main() {
///     let _greeting = spawn(greet("world")); // has ended before the program does
/// }
/// ```
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    entry::attribute(entry::Kind::Main, options.into(), item.into()).into()
}

/// Makes a function without arguments a test, and a process: it runs on a thread of its own, and has ended when all has that it
/// spawned.
///
/// It fails, beside of what else makes tests fail, if it takes too long, with the state of the network; and if it leaves something
/// behind: see [`macro@main`].
///
/// Options:
///
/// - `limit = "90 s"`: how long it may take, a whole number of `ms`, `s` or `min`; a minute unless said. `CSP_TEST_LIMIT` in the
///   environment, in seconds, goes for all.
/// - `leaks = allow`: to leave something behind is no failure.
/// - `crate = path`: where the library is, if not at `::csp`.
///
/// ```
/// # use csp::{Channel, Reader, parallel, process};
/// #[process]
/// fn sum(numbers: Reader<u32>) -> u32 {
///     numbers.iter().sum()
/// }
///
/// #[csp::test]
/// fn numbers_are_added() -> csp::Result {
///     let numbers = Channel::buffered(3);
///     let out = numbers.writer();
///     for n in 1..=3 {
///         out.write(n)?;
///     }
///     drop(out);
///     assert_eq!(parallel!(sum(numbers.reader())).0, 6);
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    entry::attribute(entry::Kind::Test, options.into(), item.into()).into()
}

/// Puts the body of a function into `csp::io`: called by a coroutine, it runs on another thread while the process waits and
/// the others of its thread go on. The one option is `crate = path`.
///
/// The signature stays what it is; arguments may be borrowed. They are `Send`, and so is the result.
///
/// The idea is PyCSP's `@io`.
///
/// ```
/// # use csp::{parallel, process};
/// #[csp::io]
/// fn load(path: &str) -> std::io::Result<String> {
///     std::fs::read_to_string(path)
/// }
///
/// #[process]
/// fn size(path: String) -> usize {
///     load(&path).map_or(0, |text| text.len())
/// }
///
/// let (there, missing) = parallel!(size("Cargo.toml".into()), size("no such file".into()));
/// assert!(there > 0 && missing == 0);
/// ```
#[proc_macro_attribute]
pub fn io(options: TokenStream, item: TokenStream) -> TokenStream {
    blocking::attribute(options.into(), item.into()).into()
}

/// `csp::alt!`; documented there.
#[doc(hidden)]
#[proc_macro]
pub fn alt(tokens: TokenStream) -> TokenStream {
    alternation::function_like(Order::Fair, tokens.into()).into()
}

/// `csp::pri_alt!`; documented there.
#[doc(hidden)]
#[proc_macro]
pub fn pri_alt(tokens: TokenStream) -> TokenStream {
    alternation::function_like(Order::Priority, tokens.into()).into()
}
