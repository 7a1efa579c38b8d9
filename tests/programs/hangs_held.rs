//! Processes, of which one waits while it holds a thing that another wants: a lock, a `OnceLock` or an executor. Either they are of one
//! thread, and the program ends when a line comes in, or each has a thread of its own.

use csp::{Backend, Channel, Reader, Writer, parallel, process};
use std::sync::{Condvar, LazyLock, Mutex, OnceLock, RwLock};

static LOCK: Mutex<u32> = Mutex::new(0);
static SHARED: RwLock<u32> = RwLock::new(0);
static ONCE: OnceLock<u32> = OnceLock::new();
static ENDS: Mutex<Option<(Reader<u32>, Writer<()>)>> = Mutex::new(None);
static LAZY: LazyLock<u32> = LazyLock::new(|| {
    let (go, at) = ENDS.lock().unwrap().take().expect("they were put there");
    waits(&go, &at)
});

fn waits(go: &Reader<u32>, at: &Writer<()>) -> u32 {
    at.write(()).unwrap();
    go.read().unwrap_or(0)
}

#[process]
fn holds(what: String, go: Reader<u32>, at: Writer<()>) {
    match &*what {
        "mutex" => {
            let _held = LOCK.lock().unwrap();
            waits(&go, &at);
        }
        "rwlock" => {
            let _held = SHARED.read().unwrap();
            waits(&go, &at);
        }
        "stdout" => {
            let _held = std::io::stdout().lock();
            waits(&go, &at);
        }
        "once" => assert_eq!(*ONCE.get_or_init(|| waits(&go, &at)), 1),
        "lazy" => {
            *ENDS.lock().unwrap() = Some((go, at));
            assert_eq!(*LAZY, 1);
        }
        _ => assert_eq!(waits(&go, &at), 1),
    }
}

#[process]
fn wants(what: String, at: Reader<()>, go: Writer<u32>) {
    at.read().unwrap();
    match &*what {
        "mutex" => *LOCK.lock().unwrap() += 1,
        "rwlock" => *SHARED.write().unwrap() += 1,
        "stdout" => println!("it goes on"),
        "once" => assert_eq!(*ONCE.get_or_init(|| 1), 1),
        "lazy" => assert_eq!(*LAZY, 1),
        _ => {
            let never = Condvar::new();
            drop(never.wait(Mutex::new(0).lock().unwrap()));
        }
    }
    go.write(1).unwrap();
}

/// Exchanges messages with a partner. One of the two is ready at any time.
#[process]
fn talks(input: Reader<()>, out: Writer<()>, first: bool) -> csp::Result {
    if first {
        out.write(())?;
    }
    loop {
        input.read()?;
        out.write(())?;
    }
}

#[csp::main]
fn main() {
    let on = match std::env::args().nth(2).as_deref() {
        Some("threads") => Backend::Thread,
        _ => Backend::Coroutine,
    };
    if on == Backend::Coroutine {
        std::thread::spawn(|| {
            std::io::stdin().read_line(&mut String::new()).expect("a line");
            std::process::exit(7);
        });
    }
    let what = std::env::args().nth(1).expect("what is held");
    let (go, at) = (Channel::new(), Channel::new());
    let mut company = Vec::new();
    if std::env::args().nth(2).as_deref() == Some("company") {
        let (there, back) = (Channel::new(), Channel::new());
        company.push(talks(back.reader(), there.writer(), true));
        company.push(talks(there.reader(), back.writer(), false));
    }
    parallel!(
        company,
        wants(what.clone(), at.reader(), go.writer()).on(on),
        holds(what, go.reader(), at.writer()).on(on),
    );
}
