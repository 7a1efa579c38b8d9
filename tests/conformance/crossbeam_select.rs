//! crossbeam-channel's `tests/select.rs`, and `tests/select_macro.rs` too, because `alt!` is like `select!`. A channel with a large
//! buffer replaces an unbounded channel. A choice with `skip` replaces a try, and a choice with `after` replaces a timeout.
//!
//! There a channel that has ended makes its guard ready. Here its guard leaves the choice, and the choice ends when all guards have.
//!
//! Not here:
//! - `sync_and_clone`, `send_and_clone`: a set belongs to one process. Its ends can be cloned, but not the set itself.
//! - `uncompleted_select_*`, `forget_select_*`, `issue_1096`: there a choice is made by one call and completed by another, with
//!   any end. Here it is one call.
//! - `ready` and `try_ready`: a choice performs the chosen guard. It is of no use to know the guards that were ready a moment ago.

use csp::{Alternation, Cause, Channel, Reader, Termination, Writer, alt, pri_alt};
use csp_tests::{Arrival, on_each_backend};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_micros(200);

fn ends<T>(capacity: usize) -> (Writer<T>, Reader<T>) {
    let channel = Channel::buffered(capacity);
    (channel.writer(), channel.reader())
}

/// Reads or writes, by a set or by the macro, and returns which partner it met.
fn meets(
    who: usize,
    by_set: bool,
    (output, input): (Writer<usize>, Reader<usize>),
) -> Option<usize> {
    if by_set {
        let mut choice = Alternation::new();
        choice.read(input, Some);
        choice.write(output, || who, || None);
        choice.choose().unwrap()
    } else {
        alt! {
            from = input.read() => Some(from),
            output.write(who)   => None,
        }
        .unwrap()
    }
}

on_each_backend! {
    here: "the ported tests are about threads of one OS process";
    fn smoke(backend) {
        backend
            .spawn(|| {
                let lines: Vec<_> = (0..5).map(|_| ends::<usize>(10)).collect();
                for (n, (output, _)) in lines.iter().enumerate() {
                    output.write(n).unwrap();
                    let mut choice = Alternation::new();
                    for (guard, (_, input)) in lines.iter().enumerate() {
                        choice.read(input, move |read| (guard, read));
                    }
                    assert_eq!(choice.choose(), Ok((n, n)));
                    assert_eq!(choice.chosen(), Some(n));
                }
            })
            .join();
    }

    fn disconnected(backend) {
        let ((s1, r1), (s2, r2)) = (ends::<i32>(10), ends(10));
        let arrival = Arrival::new();
        let chooses = backend.spawn({
            let arrival = arrival.clone();
            move || {
                let mut outcomes = Vec::new();
                for _ in 0..2 {
                    arrival.announce();
                    outcomes.push(alt! {
                        r1.read()     => unreachable!(),
                        x = r2.read() => x,
                        after(HOUR)   => 0,
                    });
                }
                outcomes
            }
        });
        arrival.until_blocked();
        drop(s1);
        s2.write(5).unwrap();
        arrival.until_blocked_again(2);
        drop(s2);
        assert_eq!(chooses.join(), [Ok(5), Err(Termination::Retired)]);
    }

    fn default(backend) {
        backend
            .spawn(|| {
                let ((s1, r1), (s2, r2)) = (ends::<i32>(10), ends(10));
                let poll = |r1: &Reader<i32>, r2: &Reader<i32>| {
                    pri_alt! {
                        x = r1.read() => Some(x),
                        x = r2.read() => Some(x),
                        skip          => None,
                    }
                };
                assert_eq!(poll(&r1, &r2), Ok(None));
                drop(s1);
                assert_eq!(poll(&r1, &r2), Ok(None));
                s2.write(2).unwrap();
                assert_eq!(poll(&r1, &r2), Ok(Some(2)));
                assert_eq!(poll(&r1, &r2), Ok(None));
                drop(s2);
                assert_eq!(poll(&r1, &r2), Err(Termination::Retired));
            })
            .join();
    }

    fn timeout(backend) {
        let ((_s1, r1), (s2, r2)) = (ends::<i32>(10), ends(10));
        let go = Channel::new();
        let chooses = backend.spawn({
            let go = go.writer();
            move || {
                [MOMENT, HOUR].map(|patience| {
                    let chosen = alt! {
                        r1.read()       => unreachable!(),
                        x = r2.read()   => Some(x),
                        after(patience) => None,
                    };
                    go.write(()).unwrap();
                    chosen
                })
            }
        });
        let go = go.reader();
        go.read().unwrap();
        s2.write(2).unwrap();
        go.read().unwrap();
        assert_eq!(chooses.join(), [Ok(None), Ok(Some(2))]);
    }

    fn default_when_disconnected(backend) {
        backend
            .spawn(|| {
                let (_, input) = ends::<i32>(10);
                let (output, _) = ends::<i32>(0);
                let ended = Err(Termination::Retired);
                assert_eq!(pri_alt! { input.read() => {}, skip => unreachable!() }, ended);
                assert_eq!(alt! { input.read() => {}, after(HOUR) => unreachable!() }, ended);
                assert_eq!(pri_alt! { output.write(0) => {}, skip => unreachable!() }, ended);
                assert_eq!(alt! { output.write(0) => {}, after(HOUR) => unreachable!() }, ended);
            })
            .join();
    }

    fn default_only(backend) {
        backend
            .spawn(|| {
                assert_eq!(pri_alt! { skip => 1 }, Ok(1));
                assert_eq!(alt! { after(MOMENT) => 1 }, Ok(1));
                let none = Alternation::<()>::new().choose();
                let Err(Termination::Poisoned(poison)) = none else { panic!("{none:?}") };
                assert!(matches!(poison.cause(), Cause::NoGuard { .. }));
            })
            .join();
    }

    fn unblocks(backend) {
        let lines = [ends::<i32>(0), ends(0)];
        let arrivals = [Arrival::new(), Arrival::new()];
        let reads = backend.spawn({
            let ([r1, r2], arrival) = (lines.each_ref().map(|line| line.1.clone()), arrivals[0].clone());
            move || {
                arrival.announce();
                alt! {
                    r1.read()     => unreachable!(),
                    x = r2.read() => x,
                    after(HOUR)   => unreachable!(),
                }
            }
        });
        arrivals[0].until_blocked();
        lines[1].0.write(2).unwrap();
        assert_eq!(reads.join(), Ok(2));
        let writes = backend.spawn({
            let ([s1, s2], arrival) = (lines.each_ref().map(|line| line.0.clone()), arrivals[1].clone());
            move || {
                arrival.announce();
                alt! {
                    s1.write(1) => 1,
                    s2.write(2) => unreachable!(),
                    after(HOUR) => unreachable!(),
                }
            }
        });
        arrivals[1].until_blocked();
        assert_eq!(lines[0].1.read(), Ok(1));
        assert_eq!(writes.join(), Ok(1));
    }

    fn both_ready(backend) {
        let ((s1, r1), (s2, r2)) = (ends(0), ends(0));
        let other = backend.spawn(move || {
            s1.write(1).unwrap();
            r2.read()
        });
        let chooses = backend.spawn(move || {
            (0..2)
                .map(|_| alt! {
                    x = r1.read() => x,
                    s2.write(2)   => 2,
                })
                .collect::<Result<Vec<_>, _>>()
        });
        assert_eq!(other.join(), Ok(2));
        assert_eq!(chooses.join(), Ok(vec![1, 2]));
    }

    fn loop_try(backend) {
        for _ in 0..20 {
            let ((s1, r1), (s2, r2)) = (ends(0), ends(0));
            let (s_end, r_end) = ends::<()>(0);
            // Both poll, each on its own channel, until one is served and the other gets the end.
            let writes = backend.spawn({
                let end = r_end.clone();
                move || {
                    loop {
                        let served = pri_alt! { s1.write(1) => true, skip => false }.unwrap();
                        if served || pri_alt! { end.read() => {}, skip => {} }.is_err() {
                            return served;
                        }
                    }
                }
            });
            let reads = backend.spawn(move || {
                loop {
                    let served = pri_alt! { x = r2.read() => x == 2, skip => false };
                    // The channel may have ended together with the chooser.
                    let served = served.unwrap_or_default();
                    if served || pri_alt! { r_end.read() => {}, skip => {} }.is_err() {
                        return served;
                    }
                }
            });
            let chooses = backend.spawn(move || {
                let chosen = alt! {
                    x = r1.read() => x,
                    s2.write(2)   => 2,
                };
                // It keeps its own ends until the others know.
                drop(s_end);
                (chosen, r1, s2)
            });
            let (wrote, read) = (writes.join(), reads.join());
            let (chosen, ..) = chooses.join();
            assert_eq!((wrote, read), (chosen == Ok(1), chosen == Ok(2)));
        }
    }

    fn cloning(backend) {
        let ((s1, r1), (_s2, r2), (s3, r3)) = (ends(10), ends::<i32>(10), ends::<()>(10));
        let writes = backend.spawn(move || {
            r3.read().unwrap();
            drop(s1.clone());
            s1.write(1).unwrap();
            r3.read().unwrap();
        });
        s3.write(()).unwrap();
        let read = alt! {
            x = r1.read() => x,
            x = r2.read() => x,
        };
        assert_eq!(read, Ok(1));
        s3.write(()).unwrap();
        writes.join();
    }

    fn cloning_while_a_choice_waits(backend) {
        let ((s1, r1), (s2, r2), arrival) = (ends::<()>(10), ends(10), Arrival::new());
        let chooses = backend.spawn({
            let arrival = arrival.clone();
            move || {
                arrival.announce();
                alt! {
                    r1.read() => 1,
                    r2.read() => 2,
                }
            }
        });
        arrival.until_blocked();
        drop(s1.clone());
        s2.write(()).unwrap();
        assert_eq!(chooses.join(), Ok(2));
    }

    fn preflight(backend) {
        backend
            .spawn(|| {
                let (output, input) = ends(10);
                output.write(1).unwrap();
                assert_eq!(alt! { x = input.read() => x }, Ok(1));
                drop(output.clone());
                output.write(2).unwrap();
                drop(output);
                assert_eq!(alt! { x = input.read() => x }, Ok(2));
                assert_eq!(alt! { x = input.read() => x }, Err(Termination::Retired));
                assert_eq!(input.read(), Err(Termination::Retired));
            })
            .join();
    }

    fn duplicate_operations(backend) {
        let hits = backend.spawn(|| {
            let (output, input) = ends(10);
            let mut hits = [0; 4];
            while hits.contains(&0) {
                hits[alt! {
                    input.read()    => 0,
                    input.read()    => 1,
                    output.write(0) => 2,
                    output.write(0) => 3,
                }?] += 1;
            }
            Ok::<_, Termination>(hits)
        });
        let hits = hits.join().unwrap();
        assert!(hits[0] + hits[1] <= hits[2] + hits[3], "{hits:?}");
    }

    fn nesting(backend) {
        let read = backend.spawn(|| {
            let (output, input) = ends(10);
            alt! {
                output.write(0) => alt! {
                    x = input.read() => alt! {
                        output.write(x + 1) => alt! { x = input.read() => x }?,
                    }?,
                }?,
            }
        });
        assert_eq!(read.join(), Ok(1));
    }

    fn stress_recv(backend) {
        const COUNT: usize = 500;
        let ((s1, r1), (s2, r2), (s3, r3)) = (ends(2 * COUNT), ends(5), ends(100));
        let writes = backend.spawn(move || {
            for n in 0..COUNT {
                s1.write(n).unwrap();
                r3.read().unwrap();
                s2.write(n).unwrap();
                r3.read().unwrap();
            }
        });
        let reads = backend.spawn(move || {
            for n in 0..2 * COUNT {
                let read = alt! {
                    x = r1.read() => x,
                    x = r2.read() => x,
                };
                assert_eq!(read, Ok(n / 2));
                s3.write(()).unwrap();
            }
        });
        writes.join();
        reads.join();
    }

    fn stress_send(backend) {
        const COUNT: usize = 500;
        let ((s1, r1), (s2, r2), (s3, r3)) = (ends(0), ends(0), ends(100));
        let reads = backend.spawn(move || {
            for n in 0..COUNT {
                assert_eq!((r1.read(), r2.read()), (Ok(n), Ok(n)));
                r3.read().unwrap();
            }
        });
        let writes = backend.spawn(move || {
            for n in 0..COUNT {
                for _ in 0..2 {
                    alt! {
                        s1.write(n) => {}
                        s2.write(n) => {}
                    }
                    .unwrap();
                }
                s3.write(()).unwrap();
            }
        });
        writes.join();
        reads.join();
    }

    fn stress_mixed_and_reuse(backend) {
        const COUNT: usize = 500;
        for reuse in [false, true] {
            let ((s1, r1), (s2, r2), (s3, r3)) = (ends(0), ends(0), ends(100));
            let partner = backend.spawn(move || {
                for n in 0..COUNT {
                    s1.write(n).unwrap();
                    assert_eq!(r2.read(), Ok(n));
                    r3.read().unwrap();
                }
            });
            let chooses = backend.spawn(move || {
                let now = std::cell::Cell::new(0);
                let mut set = Alternation::new();
                set.read(&r1, |x: usize| assert_eq!(x, now.get()));
                set.write(&s2, || now.get(), || {});
                for n in 0..COUNT {
                    now.set(n);
                    for _ in 0..2 {
                        if reuse {
                            set.choose()
                        } else {
                            alt! {
                                x = r1.read() => assert_eq!(x, n),
                                s2.write(n)   => {}
                            }
                        }
                        .unwrap();
                    }
                    s3.write(()).unwrap();
                }
            });
            partner.join();
            chooses.join();
        }
    }

    fn stress_timeout_two_threads(backend) {
        const COUNT: usize = 100;
        let (output, input) = ends(2);
        let patience = Duration::from_micros(30);
        let writes = backend.spawn(move || {
            for n in 0..COUNT {
                if n % 2 == 0 {
                    csp::sleep(2 * patience);
                }
                while alt! { output.write(n) => false, after(patience) => true }.unwrap() {}
            }
        });
        let reads = backend.spawn(move || {
            for n in 0..COUNT {
                if n % 2 == 0 {
                    csp::sleep(2 * patience);
                }
                let read = loop {
                    let read = alt! { x = input.read() => Some(x), after(patience) => None };
                    if let Some(read) = read.unwrap() {
                        break read;
                    }
                };
                assert_eq!(read, n);
            }
        });
        writes.join();
        reads.join();
    }

    fn send_recv_same_channel(backend) {
        let chosen = backend.spawn(|| {
            [0, 10].map(|capacity| {
                let (output, input) = ends(capacity);
                alt! {
                    input.read()    => "read",
                    output.write(0) => "written",
                    after(MOMENT)   => "neither",
                }
            })
        });
        assert_eq!(chosen.join(), [Ok("neither"), Ok("written")]);
    }

    fn matching(backend) {
        let count = backend.many(1_000, 44);
        let channel = Channel::new();
        let (output, input) = (channel.writer(), channel.reader());
        let all: Vec<_> = (0..count)
            .map(|who| {
                let ends = (output.clone(), input.clone());
                backend.spawn(move || meets(who, who % 3 == 0, ends))
            })
            .collect();
        let met: Vec<_> = all.into_iter().map(csp::Spawned::join).collect();
        assert!(met.iter().enumerate().all(|(who, met)| *met != Some(who)), "who met itself");
        let mut written: Vec<_> = met.iter().flatten().copied().collect();
        written.sort_unstable();
        written.dedup();
        assert_eq!(written.len(), count / 2, "each was read once, by another");
        assert_eq!(pri_alt! { input.read() => true, skip => false }, Ok(false));
    }

    fn matching_with_leftover(backend) {
        let count = backend.many(1_001, 45);
        let channel = Channel::new();
        let (output, input) = (channel.writer(), channel.reader());
        let all: Vec<_> = (0..count)
            .map(|who| {
                let ends = (output.clone(), input.clone());
                backend.spawn(move || meets(who, who % 3 == 0, ends))
            })
            .collect();
        output.write(usize::MAX).unwrap();
        let met: Vec<_> = all.into_iter().map(csp::Spawned::join).collect();
        assert_eq!(met.iter().flatten().count(), count / 2 + 1);
        assert_eq!(met.iter().filter(|met| **met == Some(usize::MAX)).count(), 1);
        assert_eq!(pri_alt! { input.read() => true, skip => false }, Ok(false));
    }

    fn channel_through_channel(backend) {
        const COUNT: usize = 200;
        type Anything = Box<dyn Any + Send>;
        for capacity in 0..3 {
            let (mut output, mut input) = ends::<Anything>(capacity);
            let writes = backend.spawn(move || {
                for _ in 0..COUNT {
                    let (next, reader) = ends::<Anything>(capacity);
                    let value: Anything = Box::new(reader);
                    alt! { output.write(value) => {} }.unwrap();
                    output = next;
                }
            });
            let reads = backend.spawn(move || {
                for _ in 0..COUNT {
                    let value = alt! { value = input.read() => value }.unwrap();
                    input = *value.downcast::<Reader<Anything>>().unwrap();
                }
            });
            writes.join();
            reads.join();
        }
    }

    fn linearizable(backend) {
        const COUNT: usize = 500;
        for patient in [false, true] {
            let ((s1, r1), (s2, r2)) = (ends(1), ends(1));
            let ((start_s, start_r), (end_s, end_r)) = (ends::<()>(0), ends::<()>(0));
            let (mine, theirs) = (r1.clone(), r2.clone());
            let chooses = backend.spawn(move || {
                for _ in 0..COUNT {
                    start_s.write(()).unwrap();
                    s1.write(1).unwrap();
                    // At any moment one of the channels holds a value.
                    if patient {
                        alt! {
                            mine.read()   => {}
                            theirs.read() => {}
                            after(HOUR)   => unreachable!(),
                        }
                    } else {
                        pri_alt! {
                            mine.read()   => {}
                            theirs.read() => {}
                            skip          => unreachable!("neither was ready"),
                        }
                    }
                    .unwrap();
                    end_s.write(()).unwrap();
                    pri_alt! { theirs.read() => {}, skip => {} }.unwrap();
                }
            });
            for _ in 0..COUNT {
                start_r.read().unwrap();
                s2.write(1).unwrap();
                pri_alt! { r1.read() => {}, skip => {} }.unwrap();
                end_r.read().unwrap();
            }
            chooses.join();
        }
    }

    fn fairness1(backend) {
        const COUNT: usize = 1_000;
        let hits = backend.spawn(|| {
            let ((s1, r1), (s2, r2)) = (ends(COUNT), ends(2 * COUNT));
            for _ in 0..COUNT {
                s1.write(()).unwrap();
                s2.write(()).unwrap();
            }
            let mut hits = [0; 4];
            for _ in 0..COUNT {
                hits[alt! {
                    r1.read()                            => 0,
                    r2.read()                            => 1,
                    after(Duration::ZERO)                => 2,
                    at(std::time::Instant::now())        => 3,
                }?] += 1;
            }
            Ok::<_, Termination>(hits)
        });
        assert_eq!(hits.join(), Ok([COUNT / 4; 4]));
    }

    fn fairness2(backend) {
        const COUNT: usize = 3_000;
        // A channel with a buffer is offered only while its buffer is empty.
        let lines = [ends::<()>(COUNT), ends(1), ends(0)];
        let held = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let writes = backend.spawn({
            let ([s1, s2, s3], held) =
                (lines.each_ref().map(|line| line.0.clone()), Arc::clone(&held));
            move || {
                let is_empty = |line: usize| held[line].load(Ordering::Acquire) == 0;
                for n in 0..COUNT {
                    // The rendezvous is ready only while the reader waits. Two threads in step would hardly ever let it, so the
                    // writer comes late now and then, for as many choices as there are guards.
                    if n % 30 < 3 {
                        csp::sleep(MOMENT);
                    }
                    alt! {
                        if is_empty(0), s1.write_with(|| { held[0].fetch_add(1, Ordering::Release); }) => {}
                        if is_empty(1), s2.write_with(|| { held[1].fetch_add(1, Ordering::Release); }) => {}
                        s3.write(()) => {}
                    }
                    .unwrap();
                }
            }
        });
        let reads = backend.spawn({
            let [r1, r2, r3] = lines.each_ref().map(|line| line.1.clone());
            move || {
                let mut hits = [0; 3];
                for _ in 0..COUNT {
                    let line = alt! {
                        r1.read() => 0,
                        r2.read() => 1,
                        r3.read() => 2,
                    }
                    .unwrap();
                    if line < 2 {
                        held[line].fetch_sub(1, Ordering::Release);
                    }
                    hits[line] += 1;
                }
                hits
            }
        });
        writes.join();
        let hits = reads.join();
        assert!(hits.iter().all(|hits| *hits >= COUNT / 150), "{hits:?}");
    }
}
