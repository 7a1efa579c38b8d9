//! Defects of PyCSP 0.9.2 that this library must not have, each under the law it broke.

use crate::processes::{sink, source};
use csp::{Channel, Reader, Writer, parallel, spawn};
use csp_tests::{Notes, Placement, laws, multiprocess, panic_of};

#[multiprocess]
fn fails_while_others_wait(_output: Writer<u32>) {
    panic!("uncaught");
}

/// Makes a channel and uses it alone. Two of these run at once, each with a channel of the same name.
#[multiprocess]
fn talks_to_itself(offset: u32, backend: Placement) -> Vec<u32> {
    let line = Channel::new().named("line42");
    let (_, read) = parallel!(
        backend.place(source((offset..offset + 20).collect(), line.writer())),
        backend.place(sink(line.reader())),
    );
    read
}

#[multiprocess]
fn writes_twice(outputs: Vec<(u8, Writer<u32>)>) -> csp::Result {
    outputs[0].1.write(1)?;
    outputs[0].1.write(2)?;
    Ok(())
}

/// Makes a channel, writes its ends and returns.
#[multiprocess]
fn host(ends: Writer<(Reader<u32>, Writer<u32>)>) -> csp::Result {
    let hosted = Channel::new();
    ends.write((hosted.reader(), hosted.writer()))?;
    Ok(())
}

#[multiprocess]
fn counts(runs: Notes) {
    runs.push("run");
}

#[multiprocess]
fn spawns_and_leaves(runs: Notes, backend: Placement) {
    let _ = spawn(backend.place(counts(runs)));
}

#[multiprocess]
fn writes_then_retires(value: u32, output: Writer<u32>) -> csp::Result {
    output.write(value)?;
    output.retire(); // moved: nothing can be written after it, see `csp_tests::retired_end`
    Ok(())
}

laws! {
    /// 1: after an uncaught exception in a process, the program never exits.
    fn defect_1_an_uncaught_panic_ends_the_network_and_reaches_the_caller(backend) {
        let values = Channel::new();
        let text = panic_of(|| {
            parallel!(
                backend.place(fails_while_others_wait(values.writer())),
                backend.replicas(5, sink(values.reader())),
            )
        });
        assert!(text.contains("uncaught"), "{text}");
    }

    /// 4: a hundred processes that do nothing hang.
    fn defect_4_processes_that_do_nothing_end(backend) {
        let runs = Notes::new();
        parallel!(backend.replicas(100, counts(runs.clone())));
        assert_eq!(runs.entries().len(), 100);
    }

    /// 5: two processes that make a channel of the same name both hang.
    fn defect_5_channels_of_one_name_are_different_channels(backend) {
        let (one, other) = parallel!(
            backend.place(talks_to_itself(100, backend.clone())),
            backend.place(talks_to_itself(200, backend.clone())),
        );
        assert_eq!(one, (100..120).collect::<Vec<_>>());
        assert_eq!(other, (200..220).collect::<Vec<_>>());
    }

    /// 8: replicated processes share ends held in lists, so the first to retire ends the channel.
    fn defect_8_replicas_do_not_share_ends_held_in_containers(backend) {
        let values = Channel::new();
        let writers = backend.replicas(3, writes_twice(vec![(0, values.writer())]));
        let (ends, read) = parallel!(writers, backend.place(sink(values.reader())));
        assert_eq!(ends, vec![Ok(()); 3]);
        assert_eq!(read.len(), 6);
    }

    /// 9: an end that outlives the process hosting its channel hangs.
    fn defect_9_an_end_outlives_the_process_that_made_its_channel(backend) {
        let ends = Channel::new();
        let handed = ends.reader();
        let host = spawn(backend.place(host(ends.writer())));
        let (reader, writer) = handed.read().unwrap();
        host.join().unwrap();
        let (_, read) =
            parallel!(backend.place(source(vec![1, 2, 3], writer)), backend.place(sink(reader)),);
        assert_eq!(read, [1, 2, 3]);
    }

    /// 14: a spawned process never runs without a later wait.
    fn defect_14_what_is_spawned_runs_though_nobody_waits_for_it(backend) {
        let runs = Notes::new();
        let _ = spawn(backend.place(counts(runs.clone())));
        csp::shutdown();
        assert_eq!(runs.entries().len(), 1);
        parallel!(backend.place(spawns_and_leaves(runs.clone(), backend.clone())));
        assert_eq!(runs.entries().len(), 2);
    }

    /// 16: a retired end can still be used, and the count goes wrong.
    fn defect_16_a_retired_end_is_gone_and_the_others_are_not(backend) {
        let values = Channel::new();
        let writers: Vec<_> = (0..3)
            .map(|value| backend.place(writes_then_retires(value, values.writer())))
            .collect();
        let (ends, mut read) = parallel!(writers, backend.place(sink(values.reader())));
        assert_eq!(ends, vec![Ok(()); 3]);
        read.sort_unstable();
        assert_eq!(read, [0, 1, 2]);
    }

    /// 24: `0 * p()` gives one process.
    fn defect_24_none_of_a_process_is_none(backend) {
        let runs = Notes::new();
        let (none, also_none) = parallel!(
            0 * backend.place(counts(runs.clone())),
            backend.place(counts(runs.clone())) * 0
        );
        assert!(none.is_empty() && also_none.is_empty());
        assert_eq!(runs.entries().len(), 0);
        assert_eq!((0 * backend.place(counts(runs))).into_vec().len(), 0);
    }
}

/// 30, 31: an open port unpickled data from any sender.
#[cfg(all(target_os = "linux", feature = "threads"))]
#[test]
fn defect_30_nothing_listens() {
    let values = Channel::new();
    let backend = Placement::threads();
    let source = backend.place(source(vec![1, 2, 3], values.writer()));
    let (_, read) = parallel!(source, sink(values.reader()));
    assert_eq!(read, [1, 2, 3]);
    let mine: Vec<String> = std::fs::read_dir("/proc/self/fd")
        .expect("/proc")
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .map(|link| link.to_string_lossy().into_owned())
        .collect();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6", "/proc/self/net/udp"] {
        let Ok(table) = std::fs::read_to_string(table) else { continue };
        for line in table.lines().skip(1) {
            let inode = line.split_whitespace().nth(9).expect("an inode");
            assert!(!mine.contains(&format!("socket:[{inode}]")), "{line}");
        }
    }
}
