//! Children killed or stopped at any moment. No process hangs, and no value is doubled. No value is lost, except a value that a
//! dead reader had taken. `CSP_CHAOS` sets the number of children, a thousand by default.

use std::collections::HashMap;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use csp::{Alternation, Cause, Channel, Reader, Termination, Writer, multiprocess, process, spawn};
use rustix::process::{Pid, Signal, kill_process};

use crate::{here, tests};

/// Random numbers by SplitMix64 (Steele, Lea, Flood).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

fn how_many() -> u64 {
    std::env::var("CSP_CHAOS").ok().and_then(|n| n.parse().ok()).unwrap_or(1000)
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process");
    // It may have ended by itself.
    let _ = kill_process(pid, signal);
}

/// Stops an OS process, and returns when all its threads have stopped. A signal only asks for that.
pub(crate) fn stop(pid: u32) {
    signal(pid, Signal::STOP);
    let stopped = |task: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with(['T', 'Z', 'X']))
    };
    let all = |tasks: std::fs::ReadDir| tasks.flatten().all(stopped);
    // Where there is no `/proc`, the moment is not known.
    while !std::fs::read_dir(format!("/proc/{pid}/task")).map_or(true, all) {
        std::thread::yield_now();
    }
}

/// Passes jobs on, in one of several ways.
#[multiprocess(on_panic = retire)]
pub(crate) fn worker(
    born: Writer<u32>,
    way: u64,
    jobs: Reader<u64>,
    others: Reader<u64>,
    results: Writer<u64>,
) -> csp::Result {
    born.write(here())?;
    drop(born);
    match way {
        0 => loop {
            results.write(jobs.read()?)?;
        },
        1 => loop {
            let job = jobs.begin()?;
            results.write(*job)?;
        },
        2 => {
            let mut both = Alternation::new();
            both.read(&jobs, |job| job);
            both.read(&others, |job| job);
            loop {
                results.write(both.choose()?)?;
            }
        }
        _ => {
            // It also has a guard at a channel of its own OS process, and one that never fires.
            let (own, never) = (Channel::<u64>::new(), Channel::<u64>::new());
            let (_own, never) = (own.writer(), never.reader());
            let own = own.reader();
            let mut all = Alternation::new();
            all.read(&jobs, |job| job);
            all.read(&own, |job| job);
            all.read(&never, |job| job);
            all.after(Duration::from_secs(3600), || 0);
            all.retired(&jobs, || u64::MAX);
            loop {
                let job = all.choose()?;
                if job == u64::MAX {
                    return Err(Termination::Retired);
                }
                let mut out = Alternation::new();
                out.write(&results, || job, || ());
                out.read(&own, drop);
                out.choose()?;
            }
        }
    }
}

#[process]
fn writes_jobs(out: Writer<u64>, from: u64, stop: Reader<()>) -> u64 {
    let next = std::cell::Cell::new(from);
    let mut all = Alternation::new();
    all.read(&stop, |()| false);
    all.write(&out, || next.get(), || true);
    while all.choose().unwrap_or(false) {
        next.set(next.get() + 1);
    }
    next.get() - from
}

tests! {
    fn nothing_is_lost_or_doubled_when_workers_are_killed() {
        const OTHERS: u64 = 1 << 32;
        let (jobs, others, results) = (Channel::new(), Channel::new(), Channel::new());
        let (born, stop) = (Channel::new(), 2 * Channel::new());
        let writing = [
            spawn(writes_jobs(jobs.writer(), 0, stop[0].reader()).on(csp::Backend::Thread)),
            spawn(writes_jobs(others.writer(), OTHERS, stop[1].reader()).on(csp::Backend::Thread)),
        ];
        // These ends keep the channels alive while all workers are dead.
        let held = (jobs.reader(), others.reader(), results.writer());
        let (sender, got) = mpsc::channel();
        let collecting = thread::spawn({
            let results = results.reader();
            move || results.iter().for_each(|job| sender.send(job).expect("a test"))
        });
        let pids = born.reader();
        let mut random = Random(std::process::id().into());
        let mut killed = 0;
        let mut workers = Vec::new();
        let mut began = 0;
        while began < how_many() {
            let worker = worker(born.writer(), began % 4, jobs.reader(), others.reader(), results.writer());
            workers.push(spawn(worker));
            began += 1;
            if began - killed < 4 {
                continue;
            }
            let pid = pids.read().expect("a worker");
            thread::sleep(Duration::from_micros(random.below(2000)));
            if random.below(5) == 0 {
                signal(pid, Signal::STOP);
                thread::sleep(Duration::from_micros(random.below(3000)));
                signal(pid, Signal::CONT);
                thread::sleep(Duration::from_micros(random.below(1000)));
            }
            signal(pid, Signal::KILL);
            killed += 1;
        }
        for stop in &stop {
            stop.writer().write(()).expect("a writer of jobs");
        }
        let written: Vec<u64> = writing.into_iter().map(csp::Spawned::join).collect();
        drop((jobs, others, results, held));
        for worker in workers {
            // Children that are not killed report their number before they end.
            while !worker.has_ended() {
                let said = csp::pri_alt! { _ = pids.read() => (), after(Duration::from_millis(1)) => () };
                let _ = said;
            }
            let _ = worker.try_join();
        }
        collecting.join().expect("all results");
        let mut seen: HashMap<u64, u32> = HashMap::new();
        got.iter().for_each(|job| *seen.entry(job).or_default() += 1);
        let doubled: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
        assert!(doubled.is_empty(), "{doubled:?}");
        let lost = written.iter().sum::<u64>() - seen.len() as u64;
        println!("{killed} killed, {} passed on, {lost} lost", seen.len());
        // A worker holds one job at a time.
        assert!(lost <= killed, "{lost} lost with {killed} workers");
    }

    fn the_death_of_a_home_ends_all_that_waits_there() {
        #[multiprocess]
        fn home(gifts: Writer<(Reader<u64>, Writer<u64>)>, born: Writer<u32>) -> csp::Result {
            let channel = Channel::new();
            gifts.write((channel.reader(), channel.writer()))?;
            born.write(here())?;
            let reader = channel.reader();
            loop {
                reader.read()?;
            }
        }
        #[multiprocess]
        fn sibling(from: Reader<u64>) -> Option<Termination> {
            while from.read().is_ok() {}
            from.termination()
        }
        let mut random = Random(7);
        for _ in 0..(how_many() / 50).max(1) {
            let (gifts, born) = (Channel::new(), Channel::new());
            let home = spawn(home(gifts.writer(), born.writer()));
            let (reader, writer) = gifts.reader().read().expect("ends");
            let pid = born.reader().read().expect("its number");
            let sibling = spawn(sibling(reader.clone()));
            let writing = thread::spawn(move || {
                (0..).find_map(|n| writer.write(n).err()).expect("it ends").termination
            });
            thread::sleep(Duration::from_micros(random.below(20_000)));
            signal(pid, Signal::KILL);
            let ended = writing.join().expect("a writer");
            let lost = |ended: &Termination| {
                let cause = ended.poison().map(csp::Poison::cause);
                matches!(cause, Some(Cause::Lost { process, .. }) if process.ends_with("home"))
            };
            assert!(lost(&ended), "{ended:#}");
            let told = sibling.join().expect("it ends");
            assert!(lost(&told), "{told}");
            assert!(home.try_join().is_err());
        }
    }
}
