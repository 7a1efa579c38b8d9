//! A node's part in a snapshot of the network: `csp::network()` asks, and each node below answers for itself.
//!
//! No thread waits for another node except the one that asks. A node that is asked passes the question on at once, and then a thread
//! of its own looks. Its answer names the nodes to which it has passed the question on. So the one that asks knows which answers are missing.
//! Questions come from above, and answers from below. A link made by an address is neither.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::looks::{AskedFromAbove, MOST_ASKED, OpenLook, OwnLooks};
use super::seen::SentNetwork;
use super::{SeenThere, Wave};
use crate::backend::subprocess::node::{Inner, Node};
use crate::backend::subprocess::protocol::{NodeId, Wild};
use crate::system::mutex::lock;
use crate::system::quiet;
use crate::wait::seen::others::SeenElsewhere;
use crate::watch::words;

/// How often the one that asks looks whether a node has ended that has not answered.
const AGAIN: Duration = Duration::from_millis(20);

impl Node {
    /// Asks all below. Returns the number of the question, or `None` if nobody is there.
    pub(super) fn look(&'static self) -> Option<u64> {
        if !self.is_here() {
            return None;
        }
        // No answer is handled while the node is locked.
        let mut inner = self.lock();
        let mut own = lock(&self.waves.looks.own);
        let number = own.last + 1;
        let below = self.put_below(&mut inner, &Wave::Look(self.id.0, number));
        if below.is_empty() {
            return None;
        }
        own.last = number;
        let has_others = inner.peers.all.len() > below.len();
        let (awaited, known) = (below.iter().copied().collect(), below.into_iter().collect());
        own.open.insert(number, OpenLook { awaited, known, answers: Vec::new(), has_others });
        drop(own);
        self.notify(&mut inner, false);
        Some(number)
    }

    /// Waits for the answers, and returns what has come.
    pub(super) fn seen(&'static self, number: u64, limit: Duration) -> SeenElsewhere {
        let deadline = Instant::now() + limit;
        let looks = &self.waves.looks;
        loop {
            let own = lock(&looks.own);
            let is_open = |own: &mut OwnLooks| {
                own.open.get(&number).is_some_and(|look| !look.awaited.is_empty())
            };
            let (mut own, _) = looks
                .answered
                .wait_timeout_while(own, AGAIN, is_open)
                .unwrap_or_else(PoisonError::into_inner);
            if !is_open(&mut own) || Instant::now() >= deadline {
                let look = own.open.remove(&number);
                drop(own);
                return look.map_or_else(SeenElsewhere::default, OpenLook::arrived);
            }
            drop(own);
            self.forget_ended(number);
        }
    }

    /// Waits no more for nodes that have ended.
    fn forget_ended(&'static self, number: u64) {
        // The node's lock comes first.
        let inner = self.lock();
        let peers = &inner.peers;
        let is_there = |node: &NodeId| {
            peers.is_peer(*node) || peers.ways.contains_key(node) && !peers.moved.contains(node)
        };
        if let Some(look) = lock(&self.waves.looks.own).open.get_mut(&number) {
            look.awaited.retain(is_there);
        }
    }

    /// Handles a question from above. It runs under the node's lock, so nothing is looked at here.
    pub(in crate::backend::subprocess::node) fn asked(
        &'static self,
        inner: &mut Inner,
        asker: u64,
        number: u64,
    ) -> Result<(), Wild> {
        let looks = &self.waves.looks;
        let mut asked = lock(&looks.asked);
        // A node that asks more often than that waits for some in vain.
        if asked.len() < MOST_ASKED {
            let below = self.put_below(inner, &Wave::Look(asker, number));
            let below = below.into_iter().map(|node| node.0).collect();
            asked.push_back(AskedFromAbove { asker, number, below });
            looks.came.notify_one();
        }
        drop(asked);
        // Without a thread there is no answer, and the one that asks says so.
        let _ = looks.looker.need(move || self.answer_all());
        Ok(())
    }

    /// Looks for those that have asked.
    fn answer_all(&'static self) {
        quiet::ignore_this_thread();
        #[cfg(test)]
        crate::backend::subprocess::node::HERE.set(Some(self));
        loop {
            let looks = &self.waves.looks;
            let asked = lock(&looks.asked);
            let mut asked = looks
                .came
                .wait_while(asked, |asked| asked.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            let Some(AskedFromAbove { asker, number, below }) = asked.pop_front() else { continue };
            drop(asked);
            let network = SentNetwork::of(&words::here());
            let author = self.id.0;
            self.tell_above(&Wave::Seen(SeenThere { asker, number, author, below, network }));
        }
    }

    /// Handles an answer from below. One that nobody waits for has no effect: the node that has asked may have given up, and its
    /// author may be dead.
    pub(in crate::backend::subprocess::node) fn answered(
        &'static self,
        inner: &mut Inner,
        from: NodeId,
        seen: SeenThere,
    ) -> Result<(), Wild> {
        let author = NodeId(seen.author);
        let is_mine = author == self.id || inner.estates.answer_for(author);
        if is_mine || author != from && inner.peers.is_peer(author) {
            return Err(Wild("an answer in another's name"));
        }
        if inner.peers.way(author) != Some(from) {
            return Ok(());
        }
        if seen.asker != self.id.0 {
            if let Some(parent) = self.parent {
                inner.peers.wave(parent, &Wave::Seen(seen));
            }
            return Ok(());
        }
        let looks = &self.waves.looks;
        let mut own = lock(&looks.own);
        if let Some(look) = own.open.get_mut(&seen.number)
            && look.awaited.remove(&author)
        {
            for node in seen.below.into_iter().map(NodeId) {
                // A node speaks of nodes that are reached by the same peer.
                if inner.peers.ways.get(&node) == Some(&from) {
                    look.awaits(node);
                }
            }
            look.answers.push(seen.network);
            looks.answered.notify_all();
        }
        Ok(())
    }
}
