//! The parent's side of a process in a child: one thread for each, which starts it, hears of it, and tells its end to whoever
//! waits for it. So nobody who schedules others ever waits for the system.

use std::sync::Arc;
use std::thread;

use super::boot::launch::{Hearing, Launched, News, launch};
use super::boot::{Blob, Ended, Passport, Start, ToChild};
use super::child::Told;
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

struct Child {
    passport: Passport,
    stack: Option<usize>,
    running: Option<(Launched, Hearing)>,
}

impl Child {
    fn new(work: &Arc<dyn Work>, index: usize) -> Self {
        let options = work.options();
        let passport = Passport {
            name: work.name(index),
            path: work.path(index),
            retires_on_panic: options.on_panic() == OnPanic::Retire,
        };
        Self { passport, stack: options.stack(), running: None }
    }

    fn lost(&self, message: String) -> Failure {
        Failure::told(Cause::Lost { process: self.passport.path.clone(), message })
    }
}

impl There for Child {
    fn begin(&mut self, entry: &'static Entry, arguments: &[u8]) -> Result<(), String> {
        let (launched, hearing) = launch().map_err(|error| {
            format!("no OS process could be had for it ({error}); run fewer at once, or run it on a thread")
        })?;
        let start = Start {
            entry: entry.id(),
            arguments: Blob(arguments.to_vec()),
            stack: self.stack,
            passport: self.passport.clone(),
            shared: None,
        };
        // If it could not be sent the child is dead, and was never told of its arguments; its end will say so.
        launched.tell(ToChild::Start(start));
        self.running = Some((launched, hearing));
        Ok(())
    }

    fn end(&mut self) -> Outcome<Vec<u8>> {
        let (_launched, hearing) = self.running.take().expect("it has begun");
        let mut told = None;
        let mut exit = None;
        for news in hearing {
            match news {
                News::Note(_) => {}
                News::Ended(ended) => told = Some(ended),
                News::Exited(how) => exit = Some(how),
            }
        }
        match told {
            Some(Ended::Returned(Blob(bytes))) => match postcard::from_bytes(&bytes) {
                Ok(Told::Returned(Blob(result))) => Ok(result),
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
                Err(self.lost(format!("its OS process ended by itself: {how}")))
            }
        }
    }
}
