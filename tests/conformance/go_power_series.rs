//! Go's `test/chan/powser1.go`: power series as processes that give a term on request, after Doug
//! McIlroy, "Squinting at Power Series". Many processes start as the series unfold, and some form loops. The
//! coefficients have to be right.
//!
//! Not here:
//! - `powser2.go`: it does the same with another type of term.
//! - Series that end: the original checks none.

use csp::{Channel, Reader, Termination, Writer, alt};
use csp_tests::{Placement, on_each_backend};
use std::collections::VecDeque;
use std::ops::{Add, Mul, Neg};

/// A fraction in its lowest terms, the denominator above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rational(i128, i128);

fn ratio(numerator: i128, denominator: i128) -> Rational {
    fn gcd(a: i128, b: i128) -> i128 {
        if b == 0 { a } else { gcd(b, a % b) }
    }
    let common = gcd(numerator.abs(), denominator.abs()) * denominator.signum();
    Rational(numerator / common, denominator / common)
}

fn whole(number: i128) -> Rational {
    Rational(number, 1)
}

impl Add for Rational {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        ratio(self.0 * other.1 + other.0 * self.1, self.1 * other.1)
    }
}

impl Mul for Rational {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        ratio(self.0 * other.0, self.1 * other.1)
    }
}

impl Neg for Rational {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0, self.1)
    }
}

/// A series, as seen by the process that asks for its terms.
struct Series {
    ask: Writer<()>,
    terms: Reader<Rational>,
}

/// A series, as seen by the process that makes its terms.
struct Maker {
    asked: Reader<()>,
    terms: Writer<Rational>,
}

impl Series {
    fn next(&self) -> csp::Result<Rational> {
        self.ask.write(())?;
        self.terms.read()
    }
}

impl Maker {
    /// Gives a term, which is made only on request.
    fn give(&self, term: impl FnOnce() -> csp::Result<Rational>) -> csp::Result {
        self.asked.read()?;
        Ok(self.terms.write(term()?)?)
    }

    fn give_all_of(&self, series: &Series) -> csp::Result {
        loop {
            self.give(|| series.next())?;
        }
    }
}

fn ends() -> (Series, Maker) {
    let (ask, terms) = (Channel::new(), Channel::new());
    let series = Series { ask: ask.writer(), terms: terms.reader() };
    (series, Maker { asked: ask.reader(), terms: terms.writer() })
}

/// Starts a process that makes a series.
fn series(
    backend: &Placement,
    body: impl FnOnce(&Placement, Maker) -> csp::Result + Send + 'static,
) -> Series {
    let (series, maker) = ends();
    let place = backend.clone();
    let _ = backend.spawn(move || body(&place, maker));
    series
}

fn repeated(backend: &Placement, term: Rational) -> Series {
    series(backend, move |_, out| {
        loop {
            out.give(|| Ok(term))?;
        }
    })
}

/// Asks both series for a term, and takes the terms in the order in which they are ready.
fn both(a: &Series, b: &Series) -> csp::Result<(Rational, Rational)> {
    let (mut asked, mut terms) = ([false; 2], [None; 2]);
    while terms.contains(&None) {
        alt! {
            if !asked[0], a.ask.write(())                          => asked[0] = true,
            if !asked[1], b.ask.write(())                          => asked[1] = true,
            if asked[0] && terms[0].is_none(), x = a.terms.read() => terms[0] = Some(x),
            if asked[1] && terms[1].is_none(), x = b.terms.read() => terms[1] = Some(x),
        }?;
    }
    Ok((terms[0].unwrap(), terms[1].unwrap()))
}

fn sum(backend: &Placement, a: Series, b: Series) -> Series {
    series(backend, move |_, out| {
        loop {
            out.give(|| both(&a, &b).map(|(a, b)| a + b))?;
        }
    })
}

fn scaled(backend: &Placement, factor: Rational, of: Series) -> Series {
    series(backend, move |_, out| {
        loop {
            out.give(|| Ok(factor * of.next()?))?;
        }
    })
}

/// Doubles a series. Each copy may be ahead of the other. Each may be asked while a term of the original is awaited,
/// because the original may depend on the other copy.
fn split(backend: &Placement, original: Series) -> [Series; 2] {
    let [(first, a), (second, b)] = [ends(), ends()];
    let _ = backend.spawn(move || -> csp::Result {
        let mut queues = [VecDeque::new(), VecDeque::new()];
        let (mut asked, mut awaited) = ([false; 2], false);
        loop {
            alt! {
                if !asked[0], a.asked.read()           => asked[0] = true,
                if !asked[1], b.asked.read()           => asked[1] = true,
                if awaited, x = original.terms.read() => {
                    awaited = false;
                    queues.iter_mut().for_each(|queue| queue.push_back(x));
                }
            }?;
            for (who, out) in [&a.terms, &b.terms].into_iter().enumerate() {
                if !asked[who] {
                    continue;
                }
                if let Some(term) = queues[who].pop_front() {
                    out.write(term)?;
                    asked[who] = false;
                } else if !awaited {
                    original.ask.write(())?;
                    awaited = true;
                }
            }
        }
    });
    [first, second]
}

/// Multiplies by (u + xU)(v + xV) = uv + x(uV + vU) + x²UV.
fn product(backend: &Placement, a: Series, b: Series) -> Series {
    series(backend, move |backend, out| {
        let mut heads = None;
        out.give(|| {
            let (u, v) = both(&a, &b)?;
            heads = Some((u, v));
            Ok(u * v)
        })?;
        let (u, v) = heads.expect("given");
        let ([a, more_a], [b, more_b]) = (split(backend, a), split(backend, b));
        let cross = sum(backend, scaled(backend, u, b), scaled(backend, v, a));
        out.give(|| cross.next())?;
        let rest = product(backend, more_a, more_b);
        out.give_all_of(&sum(backend, cross, rest))
    })
}

fn derivative(backend: &Placement, of: Series) -> Series {
    series(backend, move |_, out| {
        out.give(|| {
            of.next()?;
            of.next()
        })?;
        for n in 2.. {
            out.give(|| Ok(whole(n) * of.next()?))?;
        }
        Ok(())
    })
}

fn integral(backend: &Placement, constant: Rational, of: Series) -> Series {
    series(backend, move |_, out| {
        out.give(|| Ok(constant))?;
        for n in 1.. {
            out.give(|| Ok(ratio(1, n) * of.next()?))?;
        }
        Ok(())
    })
}

/// Computes Z = exp U for a U without constant term. Z' = Z U', so Z is the integral of Z U'.
fn exponential(backend: &Placement, of: Series) -> Series {
    let (back, maker) = ends();
    let inner = product(backend, back, derivative(backend, of));
    let [result, again] = split(backend, integral(backend, whole(1), inner));
    let _ = backend.spawn(move || maker.give_all_of(&again));
    result
}

/// Computes U(c xⁿ).
fn substituted(backend: &Placement, of: Series, c: Rational, n: usize) -> Series {
    series(backend, move |_, out| {
        let mut power = whole(1);
        loop {
            out.give(|| Ok(power * of.next()?))?;
            power = power * c;
            for _ in 1..n {
                out.give(|| Ok(whole(0)))?;
            }
        }
    })
}

/// Checks the first terms, and ends the network by poison, because its loops keep themselves alive.
#[track_caller]
fn begins(series: Series, expected: impl IntoIterator<Item = Rational>) {
    for term in expected {
        assert_eq!(series.next(), Ok(term));
    }
    series.ask.poison("enough");
    assert!(matches!(series.next(), Err(Termination::Poisoned(_))));
}

on_each_backend! {
    here: "the ported tests are about threads of one OS process";
    fn constants_and_sums(backend) {
        let ones = || repeated(backend, whole(1));
        begins(ones(), [whole(1); 10]);
        begins(sum(backend, ones(), repeated(backend, whole(2))), [whole(3); 10]);
        begins(scaled(backend, whole(-1), repeated(backend, whole(2))), [whole(-2); 10]);
        begins(sum(backend, ones(), scaled(backend, -whole(1), repeated(backend, whole(2)))), [whole(-1); 10]);
    }

    fn derivative_and_integral(backend) {
        let ones = || repeated(backend, whole(1));
        begins(derivative(backend, ones()), (1..=10).map(whole));
        let inverses = (1..10).map(|n| ratio(1, n));
        begins(integral(backend, whole(0), ones()), std::iter::once(whole(0)).chain(inverses));
    }

    fn product_unfolds_into_processes(backend) {
        let ones = || repeated(backend, whole(1));
        begins(product(backend, ones(), ones()), (1..=10).map(whole));
    }

    fn exponential_is_a_loop_of_processes(backend) {
        let expected = [
            (1, 1), (1, 1), (3, 2), (13, 6), (73, 24), (167, 40), (4051, 720), (37633, 5040),
            (43817, 4480), (4596553, 362880),
        ];
        // The exponential of x / (1 - x), whose constant term is left out.
        begins(exponential(backend, repeated(backend, whole(1))), expected.map(|(a, b)| ratio(a, b)));
    }

    fn arc_tangent_by_substitution(backend) {
        let square = substituted(backend, repeated(backend, whole(1)), whole(-1), 2);
        let expected = (0..10).map(|n| match n % 4 {
            1 => ratio(1, n),
            3 => ratio(-1, n),
            _ => whole(0),
        });
        begins(integral(backend, whole(0), square), expected);
    }
}
