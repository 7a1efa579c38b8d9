//! Mistakes that can be planted, to see that the checks find them. Most were made once.

use super::home::{Home, Leaving, Post};
use super::{Few, OpId, Out, Wild};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Fault {
    None,
    /// Guards become visible one after another.
    GuardsOneByOne,
    /// The end of a channel closes offers that are in an undecided pair.
    ClosesEngaged,
    /// A cancelled offer leaves its undecided pair.
    CancelsEngaged,
    /// After a refusal the partner is not matched again.
    ForgetsRematch,
    /// After a refusal the held one is not released.
    ForgetsRelease,
    /// Of two, the reader is held while the writer is asked, whichever is the lower.
    ReservesReader,
    /// An owner answers a question while another home holds the operation.
    AnswersReserved,
    /// An operation fails with one home while another holds it.
    FailsReserved,
    /// What an owner took back while it was asked is refused twice.
    HearsTwice,
    /// What a dead reader had not read is gone.
    LosesUnread,
    /// A dead node's ends stay counted.
    KeepsRows,
    /// An end on its way is not counted.
    TransitUncounted,
}

pub(super) const ALL: [Fault; 12] = [
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
];

pub(super) fn post_one_by_one<V: Clone, P: Clone>(
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
