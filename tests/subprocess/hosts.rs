//! Processes on other hosts. A host is this machine once more: `env` starts a host process.

use csp::{
    Cause, Channel, Hosts, Reader, SharedBuf, Termination, Writer, alt, multiprocess, parallel,
    process, spawn, try_parallel,
};

use super::{here, tests};

/// Returns a host on this machine.
fn host() -> Hosts {
    Hosts::command(["env"])
}

/// Returns the numbers of this OS process and of the one that has started it.
#[multiprocess]
fn numbers() -> (u32, u32) {
    (here(), std::os::unix::process::parent_id())
}

#[multiprocess]
fn sum(from: Reader<u64>, to: Writer<u64>) -> csp::Result {
    for n in &from {
        to.write(n + 1)?;
    }
    Ok(())
}

#[process]
fn numbers_to(to: Writer<u64>, n: u64) -> csp::Result {
    for n in 0..n {
        to.write(n)?;
    }
    Ok(())
}

#[process]
fn total(from: Reader<u64>) -> u64 {
    from.iter().sum()
}

#[multiprocess]
fn larger(bytes: Vec<u8>) -> Vec<u8> {
    [&bytes[..], &bytes[..]].concat()
}

#[multiprocess]
fn panics(_ends: Writer<u64>) {
    panic!("out of luck")
}

#[multiprocess]
fn exits() {
    std::process::exit(7)
}

#[multiprocess]
fn waits(from: Reader<u64>) -> Option<u64> {
    from.read().ok()
}

#[multiprocess]
fn makes(n: u64) -> (Reader<u64>, Writer<u64>) {
    let channel = Channel::buffered(2);
    let writer = channel.writer();
    writer.write(n).expect("room");
    (channel.reader(), writer)
}

#[multiprocess]
fn first_of(left: Reader<u64>, right: Reader<u64>) -> u64 {
    let mut sum = 0;
    for _ in 0..20 {
        sum += alt! {
            n = left.read() => n,
            n = right.read() => n,
        }
        .unwrap_or_default();
    }
    sum
}

/// Kills the host process, which is its parent.
#[multiprocess]
fn kills_its_host(said: Writer<u32>) {
    said.write(here()).expect("a reader");
    let host = rustix::process::getppid().expect("a parent");
    rustix::process::kill_process(host, rustix::process::Signal::KILL).expect("its own");
    std::thread::sleep(std::time::Duration::from_secs(600));
}

#[multiprocess]
fn variable(name: String) -> Option<String> {
    std::env::var(name).ok()
}

#[multiprocess]
fn length(bytes: SharedBuf) -> (usize, u8) {
    (bytes.len(), bytes[bytes.len() - 1])
}

/// Is the parent of a host process, which has a worker that waits for ever. Returns the numbers of both.
#[multiprocess]
fn starts_a_host() -> (u32, u32) {
    let never = Channel::<u64>::new();
    let said = Channel::new();
    let hosts = host();
    spawn(stays(never.reader(), said.writer()).at(&hosts).daemon());
    let numbers = said.reader().read().expect("a daemon");
    std::mem::forget(never);
    numbers
}

#[multiprocess]
fn stays(from: Reader<u64>, said: Writer<(u32, u32)>) {
    said.write((here(), std::os::unix::process::parent_id())).expect("a reader");
    let _ = from.read();
}

/// Ends by `SIGPIPE`, as a program of C does. Returns why its host could not be had.
#[multiprocess]
fn dies_by_broken_pipes() -> String {
    csp_tests::die_by_broken_pipes();
    let greets = "exec <&-; echo; echo 'csp: a host process greets its starter, protocol 1'";
    let failure = try_parallel!(numbers().at(&Hosts::command(["sh", "-c", greets]))).unwrap_err();
    failure.message().to_owned()
}

/// Prints lines on both outputs, in pieces.
#[multiprocess]
fn prints(lines: u32) {
    use std::io::Write;
    for line in 0..lines {
        print!("line ");
        println!("{line} out");
        eprint!("line ");
        std::io::stdout().flush().expect("a pipe");
        eprintln!("{line} err");
    }
    print!("no end");
}

#[multiprocess]
fn much(bytes: usize) -> String {
    "x".repeat(bytes)
}

#[process]
fn plain() {}

fn is_there(process: u32) -> bool {
    // A dead process that nobody has waited for is there still, without its executable.
    std::fs::read_link(format!("/proc/{process}/exe")).is_ok()
}

fn waits_until_gone(process: u32) {
    while is_there(process) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

tests! {
    fn a_process_runs_there_and_its_host_process_is_started_once() {
        let hosts = host();
        let ((one, parent), all) = parallel!(numbers().at(&hosts), 3 * numbers().at(&hosts));
        assert_ne!(one, here());
        assert_ne!(parent, here());
        assert!(all.iter().all(|(_, other)| *other == parent), "{all:?}, {parent}");
        let (later,) = parallel!(numbers().at(&hosts));
        assert_eq!(later.1, parent);
    }

    fn processes_go_round_the_hosts() {
        let hosts = host().and(&host());
        let (all,) = parallel!(4 * numbers().at(&hosts));
        let parents: Vec<u32> = all.iter().map(|(_, parent)| *parent).collect();
        assert_eq!(parents[..2], parents[2..]);
        assert_ne!(parents[0], parents[1]);
        let (all,) = parallel!(4 * numbers().at(&hosts.slots(2).blocked()));
        let parents: Vec<u32> = all.iter().map(|(_, parent)| *parent).collect();
        assert_eq!((parents[0], parents[2]), (parents[1], parents[3]));
        assert_ne!(parents[0], parents[2]);
    }

    fn channels_lead_to_hosts_and_from_host_to_host() {
        let hosts = host().and(&host());
        let (a, b, c) = (Channel::new(), Channel::new(), Channel::new());
        let results = parallel!(
            numbers_to(a.writer(), 100),
            sum(a.reader(), b.writer()).at(&hosts),
            sum(b.reader(), c.writer()).at(&hosts),
            total(c.reader()),
        );
        assert_eq!(results.3, 4950 + 200);
    }

    fn an_alternation_goes_over_channels_of_several_hosts() {
        let hosts = host().and(&host());
        let (a, b, c, d) = (Channel::new(), Channel::new(), Channel::new(), Channel::new());
        let results = parallel!(
            numbers_to(a.writer(), 10),
            numbers_to(b.writer(), 10),
            sum(a.reader(), c.writer()).at(&hosts),
            sum(b.reader(), d.writer()).at(&hosts),
            first_of(c.reader(), d.reader()).at(&hosts),
        );
        assert_eq!(results.4, 2 * (45 + 10));
    }

    fn large_arguments_and_results_travel() {
        let bytes: Vec<u8> = (0..5_000_000u32).map(|n| n as u8).collect();
        let (twice,) = parallel!(larger(bytes.clone()).at(&host()));
        assert!(twice == [&bytes[..], &bytes[..]].concat());
    }

    fn shared_memory_travels_as_bytes() {
        let mut bytes = SharedBuf::new(3_000_000).expect("memory");
        bytes.make_mut().expect("memory")[2_999_999] = 9;
        let (told,) = parallel!(length(bytes).at(&host()));
        assert_eq!(told, (3_000_000, 9));
    }

    fn ends_in_a_result_live_on() {
        let ((reader, writer),) = parallel!(makes(7).at(&host()));
        assert_eq!(reader.read(), Ok(7));
        writer.write(8).expect("a reader");
        assert_eq!(reader.read(), Ok(8));
    }

    fn a_panic_there_is_a_failure_here_and_poisons() {
        let channel = Channel::new();
        let reader = channel.reader();
        let failure = try_parallel!(panics(channel.writer()).at(&host())).unwrap_err();
        assert!(
            matches!(failure.cause(), Cause::Panic { message, .. } if message == "out of luck"),
            "{failure}"
        );
        let Err(Termination::Poisoned(poison)) = reader.read() else { panic!("it is poisoned") };
        assert!(matches!(poison.cause(), Cause::Panic { .. }), "{poison}");
    }

    fn an_exit_there_is_told() {
        let failure = try_parallel!(exits().at(&host())).unwrap_err();
        assert!(failure.message().contains("exit status: 7"), "{failure}");
    }

    fn a_process_there_can_be_killed() {
        let hosts = host();
        let said = Channel::new();
        let never = Channel::new();
        let spawned = spawn(stays(never.reader(), said.writer()).at(&hosts));
        let (worker, parent) = said.reader().read().expect("it begins");
        assert_eq!(spawned.id(), None);
        spawned.kill().expect("it has an OS process");
        let failure = spawned.try_join().unwrap_err();
        assert!(failure.message().contains("`kill` was called"), "{failure}");
        waits_until_gone(worker);
        // Its host goes on.
        let (next,) = parallel!(numbers().at(&hosts));
        assert_eq!(next.1, parent);
    }

    fn a_host_that_is_lost_is_told_and_started_anew() {
        let hosts = host();
        let said = Channel::new();
        let spawned = spawn(kills_its_host(said.writer()).at(&hosts).named("killer"));
        let worker = said.reader().read().expect("it begins");
        let failure = spawned.try_join().unwrap_err();
        assert!(matches!(failure.cause(), Cause::Lost { .. }), "{failure}");
        assert!(failure.message().contains("its host `env` is lost"), "{failure}");
        assert!(failure.message().contains("signal: 9"), "{failure}");
        waits_until_gone(worker);
        drop(said);
        let (again,) = parallel!(numbers().at(&hosts));
        assert_ne!(again.0, worker);
    }

    fn a_host_that_cannot_be_had_is_a_failure_with_its_last_words() {
        for (command, words) in [
            (&["sh", "-c", "echo no route to it >&2; exit 5"][..], "no route to it"),
            (&["sh", "-c", "echo instead"], "it wrote: instead"),
            (&["/no/such/program"], "could not be run"),
            (&["env", "--no-such-option"], "no-such-option"),
        ] {
            let hosts = Hosts::command(command).named("far");
            let (one, other) = (Channel::new(), Channel::new());
            let ends = waits(one.reader()).at(&hosts);
            let failure = try_parallel!(ends, 2 * waits(other.reader()).at(&hosts)).unwrap_err();
            assert!(matches!(failure.cause(), Cause::Unstarted { .. }), "{failure}");
            let message = failure.message();
            assert!(message.contains("the host `far` could not be had"), "{message}");
            assert!(message.contains(words), "{message}");
        }
    }

    fn words_ahead_of_the_greeting_are_skipped() {
        let shell = "echo Welcome; echo and more >&2; exec \"$@\"";
        let (told,) = parallel!(numbers().at(&Hosts::command(["sh", "-c", shell, "sh"])));
        assert_ne!(told.0, here());
    }

    fn a_command_that_closes_its_input_ends_no_program() {
        let (message,) = parallel!(dies_by_broken_pipes());
        assert!(message.contains("it heard nothing (Broken pipe"), "{message}");
    }

    fn each_line_has_the_names_of_its_process_and_host() {
        let log = std::env::temp_dir().join(format!("csp-lines-{}", here()));
        let shell = format!("exec 2>'{}'; exec \"$@\"", log.display());
        let hosts = Hosts::command(["sh", "-c", &shell, "sh"]).named("node1");
        parallel!(4 * prints(100).at(&hosts));
        // They come out soon.
        let lines = loop {
            let text = std::fs::read_to_string(&log).expect("a file");
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if lines.len() >= 4 * 201 && text.ends_with('\n') {
                break lines;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        };
        let _ = std::fs::remove_file(&log);
        assert_eq!(lines.len(), 4 * 201);
        for process in 0..4 {
            let tag = format!("law/prints[{process}]@node1: ");
            let own: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix(&*tag)).collect();
            assert_eq!(own.len(), 201, "{lines:?}");
            assert!(own.contains(&"no end"), "{own:?}");
        }
    }

    fn another_executable_is_refused() {
        let shell = "cp \"$3\" \"$0\" && printf x >> \"$0\" && exec \"$1\" \"$2\" \"$0\"";
        let other = std::env::temp_dir().join(format!("csp-other-{}", here()));
        let command = ["sh", "-c", shell, &*other.to_string_lossy()];
        let failure = try_parallel!(numbers().at(&Hosts::command(command))).unwrap_err();
        let _ = std::fs::remove_file(&other);
        assert!(failure.message().contains("is not the one of its starter"), "{}", failure.message());
    }

    fn variables_travel() {
        let hosts = host().env("ANSWER", "42");
        let (answer,) = parallel!(variable("ANSWER".to_owned()).at(&hosts));
        assert_eq!(answer.as_deref(), Some("42"));
        let bare = Hosts::command(["env", "-i"]).env("RUST_LIKE", "1");
        let (answer, none) = parallel!(
            variable("RUST_LIKE".to_owned()).at(&bare),
            variable("CARGO".to_owned()).at(&bare),
        );
        assert_eq!((answer.as_deref(), none), (Some("1"), None));
    }

    fn a_host_process_ends_with_its_starter_and_leaves_nothing() {
        let ((worker, host_process),) = parallel!(starts_a_host());
        waits_until_gone(host_process);
        waits_until_gone(worker);
    }

    #[ignore = "takes some gibibytes of memory"]
    fn a_result_of_more_than_a_gibibyte_is_told() {
        let failure = try_parallel!(much((1 << 30) + 1).at(&host())).unwrap_err();
        assert!(failure.message().contains("is the most"), "{failure}");
    }

    fn a_plain_process_cannot_run_there() {
        let failure = try_parallel!(plain().at(&host())).unwrap_err();
        assert!(failure.message().contains("multiprocess"), "{failure}");
    }
}
