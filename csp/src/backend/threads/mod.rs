//! One OS thread a process. It waits as every plain thread does, so there is nothing here but the start.

use std::sync::Arc;
use std::thread;

use crate::park;
use crate::process::job::{self, Work};
use crate::survey::census;

pub(super) fn start(work: Arc<dyn Work>) {
    for index in 0..work.count() {
        let mut thread = thread::Builder::new().name(work.path(index).replace('\0', "\u{fffd}"));
        if let Some(bytes) = work.options().stack() {
            thread = thread.stack_size(bytes);
        }
        let process = Arc::clone(&work);
        let started = thread.spawn(move || {
            // The thread itself, which goes by the name of its process.
            park::current().hide();
            match process.futures() {
                Some(_) => super::futures::run_alone(&process, index),
                None => job::run(&process, index),
            }
        });
        if let Err(error) = started {
            let reason = format!(
                "no thread could be had ({error}); run fewer processes at once, or run them on coroutines; {}",
                census()
            );
            job::refuse(&work, index, &reason);
        }
    }
}
