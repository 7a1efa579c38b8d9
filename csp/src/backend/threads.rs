//! One OS thread for each process. It waits as every plain thread does, so this file contains only the start.

use std::sync::Arc;
use std::thread;

use crate::process::work;
use crate::process::work::Work;
use crate::wait::park;
use crate::watch::census::census;

pub(super) fn start(work: Arc<dyn Work>) {
    for index in 0..work.count() {
        let mut thread = thread::Builder::new().name(work.path(index).replace('\0', "\u{fffd}"));
        if let Some(bytes) = work.options().stack() {
            thread = thread.stack_size(bytes);
        }
        let process = Arc::clone(&work);
        let started = thread.spawn(move || {
            // Hides the thread itself, because reports show the process that runs on it.
            park::current().hide();
            #[cfg(all(feature = "subprocess", target_os = "linux", not(loom)))]
            super::subprocess::name_overflows();
            match process.futures() {
                Some(_) => super::futures::run_alone(&process, index),
                None => work::run(&process, index),
            }
        });
        if let Err(error) = started {
            let reason = format!(
                "no thread could be had ({error}); run fewer processes at once, or run them on coroutines; {}",
                census()
            );
            work::refuse(&work, index, &reason);
        }
    }
}
