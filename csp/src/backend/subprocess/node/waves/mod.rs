//! Floor 5. The messages by which nodes find out whether any process in any of them can go on: waves, the
//! counting rounds of termination detection. The watch (`watch/everywhere`) asks, and judges the
//! answers.

pub(super) mod counting;
mod looking;
mod looks;
mod seen;

use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use self::looks::Looks;
use self::seen::SentNetwork;
use crate::backend::subprocess::protocol::{NodeId, Wild};
use crate::system::mutex::lock;
use crate::system::quiet;
use crate::watch;

/// Questions go down the tree, and answers up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::backend::subprocess::node) enum Wave {
    /// Goes up: no process here is awake.
    Quiet,
    Count(u64, Duration),
    Counted(u64, Option<[u64; 3]>, bool),
    Show(u64, Duration),
    Shown(u64, Vec<(String, String)>, Option<bool>),
    End {
        joins: bool,
        poison: Vec<u8>,
    },
    /// The question of a node above for the processes and channels of all below: its name, and the number of the question.
    /// Each passes it on at once.
    Look(u64, u64),
    Seen(SeenThere),
}

#[cfg(test)]
impl SeenThere {
    /// Returns the answer of a node that has passed the question on to these nodes.
    pub(in crate::backend::subprocess::node) fn empty(
        asker: u64,
        author: u64,
        below: Vec<u64>,
    ) -> Self {
        Self { asker, number: 1, author, below, network: SentNetwork::default() }
    }
}

/// The answer of one node. Those above pass it on to the one that has asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::backend::subprocess::node) struct SeenThere {
    asker: u64,
    number: u64,
    author: u64,
    /// The nodes to which the author has passed the question on.
    below: Vec<u64>,
    network: SentNetwork,
}

#[derive(Default)]
pub(in crate::backend::subprocess::node) struct Waves {
    /// Questions of the node above.
    pub(in crate::backend::subprocess::node) asked: Mutex<VecDeque<Wave>>,
    /// Answers of the nodes below.
    pub(in crate::backend::subprocess::node) answers: Mutex<Answers>,
    pub(in crate::backend::subprocess::node) came: Condvar,
    pub(in crate::backend::subprocess::node) looks: Looks,
}

#[derive(Default)]
pub(in crate::backend::subprocess::node) struct Answers {
    /// The number of the question that they answer.
    pub(in crate::backend::subprocess::node) number: u64,
    pub(in crate::backend::subprocess::node) by: HashMap<NodeId, Wave>,
}

impl Waves {
    /// Stores a wave. It runs under the node's lock, so nothing is judged here.
    pub(in crate::backend::subprocess::node) fn came(
        &self,
        from_above: bool,
        from: NodeId,
        wave: Wave,
    ) -> Result<(), Wild> {
        match wave {
            Wave::Count(..) | Wave::Show(..) | Wave::End { .. } if from_above => {
                lock(&self.asked).push_back(wave);
                watch::start();
                quiet::call_watch(false);
            }
            Wave::Quiet if !from_above => {
                watch::start();
                quiet::call_watch(true);
            }
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
