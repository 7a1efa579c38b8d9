//! A stop ends all waits for its tokens, on whatever the processes run.

use csp::{
    Alternation, Channel, Reader, Stop, StopToken, Termination, Writer, alt, pri_alt, spawn,
};
use csp_tests::{Arrival, laws, multiprocess};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const WAYS: usize = 4;

/// Waits for the stop in one of several ways, beside a channel that stays silent.
#[multiprocess]
fn waits(way: usize, stop: StopToken, silent: Reader<u32>, arrival: Arrival) -> csp::Result<bool> {
    arrival.announce();
    match way {
        0 => alt! { retired(stop) => true, _ = silent.read() => false },
        1 => pri_alt! { _ = silent.read() => false, retired(&stop) => true, after(HOUR) => false },
        2 => alt! { retired(stop) => true, after(HOUR) => false },
        _ => {
            let mut choice = Alternation::new();
            choice.read(silent, |_| false);
            choice.retired(stop, || true);
            choice.choose()
        }
    }
}

/// Answers each question by whether it has been told to stop.
#[multiprocess]
fn asks(stop: StopToken, questions: Reader<()>, answers: Writer<bool>) -> csp::Result {
    loop {
        questions.read()?;
        answers.write(stop.is_stopped())?;
    }
}

/// Waits for the stop of each token that comes.
#[multiprocess]
fn waits_for_each(tokens: Reader<StopToken>, arrival: Arrival) -> csp::Result<usize> {
    let mut stopped = 0;
    while let Ok(stop) = tokens.read() {
        arrival.announce();
        alt! { retired(stop) => stopped += 1 }?;
    }
    Ok(stopped)
}

laws! {
    fn a_stop_ends_every_wait_for_its_tokens(backend) {
        for dropped in [false, true] {
            let (stop, silent) = (Stop::new(), Channel::new());
            let _held = silent.writer();
            let mut waiting = Vec::new();
            for way in 0..WAYS {
                let arrival = Arrival::new();
                let process = waits(way, stop.token(), silent.reader(), arrival.clone());
                waiting.push(spawn(backend.place(process)));
                arrival.until_blocked();
            }
            assert!(waiting.iter().all(|process| !process.has_ended()));
            match dropped {
                true => drop(stop),
                false => stop.stop(),
            }
            for process in waiting {
                assert_eq!(process.join(), Ok(true));
            }
        }
    }

    fn a_token_that_comes_after_the_stop_is_stopped(backend) {
        let (stop, silent) = (Stop::new(), Channel::new());
        let _held = silent.writer();
        let token = stop.token();
        stop.stop();
        assert!(token.is_stopped());
        for way in 0..WAYS {
            let process = waits(way, token.clone(), silent.reader(), Arrival::new());
            assert_eq!(spawn(backend.place(process)).join(), Ok(true));
        }
    }

    fn a_process_that_is_busy_can_ask(backend) {
        let (questions, answers, stop) = (Channel::new(), Channel::new(), Stop::new());
        let process = asks(stop.token(), questions.reader(), answers.writer());
        let process = spawn(backend.place(process));
        let (questions, answers) = (questions.writer(), answers.reader());
        let ask = || {
            questions.write(()).unwrap();
            answers.read().unwrap()
        };
        assert!(!ask() && !ask(), "nobody has stopped it");
        stop.stop();
        assert!(ask() && ask(), "it stays so");
        questions.retire();
        assert_eq!(process.join(), Err(Termination::Retired));
    }

    fn a_token_is_a_value(backend) {
        let tokens = Channel::new();
        let arrival = Arrival::new();
        let process = spawn(backend.place(waits_for_each(tokens.reader(), arrival.clone())));
        let tokens = tokens.writer();
        for nth in 1..=3 {
            let (stop, other) = (Stop::new(), Stop::new());
            tokens.write(stop.token()).unwrap();
            arrival.until_blocked_again(nth);
            drop(other);
            assert!(!process.has_ended());
            stop.stop();
        }
        tokens.retire();
        assert_eq!(process.join(), Ok(3));
    }

    fn tokens_that_all_go_stop_nothing(backend) {
        let (stop, silent) = (Stop::new(), Channel::new());
        let _held = silent.writer();
        drop(stop.token());
        let arrival = Arrival::new();
        let process = waits(0, stop.token(), silent.reader(), arrival.clone());
        let process = spawn(backend.place(process));
        arrival.until_blocked();
        assert!(!stop.token().is_stopped() && !process.has_ended());
        stop.stop();
        assert_eq!(process.join(), Ok(true));
    }
}
