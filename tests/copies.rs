//! In a build without optimisation a value has few places on the stack at once, on its way through an operation.
//!
//! The operation runs on a painted stack. What of the paint is gone afterwards is what the operation needed.
//! `cargo test -p csp-tests --test copies -- --nocapture` prints the figures.

#![allow(unsafe_code)]

use csp::{Channel, Reader, Writer, alt, pri_alt};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::pin::pin;
use std::ptr::null_mut;
use std::task::{Context, Poll, Waker};
use std::thread;

const BLOCK: usize = 32 << 10;
const PAGE: usize = 4 << 10;
type Block = [u8; BLOCK];

const STACK: usize = 80 * BLOCK;
const PAINT: u8 = 0xA5;

/// Returns how many blocks fit into the stack that a call needs. The call runs on a thread with a painted stack.
fn blocks_of<F: FnOnce() + Send>(call: F) -> usize {
    struct Task<F> {
        call: Option<F>,
        top: usize,
    }

    extern "C" fn run<F: FnOnce()>(task: *mut c_void) -> *mut c_void {
        let here = 0_u8;
        // SAFETY: the thread that made the task waits, and does not look at it meanwhile.
        let task = unsafe { &mut *task.cast::<Task<F>>() };
        task.top = (&raw const here).addr();
        (task.call.take().expect("it runs once"))();
        null_mut()
    }

    let mut stack = vec![PAINT; STACK + PAGE];
    let start = stack.as_mut_ptr().wrapping_add(stack.as_ptr().align_offset(PAGE));
    let mut task = Task { call: Some(call), top: 0 };
    // SAFETY: the stack and the task live until the thread has been joined.
    unsafe {
        let (mut attributes, mut thread) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        assert_eq!(libc::pthread_attr_init(attributes.as_mut_ptr()), 0);
        assert_eq!(libc::pthread_attr_setstack(attributes.as_mut_ptr(), start.cast(), STACK), 0);
        let task = (&raw mut task).cast();
        assert_eq!(
            libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), run::<F>, task),
            0
        );
        assert_eq!(libc::pthread_join(thread.assume_init(), null_mut()), 0);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
    }
    // SAFETY: the vector has it.
    let kept = |place: &usize| unsafe { start.add(*place).read_volatile() } == PAINT;
    let lowest = (0..STACK).take_while(kept).count();
    (task.top - start.addr() - lowest) / BLOCK
}

/// Awaits what is ready at once.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it is ready"),
    }
}

fn reads(input: &Reader<Block>) {
    assert_eq!(input.read().unwrap()[BLOCK - 1], 1);
}

fn begins(input: &Reader<Block>) {
    assert_eq!(input.begin().unwrap()[BLOCK - 1], 1);
}

fn chooses(input: &Reader<Block>) {
    alt! { block = input.read() => assert_eq!(block[BLOCK - 1], 1) }.unwrap();
}

fn chooses_by_priority(input: &Reader<Block>) {
    pri_alt! { block = input.read() => assert_eq!(block[BLOCK - 1], 1), skip => panic!() }.unwrap();
}

fn chooses_extended(input: &Reader<Block>) {
    alt! { block = input.begin() => assert_eq!(block[BLOCK - 1], 1) }.unwrap();
}

fn chooses_of_three(input: &Reader<Block>) {
    let others = [Channel::<u8>::new(), Channel::new()];
    let [a, b] = others.each_ref().map(Channel::reader);
    let _stay = others.each_ref().map(Channel::writer);
    alt! {
        block = input.read() => assert_eq!(block[BLOCK - 1], 1),
        _ = a.read() => (),
        _ = b.read() => (),
    }
    .unwrap();
}

fn writes(out: &Writer<Block>) {
    out.write([1; BLOCK]).unwrap();
}

fn chooses_to_write(out: &Writer<Block>) {
    alt! { out.write([1; BLOCK]) => () }.unwrap();
}

fn chooses_to_write_copy(out: &Writer<Block>) {
    let block = [1; BLOCK];
    alt! { out.write(block) => () }.unwrap();
}

fn chooses_to_write_late(out: &Writer<Block>) {
    alt! { out.write_with(|| [1; BLOCK]) => () }.unwrap();
}

/// Is not `Copy`.
struct Moved(Block);

fn chooses_to_move(out: &Writer<Moved>) {
    let block = Moved([1; BLOCK]);
    alt! { out.write(block) => () }.unwrap();
}

#[inline(never)]
fn awaits_read(input: &Reader<Block>) {
    at_once(async { assert_eq!(input.read_async().await.unwrap()[BLOCK - 1], 1) });
}

fn awaits_write(out: &Writer<Block>) {
    at_once(async { out.write_async([1; BLOCK]).await.unwrap() });
}

fn awaits_choice(input: &Reader<Block>) {
    at_once(async {
        alt! { block = input.read_async().await => assert_eq!(block[BLOCK - 1], 1) }.unwrap();
    });
}

fn awaits_choice_to_write(out: &Writer<Block>) {
    at_once(async { alt! { out.write_async([1; BLOCK]).await => () }.unwrap() });
}

type Case<E> = (&'static str, fn(&E), usize);

/// The bounds are those of a debug build. An optimised one needs less.
const READS: [Case<Reader<Block>>; 8] = [
    ("read", reads, 10),
    ("begin", begins, 9),
    ("alt! read", chooses, 10),
    ("pri_alt! read", chooses_by_priority, 10),
    ("alt! read of three", chooses_of_three, 10),
    ("alt! begin", chooses_extended, 9),
    ("read_async", awaits_read, 15),
    ("alt! read, awaited", awaits_choice, 13),
];
const WRITES: [Case<Writer<Block>>; 6] = [
    ("write", writes, 10),
    ("alt! write(expression)", chooses_to_write, 8),
    ("alt! write(variable), Copy", chooses_to_write_copy, 12),
    ("alt! write_with", chooses_to_write_late, 10),
    ("write_async", awaits_write, 25),
    ("alt! write, awaited", awaits_choice_to_write, 9),
];

/// The places that an operation may have beside when it serves the partner that it meets.
const MEETS: usize = 3;

fn check(name: &str, blocks: usize, bound: usize) {
    println!("{name:<28} {blocks:>2} of {bound}");
    assert!(blocks <= bound, "{name} has {blocks} places for its value, and {bound} are enough");
}

#[test]
fn an_operation_has_few_places_for_its_value() {
    for (name, read, bound) in READS {
        let values = Channel::buffered(1);
        let (input, out) = (values.reader(), values.writer());
        out.write([1; BLOCK]).unwrap();
        check(name, blocks_of(|| read(&input)), bound);
    }
    for (name, write, bound) in WRITES {
        let values = Channel::buffered(1);
        let (_input, out) = (values.reader(), values.writer());
        check(name, blocks_of(|| write(&out)), bound);
    }
    let values = Channel::buffered(1);
    let (input, out) = (values.reader(), values.writer());
    check("alt! write(variable)", blocks_of(|| chooses_to_move(&out)), 12);
    assert_eq!(input.read().unwrap().0[0], 1);
}

/// The partner comes while the operation waits, on a stack of its own.
#[test]
fn an_operation_that_waits_has_few_places_for_its_value() {
    for (name, read, bound) in READS {
        if name.contains("await") || name.contains("async") || name.contains("pri_alt") {
            continue;
        }
        for (write_name, write, write_bound) in &WRITES[..4] {
            let values = Channel::new();
            let (input, out) = (values.reader(), values.writer());
            let (write, write_bound, write_name) = (*write, *write_bound, *write_name);
            let writer = thread::spawn(move || {
                check(write_name, blocks_of(|| write(&out)), write_bound + MEETS)
            });
            let reader =
                thread::spawn(move || check(name, blocks_of(|| read(&input)), bound + MEETS));
            reader.join().unwrap();
            writer.join().unwrap();
        }
    }
}
