//! Looking at the live network: once for people, in words, and once for the verdict, in numbers.

use std::collections::HashMap;

use super::kinds;
use super::kinds::Sketch;
use super::verdict::{Evidence, Known};
use super::words::Words;
use crate::wait::blocked::Needs;
use crate::wait::lineage::Identity;
use crate::wait::seen::observe::{Activity, Observer, Subject};

/// For the verdict.
#[derive(Default)]
pub(crate) struct Numbers {
    pub(crate) evidence: Evidence,
    agent: usize,
    /// Some that have not started.
    pub(crate) unstarted: bool,
}

impl Observer for Numbers {
    fn agent(&mut self, agent: usize, _: Option<usize>) {
        self.agent = agent;
    }

    fn process(&mut self, process: Subject<'_>, activity: Activity<'_>) {
        let Some((who, group, daemon)) = process.known() else { return };
        let waits = match activity {
            Activity::Blocked { why, deadline: None } => {
                let mut waits = Vec::new();
                why.wants(&mut |want| {
                    let address = want.object.map(|object| {
                        let address = object.address();
                        let objects = &mut self.evidence.objects;
                        objects.entry(address).or_insert_with(|| object.needs());
                        address
                    });
                    waits.push((want.operation, address));
                });
                Some(waits)
            }
            _ => None,
        };
        let context = process.address();
        let agent = self.agent;
        self.evidence.processes.push(Known { who, group, daemon, agent, context, waits });
    }

    fn unstarted(&mut self, _: &Identity, _: usize) {
        self.unstarted = true;
    }
}

/// For a first look: finds whether any process may be dead.
#[derive(Default)]
pub(crate) struct Glance {
    sketch: Sketch,
    objects: HashMap<usize, Needs>,
    /// Some that have not started.
    pub(crate) unstarted: bool,
    waits: Vec<kinds::Wait>,
    last: Option<usize>,
}

impl Glance {
    /// Returns a number that stays the same as long as nothing changes.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.sketch.fingerprint
    }

    /// Returns whether any may be dead. `quiet` says that nobody is awake, and there are no
    /// strangers.
    pub(crate) fn finds_dead(&mut self, quiet: bool) -> bool {
        match quiet {
            // Nothing can wake them.
            true => self.sketch.all_are_blocked() && self.sketch.matters(),
            false => self.sketch.has_dead(&self.objects),
        }
    }

    /// Returns whether nobody here can go on by himself.
    pub(crate) fn all_are_blocked(&self) -> bool {
        !self.unstarted && self.sketch.all_are_blocked()
    }

    /// Returns whether some are no daemons.
    pub(crate) fn matters(&self) -> bool {
        self.sketch.matters()
    }
}

impl Observer for Glance {
    fn agent(&mut self, _: usize, _: Option<usize>) {}

    fn process(&mut self, process: Subject<'_>, activity: Activity<'_>) {
        let Some((who, group, daemon)) = process.known() else { return };
        self.waits.clear();
        let is_blocked = match activity {
            Activity::Blocked { why, deadline: None } => {
                why.wants(&mut |want| {
                    let address = want.object.map(|object| {
                        let address = object.address();
                        if self.last != Some(address) {
                            self.objects.entry(address).or_insert_with(|| object.needs());
                            self.last = Some(address);
                        }
                        address
                    });
                    self.waits.push((want.operation, address));
                });
                true
            }
            _ => false,
        };
        self.sketch.add(who, group, daemon, is_blocked.then_some(&self.waits[..]));
    }

    fn unstarted(&mut self, _: &Identity, _: usize) {
        self.unstarted = true;
    }
}

/// For both.
#[derive(Default)]
pub(crate) struct Both {
    pub(crate) words: Words,
    pub(crate) numbers: Numbers,
}

impl Observer for Both {
    fn agent(&mut self, agent: usize, number: Option<usize>) {
        self.words.agent(agent, number);
        self.numbers.agent(agent, number);
    }

    fn process(&mut self, process: Subject<'_>, activity: Activity<'_>) {
        self.words.process(process, activity);
        self.numbers.process(process, activity);
    }

    fn unstarted(&mut self, first: &Identity, count: usize) {
        self.words.unstarted(first, count);
        self.numbers.unstarted(first, count);
    }
}
