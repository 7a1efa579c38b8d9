//! The macros of `csp`: tokens in, a call to `csp::__private` out.
//!
//! Each macro goes the same way. The model parses, `validate` judges, `expand` prints. After a mistake, `fallback` prints
//! a constructor all the same, so that one mistake gives one error.

mod alternation;
mod diagnostics;
mod function;
mod io;
mod keeping;
mod main_and_test;
mod options;
mod process;
#[cfg(test)]
mod shown;
mod spans;
mod tokens;

use proc_macro::TokenStream;

use alternation::Order;
use process::Kind;

/// Turns a function into the constructor of a process. `f(a, b)` then returns a `Process<(A, B), R>`, a value that does
/// nothing until it is run.
///
/// The body owns its arguments. The arguments and the result are `Send + 'static` on every backend.
///
/// An `async fn` is a process without a stack. It is a future, and awaits where other processes block, by operations whose
/// names end with `_async`. Both kinds meet on the same channels. A value that lives across an `.await` need not be `Send`,
/// because the future stays on its thread.
///
/// Options:
///
/// - `name = "…"`: the process's step in the paths that name processes. The default is the function's name.
/// - `on = coroutine | cores | thread | subprocess`: the backend. The default is coroutines, or threads in a build without
///   coroutines. In such a build `on = coroutine` is a thread too. If the library has no feature `cores`, `threads` or `subprocess`,
///   then `on = cores`, `on = thread` or `on = subprocess` is a compile error. With the feature `cores`, `on = coroutine` keeps a
///   process beside its parent, and `on = cores` deals replicas out to the schedulers of all cores when they start.
/// - `stack = "64 KiB"`: the size of its stack, a whole number of `B`, `KiB` or `MiB`.
/// - `daemon`: the process does not keep the network alive.
/// - `on_panic = poison | retire`: the fate of the ends that the process holds when it panics. The default is `poison`.
/// - `on_error = poison | retire`: the fate of these ends when it returns an error that is no end of a channel. The default is `poison`.
/// - `cpu_time = "10 s"`, `wall_time = "90 s"`, `memory = "512 MiB"`: limits of a process that is an OS process of its own.
/// - `crate = path`: the path of the library. The default is `::csp`.
///
/// Methods of an inherent `impl` are processes too, if they take `self` by value, or as `Box<Self>` or `Arc<Self>`. The object is
/// then the first argument, so it is `Send + 'static`, and each replica has a clone of it. The process has the method's name. A
/// function without `self` works like one outside the `impl`. If it uses generics of the `impl`, then it has to name `Self`,
/// because the attribute sees nothing of the `impl`. A method that implements a trait is not possible: rustc then says that the
/// method with the body is no member of the trait.
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
///
/// A method:
///
/// ```
/// use csp::{Channel, Reader, parallel, process};
///
/// struct Account {
///     orders: Reader<i64>,
///     balance: i64,
/// }
///
/// impl Account {
///     #[process]
///     fn run(mut self) -> i64 {
///         for order in &self.orders {
///             self.balance += order;
///         }
///         self.balance
///     }
/// }
///
/// let orders = Channel::new();
/// let (account, out) = (Account { orders: orders.reader(), balance: 10 }, orders.writer());
/// drop(orders);
/// let (sent, balance) =
///     parallel!(csp::process(move || [5, -3].into_iter().try_for_each(|n| out.write(n))), account.run());
/// assert_eq!((sent, balance), (Ok(()), 12));
/// ```
#[proc_macro_attribute]
pub fn process(options: TokenStream, item: TokenStream) -> TokenStream {
    process::attribute(Kind::Process, options.into(), item.into()).into()
}

/// Turns a function into the constructor of a process that runs in an OS process of its own.
///
/// This requires the feature `subprocess`. Without the feature, the process runs like one of [`macro@process`], as PyCSP's greenlets
/// do. A debug build then says so once on standard error. The options are the same, and `on = …` and `.on(…)` still choose another
/// backend. One option more, `isolated`, is for a function that may take its OS process down: without the feature it is a compile error.
///
/// With the feature, arguments and result are `Serialize + DeserializeOwned` (of serde). They are serialized and made anew in
/// the other OS process, and the originals of the arguments are dropped. A generic function states these bounds for its
/// parameters. A method with `self` cannot be one, because the child finds the function by its path.
///
/// The child is the same executable, started again and caught ahead of `main`. It has the same command line, environment and
/// working folder, and its standard input is empty. It ends when the function has returned and all processes that it spawned
/// have ended, or at once with its parent. If the child panics, exits, aborts or is killed, the process has failed, and the
/// failure says how.
///
/// If the function returns or panics, the channels that the child has made outlive it. Buffered values are still read, and
/// writers and readers elsewhere go on. The channels of a child that is killed are lost with it. Reads and writes then end
/// with [`Cause::Lost`](https://docs.rs/csp/latest/csp/enum.Cause.html).
///
/// A child is a process group of its own, so Ctrl-C reaches the parent only. It inherits no descriptor of its parent. The soft
/// limit of open descriptors is raised only while there are more children than it allows. Code in a library that the program
/// loaded at run time can have no child: such a process fails.
///
/// Serde's attributes work. Types with `untagged`, `tag` or `flatten`, and types that leave out fields, travel with the names
/// of their fields. All other types travel without names. A variant that serde skips must stand behind the other variants.
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

/// Turns a function without arguments into the process `main`. It returns after all processes that it spawned have ended.
/// The child of a `#[multiprocess]` takes over here.
///
/// At the end, the program reports its leaks on standard error:
///
/// - processes that are still alive, except daemons,
/// - channels with values that nobody has read,
/// - in a build with debug assertions, ends that nobody has used.
///
/// Leaks from the same line of the program count as one. An end also counts as used if its drop told another process that the
/// channel had retired. `CSP_LEAKS=off` in the environment turns the report off.
///
/// Options:
///
/// - `cores = 4`: how many cores coroutines use, with the feature `cores`. The default is all. `CSP_CORES` in the environment wins.
///   Without that feature, this option is a compile error.
/// - `dump_on_signal`: `SIGQUIT` (`ctrl-\`) and `SIGUSR1` print [`csp::network()`] on standard error, and the program goes on.
///   `CSP_DUMP` in the environment chooses the format: `text` (the default), `dot`, `mermaid` or `json`. Works on Unix.
/// - `leaks = allow`: leaks are not reported.
/// - `crate = path`: the path of the library. The default is `::csp`.
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
    main_and_test::attribute(main_and_test::Kind::Main, options.into(), item.into()).into()
}

/// Turns a function without arguments into a test that is a process. The test runs on a thread of its own, and ends after all
/// processes that it spawned have ended.
///
/// Beyond the usual reasons, the test fails if it takes too long, and then prints the state of the network. It also fails if it
/// leaks anything: see [`macro@main`].
///
/// Options:
///
/// - `cores = 4`: how many cores coroutines use, with the feature `cores`. The default is one, because tests then run in the same
///   order each time. Tests that ask for more share the cores of the program (`CSP_CORES`).
/// - `limit = "90 s"`: the time that the test may take, a whole number of `ms`, `s` or `min`. The default is a minute.
///   `CSP_TEST_LIMIT` in the environment, in seconds, holds for all tests.
/// - `leaks = allow`: a leak is no failure.
/// - `crate = path`: the path of the library. The default is `::csp`.
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
    main_and_test::attribute(main_and_test::Kind::Test, options.into(), item.into()).into()
}

/// Puts the body of a function into `csp::io`. If a coroutine calls the function, the body runs on another thread. Meanwhile
/// the process waits, and the other processes of its thread go on. The one option is `crate = path`.
///
/// The signature stays the same, and arguments may be borrowed. The arguments and the result are `Send`.
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
    io::attribute(options.into(), item.into()).into()
}

/// Expands `csp::alt!`, which is documented there.
#[doc(hidden)]
#[proc_macro]
pub fn alt(tokens: TokenStream) -> TokenStream {
    alternation::function_like(Order::Fair, tokens.into()).into()
}

/// Expands `csp::pri_alt!`, which is documented there.
#[doc(hidden)]
#[proc_macro]
pub fn pri_alt(tokens: TokenStream) -> TokenStream {
    alternation::function_like(Order::Priority, tokens.into()).into()
}
