//! Blocking bugs of Go programs: the kernels of GoKer (Yuan et al., GoBench, CGO 2021) that concern channels, or
//! channels and contexts. They are written anew from their descriptions. The library finds and names each mistake. The
//! fixed version is free of deadlock.
//!
//! Many of them leak in Go: the goroutine that should have read or written has returned, and another waits for ever. Here
//! an end that is dropped retires its channel, so the waiting process would get the end. To keep the mistake, the object that
//! owned the end keeps it: that is `network` here. A context is a channel that carries no values and
//! retires when it is cancelled.

use super::{Case, clean, dawdle, deadlock};
use csp::{Channel, Reader, Writer, alt, parallel, pri_alt, process, spawn};
use csp_tests::Placement;
use std::time::Duration;

macro_rules! kernels {
    ($($kernel:ident [$($among:literal),*];)*) => {
        pub(crate) const CASES: &[Case] = &[$(
            deadlock(
                concat!("goker_", stringify!($kernel)),
                |backend| $kernel(backend, false),
                &[$($among),*],
            ),
            clean(
                concat!("goker_", stringify!($kernel), "_fixed"),
                |backend| $kernel(backend, true),
            ),
        )*];
    };
}

kernels! {
    // These kernels concern channels.
    cockroach_2448 ["raft", "store"];
    cockroach_24808 ["compactor"];
    cockroach_25456 ["consistency_queue"];
    cockroach_35073 ["producer[0]", "producer[1]"];
    cockroach_35931 ["canceller", "processor"];
    etcd_6857 ["asks_for_status"];
    grpc_660 ["worker", "worker"];
    grpc_1275 ["closes_stream", "reads_stream"];
    grpc_1424 ["notify"];
    istio_17860 ["run_wait[0]", "run_wait[1]"];
    kubernetes_5316 ["request"];
    kubernetes_38669 ["cache_watcher"];
    kubernetes_70277 ["poller"];
    moby_4395 ["go"];
    moby_21233 ["transfer", "watch"];
    moby_33293 ["attach"];
    syncthing_5795 ["closer", "committer", "dispatcher"];
    // These kernels concern channels and contexts.
    cockroach_10790 ["begin_commands[0]", "begin_commands[1]"];
    cockroach_13197 ["await_done"];
    cockroach_13755 ["rows_await_done"];
    cockroach_18101 ["split_and_scatter"];
    grpc_862 ["reset_transport"];
    istio_18454 ["on_change", "timer"];
    kubernetes_25331 ["watch_channel"];
    moby_33781 ["probe"];
}

/// The Raft loop offers events, and takes callbacks only between two of them.
#[process]
fn raft(events: Writer<u32>, callbacks: Reader<u32>, fixed: bool) -> csp::Result {
    events.write(1)?;
    dawdle();
    if !fixed {
        events.write(2)?;
        callbacks.read()?;
        return Ok(());
    }
    let (mut sent, mut called) = (false, false);
    while !(sent && called) {
        alt! {
            if !sent, events.write(2) => sent = true,
            if !called, _ = callbacks.read() => called = true,
        }?;
    }
    Ok(())
}

#[process]
fn store(events: Reader<u32>, callbacks: Writer<u32>) -> csp::Result {
    let change = events.read()?;
    dawdle();
    callbacks.write(change)?;
    events.read()?;
    Ok(())
}

fn cockroach_2448(backend: &Placement, fixed: bool) {
    let (events, callbacks) = (Channel::new().named("events"), Channel::new().named("callbacks"));
    let _ = parallel!(
        backend.place(raft(events.writer(), callbacks.reader(), fixed)),
        backend.place(store(events.reader(), callbacks.writer())),
    );
}

/// Wakes itself at the start, over a channel that may already hold a suggestion.
#[process]
fn compactor(wake: Reader<()>, own: Writer<()>, fixed: bool) -> csp::Result {
    if fixed {
        pri_alt! { own.write(()) => (), skip => () }?;
    } else {
        own.write(())?;
    }
    wake.read()
}

fn cockroach_24808(backend: &Placement, fixed: bool) {
    let suggestions = Channel::buffered(1).named("suggestions");
    let suggest = suggestions.writer();
    suggest.write(()).unwrap();
    let _ = parallel!(backend.place(compactor(suggestions.reader(), suggestions.writer(), fixed)));
}

/// Waits until the store drains, though the store drains only after this wait.
#[process]
fn consistency_queue(draining: Reader<()>, stop: Writer<()>, fixed: bool) -> csp::Result<bool> {
    let drains = if fixed {
        pri_alt! { _ = draining.read() => true, skip => false }?
    } else {
        draining.read()?;
        true
    };
    pri_alt! { stop.write(()) => (), skip => () }?;
    Ok(drains)
}

fn cockroach_25456(backend: &Placement, fixed: bool) {
    let quiesce = Channel::new().named("quiesce");
    let queue = consistency_queue(quiesce.reader(), quiesce.writer(), fixed);
    let _ = parallel!(backend.place(queue));
}

#[process]
fn producer(rows: Writer<u32>) -> csp::Result {
    for row in 0..10 {
        dawdle();
        rows.write(row)?;
    }
    Ok(())
}

/// Fails at its start.
#[process]
fn outbox(rows: Reader<u32>) -> Result<(), &'static str> {
    dawdle();
    drop(rows);
    Err("no connection")
}

fn cockroach_35073(backend: &Placement, fixed: bool) {
    let rows = Channel::buffered(4).named("rows");
    // After its failure the outbox does not end its side of the row channel.
    let _left_open = (!fixed).then(|| rows.reader());
    let outbox = backend.place(outbox(rows.reader()));
    let producers = backend.replicas(2, producer(rows.writer()));
    drop(rows);
    let (_, ended) = parallel!(outbox, producers);
    assert!(ended.iter().all(Result::is_err));
}

/// Reads from the right until there is a value, then from the left.
#[process]
fn processor(left: Reader<u32>, right: Reader<u32>) -> csp::Result {
    right.read()?;
    left.read()?;
    Ok(())
}

/// Tells one stream after the other that the flow is cancelled.
#[process]
fn canceller(left: Writer<u32>, right: Writer<u32>, fixed: bool) -> csp::Result {
    if !fixed {
        left.write(0)?;
        return Ok(right.write(0)?);
    }
    let (mut first, mut second) = (false, false);
    while !(first && second) {
        alt! {
            if !first, left.write(0) => first = true,
            if !second, right.write(0) => second = true,
        }?;
    }
    Ok(())
}

fn cockroach_35931(backend: &Placement, fixed: bool) {
    let (left, right) = (Channel::buffered(1).named("left"), Channel::buffered(1).named("right"));
    let full = left.writer();
    full.write(1).unwrap();
    let _ = parallel!(
        backend.place(processor(left.reader(), right.reader())),
        backend.place(canceller(left.writer(), right.writer(), fixed)),
    );
}

/// Stops, so no process serves the node's requests any more.
#[process]
fn node(stop: Reader<()>, status: Reader<u32>, _done: Writer<()>) -> csp::Result {
    alt! {
        _ = stop.read() => (),
        _ = status.read() => (),
    }
}

#[process]
fn asks_for_status(status: Writer<u32>, done: Reader<()>, fixed: bool) -> csp::Result {
    dawdle();
    if fixed {
        return alt! { status.write(1) => (), retired(done) => () };
    }
    // It comes too late.
    alt! { retired(done) => () }?;
    Ok(status.write(1)?)
}

fn etcd_6857(backend: &Placement, fixed: bool) {
    let (stop, status, done) = (Channel::new(), Channel::new().named("status"), Channel::new());
    let _of_the_node = status.reader();
    let all = spawn(vec![
        backend.place(node(stop.reader(), status.reader(), done.writer()).erased()),
        backend.place(asks_for_status(status.writer(), done.reader(), fixed).erased()),
    ]);
    drop(done);
    let _ = stop.writer().write(());
    for process in all {
        let _ = process.join();
    }
}

/// Reports that it is done, but the benchmark ends before it has read all reports.
#[process]
fn worker(done: Writer<u32>) -> csp::Result {
    dawdle();
    Ok(done.write(1)?)
}

fn grpc_660(backend: &Placement, fixed: bool) {
    let (stop, done) =
        (Channel::<()>::new(), Channel::buffered(if fixed { 3 } else { 0 }).named("done"));
    let finished = done.reader();
    // Chance decides which worker is read, so they have no numbers.
    let workers = spawn((0..3).map(|_| backend.place(worker(done.writer()))).collect::<Vec<_>>());
    finished.read().unwrap();
    drop(stop);
    for worker in workers {
        let _ = worker.join();
    }
}

#[process]
fn reads_stream(
    received: Reader<u8>,
    closed: Reader<()>,
    _done: Writer<()>,
    fixed: bool,
) -> csp::Result {
    if fixed {
        return alt! { _ = received.read() => (), retired(closed) => () };
    }
    received.read()?;
    Ok(())
}

/// Closes the stream without telling its reader, and then waits for that reader.
#[process]
fn closes_stream(_stream: Writer<u8>, close: Writer<()>, done: Reader<()>) -> csp::Result {
    dawdle();
    close.retire();
    alt! { retired(done) => () }
}

fn grpc_1275(backend: &Placement, fixed: bool) {
    let (stream, close, done) = (Channel::new().named("stream"), Channel::new(), Channel::new());
    let _ = parallel!(
        backend.place(reads_stream(stream.reader(), close.reader(), done.writer(), fixed)),
        backend.place(closes_stream(stream.writer(), close.writer(), done.reader())),
    );
}

/// Leaves its loop without telling the processes that wait for it.
#[process]
fn balancer_watcher(addresses: Reader<u8>, done: Writer<()>, fixed: bool) -> csp::Result {
    let time_is_up = alt! {
        _ = addresses.read() => false,
        after(Duration::from_micros(200)) => true,
    }?;
    if time_is_up && !fixed {
        return Ok(());
    }
    Ok(done.write(())?)
}

#[process]
fn notify(done: Reader<()>, _addresses: Writer<u8>) -> csp::Result {
    done.read()
}

fn grpc_1424(backend: &Placement, fixed: bool) {
    let (addresses, done) = (Channel::new(), Channel::new().named("done"));
    let _of_the_connection = done.writer();
    let _ = parallel!(
        backend.place(balancer_watcher(addresses.reader(), done.writer(), fixed)),
        backend.place(notify(done.reader(), addresses.writer())),
    );
}

/// Reports the status. Each restart has such a process, but the agent reads from one only.
#[process]
fn run_wait(status: Writer<u32>, epoch: u32) -> csp::Result {
    dawdle();
    Ok(status.write(epoch)?)
}

fn istio_17860(backend: &Placement, fixed: bool) {
    let status = Channel::buffered(if fixed { 3 } else { 0 }).named("status");
    let statuses = status.reader();
    let epochs = |n| backend.place(run_wait(status.writer(), n).named(format!("run_wait[{n}]")));
    let waits = spawn(vec![epochs(0), epochs(1)]);
    if fixed {
        for _ in 0..2 {
            statuses.read().unwrap();
        }
    }
    for wait in waits {
        let _ = wait.join();
    }
}

#[process]
fn request(result: Writer<u32>, wanted: Reader<()>) -> csp::Result {
    // The request takes longer than the caller waits.
    alt! { retired(wanted) => () }?;
    Ok(result.write(1)?)
}

/// Gives the request up after a while, and never reads its result.
fn kubernetes_5316(backend: &Placement, fixed: bool) {
    let result = Channel::buffered(usize::from(fixed)).named("result");
    let (from, wanted) = (result.reader(), Channel::new());
    let (wants, is_wanted) = (wanted.writer(), wanted.reader());
    drop(wanted);
    let request = spawn(backend.place(request(result.writer(), is_wanted)));
    let _ = alt! {
        _ = from.read() => (),
        after(Duration::from_micros(100)) => (),
    };
    wants.retire();
    let _ = request.join();
}

#[process]
fn cache_watcher(results: Writer<u32>, done: Reader<()>, fixed: bool) -> csp::Result {
    for event in 0..4 {
        if fixed {
            let stop = alt! { results.write(event) => false, retired(done) => true }?;
            if stop {
                break;
            }
        } else {
            results.write(event)?;
        }
    }
    Ok(())
}

/// Stops a server that no longer takes results, and so stops the watcher in vain.
fn kubernetes_38669(backend: &Placement, fixed: bool) {
    let (results, stop) = (Channel::buffered(2).named("results"), Channel::new());
    let from = results.reader();
    let (done, stopper) = (stop.reader(), stop.writer());
    drop(stop);
    let watcher = spawn(backend.place(cache_watcher(results.writer(), done, fixed)));
    from.read().unwrap();
    stopper.retire();
    let _ = watcher.join();
}

/// Ticks for its listener, until it is done.
#[process]
fn poller(ticks: Writer<()>, done: Reader<()>) -> csp::Result {
    loop {
        let over = alt! { ticks.write(()) => false, retired(done) => true }?;
        if over {
            return Ok(());
        }
    }
}

fn kubernetes_70277(backend: &Placement, fixed: bool) {
    let (ticks, done) = (Channel::new().named("ticks"), Channel::new().named("done"));
    let tick = ticks.reader();
    let (of_poller, mut ours) = (done.reader(), Some(done.writer()));
    drop(done);
    let poller = spawn(backend.place(poller(ticks.writer(), of_poller)));
    for _ in 0..3 {
        tick.read().unwrap();
    }
    if fixed {
        ours = None;
    }
    let _ = poller.join();
    drop(ours);
}

/// Runs a task, and gives its error to the process that asks.
#[process]
fn go(errors: Writer<&'static str>) -> csp::Result {
    dawdle();
    Ok(errors.write("it failed")?)
}

fn moby_4395(backend: &Placement, fixed: bool) {
    let errors = Channel::buffered(usize::from(fixed)).named("errors");
    // No process asks.
    let _errors = errors.reader();
    let _ = parallel!(backend.place(go(errors.writer())));
}

/// Reports its progress to a watcher that has given up the test.
#[process]
fn transfer(progress: Writer<u32>, _running: Writer<()>) -> csp::Result {
    for part in 0..5 {
        progress.write(part)?;
    }
    Ok(())
}

#[process]
fn watch(progress: Reader<u32>, running: Reader<()>, fixed: bool) -> csp::Result {
    for part in 0..5 {
        let seen = progress.read()?;
        assert_eq!(seen, part);
        if part == 2 && !fixed {
            break;
        }
    }
    alt! { retired(running) => () }
}

fn moby_21233(backend: &Placement, fixed: bool) {
    let (progress, running) = (Channel::new().named("progress"), Channel::new());
    let _ = parallel!(
        backend.place(transfer(progress.writer(), running.writer())),
        backend.place(watch(progress.reader(), running.reader(), fixed)),
    );
}

/// Reports its outcome, though the start has failed for another reason.
#[process]
fn attach(errors: Writer<&'static str>) -> csp::Result {
    dawdle();
    Ok(errors.write("detached")?)
}

fn moby_33293(backend: &Placement, fixed: bool) {
    let errors = Channel::buffered(usize::from(fixed)).named("errors");
    let from = errors.reader();
    let attach = spawn(backend.place(attach(errors.writer())));
    let start: Result<(), &str> = Err("no such container");
    if start.is_ok() {
        from.read().unwrap();
    }
    let _ = attach.join();
}

/// Calls the receiver of configurations, which waits until the configuration is committed.
#[process]
fn dispatcher(
    commit: Writer<u32>,
    committed: Reader<()>,
    _loop: Writer<()>,
    fixed: bool,
) -> csp::Result {
    commit.write(1)?;
    if fixed {
        return Ok(()); // the commit goes on without it
    }
    committed.read()
}

/// Closes the connections as a part of a commit, and waits until they are closed.
#[process]
fn committer(
    commits: Reader<u32>,
    committed: Writer<()>,
    close: Writer<()>,
    closed: Reader<()>,
    fixed: bool,
) -> csp::Result {
    commits.read()?;
    close.write(())?;
    closed.read()?;
    if fixed {
        return Ok(());
    }
    Ok(committed.write(())?)
}

/// Waits for the end of the dispatcher's loop.
#[process]
fn closer(close: Reader<()>, closed: Writer<()>, dispatcher: Reader<()>) -> csp::Result {
    close.read()?;
    alt! { retired(dispatcher) => () }?;
    Ok(closed.write(())?)
}

fn syncthing_5795(backend: &Placement, fixed: bool) {
    let (commits, committed) = (Channel::new().named("commits"), Channel::new().named("committed"));
    let (close, closed) = (Channel::new().named("close"), Channel::new().named("closed"));
    let running = Channel::new().named("dispatcher loop");
    let (_, ended, _) = parallel!(
        backend.place(dispatcher(commits.writer(), committed.reader(), running.writer(), fixed)),
        backend.place(committer(
            commits.reader(),
            committed.writer(),
            close.writer(),
            closed.reader(),
            fixed
        )),
        backend.place(closer(close.reader(), closed.writer(), running.reader())),
    );
    assert_eq!(ended, Ok(()));
}

/// Begins each command, until the channel `done` ends.
#[process]
fn begin_commands(done: Reader<()>, context: Reader<()>, fixed: bool) -> csp::Result {
    if fixed {
        return alt! { _ = done.read() => (), retired(context) => () };
    }
    done.read()
}

fn cockroach_10790(backend: &Placement, fixed: bool) {
    let (commands, context) = (3 * Channel::new().named("command"), Channel::new());
    let of_replica: Vec<_> = commands.iter().map(Channel::writer).collect();
    let waits = |n: usize| {
        let begin = begin_commands(commands[n].reader(), context.reader(), fixed);
        backend.place(begin.named(format!("begin_commands[{n}]")))
    };
    let (first, rest) = (waits(2), vec![waits(0), waits(1)]);
    let cancel = context.writer();
    drop(context);
    let (first, rest) = (spawn(first), spawn(rest));
    of_replica[2].write(()).unwrap();
    first.join().unwrap();
    // The commands are cancelled, and their channels are not drained.
    cancel.retire();
    for wait in rest {
        let _ = wait.join();
    }
}

/// Waits for the end of the transaction's context.
#[process]
fn await_done(context: Reader<()>) -> csp::Result {
    alt! { retired(context) => () }
}

type Waits = fn(Reader<()>) -> csp::Process<(Reader<()>,), csp::Result>;

fn waits_for_context(backend: &Placement, fixed: bool, waits: Waits) {
    let context = Channel::new().named("context");
    let mut cancel = Some(context.writer());
    let waiting = spawn(backend.place(waits(context.reader())));
    drop(context);
    dawdle();
    if fixed {
        cancel = None;
    }
    let _ = waiting.join();
    drop(cancel);
}

fn cockroach_13197(backend: &Placement, fixed: bool) {
    waits_for_context(backend, fixed, await_done);
}

/// Waits for the end of a context. The rows of its query are not closed, so the context is not cancelled.
#[process]
fn rows_await_done(rows: Reader<()>) -> csp::Result {
    alt! { retired(rows) => () }
}

fn cockroach_13755(backend: &Placement, fixed: bool) {
    waits_for_context(backend, fixed, rows_await_done);
}

/// Splits and scatters. A cancel stops the importer, but not this process.
#[process]
fn split_and_scatter(ready: Writer<u32>, context: Reader<()>, fixed: bool) -> csp::Result {
    for span in 0..5 {
        if fixed {
            let stop = alt! { ready.write(span) => false, retired(context) => true }?;
            if stop {
                break;
            }
        } else {
            ready.write(span)?;
        }
    }
    Ok(())
}

fn cockroach_18101(backend: &Placement, fixed: bool) {
    let (ready, context) = (Channel::new().named("ready"), Channel::new());
    let (imports, cancel) = (ready.reader(), context.writer());
    let scatters = spawn(backend.place(split_and_scatter(ready.writer(), context.reader(), fixed)));
    drop(context);
    imports.read().unwrap();
    cancel.retire();
    let _ = scatters.join();
}

/// Goes on connecting until its client is closed. A failed dial forgets to close it.
#[process]
fn reset_transport(context: Reader<()>) -> csp::Result {
    alt! { retired(context) => () }
}

fn grpc_862(backend: &Placement, fixed: bool) {
    waits_for_context(backend, fixed, reset_transport);
}

/// Stops the timer and drains its tick, but the tick has been taken already.
#[process]
fn timer(tick: Reader<()>, changes: Reader<u32>, fixed: bool) -> csp::Result {
    tick.read()?;
    dawdle();
    if fixed {
        pri_alt! { _ = tick.read() => (), skip => () }?;
    } else {
        tick.read()?;
    }
    changes.read()?;
    Ok(())
}

#[process]
fn on_change(tick: Writer<()>, changes: Writer<u32>) -> csp::Result {
    tick.write(())?;
    dawdle();
    changes.write(1)?;
    Ok(())
}

fn istio_18454(backend: &Placement, fixed: bool) {
    let (tick, changes) = (Channel::new().named("tick"), Channel::new().named("changes"));
    let _ = parallel!(
        backend.place(timer(tick.reader(), changes.reader(), fixed)),
        backend.place(on_change(tick.writer(), changes.writer())),
    );
}

/// Passes on the error that it reads, though no process takes results any more.
#[process]
fn watch_channel(
    errors: Reader<&'static str>,
    results: Writer<&'static str>,
    context: Reader<()>,
    fixed: bool,
) -> csp::Result {
    let error = errors.read()?;
    if fixed {
        return alt! { results.write(error) => (), retired(context) => () };
    }
    Ok(results.write(error)?)
}

fn kubernetes_25331(backend: &Placement, fixed: bool) {
    let (errors, results, context) =
        (Channel::new(), Channel::new().named("results"), Channel::new());
    let (_results, cancel) = (results.reader(), context.writer());
    let run = watch_channel(errors.reader(), results.writer(), context.reader(), fixed);
    drop(context);
    let run = spawn(backend.place(run));
    errors.writer().write("watch failed").unwrap();
    cancel.retire();
    let _ = run.join();
}

/// Writes the result of a probe, but the monitor stops in the middle and does not take it.
#[process]
fn probe(result: Writer<bool>) -> csp::Result {
    csp::sleep(Duration::from_micros(300));
    Ok(result.write(true)?)
}

fn moby_33781(backend: &Placement, fixed: bool) {
    let (result, stop) =
        (Channel::buffered(usize::from(fixed)).named("result"), Channel::<()>::new());
    let (results, stopped) = (result.reader(), stop.reader());
    drop(stop);
    let probe = spawn(backend.place(probe(result.writer())));
    let _ = alt! {
        _ = results.read() => (),
        retired(stopped) => (),
    };
    let _ = probe.join();
}
