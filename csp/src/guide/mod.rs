//! A guide to networks of processes, from the first to the patterns they are built of.
//!
//! | chapter | |
//! |---|---|
//! | [first network](first_network) | processes, channels, `parallel!` |
//! | [channels] | rendezvous and buffers, ends as values |
//! | [replication and results](replication) | `n * process`, results, `spawn` |
//! | [methods and closures](methods) | what else can be a process, and what the library then knows of it |
//! | [termination] | retire or poison, how a failure travels, how to stop processes, `Ctrl-C` |
//! | [errors with `?`](errors) | what an error of a process means for its neighbours, error types |
//! | [supervision] | processes that fail and are made anew, limits of OS processes |
//! | [choice] | `alt!`, `pri_alt!`, `Alternation` |
//! | [concurrency and parallelism](parallelism) | coroutines, threads, OS processes: what each is and costs, and when to choose which |
//! | [cores] | coroutines on all cores: what moves, what stays, and how many |
//! | [blocking calls](blocking) | `io`, `Call`, files and programs |
//! | [sockets] | a process for each connection, guards, what needs `io` still |
//! | [beyond one machine](hosts) | processes on other hosts, and what each failure looks like |
//! | [with tokio](with_tokio) | streams and sinks for tasks, an axum service |
//! | [held over a wait](held) | locks, thread-locals, executors: what a coroutine may keep while it waits |
//! | [finding a deadlock](deadlock) | what is reported, and how to look |
//! | [testing] | a process alone, a network, its failures, its time |
//! | [patterns] | farm, pipeline, ring, client and server, fan-in, phases, broadcast |
//! | [mistakes](misuse) | what happens to each, and the test that shows it |
//! | [coming from elsewhere](coming_from) | PyCSP, Go, occam, JCSP, tokio, crossbeam |
//!
//! Every program here is compiled and run as a documentation test. The programs that print are files of `examples/guide`, and a
//! test checks their output. `cargo run -p csp-examples --bin guide -- choice` runs one. A line of text generates each picture.

macro_rules! chapters {
    ($($name:ident)*) => { $(
        pub mod $name {
            #![doc = include_str!(concat!(stringify!($name), ".md"))]
        }
    )* };
}

chapters! {
    first_network
    channels
    replication
    methods
    termination
    errors
    supervision
    choice
    parallelism
    cores
    blocking
    sockets
    held
    deadlock
    testing
    patterns
    misuse
    coming_from
}

// Chapters on a feature, and only there with it.
pub mod hosts {
    #![cfg_attr(all(feature = "hosts", target_os = "linux"), doc = include_str!("hosts.md"))]
    #![cfg_attr(
        not(all(feature = "hosts", target_os = "linux")),
        doc = "This chapter needs the feature `hosts`, on Linux."
    )]
}

pub mod addresses {
    #![cfg_attr(all(feature = "address", target_os = "linux"), doc = include_str!("addresses.md"))]
    #![cfg_attr(
        not(all(feature = "address", target_os = "linux")),
        doc = "This chapter needs the feature `address`, on Linux."
    )]
}

pub mod with_tokio {
    #![cfg_attr(feature = "futures", doc = include_str!("with_tokio.md"))]
    #![cfg_attr(not(feature = "futures"), doc = "This chapter needs the feature `futures`.")]
}
