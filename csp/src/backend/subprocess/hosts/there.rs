//! The starter's side of a process on another host, as `boot/parent` is of one in a child.

use std::sync::Arc;

use super::running::{HostedWorker, WorkerNews, connect};
use super::words::{Awake, ToHost, WorkerEnd};
use crate::backend::subprocess::boot::entry::is_in_program;
use crate::backend::subprocess::boot::parent::{Elsewhere, LOADED, outcome};
use crate::backend::subprocess::boot::{Blob, Passport, Start};
use crate::backend::subprocess::node;
use crate::backend::subprocess::values::carry::{Packing, Unpacking};
use crate::backend::subprocess::values::causes::NodeLoss;
use crate::process::Failure;
use crate::process::code::Entry;
use crate::process::definition::{HostCommand, Limits};
use crate::process::work::{Grip, Outcome, There, Work};
use crate::report::termination::Cause;
use crate::wait::park;

pub(super) struct HostedChild {
    host: Arc<HostCommand>,
    passport: Passport,
    limits: Limits,
    stack: Option<usize>,
    grip: Option<Arc<Grip>>,
    worker: Option<HostedWorker>,
    packing: Option<Packing>,
    /// The ends in the result.
    unpacking: Option<Unpacking>,
}

impl HostedChild {
    pub(super) fn new(work: &Arc<dyn Work>, index: usize, host: &Arc<HostCommand>) -> Self {
        let options = work.options();
        Self {
            host: Arc::clone(host),
            passport: Passport {
                starter: Some(node::control::streams::here()),
                ..Passport::of(work, index).at(&host.name)
            },
            limits: options.limits(),
            stack: options.stack(),
            grip: work.grip().cloned(),
            worker: None,
            packing: None,
            unpacking: None,
        }
    }

    fn lost(&self, message: String) -> Failure {
        Failure::told(Cause::Lost { process: self.passport.path.clone(), message, host: None })
    }
}

impl There for HostedChild {
    fn prepare(&mut self) -> Result<(), String> {
        if !is_in_program() {
            return Err(LOADED.to_owned());
        }
        let worker = connect(&self.host)?.worker();
        worker.say(&ToHost::Prepare(worker.number()))?;
        let (news, _awake) = worker.wait();
        let place = match news {
            WorkerNews::Prepared(place) => place,
            WorkerNews::Ended(WorkerEnd::Unstarted(reason)) => Err(reason),
            WorkerNews::Ended(WorkerEnd::Exited { .. }) => {
                Err("it ended before it began".to_owned())
            }
            WorkerNews::Lost(loss) => return Err(loss.message),
        };
        let place =
            place.map_err(|reason| format!("on the host `{}`: {reason}", self.host.name))?;
        if self.passport.retires_on_panic {
            node::control::streams::retires_if_lost(place);
        }
        self.packing = Some(Packing::begin(place));
        self.worker = Some(worker);
        Ok(())
    }

    fn begin(&mut self, entry: &'static Entry, arguments: &[u8]) -> Result<(), String> {
        let ends = self.packing.take().map(Packing::done).unwrap_or_default();
        if self.grip.as_ref().is_some_and(|grip| grip.is_forestalled()) {
            return Err("`kill` has ended it before it began".to_owned());
        }
        let worker = self.worker.as_ref().expect("it is prepared");
        let start = Start {
            entry: entry.id(),
            arguments: Blob(arguments.to_vec()),
            stack: self.stack,
            passport: self.passport.clone(),
            shared: None,
            stream: None,
            ends,
        };
        let number = worker.number();
        worker.say(&ToHost::Start(number, Box::new(start), self.limits.into()))?;
        if let Some(grip) = &self.grip {
            let killed = worker.host();
            grip.runs(None, move || {
                // Its end is told, or that of its host.
                let _ = super::words::say(killed, &ToHost::Kill(number));
            });
        }
        Ok(())
    }

    fn end(&mut self) -> Outcome<Vec<u8>> {
        let worker = self.worker.take().expect("it has begun");
        let mut came: Option<(WorkerNews, Option<Awake>)> = None;
        let behind = format!("@{}", self.host.name);
        park::current()
            .park()
            .wait_outside(&Elsewhere(&behind), &mut || came = Some(worker.wait()));
        let (news, awake) = came.expect("it was waited for");
        // This thread counts by itself again.
        drop(awake);
        if let Some(grip) = &self.grip {
            grip.is_over();
        }
        match news {
            WorkerNews::Ended(WorkerEnd::Exited { broken: Some(reason), .. }) => {
                Err(self.lost(reason))
            }
            WorkerNews::Ended(WorkerEnd::Exited { told, exit, broken: None }) => {
                let take = |ends| self.unpacking = Some(Unpacking::begin(ends));
                outcome(&self.passport.path, told, exit, take)
            }
            WorkerNews::Ended(WorkerEnd::Unstarted(reason)) => {
                let reason = format!("on the host `{}`: {reason}", self.host.name);
                Err(Failure::unstarted(self.passport.path.clone(), reason))
            }
            WorkerNews::Lost(loss) => {
                let loss = NodeLoss { process: self.passport.path.clone(), ..loss };
                Err(Failure::told(loss.cause()))
            }
            WorkerNews::Prepared(_) => Err(self.lost("its host process repeats itself".to_owned())),
        }
    }
}

/// This also happens if the arguments could not be packed up, or their packing panics. The worker is ended then.
impl Drop for HostedChild {
    fn drop(&mut self) {
        self.packing = None;
        self.worker = None;
        self.unpacking = None;
    }
}
