//! A table by numbers that are counted or drawn at random. Its order is nobody's business: what is done to several of its
//! entries is done in the order of their keys. And one that forgets.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::ops::{Deref, DerefMut};

/// Such numbers are spread well enough by one multiplication (Knuth).
pub(crate) type Numbers = BuildHasherDefault<Spread>;

#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    #[inline(always)]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    #[inline(always)]
    fn write_u64(&mut self, number: u64) {
        let spread = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ spread >> 32;
    }
}

#[derive(Clone, Debug)]
pub(super) struct Table<K, V>(HashMap<K, V, Numbers>);

impl<K: Ord + Copy + Hash, V> Table<K, V> {
    /// The keys of those entries that `which` is true of, in their order.
    pub(super) fn keys_of(&self, mut which: impl FnMut(&K, &V) -> bool) -> Vec<K> {
        let found = self.0.iter().filter(|(key, value)| which(key, value));
        let mut keys: Vec<K> = found.map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K, V> Deref for Table<K, V> {
    type Target = HashMap<K, V, Numbers>;

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K, V> DerefMut for Table<K, V> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<K: Eq + Hash, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K: Eq + Hash, V: Eq> Eq for Table<K, V> {}

/// For the models: whatever the order is, it is the same.
impl<K: Hash, V: Hash> Hash for Table<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut sum = 0u64;
        for (key, value) in &self.0 {
            let mut one = std::hash::DefaultHasher::new();
            (key, value).hash(&mut one);
            sum = sum.wrapping_add(one.finish());
        }
        (self.0.len(), sum).hash(state);
    }
}

/// The last so many that came in; what is older is forgotten.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Last<K: Eq + Hash, V, const MOST: usize> {
    entries: Table<K, V>,
    order: VecDeque<K>,
}

impl<K: Eq + Hash, V, const MOST: usize> Default for Last<K, V, MOST> {
    fn default() -> Self {
        Self { entries: Table::default(), order: VecDeque::new() }
    }
}

impl<K: Copy + Eq + Hash, V, const MOST: usize> Last<K, V, MOST> {
    #[inline(always)]
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    #[inline(always)]
    pub(crate) fn contains(&self, key: &K) -> bool {
        !self.entries.is_empty() && self.entries.contains_key(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.entries.insert(key, value).is_none() {
            self.order.push_back(key);
            if self.order.len() > MOST
                && let Some(oldest) = self.order.pop_front()
            {
                self.entries.remove(&oldest);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
