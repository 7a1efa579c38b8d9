//! The behaviour of guards when channels end, the guards for that case, extended reads, and sets made at run time.

use csp::{
    Alternation, Cause, Channel, Extended, Reader, Termination, Writer, alt, pri_alt, spawn,
};
use csp_tests::{
    Arrival, Ledger, Notes, Placement, Token, awaitable, in_place, laws, multiprocess,
    on_each_backend, panic_of, placed, poisoned_by_reason, start, start_waiting, wait_for,
};
use std::cell::RefCell;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn two() -> (Channel<u32>, Channel<u32>) {
    (Channel::new(), Channel::new())
}

const CHOICES: usize = 3;

/// Chooses over two inputs and an output, for at most an hour, by one of the ways to choose.
#[awaitable]
fn choose(which: usize, a: &Reader<u32>, b: &Reader<u32>, c: &Writer<u32>) -> csp::Result<u32> {
    match which {
        0 => alt! {
            x = a.read() => x,
            x = b.read() => x,
            c.write(9)   => 9,
            after(HOUR)  => unreachable!(),
        },
        1 => pri_alt! {
            after(HOUR)          => unreachable!(),
            x = a.begin()        => *x,
            c.write_with(|| 9)   => 9,
            x = b.read()         => x,
        },
        _ => {
            let mut choice = Alternation::new();
            choice.after(HOUR, || unreachable!());
            choice.read(a, |x| x);
            choice.write(c, || 9, || 9);
            choice.begin(b, |x| *x);
            choice.choose()
        }
    }
}

/// Starts such a choice, which then waits.
fn chooses(
    backend: &Placement,
    which: usize,
    (a, b, c): (Reader<u32>, Reader<u32>, Writer<u32>),
) -> csp::Spawned<csp::Result<u32>> {
    start_waiting!(
        backend,
        (which: usize = which, a: Reader<u32> = a, b: Reader<u32> = b, c: Writer<u32> = c) -> csp::Result<u32> {
            wait_for!(choose(which, &a, &b, &c))
        }
    )
}

fn is_no_guard<T>(outcome: &csp::Result<T>) -> bool {
    matches!(outcome, Err(Termination::Poisoned(poison)) if matches!(poison.cause(), Cause::NoGuard { .. }))
}

const READS: usize = 4;

/// Reads by one of the ways to read, and notes when the value has been used.
#[awaitable]
fn read_extended(way: usize, input: &Reader<u32>, log: &Notes) -> csp::Result {
    match way {
        0 => alt! { held = input.begin() => { use_for_a_while(log); drop(held); } },
        // The value has no name, but it is still held while the arm runs.
        1 => alt! { input.begin() => use_for_a_while(log) },
        2 => {
            let held: Extended<'_, u32> =
                alt! { held = input.begin() => held, after(HOUR) => unreachable!() }?;
            csp::sleep(Duration::from_micros(10));
            use_for_a_while(log);
            assert_eq!(held.into_inner(), 1);
            Ok(())
        }
        _ => {
            let mut choice = Alternation::new();
            choice.begin(input, |held| {
                use_for_a_while(log);
                drop(held);
            });
            choice.choose()
        }
    }
}

/// Blocks its thread for a moment, because a closure can't await. A writer on another core would have time meanwhile.
fn use_for_a_while(log: &Notes) {
    std::thread::sleep(Duration::from_micros(10));
    log.push("used");
}

const WRITES: usize = 4;

#[awaitable]
fn write_one(way: usize, output: &Writer<u32>) -> csp::Result {
    match way {
        0 => Ok(output.write(1)?),
        1 => alt! { output.write(1) => {} },
        2 => alt! { output.write_with(|| 1) => {}, after(HOUR) => unreachable!() },
        _ => {
            let mut choice = Alternation::new();
            choice.write(output, || 1, || {});
            choice.choose()
        }
    }
}

laws! {
    fn a_guard_that_retires_is_left_out(backend) {
        for choice in 0..CHOICES {
            let (a, b) = two();
            let c = Channel::new();
            let (reads_a, reads_b, writes_c) = (a.reader(), b.reader(), c.writer());
            let waiting = chooses(backend, choice, (reads_a, reads_b, writes_c));
            // The channels end one after another while the choice waits. The remaining guards still serve.
            drop(a.writer());
            drop(c.reader());
            csp_tests::settle();
            assert!(!waiting.has_ended());
            b.writer().write(5).unwrap();
            assert_eq!(waiting.join(), Ok(5));
        }
    }

    fn a_guard_that_had_retired_is_left_out(backend) {
        for choice in 0..CHOICES {
            let (a, b) = two();
            let c = Channel::new();
            let (reads_a, reads_b, writes_c) = (a.reader(), b.reader(), c.writer());
            drop((a.writer(), b.writer()));
            let waiting = chooses(backend, choice, (reads_a, reads_b, writes_c));
            assert_eq!(c.reader().read(), Ok(9));
            assert_eq!(waiting.join(), Ok(9));
        }
    }

    fn when_all_have_retired_the_choice_ends_timeouts_or_not(backend) {
        for choice in 0..CHOICES {
            for early in 0..=3 {
                let (a, b) = two();
                let c = Channel::new();
                let (reads_a, reads_b, writes_c) = (a.reader(), b.reader(), c.writer());
                let mut retire: Vec<Box<dyn Fn()>> = vec![
                    Box::new(|| drop(a.writer())),
                    Box::new(|| drop(b.writer())),
                    Box::new(|| drop(c.reader())),
                ];
                let late = retire.split_off(early);
                retire.iter().for_each(|retire| retire());
                let waiting = chooses(backend, choice, (reads_a, reads_b, writes_c));
                late.iter().for_each(|retire| retire());
                assert_eq!(waiting.join(), Err(Termination::Retired));
            }
        }
    }

    fn a_poisoned_guard_ends_the_choice_at_once(backend) {
        for choice in 0..CHOICES {
            for poisoned in 0..3 {
                for early in [false, true] {
                    let (a, b) = two();
                    let c = Channel::new();
                    let (reads_a, reads_b, writes_c) = (a.reader(), b.reader(), c.writer());
                    let _others = (a.writer(), b.writer(), c.reader());
                    let poison = || match poisoned {
                        0 => a.writer().poison("at once"),
                        1 => b.reader().poison("at once"),
                        _ => c.reader().poison("at once"),
                    };
                    if early {
                        poison();
                    }
                    let waiting = chooses(backend, choice, (reads_a, reads_b, writes_c));
                    if !early {
                        poison();
                    }
                    let end = waiting.join().unwrap_err();
                    assert_eq!(poisoned_by_reason(&end).as_deref(), Some("at once"));
                }
            }
        }
    }

    fn values_in_a_buffer_come_before_retirement(backend) {
        let channel = Channel::buffered(3);
        let (input, output) = (channel.reader(), channel.writer());
        (1..=3).for_each(|value| output.write(value).unwrap());
        drop(output);
        let read = start!(backend, (input: Reader<u32> = input) -> Vec<u32> {
            let mut read = Vec::new();
            loop {
                alt! {
                    retired(input)   => return read,
                    x = input.read() => read.push(x),
                }
                .unwrap();
            }
        });
        assert_eq!(read.join(), [1, 2, 3]);
    }

    fn retirement_is_a_guard_for_readers_and_writers(backend) {
        let (a, b) = two();
        let (input, output) = (a.reader(), b.writer());
        let waiting = start_waiting!(
            backend,
            (input: Reader<u32> = input, output: Writer<u32> = output) -> csp::Result<Vec<char>> {
                let mut seen = Vec::new();
                while seen.len() < 2 {
                    seen.push(alt! {
                        if !seen.contains(&'i'), retired(input)  => 'i',
                        if !seen.contains(&'o'), retired(output) => 'o',
                    }?);
                }
                Ok(seen)
            }
        );
        drop(b.reader());
        csp_tests::settle();
        drop(a.writer());
        let mut seen = waiting.join().unwrap();
        seen.sort_unstable();
        assert_eq!(seen, ['i', 'o']);
    }

    fn retirement_waits_for_the_last_value(backend) {
        let channel = Channel::buffered(2);
        let (input, output, other) = (channel.reader(), channel.writer(), channel.reader());
        output.write(1).unwrap();
        output.write(2).unwrap();
        drop(output);
        let waiting = start_waiting!(backend, (input: Reader<u32> = input) -> csp::Result {
            alt! { retired(input) => {} }
        });
        assert_eq!(other.read(), Ok(1));
        csp_tests::settle();
        assert!(!waiting.has_ended());
        assert_eq!(other.read(), Ok(2));
        assert_eq!(waiting.join(), Ok(()));
    }

    fn poison_is_not_retirement(backend) {
        let channel = Channel::<u32>::new();
        let (input, _output) = (channel.reader(), channel.writer());
        let waiting = start_waiting!(backend, (input: Reader<u32> = input) -> csp::Result {
            alt! { retired(input) => {} }
        });
        channel.reader().poison("instead");
        let end = waiting.join().unwrap_err();
        assert_eq!(poisoned_by_reason(&end).as_deref(), Some("instead"));
    }

    fn many_may_watch_one_channel(backend) {
        let channel = Channel::<u32>::new();
        let watching: Vec<_> = (0..5)
            .map(|n| {
                let (input, output) = (channel.reader(), channel.writer());
                start_waiting!(
                    backend,
                    (n: u32 = n, input: Reader<u32> = input, output: Writer<u32> = output) -> csp::Result<u32> {
                        match n % 2 {
                            0 => {
                                drop(output);
                                alt! { retired(input) => n }
                            }
                            _ => {
                                // A set holds the ends of its guards.
                                let mut choice = Alternation::new();
                                drop(output);
                                choice.retired(input, || n);
                                choice.choose()
                            }
                        }
                    }
                )
            })
            .collect();
        drop(channel.writer());
        for (n, watching) in watching.into_iter().enumerate() {
            assert_eq!(watching.join(), Ok(n as u32));
        }
    }

    fn without_an_enabled_guard_a_choice_is_an_error(backend) {
        let channel = Channel::buffered(1);
        let (input, output) = (channel.reader(), channel.writer());
        let outcomes = start!(backend, (input: Reader<u32> = input, output: Writer<u32> = output) -> Vec<csp::Result> {
            let no = std::hint::black_box(false);
            let mut disabled = Alternation::<()>::new();
            let guard = disabled.read(&input, |_| ());
            disabled.set_enabled(guard, false);
            vec![
                alt! { if no, input.read() => {} },
                alt! { if no, output.write(1) => {}, if no, after(HOUR) => {} },
                pri_alt! { if no, output.write_with(|| 1) => {}, if no, skip => {} },
                Alternation::<()>::new().choose(),
                Alternation::<()>::by_priority().choose(),
                disabled.choose(),
            ]
        });
        for outcome in outcomes.join() {
            assert!(is_no_guard(&outcome), "{outcome:?}");
            let text = format!("{:#}", outcome.unwrap_err());
            assert!(text.contains("`law/run`") && text.contains("guards.rs"), "{text}");
        }
    }

    fn the_error_of_no_guard_goes_the_way_of_poison(backend) {
        let channel = Channel::<u32>::new();
        let output = channel.writer();
        let process = start!(backend, (output: Writer<u32> = output) -> csp::Result {
            alt! { if false, output.write(1) => {} }
        });
        let end = channel.reader().read();
        assert!(is_no_guard(&end));
        assert_eq!(process.join(), end.map(drop));
    }

    fn a_disabled_guard_does_not_count_as_retired(backend) {
        let (a, b) = two();
        let (retired, open, _output) = (a.reader(), b.reader(), b.writer());
        drop(a);
        let outcome = start!(backend, (retired: Reader<u32> = retired, open: Reader<u32> = open) -> (csp::Result, csp::Result) {
            let all = alt! {
                retired.read()        => {}
                if false, open.read() => {}
            };
            let none = alt! { if false, retired.read() => {} };
            (all, none)
        });
        let (all, none) = outcome.join();
        assert_eq!(all, Err(Termination::Retired));
        assert!(is_no_guard(&none));
    }

    fn an_extended_read_keeps_its_writer_in_whatever_choice(backend) {
        for read in 0..READS {
            for write in 0..WRITES {
                for writer_first in [false, true] {
                    backend.note(format!("read {read}, write {write}, writer first: {writer_first}"));
                    let channel = Channel::new();
                    let (input, output) = (channel.reader(), channel.writer());
                    let (log, gone) = (Notes::new(), Arrival::new());
                    let reads = placed!(
                        backend,
                        (read: usize = read, input: Reader<u32> = input, log: Notes = log.clone(), gone: Arrival = gone.clone()) -> csp::Result {
                            gone.announce();
                            wait_for!(read_extended(read, &input, &log))
                        }
                    );
                    let writes = placed!(
                        backend,
                        (write: usize = write, output: Writer<u32> = output, log: Notes = log.clone(), gone: Arrival = gone.clone()) -> csp::Result {
                            gone.announce();
                            let end = wait_for!(write_one(write, &output));
                            log.push("released");
                            end
                        }
                    );
                    let (reads, writes) = if writer_first {
                        let writes = csp::spawn(writes);
                        gone.until_blocked();
                        (csp::spawn(reads), writes)
                    } else {
                        let reads = csp::spawn(reads);
                        gone.until_blocked();
                        (reads, csp::spawn(writes))
                    };
                    assert_eq!((reads.join(), writes.join()), (Ok(()), Ok(())));
                    assert_eq!(log.entries(), ["used", "released"]);
                }
            }
        }
    }

    fn an_extended_read_that_is_not_chosen_keeps_nobody(backend) {
        let (a, b) = two();
        let (input, other) = (a.reader(), b.reader());
        let waiting = start_waiting!(backend, (input: Reader<u32> = input, other: Reader<u32> = other) -> csp::Result<u32> {
            alt! {
                held = input.begin() => *held,
                x = other.read()     => x,
            }
        });
        b.writer().write(2).unwrap();
        assert_eq!(waiting.join(), Ok(2));
        assert!(a.writer().write(1).is_err());
    }

    fn a_panic_while_a_value_is_held_lets_its_writer_go(backend) {
        let ledger = Ledger::new(1);
        let channel = Channel::new();
        let (input, output) = (channel.reader(), channel.writer());
        let reads = start!(backend, (input: Reader<Token> = input) -> () {
            alt! { _held = input.begin() => panic!("in the middle") }.unwrap()
        });
        // The value was delivered, and the fate of its reader does not matter.
        assert!(output.write(ledger.token(0)).is_ok());
        let failure: Result<(), _> = reads.try_join();
        assert_eq!(failure.unwrap_err().message(), "in the middle");
        ledger.balance();
    }

    fn ends_of_many_types_in_one_set(backend) {
        let (numbers, words, signals) = (Channel::new(), Channel::new(), Channel::new());
        let log = start!(
            backend,
            (numbers: Reader<u32> = numbers.reader(), words: Reader<String> = words.reader(), signals: Writer<()> = signals.writer()) -> Vec<String> {
                let log = RefCell::new(Vec::new());
                let mut choice = Alternation::by_priority();
                choice.read(numbers, |n: u32| log.borrow_mut().push(n.to_string()));
                choice.read(words, |word: String| log.borrow_mut().push(word));
                choice.write(Box::new(signals), || (), || log.borrow_mut().push("signal".into()));
                while choice.choose().is_ok() {}
                drop(choice);
                log.into_inner()
            }
        );
        let writes = start!(
            backend,
            (numbers: Writer<u32> = numbers.writer(), words: Writer<String> = words.writer(), signals: Reader<()> = signals.reader()) -> () {
                numbers.write(1).unwrap();
                words.write("two".to_owned()).unwrap();
                signals.read().unwrap();
                numbers.write(3).unwrap();
            }
        );
        drop((numbers, words, signals));
        writes.join();
        assert_eq!(log.join(), ["1", "two", "signal", "3"]);
    }

    fn a_choice_within_an_arm_of_another(backend) {
        let channel = Channel::buffered(10);
        let (input, output) = (channel.reader(), channel.writer());
        let sum = start!(backend, (input: Reader<u32> = input, output: Writer<u32> = output) -> csp::Result<u32> {
            for n in 1..=10 {
                output.write(n)?;
            }
            let mut sum = 0;
            for _ in 0..5 {
                sum += alt! {
                    x = input.read() => alt! { y = input.read() => x * y, after(HOUR) => 0 }?,
                    after(HOUR)      => 0,
                }?;
            }
            Ok(sum)
        });
        assert_eq!(sum.join(), Ok(2 + 12 + 30 + 56 + 90));
    }

    fn skip_in_a_fair_set_is_refused(backend, here: "it has no channel") {
        let said = backend.start(in_place!(|| panic_of(|| Alternation::new().skip(|| ()))));
        assert!(said.join().contains("by_priority"));
    }

    fn a_guard_that_there_is_not_is_refused(backend, here: "it has no channel") {
        let said = backend.start(in_place!(|| {
            panic_of(|| {
                let mut choice = Alternation::by_priority();
                choice.skip(|| ());
                choice.set_enabled(1, false);
            })
        }));
        let said = said.join();
        assert!(said.contains("no guard 1") && said.contains("has 1"), "{said}");
    }

    fn a_set_says_what_it_is_of(backend) {
        let jobs = Channel::<u32>::new().named("jobs");
        let (input, output) = (jobs.reader(), jobs.writer());
        let text = start!(backend, (input: Reader<u32> = input, output: Writer<u32> = output) -> String {
            let mut choice = Alternation::new();
            let guard = choice.read(&input, drop);
            choice.write(&output, || 1, || ());
            choice.set_enabled(guard, false);
            assert_eq!((choice.len(), choice.is_empty(), choice.chosen()), (2, false, None));
            format!("{choice:?}")
        });
        assert_eq!(text.join(), "[disabled: read from `jobs`, write to `jobs`]");
    }
}

/// Writes its number again and again.
#[multiprocess]
fn feeds(number: usize, out: Writer<usize>) -> usize {
    let mut written = 0;
    while out.write(number).is_ok() {
        written += 1;
    }
    written
}

on_each_backend! {
    fn a_guard_that_is_removed_lets_its_end_go(backend) {
        let mut choice = Alternation::new();
        let mut feeders: Vec<_> = (0..4)
            .map(|number| {
                let values = Channel::new();
                assert_eq!(choice.read(values.reader(), |number| number), number);
                spawn(backend.place(feeds(number, values.writer())))
            })
            .collect();
        let mut seen = [0; 5];
        while seen[..4].contains(&0) {
            let number = choice.choose().unwrap();
            assert_eq!(choice.chosen(), Some(number));
            seen[number] += 1;
        }
        choice.remove(1);
        assert_eq!(feeders.remove(1).join(), seen[1]);
        let late = Channel::new();
        assert_eq!(choice.read(late.reader(), |number| number), 4, "no index is used again");
        assert_eq!(choice.len(), 4);
        feeders.push(spawn(backend.place(feeds(4, late.writer()))));
        while seen[4] < 2 {
            let number = choice.choose().unwrap();
            assert_ne!(number, 1);
            assert_eq!(choice.chosen(), Some(number));
            seen[number] += 1;
        }
        assert!(panic_of(|| choice.remove(1)).contains("there is no guard 1"));
        drop(choice);
        let written: usize = feeders.into_iter().map(csp::Spawned::join).sum();
        assert_eq!(written, seen[0] + seen[2] + seen[3] + seen[4]);
    }

    fn removing_a_guard_keeps_the_turns_of_the_others(backend) {
        let channels = 4 * Channel::buffered(100);
        let mut choice = Alternation::new();
        let mut full = Vec::new();
        for (number, channel) in channels.iter().enumerate() {
            choice.read(channel.reader(), |number: usize| number);
            let writer = channel.writer();
            (0..20).for_each(|_| writer.write(number).unwrap());
            full.push(writer);
        }
        choice.after(HOUR, || unreachable!());
        let mut next = || choice.choose().unwrap();
        assert_eq!([next(), next(), next()], [0, 1, 2]);
        choice.remove(1);
        let mut next = || choice.choose().unwrap();
        assert_eq!([next(), next(), next(), next()], [3, 0, 2, 3]);
        choice.remove(0);
        let mut next = || choice.choose().unwrap();
        assert_eq!([next(), next(), next()], [2, 3, 2]);
        let _ = backend;
    }
}

/// Compiles: when an arm runs, no guard borrows the ends or what a value borrows.
#[test]
fn an_arm_may_drop_its_end_and_what_the_value_borrows() {
    let text = String::from("borrowed");
    let values = Channel::<&String>::buffered(1);
    let (reader, writer) = (values.reader(), values.writer());
    writer.write(&text).unwrap();
    drop((values, writer));
    alt! {
        _ = reader.read() => {
            drop(reader);
            drop(text);
        }
    }
    .unwrap();
}
