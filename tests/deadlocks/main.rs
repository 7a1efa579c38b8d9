//! Networks with known verdicts: deadlocks that must be found and named, and networks free of deadlock, in which none
//! must be found, run again and again with delays by chance while the watch looks all the time.
//!
//! Each runs in an OS process of its own, this program started again, on each backend. `CSP_ROUNDS` sets how often
//! those free of deadlock run. Arguments are words; what has one of them in its name is run.

mod alive;
mod classic;
#[cfg(feature = "subprocess")]
mod everywhere;
mod futures;
mod goker;
mod partial;
mod snapshots;

use csp::{process, try_parallel};
use csp_tests::{Placement, Random, rounds, seed};
use std::cell::RefCell;
use std::io::Read as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A network, and what is to be said of it.
struct Case {
    name: &'static str,
    run: fn(&Placement),
    verdict: Verdict,
    /// Its processes may be OS processes.
    everywhere: bool,
}

enum Verdict {
    /// A deadlock of exactly these, by their own names; who only waits for their ends is not mentioned.
    Deadlock(&'static [&'static str]),
    /// None, however often it runs.
    Clean,
    /// None; once is enough.
    CleanOnce,
}

/// These wait for one another.
const fn deadlock(name: &'static str, run: fn(&Placement), among: &'static [&'static str]) -> Case {
    Case { name, run, verdict: Verdict::Deadlock(among), everywhere: false }
}

/// Free of deadlock.
const fn clean(name: &'static str, run: fn(&Placement)) -> Case {
    Case { name, run, verdict: Verdict::Clean, everywhere: false }
}

/// Free of deadlock, and slow.
const fn clean_once(name: &'static str, run: fn(&Placement)) -> Case {
    Case { name, run, verdict: Verdict::CleanOnce, everywhere: false }
}

/// Also as OS processes, and mixed.
const fn everywhere(case: Case) -> Case {
    Case { everywhere: true, ..case }
}

fn cases() -> impl Iterator<Item = &'static Case> {
    #[cfg(feature = "subprocess")]
    let everywhere = everywhere::CASES;
    #[cfg(not(feature = "subprocess"))]
    let everywhere: &[Case] = &[];
    let here = [snapshots::CASES, classic::CASES, partial::CASES, alive::CASES, goker::CASES];
    here.into_iter().chain([futures::CASES, everywhere]).flatten()
}

fn placements() -> Vec<(&'static str, Placement)> {
    let mut placements = Vec::new();
    if cfg!(feature = "coroutines") {
        placements.push(("coroutines", Placement::coroutines()));
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
    // Most of the time they wait.
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

/// Runs a network in a process of its own, and judges what that says.
fn check(case: &Case, backend: &str) -> Result<(), String> {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--child", case.name, backend]).env("RUST_BACKTRACE", "0");
    if !matches!(case.verdict, Verdict::Deadlock(_)) {
        // Looks all the time.
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

/// The network itself, with its placement.
#[process]
fn network(run: fn(&Placement), placement: Placement) {
    run(&placement);
}

/// In the process of its own: prints what became of the network.
fn run(name: &str, backend: &str) -> ExitCode {
    let case = cases().find(|case| case.name == name).expect("a network of that name");
    let (_, placement) =
        placements().into_iter().find(|(name, _)| *name == backend).expect("a backend");
    let rounds = match case.verdict {
        Verdict::Clean => placement.rounds(20),
        Verdict::Deadlock(_) | Verdict::CleanOnce => 1,
    };
    for round in 0..rounds {
        CHANCE.set(seed().wrapping_mul(1_000_003).wrapping_add(round));
        let root = network(case.run, placement.clone()).stack(256 << 10);
        // What it is to run is nothing that could be sent.
        let root = if placement.has_os_processes() { root } else { placement.place(root) };
        if let Err(failure) = try_parallel!(root) {
            let Some(deadlock) = failure.deadlock() else {
                println!("{failure}");
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

/// Where each thread begins its chance.
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

/// Delays a process by chance: not at all, by a turn of the others, or by up to a millisecond.
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
