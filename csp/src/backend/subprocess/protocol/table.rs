//! A table whose keys are counted numbers or random numbers. No code may depend on its order, so an
//! action on several entries is done in the order of their keys. Also a table that forgets its
//! oldest entries.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use serde::{Deserialize, Serialize};

/// One multiplication (Knuth) spreads such numbers well enough.
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

/// The entry that came in last stands by itself and takes no search, because it is most often the
/// one that is asked for next.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "K: Deserialize<'de> + Eq + Hash, V: Deserialize<'de>"))]
pub(crate) struct Table<K, V> {
    near: Option<(K, V)>,
    far: HashMap<K, V, Numbers>,
}

impl<K: Eq + Copy + Hash, V> Table<K, V> {
    #[inline(always)]
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match &self.near {
            Some((near, value)) if near == key => Some(value),
            _ if self.far.is_empty() => None,
            _ => self.far.get(key),
        }
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match &mut self.near {
            Some((near, value)) if near == key => Some(value),
            _ if self.far.is_empty() => None,
            _ => self.far.get_mut(key),
        }
    }

    #[inline(always)]
    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    #[inline(always)]
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = match self.far.is_empty() {
            true => None,
            false => self.far.remove(&key),
        };
        match self.near.replace((key, value)) {
            None => before,
            Some((near, value)) if near == key => Some(value),
            Some((near, value)) => {
                self.far.insert(near, value);
                before
            }
        }
    }

    #[inline(always)]
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        match &self.near {
            Some((near, _)) if near == key => self.near.take().map(|(_, value)| value),
            _ if self.far.is_empty() => None,
            _ => self.far.remove(key),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.near.iter().map(|(key, value)| (key, value)).chain(&self.far)
    }

    pub(crate) fn each_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.near.iter_mut().map(|(key, value)| (&*key, value)).chain(&mut self.far)
    }

    pub(crate) fn all(&self, which: impl Fn(&V) -> bool) -> bool {
        self.iter().all(|(_, value)| which(value))
    }

    pub(crate) fn len(&self) -> usize {
        self.far.len() + usize::from(self.near.is_some())
    }

    /// Returns whether each key stands in it once.
    pub(super) fn is_sound(&self) -> bool {
        self.near.as_ref().is_none_or(|(near, _)| !self.far.contains_key(near))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
impl<K: Eq + Copy + Hash, V> Table<K, V> {
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

impl<K: Ord + Copy + Hash, V> Table<K, V> {
    /// Returns the keys of those entries for which `which` is true, in their order.
    pub(crate) fn keys_of(&self, mut which: impl FnMut(&K, &V) -> bool) -> Vec<K> {
        let found = self.iter().filter(|(key, value)| which(key, value));
        let mut keys: Vec<K> = found.map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { near: None, far: HashMap::default() }
    }
}

/// Which entry came last makes no difference here, either.
impl<K: Eq + Copy + Hash, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl<K: Eq + Copy + Hash, V: Eq> Eq for Table<K, V> {}

/// Used by the models. The result does not depend on the order.
impl<K: Eq + Copy + Hash, V: Hash> Hash for Table<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut sum = 0u64;
        for (key, value) in self.iter() {
            let mut one = std::hash::DefaultHasher::new();
            (key, value).hash(&mut one);
            sum = sum.wrapping_add(one.finish());
        }
        (self.len(), sum).hash(state);
    }
}

/// The last `MOST` entries that came in. Older entries are forgotten.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(bound(
    serialize = "K: Serialize, V: Serialize",
    deserialize = "K: Deserialize<'de>, V: Deserialize<'de>"
))]
pub(crate) struct Last<K: Eq + Copy + Hash, V, const MOST: usize> {
    entries: Table<K, V>,
    order: VecDeque<K>,
}

impl<K: Eq + Copy + Hash, V, const MOST: usize> Default for Last<K, V, MOST> {
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

    /// Returns whether each entry will be forgotten at some time.
    pub(super) fn is_sound(&self) -> bool {
        let order: HashSet<&K> = self.order.iter().collect();
        self.entries.is_sound()
            && self.order.len() <= MOST
            && self.entries.iter().all(|(key, _)| order.contains(key))
    }
}

/// The last `MOST` entries that came in, those included that were removed since. Other nodes may
/// choose the keys, because no key makes a search long.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(bound(
    serialize = "K: Serialize, V: Serialize",
    deserialize = "K: Deserialize<'de> + Ord, V: Deserialize<'de>"
))]
pub(super) struct Latest<K: Ord, V, const MOST: usize> {
    entries: BTreeMap<K, V>,
    order: VecDeque<K>,
}

impl<K: Ord, V, const MOST: usize> Default for Latest<K, V, MOST> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<K: Copy + Ord, V, const MOST: usize> Latest<K, V, MOST> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.entries.insert(key, value).is_none() {
            self.order.push_back(key);
            if self.order.len() > MOST
                && let Some(oldest) = self.order.pop_front()
            {
                self.entries.remove(&oldest);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.entries.remove(key);
    }

    /// Returns whether each entry will be forgotten at some time.
    pub(super) fn is_sound(&self) -> bool {
        let order: BTreeSet<&K> = self.order.iter().collect();
        self.order.len() <= MOST && self.entries.keys().all(|key| order.contains(key))
    }
}
