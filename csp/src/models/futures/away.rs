//! Operations that a node has, beyond this OS process, while their future changes its waker, takes them back or is dropped. The
//! node is a lock and a table of one operation, used as `backend/subprocess/node` uses its own.

use super::*;
use crate::commit::awaited::AwaitedMany;
use crate::commit::waiter::{BEYOND, Outcome, Waiter};
use crate::models::{all_are_found, is_planted};
use crate::wait::future::wakes::Wakes;

/// A mistake of the node or of the owner, and a model that finds it.
const MISTAKES: [(&str, &str); 3] = [
    ("wakes nobody", "an_operation_beyond_wakes_its_process"),
    // A pending operation that is wanted back stands on.
    ("keeps what is wanted back", "a_pending_operation_is_taken_back"),
    // One that is let go can't be had any more.
    ("stays held", "a_pending_operation_stands_on_when_it_is_let_go"),
];

/// The preemptions of these models, which have two processes.
const PREEMPTIONS: usize = 4;

#[derive(Default)]
struct Table {
    standing: Option<NonNull<Waiter>>,
    is_wanted: bool,
}

struct Node(loom::sync::Mutex<Table>);

// SAFETY: the waiter is used under the lock, while it is in the table.
unsafe impl Send for Node {}
// SAFETY: as above.
unsafe impl Sync for Node {}

impl Node {
    fn new() -> Arc<Self> {
        Arc::new(Self(loom::sync::Mutex::default()))
    }

    /// Takes the operation out and wakes it, as `decide` says. It is still the caller's until the lock is free.
    fn concludes(&self, decide: impl FnOnce(&Waiter, bool) -> bool) {
        let mut later = Wakes::new();
        let mut table = self.0.lock().unwrap();
        if let Some(waiter) = table.standing {
            // SAFETY: it is in the table.
            let waiter = unsafe { waiter.as_ref() };
            if decide(waiter, table.is_wanted) {
                table.standing = None;
                if !is_planted("wakes nobody") {
                    waiter.wake_later(&mut later);
                }
            }
        }
        drop(table);
        drop(later);
    }

    /// Performs a plain operation.
    fn performs(&self) {
        self.concludes(|waiter, _| {
            waiter.performed(BEYOND);
            true
        });
    }

    /// Performs an operation that its process may take back.
    fn claims(&self) {
        self.concludes(|waiter, _| {
            let takes = waiter.commit(BEYOND);
            if takes {
                waiter.performed(BEYOND);
            }
            takes
        });
    }

    /// Holds such an operation, and lets it go later.
    fn holds_and_lets_go(&self) {
        let is_held = {
            let table = self.0.lock().unwrap();
            // SAFETY: it is in the table.
            table.standing.is_some_and(|waiter| unsafe { waiter.as_ref() }.hold())
        };
        if !is_held {
            return;
        }
        self.concludes(|waiter, is_wanted| {
            if is_wanted && !is_planted("keeps what is wanted back") {
                return waiter.begins_anew();
            }
            if !is_planted("stays held") {
                waiter.stands_again();
            }
            false
        });
    }
}

/// An operation in a future.
struct Operation {
    waiter: AwaitedMany,
    node: Arc<Node>,
    mixed: bool,
    stands: Cell<bool>,
}

impl Operation {
    fn new(node: &Arc<Node>, mixed: bool) -> Pin<Box<Self>> {
        let node = Arc::clone(node);
        Box::pin(Self { waiter: AwaitedMany::new(), node, mixed, stands: Cell::new(false) })
    }

    fn begin(&self, waker: &Waker) {
        // SAFETY: it is pinned, and left before it is dropped.
        let waiter = unsafe { self.waiter.make(waker, 1, &Host) };
        self.node.0.lock().unwrap().standing = Some(NonNull::from(waiter));
        self.stands.set(true);
    }

    fn poll(&self, waker: &Waker, come: bool) -> Option<Outcome> {
        if !self.stands.get() {
            self.begin(waker);
        }
        let while_standing = |act: &mut dyn FnMut()| {
            let table = self.node.0.lock().unwrap();
            if table.standing.is_some() {
                act();
            }
        };
        let outcome = self.waiter.poll_beyond(waker, &Host, (self.mixed, come), while_standing)?;
        self.conclude();
        Some(outcome)
    }

    fn conclude(&self) {
        // As in the node, the lock is taken in any case.
        self.node.0.lock().unwrap().standing = None;
        self.waiter.clear(&Host);
        self.stands.set(false);
    }

    fn want_back(&self) {
        self.node.0.lock().unwrap().is_wanted = true;
    }

    /// Leaves it as the drop of a future does. Returns `None` if the node has abandoned it.
    fn leave(&self) -> Option<Outcome> {
        let outcome = self.waiter.leave_beyond(self.mixed, |may| {
            let mut table = self.node.0.lock().unwrap();
            let leaves = table.standing.is_some() && may();
            if leaves {
                table.standing = None;
            }
            leaves
        });
        self.conclude();
        outcome
    }
}

const DONE: Outcome = Outcome::Committed(BEYOND);

async fn awaits(operation: &Operation) -> Outcome {
    poll_fn(|waking| match operation.poll(waking.waker(), false) {
        Some(outcome) => Poll::Ready(outcome),
        None => Poll::Pending,
    })
    .await
}

/// Explores what becomes of an operation, with the node in another thread.
fn outcomes<F: Future<Output = Option<Outcome>> + 'static>(
    mixed: bool,
    own: fn(Pin<Box<Operation>>) -> F,
    of_node: fn(&Node),
) -> BTreeSet<String> {
    let seen = explore_with(PREEMPTIONS, false, move || {
        let node = Node::new();
        let (to, from) = loom::sync::mpsc::channel();
        let operation = Operation::new(&node, mixed);
        let future = async move {
            // The node has it from the first poll on.
            poll_fn(|waking| {
                operation.begin(waking.waker());
                Poll::Ready(())
            })
            .await;
            to.send(()).unwrap();
            own(operation).await
        };
        (
            move || format!("{:?}", drive(future)),
            move || {
                from.recv().unwrap();
                of_node(&node);
            },
        )
    });
    seen.into_iter().map(|(outcome, ())| outcome).collect()
}

fn one_of(all: &[Option<Outcome>]) -> BTreeSet<String> {
    all.iter().map(|outcome| format!("{outcome:?}")).collect()
}

async fn waits(operation: Pin<Box<Operation>>) -> Option<Outcome> {
    Some(awaits(&operation).await)
}

async fn changes(operation: Pin<Box<Operation>>) -> Option<Outcome> {
    if let Some(outcome) = operation.poll(Waker::noop(), false) {
        return Some(outcome);
    }
    Some(awaits(&operation).await)
}

async fn leaves(operation: Pin<Box<Operation>>) -> Option<Outcome> {
    operation.leave()
}

/// Takes it back as a sink does.
async fn takes_back(operation: Pin<Box<Operation>>) -> Option<Outcome> {
    operation.want_back();
    poll_fn(|waking| {
        if let Some(outcome) = operation.poll(waking.waker(), true) {
            return Poll::Ready(Some(outcome));
        }
        if operation.waiter.is_held() {
            return Poll::Pending;
        }
        Poll::Ready(operation.leave())
    })
    .await
}

#[test]
fn an_operation_beyond_wakes_its_process() {
    assert_eq!(outcomes(false, waits, Node::performs), one_of(&[Some(DONE)]));
}

#[test]
fn an_operation_beyond_changes_who_is_woken() {
    assert_eq!(outcomes(false, changes, Node::performs), one_of(&[Some(DONE)]));
}

#[test]
fn an_operation_beyond_is_dropped() {
    assert_eq!(outcomes(false, leaves, Node::performs), one_of(&[Some(DONE), None]));
}

#[test]
fn a_pending_operation_stands_on_when_it_is_let_go() {
    let seen = outcomes(true, waits, |node| {
        node.holds_and_lets_go();
        node.claims();
    });
    assert_eq!(seen, one_of(&[Some(DONE)]));
}

#[test]
fn a_pending_operation_changes_who_is_woken() {
    let seen = outcomes(true, changes, |node| {
        node.holds_and_lets_go();
        node.claims();
    });
    // It is withdrawn for a waker, and would begin anew.
    assert_eq!(seen, one_of(&[Some(DONE), Some(Outcome::Withdrawn)]));
}

#[test]
fn a_pending_operation_is_taken_back() {
    let seen = outcomes(true, takes_back, Node::holds_and_lets_go);
    assert_eq!(seen, one_of(&[Some(Outcome::Retry), Some(Outcome::Withdrawn)]));
}

#[test]
fn a_pending_operation_is_dropped() {
    let seen = outcomes(true, leaves, |node| {
        node.holds_and_lets_go();
        node.claims();
    });
    assert_eq!(seen, one_of(&[Some(DONE), Some(Outcome::Withdrawn), None]));
}

#[test]
fn each_mistake_is_found() {
    all_are_found(module_path!(), &MISTAKES);
}
