//! Time in a choice, and elsewhere: no value is lost to a timeout, and an armed timer that is not needed costs nothing.

use csp::{Alternation, Channel, Reader, Writer, alt, pri_alt};
use csp_tests::{
    Ledger, Placement, Random, Token, held, held_by_all, in_place, laws, seed, start, start_waiting,
};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);

/// Starts a process that writes one value for each request, so that its reader waits each time.
fn echo(backend: &Placement) -> (csp::Writer<u32>, csp::Reader<u32>) {
    let (asks, answers) = (Channel::new(), Channel::new());
    let (input, output) = (asks.reader(), answers.writer());
    let _ = start!(backend, (input: Reader<u32> = input, output: Writer<u32> = output) -> csp::Result {
        loop {
            output.write(input.read()?)?;
        }
    });
    (asks.writer(), answers.reader())
}

/// Returns ten times the usual growth between two marks. Another test may run on the same thread for a while, and leave something there. A leak of
/// each timer grows all the time.
fn growth(marks: &[isize]) -> isize {
    let mut growths: Vec<_> = marks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    growths.sort_unstable();
    10 * growths[growths.len() / 2]
}

laws! {
    fn a_million_timeouts_armed_and_dropped_leave_nothing(backend) {
        let million = if cfg!(debug_assertions) { 300_000 } else { 1_000_000 };
        let count = if backend.has_os_processes() { 3_000 } else { backend.many(million, 20_000) as u32 };
        let (ask, answers) = echo(backend);
        let grown = start!(backend, (count: u32 = count, by_all: bool = backend.has_streams(), ask: Writer<u32> = ask, answers: Reader<u32> = answers) -> csp::Result<isize> {
            let mut marks = Vec::new();
            for n in 0..count {
                if n % (count / 10) == 0 {
                    marks.push(if by_all { held_by_all() } else { held() });
                }
                ask.write(n)?;
                alt! {
                    answer = answers.read() => assert_eq!(answer, n),
                    after(HOUR)             => unreachable!(),
                }?;
            }
            Ok(growth(&marks))
        });
        let grown = grown.join().unwrap();
        assert!(grown < 64 * 20_000, "{grown} bytes");
    }

    fn one_time_armed_again_and_again_leaves_nothing(backend) {
        let count = if backend.has_os_processes() { 3_000 } else { backend.many(200_000, 20_000) as u32 };
        let (ask, answers) = echo(backend);
        let grown = start!(backend, (count: u32 = count, by_all: bool = backend.has_streams(), ask: Writer<u32> = ask, answers: Reader<u32> = answers) -> csp::Result<isize> {
            let (deadline, mut marks) = (Instant::now() + HOUR, Vec::new());
            for n in 0..count {
                if n % (count / 10) == 0 {
                    marks.push(if by_all { held_by_all() } else { held() });
                }
                ask.write(n)?;
                alt! {
                    answer = answers.read() => assert_eq!(answer, n),
                    at(deadline)            => unreachable!(),
                }?;
            }
            Ok(growth(&marks))
        });
        let grown = grown.join().unwrap();
        assert!(grown < 64 * 20_000, "{grown} bytes");
    }

    fn many_wait_with_a_time_each_and_none_is_kept_by_it(backend) {
        let count = backend.many(10_000, 50);
        let channel = Channel::new();
        let waiting: Vec<_> = (0..count as u64)
            .map(|n| {
                let input = channel.reader();
                start!(backend, (n: u64 = n, input: Reader<u64> = input) -> csp::Result<u64> {
                    alt! {
                        x = input.read()                       => x,
                        after(HOUR + Duration::from_nanos(n)) => u64::MAX,
                    }
                })
            })
            .collect();
        let output = channel.writer();
        drop(channel);
        for n in 0..count as u64 {
            output.write(n).unwrap();
        }
        let mut read: Vec<_> = waiting.into_iter().map(|one| one.join().unwrap()).collect();
        read.sort_unstable();
        assert!(read.into_iter().eq(0..count as u64));
    }

    fn a_network_ends_though_somebody_would_still_sleep(backend, here: "it has no channel") {
        // If it did not end, the watchdog would fail the test.
        let sleeper = in_place!(|| csp::sleep(HOUR));
        let _ = csp::spawn(backend.place(sleeper).daemon());
        backend.start(in_place!(|| ())).join();
    }

    fn a_timeout_does_not_come_before_its_time(backend) {
        for set in [false, true] {
            let channel = Channel::<u32>::new();
            let (input, _output) = (channel.reader(), channel.writer());
            let waits = start!(backend, (set: bool = set, input: Reader<u32> = input) -> csp::Result<bool> {
                let (began, wait) = (Instant::now(), Duration::from_millis(3));
                if set {
                    let mut choice = Alternation::new();
                    choice.read(&input, |_| unreachable!());
                    choice.after(wait, || {});
                    choice.choose()?;
                } else {
                    alt! {
                        input.read() => unreachable!(),
                        after(wait)  => {}
                    }?;
                }
                Ok(began.elapsed() >= wait)
            });
            assert_eq!(waits.join(), Ok(true));
        }
        let sleeps = start!(backend, () -> bool {
            let (began, wait) = (Instant::now(), Duration::from_millis(3));
            csp::sleep(wait);
            csp::sleep_until(began + 2 * wait);
            began.elapsed() >= 2 * wait
        });
        assert!(sleeps.join());
    }

    fn of_two_timeouts_the_earlier_is_chosen(backend) {
        let chosen = start!(backend, () -> csp::Result<Vec<String>> {
            let [short, long] = [1, 3].map(Duration::from_millis);
            let mut chosen = Vec::new();
            for _ in 0..5 {
                chosen.push(alt! { after(short) => "short", after(long) => "long" }?);
                chosen.push(pri_alt! { after(long) => "long", after(short) => "short" }?);
                let mut choice = Alternation::by_priority();
                choice.at(Instant::now() + HOUR, || "long");
                choice.after(short, || "short");
                chosen.push(choice.choose()?);
            }
            Ok(chosen.into_iter().map(String::from).collect())
        });
        assert_eq!(chosen.join(), Ok(vec!["short".to_owned(); 15]));
    }

    fn a_time_that_is_past_is_ready(backend) {
        let channel = Channel::<u32>::new();
        let (input, _output) = (channel.reader(), channel.writer());
        let chosen = start!(backend, (input: Reader<u32> = input) -> csp::Result {
            let past = Instant::now();
            alt! {
                input.read()          => unreachable!(),
                after(Duration::MAX)  => unreachable!(),
                at(past)              => {}
            }
        });
        assert_eq!(chosen.join(), Ok(()));
    }

    fn the_longest_timeout_never_comes(backend) {
        let channel = Channel::new();
        let waits = start_waiting!(backend, (input: Reader<u32> = channel.reader()) -> csp::Result<u32> {
            alt! {
                x = input.read()     => x,
                after(Duration::MAX) => 0,
            }
        });
        channel.writer().write(1).unwrap();
        assert_eq!(waits.join(), Ok(1));
    }

    fn a_timeout_against_a_late_writer_loses_no_value(backend) {
        // Both sides give up after a moment and try again. Even if one is late, one of them has the value.
        for seed in seed()..seed() + backend.rounds(20) {
            backend.note(format!("seed {seed}"));
            let mut random = Random::seeded(seed);
            let ledger = Ledger::new(4 * 100);
            let channel = Channel::buffered(random.below(2));
            let writers: Vec<_> = (0..4)
                .map(|who| {
                    let random = random.fork();
                    start!(
                        backend,
                        (who: usize = who, random: Random = random, output: Writer<Token> = channel.writer(), ledger: Ledger = ledger.clone()) -> csp::Result<u32> {
                        let (mut late, mut random) = (0, random);
                        for id in 100 * who..100 * (who + 1) {
                            let value = ledger.token(id);
                            loop {
                                let patience = Duration::from_micros(random.below(60) as u64);
                                alt! {
                                    output.write(value) => break,
                                    after(patience)     => late += 1,
                                }?;
                            }
                        }
                        Ok(late)
                    })
                })
                .collect();
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    start!(backend, (random: Random = random.fork(), input: Reader<Token> = channel.reader()) -> Vec<Token> {
                        let (mut read, mut random) = (Vec::new(), random);
                        loop {
                            let patience = Duration::from_micros(random.below(60) as u64);
                            let end = alt! {
                                value = input.read() => read.push(value),
                                after(patience)      => {}
                            };
                            if end.is_err() {
                                return read;
                            }
                        }
                    })
                })
                .collect();
            drop(channel);
            for writer in writers {
                writer.join().unwrap();
            }
            let read: Vec<_> = readers.into_iter().flat_map(csp::Spawned::join).collect();
            let mut ids: Vec<_> = read.iter().map(Token::id).collect();
            ids.sort_unstable();
            assert!(ids.into_iter().eq(0..400));
            drop(read);
            ledger.balance();
        }
    }

    fn sleepers_wake_in_the_order_of_their_times(backend, here: "the system says when an OS process runs") {
        for lead in (0..).map(|round| Duration::from_millis(5 << round)) {
            let (start, order) = (Instant::now() + lead, Arc::new(Mutex::new(Vec::new())));
            let sleepers: Vec<_> = [3, 1, 4, 0, 5, 2, 6]
                .map(|turn| {
                    let order = Arc::clone(&order);
                    backend.start(in_place!(move || {
                        csp::sleep_until(start + turn * Duration::from_micros(100));
                        order.lock().unwrap().push(turn);
                    }))
                })
                .into();
            // The process gets its turn when all of them sleep. A sleeper that was late for its time need not have slept.
            let all_sleep = backend.start(in_place!(move || Instant::now() < start)).join();
            sleepers.into_iter().for_each(csp::Spawned::join);
            // The operating system decides when a thread or a scheduler runs.
            if backend.has_threads() || backend.has_cores() {
                break;
            }
            if all_sleep {
                assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4, 5, 6]);
                break;
            }
        }
    }

    fn ticks_do_not_drift_and_none_comes_early(backend, here: "it has no channel", async: "an iterator waits here; for the form that awaits see `asyncs::laws`") {
        let ticks = backend.spawn(|| {
            let period = Duration::from_micros(500);
            let mut every = csp::every(period);
            let first = every.due();
            let mut dues = Vec::new();
            for round in 0..10 {
                let due = if round % 2 == 0 {
                    every.next().unwrap()
                } else {
                    let due = every.due();
                    alt! {
                        at(due)    => every.advance(),
                        after(HOUR) => unreachable!(),
                    }
                    .unwrap();
                    due
                };
                assert!(due <= Instant::now());
                dues.push((due - first).as_nanos());
            }
            (dues, period.as_nanos())
        });
        let (dues, period) = ticks.join();
        assert!(dues.iter().all(|due| due % period == 0), "{dues:?}");
        assert!(dues.is_sorted() && dues.windows(2).all(|pair| pair[0] != pair[1]), "{dues:?}");
    }

    fn a_timeout_does_not_recover_a_process_from_poison(backend) {
        let (poisoned, other) = (Channel::<u32>::new(), Channel::<u32>::new());
        let (input, output) = (poisoned.reader(), other.writer());
        poisoned.writer().poison("the cause");
        let process = start!(backend, (input: Reader<u32> = input, output: Writer<u32> = output) -> () {
            assert!(input.read().is_err());
            csp::sleep(Duration::from_micros(100));
            alt! { after(Duration::ZERO) => {} }.unwrap();
            pri_alt! { skip => {} }.unwrap();
            drop(output);
        });
        let end = other.reader().read().unwrap_err();
        assert_eq!(csp_tests::poisoned_by_reason(&end).as_deref(), Some("the cause"));
        process.join();
    }
}
