//! Two processes compute for long, each twice, and another communicates meanwhile. With the argument `told` the first
//! time lasts until a line comes in.

use csp::{Channel, Reader, Writer, parallel, process};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// True when a line has come in, or if none is awaited.
static TOLD: AtomicBool = AtomicBool::new(false);

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[process]
fn computes(out: Writer<u32>) -> csp::Result {
    for n in 0..2 {
        while !TOLD.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
        spin(Duration::from_millis(300));
        out.write(n)?;
    }
    Ok(())
}

/// Computes as long in all, but never long at a time.
#[process]
fn talks(out: Writer<u32>) -> csp::Result {
    (0..300).try_for_each(|n| {
        spin(Duration::from_millis(1));
        Ok(out.write(n)?)
    })
}

#[process]
fn reads(input: Reader<u32>) -> usize {
    input.iter().count()
}

#[csp::main]
fn main() {
    if std::env::args().nth(1).as_deref() == Some("told") {
        std::thread::spawn(|| {
            std::io::stdin().read_line(&mut String::new()).expect("a line");
            TOLD.store(true, Ordering::Relaxed);
        });
    } else {
        TOLD.store(true, Ordering::Relaxed);
    }
    let channel = Channel::new();
    let count = parallel!(
        talks(channel.writer()),
        2 * computes(channel.writer()),
        reads(channel.reader()),
    )
    .2;
    println!("{count}");
}
