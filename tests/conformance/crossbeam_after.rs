//! crossbeam-channel's `tests/after.rs`: a timeout.
//!
//! Not here:
//! - `capacity`, `len_empty_full`, `try_recv`, `recv_timeout`, `ready`, `stress_clone`: there `after` makes a channel, which has a
//!   length and can be polled and cloned. Here it is a guard of one choice. `fire` and `recv` are adapted to that.
//! - The upper bounds of a timeout's duration: no test here asserts how fast a machine is.

use csp::{Alternation, Channel, Termination, alt, pri_alt};
use csp_tests::on_each_backend;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

on_each_backend! {
    here: "the ported tests are about threads of one OS process";
    fn fire_and_recv(backend) {
        let waited = backend.spawn(|| {
            let start = Instant::now();
            alt! { after(ms(5)) => {} }?;
            let fired = start.elapsed();
            // The timeout fires once for each choice, and starts with it.
            let start = Instant::now();
            alt! {
                after(ms(5))  => {}
                after(HOUR) => unreachable!(),
            }?;
            Ok::<_, Termination>([fired, start.elapsed()])
        });
        assert!(waited.join().unwrap().into_iter().all(|waited| waited >= ms(5)));
    }

    fn fire_not_yet(backend) {
        let chosen = backend.spawn(|| {
            let mut choice = Alternation::by_priority();
            choice.after(HOUR, || unreachable!());
            choice.skip(|| "skipped");
            (choice.choose(), pri_alt! { after(HOUR) => unreachable!(), skip => "skipped" })
        });
        assert_eq!(chosen.join(), (Ok("skipped"), Ok("skipped")));
    }

    fn recv_two(backend) {
        let both = [(); 2].map(|()| {
            backend.spawn(|| {
                alt! {
                    after(ms(2)) => {}
                    after(ms(2)) => {}
                }
            })
        });
        assert_eq!(both.map(csp::Spawned::join), [Ok(()), Ok(())]);
    }

    fn recv_race(backend) {
        let winners = backend.spawn(|| {
            [
                alt! { after(ms(2)) => "short", after(HOUR) => "long" },
                alt! { after(HOUR) => "long", after(ms(2)) => "short" },
                pri_alt! { after(ms(3)) => "long", after(ms(2)) => "short" },
            ]
        });
        assert_eq!(winners.join(), [Ok("short"), Ok("short"), Ok("short")]);
    }

    fn stress_default(backend) {
        let chosen = backend.spawn(|| {
            (0..10).all(|_| {
                let come = pri_alt! { after(Duration::ZERO) => true, skip => false };
                let far = pri_alt! { after(HOUR) => false, skip => true };
                (come, far) == (Ok(true), Ok(true))
            })
        });
        assert!(chosen.join());
    }

    fn select_over_many_times_takes_each_once(backend) {
        // There four threads share a thousand timers. Here each thread has its own timers, and each fires once.
        let hits: Vec<_> = (0..4)
            .map(|_| {
                backend.spawn(|| {
                    let start = Instant::now();
                    let mut choice = Alternation::new();
                    for n in 0..250_u32 {
                        choice.at(start + n / 50 * ms(1), move || Some(n as usize));
                    }
                    let mut left = 250;
                    while left > 0 {
                        let hit = choice.choose()?.expect("a timer");
                        assert!(start.elapsed() >= hit as u32 / 50 * ms(1));
                        choice.set_enabled(hit, false);
                        left -= 1;
                    }
                    choice.after(ms(1), || None);
                    choice.choose()
                })
            })
            .collect();
        for hit in hits {
            assert_eq!(hit.join(), Ok(None));
        }
    }

    fn fairness(backend) {
        let hits = backend.spawn(|| {
            let mut hits = [0; 2];
            for _ in 0..1_000 {
                hits[alt! { after(Duration::ZERO) => 0, after(Duration::ZERO) => 1 }?] += 1;
            }
            Ok::<_, Termination>(hits)
        });
        assert_eq!(hits.join(), Ok([500; 2]));
    }

    fn fairness_of_times_that_had_to_be_waited_for(backend) {
        let hits = backend.spawn(|| {
            let mut hits = [0; 5];
            let t = Duration::from_micros(20);
            for _ in 0..200 {
                hits[alt! { after(t) => 0, after(t) => 1, after(t) => 2, after(t) => 3, after(t) => 4 }?] += 1;
            }
            Ok::<_, Termination>(hits)
        });
        assert_eq!(hits.join(), Ok([40; 5]));
    }

    fn fairness_duplicates(backend) {
        let hits = backend.spawn(|| {
            let channel = Channel::<()>::new();
            let (input, _output) = (channel.reader(), channel.writer());
            let (mut hits, past) = ([0; 5], Instant::now());
            for _ in 0..1_000 {
                hits[alt! {
                    at(past)     => 0,
                    at(past)     => 1,
                    at(past)     => 2,
                    at(past)     => 3,
                    input.read() => unreachable!(),
                    at(past)     => 4,
                }?] += 1;
            }
            Ok::<_, Termination>(hits)
        });
        assert_eq!(hits.join(), Ok([200; 5]));
    }
}
