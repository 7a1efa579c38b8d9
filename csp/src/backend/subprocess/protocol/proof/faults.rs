//! Mistakes that can be planted, to see that the checks find them. Most were made once.

use crate::backend::subprocess::protocol::home::{Home, Leaving, Post};
use crate::backend::subprocess::protocol::{Few, OpId, Out, Wild};

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(in crate::backend::subprocess::protocol) enum Fault {
    #[default]
    None,
    /// Guards become visible one after another.
    GuardsOneByOne,
    /// The end of a channel closes offers that are in an undecided pair.
    ClosesEngaged,
    /// A cancelled offer leaves its undecided pair.
    CancelsEngaged,
    /// After a refusal the partner is not matched again.
    ForgetsRematch,
    /// After a refusal the held operation is not released.
    ForgetsRelease,
    /// The reader is held while the writer is asked, whichever of the two is the lower.
    ReservesReader,
    /// An owner answers a question while another home holds the operation.
    AnswersReserved,
    /// An operation fails with one home while another holds it.
    FailsReserved,
    /// An operation that its owner withdrew while it was asked is refused twice.
    HearsTwice,
    /// A value that a dead reader had not read is lost.
    LosesUnread,
    /// A dead node's ends stay counted.
    KeepsRows,
    /// An end on its way is not counted.
    TransitUncounted,
    /// A value that is given to a node whose processes have left is lost.
    KeepsGiven,
    /// The offers and ends of such a node stay.
    LeavesUnheard,
    /// A value that is given to an abandoned operation is lost.
    KeepsAbandoned,
    /// The value of a promise whose reader never goes on goes back to the channel of the promise.
    ReturnsToLate,
    /// A promise whose reader never goes on does not go back.
    KeepsPromise,
    /// A lost home is said to have given nothing away.
    TellsReturned,
    /// The same of a home that holds an operation which another node decides about.
    ForgetsHolder,
    /// A value may have been read although its offer was not.
    DoubtsUnheard,
    /// A pending operation that is let go can't be had any more.
    StaysHeld,
}

pub(in crate::backend::subprocess::protocol) const ALL: [Fault; 21] = [
    Fault::GuardsOneByOne,
    Fault::ClosesEngaged,
    Fault::CancelsEngaged,
    Fault::ForgetsRematch,
    Fault::ForgetsRelease,
    Fault::ReservesReader,
    Fault::AnswersReserved,
    Fault::FailsReserved,
    Fault::HearsTwice,
    Fault::LosesUnread,
    Fault::KeepsRows,
    Fault::TransitUncounted,
    Fault::KeepsGiven,
    Fault::LeavesUnheard,
    Fault::KeepsAbandoned,
    Fault::ReturnsToLate,
    Fault::KeepsPromise,
    Fault::TellsReturned,
    Fault::ForgetsHolder,
    Fault::DoubtsUnheard,
    Fault::StaysHeld,
];

pub(in crate::backend::subprocess::protocol) fn post_one_by_one<V: Clone, P: Clone>(
    home: &mut Home<V, P>,
    op: OpId,
    out: &mut Out<V, P>,
) -> Result<(), Wild> {
    let Some(post) = home.posts.get_mut(&op) else {
        return Ok(());
    };
    let (multi, guards) = (post.multi, std::mem::take(&mut post.guards));
    for guard in guards {
        if !home.posts.contains_key(&op) {
            let (guards, leaving) = (Few::new(), Leaving::Stays);
            let post = Post { guards, multi, engaged: None, leaving, probed: false };
            home.posts.insert(op, post);
        }
        let Some(post) = home.posts.get_mut(&op) else { continue };
        post.guards.push(guard);
        if post.engaged.is_none() {
            home.retry(op, out);
        }
    }
    Ok(())
}
