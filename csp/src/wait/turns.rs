//! The turns of alternations, for each process.

use std::cell::{Cell, RefCell};

/// Where the alternations of a process look first. Few processes have any. So the numbers are made for the first one that runs
/// here. They are never freed, because the context that they belong to is not freed either.
pub(crate) struct Wheels(Cell<Option<&'static Table>>);

impl Wheels {
    pub(super) const fn new() -> Self {
        Self(Cell::new(None))
    }

    #[inline(always)]
    pub(crate) fn get(&self, place: usize) -> usize {
        self.table().get(place)
    }

    /// Stores the turn of a place. It comes after `get` of the same place.
    #[inline(always)]
    pub(crate) fn set(&self, place: usize, turn: usize) {
        self.table().near(place).set((place, turn));
    }

    #[inline(always)]
    pub(super) fn table(&self) -> &'static Table {
        self.0.get().unwrap_or_else(|| self.make())
    }

    #[cold]
    #[inline(never)]
    fn make(&self) -> &'static Table {
        let table: &'static Table = Box::leak(Box::default());
        self.0.set(Some(table));
        table
    }

    /// Returns the table, if there is anything in it.
    #[inline(always)]
    pub(super) fn used(&self) -> Option<&'static Table> {
        self.0.get().filter(|table| table.used.get())
    }

    #[inline(always)]
    pub(super) fn clear(&self) {
        if let Some(table) = self.used() {
            table.clear();
        }
    }
}

/// A number for each place in the code: those that were used last near at hand, the others in a list.
#[derive(Default)]
pub(super) struct Table {
    near: [Cell<(usize, usize)>; 4],
    far: RefCell<Vec<(usize, usize)>>,
    pub(super) used: Cell<bool>,
}

impl Table {
    #[inline(always)]
    fn near(&self, place: usize) -> &Cell<(usize, usize)> {
        &self.near[(place >> 4) % 4]
    }

    #[inline(always)]
    fn get(&self, place: usize) -> usize {
        let (at, turn) = self.near(place).get();
        if at == place { turn } else { self.fetch(place) }
    }

    pub(super) fn swap(&self, other: &Self) {
        self.near.iter().zip(&other.near).for_each(|(mine, its)| mine.swap(its));
        self.far.swap(&other.far);
        self.used.swap(&other.used);
    }

    #[cold]
    fn fetch(&self, place: usize) -> usize {
        self.used.set(true);
        let mut far = self.far.borrow_mut();
        let found = far.iter().position(|&(at, _)| at == place);
        let entry = found.map_or((place, 0), |found| far.swap_remove(found));
        let replaced = self.near(place).replace(entry);
        if replaced.0 != 0 {
            far.push(replaced);
        }
        entry.1
    }

    #[cold]
    fn clear(&self) {
        self.used.set(false);
        self.near.iter().for_each(|near| near.set((0, 0)));
        self.far.borrow_mut().clear();
    }
}
