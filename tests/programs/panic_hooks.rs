//! The fate of a panic if other code has a panic hook, by the name of the case.

use std::panic::{catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::OnceLock;

use csp::{Channel, Reader, Writer, process, try_parallel};
use csp_tests::backend;

static LINES: OnceLock<Writer<String>> = OnceLock::new();

#[process]
fn fails(_end: Writer<u32>, again: bool) {
    if again {
        // A panic that is caught leaves nothing to the next one.
        let old = catch_unwind(|| panic!("an old panic"));
        drop(old);
        let elsewhere = Channel::buffered(1);
        let _reader = elsewhere.reader();
        elsewhere.writer().write(()).expect("there is room");
        let resumed: Box<dyn std::any::Any + Send> = Box::new("raised again");
        resume_unwind(resumed);
    }
    panic!("out of paper");
}

#[process]
fn catches() {
    let old = catch_unwind(|| panic!("an old panic"));
    drop(old);
}

#[process]
fn hears(end: Reader<u32>, result: Writer<String>) -> csp::Result {
    let heard = format!("{:#}", end.read().expect_err("it is poisoned"));
    Ok(result.write(heard)?)
}

fn run(again: bool) {
    let (values, results) = (Channel::new(), Channel::buffered(1));
    let result = results.reader();
    let failure = try_parallel!(
        fails(values.writer(), again).on(backend()),
        hears(values.reader(), results.writer()).on(backend()),
    )
    .expect_err("one of them fails");
    println!("failure: {failure:#}");
    println!("poison: {}", result.read().expect("it was written"));
}

fn main() {
    let case = std::env::args().nth(2).unwrap_or_default();
    try_parallel!(catches().on(backend())).expect("it ends well");
    match &*case {
        "replaced" => set_hook(Box::new(|_| {})),
        "taken" => drop(take_hook()),
        "kept" => {
            // The old hook is kept, and not called.
            let kept = take_hook();
            set_hook(Box::new(|_| {}));
            run(false);
            set_hook(kept);
            return;
        }
        "chained" => {
            let old = take_hook();
            set_hook(Box::new(move |info| old(info)));
        }
        "writes" => {
            // The hook writes to the channel if there is room, and otherwise does nothing: a hook never waits.
            let lines = Channel::buffered(1);
            let line = lines.reader();
            LINES.set(lines.writer()).expect("once");
            let old = take_hook();
            set_hook(Box::new(move |info| {
                old(info);
                for _ in 0..3 {
                    let _ = LINES.get().expect("there").write(info.to_string());
                }
            }));
            run(false);
            println!("line: {}", line.read().expect("one has room").replace('\n', " "));
            return;
        }
        _ => {}
    }
    run(case == "raised again");
}
