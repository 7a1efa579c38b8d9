//! `n * process`

use std::fmt;
use std::ops::Mul;

use super::{Backend, Process};

/// `n` replicas of a process, as made by `n * process` or `process * n`.
///
/// Each replica gets a clone of every argument. Every channel end in the arguments, however deeply nested, thereby
/// becomes a new end of its channel. [`parallel!`](crate::parallel) and [`sequence!`](crate::sequence) clone the
/// arguments of a replica when it starts. [`spawn`](crate::spawn) and [`into_vec`](Self::into_vec), which separate
/// the replicas, clone all at once. `0 * process` makes no replica and drops the arguments. The replicas are named
/// `name[0]` to `name[n - 1]`.
///
/// Idea: replicated `PAR` of occam, multiplication of processes in PyCSP.
///
/// ```
/// use csp::{parallel, process, Channel, Writer};
///
/// #[process]
/// fn hello(out: Writer<u32>) -> csp::Result {
///     Ok(out.write(1)?)
/// }
/// #[process]
/// fn count(greetings: csp::Reader<u32>) -> usize {
///     greetings.iter().count()
/// }
///
/// let channel = Channel::new();
/// let (results, n) = parallel!(10 * hello(channel.writer()), count(channel.reader()));
/// assert_eq!((results.len(), n), (10, 10));
/// ```
#[must_use = "processes do nothing until they are run: hand them to `parallel!`, `sequence!` or `spawn`"]
pub struct Replicated<A, R> {
    pub(crate) process: Process<A, R>,
    pub(crate) count: usize,
    pub(crate) clone: fn(&A) -> A,
}

/// The bound on the arguments of a replicated process: they are `Clone`.
#[diagnostic::on_unimplemented(
    message = "a replicated process clones its arguments: `{Self}` is not `Clone`",
    label = "this process can't be replicated",
    note = "give each replica its own arguments: put the processes into a `Vec`"
)]
pub trait Replicable: Clone {}

impl<A: Clone> Replicable for A {}

impl<A: Replicable, R> Mul<Process<A, R>> for usize {
    type Output = Replicated<A, R>;

    fn mul(self, process: Process<A, R>) -> Replicated<A, R> {
        Replicated { process, count: self, clone: A::clone }
    }
}

impl<A: Replicable, R> Mul<usize> for Process<A, R> {
    type Output = Replicated<A, R>;

    fn mul(self, count: usize) -> Replicated<A, R> {
        count * self
    }
}

impl<A: Clone, R> Clone for Replicated<A, R> {
    fn clone(&self) -> Self {
        Self { process: self.process.clone(), count: self.count, clone: self.clone }
    }
}

impl<A, R> Replicated<A, R> {
    /// Names the replicas as [`Process::named`] does. The index follows the name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.process = self.process.named(name);
        self
    }

    /// Sets the backend of each replica, as [`Process::on`] does.
    pub fn on(mut self, backend: Backend) -> Self {
        self.process = self.process.on(backend);
        self
    }

    /// Sets the stack size of each replica in bytes, as [`Process::stack`] does.
    pub fn stack(mut self, bytes: usize) -> Self {
        self.process = self.process.stack(bytes);
        self
    }

    /// Makes each replica a daemon, as [`Process::daemon`] does.
    pub fn daemon(mut self) -> Self {
        self.process = self.process.daemon();
        self
    }

    /// Returns the replicas as separate processes, each with its own arguments and its name with index.
    pub fn into_vec(self) -> Vec<Process<A, R>> {
        self.one_by_one().collect()
    }

    /// Returns the same processes one by one. Each is cloned when the iterator reaches it.
    pub(crate) fn one_by_one(self) -> impl Iterator<Item = Process<A, R>> {
        let Self { process: Process { options, arguments, code }, count, clone } = self;
        let mut prototype = Some(arguments);
        (0..count).map(move |index| {
            let arguments =
                if index + 1 == count { prototype.take() } else { prototype.as_ref().map(clone) };
            let name = format!("{}[{index}]", options.name());
            let arguments = arguments.expect("the last one takes the original");
            Process { options: options.clone(), arguments, code }.named(name)
        })
    }
}

impl<A, R> IntoIterator for Replicated<A, R> {
    type Item = Process<A, R>;
    type IntoIter = std::vec::IntoIter<Process<A, R>>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_vec().into_iter()
    }
}

impl<A, R> fmt::Debug for Replicated<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} * {:?}", self.count, self.process)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crate::{process, sequence};

    struct Counted(Arc<AtomicUsize>);

    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, Ordering::SeqCst);
            Self(Arc::clone(&self.0))
        }
    }

    #[process(crate = crate)]
    fn clones(counted: Counted) -> usize {
        counted.0.load(Ordering::SeqCst)
    }

    #[test]
    fn a_sequence_clones_the_arguments_of_a_replica_when_its_turn_comes() {
        assert_eq!(sequence!(3 * clones(Counted(Arc::default()))).0, [1, 2, 2]);
    }
}
