//! The identity of a process, and its ancestors.
//!
//! Invariant: a process keeps at most [`HELD`] of its ancestors, and of those above them text of a bounded length. So each process
//! costs the same, whatever a chain of parents does. No function here calls itself for the next ancestor, and `Drop` does not either.
//!
//! A path of more than [`WHOLE`] names is shortened in the middle: `main/a/b/c/(1490 more)/d/…`.

use std::fmt;
use std::sync::Arc;

use crate::report::id::Who;

/// The names of a path that is shortened: the first ones, and the last ones.
const FIRST: usize = 4;
const LAST: usize = 8;

/// Longer paths are shortened.
const WHOLE: usize = FIRST + LAST;

/// A process keeps fewer ancestors than this. It is more than [`WHOLE`], so that the text for the others is always
/// shortened.
const HELD: usize = 16;

/// The identity of a process: one of the replicas of something with a name and a parent.
pub(crate) trait Named: Send + Sync {
    /// Writes `worker[3]`. A signal handler may: nothing is allocated or locked, and nothing panics.
    fn write_name(&self, index: usize, out: &mut dyn fmt::Write) -> fmt::Result;

    /// Returns its ancestors.
    fn ancestry(&self) -> &Ancestry {
        static NONE: Ancestry = Ancestry::none();
        &NONE
    }

    /// Returns the same, of a process that nobody else has.
    fn ancestry_mut(&mut self) -> Option<&mut Ancestry> {
        None
    }

    /// Writes `main/worker[3]`, as `write_name` does.
    fn write_path(&self, index: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        self.ancestry().write(out)?;
        self.write_name(index, out)
    }

    fn name(&self, index: usize) -> String {
        let mut name = String::new();
        let _ = self.write_name(index, &mut name);
        name
    }

    fn path(&self, index: usize) -> String {
        let mut path = String::new();
        let _ = self.write_path(index, &mut path);
        path
    }

    /// Returns the address of the group that waits for it. The value 0 means none.
    fn group(&self) -> usize {
        0
    }

    fn is_daemon(&self) -> bool {
        false
    }

    /// Returns whether it is a daemon, or was started by one.
    fn is_background(&self) -> bool {
        false
    }

    /// Returns whether it is a plain thread.
    fn is_thread(&self) -> bool {
        false
    }

    /// Returns the scope that asks for its leftovers: see `leaks`.
    fn scope(&self) -> u32 {
        0
    }
}

/// A process as its children remember it.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) of: Arc<dyn Named>,
    pub(crate) index: usize,
}

/// The ancestors of a process.
pub(crate) struct Ancestry {
    above: Above,
    /// The ancestors that are kept, from the parent up.
    held: usize,
}

enum Above {
    Nobody,
    Parent(Identity),
    Far(Arc<Far>),
}

/// Ancestors of which only the path is left.
struct Far {
    first: Vec<Box<str>>,
    omitted: usize,
    last: Vec<Box<str>>,
}

impl Far {
    fn of(names: impl Iterator<Item = Box<str>>, between: Option<usize>) -> Self {
        let mut names: Vec<_> = names.collect();
        let mut last = names.split_off(names.len().min(FIRST));
        let more = last.len().saturating_sub(LAST);
        last.drain(..more);
        Self { first: names, omitted: between.unwrap_or(0) + more, last }
    }

    fn len(&self) -> usize {
        self.first.len() + self.omitted + self.last.len()
    }
}

impl Ancestry {
    pub(crate) const fn none() -> Self {
        Self { above: Above::Nobody, held: 0 }
    }

    /// Returns the ancestry of a child of this process.
    #[inline]
    pub(crate) fn below(parent: Identity) -> Self {
        let held = parent.of.ancestry().held + 1;
        let near = Self { above: Above::Parent(parent), held };
        if held < HELD { near } else { near.shortened() }
    }

    #[cold]
    fn shortened(self) -> Self {
        Self { above: Above::Far(Arc::new(self.as_text())), held: 0 }
    }

    /// Returns the ancestry of a process whose parent has this path in another OS process. A path that
    /// is shortened already stays so.
    pub(crate) fn told(path: &str) -> Self {
        if path.is_empty() {
            return Self::none();
        }
        let omitted = |name: &str| name.strip_prefix('(')?.strip_suffix(" more)")?.parse().ok();
        let between = path.split('/').find_map(omitted);
        let names = path.split('/').filter(|name| omitted(name).is_none());
        let far = Far::of(names.map(Box::from), between);
        Self { above: Above::Far(Arc::new(far)), held: 0 }
    }

    /// Returns the ancestors that are kept, the parent last, and the text for the others.
    fn kept(&self) -> (Kept<'_>, Option<&Far>) {
        let (mut kept, mut here) = (Kept { all: [None; HELD], from: HELD }, self);
        loop {
            match &here.above {
                Above::Parent(parent) if kept.from > 0 => {
                    kept.from -= 1;
                    kept.all[kept.from] = Some(parent);
                    here = parent.of.ancestry();
                }
                Above::Far(far) => return (kept, Some(far)),
                Above::Nobody | Above::Parent(_) => return (kept, None),
            }
        }
    }

    fn as_text(&self) -> Far {
        let (kept, far) = self.kept();
        let before = far.into_iter().flat_map(|far| far.first.iter().chain(&far.last)).cloned();
        let near = kept.iter().map(|parent| parent.of.name(parent.index).into_boxed_str());
        Far::of(before.chain(near), far.map(|far| far.omitted))
    }

    /// Writes each with a `/` behind it.
    fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let (kept, far) = self.kept();
        let (told, near) = (far.map_or(0, Far::len), kept.iter().count());
        let above = told + near;
        // The process itself is the last name.
        let (until, from) = if above < WHOLE { (above, above) } else { (FIRST, above + 1 - LAST) };
        for place in (0..until).chain(from..above) {
            if place == from && from > until {
                write!(out, "({} more)/", from - until)?;
            }
            match far {
                Some(far) if place < told => out.write_str(far.name(place).unwrap_or("…"))?,
                _ => kept.write_name(place - told, out)?,
            }
            out.write_str("/")?;
        }
        Ok(())
    }
}

impl Far {
    /// Returns the name in this place of the whole. Returns `None` if it is not kept.
    fn name(&self, place: usize) -> Option<&str> {
        let first = self.first.get(place);
        let behind = || self.last.get(place.checked_sub(self.first.len() + self.omitted)?);
        first.or_else(behind).map(|name| &**name)
    }
}

/// On the stack, because a signal handler writes paths too.
struct Kept<'a> {
    all: [Option<&'a Identity>; HELD],
    from: usize,
}

impl<'a> Kept<'a> {
    fn iter(&self) -> impl Iterator<Item = &'a Identity> {
        self.all[self.from..].iter().copied().flatten()
    }

    fn write_name(&self, place: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        match self.iter().nth(place) {
            Some(parent) => parent.of.write_name(parent.index, out),
            None => Ok(()),
        }
    }
}

/// One after the other: an ancestor that nobody else keeps is dropped when its own parent has been taken from it.
impl Drop for Ancestry {
    #[inline]
    fn drop(&mut self) {
        // Most parents outlive their children.
        if let Above::Parent(parent) = &self.above
            && Arc::strong_count(&parent.of) == 1
        {
            self.drop_each();
        }
    }
}

impl Ancestry {
    #[cold]
    fn drop_each(&mut self) {
        let mut above = std::mem::replace(&mut self.above, Above::Nobody);
        while let Above::Parent(mut parent) = above {
            above = match Arc::strong_count(&parent.of) {
                1 => Arc::get_mut(&mut parent.of)
                    .and_then(|of| of.ancestry_mut())
                    .map_or(Above::Nobody, |ancestry| {
                        std::mem::replace(&mut ancestry.above, Above::Nobody)
                    }),
                _ => Above::Nobody,
            };
        }
    }
}

impl Identity {
    /// Returns what tells this process from all others.
    pub(crate) fn who(&self) -> Who {
        who_is(&*self.of, self.index)
    }
}

/// Returns a process of this identity, told apart from all others.
pub(super) fn who_is(of: &dyn Named, index: usize) -> Who {
    Who { job: std::ptr::from_ref(of).addr(), index }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    struct Person(&'static str, Ancestry);

    impl Named for Person {
        fn write_name(&self, _: usize, out: &mut dyn fmt::Write) -> fmt::Result {
            out.write_str(self.0)
        }

        fn ancestry(&self) -> &Ancestry {
            &self.1
        }

        fn ancestry_mut(&mut self) -> Option<&mut Ancestry> {
            Some(&mut self.1)
        }
    }

    /// Returns one with this many ancestors: the names count up, and begin again after `z`.
    fn descendant(ancestors: usize) -> Arc<dyn Named> {
        const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
        let person = |number: usize, ancestry| Arc::new(Person(NAMES[number % 7], ancestry));
        let mut here: Arc<dyn Named> = person(0, Ancestry::none());
        for number in 1..=ancestors {
            here = person(number, Ancestry::below(Identity { of: here, index: 0 }));
        }
        here
    }

    /// Returns the path as it is promised.
    fn promised(ancestors: usize) -> String {
        let names: Vec<_> =
            (0..=ancestors).map(|number| &"abcdefg"[number % 7..=number % 7]).collect();
        if names.len() <= WHOLE {
            return names.join("/");
        }
        let (first, last) = (&names[..FIRST], &names[names.len() - LAST..]);
        let more = names.len() - WHOLE;
        format!("{}/({more} more)/{}", first.join("/"), last.join("/"))
    }

    #[test]
    fn a_path_shows_the_first_and_the_last_and_counts_those_between() {
        for ancestors in (0..200).chain([1_000, 100_000]) {
            assert_eq!(descendant(ancestors).path(0), promised(ancestors));
        }
    }

    #[test]
    fn a_path_goes_on_in_another_os_process() {
        for ancestors in (0..100).chain([1_000]) {
            let parent = descendant(ancestors).path(0);
            for more in [0, 1, 2, 20, 50] {
                let mut here: Arc<dyn Named> = Arc::new(Person("x", Ancestry::told(&parent)));
                for _ in 0..more {
                    here = Arc::new(Person("x", Ancestry::below(Identity { of: here, index: 0 })));
                }
                let path = here.path(0);
                let counted = path.split('/').map(|name| {
                    let between =
                        name.strip_prefix('(').and_then(|name| name.strip_suffix(" more)"));
                    between.map_or(1, |count| count.parse().unwrap())
                });
                assert_eq!(counted.sum::<usize>(), ancestors + 1 + more + 1, "{path}");
                assert!(path.split('/').count() <= WHOLE + 1 && path.ends_with('x'), "{path}");
            }
        }
    }

    #[test]
    fn a_process_keeps_few_of_its_ancestors() {
        for ancestors in [0, 1, 15, 16, 17, 1_000] {
            let last = descendant(ancestors);
            let (kept, _) = last.ancestry().kept();
            assert!(kept.iter().count() < HELD && (ancestors == 0 || last.path(0).len() < 200));
        }
    }
}
