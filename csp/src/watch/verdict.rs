//! Judges which processes will never go on again. Taking the evidence is not part of this module.
//!
//! A set of blocked processes is *dead* if everything that each of them waits for can only be done by members of the set.
//! Start with all blocked processes and strike out each that waits for something that a process outside the set may do.
//! Repeat this until no process is struck out. The rest is the largest such set. (It is a greatest fixed point: processes
//! that wait for one another in a circle keep one another in.)
//!
//! - A channel can be used, ended or poisoned by a holder of one of its ends, on either side, or of a
//!   handle to it.
//! - A barrier lets nobody go while an enrolled process never comes.
//! - A set of processes has not ended while one of them never ends.
//! - Any other wait may be ended by somebody.

use std::collections::{HashMap, HashSet, VecDeque};

use super::kinds::{Sketch, Wait};
use crate::report::id::Who;
use crate::wait::blocked::{Needs, Operation};
use crate::wait::seen::holders::Held;

/// How many starts a circle is looked for from.
const STARTS: usize = 100;

/// The evidence about all processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) processes: Vec<Known>,
    pub(crate) objects: HashMap<usize, Needs>,
}

/// The evidence about one process.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) who: Who,
    /// The group that waits for its end.
    pub(crate) group: usize,
    pub(crate) daemon: bool,
    /// The agent to ask about it, and the name that the agent knows it by.
    pub(crate) agent: usize,
    pub(crate) context: usize,
    /// The addresses of the objects it waits for. `None` if it is not blocked, or not for ever.
    pub(crate) waits: Option<Vec<Wait>>,
}

impl Known {
    fn waits_at(&self, address: usize) -> bool {
        self.waits.iter().flatten().any(|&(_, at)| at == Some(address))
    }
}

/// Returns the shortest way from one around to it again.
fn circle(start: Who, next: &HashMap<Who, Vec<(Who, usize)>>) -> Option<Vec<(Who, usize)>> {
    let mut before: HashMap<Who, (Who, usize)> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(who) = queue.pop_front() {
        for &(to, at) in next.get(&who).into_iter().flatten() {
            if to == start {
                let mut way = vec![(who, at)];
                while way[way.len() - 1].0 != start {
                    way.push(before[&way[way.len() - 1].0]);
                }
                way.reverse();
                return Some(way);
            }
            before.entry(to).or_insert_with(|| {
                queue.push_back(to);
                (who, at)
            });
        }
    }
    None
}

impl Evidence {
    /// Returns the dead, by index. Returns none if all of them are daemons.
    pub(crate) fn dead(&self) -> Vec<usize> {
        let mut sketch = Sketch::default();
        let kind = |process: &Known| {
            let Known { who, group, daemon, waits, .. } = process;
            sketch.add(*who, *group, *daemon, waits.as_deref())
        };
        let kinds: Vec<_> = self.processes.iter().map(kind).collect();
        let dead = sketch.dead(&self.objects);
        self.unless_daemons((0..kinds.len()).filter(|&p| dead[kinds[p] as usize]).collect())
    }

    /// Returns all of them, if all are blocked and not only daemons: when nothing can wake them they
    /// are dead.
    pub(crate) fn all_blocked(&self) -> Vec<usize> {
        match self.processes.iter().all(|process| process.waits.is_some()) {
            true => self.unless_daemons((0..self.processes.len()).collect()),
            false => Vec::new(),
        }
    }

    fn unless_daemons(&self, dead: Vec<usize>) -> Vec<usize> {
        match dead.iter().all(|&process| self.processes[process].daemon) {
            true => Vec::new(),
            false => dead,
        }
    }

    /// Returns a shortest circle of processes that wait for one another: each, and the object at which it waits
    /// for the next. Among circles of one length it returns the first that starts in the order of `dead`.
    pub(crate) fn cycle(&self, dead: &[Who]) -> Vec<(Who, usize)> {
        let all: HashSet<Who> = dead.iter().copied().collect();
        let next: HashMap<Who, Vec<(Who, usize)>> = self
            .processes
            .iter()
            .filter(|process| all.contains(&process.who))
            .map(|process| (process.who, self.waits_for(process, &all)))
            .collect();
        let mut shortest: Vec<(Who, usize)> = Vec::new();
        for &start in dead.iter().take(STARTS) {
            if let Some(found) = circle(start, &next)
                && (shortest.is_empty() || found.len() < shortest.len())
            {
                shortest = found;
            }
        }
        shortest
    }

    /// Returns the dead that could end its wait, and where.
    fn waits_for(&self, process: &Known, dead: &HashSet<Who>) -> Vec<(Who, usize)> {
        let mut next = Vec::new();
        for &(operation, address) in process.waits.iter().flatten() {
            let Some(address) = address else { continue };
            let who: Vec<Who> = match self.objects.get(&address) {
                // A barrier waits for the enrolled processes that are not there.
                Some(Needs::Everyone { holders }) => {
                    let absent = |who: &Who| {
                        let mut there = self.processes.iter().filter(|there| there.who == *who);
                        !there.any(|there| there.waits_at(address))
                    };
                    holders.iter().map(|holder| holder.who).filter(absent).collect()
                }
                // A channel waits for the holders of the other side's ends.
                Some(Needs::Anyone { holders, .. }) => {
                    let other = match operation {
                        Operation::Read | Operation::Handover => Some(Held::Writer),
                        Operation::Write | Operation::Release => Some(Held::Reader),
                        _ => None,
                    };
                    let holders = holders.iter();
                    let others = holders.filter(|h| other.is_none_or(|other| other == h.what));
                    others.map(|holder| holder.who).collect()
                }
                // A join waits for the members of its group.
                Some(Needs::Group(group)) => {
                    let members = self.processes.iter().filter(|member| member.group == *group);
                    members.map(|member| member.who).collect()
                }
                Some(Needs::Process(job)) => vec![Who { job: *job, index: 0 }],
                Some(Needs::Unknown) | None => Vec::new(),
            };
            // Only the dead among them are part of a circle.
            next.extend(who.into_iter().filter(|who| dead.contains(who)).map(|who| (who, address)));
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::seen::holders::{Holder, Runs};
    use crate::watch::kinds::is_known;

    /// Names a process. Three are of one job, so that kinds and holders lie together, in part.
    fn who(number: usize) -> Who {
        Who { job: number / 3, index: number % 3 }
    }

    /// Makes a process that waits at objects, which are numbers.
    fn process(number: usize, waits: Option<Vec<(Operation, usize)>>) -> Known {
        Known {
            who: who(number),
            group: 1000 + number % 2,
            daemon: false,
            agent: 0,
            context: number,
            waits: waits
                .map(|waits| waits.into_iter().map(|(what, at)| (what, Some(at))).collect()),
        }
    }

    fn holders(all: &[usize]) -> Runs {
        let holder = |&number: &usize| Holder { who: who(number), what: Held::Writer, sure: true };
        all.iter().map(holder).collect()
    }

    /// Returns whether everything that one of the set waits for can only be done by members of the set: the
    /// definition.
    fn is_dead(evidence: &Evidence, set: &[bool]) -> bool {
        let inside = |who: &Who| {
            let mut found = evidence.processes.iter().zip(set).filter(|(p, _)| p.who == *who);
            found.any(|(_, inside)| *inside)
        };
        evidence.processes.iter().zip(set).filter(|(_, inside)| **inside).all(|(process, _)| {
            let Some(waits) = &process.waits else { return false };
            waits.iter().all(|(operation, at)| {
                let at = at.expect("in these tests all wait at something");
                is_known(*operation)
                    && match &evidence.objects[&at] {
                        // At a channel: all holders are known and inside.
                        Needs::Anyone { holders, unknown } => {
                            *unknown == 0 && holders.iter().all(|holder| inside(&holder.who))
                        }
                        // At a barrier: an enrolment of a member is missing, because the member has not come or is enrolled again.
                        Needs::Everyone { holders } => {
                            let come = |who: &Who| {
                                let mut all = evidence.processes.iter();
                                all.any(|p| p.who == *who && p.waits_at(at))
                            };
                            let holders: Vec<_> = holders.iter().collect();
                            holders.iter().enumerate().any(|(n, holder)| {
                                let again = holders[..n].iter().any(|h| h.who == holder.who);
                                inside(&holder.who) && (!come(&holder.who) || again)
                            })
                        }
                        // At a join: some process that it waits for is inside.
                        Needs::Group(group) => evidence
                            .processes
                            .iter()
                            .any(|member| member.group == *group && inside(&member.who)),
                        Needs::Process(job) => {
                            let mut all = evidence.processes.iter().zip(set);
                            all.any(|(member, inside)| member.who.job == *job && *inside)
                        }
                        Needs::Unknown => false,
                    }
            })
        })
    }

    /// Returns the largest dead set, by trying all.
    fn by_definition(evidence: &Evidence) -> Vec<usize> {
        let count = evidence.processes.len();
        let mut largest = vec![false; count];
        for bits in 0_u32..1 << count {
            let set: Vec<bool> = (0..count).map(|p| bits >> p & 1 == 1).collect();
            if is_dead(evidence, &set) {
                // The union of two dead sets is dead.
                largest.iter_mut().zip(set).for_each(|(all, one)| *all |= one);
            }
        }
        (0..count).filter(|&p| largest[p]).collect()
    }

    #[test]
    fn the_search_finds_what_the_definition_says() {
        let mut seed = 1_u64;
        let mut random = move |below: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let (mut none, mut some) = (0, 0);
        for _ in 0..20_000 {
            let count = 1 + random(6);
            let objects = 1 + random(5);
            let mut evidence = Evidence::default();
            // Objects of all kinds, with random holders.
            for at in 0..objects {
                let mut held =
                    || holders(&(0..random(4)).map(|_| random(count)).collect::<Vec<_>>());
                let holders = held();
                let needs = match random(8) {
                    0 | 1 => Needs::Everyone { holders },
                    2 => Needs::Group(1000 + random(2)),
                    3 => Needs::Process(random(count)),
                    4 if random(3) == 0 => Needs::Unknown,
                    _ => Needs::Anyone { holders, unknown: usize::from(random(8) == 0) },
                };
                evidence.objects.insert(at, needs);
            }
            // Processes that wait at one or two of them, or at none.
            for number in 0..count {
                let waits = (random(6) > 0).then(|| {
                    let waits = 1 + random(2);
                    (0..waits).map(|_| (Operation::Read, random(objects))).collect()
                });
                evidence.processes.push(process(number, waits));
            }
            // The search and the definition agree.
            let found = evidence.dead();
            assert_eq!(found, by_definition(&evidence), "{evidence:#?}");
            if found.is_empty() { none += 1 } else { some += 1 }
        }
        assert!(none > 1000 && some > 1000, "{none} without, {some} with");
    }

    #[test]
    fn who_waits_for_what_nobody_knows_is_alive() {
        let mut evidence = Evidence::default();
        evidence.objects.insert(0, Needs::Anyone { holders: holders(&[0]), unknown: 0 });
        for (operation, dead) in [
            (Operation::Read, true),
            (Operation::Retirement, true),
            (Operation::Release, false),
            (Operation::Handover, false),
            (Operation::FallIn, false),
            (Operation::Timeout, false),
        ] {
            evidence.processes = vec![process(0, Some(vec![(operation, 0)]))];
            assert_eq!(evidence.dead().len(), usize::from(dead), "{operation:?}");
        }
        evidence.processes[0].waits =
            Some(vec![(Operation::Read, Some(0)), (Operation::Skip, None)]);
        assert!(evidence.dead().is_empty());
    }

    #[test]
    fn daemons_alone_are_no_deadlock() {
        let mut evidence = Evidence::default();
        evidence.objects.insert(0, Needs::Anyone { holders: holders(&[0, 1]), unknown: 0 });
        let waits = || Some(vec![(Operation::Read, 0)]);
        evidence.processes = vec![process(0, waits()), process(1, waits())];
        evidence.processes[0].daemon = true;
        assert_eq!(evidence.dead(), [0, 1]);
        evidence.processes[1].daemon = true;
        assert!(evidence.dead().is_empty());
        assert!(evidence.all_blocked().is_empty());
    }

    #[test]
    fn a_circle_is_the_shortest_there_is() {
        // 0 waits for 1 and 2, 1 for 2, 2 for 3 and 0, 3 for 0.
        let mut evidence = Evidence::default();
        for (at, held) in [(0, vec![1, 2]), (1, vec![2]), (2, vec![3, 0]), (3, vec![0])] {
            evidence.objects.insert(at, Needs::Anyone { holders: holders(&held), unknown: 0 });
            evidence.processes.push(process(at, Some(vec![(Operation::Read, at)])));
        }
        let mut dead: Vec<_> = evidence.processes.iter().map(|process| process.who).collect();
        assert_eq!(evidence.cycle(&dead), [(who(0), 0), (who(2), 2)]);
        dead.reverse();
        assert_eq!(evidence.cycle(&dead), [(who(2), 2), (who(0), 0)], "the order given decides");
    }
}
