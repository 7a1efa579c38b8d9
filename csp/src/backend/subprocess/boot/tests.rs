//! Real children. Their executable is this test.
#![allow(unsafe_code, reason = "a section for the linker, in the crate that collects them")]

use linkme::distributed_slice;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use super::entry::ENTRIES;
use super::launch::{ChildNews, Launched, launch, launch_with};
use super::reaper::Exit;
use super::{Blob, Call, Ended, FromChild, Passport, Start, ToChild, child};
use crate::backend::subprocess::values::carry::Ends;
use crate::process::code::{Entry, hash};

macro_rules! entry {
    ($name:ident = $body:expr) => {
        #[distributed_slice(ENTRIES)]
        static $name: Entry = Entry::new(
            concat!(module_path!(), "::", stringify!($name)),
            hash("bytes to bytes"),
            || "",
            $body,
        );
    };
}

entry!(REVERSE = |bytes| Ok(bytes.iter().rev().copied().collect()));
entry!(PANIC = |bytes| panic!("{}", String::from_utf8_lossy(bytes)));
entry!(EXIT = |bytes| std::process::exit(i32::from(bytes[0])));
entry!(
    ABORT = |_| {
        eprintln!("famous last words");
        std::process::abort()
    }
);
entry!(
    STAY = |_| {
        child::tell_parent(FromChild::Note(Blob(std::process::id().to_le_bytes().to_vec())));
        loop {
            thread::park();
        }
    }
);
entry!(ARGUMENTS = |_| Ok(env::args().collect::<Vec<_>>().join("\n").into_bytes()));
entry!(THREAD = |_| Ok(thread::current().name().unwrap_or_default().as_bytes().to_vec()));
entry!(
    DEPTH = |_| match start(&DEPTH, &[]) {
        Ok((_, news)) => Ok(ended(&news).0),
        Err(error) => Ok(error.to_string().into_bytes()),
    }
);
entry!(
    HAVE_A_CHILD = |_| {
        let (_child, news) = start(&STAY, &[]).map_err(|error| error.to_string())?;
        if let Ok(ChildNews::Note(pid)) = news.recv() {
            child::tell_parent(FromChild::Note(pid));
        }
        loop {
            thread::park();
        }
    }
);
entry!(
    ECHO = |_| {
        let (send, notes) = mpsc::channel();
        child::notes::on_note(move |message| {
            let _ = send.send(message);
        });
        child::tell_parent(FromChild::Note(Blob(Vec::new())));
        while let Ok(ToChild::Note(note)) = notes.recv() {
            if note.0.is_empty() {
                break;
            }
            child::tell_parent(FromChild::Note(note));
        }
        Ok(Vec::new())
    }
);
entry!(
    SIGNAL = |_| {
        // Writing to a pipe without a reader is an error.
        let (reader, mut writer) = std::io::pipe().map_err(|error| error.to_string())?;
        drop(reader);
        let wrote = std::io::Write::write(&mut writer, b"x");
        Ok(format!("{:?}", wrote.map_err(|error| error.kind())).into_bytes())
    }
);

entry!(
    FORK = |_| {
        fork();
        Ok(Vec::new())
    }
);
entry!(
    FORK_AND_STAY = |_| {
        fork();
        loop {
            thread::park();
        }
    }
);

/// Makes a copy that only waits for its end, and tells the parent of it.
fn fork() {
    // SAFETY: the copy does nothing that needs another thread or a lock.
    unsafe {
        let copy = libc::fork();
        if copy == 0 {
            loop {
                libc::pause();
            }
        }
        child::tell_parent(FromChild::Note(Blob(copy.to_le_bytes().to_vec())));
    }
}

entry!(
    LEAVE = |folder| {
        let script = "while [ ! -e go ]; do sleep 0.01; done; echo still here >&2; mkdir survived";
        let mut program = Command::new("sh");
        program.args(["-c", script]).current_dir(&*String::from_utf8_lossy(folder));
        program.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        program.spawn().map_err(|error| error.to_string())?;
        Ok(Vec::new())
    }
);

fn start(
    entry: &'static Entry,
    arguments: &[u8],
) -> std::io::Result<(Arc<Launched>, mpsc::Receiver<ChildNews>)> {
    let (launched, hearing) = launch(std::process::Stdio::null())?;
    let arguments = Blob(arguments.to_vec());
    let passport = Passport { name: "child".to_owned(), ..Passport::default() };
    let (shared, ends) = (None, Ends::none());
    let start = Start {
        entry: entry.id(),
        arguments,
        stack: None,
        passport,
        shared,
        #[cfg(feature = "hosts")]
        stream: None,
        ends,
    };
    assert!(launched.tell(ToChild::Start(Box::new(start))));
    let (send, news) = mpsc::channel();
    thread::spawn(move || hearing.for_each(|heard| drop(send.send(heard))));
    Ok((Arc::new(launched), news))
}

/// Returns the result of a child, and how it has ended.
fn ended(news: &mpsc::Receiver<ChildNews>) -> (Vec<u8>, Exit) {
    match outcome(news) {
        (Some(Ended::Returned(Blob(result))), exit) => (result, exit),
        other => panic!("{other:?}"),
    }
}

fn outcome(news: &mpsc::Receiver<ChildNews>) -> (Option<Ended>, Exit) {
    let mut ended = None;
    for news in news {
        match news {
            ChildNews::Note(_) => {}
            ChildNews::Ended(how) => ended = Some(how),
            ChildNews::Exited(exit) => return (ended, exit),
        }
    }
    panic!("a child is always heard of to its end");
}

fn run(entry: &'static Entry, arguments: &[u8]) -> (Option<Ended>, Exit) {
    let (_child, news) = start(entry, arguments).expect("a child");
    outcome(&news)
}

fn pid(news: &mpsc::Receiver<ChildNews>) -> u32 {
    match news.recv() {
        Ok(ChildNews::Note(pid)) => u32::from_le_bytes(pid.0.try_into().expect("a number")),
        other => panic!("{other:?}"),
    }
}

fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_function_runs_in_a_child_and_its_result_comes_back() {
    let (ended, exit) = run(&REVERSE, b"abc");
    assert_eq!(ended, Some(Ended::Returned(Blob(b"cba".to_vec()))));
    assert!(exit.status.expect("it is ours").success());
}

#[test]
fn a_large_result_comes_back_whole() {
    let large: Vec<u8> = (0..10_000_000u32).map(|n| n as u8).collect();
    let (ended, _) = run(&REVERSE, &large);
    assert!(ended == Some(Ended::Returned(Blob(large.into_iter().rev().collect()))));
}

#[test]
fn a_panic_is_told_with_its_text() {
    let (ended, exit) = run(&PANIC, b"out of luck");
    assert_eq!(ended, Some(Ended::Panicked("out of luck".to_owned())));
    assert!(exit.last_words.contains("out of luck"));
}

#[test]
fn an_exit_and_an_abort_are_told_apart_from_an_end() {
    let (ended, exit) = run(&EXIT, &[7]);
    assert_eq!((ended, exit.status.and_then(|how| how.code())), (None, Some(7)));
    let (ended, exit) = run(&ABORT, &[]);
    assert_eq!((ended, exit.status.and_then(|how| how.signal())), (None, Some(6)));
    assert!(exit.last_words.contains("famous last words"));
}

#[test]
fn a_killed_child_is_noticed() {
    let (child, news) = start(&STAY, &[]).expect("a child");
    let pid = pid(&news);
    child.kill();
    let (ended, exit) = outcome(&news);
    assert_eq!((ended, exit.status.and_then(|how| how.signal())), (None, Some(9)));
    assert!(!fs::exists(format!("/proc/{pid}")).expect("proc"), "no zombie stays");
}

#[test]
fn a_child_ends_with_its_parent() {
    let (child, news) = start(&HAVE_A_CHILD, &[]).expect("a child");
    let grandchild = pid(&news);
    assert!(is_running(grandchild));
    child.kill();
    outcome(&news);
    let began = Instant::now();
    while is_running(grandchild) {
        assert!(began.elapsed() < Duration::from_secs(300), "an orphan stays");
        thread::yield_now();
    }
}

#[test]
fn a_child_gets_the_arguments_of_the_program() {
    let mine: Vec<String> = env::args().collect();
    let (ended, _) = run(&ARGUMENTS, &[]);
    assert_eq!(ended, Some(Ended::Returned(Blob(mine.join("\n").into_bytes()))));
}

#[test]
fn the_function_has_a_thread_of_its_own() {
    let (ended, _) = run(&THREAD, &[]);
    assert_eq!(ended, Some(Ended::Returned(Blob(b"child".to_vec()))));
}

#[test]
fn a_broken_pipe_is_an_error_in_a_child() {
    let (ended, _) = run(&SIGNAL, &[]);
    assert_eq!(ended, Some(Ended::Returned(Blob(b"Err(BrokenPipe)".to_vec()))));
}

#[test]
fn nesting_without_end_ends() {
    let (ended, _) = run(&DEPTH, &[]);
    let Some(Ended::Returned(Blob(text))) = ended else { panic!("{ended:?}") };
    assert!(String::from_utf8_lossy(&text).contains("16 deep"));
}

#[test]
fn notes_go_both_ways() {
    let (child, news) = start(&ECHO, &[]).expect("a child");
    assert!(matches!(news.recv(), Ok(ChildNews::Note(_))), "it listens");
    for n in 1..100u8 {
        child.tell(ToChild::Note(Blob(vec![n])));
        assert!(matches!(news.recv(), Ok(ChildNews::Note(note)) if note.0 == [n]));
    }
    child.tell(ToChild::Note(Blob(Vec::new())));
    assert!(ended(&news).1.status.expect("it is ours").success());
}

#[test]
fn the_end_of_a_child_is_told_though_a_copy_of_it_lives() {
    for killed in [false, true] {
        let entry = if killed { &FORK_AND_STAY } else { &FORK };
        let (child, news) = start(entry, &[]).expect("a child");
        let copy = pid(&news);
        if killed {
            child.kill();
        }
        let (ended, exit) = outcome(&news);
        assert!(is_running(copy), "it keeps all that its original had open");
        let status = exit.status.expect("it is ours");
        match killed {
            false => assert_eq!(
                (ended, status.code()),
                (Some(Ended::Returned(Blob(Vec::new()))), Some(0))
            ),
            true => assert_eq!((ended, status.signal()), (None, Some(9))),
        }
        kill(copy);
    }
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid as i32).expect("a number");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it lives");
}

#[test]
fn a_program_that_a_child_leaves_behind_may_still_write_to_standard_error() {
    let folder = Folder::new("csp-leaves");
    let path = folder.0.to_str().expect("text");
    let (ended, _) = run(&LEAVE, path.as_bytes());
    assert_eq!(ended, Some(Ended::Returned(Blob(Vec::new()))));
    fs::create_dir(folder.0.join("go")).expect("a folder");
    let began = Instant::now();
    while !folder.0.join("survived").exists() {
        assert!(began.elapsed() < Duration::from_secs(300), "it was killed by a signal");
        thread::yield_now();
    }
}

#[test]
#[ignore = "run by the next one"]
fn alone_and_not_told_of_the_end_of_children() {
    // SAFETY: this program has no handler for the signal, and nobody else waits for children.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    for _ in 0..10 {
        assert_eq!(run(&REVERSE, b"ab").0, Some(Ended::Returned(Blob(b"ba".to_vec()))));
        let (ended, exit) = run(&ABORT, &[]);
        assert_eq!((ended, exit.status), (None, None));
        let text = exit.to_string();
        assert!(text.contains("status is lost") && text.contains("famous last words"), "{text}");
    }
}

#[test]
fn where_somebody_else_gets_the_status_of_a_child_that_is_said_with_its_last_words() {
    alone(&this(), "alone_and_not_told_of_the_end_of_children", |_| ());
}

/// A generic function, by the address of its entry.
#[test]
fn an_instance_of_a_generic_function_runs_in_a_child() {
    struct Size<T>(T);
    impl<T: 'static> Size<T> {
        const ENTRY: &'static Entry =
            &Entry::new("size", hash("T"), std::any::type_name::<T>, |_| {
                Ok(vec![size_of::<T>() as u8])
            });
    }
    assert_eq!(run(Size::<u16>::ENTRY, &[]).0, Some(Ended::Returned(Blob(vec![2]))));
    assert_eq!(run(Size::<u64>::ENTRY, &[]).0, Some(Ended::Returned(Blob(vec![8]))));
}

#[test]
fn a_child_that_never_answers_is_an_error() {
    let silent = |name: &'static str| {
        move |_: &Call| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", name]).stderr(std::process::Stdio::piped());
            command
        }
    };
    for (script, expected) in
        [("exit 3", "exit status: 3"), ("echo oh no >&2; kill -9 $$", "oh no")]
    {
        let started = launch_with(silent(script), None);
        let error = started.err().expect("no child").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn many_children_at_once() {
    let children: Vec<_> = (0..60u8).map(|n| start(&REVERSE, &[n, 0]).expect("a child")).collect();
    for (n, (_child, news)) in (0..60u8).zip(&children) {
        assert_eq!(ended(news).0, [0, n]);
    }
}

/// Runs an ignored test of this module in a process of its own.
fn alone(exe: &Path, test: &str, changed: impl FnOnce(&mut Command)) {
    let module = module_path!().split_once("::").expect("a crate").1;
    let mut command = Command::new(exe);
    command.args([&format!("{module}::{test}"), "--exact", "--ignored"]);
    changed(&mut command);
    let output = command.output().expect("this test again");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn this() -> PathBuf {
    env::current_exe().expect("this test")
}

/// An empty folder, for as long as it is held.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("{name}{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
#[ignore = "run by the next one"]
fn alone_with_a_long_name_of_the_temporary_folder() {
    assert!(env::temp_dir().as_os_str().len() > 107);
    let (ended, _) = run(&REVERSE, b"ab");
    assert_eq!(ended, Some(Ended::Returned(Blob(b"ba".to_vec()))));
    assert_eq!(fs::read_dir(env::temp_dir()).expect("the folder").count(), 0);
}

#[test]
fn a_long_name_of_the_temporary_folder_does_no_harm() {
    let folder = Folder::new(&"x".repeat(150));
    alone(&this(), "alone_with_a_long_name_of_the_temporary_folder", |command| {
        command.env("TMPDIR", &folder.0);
    });
}

#[test]
#[ignore = "run by the next one"]
fn alone_without_a_file() {
    fs::remove_file(env::var_os("CSP_TEST_EXE").expect("by the next one")).expect("a file");
    let (ended, _) = run(&REVERSE, b"ab");
    assert_eq!(ended, Some(Ended::Returned(Blob(b"ba".to_vec()))));
}

#[test]
fn an_executable_that_is_deleted_meanwhile_still_has_children() {
    let folder = Folder::new("csp-deleted");
    let exe = folder.0.join("copy");
    // Another process copies it: a child that another test forks at that moment would keep the copy
    // open for writing.
    assert!(Command::new("cp").arg(this()).arg(&exe).status().expect("a copy").success());
    alone(&exe, "alone_without_a_file", |command| {
        command.env("CSP_TEST_EXE", &exe);
    });
}

#[test]
#[ignore = "run by the next one"]
fn alone_with_many_children() {
    let open = || fs::read_dir("/proc/self/fd").expect("proc").count();
    let threads = || fs::read_dir("/proc/self/task").expect("proc").count();
    // The reaper and its bell stay.
    run(&REVERSE, b"");
    let settle = |what: &dyn Fn() -> usize, expected| {
        let began = Instant::now();
        while what() > expected {
            assert!(began.elapsed() < Duration::from_secs(300), "{} for {expected}", what());
            thread::yield_now();
        }
    };
    let (before, threads_before) = (open(), threads());
    for round in 0..40u8 {
        let (child, news) = start(&REVERSE, &[round]).expect("a child");
        if round % 2 == 0 {
            child.kill();
        }
        outcome(&news);
    }
    settle(&open, before);
    settle(&threads, threads_before);
    assert_eq!(fs::read_dir(env::temp_dir()).expect("the folder").count(), 0);
}

#[test]
fn nothing_is_left_of_children_that_have_ended() {
    let folder = Folder::new("csp-left");
    alone(&this(), "alone_with_many_children", |command| {
        command.env("TMPDIR", &folder.0);
    });
}
