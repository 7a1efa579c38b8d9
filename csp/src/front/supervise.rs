//! Supervision: processes that fail are made anew.
//!
//! Invariant: a child that has been told to stop is waited for before another is made in its place.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use crate::process::{Failure, Process};
use crate::system::stderr;
use crate::{Alternation, Spawned, Stop, StopToken, spawn};

/// Starts children, and makes those anew that fail.
///
/// A child is made by a closure, which is called again for each restart. The closure keeps channel ends or handles, and gives the child
/// clones of them. So the channels of a child outlive it. A child that panics retires its ends, as with `on_panic = retire`, and one
/// that returns an error does, as with `on_error = retire`. Its neighbours do not notice. A value that it had taken is lost.
///
/// A child fails if its [`Spawned::try_join`] would return a [`Failure`]: it panics, or its OS process is lost. A child that returns has
/// ended well, whatever it returns. The supervisor decides what a failure means for the others:
///
/// - [`one_for_one`](Self::one_for_one) makes only the child anew that has failed.
/// - [`one_for_all`](Self::one_for_all) stops all others too, and makes all anew.
/// - [`rest_for_one`](Self::rest_for_one) does so with the children that were added after the one that failed.
///
/// Each child gets a [`StopToken`], by which it is told to stop. An OS process that does not end within the [`grace`](Self::grace) is
/// killed. Nothing kills a coroutine or a thread. The supervisor waits for such a child, and names it on standard error.
///
/// If failures come too often, restarts do not help. More restarts than the [`intensity`](Self::intensity) allows make the supervisor
/// stop all children and [give up](GaveUp). A supervisor of supervisors then decides.
///
/// Idea: the supervisors of Erlang/OTP.
///
/// ```
/// use csp::{Channel, GaveUp, Reader, Supervisor, Writer, parallel, process};
///
/// #[process]
/// fn worker(jobs: Reader<u32>, results: Writer<u32>) -> csp::Result {
///     loop {
///         let job = jobs.read()?;
///         assert!(job != 13, "bad luck");
///         results.write(job * job)?;
///     }
/// }
///
/// #[process]
/// fn pool(jobs: Reader<u32>, results: Writer<u32>) -> Result<(), GaveUp> {
///     Supervisor::one_for_one()
///         .children(4, |_stop| worker(jobs.clone(), results.clone()))
///         .run()
/// }
///
/// #[process]
/// fn source(jobs: Writer<u32>) -> csp::Result {
///     for job in 0..20 {
///         jobs.write(job)?;
///     }
///     Ok(())
/// }
/// # #[process]
/// # fn count(results: Reader<u32>) -> usize { results.iter().count() }
///
/// let (jobs, results) = (Channel::new(), Channel::new());
/// let (_, pool, count) = parallel!(
///     source(jobs.writer()),
///     pool(jobs.reader(), results.writer()),
///     count(results.reader()),
/// );
/// assert!(pool.is_ok());
/// assert_eq!(count, 19);
/// ```
#[must_use = "a supervisor starts its children when it is run"]
pub struct Supervisor<'a> {
    strategy: Strategy,
    restarts: usize,
    period: Duration,
    grace: Duration,
    stopped_by: Option<StopToken>,
    children: Vec<Box<dyn Supervised + 'a>>,
}

#[derive(Clone, Copy, Debug)]
enum Strategy {
    OneForOne,
    OneForAll,
    RestForOne,
}

/// The reason why a [`Supervisor`] has given up: its children failed too often.
///
/// ```
/// use csp::{Supervisor, process};
///
/// #[process]
/// fn hopeless() { panic!("as ever") }
///
/// let gave_up = Supervisor::one_for_one().child(|_| hopeless()).run().unwrap_err();
/// assert_eq!(gave_up.failure().map(|failure| failure.message()), Some("as ever"));
/// ```
#[derive(Clone, Debug)]
pub struct GaveUp {
    reason: String,
    failure: Option<Failure>,
}

impl GaveUp {
    /// Returns the failure that was one too many. It is `None` if the child had ended well, and should not have ended.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        match &self.failure {
            Some(failure) if f.alternate() => write!(f, ": {failure:#}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for GaveUp {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.failure.as_ref().map(|failure| failure as _)
    }
}

/// A child, whatever its type is.
trait Supervised {
    fn start(&mut self);
    fn is_running(&self) -> bool;
    /// Adds the guard for its end, if it runs.
    fn listen<'c>(&'c self, index: usize, choice: &mut Alternation<'c, SupervisorNews>);
    /// Notes that its end was told.
    fn is_over(&mut self);
    /// Tells it to stop.
    fn stop(&mut self);
    /// Kills it, if it is an OS process. Returns whether it is.
    fn kill(&self) -> bool;
    /// Returns a text that names it.
    fn name(&self) -> String;
    /// Returns whether it is made anew also if it ends well.
    fn is_permanent(&self) -> bool;
}

enum SupervisorNews {
    Ended(usize, Option<Failure>),
    Stopped,
    TimeIsOver,
}

struct SupervisedChild<F, R> {
    make: F,
    is_permanent: bool,
    stop: Option<Stop>,
    running: Option<Spawned<R>>,
}

impl<A, R, F> Supervised for SupervisedChild<F, R>
where
    A: Send + 'static,
    R: Send + 'static,
    F: FnMut(StopToken) -> Process<A, R>,
{
    fn start(&mut self) {
        let stop = Stop::new();
        let process = (self.make)(stop.token()).retiring();
        self.running = Some(spawn(process));
        self.stop = Some(stop);
    }

    fn is_running(&self) -> bool {
        self.running.is_some()
    }

    fn listen<'c>(&'c self, index: usize, choice: &mut Alternation<'c, SupervisorNews>) {
        if let Some(running) = &self.running {
            choice.join(running, move |outcome| SupervisorNews::Ended(index, outcome.err()));
        }
    }

    fn is_over(&mut self) {
        (self.running, self.stop) = (None, None);
    }

    fn stop(&mut self) {
        self.stop.take().into_iter().for_each(Stop::stop);
    }

    fn kill(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.kill().is_ok())
    }

    fn name(&self) -> String {
        self.running.as_ref().map(|running| format!("{running:?}")).unwrap_or_default()
    }

    fn is_permanent(&self) -> bool {
        self.is_permanent
    }
}

impl<'a> Supervisor<'a> {
    fn new(strategy: Strategy) -> Self {
        Self {
            strategy,
            restarts: 3,
            period: Duration::from_secs(5),
            grace: Duration::from_secs(5),
            stopped_by: None,
            children: Vec::new(),
        }
    }

    /// Makes a supervisor that makes only the child anew that has failed.
    pub fn one_for_one() -> Self {
        Self::new(Strategy::OneForOne)
    }

    /// Makes a supervisor that stops all children if one fails, and makes all anew, in the order in which they were added.
    pub fn one_for_all() -> Self {
        Self::new(Strategy::OneForAll)
    }

    /// Makes a supervisor that stops the children which were added after the one that fails, and makes it and these anew.
    pub fn rest_for_one() -> Self {
        Self::new(Strategy::RestForOne)
    }

    /// Sets how many restarts it tries within a period. The default is 3 in 5 seconds.
    pub fn intensity(mut self, restarts: usize, period: Duration) -> Self {
        (self.restarts, self.period) = (restarts, period);
        self
    }

    /// Sets the time in which a child that was told to stop should end. The default is 5 seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Makes the supervisor stop all its children, and end, when this token is stopped.
    pub fn stopped_by(mut self, stop: StopToken) -> Self {
        self.stopped_by = Some(stop);
        self
    }

    /// Adds a child that is made anew if it fails. If it ends well, it is left alone.
    pub fn child<A, R>(self, make: impl FnMut(StopToken) -> Process<A, R> + 'a) -> Self
    where
        A: Send + 'static,
        R: Send + 'static,
    {
        self.add(make, false)
    }

    /// Adds a child that is made anew whenever it ends.
    pub fn permanent<A, R>(self, make: impl FnMut(StopToken) -> Process<A, R> + 'a) -> Self
    where
        A: Send + 'static,
        R: Send + 'static,
    {
        self.add(make, true)
    }

    /// Adds `count` children as [`child`](Self::child) does.
    pub fn children<A, R>(
        self,
        count: usize,
        make: impl FnMut(StopToken) -> Process<A, R> + Clone + 'a,
    ) -> Self
    where
        A: Send + 'static,
        R: Send + 'static,
    {
        (0..count).fold(self, |supervisor, _| supervisor.child(make.clone()))
    }

    fn add<A, R>(
        mut self,
        make: impl FnMut(StopToken) -> Process<A, R> + 'a,
        is_permanent: bool,
    ) -> Self
    where
        A: Send + 'static,
        R: Send + 'static,
    {
        let child = SupervisedChild { make, is_permanent, stop: None, running: None };
        self.children.push(Box::new(child));
        self
    }

    /// Starts the children, and returns when all have ended well, or when the supervisor was stopped.
    ///
    /// The children are children of the process that calls this. It waits, so an `async` process has another process run its supervisor.
    ///
    /// # Errors
    /// Returns [`GaveUp`] if more restarts were needed than the [`intensity`](Self::intensity) allows. All children have ended then.
    #[track_caller]
    pub fn run(mut self) -> Result<(), GaveUp> {
        let mut restarts = VecDeque::new();
        self.children.iter_mut().for_each(|child| child.start());
        while self.children.iter().any(|child| child.is_running()) {
            let (index, failure) = match self.news() {
                Ok(SupervisorNews::Ended(index, failure)) => (index, failure),
                Ok(SupervisorNews::Stopped | SupervisorNews::TimeIsOver) => {
                    self.halt(0);
                    return Ok(());
                }
                Err(termination) => {
                    self.halt(0);
                    let reason =
                        format!("a supervisor could not wait for its children: {termination:#}");
                    return Err(GaveUp { reason, failure: None });
                }
            };
            let name = self.children[index].name();
            self.children[index].is_over();
            if failure.is_none() && !self.children[index].is_permanent() {
                continue;
            }
            // Restarts that are long ago do not count.
            let now = Instant::now();
            restarts.push_back(now);
            while restarts.front().is_some_and(|&then| now.duration_since(then) > self.period) {
                restarts.pop_front();
            }
            if restarts.len() > self.restarts {
                self.halt(0);
                let mut reason = format!(
                    "a supervisor gave up after {} restarts within {:?}",
                    self.restarts, self.period
                );
                if failure.is_none() {
                    reason += &format!(": {name} has ended");
                }
                return Err(GaveUp { reason, failure });
            }
            self.restart(index);
        }
        Ok(())
    }

    /// Waits for the end of a child, or for the stop.
    #[track_caller]
    fn news(&self) -> crate::Result<SupervisorNews> {
        let mut choice = Alternation::new();
        for (index, child) in self.children.iter().enumerate() {
            child.listen(index, &mut choice);
        }
        if let Some(stop) = &self.stopped_by {
            choice.retired(stop, || SupervisorNews::Stopped);
        }
        choice.choose()
    }

    fn restart(&mut self, failed: usize) {
        let first = match self.strategy {
            Strategy::OneForOne => return self.children[failed].start(),
            Strategy::OneForAll => 0,
            Strategy::RestForOne => failed,
        };
        self.halt(first);
        self.children[first..].iter_mut().for_each(|child| child.start());
    }

    /// Stops the children from `first` on, the last one first, and waits for each.
    fn halt(&mut self, first: usize) {
        for index in (first..self.children.len()).rev() {
            if !self.children[index].is_running() {
                continue;
            }
            self.children[index].stop();
            if let Ok(SupervisorNews::TimeIsOver) = self.end_of(index, Some(self.grace)) {
                let child = &self.children[index];
                if !child.kill() {
                    let name = child.name();
                    stderr::say(format!(
                        "csp: a supervisor waits for {name}, which was told to stop {:?} ago\n",
                        self.grace
                    ));
                }
                let _ = self.end_of(index, None);
            }
            self.children[index].is_over();
        }
    }

    /// Waits for the end of one child, perhaps not for ever.
    fn end_of(&self, index: usize, limit: Option<Duration>) -> crate::Result<SupervisorNews> {
        let mut choice = Alternation::by_priority();
        self.children[index].listen(index, &mut choice);
        if let Some(limit) = limit {
            choice.after(limit, || SupervisorNews::TimeIsOver);
        }
        choice.choose()
    }
}

impl fmt::Debug for Supervisor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Supervisor({:?}, {} children)", self.strategy, self.children.len())
    }
}
