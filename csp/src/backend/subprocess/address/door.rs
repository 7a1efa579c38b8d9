//! The strangers at the door: connections whose program has not said yet what it wants.
//!
//! Nobody is refused because there are too many. The one that has been silent for longest goes instead. So
//! silent connections, however many, keep no member out.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// The time in which a stranger is to say what it wants.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// The most strangers, and the most of one address.
const MOST: usize = 64;
const MOST_OF_ONE: usize = 16;
/// With more than this a stranger has to show that it can be reached where it says it is.
const CROWD: usize = 16;

/// `T` sends a stranger away.
#[derive(Debug)]
pub(super) struct StrangersDoor<T> {
    /// Those that came first are in front.
    strangers: VecDeque<(u64, IpAddr, T)>,
    next: u64,
}

impl<T> Default for StrangersDoor<T> {
    fn default() -> Self {
        Self { strangers: VecDeque::new(), next: 0 }
    }
}

/// Returns the part of an address that one host has for itself.
fn whose(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address => address,
    }
}

impl<T> StrangersDoor<T> {
    /// Returns the number of the next stranger.
    pub(super) fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Lets a stranger in. Returns what sends another one away.
    pub(super) fn enter(&mut self, number: u64, from: IpAddr, away: T) -> Option<T> {
        let from = whose(from);
        let is_its = |(_, of, _): &(u64, IpAddr, T)| *of == from;
        let of_one = self.strangers.iter().filter(|stranger| is_its(stranger)).count();
        let oldest = match () {
            () if of_one >= MOST_OF_ONE => self.strangers.iter().position(is_its),
            () if self.strangers.len() >= MOST => Some(0),
            () => None,
        };
        let gone = oldest.and_then(|at| self.strangers.remove(at));
        self.strangers.push_back((number, from, away));
        gone.map(|(_, _, away)| away)
    }

    /// Records that a stranger has said what it wants, or is gone.
    pub(super) fn leave(&mut self, number: u64) {
        self.strangers.retain(|(other, _, _)| *other != number);
    }

    /// Returns whether a stranger has to show that it can be reached.
    pub(super) fn is_crowded(&self) -> bool {
        self.strangers.len() > CROWD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(number: u32) -> IpAddr {
        IpAddr::V4((0xc000_0200 + number).into())
    }

    #[test]
    fn the_oldest_silent_stranger_goes_and_the_new_one_never() {
        let mut door = StrangersDoor::default();
        // One address has few places, and takes none from others.
        assert_eq!(door.enter(1_000, of(1), 1_000), None);
        for number in 0..1_000 {
            let gone = door.enter(number, of(0), number);
            assert_eq!(gone, number.checked_sub(MOST_OF_ONE as u64));
        }
        assert!(door.strangers.iter().any(|(number, _, _)| *number == 1_000));
        // Many addresses have some more.
        for address in 2..200 {
            door.enter(2_000 + u64::from(address), of(address), 0);
            assert!(door.strangers.len() <= MOST);
            assert!(door.strangers.back().is_some_and(|(_, from, _)| *from == of(address)));
        }
        assert!(door.is_crowded());
        for number in 0..3_000 {
            door.leave(number);
        }
        assert!(door.strangers.is_empty());
    }

    #[test]
    fn a_host_has_many_addresses_of_ipv6() {
        let mut door = StrangersDoor::default();
        let address = |host: u16, n: u16| IpAddr::V6([0x2001, 0xdb8, 0, host, 1, 2, 3, n].into());
        for n in 0..100 {
            door.enter(u64::from(n), address(1, n), ());
        }
        assert_eq!(door.strangers.len(), MOST_OF_ONE);
        door.enter(200, address(2, 1), ());
        assert_eq!(door.strangers.len(), MOST_OF_ONE + 1);
    }
}
