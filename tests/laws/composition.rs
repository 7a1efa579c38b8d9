//! Processes put together: in parallel, in sequence, nested, replicated, recursive, generic. `main`
//! is one of them.

use crate::processes::{relay, sink, source};
use csp::{
    Channel, Parallel, Process, Reader, Sequence, Termination, Writer, parallel, sequence, spawn,
};
use csp::{try_parallel, try_sequence};
use csp_tests::{Placement, laws, process};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[process]
fn gives<T: Send + 'static>(value: T) -> T {
    value
}

#[process]
fn counts(runs: Arc<AtomicUsize>) -> usize {
    runs.fetch_add(1, Ordering::SeqCst)
}

#[process]
fn logs(who: u32, log: Arc<Mutex<Vec<(u32, bool)>>>) -> u32 {
    log.lock().unwrap().push((who, true));
    csp_tests::settle();
    log.lock().unwrap().push((who, false));
    who
}

#[process]
fn fibonacci(n: u64, backend: Placement) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = parallel!(
        backend.place(fibonacci(n - 1, backend.clone())),
        backend.place(fibonacci(n - 2, backend.clone())),
    );
    a + b
}

/// A sieve that grows by a process for each prime.
#[process]
fn sieve(numbers: Reader<u32>, primes: Writer<u32>, backend: Placement) -> csp::Result {
    let prime = numbers.read()?;
    primes.write(prime)?;
    let rest = Channel::new();
    let _ = spawn(backend.place(sieve(rest.reader(), primes, backend.clone())));
    let rest = rest.writer();
    for number in &numbers {
        if number % prime != 0 {
            rest.write(number)?;
        }
    }
    Ok(())
}

#[process]
fn sums_in_parallel(depth: u32, backend: Placement) -> u64 {
    if depth == 0 {
        return 1;
    }
    let (children,) = parallel!(backend.replicas(2, sums_in_parallel(depth - 1, backend.clone())));
    children.into_iter().sum()
}

#[process]
fn largest<T>(input: Reader<T>) -> Option<T>
where
    T: Ord + Send + 'static,
{
    input.iter().max()
}

/// Takes arguments by pattern, and mutable, of types without borrows.
#[process]
fn patterns((left, right): (u32, u32), mut sum: u32, [first, .., last]: [u32; 4]) -> u32 {
    sum += left + right;
    sum * 100 + first * 10 + last
}

laws! {
    here: "the processes here are put together by closures over shared memory: see `subprocess::results`, `subprocess::nesting`";

    fn results_come_in_the_order_of_the_arguments_and_typed(backend) {
        let (number, text, none, list): (u8, String, (), Vec<bool>) = parallel!(
            backend.place(gives(1_u8)),
            backend.place(gives(String::from("two"))),
            backend.place(gives(())),
            3 * backend.place(gives(true)),
        );
        assert_eq!((number, text.as_str(), none, list), (1, "two", (), vec![true; 3]));
    }

    fn results_of_many_processes_keep_their_order(backend) {
        let set: Vec<_> = (0..50).map(|number| backend.place(gives(number))).collect();
        let (numbers,) = parallel!(set);
        assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    }

    fn eight_processes_of_eight_types(backend) {
        let all = parallel!(
            backend.place(gives(1_u8)),
            backend.place(gives(2_u16)),
            backend.place(gives(3_u32)),
            backend.place(gives(4_u64)),
            backend.place(gives(5_i8)),
            backend.place(gives(6_i16)),
            backend.place(gives(7_i32)),
            backend.place(gives("eight")),
        );
        assert_eq!(all, (1, 2, 3, 4, 5, 6, 7, "eight"));
    }

    fn nothing_runs_before_it_is_run(backend) {
        let runs = Arc::new(AtomicUsize::new(0));
        let process = backend.place(counts(runs.clone()));
        drop(backend.place(counts(runs.clone())));
        csp_tests::settle();
        assert_eq!(runs.load(Ordering::SeqCst), 0);
        parallel!(process);
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        assert_eq!(Arc::strong_count(&runs), 1, "the arguments are gone with the process");
    }

    fn no_process_at_all(backend) {
        let runs = Arc::new(AtomicUsize::new(0));
        let (none, one) =
            parallel!(0 * backend.place(counts(runs.clone())), backend.place(gives(1)));
        assert_eq!((none.len(), one), (0, 1));
        let (none,) = parallel!(backend.place(counts(runs.clone())) * 0);
        assert!(none.is_empty());
        let (none,) =
            parallel!(Vec::from_iter(None.map(|number: u8| backend.place(gives(number)))));
        assert!(none.is_empty());
        let (none,) = sequence!(0 * backend.place(counts(runs.clone())));
        assert!(none.is_empty());
        assert!(spawn(0 * backend.place(counts(runs.clone()))).is_empty());
        assert_eq!(Parallel::<u8>::new().run(), []);
        assert_eq!(Sequence::<u8>::new().run(), []);
        assert_eq!(runs.load(Ordering::SeqCst), 0);
    }

    fn a_process_is_replicated_from_either_side(backend) {
        let runs = Arc::new(AtomicUsize::new(0));
        let (left, right) = parallel!(
            3 * backend.place(counts(runs.clone())),
            backend.place(counts(runs.clone())) * 4
        );
        assert_eq!((left.len(), right.len()), (3, 4));
        let mut turns: Vec<_> = left.into_iter().chain(right).collect();
        turns.sort_unstable();
        assert_eq!(turns, (0..7).collect::<Vec<_>>());
    }

    fn a_sequence_runs_one_after_another(backend) {
        let log = Arc::new(Mutex::new(Vec::new()));
        let (first, second, rest) = sequence!(
            backend.place(logs(1, log.clone())),
            backend.place(logs(2, log.clone())),
            backend.replicas(2, logs(3, log.clone())),
        );
        assert_eq!((first, second, rest), (1, 2, vec![3, 3]));
        let expected: Vec<_> =
            [1, 2, 3, 3].into_iter().flat_map(|who| [(who, true), (who, false)]).collect();
        assert_eq!(*log.lock().unwrap(), expected);
    }

    fn a_sequence_reads_what_a_spawned_writer_writes(backend) {
        let values = Channel::new();
        let writer = spawn(backend.place(source((0..10).collect(), values.writer())));
        let readers: Vec<_> = (0..10)
            .map(|_| {
                backend
                    .place(crate::processes::read_once(values.reader(), csp_tests::Arrival::new()))
            })
            .collect();
        let (read,) = sequence!(readers);
        assert_eq!(read, (0..10).map(Ok).collect::<Vec<Result<u32, Termination>>>());
        assert_eq!(writer.join(), Ok(()));
    }

    fn sets_are_built_at_run_time(backend) {
        let mut set = Parallel::new();
        for number in 0..5_u64 {
            set = set.with(backend.place(gives(number)));
        }
        set = set.with(backend.place(fibonacci(5, backend.clone())));
        assert_eq!(set.run(), [0, 1, 2, 3, 4, 5]);
        let set = Sequence::new().with(backend.place(gives("a"))).with(backend.place(gives("b")));
        assert_eq!(set.run(), ["a", "b"]);
        let set = Parallel::new().with(backend.place(gives(1))).with(backend.place(gives(2)));
        assert_eq!(set.try_run().unwrap(), [1, 2]);
        let mut erased = vec![backend.place(gives(7_u64)).erased()];
        erased.push(backend.place(fibonacci(6, backend.clone())).erased());
        let (numbers,) = parallel!(erased);
        assert_eq!(numbers, [7, 8]);
    }

    fn try_forms_return_what_the_others_do(backend) {
        let both = try_parallel!(backend.place(gives(1)), 2 * backend.place(gives('x'))).unwrap();
        assert_eq!(both, (1, vec!['x', 'x']));
        let both = try_sequence!(backend.place(gives(1)), 2 * backend.place(gives('x'))).unwrap();
        assert_eq!(both, (1, vec!['x', 'x']));
    }

    fn networks_nest(backend) {
        let depth = backend.many(8, 5);
        let (leaves,) = parallel!(backend.place(sums_in_parallel(depth as u32, backend.clone())));
        assert_eq!(leaves, 1 << depth);
    }

    fn a_process_may_name_itself(backend) {
        let n = backend.many(15, 9) as u64;
        let (result,) = parallel!(backend.place(fibonacci(n, backend.clone())));
        assert_eq!(result, if n == 15 { 610 } else { 34 });
    }

    fn a_process_may_spawn_itself(backend) {
        let (numbers, primes) = (Channel::new(), Channel::new());
        let limit = backend.many(500, 60) as u32;
        let (_, found, _) = parallel!(
            backend.place(source((2..limit).collect(), numbers.writer())),
            backend.place(sink(primes.reader())),
            backend.place(sieve(numbers.reader(), primes.writer(), backend.clone())),
        );
        let expected: Vec<u32> = (2..limit).filter(|n| (2..*n).all(|d| n % d != 0)).collect();
        assert_eq!(found, expected);
    }

    fn a_process_may_be_generic(backend) {
        let (words, numbers) = (Channel::new(), Channel::new());
        let (word, number, ..) = parallel!(
            backend.place(largest(words.reader())),
            backend.place(largest(numbers.reader())),
            backend.place(source(["b", "c", "a"].map(String::from).into(), words.writer())),
            backend.place(source(vec![2, 9, 4], numbers.writer())),
        );
        assert_eq!((word, number), (Some("c".into()), Some(9)));
        let process: Process<(u8,), u8> = gives(3);
        assert_eq!(parallel!(backend.place(process)), (3,));
    }

    fn arguments_are_patterns(backend) {
        let (result,) = parallel!(backend.place(patterns((1, 2), 3, [4, 0, 0, 5])));
        assert_eq!(result, 645);
    }

    fn main_is_a_process(backend) {
        let (there, back) = (Channel::new(), Channel::new());
        let echo = spawn(backend.place(relay(there.reader(), back.writer())));
        let (writer, reader) = (there.writer(), back.reader());
        for number in 0..100 {
            writer.write(number).unwrap();
            assert_eq!(reader.read(), Ok(number));
        }
        writer.retire();
        assert_eq!(echo.join(), Err(Termination::Retired));
        assert_eq!(reader.read(), Err(Termination::Retired));
    }

    fn a_plain_thread_is_a_process(backend) {
        let (there, back) = (Channel::new(), Channel::new());
        let (writer, reader) = (there.writer(), back.reader());
        let (again, inner) = (Channel::new(), backend.clone());
        let (again_writer, again_reader) = (again.writer(), again.reader());
        let thread = std::thread::spawn(move || {
            for number in 0..50 {
                writer.write(number).unwrap();
                assert_eq!(reader.read(), Ok(number));
            }
            // It may start processes of its own, too.
            let (end, sum) = parallel!(
                inner.place(source(vec![1, 2, 3], again_writer)),
                inner.place(sink(again_reader)),
            );
            end.map(|()| sum)
        });
        let (end,) = parallel!(backend.place(relay(there.reader(), back.writer())));
        assert_eq!(end, Err(Termination::Retired));
        assert_eq!(thread.join().unwrap(), Ok(vec![1, 2, 3]));
    }

    fn an_end_may_be_shared_by_reference(backend) {
        let values = Channel::new();
        let source = spawn(backend.place(source((0..200).collect(), values.writer())));
        let reader = values.reader();
        let read = std::thread::scope(|scope| {
            let readers = [(); 3].map(|()| scope.spawn(|| reader.iter().count()));
            assert_eq!(source.join(), Ok(()));
            readers.map(|reader| reader.join().unwrap())
        });
        assert_eq!(read.iter().sum::<usize>(), 200);
    }

    fn two_plain_threads_meet(backend) {
        let values = Channel::new();
        let (writer, reader) = (values.writer(), values.reader());
        let reading = std::thread::spawn(move || reader.iter().collect::<Vec<u32>>());
        let writing =
            std::thread::spawn(move || (0..100).try_for_each(|value| writer.write(value)).is_ok());
        assert_eq!(parallel!(backend.place(gives(5))), (5,));
        assert_eq!(reading.join().unwrap(), (0..100).collect::<Vec<_>>());
        assert!(writing.join().unwrap());
    }
}
