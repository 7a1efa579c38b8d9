//! `csp::io` and `#[csp::io]`: the process waits, and the others of its thread go on.

use csp::{Channel, Reader, Writer, parallel, process, try_parallel};
use csp_tests::{on_each_backend, run};
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// Waits in a way that this library does not see.
#[process]
fn blocks(signal: Arc<std::sync::Mutex<mpsc::Receiver<u32>>>) -> u32 {
    csp::io(|| signal.lock().unwrap().recv().unwrap())
}

#[process]
fn signals(signal: mpsc::Sender<u32>) {
    signal.send(7).unwrap();
}

#[csp::io]
fn filled(buffer: &mut [u8], mut with: u8) -> Result<usize, String> {
    with = with.checked_sub(1).ok_or("nothing to fill with")?;
    buffer.fill(with);
    Ok(buffer.len())
}

struct Store(Vec<u8>);

impl Store {
    #[csp::io]
    fn longest<'a>(&'a self, other: &'a [u8]) -> &'a [u8] {
        if self.0.len() < other.len() { other } else { &self.0 }
    }

    #[csp::io]
    fn all(&self) -> impl Iterator<Item = &u8> {
        self.0.iter()
    }
}

#[process]
fn borrows() -> usize {
    let mut words = vec!["a".to_owned()];
    let word = "b".to_owned();
    csp::io(|| words.push(word.clone()));
    let store = Store(vec![1, 2]);
    let other = [3; 3];
    assert_eq!(store.longest(&other), [3, 3, 3]);
    assert_eq!(store.all().count(), 2);
    words.len() + word.len()
}

#[process]
fn meets_in_a_call(barrier: Arc<Barrier>) {
    csp::io(|| barrier.wait());
}

#[process]
fn panics_in_a_call() {
    csp::io(|| panic!("the disk is full"));
}

#[process]
fn holds(out: Writer<u32>, body: fn()) {
    body();
    drop(out);
}

#[process]
fn answers_after(out: Writer<u32>, pause: Duration) -> csp::Result {
    csp::io(|| std::thread::sleep(pause));
    Ok(out.write(3)?)
}

on_each_backend! {
    here: "a blocking call is waited for in the OS process that begins it";
    fn the_others_go_on_while_a_process_blocks(backend) {
        let (signal, waits) = mpsc::channel();
        let waits = Arc::new(std::sync::Mutex::new(waits));
        let (got, ()) = parallel!(backend.place(blocks(waits)), backend.place(signals(signal)));
        assert_eq!(got, 7);
    }

    fn a_call_borrows_and_gives_its_result_back(backend) {
        assert_eq!(parallel!(backend.replicas(5, borrows())).0, [3; 5]);
        let filling = backend.place(run(|| {
            let mut buffer = [0; 3];
            assert_eq!(filled(&mut buffer, 0), Err("nothing to fill with".to_owned()));
            assert_eq!(filled(&mut buffer, 6), Ok(3));
            buffer
        }));
        assert_eq!(parallel!(filling).0, [5; 3]);
    }

    fn calls_that_wait_for_one_another_all_return(backend) {
        let count = backend.many(300, 50);
        let barrier = Arc::new(Barrier::new(count));
        parallel!(backend.replicas(count, meets_in_a_call(barrier)));
    }

    fn a_call_in_a_call_is_a_plain_one(backend) {
        let nested = backend.place(run(|| csp::io(|| 1 + csp::io(|| 2 + csp::compute(|| 3)))));
        assert_eq!(parallel!(nested).0, 6);
    }

    fn a_panic_comes_back_and_names_the_process(backend) {
        let failure = try_parallel!(backend.place(panics_in_a_call())).unwrap_err();
        assert_eq!(failure.message(), "the disk is full");
        assert!(failure.process().ends_with("/panics_in_a_call"), "{failure:#}");
        let ends = Channel::new();
        let reader = ends.reader();
        let failed = try_parallel!(
            backend.place(holds(ends.writer(), || csp::io(|| panic!("worse")))),
            backend.place(run(move || assert!(reader.read().unwrap_err().poison().is_some()))),
        );
        assert_eq!(failed.unwrap_err().message(), "worse");
    }

    fn a_panic_that_is_caught_leaves_nothing_behind(backend) {
        let values = Channel::new();
        let (writer, reader) = (values.writer(), values.reader());
        let process = backend.place(run(move || {
            let caught = std::panic::catch_unwind(|| csp::io(|| panic!("never mind")));
            assert!(caught.is_err());
            writer.write(1).unwrap();
        }));
        let reading = backend.place(run(move || (reader.read(), reader.read())));
        let ((), (first, second)) = parallel!(process, reading);
        assert_eq!((first, second), (Ok(1), Err(csp::Termination::Retired)));
    }

    fn a_process_that_unwinds_calls_plainly(backend) {
        struct Flushes(Arc<std::sync::atomic::AtomicU32>);
        impl Drop for Flushes {
            fn drop(&mut self) {
                use std::sync::atomic::Ordering::Relaxed;
                csp::io(|| self.0.fetch_add(1, Relaxed));
                csp::compute(|| self.0.fetch_add(2, Relaxed));
            }
        }
        let flushed = Arc::default();
        let flushes = Flushes(Arc::clone(&flushed));
        let process = backend.place(run(move || {
            let _flushes = flushes;
            panic!("before the flush");
        }));
        assert!(try_parallel!(process).is_err());
        assert_eq!(flushed.load(std::sync::atomic::Ordering::Relaxed), 3);
    }

    fn who_waits_for_a_call_is_in_no_deadlock(backend) {
        // The wait on each side of the pause is longer than the watch waits before it judges.
        let values = Channel::new();
        let reader = values.reader();
        let (sent, got) = parallel!(
            backend.place(answers_after(values.writer(), Duration::from_millis(700))),
            backend.place(run(move || reader.read())),
        );
        assert_eq!((sent, got), (Ok(()), Ok(3)));
    }

    fn a_call_may_use_channels_and_spawn(backend) {
        let values = Channel::new();
        let (writer, reader) = (values.writer(), values.reader());
        let calls = backend.place(run(move || {
            csp::io(move || {
                writer.write(1).unwrap();
                let more = csp::spawn(run(move || writer.write(2).map_err(drop)));
                more.join().unwrap();
            });
        }));
        let ((), all) = parallel!(calls, backend.place(run(move || reader.iter().collect::<Vec<_>>())));
        assert_eq!(all, [1, 2]);
    }

    fn what_a_call_spawns_and_does_not_join_ends_with_it(backend) {
        let values = Channel::new();
        let (writer, reader) = (values.writer(), values.reader());
        let calls = backend.place(run(move || {
            csp::io(move || drop(csp::spawn(run(move || writer.write(2).map_err(drop)))));
        }));
        let ((), got) = parallel!(calls, backend.place(run(move || reader.read())));
        assert_eq!(got, Ok(2));
    }
}

#[process]
fn sleeps_in_a_call() {
    csp::io(|| std::thread::sleep(Duration::from_millis(20)));
}

#[process]
fn waits_in_a_call(go: Arc<std::sync::Mutex<mpsc::Receiver<()>>>) {
    let _ = csp::io(|| go.lock().unwrap().recv());
}

#[process]
fn looks(go: mpsc::Sender<()>) -> String {
    loop {
        // The check ignores line breaks, and the calls of this program's other tests.
        let seen = csp::network().to_string();
        let seen = seen.split_whitespace().collect::<Vec<_>>().join(" ");
        if seen.contains("waits_in_a_call: blocked") {
            drop(go);
            return seen;
        }
        csp::sleep(Duration::from_millis(1));
    }
}

#[cfg(feature = "coroutines")]
#[test]
fn a_process_in_a_call_is_shown_where_it_waits() {
    let (go, waits) = mpsc::channel();
    let waits = Arc::new(std::sync::Mutex::new(waits));
    let (_, seen) = parallel!(waits_in_a_call(waits), looks(go));
    let (_, shown) = seen.split_once("waits_in_a_call: blocked at ").expect("it was seen");
    assert!(shown.starts_with(file!()), "{seen}");
    assert!(shown.contains("the end of a blocking call"), "{seen}");
}

/// Counts idle threads by name, which Linux tells.
#[cfg(all(feature = "coroutines", target_os = "linux"))]
#[test]
fn idle_threads_go_away() {
    let count = || {
        let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let name = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("comm"));
        threads.filter_map(|thread| name(thread).ok()).filter(|n| n == "csp io\n").count()
    };
    parallel!(50 * sleeps_in_a_call());
    assert!(count() > 0);
    csp_tests::check("idle_threads_go_away", csp_tests::Placement::coroutines(), |_| ());
    // Other tests of this program call too. The threads that this test has used end all the same.
    while count() >= 50 {
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[process]
fn relays(input: Reader<u32>, out: Writer<u32>) -> csp::Result {
    for n in &input {
        let n = csp::io(|| n + 1);
        out.write(n)?;
    }
    Ok(())
}

#[process]
fn counts(out: Writer<u32>, n: u32) -> csp::Result {
    (0..n).try_for_each(|n| Ok(out.write(n)?))
}

on_each_backend! {
    here: "a blocking call is waited for in the OS process that begins it";
    fn calls_in_a_pipeline_lose_nothing(backend) {
        const N: u32 = 500;
        let stages = 5 * Channel::new();
        let mut pipeline = csp::Parallel::new().with(backend.place(counts(stages[0].writer(), N)));
        for pair in stages.windows(2) {
            pipeline = pipeline.with(backend.place(relays(pair[0].reader(), pair[1].writer())));
        }
        let last = stages[4].reader();
        drop(stages);
        let pipeline = backend.place(run(move || pipeline.run()));
        let collects = backend.place(run(move || last.iter().collect::<Vec<_>>()));
        let (_, all) = parallel!(pipeline, collects);
        assert_eq!(all, (4..N + 4).collect::<Vec<_>>());
    }
}
