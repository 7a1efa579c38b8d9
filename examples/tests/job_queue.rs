//! The example `job_queue`, with work that fails in each way.

#[allow(dead_code, reason = "its `main` is not called")]
#[path = "../job_queue.rs"]
mod job_queue;

use csp::Backend;
use job_queue::{Answer, Arguments, run};

/// Runs the queue, and checks that each client has one answer for each of its jobs, and the right one.
fn every_order_is_answered(arguments: Arguments) {
    let Arguments { clients, jobs, attempts, .. } = arguments;
    let (answers, tried) = run(arguments).expect("all processes end well");
    assert_eq!(answers.len() as u64, clients);
    let mut expected = 0;
    for (client, mut answers) in (0..).zip(answers) {
        answers.sort_by_key(|answer| answer.number);
        let numbers: Vec<u64> = answers.iter().map(|answer| answer.number).collect();
        assert_eq!(numbers, (client * jobs..(client + 1) * jobs).collect::<Vec<_>>());
        for Answer { number, attempts: made, result } in answers {
            let fails = (number % 4) as u32;
            expected += made as usize;
            assert_eq!(made, attempts.min(fails + 1), "{number}");
            match result {
                Ok(result) => assert!(result == number * number && fails < attempts, "{number}"),
                Err(why) => {
                    assert!(fails >= attempts, "{number}: {why}");
                    let said = match number % 3 {
                        2 => "is not for today",
                        _ => "work` ",
                    };
                    assert!(why.contains(said), "{number}: {why}");
                }
            }
        }
    }
    assert_eq!(tried, expected, "no attempt is made twice");
}

fn arguments(on: Backend) -> Arguments {
    Arguments { clients: 5, jobs: 24, workers: 4, attempts: 3, pause: 1, on }
}

#[csp::test]
fn every_order_is_answered_on_coroutines_and_threads() {
    every_order_is_answered(arguments(Backend::Coroutine));
    if cfg!(feature = "threads") {
        every_order_is_answered(arguments(Backend::Thread));
    }
}

#[cfg(feature = "subprocess")]
#[csp::test]
fn every_order_is_answered_although_os_processes_abort() {
    every_order_is_answered(Arguments { clients: 2, jobs: 12, ..arguments(Backend::Subprocess) });
}

#[csp::test]
fn one_attempt_and_no_clients_are_enough() {
    every_order_is_answered(Arguments { attempts: 1, ..arguments(Backend::Coroutine) });
    every_order_is_answered(Arguments { clients: 0, ..arguments(Backend::Coroutine) });
    every_order_is_answered(Arguments { jobs: 0, ..arguments(Backend::Coroutine) });
}
