//! A guide to networks of processes, from the first to the patterns they are built of.
//!
//! | chapter | |
//! |---|---|
//! | [first network](first_network) | processes, channels, `parallel!` |
//! | [channels] | rendezvous and buffers, ends as values |
//! | [replication and results](replication) | `n * process`, results, `spawn` |
//! | [termination] | retire or poison, and how a failure travels |
//! | [choice] | `alt!`, `pri_alt!`, `Alternation` |
//! | [concurrency and parallelism](parallelism) | coroutines, threads, OS processes: what each is and costs, and which when |
//! | [blocking calls](blocking) | `io`, `Call`, files and programs |
//! | [finding a deadlock](deadlock) | what is reported, and how to look |
//! | [patterns] | farm, pipeline, ring, client and server, fan-in, phases |
//! | [mistakes](misuse) | what happens to each, and the test that shows it |
//! | [coming from elsewhere](coming_from) | PyCSP, Go, occam, JCSP, tokio, crossbeam |
//!
//! Every program here is compiled and run as a documentation test. Those that print are files of `examples/guide`, and what they
//! print is checked: `cargo run -p csp-examples --bin guide -- choice` runs one. The pictures are made from a line of text each.

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
    termination
    choice
    parallelism
    blocking
    deadlock
    patterns
    misuse
    coming_from
}
