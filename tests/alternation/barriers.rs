//! Barriers and buckets: many processes go on together, each time all of them, exactly once.

use csp::{Alternation, Barrier, Bucket, Channel, Termination, alt, parallel, pri_alt};
use csp_tests::{
    Arrival, Placement, Random, awaitable, in_place, laws, process, rounds, seed, wait_for,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The phase of each process.
#[derive(Clone, Default)]
struct Phases(Arc<Vec<AtomicUsize>>);

impl Phases {
    fn of(count: usize) -> Self {
        Self(Arc::new((0..count).map(|_| AtomicUsize::new(0)).collect()))
    }

    /// Moves one process to its next phase. All processes enrolled with it are at most one phase away.
    fn next(&self, who: usize) {
        let phase = self.0[who].fetch_add(1, Ordering::Relaxed) + 1;
        for other in self.0.iter() {
            let other = other.load(Ordering::Relaxed);
            assert!(
                other + 1 >= phase && other <= phase + 1,
                "{who} in {phase}, another in {other}"
            );
        }
    }
}

/// Syncs `count` times, by one of the ways to sync.
#[awaitable]
fn steps(barrier: &Barrier, phases: &Phases, who: usize, count: usize) -> csp::Result {
    let never = Channel::<u32>::new();
    let (input, _output) = (never.reader(), never.writer());
    let mut set = Alternation::new();
    set.read(&input, |_| unreachable!());
    set.sync(barrier, || {});
    for step in 0..count {
        // No process enters the next phase before all have left the last one.
        phases.next(who);
        match (who + step) % 4 {
            0 => barrier.sync(),
            1 => alt! { barrier.sync() => {} }?,
            2 => alt! {
                input.read()   => unreachable!(),
                barrier.sync() => {}
                after(Duration::from_secs(3600)) => unreachable!(),
            }?,
            _ => set.choose()?,
        }
    }
    Ok(())
}

#[process]
fn replica(barrier: Barrier, count: usize) {
    for _ in 0..count {
        barrier.sync();
    }
}

fn waits_at(backend: &Placement, barrier: Barrier) -> (csp::Spawned<Barrier>, Arrival) {
    let arrival = Arrival::new();
    let waits = backend.start({
        let arrival = arrival.clone();
        in_place!(move || {
            arrival.announce();
            barrier.sync();
            barrier
        })
    });
    arrival.until_blocked();
    (waits, arrival)
}

laws! {
    here: "a barrier is of one OS process";

    fn all_go_on_together_however_they_wait(backend) {
        let count = backend.many(20, 5);
        let (first, phases) = (Barrier::new(), Phases::of(count));
        let processes: Vec<_> = (0..count)
            .map(|who| {
                let (barrier, phases) = (first.enrol(), phases.clone());
                backend.start(in_place!(move || wait_for!(steps(&barrier, &phases, who, 100))))
            })
            .collect();
        first.resign();
        for process in processes {
            assert_eq!(process.join(), Ok(()));
        }
        assert!(phases.0.iter().all(|phase| phase.load(Ordering::Relaxed) == 100));
    }

    fn replicas_are_enrolled_each(backend) {
        let barrier = Barrier::new();
        let replicas = backend.replicas(backend.many(50, 6), replica(barrier, 50));
        parallel!(replicas);
    }

    fn one_alone_does_not_wait(backend) {
        backend
            .start(in_place!(|| {
                let barrier = Barrier::new();
                for _ in 0..10 {
                    barrier.sync();
                    alt! { barrier.sync() => {} }.unwrap();
                    pri_alt! { barrier.sync() => {}, skip => unreachable!() }.unwrap();
                }
            }))
            .join();
    }

    fn who_comes_later_is_waited_for_from_then_on(backend) {
        let barrier = Barrier::new();
        let (first, second) = (barrier.enrol(), barrier.enrol());
        let (waits, _) = waits_at(backend, first);
        let third = second.enrol();
        let (waits_too, _) = waits_at(backend, second);
        let (waits_as_well, _) = waits_at(backend, third);
        assert!(!waits.has_ended() && !waits_too.has_ended());
        barrier.sync();
        for waits in [waits, waits_too, waits_as_well] {
            waits.join();
        }
    }

    fn resigning_lets_the_others_go(backend) {
        type Resign = fn(Barrier);
        let ways: [Resign; 3] = [Barrier::resign, drop, |barrier| {
            let _barrier = barrier;
            panic!("holds an enrolment");
        }];
        for resign in ways {
            let barrier = Barrier::new();
            let (one, other) = (barrier.enrol(), barrier.enrol());
            let waiting = [waits_at(backend, one).0, waits_at(backend, other).0];
            let _ = backend.start(in_place!(move || resign(barrier))).try_join();
            // From now on two processes are enrolled.
            let [a, b] = waiting.map(csp::Spawned::join);
            let (a, _) = waits_at(backend, a);
            b.sync();
            drop(a.join());
        }
    }

    fn one_who_resigns_may_be_the_last_of_a_choice(backend) {
        let (barrier, never) = (Barrier::new(), Channel::<u32>::new());
        let arrival = Arrival::new();
        let chooses = backend.start({
            let (barrier, input, arrival) = (barrier.enrol(), never.reader(), arrival.clone());
            in_place!(move || {
                arrival.announce();
                alt! {
                    input.read()   => "read",
                    barrier.sync() => "sync",
                }
            })
        });
        arrival.until_blocked();
        drop(barrier);
        assert_eq!(chooses.join(), Ok("sync"));
    }

    fn a_process_that_unwinds_does_not_wait_for_the_others(backend) {
        struct Syncs(Barrier);
        impl Drop for Syncs {
            fn drop(&mut self) {
                self.0.sync();
            }
        }
        let barrier = Barrier::new();
        let syncs = Syncs(barrier.enrol());
        let failure = backend
            .start(in_place!(move || {
                let _syncs = syncs;
                panic!("unwinds");
            }))
            .try_join();
        let failure: Result<(), _> = failure;
        assert_eq!(failure.unwrap_err().message(), "unwinds");
        barrier.sync();
    }

    fn a_barrier_against_channels_is_chosen_by_all_or_none(backend) {
        // Each of three processes offers to sync, and to be called away. The others wait for a process that was called away.
        for seed in seed()..seed() + rounds(30) {
            backend.note(format!("seed {seed}"));
            let mut random = Random::seeded(seed);
            let (first, calls) = (Barrier::new(), 3 * Channel::new());
            let members: Vec<_> = calls
                .iter()
                .map(|call| {
                    let (barrier, call) = (first.enrol(), call.reader());
                    backend.start(in_place!(move || {
                        let (mut synced, mut called) = (0, 0);
                        while synced < 20 {
                            alt! {
                                barrier.sync() => synced += 1,
                                call.read()    => called += 1,
                                if false, call.read() => unreachable!(),
                            }
                            // When the caller has ended, only the barrier is left.
                            .unwrap();
                        }
                        (synced, called)
                    }))
                })
                .collect();
            let caller = backend.start({
                let calls: Vec<_> = calls.iter().map(Channel::writer).collect();
                in_place!(move || {
                    let mut counts = [0; 3];
                    for _ in 0..40 {
                        let who = random.below(3);
                        // A member that has left takes no more calls.
                        if calls[who].write(()).is_ok() {
                            counts[who] += 1;
                        }
                        if random.once_in(4) {
                            csp::sleep(Duration::ZERO);
                        }
                    }
                    counts
                })
            });
            drop(calls);
            first.resign();
            let called: Vec<_> = members
                .into_iter()
                .map(|member| {
                    let (synced, called) = member.join();
                    assert_eq!(synced, 20);
                    called
                })
                .collect();
            assert_eq!(called, caller.join());
        }
    }

    fn several_barriers_in_several_choices_complete_exactly_once(backend) {
        // There are three processes, and a barrier for each pair. A process that passes a barrier tells its partner how
        // often it has passed. The partner must have passed the same barrier as often.
        for seed in seed()..seed() + rounds(30) {
            backend.note(format!("seed {seed}"));
            let barriers = [(); 3].map(|()| Barrier::new());
            let counts = 3 * Channel::new();
            let members: Vec<_> = (0..3)
                .map(|who| {
                    let (next, last) = (barriers[who].enrol(), barriers[(who + 1) % 3].enrol());
                    let (tells, hears) = (counts[who].writer(), counts[(who + 1) % 3].reader());
                    let mut random = Random::seeded(seed + who as u64);
                    in_place!(move || {
                        let (mut by_next, mut by_last) = (0_u32, 0_u32);
                        for _ in 0..60 {
                            if random.once_in(3) {
                                csp::sleep(Duration::ZERO);
                            }
                            alt! {
                                next.sync() => {
                                    by_next += 1;
                                    // A partner that has resigned does not read any more.
                                    let _ = tells.write(by_next);
                                }
                                last.sync() => {
                                    by_last += 1;
                                    if let Ok(theirs) = hears.read() {
                                        assert_eq!(theirs, by_last);
                                    }
                                }
                            }
                            .unwrap();
                        }
                    })
                })
                .collect();
            let members: Vec<_> = members.into_iter().map(|member| backend.place(member)).collect();
            drop((barriers, counts));
            csp::spawn(members).into_iter().for_each(csp::Spawned::join);
        }
    }

    fn a_barrier_and_a_channel_between_the_same_two_are_never_both(backend) {
        // Both sides offer the same two guards. Both must choose the same one.
        let (here, channel) = (Barrier::new(), Channel::new());
        let there = here.enrol();
        let writes = backend.start({
            let output = channel.writer();
            in_place!(move || {
                let mut written = Vec::new();
                for round in 0..1_000 {
                    written.push(alt! {
                        output.write(round) => Some(round),
                        here.sync()         => None,
                    }?);
                }
                Ok::<_, Termination>(written)
            })
        });
        let reads = backend.start({
            let input = channel.reader();
            in_place!(move || {
                let mut read = Vec::new();
                for _ in 0..1_000 {
                    read.push(alt! {
                        there.sync()         => None,
                        round = input.read() => Some(round),
                    }?);
                }
                Ok::<_, Termination>(read)
            })
        });
        drop(channel);
        let (written, read) = (writes.join().unwrap(), reads.join().unwrap());
        assert_eq!(written, read);
    }

    fn many_barriers_and_choices_at_once(backend) {
        // All members go through all rounds, with distractions. Each member offers the barriers of its two groups, in either
        // order, and a channel. The groups overlap, so a commit to one barrier withdraws the offer at the other.
        for seed in seed()..seed() + rounds(20) {
            backend.note(format!("seed {seed}"));
            let (even, odd, values) = (Barrier::new(), Barrier::new(), Channel::new());
            let members: Vec<_> = (0..6_u64)
                .map(|who| {
                    let (even, odd) = (even.enrol(), odd.enrol());
                    let (input, output) = (values.reader(), values.writer());
                    let mut random = Random::seeded(seed * 7 + who);
                    in_place!(move || {
                        let (mut evens, mut odds, mut written, mut read) = (0, 0, 0, 0);
                        for _ in 0..60 {
                            let offers = random.once_in(2);
                            alt! {
                                even.sync()               => evens += 1,
                                if offers, output.write(who) => written += 1,
                                odd.sync()                => odds += 1,
                                from = input.read()       => { assert_ne!(from, who); read += 1; }
                            }
                            .unwrap();
                        }
                        [evens, odds, written, read]
                    })
                })
                .collect();
            let members: Vec<_> = members.into_iter().map(|member| backend.place(member)).collect();
            drop((even, odd, values));
            let totals: Vec<[u32; 4]> =
                csp::spawn(members).into_iter().map(csp::Spawned::join).collect();
            let sum = |index: usize| totals.iter().map(|total| total[index]).sum::<u32>();
            assert_eq!(sum(2), sum(3), "as many were written as read: {totals:?}");
        }
    }

    fn a_bucket_lets_all_go_that_are_in_it(backend) {
        let bucket = Bucket::new();
        for round in 1..=5 {
            let inside: Vec<_> = (0..round)
                .map(|_| {
                    let (bucket, arrival) = (bucket.clone(), Arrival::new());
                    let announces = arrival.clone();
                    let falls = backend.start(in_place!(move || {
                        announces.announce();
                        bucket.fall_in();
                    }));
                    arrival.until_blocked();
                    falls
                })
                .collect();
            assert_eq!(bucket.holding(), round);
            assert!(inside.iter().all(|one| !one.has_ended()));
            assert_eq!(bucket.flush(), round);
            inside.into_iter().for_each(csp::Spawned::join);
            assert_eq!((bucket.holding(), bucket.flush()), (0, 0));
        }
    }

    fn a_bucket_is_flushed_while_others_fall_in(backend) {
        let count = backend.many(200, 8);
        let bucket = Bucket::new();
        let falls: Vec<_> = (0..count)
            .map(|_| {
                let bucket = bucket.clone();
                backend.start(in_place!(move || for _ in 0..10 { bucket.fall_in(); }))
            })
            .collect();
        let flushes = backend.start(in_place!(move || {
            let mut flushed = 0;
            while flushed < 10 * count {
                flushed += bucket.flush();
                csp::sleep(Duration::ZERO);
            }
            flushed
        }));
        assert_eq!(flushes.join(), 10 * count);
        falls.into_iter().for_each(csp::Spawned::join);
    }

    fn a_barrier_goes_on_when_channels_beside_it_retire(backend) {
        let (barrier, channel, arrival) = (Barrier::new(), Channel::<u32>::new(), Arrival::new());
        let chooses = backend.start({
            let (barrier, input, arrival) = (barrier.enrol(), channel.reader(), arrival.clone());
            in_place!(move || {
                arrival.announce();
                alt! {
                    input.read()   => "read",
                    barrier.sync() => "sync",
                }
            })
        });
        arrival.until_blocked();
        drop(channel);
        barrier.sync();
        assert_eq!(chooses.join(), Ok("sync"));
    }

    fn poison_beside_a_barrier_ends_the_choice_and_the_others_wait_on(backend) {
        let (barrier, channel, arrival) = (Barrier::new(), Channel::<u32>::new(), Arrival::new());
        let chooses = backend.start({
            let (barrier, input, arrival) = (barrier.enrol(), channel.reader(), arrival.clone());
            in_place!(move || {
                arrival.announce();
                let end = alt! {
                    barrier.sync() => unreachable!(),
                    input.read()   => unreachable!(),
                };
                assert!(matches!(end, Err(Termination::Poisoned(_))));
                // It is still enrolled, so the others can't go on without it.
                barrier.sync();
            })
        });
        arrival.until_blocked();
        channel.reader().poison("beside");
        barrier.sync();
        chooses.join();
    }
}
