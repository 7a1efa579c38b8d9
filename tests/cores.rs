//! Schedulers on several cores: who runs where, how many cores there are, and who says so.
//!
//! The number of cores holds for a whole program, so each test runs in an OS process of its own.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use csp::{Backend, Channel, Reader, Writer, parallel, process, spawn};

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
        parallel!(where_am_i());
        unreachable!("there is no such number");
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
