//! Values that can't be copied, lost or dropped twice unnoticed, in any OS process.
//!
//! A value that goes to another OS process is one more there and one less here. Each place where it is made again makes
//! up for a drop. So in the end exactly one drop is left for each value.

use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::notes::Notes;

/// An account of values: how often each was dropped.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Account>);

#[derive(Debug)]
enum Account {
    /// The account in the OS process that made it, with the notes of other OS processes.
    Own {
        drops: Vec<AtomicIsize>,
        notes: OnceLock<Notes>,
    },
    Elsewhere(Notes),
}

/// One value of a [`Ledger`]. It is not `Clone`.
#[derive(Debug)]
pub struct Token {
    id: usize,
    ledger: Ledger,
}

impl Ledger {
    /// Makes an account of `size` values, none made yet.
    pub fn new(size: usize) -> Self {
        let drops = (0..size).map(|_| AtomicIsize::new(0)).collect();
        Self(Arc::new(Account::Own { drops, notes: OnceLock::new() }))
    }

    /// Makes the value of that number. Each must be made once.
    pub fn token(&self, id: usize) -> Token {
        Token { id, ledger: self.clone() }
    }

    fn note(&self, id: usize, drops: isize) {
        match &*self.0 {
            Account::Own { drops: all, .. } => {
                all[id].fetch_add(drops, Ordering::Release);
            }
            Account::Elsewhere(notes) => notes.push(format!("{id} {drops}")),
        }
    }

    fn drops(&self) -> Vec<isize> {
        let Account::Own { drops, notes } = &*self.0 else {
            panic!("only who made a ledger can look at it");
        };
        let mut drops: Vec<_> = drops.iter().map(|drops| drops.load(Ordering::Acquire)).collect();
        for entry in notes.get().map(Notes::entries).unwrap_or_default() {
            let (id, more) = entry.split_once(' ').expect("two numbers");
            drops[id.parse::<usize>().expect("a number")] +=
                more.parse::<isize>().expect("another");
        }
        drops
    }

    /// Returns how many values have been dropped.
    pub fn dropped(&self) -> usize {
        self.drops().iter().sum::<isize>().try_into().expect("no value was dropped less than never")
    }

    /// Panics unless each value was dropped exactly once.
    #[track_caller]
    pub fn balance(&self) {
        for (id, drops) in self.drops().into_iter().enumerate() {
            assert_eq!(drops, 1, "value {id} was to be dropped once");
        }
    }
}

impl Token {
    /// Returns its number in the ledger.
    pub fn id(&self) -> usize {
        self.id
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.ledger.note(self.id, 1);
    }
}

impl Serialize for Ledger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.0 {
            Account::Own { notes, .. } => notes.get_or_init(Notes::new).serialize(serializer),
            Account::Elsewhere(notes) => notes.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Ledger {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Notes::deserialize(deserializer).map(|notes| Self(Arc::new(Account::Elsewhere(notes))))
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.id, &self.ledger).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (id, ledger) = <(usize, Ledger)>::deserialize(deserializer)?;
        ledger.note(id, -1);
        Ok(Self { id, ledger })
    }
}
