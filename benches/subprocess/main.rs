//! The time to talk to another OS process, beside the times of the system and of ipc-channel: best and median of some batches.
//!
//! ```text
//! cargo run --release -p csp-benches --features hosts --bin subprocess [-- PART OF A NAME ...]
//! … -- pinned [PART OF A NAME ...]                     # all on one core
//! … -- at env [PART OF A NAME ...]                     # children of a host process that a command starts
//! … -- at ssh HOST [PART OF A NAME ...]                # the same by ssh, beside `ssh HOST cat`
//! ```

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use csp::{
    Alternation, Channel, Hosts, Process, Reader, SharedBuf, Spawned, Writer, multiprocess,
    parallel, process,
};
use ipc_channel::ipc::{self, IpcBytesSender, IpcOneShotServer, IpcReceiver, IpcSender};
use rustix::thread::{CpuSet, sched_setaffinity};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Bytes that serde takes as one block, and not one by one.
#[derive(Clone, Serialize, Deserialize)]
struct Bytes(#[serde(with = "bytes")] Vec<u8>);

mod bytes {
    use std::fmt;

    use serde::{Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        from.deserialize_byte_buf(Visitor)
    }
}

const BATCHES: usize = 15;

/// Where the children are, and the command that reaches it.
struct There {
    hosts: Hosts,
    command: Vec<String>,
}

/// It is empty if the children are those of this OS process.
static THERE: OnceLock<There> = OnceLock::new();

fn spawn<A, R: Send + 'static>(process: Process<A, R>) -> Spawned<R>
where
    Process<A, R>: csp::Spawn<Spawned = Spawned<R>>,
{
    csp::spawn(match THERE.get() {
        Some(there) => process.at(&there.hosts),
        None => process,
    })
}

/// Prints the nanoseconds of one step: the best and the median of some batches.
fn measured(name: &str, batch: u64, mut run: impl FnMut(u64)) {
    run(batch);
    let mut times: Vec<f64> = (0..BATCHES)
        .map(|_| {
            let began = Instant::now();
            run(batch);
            began.elapsed().as_nanos() as f64 / batch as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name:<58} {:>10.0} {:>10.0}", times[0], times[BATCHES / 2]);
}

#[multiprocess]
fn reads_all(input: Reader<u64>) -> u64 {
    input.iter().count() as u64
}

#[multiprocess]
fn writes_always(out: Writer<u64>) -> csp::Result {
    for n in 0.. {
        out.write(n)?;
    }
    Ok(())
}

#[multiprocess]
fn writes_to_all(outs: Vec<Writer<u64>>) -> csp::Result {
    for n in 0.. {
        outs[n % outs.len()].write(n as u64)?;
    }
    Ok(())
}

#[multiprocess]
fn reads_timed(input: Reader<u64>, times: Writer<(u64, u64)>, batch: u64) -> csp::Result {
    loop {
        let began = Instant::now();
        for _ in 0..batch {
            input.read()?;
        }
        times.write((began.elapsed().as_nanos() as u64, batch))?;
    }
}

#[multiprocess]
fn takes(input: Reader<Bytes>) -> usize {
    input.iter().map(|bytes| bytes.0.len()).sum()
}

#[multiprocess]
fn one(out: Writer<u64>) -> csp::Result {
    Ok(out.write(1)?)
}

#[multiprocess]
fn gives(out: Writer<Bytes>, size: usize) -> csp::Result {
    let bytes = Bytes(vec![7; size]);
    loop {
        out.write(bytes.clone())?;
    }
}

#[multiprocess]
fn gives_back<T: Serialize + DeserializeOwned + Send + 'static>(
    input: Reader<T>,
    out: Writer<T>,
) -> csp::Result {
    loop {
        out.write(input.read()?)?;
    }
}

#[multiprocess]
fn takes_ipc(server: String) {
    let (to, values) = ipc::channel::<Bytes>().expect("a channel");
    let (to_bytes, bytes) = ipc::bytes_channel().expect("a channel");
    let parent: IpcSender<(IpcSender<Bytes>, IpcBytesSender)> =
        IpcSender::connect(server).expect("a server");
    parent.send((to, to_bytes)).expect("a parent");
    while values.recv().is_ok() {}
    while bytes.recv().is_ok() {}
}

#[multiprocess]
fn echoes_ipc(server: String) {
    let (to, from) = ipc::channel::<u64>().expect("a channel");
    let (back, answers) = ipc::channel::<u64>().expect("a channel");
    let parent: IpcSender<(IpcSender<u64>, IpcReceiver<u64>)> =
        IpcSender::connect(server).expect("a server");
    parent.send((to, answers)).expect("a parent");
    while let Ok(n) = from.recv() {
        if back.send(n).is_err() {
            break;
        }
    }
}

#[multiprocess]
fn echoes_socket(path: String) {
    let mut socket = UnixStream::connect(path).expect("a listener");
    let mut bytes = [0; 8];
    while socket.read_exact(&mut bytes).is_ok() && socket.write_all(&bytes).is_ok() {}
}

#[process]
fn writes_from_a_coroutine(out: Writer<u64>, many: u64) -> csp::Result {
    for n in 0..many {
        out.write(n)?;
    }
    Ok(())
}

fn plain() {
    let channel = Channel::new();
    let child = spawn(reads_all(channel.reader()));
    let out = channel.writer();
    measured("a communication, parent to child", 20_000, |n| {
        (0..n).for_each(|n| out.write(n).expect("a reader"));
    });
    measured("a communication, a coroutine to a child", 20_000, |n| {
        parallel!(writes_from_a_coroutine(out.clone(), n)).0.expect("a reader");
    });
    drop((channel, out));
    child.join();
    let channel = Channel::new();
    let child = spawn(writes_always(channel.writer()));
    let input = channel.reader();
    measured("a communication, child to parent", 20_000, |n| {
        (0..n).for_each(|_| _ = input.read().expect("a writer"));
    });
    drop((channel, input));
    let _ = child.join();
}

fn alternation() {
    let channels = 8 * Channel::new();
    let child = spawn(writes_to_all(channels.iter().map(Channel::writer).collect()));
    let inputs: Vec<_> = channels.iter().map(Channel::reader).collect();
    drop(channels);
    {
        let mut all = Alternation::new();
        for input in &inputs {
            all.read(input, |n| n);
        }
        measured("an alternation over 8 channels of a child", 20_000, |n| {
            (0..n).for_each(|_| _ = all.choose().expect("a writer"));
        });
    }
    drop(inputs);
    let _ = child.join();
}

fn siblings() {
    let (channel, times) = (Channel::new(), Channel::new());
    let writer = spawn(writes_always(channel.writer()));
    let reader = spawn(reads_timed(channel.reader(), times.writer(), 5_000));
    drop(channel);
    let times = {
        let reader = times.reader();
        drop(times);
        reader
    };
    let mut all: Vec<f64> = (0..=BATCHES)
        .map(|_| times.read().expect("a time"))
        .map(|(time, batch)| time as f64 / batch as f64)
        .collect();
    all.remove(0);
    all.sort_by(f64::total_cmp);
    let name = "a communication, child to child, home in the parent";
    println!("{name:<58} {:>10.0} {:>10.0}", all[0], all[BATCHES / 2]);
    drop(times);
    let _ = (reader.join(), writer.join());
}

fn start() {
    measured("from the start of a child to its first communication", 20, |n| {
        for _ in 0..n {
            let channel = Channel::new();
            let child = spawn(one(channel.writer()));
            channel.reader().read().expect("a value");
            child.join().expect("a reader");
        }
    });
}

const SIZES: [(usize, u64); 3] = [(1, 20_000), (1 << 10, 20_000), (1 << 20, 200)];

fn throughput() {
    for (size, batch) in SIZES {
        for capacity in [0, 16, 64] {
            let channel = Channel::buffered(capacity);
            let child = spawn(takes(channel.reader()));
            let out = channel.writer();
            let bytes = Bytes(vec![7; size]);
            let buffer = match capacity {
                0 => String::new(),
                room => format!(", room for {room}"),
            };
            measured(&format!("a value of {size} bytes to a child{buffer}"), batch, |n| {
                (0..n).for_each(|_| out.write(bytes.clone()).expect("a reader"));
            });
            drop((channel, out));
            child.join();
        }
    }
    for (size, batch) in SIZES {
        let channel = Channel::buffered(16);
        let child = spawn(gives(channel.writer(), size));
        let input = channel.reader();
        drop(channel);
        measured(&format!("a value of {size} bytes from a child, room for 16"), batch, |n| {
            (0..n).for_each(|_| _ = input.read().expect("a writer"));
        });
        drop(input);
        let _ = child.join();
    }
}

/// Sends 64 MiB to a child and back. The child looks at none of it.
fn buffers() {
    const LARGE: usize = 64 << 20;
    fn passes<T: Serialize + DeserializeOwned + Send + 'static>(name: &str, batch: u64, value: T) {
        let (there, back) = (Channel::new(), Channel::new());
        let child = spawn(gives_back(there.reader(), back.writer()));
        let (there, back) = (there.writer(), back.reader());
        let mut value = Some(value);
        measured(name, batch, |n| {
            for _ in 0..n {
                there.write(value.take().expect("it is back")).expect("a reader");
                value = Some(back.read().expect("a writer"));
            }
        });
        drop((there, back));
        let _ = child.join();
    }
    let shared = SharedBuf::new(LARGE).expect("memory");
    passes("a shared buffer of 64 MiB to a child and back", 50, shared);
    passes("a `Vec` of 64 MiB to a child and back", 1, Bytes(vec![7; LARGE]));
}

/// Measures ipc-channel alone, one way: the values that it accepts, or that the child has taken.
fn streams_of_ipc() {
    for (size, batch) in SIZES {
        let (server, name) = IpcOneShotServer::new().expect("a server");
        let child = spawn(takes_ipc(name));
        let (_, (values, bytes)) = server.accept().expect("a child");
        let (values, bytes): (IpcSender<Bytes>, IpcBytesSender) = (values, bytes);
        let value = Bytes(vec![7; size]);
        measured(&format!("ipc-channel: a value of {size} bytes to a child"), batch, |n| {
            (0..n).for_each(|_| values.send(value.clone()).expect("a child"));
        });
        drop(values);
        measured(&format!("ipc-channel: {size} bytes as such to a child"), batch, |n| {
            (0..n).for_each(|_| bytes.send(&value.0).expect("a child"));
        });
        drop(bytes);
        child.join();
    }
}

fn peers() {
    let (server, name) =
        IpcOneShotServer::<(IpcSender<u64>, IpcReceiver<u64>)>::new().expect("a server");
    let child = spawn(echoes_ipc(name));
    let (_, (to, answers)) = server.accept().expect("a child");
    measured("ipc-channel: a value there and one back", 3_000, |n| {
        for n in 0..n {
            to.send(n).expect("a child");
            answers.recv().expect("an answer");
        }
    });
    drop((to, answers));
    child.join();

    let path = std::env::temp_dir().join(format!("csp-bench-{}", std::process::id()));
    let listener = UnixListener::bind(&path).expect("a socket");
    let child = spawn(echoes_socket(path.to_string_lossy().into_owned()));
    let (mut socket, _) = listener.accept().expect("a child");
    std::fs::remove_file(&path).expect("the socket's file");
    let mut bytes = [0; 8];
    measured("a Unix socket pair: 8 bytes there and back", 3_000, |n| {
        for _ in 0..n {
            socket.write_all(&bytes).expect("a child");
            socket.read_exact(&mut bytes).expect("an answer");
        }
    });
    drop(socket);
    child.join();

    pipes("two pipes", Command::new(std::env::current_exe().expect("this file")).arg("echo-pipe"));
}

/// Measures a journey there and back by the pipes of a program that says again what it hears.
fn pipes(name: &str, echo: &mut Command) {
    let mut echo = echo.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a program");
    let (mut to, mut from) =
        (echo.stdin.take().expect("a pipe"), echo.stdout.take().expect("a pipe"));
    let mut bytes = [0; 8];
    measured(&format!("{name}: 8 bytes there and back"), 3_000, |n| {
        for _ in 0..n {
            to.write_all(&bytes).expect("a program");
            from.read_exact(&mut bytes).expect("an answer");
        }
    });
    drop(to);
    echo.wait().expect("its end");
}

/// Measures the way to the host without the library: the pipes of its command.
fn bare_way() {
    let run = |line: &str| {
        let (first, others) = THERE.get().expect("a host").command.split_first().expect("a word");
        let mut command = Command::new(first);
        command.args(others).arg(line).stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    };
    pipes("the pipes of the command", &mut run("exec cat"));
    for (size, batch) in [(1 << 10, 20_000), (1 << 20, 200)] {
        let swallow = format!("while :; do head -c {} >/dev/null; echo; done", size as u64 * batch);
        let mut child = run(&swallow).spawn().expect("a program");
        let (mut to, mut from) =
            (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let bytes = vec![7; size];
        measured(&format!("the pipes of the command: {size} bytes there"), batch, |n| {
            (0..n).for_each(|_| to.write_all(&bytes).expect("a program"));
            from.read_exact(&mut [0]).expect("an answer");
        });
        child.kill().expect("ours");
        child.wait().expect("its end");
    }
}

/// Prints the time from the start of a host to the first communication with its first process.
fn start_of_hosts() {
    let there = THERE.get().expect("a host");
    let mut started = 0;
    measured("from the start of a host to its first communication", 1, |_| {
        started += 1;
        // A host with another name is another one.
        let another = there.hosts.named(format!("host {started}"));
        let channel = Channel::new();
        let child = csp::spawn(one(channel.writer()).at(&another));
        channel.reader().read().expect("a value");
        child.join().expect("a reader");
    });
}

fn echo_pipe() {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut bytes = [0; 8];
    while input.read_exact(&mut bytes).is_ok() && output.write_all(&bytes).is_ok() {
        output.flush().expect("a parent");
    }
}

/// Pins this OS process and all its children to the current core.
fn pin() {
    let mut core = CpuSet::new();
    core.set(rustix::thread::sched_getcpu());
    sched_setaffinity(None, &core).expect("to stay on this core");
}

#[csp::main]
fn main() {
    let mut parts: Vec<String> = std::env::args().skip(1).collect();
    if parts == ["echo-pipe"] {
        return echo_pipe();
    }
    match parts.first().map(String::as_str) {
        Some("pinned") => {
            parts.remove(0);
            pin();
        }
        Some("at") => go_to(&mut parts),
        _ => {}
    }
    let fits = |name: &str| parts.is_empty() || parts.iter().any(|part| name.contains(&**part));
    println!("{:<58} {:>10} {:>10}", "nanoseconds", "best", "median");
    let both: [(&str, fn()); 5] = [
        ("plain", plain),
        ("alternation", alternation),
        ("siblings", siblings),
        ("start", start),
        ("throughput", throughput),
    ];
    let here: [(&str, fn()); 3] =
        [("buffers", buffers), ("throughput of ipc-channel", streams_of_ipc), ("peers", peers)];
    let there: [(&str, fn()); 2] = [("bare way", bare_way), ("start of hosts", start_of_hosts)];
    let others = if THERE.get().is_some() { &there[..] } else { &here };
    for &(name, work) in both.iter().chain(others) {
        if fits(name) {
            work();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Takes the words that name a host from the front.
fn go_to(parts: &mut Vec<String>) {
    let there = match &**parts {
        [_, word, ..] if word == "env" => {
            let command = ["sh", "-c"].map(str::to_owned).to_vec();
            parts.drain(..2);
            There { hosts: Hosts::command(["env"]), command }
        }
        [_, word, host, ..] if word == "ssh" => {
            let hosts = Hosts::ssh([host]);
            let command = ["ssh", "-T", host].map(str::to_owned).to_vec();
            parts.drain(..3);
            There { hosts, command }
        }
        _ => panic!("`at env` or `at ssh HOST`"),
    };
    assert!(THERE.set(there).is_ok(), "there is one place");
}
