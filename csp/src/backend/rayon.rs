//! The threads of rayon, for CPU work: as many as there are cores, the same for all of the program.

use std::io;
use std::sync::Once;

use crate::pool::{self, Job};
use crate::quiet;

/// Has one of them do it, when its turn comes.
pub(super) fn run(job: Job<'static>) -> io::Result<()> {
    static ONCE: Once = Once::new();
    // Whoever has set the pool up before has it as he wanted; then its threads are strangers.
    ONCE.call_once(|| {
        let known = rayon_core::ThreadPoolBuilder::new();
        let _ = known.start_handler(|_| quiet::ignore_this_thread()).build_global();
    });
    // It would wait at this very thread, which a scheduler may keep for itself.
    if rayon_core::current_thread_index().is_some() {
        return pool::run(job);
    }
    rayon_core::spawn(pool::counted(job));
    Ok(())
}
