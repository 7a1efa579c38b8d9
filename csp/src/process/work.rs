//! Jobs: processes on the way from their start to their results.
#![allow(missing_debug_implementations, reason = "nobody outside sees a job")]
#![allow(unsafe_code)]

use std::alloc::Layout;
use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll};

use super::code::Entry;
use super::group::Group;
use super::{Failure, Options};
use crate::sync::RawLock;
use crate::wait::lineage::Named;
use crate::wait::park::{self, Before, Context};

/// The unit that a backend runs: `count` processes that are alike.
pub(crate) trait Work: Named {
    fn options(&self) -> &Options;
    fn count(&self) -> usize;
    /// Runs one of them on the calling thread and stack, to its end. Never unwinds.
    fn run(&self, index: usize);
    /// Runs one of them in another OS process, to its end. Never unwinds.
    fn run_away(&self, index: usize, there: &mut dyn There);
    /// Gives up one that can't be started. Its arguments are dropped.
    fn refuse(&self, index: usize, reason: &str);
    /// Returns `None` if the processes block. Then `run` runs them. Otherwise they are futures to be polled, and `run`
    /// must not be called.
    fn futures(&self) -> Option<&dyn Futures> {
        None
    }
    /// Shows the locks that its processes take, which may belong to the thread that has made them.
    #[allow(dead_code, reason = "for schedulers on several cores")]
    fn locks(&self, _each: &mut dyn FnMut(&dyn RawLock)) {}
    /// Returns the grip on its OS process, if it is one process that somebody may end.
    fn grip(&self) -> Option<&Arc<Grip>> {
        None
    }
    /// Returns whether observers see it as a process. If not, only the backend knows of it.
    fn is_seen(&self) -> bool {
        true
    }
}

/// Processes that are futures. The caller provides a place for each future, and makes its process the current one
/// while the future is begun or polled.
pub(crate) trait Futures {
    /// Returns the size and the alignment of one future.
    fn layout(&self) -> Layout;

    /// Makes one future. `None` says that the future is there, to be polled.
    ///
    /// # Safety
    /// The place is free, and has room for `layout`.
    unsafe fn begin(&self, index: usize, place: *mut u8) -> Option<Over>;

    /// Polls the future. Once it is over, its place is empty.
    ///
    /// # Safety
    /// The future was begun at this place, has not been moved, and is not over.
    unsafe fn poll(
        &self,
        index: usize,
        place: *mut u8,
        waking: &mut task::Context<'_>,
    ) -> Poll<Over>;

    /// Drops a future that will not be polled any more.
    ///
    /// # Safety
    /// The future was begun at this place, has not been moved, and is not over.
    unsafe fn give_up(&self, index: usize, place: *mut u8, reason: &str) -> Over;

    /// Ends a process whose children have ended too. `outcome` is the result of its function, and `failure` that of
    /// a child.
    fn end(&self, index: usize, outcome: Box<dyn Any>, failure: Option<Failure>);
}

/// The state of a process whose function is over.
pub(crate) enum Over {
    /// The process is over too.
    Whole,
    /// The process has this outcome, but it has children that have not ended.
    Children(Arc<Group>, Box<dyn Any>),
}

/// Runs one process of `work` here.
pub(crate) fn run(work: &Arc<dyn Work>, index: usize) {
    as_process(work, index, || work.run(index));
}

/// Runs one process of `work` in another OS process. Here the thread that waits for it bears its name.
pub(crate) fn run_away(work: &Arc<dyn Work>, index: usize, there: &mut dyn There) {
    as_process(work, index, || work.run_away(index, there));
}

/// An OS process that one process is to run in.
pub(crate) trait There {
    /// Prepares the OS process. The process calls this before it serializes its arguments.
    fn prepare(&mut self) -> Result<(), String>;
    /// Begins the run there. An error says why that is impossible.
    fn begin(&mut self, entry: &'static Entry, arguments: &[u8]) -> Result<(), String>;
    /// Waits for the end. Returns the serialized result, or the failure.
    fn end(&mut self) -> Outcome<Vec<u8>>;
}

/// The means to end the OS process of a process.
#[derive(Default)]
pub(crate) struct Grip(Mutex<Gripped>);

#[derive(Default)]
enum Gripped {
    #[default]
    Unstarted,
    /// There is none, because the process runs in place.
    Nothing,
    /// It was killed before it had begun.
    Forestalled,
    Runs {
        /// Its number, if it is on this machine.
        id: Option<u32>,
        kill: Box<dyn Fn() + Send>,
    },
    Over,
}

impl Grip {
    fn lock(&self) -> MutexGuard<'_, Gripped> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of the OS process, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        match *self.lock() {
            Gripped::Runs { id, .. } => id,
            Gripped::Unstarted | Gripped::Nothing | Gripped::Forestalled | Gripped::Over => None,
        }
    }

    /// Ends the OS process. Returns false if there is none and there never will be.
    pub(crate) fn kill(&self) -> bool {
        let mut gripped = self.lock();
        match &*gripped {
            Gripped::Unstarted => *gripped = Gripped::Forestalled,
            Gripped::Runs { kill, .. } => kill(),
            Gripped::Forestalled | Gripped::Over => {}
            Gripped::Nothing => return false,
        }
        true
    }

    /// Notes that the process runs in place.
    pub(crate) fn has_nothing(&self) {
        *self.lock() = Gripped::Nothing;
    }

    /// Returns whether it was killed before it had begun.
    pub(crate) fn is_forestalled(&self) -> bool {
        matches!(*self.lock(), Gripped::Forestalled)
    }

    /// Notes that the OS process runs. `kill` is no code of the user's.
    pub(crate) fn runs(&self, id: Option<u32>, kill: impl Fn() + Send + 'static) {
        let mut gripped = self.lock();
        if matches!(*gripped, Gripped::Forestalled) {
            kill();
        }
        *gripped = Gripped::Runs { id, kill: Box::new(kill) };
    }

    pub(crate) fn is_over(&self) {
        let before = std::mem::replace(&mut *self.lock(), Gripped::Over);
        drop(before);
    }
}

/// Gives up one process of `work` that can't be started. Its outcome states the reason, and so does the poison of
/// its channel ends.
pub(crate) fn refuse(work: &Arc<dyn Work>, index: usize, reason: &str) {
    as_process(work, index, || work.refuse(index, reason));
}

/// Calls `f` as a process of `work`.
pub(crate) fn as_process(work: &Arc<dyn Work>, index: usize, f: impl FnOnce()) {
    struct End(&'static Context, Option<Before>);
    impl Drop for End {
        fn drop(&mut self) {
            self.0.end(self.1.take().expect("it is dropped once"));
        }
    }
    let context = park::current();
    let of: &dyn Work = &**work;
    let retiring = of.options().retiring();
    let of: *const dyn Work = of;
    // SAFETY: the context is ended before this function returns, and the work is borrowed for as long.
    let before = unsafe { context.begin(of, index, retiring) };
    let _end = End(context, Some(before));
    f();
}

pub(crate) type Outcome<R> = Result<R, Failure>;
