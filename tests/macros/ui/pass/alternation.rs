//! Every guard, every way out of an arm, in a strict crate.
#![forbid(unsafe_code)]
#![deny(
    warnings,
    unused,
    rust_2018_idioms,
    unused_qualifications,
    unused_results,
    let_underscore_drop
)]
#![deny(
    unused_lifetimes,
    single_use_lifetimes,
    elided_lifetimes_in_paths,
    missing_docs,
    trivial_casts
)]

use std::cell::RefCell;
use std::time::{Duration, Instant};

use csp::{Barrier, Channel, Reader, Termination, Writer, alt, parallel, pri_alt, process};

struct Hub {
    inputs: Vec<Reader<(u8, String)>>,
    input: Reader<u8>,
    out: Writer<String>,
    count: u32,
}

impl Hub {
    fn tick(&mut self) {
        self.count += 1;
    }

    fn step(&mut self, i: usize, message: String) -> csp::Result<Option<String>> {
        let mut kept = None;
        loop {
            let value: u32 = alt! {
                (a, b) = self.inputs[i].read() => {
                    self.tick();
                    if b == "end" {
                        break;
                    }
                    u32::from(a)
                }
                x = self.input.read() => {
                    self.tick();
                    u32::from(x)
                }
                held = self.inputs[1].begin() => {
                    let first = u32::from(held.0);
                    drop(held);
                    self.tick();
                    first
                }
                self.out.write(message) => {
                    self.tick();
                    return Ok(kept);
                }
                after(Duration::from_secs(60)) => continue,
            }?;
            kept = Some(format!("{value} {message}"));
        }
        Ok(Some(message))
    }
}

fn moved_only_if_chosen(out: &Writer<String>, other: Reader<u8>) -> csp::Result<String> {
    let message = String::from("kept");
    let pair = (String::from("left"), String::from("right"));
    let boxed = Box::new(String::from("boxed"));
    alt! {
        x = other.read() => { let _ = x; }
        out.write(message) => return Ok("written".into()),
        out.write(pair.0) => return Ok(pair.1),
        out.write(*boxed) => return Ok("boxed".into()),
        out.write(message.clone()) => return Ok(message),
        out.write_with(|| message) => return Ok("made".into()),
    }?;
    Ok(message + &pair.0 + &boxed)
}

fn generic<T: Send + 'static>(
    out: &Writer<T>,
    input: &RefCell<Reader<T>>,
    value: T,
) -> csp::Result<Option<T>> {
    pri_alt! {
        x = input.borrow().read() => Some(x),
        out.write(value) => None,
    }
}

fn preconditions(inputs: &[Reader<u8>], extra: &Option<Reader<u8>>, i: usize) -> csp::Result<u8> {
    pri_alt! {
        if i < inputs.len(), x = inputs[i].read() => x,
        if let Some(extra) = extra, x = extra.read() => x + 100,
        if let Some(extra) = extra && i > 7, _ = extra.read() => 101,
        if i == 5, at(Instant::now()) => 55,
        if i == 6, after(Duration::ZERO) => 66,
        skip => 77,
    }
}

fn retirement(input: Reader<u8>, output: &Writer<u8>) -> &'static str {
    let ended: Result<&str, Termination> = alt! {
        retired(input) => "input",
        retired(*output) => "output",
        input.read() => "read",
    };
    ended.unwrap()
}

fn nested(a: Reader<u8>, b: Reader<u8>) -> csp::Result<u8> {
    let sum = alt! {
        x = a.read() => alt! {
            y = a.read() => x + y,
            y = b.read() => x + y + 100,
        }?,
        y = b.read() => y,
    }?;
    Ok(sum)
}

fn double(x: u8) -> u8 {
    x * 2
}

fn coerced(
    functions: &Writer<fn(u8) -> u8>,
    slices: &Writer<&'static [u8]>,
    boxes: &Writer<Box<dyn Fn() -> u8 + Send>>,
) -> csp::Result {
    let (array, closure) = (&[1, 2, 3], Box::new(|| 3));
    alt! { functions.write(double) => {} }?;
    alt! { slices.write(array) => {} }?;
    alt! { boxes.write(closure) => {} }
}

fn at_a_barrier(barrier: &Barrier, input: &Reader<u8>) -> csp::Result<bool> {
    alt! {
        barrier.sync() => true,
        input.read() => false,
    }
}

#[process]
fn writer<T: Send + 'static>(out: Writer<T>, values: Vec<T>) -> csp::Result {
    for value in values {
        out.write(value)?;
    }
    Ok(())
}

#[process]
fn reader<T: Send + 'static>(input: Reader<T>, count: usize) -> Vec<T> {
    (0..count).map_while(|_| input.read().ok()).collect()
}

#[process]
fn hub(
    inputs: Vec<Reader<(u8, String)>>,
    input: Reader<u8>,
    out: Writer<String>,
) -> csp::Result<(u32, Option<String>)> {
    let mut hub = Hub { inputs, input, out, count: 0 };
    let last = hub.step(0, "message".to_owned())?;
    Ok((hub.count, last))
}

#[process]
fn chooser(out: Writer<String>, other: Reader<u8>) -> csp::Result<String> {
    moved_only_if_chosen(&out, other)
}

#[csp::main]
fn main() {
    let (pairs, bytes, texts) = (2 * Channel::new(), Channel::new(), Channel::new());
    let (hub, _, _) = parallel!(
        hub(pairs.iter().map(Channel::reader).collect(), bytes.reader(), texts.writer()),
        writer(pairs[0].writer(), vec![(1, "a".to_owned()), (2, "end".to_owned())]),
        reader(texts.reader(), 0).daemon(),
    );
    assert_eq!(hub, Ok((2, Some("message".to_owned()))));

    let (out, other) = (Channel::new(), Channel::new());
    let (kept, _, _) = parallel!(
        chooser(out.writer(), other.reader()),
        writer(other.writer(), vec![1]),
        reader(out.reader(), 0)
    );
    assert_eq!(kept.unwrap(), "keptleftboxed");

    let channel = Channel::buffered(2);
    let (out, input) = (channel.writer(), RefCell::new(channel.reader()));
    assert_eq!(generic(&out, &input, vec![1]), Ok(None));
    assert_eq!(generic(&out, &input, vec![2]), Ok(Some(vec![1])));

    let bytes = [Channel::buffered(1), Channel::buffered(1)];
    let readers = bytes.each_ref().map(Channel::reader);
    let writers = bytes.each_ref().map(Channel::writer);
    assert_eq!(preconditions(&readers, &None, 5), Ok(55));
    assert_eq!(preconditions(&readers, &None, 6), Ok(66));
    assert_eq!(preconditions(&readers, &None, 9), Ok(77));
    writers[1].write(1).unwrap();
    assert_eq!(preconditions(&readers, &Some(bytes[0].reader()), 1), Ok(1));
    writers[0].write(2).unwrap();
    assert_eq!(preconditions(&readers, &Some(bytes[0].reader()), 9), Ok(102));

    let channel = Channel::new();
    let (input, output) = (channel.reader(), bytes[0].writer());
    drop(channel);
    assert_eq!(retirement(input, &output), "input");

    let (functions, slices, boxes) =
        (Channel::buffered(1), Channel::buffered(1), Channel::buffered(1));
    let reader = functions.reader();
    coerced(&functions.writer(), &slices.writer(), &boxes.writer()).unwrap();
    assert_eq!(reader.read().unwrap()(2), 4);

    assert_eq!(at_a_barrier(&Barrier::new(), &readers[0]), Ok(true));

    let (a, b) = (Channel::buffered(2), Channel::buffered(2));
    let [a1, b1] = [&a, &b].map(|channel| (channel.writer(), channel.reader()));
    a1.0.write(3).unwrap();
    a1.0.write(4).unwrap();
    assert_eq!(nested(a1.1, b1.1), Ok(7));
}
