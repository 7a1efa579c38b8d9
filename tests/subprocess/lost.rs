//! Hosts that are lost, or cut off for a while. A host is this machine once more: `env` starts a host process. `CSP_CUTS` sets how many
//! networks are cut at random, 2 by default.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use csp::{
    Cause, Channel, Failure, Fate, Hosts, LostHost, Reader, SharedBuf, Termination, Writer,
    multiprocess, parallel, process, spawn, try_parallel,
};
use futures_util::future::join;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use crate::killed::{Random, signal, stop};
use crate::{here, tests};

const TIMEOUT: Duration = Duration::from_secs(1);

fn host() -> Hosts {
    Hosts::command(["env"]).named("node1").peer_timeout(TIMEOUT)
}

/// The numbers of an OS process on a host and of its host process.
pub(crate) type Numbers = (u32, u32);

fn numbers() -> Numbers {
    (here(), std::os::unix::process::parent_id())
}

fn lost_host(failure: &Failure) -> &LostHost {
    match failure.cause() {
        Cause::Lost { host: Some(host), .. } => host,
        other => panic!("{other}"),
    }
}

/// Reads a value, and says where, once its reading stands.
#[multiprocess(on_panic = retire)]
fn reads(jobs: Reader<u64>, told: Writer<Numbers>) -> csp::Result<u64> {
    parallel!(reads_first(jobs, told)).0
}

#[process]
async fn reads_first(jobs: Reader<u64>, told: Writer<Numbers>) -> csp::Result<u64> {
    let (read, told) = join(jobs.read_async(), told.write_async(numbers())).await;
    told?;
    read
}

/// Makes a channel, and so decides about it.
#[multiprocess]
fn makes(gift: Writer<(Numbers, Writer<u64>)>, never: Reader<()>) -> csp::Result {
    let channel = Channel::new().named("made there");
    let reader = channel.reader();
    gift.write((numbers(), channel.writer()))?;
    drop(channel);
    never.read()?;
    reader.read().map(drop)
}

#[multiprocess]
pub(crate) fn stays(told: Writer<Numbers>, never: Reader<()>) -> csp::Result {
    told.write(numbers())?;
    never.read()
}

/// Passes on what it is given.
#[multiprocess(on_panic = retire)]
fn passes_on(told: Writer<u32>, jobs: Reader<u64>, results: Writer<u64>) -> csp::Result {
    told.write(here())?;
    drop(told);
    for job in &jobs {
        results.write(job)?;
    }
    Ok(())
}

#[multiprocess]
fn shared() -> SharedBuf {
    let mut buffer = SharedBuf::new(1_000_000).expect("memory");
    buffer.make_mut().expect("memory")[999_999] = 3;
    buffer
}

/// Gets memory from a host when it has no descriptor left for that, and afterwards. Returns the failure, and the last byte.
#[multiprocess]
fn has_no_descriptors() -> (String, u8) {
    let hosts = host().peer_timeout(Duration::from_secs(10));
    parallel!(shared().at(&hosts));
    let usual = getrlimit(Resource::Nofile);
    let next = fs::File::open("/dev/null").expect("a descriptor").as_raw_fd();
    let (first, others) = (u64::try_from(next).expect("a descriptor"), usual.maximum);
    setrlimit(Resource::Nofile, Rlimit { current: Some(first), maximum: others }).expect("less");
    let refused = try_parallel!(shared().at(&hosts));
    setrlimit(Resource::Nofile, usual).expect("as before");
    let told =
        refused.map_or_else(|failure| failure.message().to_owned(), |_| "it came".to_owned());
    let (buffer,) = parallel!(shared().at(&hosts));
    (told, buffer[999_999])
}

/// Loses a host again and again. Returns how many descriptors and threads this OS process had after the first loss, and how many at last.
#[multiprocess]
fn loses_hosts(times: u32) -> ((usize, usize), (usize, usize)) {
    let count = |folder: &str| fs::read_dir(folder).expect("the system's").count();
    let held = || (count("/proc/self/fd"), count("/proc/self/task"));
    let mut first = None;
    for _ in 0..times {
        let (told, never) = (Channel::new(), Channel::new());
        let staying = spawn(stays(told.writer(), never.reader()).at(&host()));
        let (_, host_process) = told.reader().read().expect("it begins");
        signal(host_process, Signal::KILL);
        assert!(staying.try_join().is_err());
        // The thread of a host ends a little later than its last process.
        let begin = Instant::now();
        let settled = match first {
            None => {
                std::thread::sleep(Duration::from_millis(300));
                held()
            }
            Some(first) => loop {
                let now = held();
                if now == first || begin.elapsed() > Duration::from_secs(60) {
                    break now;
                }
                std::thread::yield_now();
            },
        };
        first.get_or_insert(settled);
        if first != Some(settled) {
            return (first.expect("it was counted"), settled);
        }
    }
    let first = first.expect("it was counted");
    (first, first)
}

#[process]
fn writes(out: Writer<u64>, from: u64, count: u64) -> csp::Result {
    (from..from + count).try_for_each(|job| Ok(out.write(job)?))
}

fn is_there(process: u32) -> bool {
    fs::read_link(format!("/proc/{process}/exe")).is_ok()
}

pub(crate) fn waits_until_gone(processes: &[u32]) {
    while processes.iter().any(|process| is_there(*process)) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A host behind two programs that pass the bytes on, one each way.
struct Relayed {
    hosts: Hosts,
    file: PathBuf,
}

impl Relayed {
    fn new(hosts: impl Fn(Hosts) -> Hosts) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("csp-relay-{}-{}", here(), NEXT.fetch_add(1, Ordering::Relaxed));
        let file = std::env::temp_dir().join(name);
        let relay = r#"sh -c 'echo $$ >>"$0"; exec cat' "$0""#;
        let script = format!(r#"{relay} | "$@" | {relay}"#);
        let command = ["sh", "-c", &script, &file.to_string_lossy()];
        let hosts = hosts(Hosts::command(command).named("behind"));
        Self { hosts, file }
    }

    /// Returns the numbers of both programs.
    fn relays(&self) -> Vec<u32> {
        let text = fs::read_to_string(&self.file).expect("they have begun");
        text.lines().map(|line| line.parse().expect("a number")).collect()
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

tests! {
    fn a_stopped_host_is_lost_and_its_unknown_values_are_counted() {
        let (jobs, told) = (Channel::new().named("jobs"), Channel::new());
        let reading = spawn(reads(jobs.reader(), told.writer()).at(&host()).named("far"));
        let (worker, host_process) = told.reader().read().expect("it begins");
        stop(host_process);
        let began = Instant::now();
        // The worker's reading stands here, so it is given the value.
        jobs.writer().write(7).expect("a reader");
        let failure = reading.try_join().unwrap_err();
        assert!(began.elapsed() >= TIMEOUT, "{failure}");
        assert!(failure.message().contains("its host `node1` is lost"), "{failure}");
        assert!(failure.message().contains("1 value of `jobs`"), "{failure}");
        let host = lost_host(&failure);
        assert_eq!(host.name(), "node1");
        assert!(host.unheard() >= TIMEOUT * 3 / 2, "{host:?}");
        assert_eq!(host.unknown().collect::<Vec<_>>(), [("jobs", 1)]);
        waits_until_gone(&[worker, host_process]);
    }

    fn a_write_to_a_stopped_host_has_an_unknown_fate() {
        let (gift, never) = (Channel::new(), Channel::new());
        let making = spawn(makes(gift.writer(), never.reader()).at(&host()));
        let ((worker, host_process), out) = gift.reader().read().expect("an end");
        stop(host_process);
        let error = out.write(7).unwrap_err();
        assert_eq!(error.fate(), Fate::Unknown, "{error:#}");
        let cause = error.termination.poison().map(csp::Poison::cause);
        let Some(Cause::Lost { host: Some(lost), .. }) = cause else { panic!("{cause:?}") };
        assert_eq!(lost.unknown().collect::<Vec<_>>(), [("made there", 1)]);
        let failure = making.try_join().unwrap_err();
        assert_eq!(lost_host(&failure), lost);
        // The loss is known.
        assert_eq!(out.write(8).unwrap_err().fate(), Fate::Returned);
        waits_until_gone(&[worker, host_process]);
    }

    fn a_killed_worker_leaves_nothing_unknown_and_its_host_goes_on() {
        let hosts = host();
        let (jobs, told) = (Channel::new(), Channel::new());
        let (told_here, tell) = (told.reader(), told.writer());
        let reading = spawn(reads(jobs.reader(), told.writer()).at(&hosts));
        let (worker, host_process) = told_here.read().expect("it begins");
        let (back, out) = (jobs.reader(), jobs.writer());
        stop(worker);
        // The worker's reading stands here, so it is given the value.
        out.write(7).expect("a reader");
        signal(worker, Signal::KILL);
        let failure = reading.try_join().unwrap_err();
        assert!(matches!(failure.cause(), Cause::Lost { host: None, .. }), "{failure}");
        assert!(failure.message().contains("signal: 9"), "{failure}");
        // Nobody has read it, so it went back.
        assert_eq!(back.read(), Ok(7));
        let never = Channel::new();
        let staying = spawn(stays(tell, never.reader()).at(&hosts));
        assert_eq!(told_here.read().expect("it begins").1, host_process);
        drop(never);
        assert_eq!(staying.join(), Err(Termination::Retired));
    }

    fn a_cut_shorter_than_the_peer_timeout_only_delays() {
        let relayed = Relayed::new(|hosts| hosts.peer_timeout(TIMEOUT * 3));
        let (told, jobs, results) = (Channel::new(), Channel::new(), Channel::new());
        let writing = spawn(writes(jobs.writer(), 0, 200).on(csp::Backend::Thread));
        let passing =
            spawn(passes_on(told.writer(), jobs.reader(), results.writer()).at(&relayed.hosts));
        told.reader().read().expect("it begins");
        let results_here = results.reader();
        drop((told, jobs, results));
        let relays = relayed.relays();
        let mut seen = Vec::new();
        for value in &results_here {
            seen.push(value);
            if value % 50 == 10 {
                relays.iter().for_each(|relay| stop(*relay));
                std::thread::sleep(Duration::from_millis(50));
                relays.iter().for_each(|relay| signal(*relay, Signal::CONT));
            }
        }
        assert!(seen.into_iter().eq(0..200));
        assert_eq!((writing.join(), passing.join()), (Ok(()), Ok(())));
    }

    fn a_cut_longer_than_the_peer_timeout_is_told_and_ends_all() {
        let relayed = Relayed::new(|hosts| hosts.peer_timeout(TIMEOUT));
        let (told, never) = (Channel::new(), Channel::new());
        let staying = spawn(stays(told.writer(), never.reader()).at(&relayed.hosts));
        let (worker, host_process) = told.reader().read().expect("it begins");
        let relays = relayed.relays();
        relays.iter().for_each(|relay| stop(*relay));
        let failure = staying.try_join().unwrap_err();
        assert!(failure.message().contains("it was not heard for"), "{failure}");
        assert!(lost_host(&failure).unheard() >= TIMEOUT * 3 / 2, "{failure}");
        waits_until_gone(&[worker, host_process]);
        // The programs of the command are gone, too.
        waits_until_gone(&relays);
    }

    fn a_start_that_fails_late_ends_its_command() {
        // It greets, and then stays for ever without a word.
        let file = std::env::temp_dir().join(format!("csp-late-{}", here()));
        let greets = r#"echo $$ >"$0"; echo; echo 'csp: a host process greets its starter, protocol 1'; exec sleep 600"#;
        let command = ["sh", "-c", greets, &*file.to_string_lossy()];
        let hosts = Hosts::command(command).peer_timeout(Duration::from_millis(100));
        let (told, never) = (Channel::new(), Channel::new());
        let failure = try_parallel!(stays(told.writer(), never.reader()).at(&hosts)).unwrap_err();
        assert!(matches!(failure.cause(), Cause::Unstarted { .. }), "{failure}");
        let command = fs::read_to_string(&file).expect("it has begun").trim().parse();
        let _ = fs::remove_file(&file);
        waits_until_gone(&[command.expect("a number")]);
    }

    fn the_ends_of_a_process_retire_if_it_says_so_and_its_host_is_lost() {
        let (told, jobs, results) = (Channel::new(), Channel::new(), Channel::new());
        let hosts = host();
        let passing =
            spawn(passes_on(told.writer(), jobs.reader(), results.writer()).at(&hosts));
        let never = Channel::new();
        let (said, from) = (Channel::new(), results.reader());
        let staying = spawn(stays(said.writer(), never.reader()).at(&hosts));
        let (_, host_process) = said.reader().read().expect("it begins");
        told.reader().read().expect("it begins");
        // The process goes on as long as there is a writer of jobs.
        let to = jobs.writer();
        to.write(5).expect("a reader");
        assert_eq!(from.read(), Ok(5));
        drop(results);
        signal(host_process, Signal::KILL);
        assert_eq!(from.read(), Err(Termination::Retired));
        assert!(passing.try_join().is_err());
        assert!(staying.try_join().is_err());
        drop(to);
        // The ends of the other process poison.
        let ended = never.writer().write(()).unwrap_err().termination;
        assert!(matches!(ended, Termination::Poisoned(_)), "{ended}");
    }

    fn what_a_command_has_started_ends_with_the_host() {
        let file = std::env::temp_dir().join(format!("csp-left-{}", here()));
        let shell = r#"sleep 600 & echo $! >"$0"; "$@""#;
        let hosts = Hosts::command(["sh", "-c", shell, &*file.to_string_lossy()]);
        let (told, never) = (Channel::new(), Channel::new());
        let staying = spawn(stays(told.writer(), never.reader()).at(&hosts));
        let (worker, host_process) = told.reader().read().expect("it begins");
        let left = fs::read_to_string(&file).expect("a file").trim().parse().expect("a number");
        let _ = fs::remove_file(&file);
        assert!(is_there(left));
        signal(host_process, Signal::KILL);
        assert!(staying.try_join().is_err());
        waits_until_gone(&[worker, left]);
    }

    fn memory_that_no_descriptor_is_left_for_is_told() {
        let (told, later) = parallel!(has_no_descriptors()).0;
        assert!(told.contains("a shared buffer did not come"), "{told}");
        assert_eq!(later, 3);
    }

    fn a_killed_launcher_leaves_the_connection_as_it_is() {
        let shell = r#""$@"; exit 3"#;
        let hosts = Hosts::command(["sh", "-c", shell, "sh"]).named("launched");
        let (told, never) = (Channel::new(), Channel::new());
        let staying = spawn(stays(told.writer(), never.reader()).at(&hosts));
        let (worker, host_process) = told.reader().read().expect("it begins");
        let stat = fs::read_to_string(format!("/proc/{host_process}/stat")).expect("it runs");
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
        let launcher = parent.expect("a parent").parse().expect("a number");
        assert_ne!(launcher, here());
        signal(launcher, Signal::KILL);
        waits_until_gone(&[launcher]);
        drop(never);
        assert_eq!(staying.join(), Err(Termination::Retired));
        let _ = worker;
    }

    fn lost_hosts_leave_no_descriptor_and_no_thread() {
        let (first, last) = parallel!(loses_hosts(4)).0;
        assert_eq!(first, last);
    }

    fn cuts_and_kills_at_random_lose_only_what_is_told_and_double_nothing() {
        const JOBS: u64 = 400;
        let mut random = Random(here().into());
        let runs = std::env::var("CSP_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
        for run in 0..runs {
            let relayed: Vec<Relayed> =
                (0..2).map(|_| Relayed::new(|hosts| hosts.peer_timeout(TIMEOUT * 10))).collect();
            let (told, jobs, results) =
                (Channel::new(), Channel::new().named("jobs"), Channel::new().named("results"));
            let held = (jobs.reader(), results.writer());
            let writing = spawn(writes(jobs.writer(), 0, JOBS).on(csp::Backend::Thread));
            let workers: Vec<_> = [0, 1, 0]
                .map(|at: usize| {
                    let (jobs, results) = (jobs.reader(), results.writer());
                    spawn(passes_on(told.writer(), jobs, results).at(&relayed[at].hosts))
                })
                .into();
            let told_here = told.reader();
            let born: Vec<u32> = (0..3).map(|_| told_here.read().expect("a worker")).collect();
            let results_here = results.reader();
            drop((told, jobs, results));
            let relays: Vec<u32> = relayed.iter().flat_map(Relayed::relays).collect();
            // Cuts come often. In the second run one end of a connection is killed at last.
            let mut seen = BTreeSet::new();
            let mut held = Some(held);
            let mut killed = false;
            for value in &results_here {
                assert!(seen.insert(value), "run {run}: {value} came twice");
                if random.below(20) == 0 {
                    let relay = relays[random.below(4) as usize];
                    signal(relay, Signal::STOP);
                    std::thread::sleep(Duration::from_micros(random.below(3_000)));
                    signal(relay, Signal::CONT);
                }
                if run % 2 == 1 && !killed && value > JOBS / 2 {
                    signal(relays[random.below(2) as usize], Signal::KILL);
                    killed = true;
                }
                if value > JOBS - 10 {
                    held = None;
                }
            }
            drop(held);
            assert_eq!(writing.join(), Ok(()));
            let mut unknown = 0;
            for worker in workers {
                if let Err(failure) = worker.try_join() {
                    assert!(killed, "{failure}");
                    let lost = lost_host(&failure);
                    unknown = unknown.max(lost.unknown().map(|(_, values)| values).sum());
                }
            }
            let missing = JOBS as usize - seen.len();
            println!("{missing} missing, {unknown} unknown");
            // A worker holds one job at a time, and each may have one more on its way.
            assert!(missing <= if killed { 4 } else { 0 }, "{missing}");
            waits_until_gone(&born);
        }
    }
}
