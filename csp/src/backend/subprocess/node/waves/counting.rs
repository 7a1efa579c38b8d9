//! A node's part in the counting of processes that can go on.

use std::sync::PoisonError;
use std::time::Duration;

use super::{Answers, Wave};
use crate::backend::subprocess::node::{Inner, Node};
use crate::backend::subprocess::protocol::{Ending, NodeId};
use crate::backend::subprocess::values::text;
use crate::channel::far::{Bytes, Remote as _};
use crate::report::termination::{Poison, Termination};
use crate::system::mutex::lock;
use crate::wait::seen::others::{self, Asked, Count, Others, SeenElsewhere, Shown};

impl Node {
    /// Asks the nodes below, which may ask others for half as long. Returns `None` if not all have
    /// answered in time.
    fn ask(
        &'static self,
        limit: Duration,
        question: fn(u64, Duration) -> Wave,
    ) -> Option<Vec<Wave>> {
        let mut answers = lock(&self.waves.answers);
        answers.number += 1;
        answers.by.clear();
        let question = question(answers.number, limit / 2);
        drop(answers);
        let asked = self.tell_below(&question);
        let incomplete = |answers: &mut Answers| answers.by.len() < asked;
        let answers = lock(&self.waves.answers);
        let (mut answers, waited) = self
            .waves
            .came
            .wait_timeout_while(answers, limit, incomplete)
            .unwrap_or_else(PoisonError::into_inner);
        (!waited.timed_out()).then(|| answers.by.drain().map(|(_, answer)| answer).collect())
    }

    /// Tells the nodes below, and returns their number.
    fn tell_below(&'static self, wave: &Wave) -> usize {
        let mut inner = self.lock();
        let below = self.put_below(&mut inner, wave);
        self.notify(&mut inner, false);
        below.len()
    }

    /// Puts a wave into the links to the nodes below, and returns these. The caller, or the thread that leads, notifies them.
    pub(super) fn put_below(&self, inner: &mut Inner, wave: &Wave) -> Vec<NodeId> {
        let below = inner.peers.others(self.parent.unwrap_or(self.id));
        below.iter().for_each(|peer| inner.peers.wave(*peer, wave));
        below
    }

    pub(super) fn tell_above(&'static self, wave: &Wave) {
        let Some(parent) = self.parent else { return };
        let mut inner = self.lock();
        inner.peers.wave(parent, wave);
        self.notify(&mut inner, false);
    }
}

/// This OS process, as the watch sees it.
struct Below;

/// From now on the watch asks and is asked.
pub(in crate::backend::subprocess::node) fn begin() {
    others::know(&Below);
}

impl others::Waves for Below {
    /// Returns where this OS process stands among others.
    fn others(&self) -> Others {
        match Node::linked() {
            Some(node) if node.peers.load(std::sync::atomic::Ordering::SeqCst) > 0 => {
                if node.parent.is_some() { Others::Above } else { Others::Below }
            }
            _ => Others::None,
        }
    }

    /// Tells the OS process above that nobody here is awake.
    fn tell_quiet(&self) {
        if let Some(node) = Node::linked() {
            node.tell_above(&Wave::Quiet);
        }
    }

    /// Returns this OS process's number, and how many messages it has sent and handled. Returns `None`
    /// if some wait to be sent.
    fn tally(&self) -> Option<(u64, u64, u64)> {
        let node = Node::linked()?;
        let inner = node.lock();
        let peers = || inner.peers.all.iter();
        let (said, heard) = (peers().map(|peer| peer.said), peers().map(|peer| peer.heard));
        inner.held_back.is_empty().then(|| (node.id.0, said.sum(), heard.sum()))
    }

    /// Counts all OS processes below. Returns `None` if a process there is awake, or a node does not
    /// answer.
    fn count(&self, limit: Duration) -> Option<Count> {
        let answers = Node::linked()?.ask(limit, Wave::Count)?;
        let counts = answers.into_iter().map(|answer| match answer {
            Wave::Counted(_, Some([stamp, said, heard]), awaited) => {
                Some(Count { stamp, said, heard, awaited })
            }
            _ => None,
        });
        counts.sum()
    }

    /// Returns the processes that wait below, or `None` if a node does not answer.
    fn show(&self, limit: Duration) -> Option<Vec<Shown>> {
        let answers = Node::linked()?.ask(limit, Wave::Show)?;
        let shown = answers.into_iter().filter_map(|answer| match answer {
            Wave::Shown(_, blocked, remedy) => {
                let tame = |(name, why)| (text::name(name), text::reason(why));
                Some(Shown { blocked: blocked.into_iter().map(tame).collect(), remedy })
            }
            _ => None,
        });
        Some(shown.collect())
    }

    /// Tells all below to end their waits.
    fn end(&self, joins: bool, poison: &Poison) {
        if let Some(node) = Node::linked() {
            let poison = node.lock().causes.encode(poison).to_vec();
            node.tell_below(&Wave::End { joins, poison });
        }
    }

    /// Returns the oldest question of the OS process above.
    fn asked(&self) -> Option<Asked> {
        let node = Node::linked()?;
        let wave = lock(&node.waves.asked).pop_front()?;
        match wave {
            Wave::Count(number, limit) => Some(Asked::Count(number, limit)),
            Wave::Show(number, limit) => Some(Asked::Show(number, limit)),
            Wave::End { joins, poison } => {
                match node.termination(&Ending::Poisoned(Bytes::from(poison))) {
                    Termination::Poisoned(poison) => Some(Asked::End { joins, poison }),
                    Termination::Retired => None,
                }
            }
            _ => None,
        }
    }

    /// Answers a count. `None`: a process is awake.
    fn counted(&self, number: u64, count: Option<Count>) {
        if let Some(node) = Node::linked() {
            let numbers = count.map(|count| [count.stamp, count.said, count.heard]);
            let awaited = count.is_some_and(|count| count.awaited);
            node.tell_above(&Wave::Counted(number, numbers, awaited));
        }
    }

    fn look(&self) -> Option<u64> {
        Node::linked()?.look()
    }

    fn seen(&self, number: u64, limit: Duration) -> SeenElsewhere {
        Node::linked().map_or_else(SeenElsewhere::default, |node| node.seen(number, limit))
    }

    fn shown(&self, number: u64, Shown { blocked, remedy }: Shown) {
        if let Some(node) = Node::linked() {
            node.tell_above(&Wave::Shown(number, blocked, remedy));
        }
    }
}
