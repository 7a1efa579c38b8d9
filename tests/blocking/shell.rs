//! `csp::shell`: files and programs at the ends of channels.

use csp::shell::{self, Pipes};
use csp::{Channel, Reader, Termination, Writer, parallel, process, spawn};
use csp_tests::{on_each_backend, run};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Returns a path of its own for each test.
fn scratch(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("csp-tests-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(format!("{name}-{number}"))
}

#[process]
fn says(lines: Vec<String>, out: Writer<String>) -> csp::Result {
    lines.into_iter().try_for_each(|line| Ok(out.write(line)?))
}

#[process]
fn hears(lines: Reader<String>) -> Vec<String> {
    lines.iter().collect()
}

/// Returns when the process whose path ends so waits for a descriptor, and all that it waits for.
fn until_it_waits(path: &str) -> String {
    loop {
        let network = csp::network();
        let waits = network.processes().iter().filter(|process| process.path().ends_with(path));
        let waits = waits.filter_map(|process| match process.state() {
            csp::report::State::Blocked(wait) => Some(wait),
            _ => None,
        });
        let said = |want: &csp::report::Wanted| {
            format!("{} {}", want.operation(), want.name().unwrap_or_default())
        };
        let wants = waits.flat_map(|wait| wait.wants()).map(said).collect::<Vec<_>>().join("\n");
        if wants.contains("fd ") {
            return wants;
        }
        csp_tests::settle();
    }
}

/// Returns when the process of this name waits for something to read.
fn until_it_reads(name: &str) {
    if cfg!(feature = "net") {
        let wait = until_it_waits(&format!("/{name}"));
        assert!(wait.contains("reading from ") && wait.contains("fd "), "{wait}");
    }
}

/// A pipe that is a file, with a process that reads lines from it.
#[cfg(unix)]
struct NamedPipe {
    reads: csp::Spawned<std::io::Result<u64>>,
    name: String,
    heard: Reader<String>,
    writer: std::fs::File,
}

#[cfg(unix)]
impl NamedPipe {
    fn new(backend: &csp_tests::Placement) -> Self {
        let pipe = scratch("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let name = pipe.file_name().unwrap().to_str().unwrap().to_owned();
        let lines = Channel::new();
        let reads = shell::read_lines(pipe.clone(), lines.writer()).named(name.clone());
        let (heard, reads) = (lines.reader(), spawn(backend.place(reads)));
        // This waits until somebody reads.
        let writer = csp::io(|| std::fs::File::create(&pipe)).unwrap();
        Self { reads, name, heard, writer }
    }
}

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Makes `n` lines of up to two kilobytes. They are few and long, because each is a communication, which may wait for a core.
fn numbers(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("{n}: {}", "some text ".repeat(n % 200))).collect()
}

on_each_backend! {
    here: "a blocking call is waited for in the OS process that begins it";
    fn lines_come_back_from_a_file_as_they_went_in(backend) {
        let file = scratch("lines");
        let long = vec!["long".repeat(100_000), "short".into()];
        for lines in [vec![], vec!["one".into()], vec![String::new(); 3], long, numbers(1000)] {
            let (to, from) = (Channel::new(), Channel::new());
            let written = parallel!(
                backend.place(says(lines.clone(), to.writer())),
                backend.place(shell::write_lines(to.reader(), file.clone())),
            ).1;
            assert_eq!(written.unwrap(), lines.len() as u64);
            let (read, heard) = parallel!(
                backend.place(shell::read_lines(file.clone(), from.writer())),
                backend.place(hears(from.reader())),
            );
            assert_eq!(read.unwrap(), lines.len() as u64);
            assert!(heard == lines);
        }
    }

    fn what_has_been_written_reaches_the_file_in_a_pause(backend) {
        let (file, lines) = (scratch("pause"), Channel::new());
        let (writer, read) = (lines.writer(), file.clone());
        let source = backend.place(run(move || {
            writer.write("first".to_owned()).unwrap();
            while std::fs::read_to_string(&read).unwrap_or_default() != "first\n" {
                csp::sleep(std::time::Duration::from_millis(1));
            }
        }));
        let ((), written) =
            parallel!(source, backend.place(shell::write_lines(lines.reader(), file)));
        assert_eq!(written.unwrap(), 1);
    }

    fn a_file_that_fails_poisons_with_the_reason(backend) {
        let (missing, broken) = (Channel::new(), scratch("latin"));
        std::fs::write(&broken, b"good\nb\xe4d\n").unwrap();
        let (read, heard) = parallel!(
            backend.place(shell::read_lines("no such file".into(), missing.writer())),
            backend.place(run({ let end = missing.reader(); move || end.read() })),
        );
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::NotFound);
        assert!(format!("{:#}", heard.unwrap_err()).contains("no such file"));

        let lines = Channel::new();
        let (read, heard) = parallel!(
            backend.place(shell::read_lines(broken, lines.writer())),
            backend.place(run({ let end = lines.reader(); move || end.read() })),
        );
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
        assert!(matches!(heard, Err(Termination::Poisoned(_))), "{heard:?}");

        let lines = Channel::new();
        let (said, written) = parallel!(
            backend.place(says(numbers(10), lines.writer())),
            backend.place(shell::write_lines(lines.reader(), "no/such/folder".into())),
        );
        assert!(matches!(said, Err(Termination::Poisoned(_))), "{said:?}");
        assert!(written.is_err());
    }
}

#[cfg(unix)]
on_each_backend! {
    here: "a blocking call is waited for in the OS process that begins it";
    fn a_program_is_a_filter(backend) {
        // A megabyte goes both ways at once, which is more than pipes hold.
        let (lines, to, from) = (numbers(1000), Channel::new(), Channel::new());
        let pipes = Pipes::new().stdin(to.reader()).stdout(from.writer());
        let (_, status, heard) = parallel!(
            backend.place(says(lines.clone(), to.writer())),
            backend.place(shell::execute(Command::new("cat"), pipes)),
            backend.place(hears(from.reader())),
        );
        assert!(status.unwrap().success());
        assert!(heard == lines);
    }

    fn output_errors_and_the_end_come_apart(backend) {
        let (out, errors) = (Channel::new(), Channel::new());
        let pipes = Pipes::new().stdout(out.writer()).stderr(errors.writer());
        let (status, out, errors) = parallel!(
            backend.place(shell::execute(sh("echo fine; echo worse >&2; printf last; exit 3"), pipes)),
            backend.place(hears(out.reader())),
            backend.place(hears(errors.reader())),
        );
        assert_eq!(status.unwrap().code(), Some(3));
        assert_eq!((out, errors), (vec!["fine".to_owned(), "last".to_owned()], vec!["worse".to_owned()]));
    }

    fn a_program_that_has_read_enough_ends_its_writer(backend) {
        let (to, from) = (Channel::new(), Channel::new());
        let pipes = Pipes::new().stdin(to.reader()).stdout(from.writer());
        let endless = to.writer();
        let (wrote, status, heard) = parallel!(
            backend.place(run(move || loop {
                if let Err(error) = endless.write("line".to_owned()) {
                    return error.termination;
                }
            })),
            backend.place(shell::execute(sh("read a; echo $a"), pipes)),
            backend.place(hears(from.reader())),
        );
        assert_eq!(wrote, Termination::Retired);
        assert!(status.unwrap().success());
        assert_eq!(heard, ["line"]);
    }

    fn a_program_whose_output_nobody_reads_ends(backend) {
        let from = Channel::new();
        let reader = from.reader();
        let (status, first) = parallel!(
            backend.place(shell::execute(Command::new("yes"), Pipes::new().stdout(from.writer()))),
            backend.place(run(move || reader.read())),
        );
        assert_eq!(first, Ok("y".to_owned()));
        assert!(!status.unwrap().success(), "it was ended by the system");
    }

    fn poison_kills_the_program_and_goes_on(backend) {
        let (to, from) = (Channel::new(), Channel::new());
        let pipes = Pipes::new().stdin(to.reader()).stdout(from.writer());
        let (writer, reader) = (to.writer(), from.reader());
        let (status, (), heard) = parallel!(
            // `exec` makes sure that no other program keeps the pipe open.
            backend.place(shell::execute(sh("exec sleep 1000"), pipes)),
            backend.place(run(move || writer.poison("enough"))),
            backend.place(run(move || reader.read())),
        );
        assert!(format!("{:#}", status.unwrap_err()).contains("enough"));
        assert!(format!("{:#}", heard.unwrap_err()).contains("enough"));
    }

    fn poison_kills_a_program_that_neither_reads_nor_writes(backend) {
        let (to, from) = (Channel::new(), Channel::new());
        let (writer, reader) = (to.writer(), from.reader());
        let (unread, unwritten, ..) = parallel!(
            backend.place(shell::execute(sh("exec sleep 1000"), Pipes::new().stdin(to.reader()))),
            backend.place(shell::execute(sh("exec sleep 1000"), Pipes::new().stdout(from.writer()))),
            backend.place(run(move || {
                // The text is larger than a pipe's buffer.
                writer.write("a line of text".repeat(100_000)).unwrap();
                writer.poison("enough");
            })),
            backend.place(run(move || reader.poison("likewise"))),
        );
        assert!(format!("{:#}", unread.unwrap_err()).contains("enough"));
        assert!(format!("{:#}", unwritten.unwrap_err()).contains("likewise"));
    }

    fn a_process_that_waits_for_a_program_waits_for_its_pipes(backend) {
        let name = format!("waits_for_pipes_{}", scratch("name").display()).replace('/', "_");
        let (to, from) = (Channel::new(), Channel::new());
        let pipes = Pipes::new().stdin(to.reader()).stdout(from.writer());
        let (lines, answers) = (to.writer(), from.reader());
        // It reads nothing before it is told so, and nothing comes from it before that.
        let signal = "trap 'exec cat' USR1; echo $$; while :; do sleep 0.01; done";
        let program = spawn(backend.place(shell::execute(sh(signal), pipes)).named(name.clone()));
        drop((to, from));
        let id = answers.read().unwrap();
        let long = "a line of text".repeat(100_000);
        lines.write(long.clone()).unwrap();
        if cfg!(feature = "net") {
            let pipe = |operation, wait: String| {
                let rest = wait.lines().find_map(|want| want.strip_prefix(operation).map(str::to_owned));
                let number = rest.as_ref().and_then(|rest| rest.rsplit_once("fd "));
                assert!(number.is_some_and(|(_, number)| number.parse::<u32>().is_ok()), "{wait}");
            };
            pipe("writing to ", until_it_waits(&format!("/{name}/stdin")));
            pipe("reading from ", until_it_waits(&format!("/{name}/stdout")));
        }
        assert!(Command::new("kill").args(["-USR1", &id]).status().unwrap().success());
        assert_eq!(answers.read().unwrap(), long);
        lines.retire();
        assert_eq!(answers.read(), Err(Termination::Retired));
        assert!(program.join().unwrap().success());
    }

    fn a_process_that_waits_for_a_program_waits_for_its_end(backend) {
        let name = format!("waits_for_end_{}", scratch("name").display()).replace('/', "_");
        let (to, pipes) = (Channel::new(), Pipes::new());
        let pipes = pipes.stdin(to.reader());
        let program = spawn(backend.place(shell::execute(sh("read line"), pipes)).named(name.clone()));
        let lines = to.writer();
        drop(to);
        if cfg!(all(feature = "net", target_os = "linux")) {
            let wait = until_it_waits(&format!("/{name}/waits"));
            assert!(wait.contains("reading from pidfd, fd "), "{wait}");
        }
        lines.write("enough".to_owned()).unwrap();
        assert!(program.join().unwrap().success());
    }

    fn lines_come_from_a_pipe_with_a_name(backend) {
        let NamedPipe { reads, name, heard, mut writer } = NamedPipe::new(backend);
        for (text, line) in [("one\ntw", "one"), ("o\n", "two"), ("three", "three")] {
            until_it_reads(&name);
            writer.write_all(text.as_bytes()).unwrap();
            if line == "three" {
                drop(writer);
                assert_eq!(heard.read().as_deref(), Ok(line));
                break;
            }
            assert_eq!(heard.read().as_deref(), Ok(line));
        }
        assert_eq!(heard.read(), Err(Termination::Retired));
        assert_eq!(reads.join().unwrap(), 3);
    }

    fn a_process_that_waits_for_a_pipe_hears_that_nobody_reads(backend) {
        let NamedPipe { reads, name, heard, writer: _writer } = NamedPipe::new(backend);
        until_it_reads(&name);
        heard.retire();
        assert_eq!(reads.join().unwrap(), 0);
    }

    fn a_program_that_is_not_there_poisons_with_its_name(backend) {
        let from = Channel::new();
        let reader = from.reader();
        let program = Command::new("no-such-program");
        let (status, heard) = parallel!(
            backend.place(shell::execute(program, Pipes::new().stdout(from.writer()))),
            backend.place(run(move || reader.read())),
        );
        assert_eq!(status.unwrap_err().kind(), std::io::ErrorKind::NotFound);
        assert!(format!("{:#}", heard.unwrap_err()).contains("no-such-program"));
    }
}
