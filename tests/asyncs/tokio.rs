//! Futures of tokio in processes, and this crate's futures in tasks of tokio. The test has entered the handle of a runtime.
//!
//! The runtime has its reactor and its timers on a thread of its own, and so wakes processes from there.

use csp::{Barrier, Channel, Reader, Writer, parallel, process, spawn};
use csp_tests::watched;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, mpsc, oneshot};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// Runs `test` on a thread that has entered the handle of a runtime.
fn entered(name: &'static str, test: fn(&Runtime)) {
    watched(name, move || {
        let runtime = runtime();
        let _entered = runtime.enter();
        test(&runtime);
    });
}

#[process]
async fn ticks(count: u64, out: Writer<u64>) -> csp::Result {
    for tick in 0..count {
        tokio::time::sleep(Duration::from_millis(1)).await;
        out.write_async(tick).await?;
    }
    Ok(())
}

#[process]
async fn sum(input: Reader<u64>) -> u64 {
    let mut sum = 0;
    while let Ok(value) = input.read_async().await {
        sum += value;
    }
    sum
}

#[cfg(feature = "coroutines")]
#[test]
fn timers_wake_processes() {
    entered("timers wake processes", |_| {
        let channel = Channel::new();
        let begin = Instant::now();
        let (ends, sum) = parallel!(20 * ticks(5, channel.writer()), sum(channel.reader()));
        assert!(ends.iter().all(Result::is_ok));
        assert_eq!(sum, 20 * 10);
        assert!(begin.elapsed() >= Duration::from_millis(5));
    });
}

/// Answers each byte with its double, until the other side closes.
#[process]
async fn serves(listener: std::net::TcpListener, clients: usize) -> std::io::Result<usize> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let mut served = 0;
    for _ in 0..clients {
        let (mut client, _) = listener.accept().await?;
        while let Ok(byte) = client.read_u8().await {
            client.write_u8(2 * byte).await?;
            served += 1;
        }
    }
    Ok(served)
}

#[process]
async fn asks(at: SocketAddr, out: Writer<u64>) -> csp::Result {
    let mut server = TcpStream::connect(at).await.expect("the server listens");
    for byte in 1..=5 {
        server.write_u8(byte).await.expect("the server reads");
        let answer = server.read_u8().await.expect("the server answers");
        out.write_async(u64::from(answer)).await?;
    }
    Ok(())
}

#[cfg(feature = "coroutines")]
#[test]
fn sockets_wake_processes() {
    entered("sockets wake processes", |_| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let channel = Channel::new();
        let (served, _, sum) =
            parallel!(serves(listener, 3), 3 * asks(at, channel.writer()), sum(channel.reader()),);
        assert_eq!(served.expect("no error"), 15);
        assert_eq!(sum, 3 * 2 * 15);
    });
}

#[process]
async fn waits_for_both(
    (first, second): (oneshot::Receiver<u64>, Arc<Notify>),
    input: Reader<u64>,
) -> u64 {
    let first = first.await.expect("it is sent");
    second.notified().await;
    first + input.read_async().await.expect("it is written")
}

#[cfg(feature = "coroutines")]
#[test]
fn tasks_wake_processes() {
    entered("tasks wake processes", |runtime| {
        let (sender, receiver) = oneshot::channel();
        let notify = Arc::new(Notify::new());
        let channel = Channel::new();
        let waiting = spawn(waits_for_both((receiver, Arc::clone(&notify)), channel.reader()));
        runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            sender.send(1).expect("it is awaited");
            notify.notify_one();
        });
        channel.writer().write(2).expect("it is read");
        assert_eq!(waiting.join(), 3);
    });
}

/// Takes the first of several futures. The others are dropped, and a value they were given goes back.
#[process]
async fn first_of_both(input: Reader<u64>, mut other: mpsc::Receiver<u64>) -> u64 {
    let mut sum = 0;
    let (mut reads, mut receives) = (true, true);
    while reads || receives {
        tokio::select! {
            value = input.read_async(), if reads => match value {
                Ok(value) => sum += value,
                Err(_) => reads = false,
            },
            value = other.recv(), if receives => match value {
                Some(value) => sum += value,
                None => receives = false,
            },
        }
    }
    sum
}

#[process]
async fn sends(sender: mpsc::Sender<u64>, count: u64) {
    for value in 0..count {
        sender.send(value).await.expect("it is received");
    }
}

#[process]
async fn writes(out: Writer<u64>, count: u64) -> csp::Result {
    for value in 0..count {
        out.write_async(value).await?;
    }
    Ok(())
}

#[cfg(feature = "coroutines")]
#[test]
fn a_read_is_one_of_several_futures() {
    entered("a read is one of several futures", |_| {
        let channel = Channel::new();
        let (sender, receiver) = mpsc::channel(1);
        let (sum, ..) = parallel!(
            first_of_both(channel.reader(), receiver),
            sends(sender, 1000),
            writes(channel.writer(), 1000),
        );
        assert_eq!(sum, 2 * 499_500);
    });
}

/// Reads and writes in a task on a thread of tokio's. The task waits there for processes, and processes wait for the task.
#[test]
fn a_task_meets_processes() {
    watched("a task meets processes", || {
        let (to, from) = (Channel::new(), Channel::new());
        let (input, out) = (to.reader(), from.writer());
        let task = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                while let Ok(value) = input.read_async().await {
                    let value: u64 = value;
                    tokio::task::yield_now().await;
                    out.write_async(2 * value).await.expect("it is read");
                }
            });
        });
        let (sent, sum) = parallel!(writes(to.writer(), 100), {
            drop(to);
            let sum = sum(from.reader());
            drop(from);
            sum
        });
        assert_eq!((sent, sum), (Ok(()), 9_900));
        task.join().expect("it ends");
    });
}

/// Enters the handle of the runtime itself, because the process has a thread of its own.
#[process(on = thread)]
async fn enters(runtime: tokio::runtime::Handle, steps: Barrier) -> Duration {
    let _entered = runtime.enter();
    let begin = Instant::now();
    tokio::time::sleep(Duration::from_millis(2)).await;
    steps.sync_async().await;
    begin.elapsed()
}

#[cfg(feature = "threads")]
#[test]
fn a_process_enters_a_handle() {
    watched("a process enters a handle", || {
        let runtime = runtime();
        let steps = Barrier::new();
        let (slept,) = parallel!(3 * enters(runtime.handle().clone(), steps));
        assert!(slept.iter().all(|slept| *slept >= Duration::from_millis(2)));
    });
}
