//! What nodes ask each other to find out whether anybody in any of them can go on. Who asks, and what is made of the
//! answers, is the watch's part (`watch/everywhere`).

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Node;
use crate::backend::others::{Asked, Count, Others, Shown};
use crate::backend::subprocess::bytes::Bytes;
use crate::backend::subprocess::protocol::{Ending, NodeId, Wild};
use crate::quiet;
use crate::termination::{Poison, Termination};

/// Down, and the answers up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Wave {
    /// Up: nobody here is awake.
    Quiet,
    Count(u64, Duration),
    Counted(u64, Option<[u64; 3]>, bool),
    Show(u64, Duration),
    Shown(u64, Vec<(String, String)>, Option<bool>),
    End {
        joins: bool,
        poison: Vec<u8>,
    },
}

#[derive(Default)]
pub(super) struct Waves {
    /// By the node above.
    asked: Mutex<VecDeque<Wave>>,
    /// From those below.
    answers: Mutex<Answers>,
    came: Condvar,
}

#[derive(Default)]
struct Answers {
    /// Of the question that they answer.
    number: u64,
    by: HashMap<NodeId, Wave>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Waves {
    /// Under the node's lock: nothing is judged here.
    pub(super) fn came(&self, from_above: bool, from: NodeId, wave: Wave) -> Result<(), Wild> {
        match wave {
            Wave::Count(..) | Wave::Show(..) | Wave::End { .. } if from_above => {
                lock(&self.asked).push_back(wave);
                quiet::call_watch(false);
            }
            Wave::Quiet if !from_above => quiet::call_watch(true),
            Wave::Counted(number, ..) | Wave::Shown(number, ..) if !from_above => {
                let mut answers = lock(&self.answers);
                if answers.number == number {
                    answers.by.insert(from, wave);
                    self.came.notify_one();
                }
            }
            _ => return Err(Wild("a wave that comes from the wrong side")),
        }
        Ok(())
    }
}

impl Node {
    /// Asks those below, who may ask others for half as long; None: not all have answered in time.
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

    /// How many they are.
    fn tell_below(&'static self, wave: &Wave) -> usize {
        let mut inner = self.lock();
        let below = inner.peers.others(self.parent.unwrap_or(self.id));
        below.iter().for_each(|peer| inner.peers.wave(*peer, wave));
        self.notify(&mut inner, false);
        below.len()
    }

    fn tell_above(&'static self, wave: &Wave) {
        let Some(parent) = self.parent else { return };
        let mut inner = self.lock();
        inner.peers.wave(parent, wave);
        self.notify(&mut inner, false);
    }
}

/// Where this OS process stands among others.
pub(crate) fn others() -> Others {
    match Node::linked() {
        Some(node) if node.peers.load(std::sync::atomic::Ordering::SeqCst) > 0 => {
            if node.parent.is_some() { Others::Above } else { Others::Below }
        }
        _ => Others::None,
    }
}

/// Tells the OS process above that nobody here is awake.
pub(crate) fn tell_quiet() {
    if let Some(node) = Node::linked() {
        node.tell_above(&Wave::Quiet);
    }
}

/// This OS process's number, and how many messages it has sent and handled; None: some wait to be sent.
pub(crate) fn tally() -> Option<(u64, u64, u64)> {
    let node = Node::linked()?;
    let inner = node.lock();
    let peers = || inner.peers.all.iter();
    let (said, heard) = (peers().map(|peer| peer.said), peers().map(|peer| peer.heard));
    inner.held_back.is_empty().then(|| (node.id.0, said.sum(), heard.sum()))
}

/// All below; None: somebody there is awake, or does not answer.
pub(crate) fn count(limit: Duration) -> Option<Count> {
    let answers = Node::linked()?.ask(limit, Wave::Count)?;
    let counts = answers.into_iter().map(|answer| match answer {
        Wave::Counted(_, Some([stamp, said, heard]), awaited) => {
            Some(Count { stamp, said, heard, awaited })
        }
        _ => None,
    });
    counts.sum()
}

/// Those who wait below; None: somebody does not answer.
pub(crate) fn show(limit: Duration) -> Option<Vec<Shown>> {
    let answers = Node::linked()?.ask(limit, Wave::Show)?;
    let shown = answers.into_iter().filter_map(|answer| match answer {
        Wave::Shown(_, blocked, remedy) => Some(Shown { blocked, remedy }),
        _ => None,
    });
    Some(shown.collect())
}

/// All below are to end their waits.
pub(crate) fn end(joins: bool, poison: &Poison) {
    if let Some(node) = Node::linked() {
        let poison = node.lock().causes.encode(poison).to_vec();
        node.tell_below(&Wave::End { joins, poison });
    }
}

/// What the OS process above asks, oldest first.
pub(crate) fn asked() -> Option<Asked> {
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
        Wave::Quiet | Wave::Counted(..) | Wave::Shown(..) => None,
    }
}

/// The answer to a count; None: somebody is awake.
pub(crate) fn counted(number: u64, count: Option<Count>) {
    if let Some(node) = Node::linked() {
        let numbers = count.map(|count| [count.stamp, count.said, count.heard]);
        let awaited = count.is_some_and(|count| count.awaited);
        node.tell_above(&Wave::Counted(number, numbers, awaited));
    }
}

pub(crate) fn shown(number: u64, Shown { blocked, remedy }: Shown) {
    if let Some(node) = Node::linked() {
        node.tell_above(&Wave::Shown(number, blocked, remedy));
    }
}
