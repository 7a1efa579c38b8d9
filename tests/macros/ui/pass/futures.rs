//! The forms and abilities of an `async` process.

#![deny(warnings)]
#![forbid(unsafe_code)]

use csp::{Alternation, Barrier, Channel, Extended, Reader, Writer, alt, parallel, pri_alt, process};
use std::fmt::Debug;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Uses every option.
#[process(name = "n", stack = "64 KiB", daemon, on_panic = retire, on = thread)]
#[inline]
pub async fn options(mut n: u32, (a, b): (u8, u8), _: Barrier) -> u32 {
    n += u32::from(a + b);
    n
}

#[process]
async fn generic<T, const N: usize>(values: [T; N], out: Writer<T>) -> csp::Result
where
    T: Debug + Send + 'static,
{
    for value in values {
        out.write_async(value).await?;
    }
    Ok(())
}

#[process]
async fn recursive(n: u32) -> u32 {
    match n {
        0 => 0,
        n => csp::parallel_async!(recursive(n - 1)).await.0 + 1,
    }
}

#[process]
async fn one_expression(input: Reader<u32>) -> csp::Result<u32> { input.read_async().await }

#[process]
async fn one_literal(_: u32) -> u32 { 1 }

#[process]
async fn inner_attribute(n: u32) -> u32 {
    #![allow(unused_variables)]
    let unused = n;
    n
}

#[process]
async fn one_block(n: u32) -> u32 {
    {
        let n = n + 1;
        n
    }
}

/// Holds a value that is not `Send` over an `await`.
#[process]
async fn keeps_an_rc(input: Reader<u32>) -> csp::Result<u32> {
    let one = Rc::new(1);
    Ok(input.read_async().await? + *one)
}

#[process]
async fn chooses(input: Reader<String>, out: Writer<String>, steps: Barrier) -> csp::Result<usize> {
    let mut held = String::from("held");
    let mut count = 0;
    for open in [true, false] {
        count += alt! {
            text = input.read_async().await => { held = text; 1 }
            Extended { .. } = input.begin_async().await => 2,
            if open, out.write_async(held).await => return Ok(count),
            out.write_with_async(|| "made".to_owned()).await => break,
            if let 1.. = count, steps.sync_async().await => continue,
            after(Duration::from_millis(1)) => 3,
            at(Instant::now()).await => 4,
            retired(input).await => 5,
        }?;
    }
    let last = pri_alt! { text = input.read_async().await => text.len(), skip => 0 };
    drop(held);
    last
}

#[process]
async fn never(input: Reader<()>) -> ! {
    loop {
        let _ = input.read_async().await;
        csp::sleep_async(Duration::MAX).await;
    }
}

#[process]
async fn builds(inputs: Vec<Reader<u32>>) -> csp::Result<u32> {
    let mut choice = Alternation::by_priority();
    for input in &inputs {
        choice.read(input, |x| x);
    }
    choice.choose_async().await
}

fn main() {
    let _ = (never(Channel::new().reader()), builds(Vec::new()), options(1, (2, 3), Barrier::new()));
    let _ = (keeps_an_rc(Channel::new().reader()), chooses(Channel::new().reader(), Channel::new().writer(), Barrier::new()));
    let channel = Channel::new();
    let (_, all) = parallel!(generic([1, 2], channel.writer()), collect(channel.reader()));
    assert_eq!(all, [1, 2]);
    let one = Channel::buffered(1);
    one.writer().write(3).unwrap();
    let ended = parallel!(one_expression(one.reader()), one_literal(0), inner_attribute(4), one_block(4));
    assert_eq!(ended, (Ok(3), 1, 4, 5));
    assert_eq!(parallel!(recursive(3)).0, 3);
}

#[process]
async fn collect(input: Reader<i32>) -> Vec<i32> {
    let mut all = Vec::new();
    while let Ok(value) = input.read_async().await {
        all.push(value);
    }
    all
}
