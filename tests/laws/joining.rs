//! The end of a spawned process is a guard, on whatever the process runs. Its outcome is taken once.

use crate::processes::read_once;
use csp::{Alternation, Channel, Reader, Termination, alt, parallel, pri_alt, spawn};
use csp_tests::{Arrival, multiprocess, on_each_backend, panic_of};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

#[multiprocess]
fn square(n: u32) -> u32 {
    n * n
}

#[multiprocess]
fn fails_when_told(go: Reader<u32>) -> u32 {
    let n = go.read().unwrap_or_default();
    panic!("told {n}")
}

/// Joins children by choices that it awaits.
#[csp::process]
async fn joins_all(children: Vec<csp::Spawned<u32>>) -> u32 {
    let mut sum = 0;
    for child in children {
        sum += csp::alt! {
            n = child.join_async().await => n,
            after(HOUR)                  => 0,
        }
        .unwrap_or_default();
    }
    sum
}

on_each_backend! {
    fn a_choice_joins_the_process_that_has_ended(backend) {
        let (first, second) = (Channel::new(), Channel::new());
        let arrivals = [Arrival::new(), Arrival::new()];
        let one = spawn(backend.place(read_once(first.reader(), arrivals[0].clone())));
        let two = spawn(backend.place(read_once(second.reader(), arrivals[1].clone())));
        arrivals.iter().for_each(Arrival::until_blocked);
        let choose = || alt! {
            n = one.join()          => (1, n),
            outcome = two.try_join() => (2, outcome.unwrap()),
            after(HOUR)             => unreachable!(),
        };
        second.writer().write(20).unwrap();
        assert_eq!(choose(), Ok((2, Ok(20))));
        first.writer().write(10).unwrap();
        assert_eq!(choose(), Ok((1, Ok(10))));
        assert_eq!(choose(), Err(Termination::Retired), "both were joined");
    }

    fn a_process_that_ended_earlier_is_joined_at_once(backend) {
        let child = spawn(backend.place(square(7)));
        while !child.has_ended() {
            csp_tests::settle();
        }
        let joined = pri_alt! { n = child.join() => n, skip => 0 };
        assert_eq!(joined, Ok(49));
    }

    fn an_alternation_ends_with_the_last_of_its_children(backend) {
        let mut choice = Alternation::new();
        for n in 1..=4 {
            choice.join(spawn(backend.place(square(n))), |n| n.unwrap());
        }
        let mut squares = Vec::new();
        while let Ok(square) = choice.choose() {
            squares.push(square);
        }
        squares.sort_unstable();
        assert_eq!(squares, [1, 4, 9, 16]);
        assert_eq!(choice.choose(), Err(Termination::Retired));
    }

    fn a_failure_goes_to_the_guard(backend) {
        for raised in [false, true] {
            let go = Channel::new();
            let child = spawn(backend.place(fails_when_told(go.reader())));
            go.writer().write(5).unwrap();
            if raised {
                let text = panic_of(|| { let _ = alt! { _ = child.join() => () }; });
                assert!(text.contains("told 5"), "{text}");
            } else {
                let failure = alt! { failed = child.try_join() => failed.unwrap_err() }.unwrap();
                assert_eq!(failure.message(), "told 5");
            }
            // Nobody is told of it twice.
            drop(child);
        }
        csp::shutdown();
    }

    fn a_join_gives_up_when_its_time_is_over(backend) {
        let (values, arrival) = (Channel::new(), Arrival::new());
        let child = spawn(backend.place(read_once(values.reader(), arrival.clone())));
        arrival.until_blocked();
        let child = child.join_timeout(Duration::ZERO).unwrap_err();
        let child = child.try_join_timeout(Duration::from_millis(1)).unwrap_err();
        values.writer().write(3).unwrap();
        assert_eq!(child.join_timeout(HOUR).unwrap(), Ok(3));
    }

    fn a_process_that_a_guard_has_joined_is_not_joined_again(backend) {
        let child = spawn(backend.place(square(2)));
        assert_eq!(alt! { n = child.join() => n }, Ok(4));
        let text = panic_of(|| { child.join(); });
        assert!(text.contains("a process is joined once"), "{text}");
    }

    fn of_two_that_choose_one_takes_the_result(backend) {
        for n in 0..20 {
            let child = spawn(backend.place(square(n)));
            let other = std::thread::scope(|scope| {
                let there = scope.spawn(|| alt! { n = child.join() => n, after(HOUR) => 0 });
                let here = alt! { n = child.join() => n, after(HOUR) => 0 };
                (here, there.join().unwrap())
            });
            match other {
                (Ok(result), Err(Termination::Retired)) | (Err(Termination::Retired), Ok(result)) => {
                    assert_eq!(result, n * n);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn an_async_process_joins_by_choice(backend) {
        let children = (1..=3).map(|n| spawn(backend.place(square(n)))).collect();
        assert_eq!(parallel!(joins_all(children)).0, 14);
    }
}
