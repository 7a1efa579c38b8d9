//! Schedulers on several cores: who runs where, how many cores there are, and who says so.
//!
//! The number of cores holds for a whole program, so each test runs in an OS process of its own.

#[cfg(target_os = "linux")]
use std::io::{PipeReader, Read as _, Write as _};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use csp::{Backend, Channel, Reader, Stop, StopToken, Writer, parallel, process, spawn};

/// Runs the test of this name again in an OS process of its own, with this number of cores. Returns what it has said.
fn output(name: &str, cores: &str) -> Output {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args([name, "--exact", "--nocapture"]).env("CSP_ALONE", "yes").env("CSP_CORES", cores);
    child.env("RUST_BACKTRACE", "0").output().expect("this program again")
}

/// Runs a test in an OS process of its own.
fn alone(name: &str, cores: &str, test: fn()) {
    if std::env::var_os("CSP_ALONE").is_some() {
        return csp_tests::watched("alone", test);
    }
    let Output { status, stdout, stderr } = output(name, cores);
    let said = String::from_utf8_lossy(&stdout);
    assert!(status.success(), "{said}\n{}", String::from_utf8_lossy(&stderr));
    assert!(said.contains("1 passed"), "{name} did not run:\n{said}");
}

/// Keeps its thread until this many processes are there at once.
fn meet(there: &AtomicUsize, all: usize) -> ThreadId {
    there.fetch_add(1, Ordering::SeqCst);
    while there.load(Ordering::SeqCst) < all {
        thread::yield_now();
    }
    thread::current().id()
}

static THERE: AtomicUsize = AtomicUsize::new(0);

#[process]
fn meets(all: usize) -> ThreadId {
    meet(&THERE, all)
}

fn different(mut threads: Vec<ThreadId>) -> usize {
    threads.sort_by_key(|thread| format!("{thread:?}"));
    threads.dedup();
    threads.len()
}

#[test]
fn replicas_are_dealt_out_to_all_cores() {
    alone("replicas_are_dealt_out_to_all_cores", "4", || {
        let (threads,) = parallel!(4 * meets(4).on(Backend::Cores));
        assert_eq!(different(threads), 4);
    });
}

#[test]
fn single_processes_go_where_the_fewest_are() {
    alone("single_processes_go_where_the_fewest_are", "4", || {
        let one = || meets(4).on(Backend::Cores);
        let (a, b, c, d) = parallel!(one(), one(), one(), one());
        assert_eq!(different(vec![a, b, c, d]), 4);
    });
}

#[process(on = cores)]
fn is_placed() -> ThreadId {
    meet(&THERE, 2)
}

#[test]
fn a_function_asks_for_all_cores() {
    alone("a_function_asks_for_all_cores", "2", || {
        let (threads,) = parallel!(2 * is_placed());
        assert_eq!(different(threads), 2);
    });
}

#[process(on = cores)]
async fn awaits(out: Writer<ThreadId>) -> csp::Result {
    out.write_async(meet(&THERE, 3)).await?;
    Ok(())
}

#[process]
fn collects(input: Reader<ThreadId>) -> Vec<ThreadId> {
    input.iter().collect()
}

#[test]
fn futures_are_dealt_out_too() {
    alone("futures_are_dealt_out_too", "3", || {
        let threads = Channel::new();
        let (_, threads) = parallel!(3 * awaits(threads.writer()), collects(threads.reader()));
        assert_eq!(different(threads), 3);
    });
}

#[test]
fn a_process_that_has_not_started_leaves_a_busy_scheduler() {
    // On one core nobody sees that another is busy.
    if thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        alone("a_process_that_has_not_started_leaves_a_busy_scheduler", "2", || {
            let (one, other) = parallel!(meets(2), meets(2));
            assert_ne!(one, other);
        });
    }
}

#[test]
fn replicas_that_have_not_started_leave_a_busy_scheduler() {
    if thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        alone("replicas_that_have_not_started_leave_a_busy_scheduler", "2", || {
            let (threads,) = parallel!(2 * meets(2));
            assert_eq!(different(threads), 2);
        });
    }
}

/// Ends in the turn in which it begins, after a time in which another core could have taken it.
#[process]
fn is_brief(all: usize) -> ThreadId {
    static BRIEF: AtomicUsize = AtomicUsize::new(0);
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(1) {
        std::hint::spin_loop();
    }
    if all == 1 { thread::current().id() } else { meet(&BRIEF, all) }
}

#[test]
fn known_processes_reach_every_core_after_an_idle_time() {
    // The threads need no core of their own, because they only have to be there at once.
    alone("known_processes_reach_every_core_after_an_idle_time", "8", || {
        for _ in 0..4 {
            parallel!(is_brief(1), is_brief(1));
        }
        csp::sleep(Duration::from_secs(1));
        let (threads,) = parallel!(64 * is_brief(8));
        assert!(different(threads) >= 8);
        let all: Vec<_> = (0..64).map(|_| is_brief(1)).collect();
        assert_eq!(parallel!(all).0.len(), 64);
    });
}

#[process]
fn where_am_i() -> ThreadId {
    thread::current().id()
}

#[process(daemon, on = cores)]
fn serves(requests: Reader<Writer<ThreadId>>) -> csp::Result {
    loop {
        requests.read()?.write(thread::current().id())?;
    }
}

#[test]
fn a_daemon_stays_with_its_parent() {
    alone("a_daemon_stays_with_its_parent", "4", || {
        let (requests, answers) = (Channel::new(), Channel::new());
        for _ in 0..4 {
            drop(spawn(serves(requests.reader())));
        }
        let (request, answer) = (requests.writer(), answers.reader());
        let asks = answers.writer();
        for _ in 0..8 {
            request.write(asks.clone()).unwrap();
            assert_eq!(answer.read(), Ok(thread::current().id()));
        }
    });
}

#[test]
fn on_coroutine_is_beside_the_parent() {
    alone("on_coroutine_is_beside_the_parent", "4", || {
        let (threads,) = parallel!(100 * where_am_i().on(Backend::Coroutine));
        assert_eq!(threads, vec![thread::current().id(); 100]);
    });
}

#[test]
fn with_one_core_all_is_on_one_thread() {
    alone("with_one_core_all_is_on_one_thread", "1", || {
        let (placed, others) = parallel!(100 * where_am_i().on(Backend::Cores), 100 * where_am_i());
        assert!(placed.iter().chain(&others).all(|there| *there == thread::current().id()));
    });
}

/// Returns how many values it has read. It begins when three such processes are there, each on a thread of its own.
#[process]
fn counts(values: Reader<usize>) -> usize {
    meet(&THERE, 3);
    values.iter().count()
}

#[process]
fn feeds(values: Writer<usize>, busy: Stop) -> csp::Result {
    meet(&THERE, 3);
    for value in 0..3_000 {
        values.write(value)?;
    }
    busy.stop();
    Ok(())
}

/// Keeps its thread for a while whenever it has the token.
#[process]
fn keeps_its_thread(token: Reader<()>, next: Writer<()>, until: StopToken) -> csp::Result {
    while !until.is_stopped() {
        token.read()?;
        let since = Instant::now();
        while since.elapsed() < Duration::from_micros(20) {
            std::hint::spin_loop();
        }
        next.write(())?;
    }
    Ok(())
}

#[process(on = cores)]
fn reads_beside_busy_processes(values: Reader<usize>, until: StopToken) -> usize {
    let (a, b) = (Channel::buffered(1), Channel::buffered(1));
    a.writer().write(()).unwrap();
    let one = keeps_its_thread(a.reader(), b.writer(), until.clone()).on(Backend::Coroutine);
    let other = keeps_its_thread(b.reader(), a.writer(), until).on(Backend::Coroutine);
    drop((a, b));
    parallel!(counts(values).on(Backend::Coroutine), one, other).0
}

#[test]
fn a_reader_on_a_busy_scheduler_gets_some_of_many_values() {
    alone("a_reader_on_a_busy_scheduler_gets_some_of_many_values", "3", || {
        let (values, stop) = (Channel::new(), Stop::new());
        let until = stop.token();
        let busy = reads_beside_busy_processes(values.reader(), until);
        let idle = counts(values.reader()).on(Backend::Cores);
        let writer = feeds(values.writer(), stop).on(Backend::Cores);
        drop(values);
        let (busy, idle, end) = parallel!(busy, idle, writer);
        assert_eq!(end, Ok(()));
        assert_eq!(busy + idle, 3_000);
        assert!(busy > 0, "none of 3,000 values");
    });
}

static HELD: AtomicBool = AtomicBool::new(false);
static LET_GO: AtomicBool = AtomicBool::new(false);

/// Keeps its thread until it is let go, once the others of that thread read.
#[process(on = coroutine)]
fn holds_its_thread(others: Reader<()>) {
    others.iter().for_each(drop);
    HELD.store(true, Ordering::SeqCst);
    while !LET_GO.load(Ordering::SeqCst) {
        thread::yield_now();
    }
}

#[process(on = coroutine)]
fn reads_all(values: Reader<usize>, there: Writer<()>) -> csp::Result<usize> {
    there.write(())?;
    drop(there);
    Ok(values.iter().count())
}

/// Lets more readers wait than there are values, and then keeps their thread, if that is another one.
#[process(on = cores)]
fn readers_of_a_busy_thread(values: Reader<usize>, other: ThreadId) -> usize {
    if thread::current().id() == other {
        return 0;
    }
    let there = Channel::new();
    let holds = holds_its_thread(there.reader());
    let (read, ()) = parallel!(12 * reads_all(values, there.writer()), holds);
    read.into_iter().map(|read| read.expect("somebody counts it")).sum()
}

#[process(on = coroutine)]
fn writes_when_the_thread_is_busy(values: Writer<usize>) -> csp::Result {
    while !HELD.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    (0..10).try_for_each(|value| values.write(value).map_err(Into::into))
}

#[process(on = coroutine)]
fn reads_late(values: Reader<usize>) -> csp::Result<usize> {
    let value = values.read();
    LET_GO.store(true, Ordering::SeqCst);
    value
}

#[test]
fn a_reader_that_comes_later_gets_what_a_busy_scheduler_cannot_take() {
    alone("a_reader_that_comes_later_gets_what_a_busy_scheduler_cannot_take", "2", || {
        let values = Channel::new();
        let here = thread::current().id();
        // One of the two is on the other thread.
        let readers = || readers_of_a_busy_thread(values.reader(), here);
        let writer = writes_when_the_thread_is_busy(values.writer());
        let (one, other, end, late) =
            parallel!(readers(), readers(), writer, reads_late(values.reader()));
        assert_eq!((one + other, end), (9, Ok(())));
        late.expect("not all values are for the readers that came first");
    });
}

#[process(on = cores)]
fn starts_others() -> usize {
    let (threads,) = parallel!(4 * meets(4).on(Backend::Cores));
    different(threads)
}

#[test]
fn a_process_that_was_dealt_out_deals_out_others() {
    alone("a_process_that_was_dealt_out_deals_out_others", "4", || {
        let (_, threads) = parallel!(where_am_i(), starts_others());
        assert_eq!(threads, 4);
    });
}

#[process]
fn is_looked_at(input: Reader<()>) {
    let _ = input.read();
}

/// Returns the network while both processes wait, one on each of two schedulers if there are two.
fn two_that_wait() -> csp::report::Network {
    let channel = Channel::new();
    let writer = channel.writer();
    let waiting = spawn(is_looked_at(channel.reader()).on(Backend::Coroutine));
    let placed = (2 * is_looked_at(channel.reader()).on(Backend::Cores)).into_iter().map(spawn);
    let placed: Vec<_> = placed.collect();
    let waits = |process: &&csp::report::ProcessState| {
        let is_blocked = matches!(process.state(), csp::report::State::Blocked(_));
        process.path().contains("is_looked_at") && is_blocked
    };
    let network = loop {
        let network = csp::network();
        if network.processes().iter().filter(waits).count() == 3 {
            break network;
        }
        csp::sleep(Duration::from_millis(1));
    };
    drop(writer);
    drop(channel);
    placed.into_iter().chain([waiting]).for_each(|it| it.join());
    network
}

#[test]
fn the_network_shows_on_which_scheduler_a_process_is() {
    alone("the_network_shows_on_which_scheduler_a_process_is", "2", || {
        let network = two_that_wait();
        let mut numbers: Vec<_> =
            network.processes().iter().filter_map(|process| process.scheduler()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert!(numbers.len() > 1, "{numbers:?}: {network}");
        let (text, json) = (network.to_string(), network.json());
        let (dot, mermaid) = (network.dot(), network.mermaid());
        for number in &numbers {
            assert!(text.contains(&format!(" on scheduler {number}")), "{text}");
            assert!(json.contains(&format!(r#""scheduler":{number},"#)), "{json}");
            assert!(dot.contains(&format!("subgraph cluster_{number} {{")), "{dot}");
            let frame = format!("subgraph s{number}[\"scheduler {number}\"]");
            assert!(mermaid.contains(&frame), "{mermaid}");
        }
        assert_eq!(mermaid.matches("\n    end\n").count(), numbers.len(), "{mermaid}");
    });
}

#[test]
fn the_network_of_one_scheduler_shows_none() {
    alone("the_network_of_one_scheduler_shows_none", "1", || {
        let network = two_that_wait();
        assert!(network.processes().iter().all(|process| process.scheduler().is_none()));
        for shown in [network.to_string(), network.json(), network.dot(), network.mermaid()] {
            assert!(!shown.contains("scheduler") && !shown.contains("subgraph"), "{shown}");
        }
    });
}

#[process(on = cores)]
fn panics(all: usize) {
    meet(&THERE, all);
    panic!("on purpose");
}

#[test]
fn a_panic_on_another_core_is_raised_where_it_is_waited_for() {
    alone("a_panic_on_another_core_is_raised_where_it_is_waited_for", "2", || {
        let failure = csp::try_parallel!(2 * panics(2)).unwrap_err();
        assert!(failure.to_string().contains("panics["), "{failure}");
        assert!(failure.message().contains("on purpose"), "{failure:#}");
    });
}

#[test]
fn the_number_of_cores_is_set_before_the_first_process() {
    assert!(csp::cores(0).unwrap_err().to_string().contains("at least one core"));
    alone("the_number_of_cores_is_set_before_the_first_process", "3", || {
        csp::cores(1).expect("no process has started");
        // The environment wins.
        let (threads,) = parallel!(3 * meets(3).on(Backend::Cores));
        assert_eq!(different(threads), 3);
        assert!(csp::cores(2).unwrap_err().to_string().contains("before the first process"));
    });
}

#[test]
fn a_wrong_number_of_cores_names_the_variable() {
    if std::env::var_os("CSP_ALONE").is_some() {
        assert!(csp::cores(1).unwrap_err().to_string().contains("CSP_CORES"));
        return csp_tests::watched("a wrong number", || {
            // The reason is that of each process, however it starts. Nobody waits for one that did not start.
            for started in spawn([where_am_i(), where_am_i().on(Backend::Cores)]) {
                let failure = started.try_join().unwrap_err();
                assert!(failure.message().contains("CSP_CORES="), "{failure:#}");
            }
            parallel!(where_am_i());
            unreachable!("there is no such number");
        });
    }
    for wrong in ["0", "some", "-1", "1.5", ""] {
        let output = output("a_wrong_number_of_cores_names_the_variable", wrong);
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{wrong}: {said}");
        let wanted = format!("CSP_CORES={wrong}: it is the number of cores to use");
        assert!(said.contains(&wanted), "{said}");
    }
}

#[cfg(feature = "subprocess")]
#[csp::multiprocess]
fn cores_there() -> String {
    std::env::var("CSP_CORES").unwrap_or_default()
}

#[cfg(feature = "subprocess")]
#[test]
fn os_processes_share_the_cores() {
    alone("os_processes_share_the_cores", "8", || {
        assert_eq!(parallel!(4 * cores_there()).0, ["2"; 4]);
        assert_eq!(parallel!(cores_there()).0, "8");
        assert_eq!(parallel!(9 * cores_there()).0, ["1"; 9]);
    });
}

#[csp::test]
fn a_test_uses_one_core() {
    let (placed, others) = parallel!(8 * where_am_i().on(Backend::Cores), 8 * where_am_i());
    assert!(placed.iter().chain(&others).all(|there| *there == thread::current().id()));
}

#[csp::test(cores = 2)]
fn a_test_uses_as_many_cores_as_it_asks_for() {
    static TWO: AtomicUsize = AtomicUsize::new(0);
    #[process(on = cores)]
    fn meets() -> ThreadId {
        meet(&TWO, 2)
    }
    // The environment may say that there is one.
    if thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        let (threads,) = parallel!(2 * meets());
        assert_eq!(different(threads), 2);
    }
}

/// A process that keeps its thread at work until so many are there. A thread that only yields would not look busy.
#[process]
fn works_until_there_are(all: usize) -> ThreadId {
    static WORKING: AtomicUsize = AtomicUsize::new(0);
    WORKING.fetch_add(1, Ordering::SeqCst);
    while WORKING.load(Ordering::SeqCst) < all {
        std::hint::spin_loop();
    }
    thread::current().id()
}

#[test]
#[cfg_attr(csp_tsan, ignore = "the sanitizer makes the workers too slow to judge who is busy")]
fn a_burst_after_a_rest_wakes_all_cores() {
    if thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        alone("a_burst_after_a_rest_wakes_all_cores", "8", || {
            let (threads,) = parallel!(8 * meets(8).on(Backend::Cores));
            assert_eq!(different(threads), 8);
            thread::sleep(Duration::from_secs(1));
            let (threads,) = parallel!(64 * works_until_there_are(8));
            // The ninth is the thread that has started them, when it waits and a worker takes its place.
            assert!(matches!(different(threads), 8..=9));
        });
    }
}

/// Returns the CPU time that this OS process has used.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes a time.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The time for which a network rests, and the CPU time that it may use then. One worker that looked for work now and then would use
/// more than that: it looks for 60 µs, and naps for at most 2 ms.
#[cfg(target_os = "linux")]
const REST: (Duration, Duration) = (Duration::from_secs(3), Duration::from_millis(40));

/// Rests, and checks how much CPU time that took.
#[cfg(target_os = "linux")]
fn rest() {
    let before = cpu_time();
    thread::sleep(REST.0);
    let used = cpu_time() - before;
    println!("{used:?} of CPU time in {:?}", REST.0);
    assert!(used < REST.1, "{used:?} of CPU time in {:?}", REST.0);
}

#[cfg(target_os = "linux")]
#[test]
fn cores_without_a_network_use_no_cpu() {
    alone("cores_without_a_network_use_no_cpu", "8", || {
        let (threads,) = parallel!(8 * meets(8).on(Backend::Cores));
        assert_eq!(different(threads), 8);
        rest();
    });
}

#[cfg(target_os = "linux")]
#[process(on = cores)]
fn reads_input(mut input: PipeReader, output: Writer<u8>) -> csp::Result {
    let mut byte = [0];
    csp::io(|| input.read_exact(&mut byte)).expect("a byte");
    output.write(byte[0])?;
    Ok(())
}

#[cfg(target_os = "linux")]
#[process(on = cores)]
fn waits_for_it(input: Reader<u8>) -> (u8, ThreadId) {
    meet(&THERE, 8);
    (input.read().expect("a byte"), thread::current().id())
}

#[cfg(target_os = "linux")]
#[test]
fn a_network_that_waits_for_input_uses_no_cpu() {
    alone("a_network_that_waits_for_input_uses_no_cpu", "8", || {
        let (input, mut output) = std::io::pipe().expect("a pipe");
        let types = thread::spawn(move || {
            while THERE.load(Ordering::SeqCst) < 8 {
                thread::yield_now();
            }
            rest();
            output.write_all(&[7]).expect("it is read");
        });
        let bytes = Channel::new();
        let (_, got) =
            parallel!(reads_input(input, bytes.writer()), waits_for_one_of(8, bytes.reader()));
        types.join().expect("it rests");
        assert_eq!(got, 7);
    });
}

/// Starts so many that wait, and gives one of them what comes.
#[cfg(target_os = "linux")]
#[process]
fn waits_for_one_of(all: usize, input: Reader<u8>) -> u8 {
    let channel = Channel::new();
    let (_, got) =
        parallel!(hands_out(all, input, channel.writer()), all * waits_for_it(channel.reader()));
    let (bytes, threads): (Vec<u8>, Vec<ThreadId>) = got.into_iter().unzip();
    assert_eq!(different(threads), all);
    assert!(bytes.iter().all(|byte| *byte == bytes[0]));
    bytes[0]
}

#[cfg(target_os = "linux")]
#[process]
fn hands_out(all: usize, input: Reader<u8>, output: Writer<u8>) -> csp::Result {
    let byte = input.read()?;
    for _ in 0..all {
        output.write(byte)?;
    }
    Ok(())
}

/// Doubles what comes. Tokio's timer wakes it in between, on the thread on which it was dealt out.
#[process(on = cores)]
async fn doubles(
    input: Reader<u64>,
    output: Writer<u64>,
    tokio: tokio::runtime::Handle,
) -> csp::Result<ThreadId> {
    let here = meet(&THERE, 4);
    while let Ok(value) = input.read_async().await {
        let timer = {
            let _entered = tokio.enter();
            tokio::time::sleep(Duration::from_micros(10))
        };
        timer.await;
        assert_eq!(thread::current().id(), here);
        output.write_async(2 * value).await?;
    }
    Ok(here)
}

/// Returns whether it is inside a runtime of tokio's.
#[process]
fn is_inside() -> bool {
    tokio::runtime::Handle::try_current().is_ok()
}

#[test]
fn tasks_of_tokio_talk_to_processes_on_all_cores() {
    alone("tasks_of_tokio_talk_to_processes_on_all_cores", "4", || {
        let mut tokio = tokio::runtime::Builder::new_multi_thread();
        let tokio = tokio.worker_threads(2).enable_all().build().expect("a runtime");
        let (to, from) = (Channel::new(), Channel::new());
        let (mut sink, mut stream) = (to.writer().sink(), from.reader().stream());
        let writes = tokio.spawn(async move {
            for n in 0..400 {
                sink.send(n).await.expect("it is read");
            }
        });
        let reads = tokio.spawn(async move {
            let mut sum = 0;
            while let Some(value) = stream.next().await {
                sum += value.expect("nobody poisons");
            }
            sum
        });
        let (input, output, handle) = (to.reader(), from.writer(), tokio.handle().clone());
        drop((to, from));
        // A thread of tokio's starts the network. A process that stays beside it is inside the runtime.
        let network = tokio.spawn_blocking(move || {
            let beside = is_inside().on(Backend::Coroutine);
            let (threads, beside) = parallel!(4 * doubles(input, output, handle), beside);
            assert!(beside);
            threads.into_iter().map(|thread| thread.expect("nobody poisons")).collect()
        });
        let (threads, sum) = tokio.block_on(async {
            writes.await.expect("it writes all");
            (network.await.expect("it ends"), reads.await.expect("it reads all"))
        });
        assert_eq!(different(threads), 4);
        assert_eq!(sum, 2 * (0..400).sum::<u64>());
    });
}

/// Passes values on until its input ends, and returns how that was.
#[process]
fn passes_round(input: Reader<u32>, output: Writer<u32>, starts: u32) -> csp::Result {
    // Each writes so many values that the next one reads, and then all wait for one more.
    for _ in 0..starts {
        output.write(0)?;
        input.read()?;
    }
    input.read()?;
    output.write(1)?;
    Ok(())
}

/// Reads first, so that it fits between two of the above.
#[process]
fn passes_back(input: Reader<u32>, output: Writer<u32>, starts: u32) -> csp::Result {
    for _ in 0..starts {
        input.read()?;
        output.write(0)?;
    }
    input.read()?;
    output.write(1)?;
    Ok(())
}

/// The part of some rings on one scheduler: every other process of each.
#[process(on = cores)]
fn half(rings: Vec<Vec<(Reader<u32>, Writer<u32>)>>, starts: Vec<u32>, first: bool) {
    meet(&THERE, 2);
    let mut all = Vec::new();
    for (number, (ring, starts)) in rings.into_iter().zip(starts).enumerate() {
        for (place, (input, output)) in ring.into_iter().enumerate() {
            let process = match first {
                true => passes_round(input, output, starts).named(format!("a-{number}-{place}")),
                false => passes_back(input, output, starts).named(format!("b-{number}-{place}")),
            };
            all.push(spawn(process.on(Backend::Coroutine)));
        }
    }
    for process in all {
        let deadlock = match process.try_join() {
            Ok(ended) => match ended.expect_err("nobody writes first").poison().unwrap().cause() {
                csp::Cause::Deadlock(deadlock) => deadlock.clone(),
                other => panic!("{other:?}"),
            },
            Err(failure) => failure.deadlock().expect("it is in a deadlock").clone(),
        };
        assert!(!deadlock.to_string().contains("scheduler"), "{deadlock}");
        let names = deadlock.paths().map(|path| path.rsplit('/').next().unwrap_or(path).to_owned());
        NAMED.lock().unwrap().extend(names.filter(|name| name.contains('-')));
    }
}

static NAMED: std::sync::Mutex<std::collections::BTreeSet<String>> =
    std::sync::Mutex::new(std::collections::BTreeSet::new());

#[test]
fn deadlocks_over_two_schedulers_are_all_named() {
    alone("deadlocks_over_two_schedulers_are_all_named", "2", || {
        let mut random = csp_tests::Random::seeded(csp_tests::seed());
        for _ in 0..10 {
            THERE.store(0, Ordering::SeqCst);
            NAMED.lock().unwrap().clear();
            let (mut firsts, mut seconds, mut starts) = (Vec::new(), Vec::new(), Vec::new());
            let rings = 1 + random.below(4);
            let mut count = 0;
            for _ in 0..rings {
                // A ring of an even number of processes, so that its neighbours are on different schedulers.
                let all = 2 + 2 * random.below(3);
                let channels: Vec<_> = (0..all).map(|_| Channel::new()).collect();
                let ends = |n: usize| (channels[n].reader(), channels[(n + 1) % all].writer());
                firsts.push((0..all).step_by(2).map(ends).collect::<Vec<_>>());
                seconds.push((1..all).step_by(2).map(ends).collect::<Vec<_>>());
                starts.push(random.below(20) as u32);
                count += all;
            }
            parallel!(half(firsts, starts.clone(), true), half(seconds, starts, false));
            let named = NAMED.lock().unwrap();
            assert_eq!(named.len(), count, "{named:?}");
        }
    });
}

/// Writes to words that the threads of all schedulers share: see `ci/shared.sh`.
#[cfg(csp_count_shared)]
mod shared {
    use super::*;
    use csp::__private::shared_writes;

    #[process]
    fn passes_on(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
        loop {
            output.write(input.read()?)?;
        }
    }

    #[process]
    fn goes_round(output: Writer<u32>, input: Reader<u32>, rounds: u32) -> csp::Result {
        for round in 0..rounds {
            output.write(round)?;
            input.read()?;
        }
        Ok(())
    }

    /// A ring on one scheduler: its processes are beside the one that starts them.
    #[process(on = cores)]
    fn ring(rounds: u32) {
        let [a, b] = [(); 2].map(|()| Channel::new());
        let _ = parallel!(
            goes_round(a.writer(), b.reader(), rounds).on(Backend::Coroutine),
            passes_on(a.reader(), b.writer()).on(Backend::Coroutine),
        );
    }

    #[process]
    fn does_nothing() {}

    /// Returns how many writes `f` makes, after it was called once before.
    fn count(f: impl Fn()) -> u64 {
        f();
        let before = shared_writes();
        f();
        shared_writes() - before
    }

    #[test]
    fn a_communication_writes_to_nothing_that_all_share() {
        alone("shared::a_communication_writes_to_nothing_that_all_share", "4", || {
            // Four rings at once, each on a scheduler, and one on the thread that starts it.
            let placed = count(|| drop(parallel!(4 * ring(50_000))));
            let here = count(|| drop(parallel!(ring(200_000).on(Backend::Coroutine))));
            println!("{placed} and {here} writes in 400,000 communications");
            // Schedulers begin, search and sleep. That does not grow with the communications.
            assert!(placed < 4_000, "{placed} writes");
            assert!(here < 4_000, "{here} writes");
        });
    }

    #[test]
    fn a_start_makes_at_most_one_write_to_what_all_share() {
        alone("shared::a_start_makes_at_most_one_write_to_what_all_share", "4", || {
            let many = count(|| (0..200).for_each(|_| drop(parallel!(100 * does_nothing()))));
            let two = count(|| {
                (0..10_000).for_each(|_| drop(parallel!(does_nothing(), does_nothing())));
            });
            println!("{many} and {two} writes in 20,000 starts");
            assert!(many <= 20_000, "{many} writes");
            assert!(two <= 20_000, "{two} writes");
        });
    }
}
