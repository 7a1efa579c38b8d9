//! Networks with known verdicts. Deadlocks must be found and named. In networks free of deadlock none may be found: these run
//! again and again with random delays, while the watch looks all the time.
//!
//! Each network runs on each backend, in an OS process of its own, which is this program started again. `CSP_ROUNDS` sets how
//! often the networks free of deadlock run. Arguments are words, and a network runs if its name contains one of them.

mod alive;
mod classic;
#[cfg(feature = "subprocess")]
mod everywhere;
mod futures;
mod goker;
#[cfg(feature = "hosts")]
mod hosts;
mod methods;
mod partial;
mod snapshots;

use csp::{process, try_parallel};
use csp_tests::{Placement, Random, rounds, seed};
use std::cell::RefCell;
use std::io::Read as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A network, and its expected verdict.
struct Case {
    name: &'static str,
    run: fn(&Placement),
    verdict: Verdict,
    /// True if its processes may be OS processes.
    everywhere: bool,
}

enum Verdict {
    /// A deadlock of exactly these processes, by their own names. A process that only waits for their ends is not mentioned.
    Deadlock(&'static [&'static str]),
    /// No deadlock, in any number of runs.
    Clean,
    /// No deadlock, and one run is enough.
    CleanOnce,
}

/// Makes a case in which these processes wait for one another.
const fn deadlock(name: &'static str, run: fn(&Placement), among: &'static [&'static str]) -> Case {
    Case { name, run, verdict: Verdict::Deadlock(among), everywhere: false }
}

/// Makes a case that is free of deadlock.
const fn clean(name: &'static str, run: fn(&Placement)) -> Case {
    Case { name, run, verdict: Verdict::Clean, everywhere: false }
}

/// Makes a case that is free of deadlock, and slow.
const fn clean_once(name: &'static str, run: fn(&Placement)) -> Case {
    Case { name, run, verdict: Verdict::CleanOnce, everywhere: false }
}

/// Runs a case also as OS processes, and mixed.
const fn everywhere(case: Case) -> Case {
    Case { everywhere: true, ..case }
}

fn cases() -> impl Iterator<Item = &'static Case> {
    #[cfg(feature = "subprocess")]
    let everywhere = everywhere::CASES;
    #[cfg(not(feature = "subprocess"))]
    let everywhere: &[Case] = &[];
    #[cfg(feature = "hosts")]
    let hosts = hosts::CASES;
    #[cfg(not(feature = "hosts"))]
    let hosts: &[Case] = &[];
    let here = [snapshots::CASES, classic::CASES, partial::CASES, alive::CASES, goker::CASES];
    here.into_iter().chain([futures::CASES, methods::CASES, everywhere, hosts]).flatten()
}

fn placements() -> Vec<(&'static str, Placement)> {
    let mut placements = Vec::new();
    if cfg!(feature = "coroutines") {
        placements.push(("coroutines", Placement::coroutines()));
    }
    if cfg!(feature = "cores") {
        placements.push(("cores", Placement::cores()));
        placements.push(("left_to_cores", Placement::left_to_cores()));
    }
    if cfg!(feature = "threads") {
        placements.push(("threads", Placement::threads()));
    }
    if cfg!(all(feature = "coroutines", feature = "threads")) {
        placements.push(("mixed", Placement::mixed()));
    }
    if cfg!(feature = "subprocess") {
        placements.push(("os_processes", Placement::os_processes()));
        placements.push(("all_mixed", Placement::all_mixed()));
    }
    placements
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [child, name, backend] = &arguments[..]
        && child == "--child"
    {
        return run(name, backend);
    }
    let words: Vec<_> = arguments.iter().filter(|word| !word.starts_with("--")).collect();
    let mut chosen = Vec::new();
    for case in cases() {
        for (backend, placement) in placements() {
            if placement.has_os_processes() && !case.everywhere {
                continue;
            }
            let name = format!("{}::{backend}", case.name);
            if words.is_empty() || words.iter().any(|word| name.contains(*word)) {
                chosen.push((case, backend, name));
            }
        }
    }
    if arguments.iter().any(|word| word == "--list") {
        chosen.iter().for_each(|(.., name)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    println!("running {} tests", chosen.len());
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // Most of the time the cases wait.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((case, backend, name)) =
                    chosen.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    match check(case, backend) {
                        Ok(()) => println!("test {name} ... ok"),
                        Err(why) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            println!("test {name} ... FAILED\n{why}");
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {result}. {} passed; {failed} failed", chosen.len() - failed);
    ExitCode::from(u8::from(failed > 0))
}

/// Runs a network in an OS process of its own, and judges its output.
fn check(case: &Case, backend: &str) -> Result<(), String> {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--child", case.name, backend]).env("RUST_BACKTRACE", "0");
    if !matches!(case.verdict, Verdict::Deadlock(_)) {
        // The watch looks all the time.
        child.env("CSP_WATCH", "0.05");
    }
    let mut child = child
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this program again");
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (mut said, mut reported) = (String::new(), String::new());
    let begin = Instant::now();
    let limit = csp_tests::limit() + Duration::from_millis(100) * rounds(1) as u32;
    let status = std::thread::scope(|scope| {
        scope.spawn(|| stdout.read_to_string(&mut said));
        scope.spawn(|| stderr.read_to_string(&mut reported));
        loop {
            match child.try_wait().expect("a child") {
                Some(status) => break status.to_string(),
                None if begin.elapsed() > limit => {
                    child.kill().expect("a child");
                    break format!("{}: it hung", child.wait().expect("a child"));
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    });
    let expected = match case.verdict {
        Verdict::Clean | Verdict::CleanOnce => "ok".to_owned(),
        Verdict::Deadlock(among) => {
            let mut among = among.to_vec();
            among.sort_unstable();
            format!("deadlock of {}", among.join(" "))
        }
    };
    let shouted = reported.matches("csp: deadlock").count();
    let right = said.trim() == expected
        && shouted == usize::from(matches!(case.verdict, Verdict::Deadlock(_)));
    match right {
        true => Ok(()),
        false => Err(format!("expected: {expected}\nsaid: {}, {status}\n{reported}", said.trim())),
    }
}

/// Runs the network itself, with its placement.
#[process]
fn network(run: fn(&Placement), placement: Placement) {
    run(&placement);
}

/// Runs in the OS process of the network, and prints its outcome.
fn run(name: &str, backend: &str) -> ExitCode {
    let case = cases().find(|case| case.name == name).expect("a network of that name");
    let (_, placement) =
        placements().into_iter().find(|(name, _)| *name == backend).expect("a backend");
    if !placement.has_cores() {
        csp::__private::cores_of_this_thread(1);
    }
    let rounds = match case.verdict {
        Verdict::Clean => placement.rounds(20),
        Verdict::Deadlock(_) | Verdict::CleanOnce => 1,
    };
    for round in 0..rounds {
        CHANCE.set(seed().wrapping_mul(1_000_003).wrapping_add(round));
        let root = network(case.run, placement.clone()).stack(256 << 10);
        // The function to run can't be sent to an OS process.
        let root = if placement.has_os_processes() { root } else { placement.place(root) };
        if let Err(failure) = try_parallel!(root) {
            let Some(deadlock) = failure.deadlock() else {
                println!("{failure:#}");
                return ExitCode::FAILURE;
            };
            let waits = |path: &str| path == "main" || path == "main/network";
            let mut names: Vec<_> = deadlock
                .paths()
                .filter(|path| !waits(path))
                .map(|path| path.rsplit('/').next().unwrap_or(path))
                .collect();
            names.sort_unstable();
            println!("deadlock of {}", names.join(" "));
            return ExitCode::SUCCESS;
        }
    }
    println!("ok");
    ExitCode::SUCCESS
}

/// The seed from which each thread begins its random numbers.
static CHANCE: Chance = Chance(std::sync::atomic::AtomicU64::new(0));

struct Chance(std::sync::atomic::AtomicU64);

impl Chance {
    fn set(&self, seed: u64) {
        self.0.store(seed, Ordering::Relaxed);
    }

    fn fork(&self) -> Random {
        Random::seeded(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Delays a process at random: not at all, by a turn of the others, or by up to a millisecond.
fn dawdle() {
    thread_local! {
        static RANDOM: RefCell<Random> = RefCell::new(CHANCE.fork());
    }
    let (what, long) = RANDOM.with_borrow_mut(|random| (random.below(8), random.below(1000)));
    match what {
        0..4 => {}
        4..6 => std::thread::yield_now(),
        6 => csp::sleep(Duration::from_micros(long as u64 / 4)),
        _ => csp::sleep(Duration::from_micros(long as u64)),
    }
}
