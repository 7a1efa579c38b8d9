//! Reads signals of the system, in one of several ways.
#![allow(unsafe_code, reason = "a program sends itself signals")]

use csp::{
    Channel, Reader, Signal, Writer, alt, multiprocess, parallel, process, signals, spawn,
    try_parallel,
};
use csp_tests::backend;
use std::io::Read as _;

/// Prints each signal, up to a `SIGTERM`.
#[process]
fn prints(signals: Reader<Signal>) -> csp::Result {
    println!("ready");
    for signal in &signals {
        println!("{signal}");
        if signal == Signal::TERM {
            break;
        }
    }
    Ok(())
}

#[process]
async fn prints_async(signals: Reader<Signal>) -> csp::Result {
    println!("ready");
    loop {
        let signal = signals.read_async().await?;
        println!("{signal}");
        if signal == Signal::TERM {
            return Ok(());
        }
    }
}

/// Is ready for two kinds of signals and for orders, at once.
#[process]
fn chooses(
    some: Reader<Signal>,
    others: Reader<Signal>,
    orders: Reader<u32>,
    said: Writer<String>,
) -> csp::Result {
    loop {
        let text = alt! {
            signal = some.read()   => signal.to_string(),
            signal = others.read() => format!("another: {signal}"),
            order = orders.read()  => format!("order {order}"),
        }?;
        said.write(text)?;
    }
}

/// Waits for a value that only the process itself could write. It keeps the ends in a `Vec`, so nobody knows that it has them.
#[process]
fn waits_for_itself(input: Reader<u32>, output: Writer<u32>) -> csp::Result<u32> {
    let (inputs, outputs) = (vec![input], vec![output]);
    let value = inputs[0].read()?;
    outputs[0].write(value)?;
    Ok(value)
}

/// Waits for a value that only another one like it could write.
#[process]
fn waits_for_the_other(input: Reader<u32>, output: Writer<u32>) -> csp::Result<u32> {
    let value = input.read()?;
    output.write(value)?;
    Ok(value)
}

#[process]
fn hears(signals: Reader<Signal>) -> csp::Result<Signal> {
    signals.read()
}

/// Waits for clients, and for a signal.
#[cfg(all(feature = "net", target_os = "linux"))]
#[process]
fn accepts_until(
    listener: csp::net::TcpListener,
    signals: Reader<Signal>,
) -> csp::Result<Option<Signal>> {
    alt! {
        _client = listener.accept() => None,
        signal = signals.read()     => Some(signal),
    }
}

/// Returns when this process waits.
#[cfg(all(feature = "net", target_os = "linux"))]
fn until_blocked(path: &str) {
    let waits = |process: &csp::report::ProcessState| {
        process.path() == path && matches!(process.state(), csp::report::State::Blocked(_))
    };
    while !csp::network().processes().iter().any(waits) {
        csp::sleep(std::time::Duration::from_millis(1));
    }
}

/// Returns the names of the library's threads that hear of something from outside.
#[cfg(all(feature = "net", target_os = "linux"))]
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
    let names = tasks.filter_map(|task| name(task.unwrap())).map(|name| name.trim().to_owned());
    names.filter(|name| ["csp events", "csp signals"].contains(&&**name)).collect()
}

/// Hears one signal in an OS process of its own, and tells of it.
#[multiprocess]
fn hears_elsewhere(out: Writer<i32>) -> csp::Result {
    let signals = signals([Signal::USR1]).unwrap();
    println!("{}", std::process::id());
    Ok(out.write(signals.read()?.number())?)
}

#[process]
fn passes_on(input: Reader<i32>, out: Writer<i32>) -> csp::Result {
    Ok(out.write(input.read()?)?)
}

/// Sends a signal to this thread. When it returns, the signal has been handled.
fn raise(signal: Signal) {
    // SAFETY: the handlers are those of the library.
    assert_eq!(unsafe { libc::raise(signal.number()) }, 0);
}

/// Reads until as many signals as these have come, and returns them in order.
fn sorted(signals: &Reader<Signal>, count: usize) -> Vec<Signal> {
    let mut all: Vec<Signal> = signals.iter().take(count).collect();
    all.sort();
    all
}

fn main_of(case: &str) {
    match case {
        "each" => {
            let signals = signals([Signal::USR1, Signal::USR2, Signal::TERM]).unwrap();
            parallel!(prints(signals).on(backend())).0.unwrap();
        }
        "async" => {
            let signals = signals([Signal::USR1, Signal::USR2, Signal::TERM]).unwrap();
            parallel!(prints_async(signals).on(backend())).0.unwrap();
        }
        "choice" => {
            let (orders, said) = (Channel::new(), Channel::new());
            let some = signals([Signal::USR1]).unwrap();
            let others = signals([Signal::USR2]).unwrap();
            let chooses = chooses(some, others, orders.reader(), said.writer()).on(backend());
            let chooses = spawn(chooses);
            let (orders, said) = (orders.writer(), said.reader());
            raise(Signal::USR1);
            println!("{}", said.read().unwrap());
            orders.write(1).unwrap();
            println!("{}", said.read().unwrap());
            raise(Signal::USR2);
            println!("{}", said.read().unwrap());
            orders.retire();
            raise(Signal::USR1);
            println!("{}", said.read().unwrap());
            drop(said);
            raise(Signal::USR1);
            println!("{:?}", chooses.join());
        }
        "deadlock beside" => {
            let (a, b) = (Channel::new(), Channel::new());
            let one = waits_for_the_other(a.reader(), b.writer()).on(backend());
            let other = waits_for_the_other(b.reader(), a.writer()).on(backend());
            // A handle that somebody has may be used at any time.
            drop((a, b));
            let hears = spawn(hears(signals([Signal::USR1]).unwrap()).on(backend()));
            assert!(try_parallel!(one, other).is_err());
            println!("{:?}", hears.join());
        }
        #[cfg(all(feature = "net", target_os = "linux"))]
        "interrupted" => {
            let listener = csp::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let chooses = accepts_until(listener, signals([Signal::INT]).unwrap());
            let chooses = spawn(chooses.on(backend()).named("chooses"));
            until_blocked("main/chooses");
            println!("ready");
            println!("{:?}", chooses.join());
            println!("{}", threads().join(", "));
            // The thread that hears of signals is known, so it hides no deadlock.
            let values = Channel::new();
            let waits = waits_for_itself(values.reader(), values.writer()).on(backend());
            println!("{}", try_parallel!(waits).is_err());
        }
        "deadlock" => {
            let unread = signals([Signal::USR1]).unwrap();
            let values = Channel::new();
            let waits = waits_for_itself(values.reader(), values.writer()).on(backend());
            assert!(try_parallel!(waits).is_err());
            // The signals are no part of it.
            raise(Signal::USR1);
            println!("{:?}", unread.read());
        }
        "elsewhere" => {
            let (here, there) = (Channel::new(), Channel::new());
            let heard = here.reader();
            let passes = spawn(passes_on(there.reader(), here.writer()).on(backend()));
            let hears = spawn(hears_elsewhere(there.writer()));
            drop((here, there));
            println!("{:?}", heard.read().map(Signal::new));
            println!("{:?} {:?}", hears.join(), passes.join());
        }
        "merged" => {
            let kinds = [Signal::HUP, Signal::USR1, Signal::USR2];
            let signals = signals(kinds).unwrap();
            for _ in 0..1000 {
                raise(Signal::USR1);
                raise(Signal::HUP);
            }
            raise(Signal::USR2);
            while signals.len() < kinds.len() {
                csp::sleep(std::time::Duration::from_millis(1));
            }
            let mut expected = kinds;
            expected.sort();
            assert_eq!(sorted(&signals, kinds.len()), expected);
            println!("{}", signals.capacity());
        }
        "shared" => {
            let all = signals([Signal::USR1, Signal::USR2, Signal::USR1]).unwrap();
            let some = signals([Signal::USR1]).unwrap();
            let clone = all.clone();
            let (one, other) = (spawn(hears(all).on(backend())), spawn(hears(clone).on(backend())));
            raise(Signal::USR1);
            println!("{:?}", some.read());
            raise(Signal::USR2);
            let mut heard = [one.join().unwrap(), other.join().unwrap()];
            heard.sort();
            println!("{heard:?} {}", some.is_empty());
        }
        "left" => {
            // Nobody waits for a daemon, nor for signals that nobody reads.
            let unread = signals([Signal::USR1]).unwrap();
            raise(Signal::USR1);
            while unread.is_empty() {
                csp::sleep(std::time::Duration::from_millis(1));
            }
            drop(spawn(hears(signals([Signal::TERM]).unwrap()).on(backend()).daemon()));
            println!("ends");
        }
        "dropped" => {
            let signals = signals([Signal::TERM]).unwrap();
            let other = csp::signals([Signal::TERM]).unwrap();
            println!("ready");
            println!("{:?}", signals.read());
            drop(signals);
            println!("{:?}", other.read());
            println!("{:?}", other.read());
            let (heard,) = parallel!(hears(other).on(backend()));
            println!("{heard:?}");
            let _ = std::io::stdin().read(&mut [0]);
            println!("goes on");
        }
        "ignored" => {
            // SAFETY: no handler of ours, and nobody else has one.
            unsafe { libc::signal(Signal::TERM.number(), libc::SIG_IGN) };
            let terms = signals([Signal::TERM]).unwrap();
            raise(Signal::TERM);
            println!("{:?}", terms.read());
            drop(terms);
            let others = signals([Signal::USR1]).unwrap();
            raise(Signal::TERM);
            // The signals of one batch come in any order, and those of the next come later.
            for _ in 0..2 {
                raise(Signal::USR1);
                assert_eq!(others.read(), Ok(Signal::USR1));
            }
            println!("goes on");
        }
        "refused" => {
            let unknown = Signal::new(1_000);
            let refused: &[&[Signal]] = &[&[], &[Signal::new(9)], &[Signal::USR1, unknown]];
            for kinds in refused {
                println!("{}", signals(kinds.iter().copied()).unwrap_err());
            }
            // The error has left nothing behind: the signal does what it does by default.
            raise(Signal::USR1);
            let _ = std::io::stdin().read(&mut [0]);
        }
        "poisoned" => {
            let signals = signals([Signal::TERM]).unwrap();
            signals.poison("enough");
            println!("{}", signals.read().unwrap_err());
            raise(Signal::TERM);
            let _ = std::io::stdin().read(&mut [0]);
        }
        _ => unreachable!("no such case: {case}"),
    }
}

#[csp::main]
fn main() {
    main_of(&std::env::args().nth(2).expect("a case"));
}
