//! Values of any size are moved whole, and each is dropped exactly once.

use crate::processes::{relay, sink, source};
use csp::{Alternation, Channel, Erased, Process, Reader, Writer, alt, parallel, spawn};
use csp_tests::{Ledger, Token, laws, multiprocess, process};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Clone, Copy, Serialize, Deserialize)]
struct Signal;

/// A value that is large for a stack of 64 KiB. A debug build copies a value some 10 times on its way, and each copy has a place of its own.
#[derive(Debug, PartialEq, Clone, Serialize, Deserialize)]
struct Page([[u64; 32]; 2]);

fn page(number: u64) -> Page {
    Page([0, 32].map(|half| std::array::from_fn(|place| number * 1000 + half + place as u64)))
}

#[repr(align(64))]
#[derive(Debug, PartialEq, Clone, Copy, Serialize, Deserialize)]
struct Aligned(u8);

#[multiprocess]
fn checks_alignment(input: Reader<Aligned>) -> usize {
    input.iter().filter(|value| std::ptr::from_ref(value).addr().is_multiple_of(64)).count()
}

/// Holds ends of the very channel it travels on.
#[cfg_attr(feature = "subprocess", derive(Serialize, Deserialize))]
struct Ouroboros {
    _writer: Writer<Ouroboros>,
    _reader: Reader<Ouroboros>,
    _token: Token,
}

/// Writes values that can't leave their OS process.
#[process]
fn source_here<T: Send + 'static>(values: Vec<T>, output: Writer<T>) -> csp::Result {
    for value in values {
        output.write(value)?;
    }
    Ok(())
}

#[process]
fn sink_here<T: Send + 'static>(input: Reader<T>) -> Vec<T> {
    input.iter().collect()
}

#[process]
fn calls(input: Reader<Box<dyn FnOnce() -> u32 + Send>>) -> u32 {
    input.iter().map(|call| call()).sum()
}

#[process]
fn runs(input: Reader<Process<Erased<u32>, u32>>) -> Vec<u32> {
    let mut all = Vec::new();
    for process in &input {
        all.push(parallel!(process).0);
    }
    all
}

#[multiprocess]
fn gives(value: u32) -> u32 {
    value
}

#[multiprocess]
fn takes(count: usize, input: Reader<Token>) -> Vec<Token> {
    let mut all = Vec::new();
    while all.len() < count {
        match input.read() {
            Ok(token) => all.push(token),
            Err(_) => break,
        }
    }
    all
}

#[process]
fn swaps(input: Reader<Channel<u32>>, output: Writer<Channel<u32>>) -> csp::Result {
    let channel = input.read()?;
    channel.writer().write(5)?;
    output.write(channel)?;
    Ok(())
}

const BLOCK: usize = 32 << 10;
type Block = [u8; BLOCK];

/// A process writes in one way only, because a debug build gives a function a place for each value in it.
type Writes = fn(Writer<Block>) -> Process<(Writer<Block>,), csp::Result>;
type Reads = fn(Reader<Block>) -> Process<(Reader<Block>,), u8>;

#[csp::process]
fn writes_block(out: Writer<Block>) -> csp::Result {
    match out.write([1; BLOCK]) {
        Ok(()) => Ok(()),
        Err(error) => Err(error.termination),
    }
}

#[csp::process]
fn makes_block_late(out: Writer<Block>) -> csp::Result {
    alt! { out.write_with(|| [1; BLOCK]) => () }
}

#[csp::process]
fn makes_blocks_by_closure(out: Writer<Block>) -> csp::Result {
    let mut choice = Alternation::new();
    choice.write(&out, || [1; BLOCK], || ());
    choice.choose()
}

#[csp::process]
fn offers_copy_of_block(out: Writer<Block>) -> csp::Result {
    let block = [1; BLOCK];
    alt! { out.write(block) => () }
}

#[csp::process]
fn offers_block(out: Writer<Block>) -> csp::Result {
    alt! { out.write([1; BLOCK]) => () }
}

#[csp::process]
fn reads_block(input: Reader<Block>) -> u8 {
    match input.read() {
        Ok(block) => block[BLOCK - 1],
        Err(_) => 0,
    }
}

#[csp::process]
fn begins_block(input: Reader<Block>) -> u8 {
    match input.begin() {
        Ok(block) => block[BLOCK - 1],
        Err(_) => 0,
    }
}

#[csp::process]
fn iterates_blocks(input: Reader<Block>) -> u8 {
    match input.iter().next() {
        Some(block) => block[BLOCK - 1],
        None => 0,
    }
}

#[csp::process]
fn reads_blocks_by_closure(input: Reader<Block>) -> u8 {
    let mut choice = Alternation::new();
    choice.read(&input, |block: Block| block[BLOCK - 1]);
    choice.choose().unwrap_or(0)
}

#[csp::process]
fn chooses_block(input: Reader<Block>) -> u8 {
    alt! { block = input.read() => block[BLOCK - 1] }.unwrap_or(0)
}

#[csp::process]
fn chooses_to_begin_block(input: Reader<Block>) -> u8 {
    alt! { block = input.begin() => block[BLOCK - 1] }.unwrap_or(0)
}

laws! {
    fn a_value_needs_little_stack_on_its_way(backend, here: "serde has no arrays of 32,768", async: "a future has no stack of its own") {
        // A value has fewer places than these on the stack at once. `copies` counts them.
        const STACK: usize = 16 * BLOCK;
        let writers: [Writes; 5] = [
            writes_block,
            makes_block_late,
            makes_blocks_by_closure,
            offers_copy_of_block,
            offers_block,
        ];
        let readers: [Reads; 6] = [
            reads_block,
            begins_block,
            iterates_blocks,
            reads_blocks_by_closure,
            chooses_block,
            chooses_to_begin_block,
        ];
        for writes in writers {
            for reads in readers {
                for values in [Channel::new(), Channel::buffered(1)] {
                    let (reader, writer) = (values.reader(), values.writer());
                    let (wrote, read) = parallel!(
                        backend.place(writes(writer).stack(STACK)),
                        backend.place(reads(reader).stack(STACK)),
                    );
                    assert_eq!((wrote, read), (Ok(()), 1));
                }
            }
        }
    }

    fn values_without_a_size(backend) {
        for values in [Channel::new(), Channel::buffered(4)] {
            let (end, middle, read) = parallel!(
                backend.place(source(vec![Signal; 100], values.writer())),
                backend.replicas(2, sink(values.reader())),
                backend.place(source(Vec::<Signal>::new(), values.writer())),
            );
            assert_eq!((end, read), (Ok(()), Ok(())));
            assert_eq!(middle.iter().map(Vec::len).sum::<usize>(), 100);
        }
        let units = Channel::buffered(usize::MAX);
        let read = units.reader();
        spawn(backend.place(source(vec![(); 1000], units.writer()))).join().unwrap();
        assert_eq!(read.iter().count(), 1000);
    }

    fn large_values(backend) {
        for values in [Channel::new(), Channel::buffered(3)] {
            let middle = Channel::new();
            let (_, _, read) = parallel!(
                backend.place(source((0..20).map(page).collect(), values.writer())),
                backend.place(relay(values.reader(), middle.writer())),
                backend.place(sink(middle.reader())),
            );
            assert_eq!(read, (0..20).map(page).collect::<Vec<_>>());
        }
    }

    fn very_large_values_on_a_stack_that_holds_them(backend, here: "serde has no arrays of 65,536: see `subprocess::channels` for 64 MiB", async: "a future has no stack of its own") {
        let values = Channel::new();
        let huge: Vec<[u8; 65_536]> = (0..3).map(|number| [number; 65_536]).collect();
        let (_, read) = parallel!(
            backend.place(source_here(huge.clone(), values.writer()).stack(8 << 20)),
            backend.place(sink_here(values.reader()).stack(8 << 20)),
        );
        assert!(read == huge);
    }

    fn values_keep_their_alignment(backend) {
        let values = Channel::new();
        let (_, aligned) = parallel!(
            backend.place(source(vec![Aligned(3); 10], values.writer())),
            backend.place(checks_alignment(values.reader())),
        );
        assert_eq!(aligned, 10);
    }

    fn values_that_own_others(backend) {
        let values = Channel::new();
        let lists: Vec<Box<Vec<String>>> =
            (0..20).map(|n| Box::new(vec![n.to_string(); n])).collect();
        let (_, read) = parallel!(
            backend.place(source(lists.clone(), values.writer())),
            backend.place(sink(values.reader())),
        );
        assert_eq!(read, lists);
    }

    fn functions_are_values(backend, here: "a function can't be serialised") {
        let values = Channel::new();
        let functions =
            (0..10_u32).map(|n| Box::new(move || n) as Box<dyn FnOnce() -> u32 + Send>).collect();
        let (_, sum) = parallel!(
            backend.place(source_here(functions, values.writer())),
            backend.place(calls(values.reader())),
        );
        assert_eq!(sum, 45);
    }

    fn processes_are_values(backend, here: "a process can't be serialised: send its arguments") {
        let values = Channel::new();
        let processes = (0..10).map(|n| backend.place(gives(n)).erased()).collect();
        let (_, results) = parallel!(
            backend.place(source_here(processes, values.writer())),
            backend.place(runs(values.reader())),
        );
        assert_eq!(results, (0..10).collect::<Vec<_>>());
    }

    fn channels_are_values(backend, here: "a handle makes ends where its channel is: send ends") {
        let (there, back) = (Channel::new(), Channel::new());
        let returned = back.reader();
        let swap = spawn(backend.place(swaps(there.reader(), back.writer())));
        let channel = Channel::buffered(1);
        let reader = channel.reader();
        there.writer().write(channel).unwrap_or_else(|_| panic!("a reader is there"));
        let channel = returned.read().unwrap();
        assert_eq!(reader.read(), Ok(5));
        drop(channel);
        swap.join().unwrap();
    }

    fn a_value_may_hold_ends_of_its_own_channel(backend) {
        let ledger = Ledger::new(4);
        let values = Channel::buffered(4);
        let snakes = (0..4).map(|id| Ouroboros {
            _writer: values.writer(),
            _reader: values.reader(),
            _token: ledger.token(id),
        });
        let snakes = snakes.collect();
        spawn(backend.place(source(snakes, values.writer()))).join().unwrap();
        // The poison drops the values, and each drops ends of the channel that is being poisoned.
        values.reader().poison("bite");
        ledger.balance();
    }

    fn each_value_is_dropped_once_when_all_are_read(backend) {
        for values in [Channel::new(), Channel::buffered(4)] {
            let ledger = Ledger::new(50);
            let middle = Channel::buffered(2);
            let (_, _, read) = parallel!(
                backend
                    .place(source((0..50).map(|id| ledger.token(id)).collect(), values.writer())),
                backend.place(relay(values.reader(), middle.writer())),
                backend.place(sink(middle.reader())),
            );
            assert_eq!(ledger.dropped(), 0, "moved, not copied");
            assert_eq!(read.iter().map(Token::id).collect::<Vec<_>>(), (0..50).collect::<Vec<_>>());
            drop(read);
            ledger.balance();
        }
    }

    fn each_value_is_dropped_once_when_readers_leave_early(backend) {
        for values in [Channel::new(), Channel::buffered(4)] {
            let ledger = Ledger::new(50);
            let middle = Channel::buffered(2);
            let (_, _, read) = parallel!(
                backend
                    .place(source((0..50).map(|id| ledger.token(id)).collect(), values.writer())),
                backend.place(relay(values.reader(), middle.writer())),
                backend.place(takes(10, middle.reader())),
            );
            assert_eq!(read.len(), 10);
            drop((read, values, middle));
            ledger.balance();
        }
    }
}
