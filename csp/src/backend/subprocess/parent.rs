//! The parent's side of a process in a child: one thread for each, which starts it, hears of it, and tells its end to whoever
//! waits for it. So nobody who schedules others ever waits for the system.

use std::io;
use std::panic::Location;
use std::sync::Arc;
use std::thread;

use super::boot::launch::{Hearing, Launched, News, Room, launch};
use super::boot::warden::Exit;
use super::boot::{Blob, Ended, Passport, Start, ToChild};
use super::carry::{Packing, Unpacking};
use super::child::Told;
use super::codec;
use super::node::{self, Prepared, Shared};
use super::protocol::{Departure, NodeId};
use crate::blocked::{Blocked, Operation, Want};
use crate::park;
use crate::process::Failure;
use crate::process::code::Entry;
use crate::process::definition::OnPanic;
use crate::process::job::{self, Outcome, There, Work};
use crate::termination::Cause;

pub(crate) fn start(work: Arc<dyn Work>) {
    for index in 0..work.count() {
        let thread = thread::Builder::new().name(work.path(index).replace('\0', "\u{fffd}"));
        let process = Arc::clone(&work);
        let started = thread.spawn(move || {
            let mut child = Child::new(&process, index);
            job::run_away(&process, index, &mut child);
        });
        if let Err(error) = started {
            let reason = format!(
                "no thread could be had to look after its OS process ({error}); run fewer at once"
            );
            job::refuse(&work, index, &reason);
        }
    }
}

fn unstarted(error: io::Error) -> String {
    format!("no OS process could be had for it ({error}); run fewer at once, or run it on a thread")
}

/// What the thread waits for that stands for a child.
struct Elsewhere;

impl Blocked for Elsewhere {
    fn place(&self) -> &'static Location<'static> {
        Location::caller()
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: Operation::Await, object: None });
    }

    fn is_elsewhere(&self) -> bool {
        true
    }
}

struct Child {
    passport: Passport,
    stack: Option<usize>,
    /// While it is being started.
    room: Option<Room>,
    running: Option<(Arc<Launched>, Hearing)>,
    /// Its place in the network, until its end is told there.
    node: Option<NodeId>,
    shared: Option<Shared>,
    packing: Option<Packing>,
    /// The ends in the result.
    unpacking: Option<Unpacking>,
}

impl Child {
    fn new(work: &Arc<dyn Work>, index: usize) -> Self {
        let options = work.options();
        let passport = Passport {
            name: work.name(index),
            path: work.path(index),
            retires_on_panic: options.on_panic() == OnPanic::Retire,
        };
        Self {
            passport,
            stack: options.stack(),
            room: None,
            running: None,
            node: None,
            shared: None,
            packing: None,
            unpacking: None,
        }
    }

    /// It has ended, or was never started: what it held in the network is given up.
    fn leave(&mut self, well: bool, message: &str) {
        if let Some(node) = self.node.take() {
            let departure = match well || self.passport.retires_on_panic {
                true => Departure::Retires,
                false => Departure::Poisons,
            };
            node::ended(node, departure, self.passport.path.clone(), message.to_owned());
        }
    }

    fn lost(&self, message: String) -> Failure {
        Failure::told(Cause::Lost { process: self.passport.path.clone(), message })
    }
}

/// Also if the arguments could not be packed up, or their packing panics.
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
        self.room = Some(Room::take().map_err(unstarted)?);
        let Prepared { id, shared } = node::prepare().map_err(unstarted)?;
        self.node = Some(id);
        self.shared = Some(shared);
        self.packing = Some(Packing::begin(id));
        Ok(())
    }

    fn begin(&mut self, entry: &'static Entry, arguments: &[u8]) -> Result<(), String> {
        let ends = self.packing.take().map(Packing::done).unwrap_or_default();
        let (launched, hearing) = launch().map_err(unstarted)?;
        let start = Start {
            entry: entry.id(),
            arguments: Blob(arguments.to_vec()),
            stack: self.stack,
            passport: self.passport.clone(),
            shared: self.shared.take(),
            ends,
        };
        // If it could not be sent the child is dead, and was never told of its arguments; its end will say so.
        launched.tell(ToChild::Start(Box::new(start)));
        let launched = Arc::new(launched);
        if let Some(node) = self.node {
            let (killed, told) = (Arc::clone(&launched), Arc::clone(&launched));
            node::started(node, move || killed.kill(), move |message| told.tell(message));
        }
        self.running = Some((launched, hearing));
        self.room = None;
        Ok(())
    }

    fn end(&mut self) -> Outcome<Vec<u8>> {
        let (_launched, hearing) = self.running.take().expect("it has begun");
        let (mut hearing, mut told, mut exit) = (Some(hearing), None, None);
        park::current().park().wait_outside(&Elsewhere, &mut || {
            for news in hearing.take().into_iter().flatten() {
                match news {
                    #[cfg(test)]
                    News::Note(_) => {}
                    News::Ended(ended) => told = Some(ended),
                    News::Exited(how) => exit = Some(how),
                }
            }
        });
        let well = matches!(told, Some(Ended::Returned(_)));
        let outcome = self.outcome(told, exit);
        let message = outcome.as_ref().err().map(|failure| failure.message().to_owned());
        self.leave(well, message.as_deref().unwrap_or("it has ended"));
        outcome
    }
}

impl Child {
    /// The ends in a result are this OS process's from here on.
    fn outcome(&mut self, told: Option<Ended>, exit: Option<Exit>) -> Outcome<Vec<u8>> {
        match told {
            Some(Ended::Returned(Blob(bytes))) => match codec::unpack(&mut &bytes[..]) {
                Ok(Told::Returned { result: Blob(result), ends }) => {
                    self.unpacking = Some(Unpacking::begin(ends));
                    Ok(result)
                }
                Ok(Told::Failed(failure)) => Err(failure),
                Err(error) => {
                    Err(self.lost(format!("what it told of its end can't be read ({error})")))
                }
            },
            Some(Ended::Panicked(message)) => {
                let process = self.passport.path.clone();
                Err(Failure::told(Cause::Panic { process, message, place: None }))
            }
            Some(Ended::Refused(reason)) => {
                Err(Failure::unstarted(self.passport.path.clone(), reason))
            }
            None => {
                let how = exit
                    .map_or_else(|| "for an unknown reason".to_owned(), |exit| exit.to_string());
                Err(self.lost(format!("its OS process has ended: {how}")))
            }
        }
    }
}
