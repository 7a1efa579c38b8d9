//! The parent's side of a process in a child. One thread for each child starts it, reads its news,
//! and reports its end to the processes that wait for it. So a thread that schedules others never
//! waits for the system.

use std::panic::Location;
use std::process::Stdio;
use std::sync::Arc;
use std::{io, thread};

use super::entry::is_in_program;
use super::launch::{Alive, ChildNews, Hearing, Launched, Room, launch};
use super::process::ToldByChild;
#[cfg(feature = "hosts")]
use super::stream::ChildStream;
use super::{Blob, Ended, Passport, Start, ToChild};
use crate::backend::subprocess::node::{self, Invitation, PreparedChild};
use crate::backend::subprocess::protocol::{Departure, NodeId};
use crate::backend::subprocess::values::carry::{Ends, Packing, Unpacking};
use crate::backend::subprocess::values::{codec, text};
use crate::process::code::Entry;
use crate::process::definition::Limits;
use crate::process::work::{Grip, Outcome, There, Work};
use crate::process::{Failure, work};
use crate::report::termination::Cause;
use crate::wait::blocked::{Blocked, Operation, Want};
use crate::wait::park;

pub(crate) fn start(work: Arc<dyn Work>) {
    start_by(&work, |process, index, alive| {
        let mut child = Child::new(process, index, alive);
        work::run_away(process, index, &mut child);
    });
}

/// Starts a thread for each process, which runs it by `run`.
pub(in crate::backend::subprocess) fn start_by(
    work: &Arc<dyn Work>,
    run: impl Fn(&Arc<dyn Work>, usize, Alive) + Clone + Send + 'static,
) {
    // All of them count before the first of them gets its part of the cores.
    let all: Vec<_> = (0..work.count()).map(|_| Alive::begin()).collect();
    for (index, alive) in all.into_iter().enumerate() {
        let thread = thread::Builder::new().name(work.path(index).replace('\0', "\u{fffd}"));
        let (process, run) = (Arc::clone(work), run.clone());
        let started = thread.spawn(move || run(&process, index, alive));
        if let Err(error) = started {
            let reason = format!(
                "no thread could be had to look after its OS process ({error}); run fewer at once"
            );
            work::refuse(work, index, &reason);
        }
    }
}

/// The reason why a library that a program has loaded can have no children.
pub(in crate::backend::subprocess) const LOADED: &str = "an OS process is its program started again, and this program has loaded the library of this process only \
    while it ran: the new OS process would only run `main` once more, so run the process on a thread";

pub(in crate::backend::subprocess) fn unstarted(error: io::Error) -> String {
    format!("no OS process could be had for it ({error}); run fewer at once, or run it on a thread")
}

/// The wait of the thread that stands for a child. The text is what the child's path has behind the path here.
pub(in crate::backend::subprocess) struct Elsewhere<'a>(pub(in crate::backend::subprocess) &'a str);

impl Blocked for Elsewhere<'_> {
    fn place(&self) -> &'static Location<'static> {
        Location::caller()
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: Operation::Await, object: None });
    }

    fn elsewhere(&self) -> Option<&str> {
        Some(self.0)
    }
}

struct Child {
    passport: Passport,
    limits: Limits,
    /// Kept if it is not one of many.
    grip: Option<Arc<Grip>>,
    stack: Option<usize>,
    /// Held while it is being started.
    room: Option<Room>,
    running: Option<(Arc<Launched>, Hearing)>,
    /// Its place in the network, until its end is told there.
    node: Option<NodeId>,
    shared: Option<Invitation>,
    packing: Option<Packing>,
    /// Its link, if that is a stream.
    #[cfg(feature = "hosts")]
    stream: Option<ChildStream>,
    #[cfg(feature = "hosts")]
    is_by_stream: bool,
    /// The ends in the result.
    unpacking: Option<Unpacking>,
    /// Until its end is told.
    alive: Option<Alive>,
}

impl Child {
    fn new(work: &Arc<dyn Work>, index: usize, alive: Alive) -> Self {
        let options = work.options();
        let passport = Passport::of(work, index);
        Self {
            passport,
            limits: options.limits(),
            grip: work.grip().cloned(),
            stack: options.stack(),
            room: None,
            running: None,
            node: None,
            shared: None,
            packing: None,
            #[cfg(feature = "hosts")]
            stream: None,
            #[cfg(feature = "hosts")]
            is_by_stream: options.is_by_stream(),
            unpacking: None,
            alive: Some(alive),
        }
    }

    /// Gives up everything that it held in the network, because it has ended or was never started.
    /// Returns the rule that it has broken, if that is why it has ended.
    fn leave(&mut self, well: bool, message: &str) -> Option<String> {
        self.alive = None;
        #[cfg(feature = "hosts")]
        if let Some(stream) = self.stream.take() {
            stream.drain();
        }
        let node = self.node.take()?;
        let departure = match well || self.passport.retires_on_panic {
            true => Departure::Retires,
            false => Departure::Poisons,
        };
        node::ended(node, well, departure, self.passport.path.clone(), message.to_owned())
    }

    fn lost(&self, message: String) -> Failure {
        Failure::told(Cause::Lost { process: self.passport.path.clone(), message, host: None })
    }
}

/// This also happens if the arguments could not be packed up, or their packing panics.
impl Drop for Child {
    fn drop(&mut self) {
        self.packing = None;
        self.leave(false, "it could not be started");
        self.unpacking = None;
        self.room = None;
    }
}

impl There for Child {
    fn prepare(&mut self) -> Result<(), String> {
        if !is_in_program() {
            return Err(LOADED.to_owned());
        }
        self.room = Some(Room::take().map_err(unstarted)?);
        let id = self.meet().map_err(unstarted)?;
        self.node = Some(id);
        self.packing = Some(Packing::begin(id));
        Ok(())
    }

    fn begin(&mut self, entry: &'static Entry, arguments: &[u8]) -> Result<(), String> {
        let ends = self.packing.take().map(Packing::done).unwrap_or_default();
        if self.grip.as_ref().is_some_and(|grip| grip.is_forestalled()) {
            return Err("`kill` has ended it before it began".to_owned());
        }
        let (launched, hearing) = launch(self.stdin()).map_err(unstarted)?;
        launched.killer().limit(self.limits);
        let start = Start {
            entry: entry.id(),
            arguments: Blob(arguments.to_vec()),
            stack: self.stack,
            passport: self.passport.clone(),
            shared: self.shared.take(),
            #[cfg(feature = "hosts")]
            stream: self.stream.as_mut().and_then(ChildStream::start),
            ends,
        };
        // If it could not be sent, the child is dead and has never got its arguments. Its end will
        // say so.
        launched.tell(ToChild::Start(Box::new(start)));
        #[cfg(feature = "hosts")]
        if let Some(stream) = &self.stream {
            stream.begin();
        }
        let launched = Arc::new(launched);
        if let Some(grip) = &self.grip {
            let killed = Arc::clone(&launched);
            grip.runs(Some(launched.killer().id()), move || killed.killer().kill_as_asked());
        }
        if let Some(node) = self.node {
            let (killed, told) = (Arc::clone(&launched), Arc::clone(&launched));
            node::started(
                node,
                move |_| killed.kill(),
                move |carried| told.tell(ToChild::Memory(carried)),
            );
        }
        self.running = Some((launched, hearing));
        self.room = None;
        Ok(())
    }

    fn end(&mut self) -> Outcome<Vec<u8>> {
        let (_launched, hearing) = self.running.take().expect("it has begun");
        let (mut hearing, mut told, mut exit) = (Some(hearing), None, None);
        park::current().park().wait_outside(&Elsewhere(""), &mut || {
            for news in hearing.take().into_iter().flatten() {
                match news {
                    #[cfg(test)]
                    ChildNews::Note(_) => {}
                    ChildNews::Ended(ended) => told = Some(ended),
                    ChildNews::Exited(how) => exit = Some(how),
                }
            }
        });
        if let Some(grip) = &self.grip {
            grip.is_over();
        }
        let well = matches!(told, Some(Ended::Returned(_)));
        let exit = exit.map(|exit| exit.to_string());
        // The ends in a result are this OS process's from here on.
        let take = |ends| self.unpacking = Some(Unpacking::begin(ends));
        let outcome = outcome(&self.passport.path, told, exit, take);
        let message = outcome.as_ref().err().map(|failure| failure.message().to_owned());
        match self.leave(well, message.as_deref().unwrap_or("it has ended")) {
            None => outcome,
            // Its last words are not believed, either.
            Some(reason) => Err(self.lost(reason)),
        }
    }
}

impl Child {
    /// Makes the link to the child, and its place in the network.
    fn meet(&mut self) -> io::Result<NodeId> {
        #[cfg(feature = "hosts")]
        if self.is_by_stream {
            let (id, stream) = ChildStream::prepare()?;
            self.stream = Some(stream);
            return Ok(id);
        }
        let PreparedChild { id, shared } = node::prepare()?;
        self.shared = Some(shared);
        Ok(id)
    }

    /// Returns the standard input that the child is to have.
    fn stdin(&mut self) -> Stdio {
        #[cfg(feature = "hosts")]
        if let Some(stream) = &mut self.stream {
            return stream.stdin();
        }
        Stdio::null()
    }
}

/// Returns the outcome of the process at `path`, by its report and the exit of its OS process. `take` gets the
/// ends in the result.
pub(in crate::backend::subprocess) fn outcome(
    path: &str,
    told: Option<Ended>,
    exit: Option<String>,
    take: impl FnOnce(Ends),
) -> Outcome<Vec<u8>> {
    let lost =
        |message| Failure::told(Cause::Lost { process: path.to_owned(), message, host: None });
    match told {
        Some(Ended::Returned(Blob(bytes))) => match codec::unpack(&mut &bytes[..]) {
            Ok(ToldByChild::Returned { result: Blob(result), ends }) => {
                take(ends);
                Ok(result)
            }
            Ok(ToldByChild::Failed(failure)) => Err(failure),
            Err(error) => Err(lost(format!("its report of its end can't be read ({error})"))),
        },
        Some(Ended::Panicked(message)) => {
            let (process, message) = (path.to_owned(), text::reason(message));
            Err(Failure::told(Cause::Panic { process, message, place: None }))
        }
        Some(Ended::Refused(reason)) => {
            Err(Failure::unstarted(path.to_owned(), text::reason(reason)))
        }
        None => {
            let how = exit.unwrap_or_else(|| "for an unknown reason".to_owned());
            Err(lost(format!("its OS process has ended: {how}")))
        }
    }
}
