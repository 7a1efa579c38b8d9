//! Deadlocks of methods and closures. The library knows the ends that a method keeps in its object, but none that a closure has captured.

use super::partial::{ROOT, Stop, run};
use super::{Case, clean, dawdle, deadlock};
use csp::{Channel, Reader, Writer, parallel, process, process_async, spawn};
use csp_tests::Placement;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    deadlock("closures_read", closures_read, &["left", "right"]),
    deadlock("async_closures_read", async_closures_read, &["left", "right"]),
    deadlock("methods_read", methods_read, &["serve", "serve_async"]),
    deadlock("partial_methods", |b| run(b, methods), &[ROOT, "methods", "serve", "serve_async"]),
    clean("partial_method_hands_on", |b| run(b, method_hands_on)),
    clean("partial_method_of_shared_ends", |b| run(b, method_of_shared_ends)),
];

fn closures_read(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let pass = |from: Reader<u32>, to: Writer<u32>| {
        process(move || {
            dawdle();
            to.write(from.read()?).map_err(csp::Termination::from)
        })
    };
    let left = pass(a.reader(), b.writer()).named("left");
    let right = pass(b.reader(), a.writer()).named("right");
    drop((a, b));
    let _ = parallel!(backend.place(left), backend.place(right));
}

fn async_closures_read(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let pass = |from: Reader<u32>, to: Writer<u32>| {
        process_async(async move || {
            to.write_async(from.read_async().await?).await.map_err(csp::Termination::from)
        })
    };
    let left = pass(a.reader(), b.writer()).named("left");
    let right = pass(b.reader(), a.writer()).named("right");
    drop((a, b));
    let _ = parallel!(backend.place(left), backend.place(right));
}

struct Server {
    input: Reader<u32>,
    out: Writer<u32>,
    served: u32,
}

impl Server {
    fn new(input: Reader<u32>, out: Writer<u32>) -> Self {
        Self { input, out, served: 0 }
    }

    #[process]
    fn serve(mut self) -> csp::Result {
        loop {
            dawdle();
            let value = self.input.read()?;
            self.served += value;
            self.out.write(self.served)?;
        }
    }

    #[process]
    async fn serve_async(mut self) -> csp::Result {
        loop {
            let value = self.input.read_async().await?;
            self.served += value;
            self.out.write_async(self.served).await?;
        }
    }

    /// Lets its writer out, and reads what comes of it.
    #[process]
    fn hand_on(self, backend: Placement) -> csp::Result<u32> {
        let _ = self.out.termination();
        let out = self.out;
        let writes = spawn(backend.place(process(move || {
            csp::sleep(Duration::from_millis(3));
            out.write(5)
        })));
        let read = self.input.read();
        assert_eq!(writes.join(), Ok(()));
        read
    }
}

fn methods_read(backend: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let _ = parallel!(
        backend.place(Server::new(a.reader(), b.writer()).serve()),
        backend.place(Server::new(b.reader(), a.writer()).serve_async()),
    );
}

#[process]
fn methods(backend: Placement, stop: Stop) {
    stop.until_parents_wait();
    let (a, b) = (Channel::new(), Channel::new());
    let _ = parallel!(
        backend.place(Server::new(a.reader(), b.writer()).serve()),
        backend.place(Server::new(b.reader(), a.writer()).serve_async()),
    );
}

#[process]
fn method_hands_on(backend: Placement, _stop: Stop) {
    let own = Channel::new();
    let server = Server::new(own.reader(), own.writer());
    drop(own);
    let (read,) = parallel!(backend.place(server.hand_on(backend.clone())));
    assert_eq!(read, Ok(5));
}

/// Its ends are not its own.
struct Shared(Arc<Server>);

impl Deref for Shared {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl Shared {
    #[process]
    fn read(self) -> csp::Result<u32> {
        let read = self.input.read();
        assert!(self.out.termination().is_none());
        read
    }
}

#[process]
fn method_of_shared_ends(backend: Placement, _stop: Stop) {
    let own = Channel::new();
    let server = Arc::new(Server::new(own.reader(), own.writer()));
    drop(own);
    let other = Arc::clone(&server);
    let writes = spawn(backend.place(process(move || {
        csp::sleep(Duration::from_millis(3));
        other.out.write(5)
    })));
    let (read,) = parallel!(backend.place(Shared(server).read()));
    assert_eq!((read, writes.join()), (Ok(5), Ok(())));
}
