//! A sequence that most often has one element. A single element is not allocated.

use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::slice::{Iter, IterMut};
use std::{fmt, vec};

#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Few<T> {
    One([T; 1]),
    /// Any other number, also none.
    Many(Vec<T>),
}

impl<T> Few<T> {
    pub(crate) const fn new() -> Self {
        Self::Many(Vec::new())
    }

    #[inline(always)]
    pub(crate) fn one(thing: T) -> Self {
        Self::One([thing])
    }

    pub(crate) fn push(&mut self, thing: T) {
        match self {
            Self::Many(things) if things.capacity() == 0 => *self = Self::One([thing]),
            Self::Many(things) => things.push(thing),
            Self::One(_) => {
                if let Self::One([first]) = std::mem::take(self) {
                    *self = Self::Many(vec![first, thing]);
                }
            }
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        match self {
            Self::Many(things) => things.pop(),
            Self::One(_) => match std::mem::take(self) {
                Self::One([thing]) => Some(thing),
                Self::Many(_) => None,
            },
        }
    }

    /// Removes the element at `at`. Panics if there are not so many.
    pub(crate) fn remove(&mut self, at: usize) -> T {
        match self {
            Self::One(_) if at == 0 => self.pop().expect("one"),
            Self::One(_) => panic!("only one"),
            Self::Many(things) => things.remove(at),
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        match self {
            Self::One(one) => one,
            Self::Many(things) => things,
        }
    }
}

impl<T> DerefMut for Few<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::One(one) => one,
            Self::Many(things) => things,
        }
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(things: Vec<T>) -> Self {
        Self::Many(things)
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(things: I) -> Self {
        let mut things = things.into_iter();
        match (things.next(), things.next()) {
            (None, _) => Self::new(),
            (Some(one), None) => Self::One([one]),
            (Some(one), Some(two)) => {
                let mut all = Vec::with_capacity(things.size_hint().0.saturating_add(2));
                all.extend([one, two]);
                all.extend(things);
                Self::Many(all)
            }
        }
    }
}

/// The elements, taken one by one.
pub(crate) enum Things<T> {
    One(Option<T>),
    Many(vec::IntoIter<T>),
}

impl<T> Iterator for Things<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match self {
            Self::One(one) => one.take(),
            Self::Many(things) => things.next(),
        }
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = Things<T>;

    #[inline]
    fn into_iter(self) -> Things<T> {
        match self {
            Self::One([one]) => Things::One(Some(one)),
            Self::Many(things) => Things::Many(things.into_iter()),
        }
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Few<T> {
    type Item = &'a mut T;
    type IntoIter = IterMut<'a, T>;

    fn into_iter(self) -> IterMut<'a, T> {
        self.iter_mut()
    }
}

impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Few<T> {}

impl<T: Hash> Hash for Few<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<T: fmt::Debug> fmt::Debug for Few<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
