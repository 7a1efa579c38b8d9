//! The CPU time of an OS process in which nothing happens.

use std::sync::mpsc;
use std::time::Duration;

use super::work::Work;

/// The work that is done before, so that all threads are there.
pub(super) const BEFORE: Work = Work::Jobs { jobs: 64, job: 50, skewed: false };

/// Tells that it reads, and reads a line of input, which never comes.
pub(super) fn input(reads: &mpsc::Sender<()>) {
    let _ = reads.send(());
    std::io::stdin().read_line(&mut String::new()).expect("the input can be read");
}

/// Prints the CPU time, in nanoseconds, and the wake-ups while nothing happens. Then it ends this OS process.
pub(super) fn measure(work: Work) -> ! {
    // To count wake-ups takes CPU time, which must not count.
    let before = wakeups();
    let cpu = cpu_time();
    std::thread::sleep(work.goal());
    let cpu = cpu_time() - cpu;
    // One of them is this thread's own.
    let wakeups = wakeups().saturating_sub(before + 1);
    println!("{} {wakeups}", cpu.as_nanos());
    std::process::exit(0)
}

#[cfg(unix)]
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.try_into().expect("time passes")
}

#[cfg(not(unix))]
fn cpu_time() -> Duration {
    Duration::ZERO
}

/// Returns how often the threads of this OS process have gone to sleep, or 0 if the system does not tell.
fn wakeups() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks
        .filter_map(|task| {
            let status = std::fs::read_to_string(task.path().join("status")).ok()?;
            let line =
                status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line?.trim().parse::<u64>().ok()
        })
        .sum()
}
