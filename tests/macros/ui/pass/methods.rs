//! Methods, in all the forms that functions have, without a warning.

#![deny(warnings, missing_docs, unreachable_pub, unused, rust_2018_idioms, unused_qualifications)]
#![deny(unused_lifetimes, single_use_lifetimes, unused_results, elided_lifetimes_in_paths)]
#![forbid(unsafe_code)]

use csp::{Channel, Process, Reader, Writer, parallel, parallel_async, process, sequence};
use std::fmt::Debug;
use std::ops::{Add, AddAssign};
use std::sync::Arc;

type Ended<T = ()> = Result<T, csp::Termination>;

/// The whole state of a process.
pub struct Server {
    out: Writer<u32>,
    sent: u32,
}

impl Server {
    /// Borrows its state.
    #[process]
    pub fn send(self) -> csp::Result {
        Ok(self.out.write(self.sent)?)
    }

    /// Changes its state, and returns it.
    ///
    /// # Errors
    ///
    /// None of its own.
    #[process(name = "counts", stack = "64 KiB", on_panic = retire, on_error = retire)]
    pub(crate) fn count(mut self, (from, to): (u32, u32), _: u8) -> Ended<Self> {
        for n in from..to {
            self.out.write(n)?;
            self.sent += 1;
        }
        Ok(self)
    }

    #[process(on = thread, daemon)]
    fn taken_apart(self) -> Writer<u32> {
        let Self { out, .. } = self;
        out
    }

    #[process]
    async fn send_async(mut self, n: u32) -> Ended<u32> {
        self.sent += n;
        self.out.write_async(n).await?;
        Ok(self.sent)
    }

    #[process]
    async fn into_parts(self) -> (Writer<u32>, u32) {
        (self.out, self.sent)
    }

    #[process]
    async fn ignores_itself(self) {}

    #[process]
    fn for_ever(self) -> ! {
        loop {
            assert!(self.out.write(0).is_ok(), "the end");
        }
    }

    #[process]
    fn boxed(self: Box<Self>) -> u32 {
        self.sent
    }

    #[process]
    fn shared(self: Arc<Self>, others: Vec<Arc<Self>>) -> usize {
        others.iter().filter(|other| Arc::ptr_eq(other, &self)).count()
    }

    /// Has no `self`.
    #[process]
    fn made(out: Writer<u32>) -> Self {
        Self { out, sent: Self::FIRST }
    }

    /// Names its type in the body only.
    #[process]
    fn first() -> u32 {
        Self::FIRST
    }

    const FIRST: u32 = 7;

    #[cfg(any())]
    #[process]
    fn gone(self, x: NoSuchType) {}

    #[cfg(not(any()))]
    #[process]
    #[cfg_attr(not(any()), allow(unused_variables))]
    #[inline(never)]
    fn attributes(self, unused: u8) {}

    #[deprecated = "use another"]
    #[process]
    #[expect(unused_variables)]
    fn old(self, unused: u8) {}

    #[process]
    #[expect(dead_code)]
    fn never_called(self) {}

    #[process]
    #[expect(non_snake_case)]
    fn Shouts(self) {}

    #[process]
    fn conditional(self, #[cfg(any())] a: NoSuchType, #[cfg(not(any()))] b: u32, #[allow(unused_mut)] mut c: u32) -> u32 {
        b + c
    }

    /// Is not the program's.
    #[process]
    fn main(self) {}

    #[process]
    fn r#loop(self, r#in: u8) -> u8 {
        r#in
    }
}

/// Generic, with a `where` clause and a constant.
#[derive(Clone, Debug, PartialEq)]
struct Sum<T, const N: usize>
where
    T: Debug,
{
    parts: [T; N],
}

impl<T, const N: usize> Sum<T, N>
where
    T: Add<Output = T> + AddAssign + Default + Copy + Debug + Send + 'static,
{
    #[process]
    fn all(self) -> T {
        let mut sum = T::default();
        for part in self.parts {
            sum += part;
        }
        sum
    }

    #[process]
    fn converted<U, const M: usize>(self, by: fn(T) -> U) -> Result<[Sum<U, N>; M], String>
    where
        U: Debug + Send + 'static,
    {
        let made = || Sum { parts: self.parts.map(by) };
        if M == 0 { Err("there are none".to_owned()) } else { Ok(std::array::from_fn(|_| made())) }
    }

    #[process]
    async fn plus<U: Into<T> + Send + 'static>(self, more: U) -> T {
        parallel_async!(self.all()).await.0 + more.into()
    }

    /// Starts itself.
    #[process]
    fn recursive(self, depth: u32) -> (Self, u32) {
        if depth == 0 {
            return (self, 0);
        }
        let ((it, deeper),) = parallel!(self.recursive(depth - 1));
        (it, deeper + 1)
    }

    /// Has no `self`, but the generics of the `impl`.
    #[process]
    fn of(part: T) -> Self {
        Self { parts: [part; N] }
    }
}

macro_rules! numbers {
    ($($type:ident($number:ty): $method:ident($it:ident) -> $result:ty = $body:block)*) => { $(
        struct $type($number);

        impl $type {
            #[process]
            fn $method($it) -> $result $body
        }
    )* };
}

numbers! { One(u8): number(self) -> u8 = { self.0 } }

/// A method that a trait provides is one of the type that implements the trait.
trait Doubles: Into<u32> + Send + 'static {
    #[process]
    fn double(self) -> u32 {
        2 * self.into()
    }
}

impl Doubles for u8 {}

fn returned(one: One) -> Process<(One,), u8> {
    one.number()
}

fn read(input: &Reader<u32>, n: usize) -> Vec<u32> {
    input.iter().take(n).collect()
}

#[csp::main(leaks = allow)]
fn main() -> Ended {
    let numbers = Channel::buffered(8);
    let (input, _writer) = (numbers.reader(), numbers.writer());
    let server = || Server { out: numbers.writer(), sent: 1 };

    let (sent, counted) = sequence!(server().send(), server().count((2, 4), 0));
    assert_eq!((sent?, counted?.sent), ((), 3));
    assert_eq!(read(&input, 3), [1, 2, 3]);
    let (apart, sum, (parts, one)) =
        sequence!(server().taken_apart(), server().send_async(4), server().into_parts());
    assert_eq!((sum?, one, read(&input, 1)), (5, 1, vec![4]));
    drop((apart, parts));

    let shared = Arc::new(server());
    let results = parallel!(
        server().ignores_itself(),
        Box::new(server()).boxed(),
        Arc::clone(&shared).shared(vec![shared, Arc::new(server())]),
        Server::made(numbers.writer()),
        Server::first(),
        server().attributes(1),
        server().conditional(2, 3),
        server().main(),
        server().r#loop(4),
        server().Shouts(),
    );
    assert_eq!((results.1, results.2, results.3.sent, results.4), (1, 1, 7, 7));
    assert_eq!((results.6, results.8), (5, 4));
    #[allow(deprecated)]
    drop((server().old(1), server().for_ever()));

    let sum = Sum { parts: [1_u32, 2, 3] };
    let results = parallel!(
        2 * sum.clone().all(),
        sum.clone().converted::<String, 2>(|part| part.to_string()),
        sum.clone().converted::<u8, 0>(|_| 0),
        sum.clone().plus(4_u8),
        sum.clone().recursive(3),
        Sum::<u64, 2>::of(8),
        returned(One(9)),
        10_u8.double(),
    );
    assert_eq!(results.0, [6, 6]);
    assert_eq!(results.1.map(|sums| sums[1].parts.concat()), Ok("123".to_owned()));
    assert_eq!((results.2.is_err(), results.3, results.4), (true, 10, (sum, 3)));
    assert_eq!((results.5.parts, results.6, results.7), ([8, 8], 9, 20));
    Ok(())
}
