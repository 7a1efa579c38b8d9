//! Networks that look like deadlocks for a while, until an unseen partner comes. In each network the processes wait
//! long enough for the watch to look at them.

use super::{Case, clean, clean_once};
use csp::{Barrier, Bucket, Channel, Process, Reader, Writer, alt, parallel, process, spawn};
use csp_tests::Placement;
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    clean("alive_in_a_thread", in_a_thread),
    clean("alive_in_a_thread_after_use", in_a_thread_after_use),
    clean("alive_in_a_thread_that_was_there", in_a_thread_that_was_there),
    clean("alive_in_a_scoped_thread", |b| run(b, in_a_scoped_thread)),
    clean("alive_in_a_closure", |b| run(b, in_a_closure)),
    clean("alive_in_a_static", |b| run(b, in_a_static)),
    clean("alive_in_an_arc", |b| run(b, in_an_arc)),
    clean("alive_in_a_mutex", |b| run(b, in_a_mutex)),
    clean("alive_in_a_message", |b| run(b, in_a_message)),
    clean("alive_in_a_buffer", |b| run(b, in_a_buffer)),
    clean("alive_in_a_blocked_write", |b| run(b, in_a_blocked_write)),
    clean("alive_in_an_unstarted_process", |b| run(b, in_an_unstarted_process)),
    clean("alive_in_a_result", |b| run(b, in_a_result)),
    clean("alive_in_a_struct", |b| run(b, in_a_struct)),
    clean("alive_through_a_handle", |b| run(b, through_a_handle)),
    clean("alive_through_a_handle_in_a_registry", |b| run(b, through_a_registry)),
    clean("alive_in_a_sleeper", |b| run(b, in_a_sleeper)),
    clean("alive_in_a_busy_process", |b| run(b, in_a_busy_process)),
    clean("alive_in_a_blocking_call", |b| run(b, in_a_blocking_call)),
    clean("alive_by_poison_from_its_own_side", |b| run(b, by_poison_from_its_own_side)),
    clean("alive_by_retirement", |b| run(b, by_retirement)),
    clean("alive_by_a_timeout", |b| run(b, by_a_timeout)),
    clean("alive_at_a_barrier", |b| run(b, at_a_barrier)),
    clean("alive_in_a_bucket", |b| run(b, in_a_bucket)),
    clean("alive_by_a_daemon", |b| run(b, by_a_daemon)),
    clean("alive_in_a_moved_argument", |b| run(b, in_a_moved_argument)),
    clean("alive_in_an_extended_read", |b| run(b, in_an_extended_read)),
    clean("alive_plain_threads", plain_threads),
    clean_once("alive_for_a_second", for_a_second),
];

type Part = fn(Placement) -> Process<(Placement,), ()>;

fn run(backend: &Placement, part: Part) {
    parallel!(backend.place(part(backend.clone()).stack(128 << 10)));
}

/// A time that is long enough for many looks.
const WHILE: Duration = Duration::from_millis(3);

#[process]
fn reads(input: Reader<u32>) -> csp::Result<u32> {
    input.read()
}

#[process]
fn writes_late(output: Writer<u32>) -> csp::Result {
    csp::sleep(WHILE);
    Ok(output.write(1)?)
}

fn in_a_thread(backend: &Placement) {
    let channel = Channel::new();
    let writer = channel.writer();
    let thread = thread::spawn(move || {
        thread::sleep(WHILE);
        writer.write(1).unwrap();
    });
    assert_eq!(parallel!(backend.place(reads(channel.reader()))).0, Ok(1));
    thread.join().unwrap();
}

/// Gives an end to a thread after this process has used it.
fn in_a_thread_after_use(backend: &Placement) {
    let channel = Channel::buffered(1);
    let (reader, writer) = (channel.reader(), channel.writer());
    writer.write(0).unwrap();
    reader.read().unwrap();
    let thread = thread::spawn(move || {
        thread::sleep(WHILE);
        writer.write(1).unwrap();
    });
    assert_eq!(parallel!(backend.place(reads(channel.reader()))).0, Ok(1));
    thread.join().unwrap();
}

fn in_a_thread_that_was_there(backend: &Placement) {
    let (give, given) = mpsc::channel::<Writer<u32>>();
    let thread = thread::spawn(move || {
        let writer = given.recv().unwrap();
        thread::sleep(WHILE);
        writer.write(1).unwrap();
    });
    let channel = Channel::new();
    give.send(channel.writer()).unwrap();
    assert_eq!(parallel!(backend.place(reads(channel.reader()))).0, Ok(1));
    thread.join().unwrap();
}

#[process]
fn in_a_scoped_thread(_backend: Placement) {
    let channel = Channel::new();
    let (reader, writer) = (channel.reader(), channel.writer());
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(WHILE);
            writer.write(1).unwrap();
        });
        assert_eq!(reader.read(), Ok(1));
    });
}

#[process]
fn in_a_closure(_backend: Placement) {
    let channel = Channel::new();
    let (reader, writer) = (channel.reader(), channel.writer());
    let later = move || {
        thread::sleep(WHILE);
        writer.write(1).unwrap();
    };
    let thread = thread::spawn(later);
    assert_eq!(reader.read(), Ok(1));
    thread.join().unwrap();
}

#[process]
fn uses_the_static(ends: &'static Mutex<Option<Writer<u32>>>) {
    thread::sleep(WHILE);
    let writer = ends.lock().unwrap().take().unwrap();
    writer.write(1).unwrap();
}

#[process]
fn in_a_static(backend: Placement) {
    static LOG: Mutex<Option<Writer<u32>>> = Mutex::new(None);
    let channel = Channel::new();
    *LOG.lock().unwrap() = Some(channel.writer());
    let (read, ()) = parallel!(
        backend.place(reads(channel.reader())),
        backend.place(uses_the_static(&LOG).on(csp::Backend::Thread)),
    );
    assert_eq!(read, Ok(1));
}

#[process]
fn uses_the_arc(end: Arc<Writer<u32>>) -> csp::Result {
    csp::sleep(WHILE);
    Ok(end.write(1)?)
}

#[process]
fn in_an_arc(backend: Placement) {
    let channel = Channel::new();
    let end = Arc::new(channel.writer());
    let (read, wrote) = parallel!(
        backend.place(reads(channel.reader())),
        backend.place(uses_the_arc(end.clone())),
    );
    assert_eq!((read, wrote), (Ok(1), Ok(())));
}

#[process]
fn uses_the_mutex(end: Arc<Mutex<Option<Writer<u32>>>>) -> csp::Result {
    csp::sleep(WHILE);
    let end = end.lock().unwrap().take().unwrap();
    Ok(end.write(1)?)
}

#[process]
fn in_a_mutex(backend: Placement) {
    let channel = Channel::new();
    let end = Arc::new(Mutex::new(Some(channel.writer())));
    let late = spawn(backend.place(uses_the_mutex(end)));
    let reader = channel.reader();
    assert_eq!(reader.read(), Ok(1));
    assert_eq!(late.join(), Ok(()));
}

/// Serves slowly, while a client waits for its reply.
#[process]
fn serves(requests: Reader<Writer<u32>>) -> csp::Result {
    for reply in &requests {
        csp::sleep(WHILE);
        reply.write(1)?;
    }
    Ok(())
}

#[process]
fn calls(server: Writer<Writer<u32>>) -> csp::Result<u32> {
    let reply = Channel::new();
    let answer = reply.reader();
    server.write(reply.writer())?;
    answer.read()
}

#[process]
fn in_a_message(backend: Placement) {
    let requests = Channel::new();
    let (_, read) = parallel!(
        backend.place(serves(requests.reader())),
        backend.place(calls(requests.writer())),
    );
    assert_eq!(read, Ok(1));
}

#[process]
fn serves_late(requests: Reader<Writer<u32>>) -> csp::Result {
    csp::sleep(WHILE);
    for reply in &requests {
        reply.write(1)?;
    }
    Ok(())
}

/// Keeps the end in the buffer of a channel.
#[process]
fn in_a_buffer(backend: Placement) {
    let requests = Channel::buffered(3);
    let (_, read) = parallel!(
        backend.place(serves_late(requests.reader())),
        backend.place(calls(requests.writer())),
    );
    assert_eq!(read, Ok(1));
}

/// Keeps the end in a write that waits.
#[process]
fn in_a_blocked_write(backend: Placement) {
    let requests = Channel::new();
    let (channel, done) = (Channel::new(), Channel::new());
    let (_, _, read) = parallel!(
        backend.place(serves_late(requests.reader())),
        backend.place(sends(requests.writer(), channel.writer(), done.writer())),
        backend.place(reads(channel.reader())),
    );
    assert_eq!(read, Ok(1));
}

#[process]
fn sends(server: Writer<Writer<u32>>, end: Writer<u32>, _done: Writer<()>) -> csp::Result {
    Ok(server.write(end)?)
}

#[process]
fn in_an_unstarted_process(backend: Placement) {
    let channel = Channel::new();
    let late = backend.place(writes_late(channel.writer()));
    let reads = spawn(backend.place(reads(channel.reader())));
    drop(channel);
    csp::sleep(WHILE);
    let _ = parallel!(late);
    assert_eq!(reads.join(), Ok(1));
}

/// Returns an end, which no process takes for a while.
#[process]
fn makes(channel: Channel<u32>) -> Writer<u32> {
    channel.writer()
}

#[process]
fn in_a_result(backend: Placement) {
    let channel = Channel::new();
    let made = spawn(backend.place(makes(channel.clone())));
    let reads = spawn(backend.place(reads(channel.reader())));
    drop(channel);
    csp::sleep(WHILE);
    made.join().write(1).unwrap();
    assert_eq!(reads.join(), Ok(1));
}

struct Hidden {
    end: Writer<u32>,
}

#[process]
fn uses_what_is_hidden(hidden: Hidden) -> csp::Result {
    csp::sleep(WHILE);
    Ok(hidden.end.write(1)?)
}

#[process]
fn in_a_struct(backend: Placement) {
    let channel = Channel::new();
    let (read, _) = parallel!(
        backend.place(reads(channel.reader())),
        backend.place(uses_what_is_hidden(Hidden { end: channel.writer() })),
    );
    assert_eq!(read, Ok(1));
}

#[process]
fn makes_a_writer_late(channel: Channel<u32>) -> csp::Result {
    csp::sleep(WHILE);
    let writer = channel.writer();
    Ok(writer.write(1)?)
}

/// Makes the writer later, through a handle of the channel.
#[process]
fn through_a_handle(backend: Placement) {
    let channel = Channel::new();
    let (read, _) = parallel!(
        backend.place(reads(channel.reader())),
        backend.place(makes_a_writer_late(channel.clone())),
    );
    assert_eq!(read, Ok(1));
}

#[process]
fn looks_up_late(registry: Arc<Mutex<Vec<Channel<u32>>>>) -> csp::Result {
    csp::sleep(WHILE);
    let writer = registry.lock().unwrap()[0].writer();
    Ok(writer.write(1)?)
}

#[process]
fn through_a_registry(backend: Placement) {
    let registry = Arc::new(Mutex::new(Vec::new()));
    let channel = Channel::new();
    let reads = backend.place(reads(channel.reader()));
    registry.lock().unwrap().push(channel);
    let (read, _) = parallel!(reads, backend.place(looks_up_late(registry.clone())));
    assert_eq!(read, Ok(1));
}

#[process]
fn in_a_sleeper(backend: Placement) {
    let channel = Channel::new();
    let (read, _) = parallel!(
        backend.place(reads(channel.reader())),
        backend.place(writes_late(channel.writer())),
    );
    assert_eq!(read, Ok(1));
}

#[process]
fn computes(output: Writer<u32>) -> csp::Result {
    let begin = std::time::Instant::now();
    while begin.elapsed() < WHILE {
        std::hint::spin_loop();
    }
    Ok(output.write(1)?)
}

#[process]
fn in_a_busy_process(backend: Placement) {
    let channel = Channel::new();
    let (read, _) = parallel!(
        backend.place(reads(channel.reader())),
        backend.place(computes(channel.writer())),
    );
    assert_eq!(read, Ok(1));
}

#[process]
fn blocks(output: Writer<u32>) -> csp::Result {
    thread::sleep(WHILE);
    Ok(output.write(1)?)
}

#[process]
fn in_a_blocking_call(backend: Placement) {
    let channel = Channel::new();
    let (read, _) =
        parallel!(backend.place(reads(channel.reader())), backend.place(blocks(channel.writer())),);
    assert_eq!(read, Ok(1));
}

#[process]
fn holds_and_reads(_held: Writer<u32>, other: Reader<u32>) -> csp::Result {
    other.read()?;
    Ok(())
}

#[process]
fn poisons_late(reader: Reader<u32>) {
    csp::sleep(WHILE);
    reader.poison("enough");
}

/// Gives all the writers to processes that wait, but a reader may still end the channel.
#[process]
fn by_poison_from_its_own_side(backend: Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let (read, held, ()) = parallel!(
        backend.place(holds_and_reads(b.writer(), a.reader())),
        backend.place(holds_and_reads(a.writer(), b.reader())),
        backend.place(poisons_late(a.reader())),
    );
    assert!(matches!(read, Err(csp::Termination::Poisoned(_))));
    assert!(matches!(held, Err(csp::Termination::Poisoned(_))));
}

#[process]
fn retires_late(_end: Writer<u32>) {
    csp::sleep(WHILE);
}

#[process]
fn by_retirement(backend: Placement) {
    let channel = Channel::new();
    let (read, ()) = parallel!(
        backend.place(reads(channel.reader())),
        backend.place(retires_late(channel.writer())),
    );
    assert_eq!(read, Err(csp::Termination::Retired));
}

#[process]
fn gives_up(input: Reader<u32>, _held: Writer<u32>) -> bool {
    let waited = alt! { _ = input.read() => false, after(WHILE) => true };
    waited == Ok(true)
}

#[process]
fn by_a_timeout(backend: Placement) {
    let channel = Channel::new();
    assert!(parallel!(backend.place(gives_up(channel.reader(), channel.writer()))).0);
}

#[process]
fn syncs(barrier: Barrier, late: bool) {
    if late {
        csp::sleep(WHILE);
    }
    barrier.sync();
}

#[process]
fn at_a_barrier(backend: Placement) {
    let barrier = Barrier::new();
    let on_time = backend.replicas(2, syncs(barrier.enrol(), false));
    let late = backend.place(syncs(barrier.enrol(), true));
    barrier.resign();
    parallel!(on_time, late);
}

#[process]
fn falls_in(bucket: Bucket) {
    bucket.fall_in();
}

#[process]
fn flushes_late(bucket: Bucket) {
    csp::sleep(WHILE);
    while bucket.flush() == 0 {
        csp::sleep(WHILE / 10);
    }
}

#[process]
fn in_a_bucket(backend: Placement) {
    let bucket = Bucket::new();
    parallel!(backend.place(falls_in(bucket.clone())), backend.place(flushes_late(bucket.clone())),);
}

#[process]
fn by_a_daemon(backend: Placement) {
    let channel = Channel::new();
    let daemon = spawn(backend.place(writes_late(channel.writer())).daemon());
    let reader = channel.reader();
    assert_eq!(reader.read(), Ok(1));
    assert_eq!(daemon.join(), Ok(()));
}

/// Moves its argument into a thread, after it has used it.
#[process]
fn moves(output: Writer<u32>, other: Reader<u32>) -> csp::Result<u32> {
    output.write(0)?;
    let thread = thread::spawn(move || {
        thread::sleep(WHILE);
        output.write(1)
    });
    let read = other.read();
    thread.join().unwrap()?;
    read
}

#[process]
fn reads_twice(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    input.read()?;
    let second = input.read()?;
    Ok(output.write(second)?)
}

#[process]
fn in_a_moved_argument(backend: Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let (read, _) = parallel!(
        backend.place(moves(a.writer(), b.reader())),
        backend.place(reads_twice(a.reader(), b.writer())),
    );
    assert_eq!(read, Ok(1));
}

#[process]
fn keeps_for_a_while(input: Reader<u32>) -> csp::Result<u32> {
    let kept = input.begin()?;
    csp::sleep(WHILE);
    Ok(kept.into_inner())
}

#[process]
fn writes(output: Writer<u32>) -> csp::Result {
    Ok(output.write(1)?)
}

#[process]
fn in_an_extended_read(backend: Placement) {
    let channel = Channel::new();
    let (read, _) = parallel!(
        backend.place(keeps_for_a_while(channel.reader())),
        backend.place(writes(channel.writer())),
    );
    assert_eq!(read, Ok(1));
}

/// Starts no process at all: threads communicate.
fn plain_threads(_: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let (from, to) = (a.reader(), b.writer());
    let thread = thread::spawn(move || {
        let value: u32 = from.read().unwrap();
        thread::sleep(WHILE);
        to.write(value + 1).unwrap();
    });
    a.writer().write(1).unwrap();
    assert_eq!(b.reader().read(), Ok(2));
    thread.join().unwrap();
}

/// Waits for longer than the watch waits at first.
fn for_a_second(backend: &Placement) {
    static END: OnceLock<Mutex<Option<Writer<u32>>>> = OnceLock::new();
    let channel = Channel::new();
    END.get_or_init(|| Mutex::new(Some(channel.writer())));
    let thread = thread::spawn(|| {
        thread::sleep(Duration::from_millis(1200));
        let writer = END.get().unwrap().lock().unwrap().take().unwrap();
        writer.write(1).unwrap();
    });
    assert_eq!(parallel!(backend.place(reads(channel.reader()))).0, Ok(1));
    thread.join().unwrap();
}
