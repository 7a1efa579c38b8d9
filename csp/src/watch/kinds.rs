//! Finds, by kinds, the processes that will never go on again. Processes that wait for the same are dead or alive together,
//! so a million of one kind are one entry. A sketch holds as little as that takes, because one is drawn of all processes
//! again and again.

use std::collections::HashMap;

use crate::report::id::Who;
use crate::wait::blocked::{Needs, Operation};
use crate::wait::seen::holders::Run;

/// One of the things a process waits for, and where: at the object of this address.
pub(crate) type Wait = (Operation, Option<usize>);

/// All processes, by kinds.
#[derive(Default)]
pub(crate) struct Sketch {
    kinds: Vec<Kind>,
    by_waits: HashMap<Vec<Wait>, u32>,
    /// The kind of the processes that are not blocked.
    awake: Option<u32>,
    last: u32,
    runs: Vec<Members>,
    /// The same as long as nothing changes.
    pub(crate) fingerprint: u64,
}

struct Kind {
    /// `None` if not blocked, or not for ever.
    waits: Option<Vec<Wait>>,
    /// Whether some of its processes are no daemons.
    matters: bool,
    /// A fingerprint of the objects that it waits for.
    mark: u64,
}

/// Processes of one job and one kind, with indices that follow each other.
struct Members {
    run: Run,
    group: usize,
    kind: u32,
}

/// One object, as the search sees it.
#[derive(Default)]
struct Object {
    waiters: Vec<u32>,
    /// Whether a process that is not dead may end waits there.
    alive: bool,
    /// For a barrier or a set of processes: the number of dead ones that it lacks.
    missing: usize,
}

impl Sketch {
    /// Adds a process and returns its kind.
    pub(crate) fn add(
        &mut self,
        who: Who,
        group: usize,
        daemon: bool,
        waits: Option<&[Wait]>,
    ) -> u32 {
        let kind = self.kind(waits);
        self.kinds[kind as usize].matters |= !daemon;
        let extended = self
            .runs
            .last_mut()
            .is_some_and(|last| last.kind == kind && last.group == group && last.run.extend(who));
        if !extended {
            self.runs.push(Members { run: Run::of(who), group, kind });
        }
        let mark = mix(mix(self.kinds[kind as usize].mark, who.job), who.index);
        // The sum is over all processes, and their order does not matter.
        self.fingerprint = self.fingerprint.wrapping_add(mark);
        kind
    }

    fn kind(&mut self, waits: Option<&[Wait]>) -> u32 {
        let Some(waits) = waits else {
            let awake = self.awake.unwrap_or_else(|| self.new_kind(None));
            return *self.awake.insert(awake);
        };
        // Most are of the kind of the one before.
        let last = self.kinds.get(self.last as usize).and_then(|last| last.waits.as_deref());
        if last != Some(waits) {
            self.last = match self.by_waits.get(waits) {
                Some(&kind) => kind,
                None => {
                    let kind = self.new_kind(Some(waits.to_vec()));
                    self.by_waits.insert(waits.to_vec(), kind);
                    kind
                }
            };
        }
        self.last
    }

    fn new_kind(&mut self, waits: Option<Vec<Wait>>) -> u32 {
        let mark = |all, &(operation, at): &Wait| {
            mix(mix(all, operation as usize), at.unwrap_or_default())
        };
        let mark = waits.as_ref().map_or(0, |waits| waits.iter().fold(1, mark));
        self.kinds.push(Kind { waits, matters: false, mark });
        u32::try_from(self.kinds.len() - 1).expect("no more kinds than processes")
    }

    pub(crate) fn all_are_blocked(&self) -> bool {
        self.awake.is_none()
    }

    /// Returns whether some are no daemons.
    pub(crate) fn matters(&self) -> bool {
        self.kinds.iter().any(|kind| kind.matters)
    }

    /// Returns whether some of the dead are no daemons.
    pub(crate) fn has_dead(&mut self, objects: &HashMap<usize, Needs>) -> bool {
        let dead = self.dead(objects);
        self.kinds.iter().zip(dead).any(|(kind, dead)| dead && kind.matters)
    }

    /// Returns, by kind, whether they are dead.
    pub(crate) fn dead(&mut self, objects: &HashMap<usize, Needs>) -> Vec<bool> {
        self.runs.sort_unstable_by_key(|members| members.run.first);
        let mut search = Search::new(self);
        search.connect(objects);
        search.run();
        search.dead
    }

    /// Returns the known processes among these, in runs of one kind.
    fn known(&self, run: Run) -> impl Iterator<Item = (Run, u32)> {
        let from = self.runs.partition_point(|members| members.run.last() < run.first);
        let there =
            self.runs[from..].iter().take_while(move |members| members.run.first <= run.last());
        there.filter_map(move |members| Some((members.run.common(run)?, members.kind)))
    }
}

fn mix(all: u64, one: usize) -> u64 {
    let mixed = (all ^ one as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

struct Search<'a> {
    sketch: &'a Sketch,
    dead: Vec<bool>,
    objects: HashMap<usize, Object>,
    /// For each kind, the objects that lack it, and how often it is missing at each.
    missed: Vec<Vec<(usize, usize)>>,
    /// The channels that some of a kind hold something of.
    holds: Vec<Vec<usize>>,
    struck: Vec<u32>,
}

impl<'a> Search<'a> {
    fn new(sketch: &'a Sketch) -> Self {
        let count = sketch.kinds.len();
        Self {
            sketch,
            dead: sketch.kinds.iter().map(|kind| kind.waits.is_some()).collect(),
            objects: HashMap::new(),
            missed: vec![Vec::new(); count],
            holds: vec![Vec::new(); count],
            struck: Vec::new(),
        }
    }

    fn connect(&mut self, needs: &HashMap<usize, Needs>) {
        let sketch = self.sketch;
        // The waiters of each object. A kind with a wait that anybody may end is struck out.
        for (number, kind) in sketch.kinds.iter().enumerate() {
            for (operation, address) in kind.waits.iter().flatten() {
                match (operation, address) {
                    (_, Some(address)) if is_known(*operation) => {
                        let waiters = &mut self.objects.entry(*address).or_default().waiters;
                        waiters.push(number as u32);
                    }
                    _ => self.struck.push(number as u32),
                }
            }
        }
        // The processes of each group, by kind.
        let mut of_group: HashMap<usize, HashMap<u32, usize>> = HashMap::new();
        for Members { run, group, kind } in &sketch.runs {
            *of_group.entry(*group).or_default().entry(*kind).or_default() += run.count;
        }
        // For each object: whether a process that is not dead may end waits there, and the dead that it lacks.
        for (&address, object) in &mut self.objects {
            let (dead, missed) = (&self.dead, &mut self.missed);
            let mut miss = |kind: u32, times: usize| {
                if dead[kind as usize] && times > 0 {
                    object.missing += times;
                    missed[kind as usize].push((address, times));
                }
            };
            match needs.get(&address) {
                // A channel is alive if a holder is unknown, not listed or not dead.
                Some(Needs::Anyone { holders, unknown }) => {
                    object.alive = *unknown > 0;
                    for run in holders.sure() {
                        let mut found = 0;
                        for (part, kind) in sketch.known(run) {
                            found += part.count;
                            let kind = kind as usize;
                            if !dead[kind] {
                                object.alive = true;
                            } else if self.holds[kind].last() != Some(&address) {
                                self.holds[kind].push(address);
                            }
                        }
                        object.alive |= found < run.count;
                    }
                }
                // A barrier lacks the enrolments of the dead that have not come.
                Some(Needs::Everyone { holders }) => {
                    let mut enrolled: Vec<(u32, Who)> = Vec::new();
                    for run in holders.sure() {
                        for (part, kind) in sketch.known(run) {
                            enrolled.extend(part.iter().map(|who| (kind, who)));
                        }
                    }
                    enrolled.sort_unstable();
                    for of_kind in enrolled.chunk_by(|one, other| one.0 == other.0) {
                        let kind = of_kind[0].0;
                        // Each has come here with one of its enrolments.
                        let here = match object.waiters.contains(&kind) {
                            true => of_kind.chunk_by(|one, other| one == other).count(),
                            false => 0,
                        };
                        miss(kind, of_kind.len() - here);
                    }
                }
                // A join lacks all of its group, or all replicas of its job.
                Some(Needs::Group(group)) => {
                    let members = of_group.get(group).into_iter().flatten();
                    members.for_each(|(&kind, &count)| miss(kind, count));
                }
                Some(Needs::Process(job)) => {
                    let all = sketch.known(Run::of_job(*job));
                    all.for_each(|(part, kind)| miss(kind, part.count));
                }
                Some(Needs::Unknown) | None => object.alive = true,
            }
            // A barrier or a join is alive if it lacks no dead process.
            match needs.get(&address) {
                Some(Needs::Anyone { .. }) => {}
                _ => object.alive = object.missing == 0,
            }
            if object.alive {
                self.struck.extend(&object.waiters);
            }
        }
    }

    fn run(&mut self) {
        while let Some(kind) = self.struck.pop() {
            let kind = kind as usize;
            if !std::mem::replace(&mut self.dead[kind], false) {
                continue;
            }
            for address in std::mem::take(&mut self.holds[kind]) {
                self.revive(address);
            }
            for (address, times) in std::mem::take(&mut self.missed[kind]) {
                if let Some(object) = self.objects.get_mut(&address) {
                    object.missing -= times;
                    if object.missing == 0 {
                        self.revive(address);
                    }
                }
            }
        }
    }

    fn revive(&mut self, address: usize) {
        if let Some(object) = self.objects.get_mut(&address)
            && !std::mem::replace(&mut object.alive, true)
        {
            self.struck.extend(&object.waiters);
        }
    }
}

/// Returns whether the processes that can end such a wait are known.
pub(crate) fn is_known(operation: Operation) -> bool {
    match operation {
        Operation::Read
        | Operation::Write
        | Operation::Retirement
        | Operation::Sync
        | Operation::Join
        | Operation::JoinAll => true,
        Operation::Handover
        | Operation::Release
        | Operation::FallIn
        | Operation::Io
        | Operation::Compute
        | Operation::Receive
        | Operation::Transmit
        | Operation::Accept
        | Operation::Connect
        | Operation::Timeout
        | Operation::Skip
        | Operation::Await => false,
    }
}
