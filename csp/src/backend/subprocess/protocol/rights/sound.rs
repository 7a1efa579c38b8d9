//! Judges a home that was left by a node whose processes have ended. From then on it is this OS
//! process's own, so all that its code relies on is checked here, once.

use std::collections::{BTreeMap, BTreeSet};

use super::super::counts::Rows;
use super::super::home::{Home, HomeChannel};
use super::super::pairs::{Pair, PairKind, Phase};
use super::super::{Direction, Kind, OpId, Standing};
use super::waiting::MOST;

/// Numbers that are counted one by one stay below this for longer than any machine runs.
const MANY: u64 = 1 << 62;

impl<V, P> Home<V, P> {
    /// Returns whether a home that was left can be relied on.
    pub(in crate::backend::subprocess::protocol) fn is_sound(&self) -> bool {
        let mut keys = self.channels.iter().map(|(index, _)| *index);
        let tables = self.channels.is_sound()
            && self.posts.is_sound()
            && self.pairs.is_sound()
            && self.counts.channels.is_sound()
            && self.dead.is_sound()
            && self.counts.given_up.is_sound();
        tables
            && self.next < MANY
            && self.channels.len() == self.counts.channels.len()
            && keys.all(|index| index < self.next && self.counts.channels.contains_key(&index))
            && self.pairs_are_sound()
            && self.offers_are_sound()
            && self.stores_are_sound()
            && self.counts_are_sound()
            && self.waiting_is_sound()
    }

    /// Returns whether each pair is of operations that are engaged in it, and each engaged operation
    /// has its pair.
    pub(in crate::backend::subprocess::protocol) fn pairs_are_sound(&self) -> bool {
        let is_in = |op: OpId, name: &OpId| {
            self.posts.get(&op).is_some_and(|post| post.engaged.as_ref() == Some(name))
        };
        let pairs = self.pairs.iter().all(|(name, pair)| {
            let partner = pair.partner().is_none_or(|(op, _)| is_in(op, name));
            is_in(pair.asked, name) && partner
        });
        let has_pair = |op: &OpId, name: OpId| self.pairs.get(&name).is_some_and(|p| p.is_of(*op));
        let mut posts = self.posts.iter();
        pairs && posts.all(|(op, post)| post.engaged.is_none_or(|name| has_pair(op, name)))
    }

    /// Returns whether the queues of the channels have the guards of the operations, each once, and
    /// each pair is of guards of its channel.
    fn offers_are_sound(&self) -> bool {
        let mut offered = BTreeSet::new();
        for (op, post) in self.posts.iter() {
            let ordered = post.guards.iter().is_sorted_by(|(one, _), (next, _)| one < next);
            if post.guards.is_empty() || !ordered {
                return false;
            }
            for (guard, offer) in &post.guards {
                if offer.channel().home != self.id {
                    return false;
                }
                offered.insert((offer.channel().index, Standing::of(offer).kind, *op, *guard));
            }
        }
        let mut queued = 0;
        for (index, channel) in self.channels.iter() {
            let HomeChannel { readers, writers, watchers, .. } = channel;
            let queues = [(Kind::Read, readers), (Kind::Write, writers), (Kind::Retired, watchers)];
            for (kind, queue) in queues {
                queued += queue.len();
                let mut met = BTreeSet::new();
                let is_offered = |(op, guard): &(OpId, u16)| {
                    met.insert((*op, *guard)) && offered.contains(&(*index, kind, *op, *guard))
                };
                if !queue.iter().all(is_offered) {
                    return false;
                }
            }
        }
        let is_right = |pair: &Pair| {
            pair.guards()
                .all(|((op, guard), kind)| offered.contains(&(pair.channel, kind, op, guard)))
        };
        queued == offered.len()
            && self.pairs.iter().all(|(name, pair)| pair.is_named(*name) && is_right(pair))
    }

    /// Returns whether places and values that are promised belong to pairs.
    fn stores_are_sound(&self) -> bool {
        let mut promised = BTreeMap::<u64, usize>::new();
        let mut on_offer = BTreeSet::new();
        for (_, pair) in self.pairs.iter() {
            match pair.kind {
                PairKind::Storing { .. } => *promised.entry(pair.channel).or_default() += 1,
                PairKind::Taking { .. } if !on_offer.insert(pair.channel) => return false,
                _ => {}
            }
        }
        self.channels.iter().all(|(index, channel)| {
            let length = channel.stored.len();
            channel.back <= length
                && channel.on_offer.is_none_or(|at| at < length)
                && channel.on_offer.is_some() == on_offer.contains(index)
                && channel.promised == promised.get(index).copied().unwrap_or(0)
        })
    }

    /// Returns whether the totals are the sums of the rows, those in transit included.
    fn counts_are_sound(&self) -> bool {
        let mut moving = BTreeMap::<(u64, Direction), u64>::new();
        for row in self.counts.transits.values() {
            *moving.entry((row.channel, row.direction)).or_default() += 1;
        }
        let known = moving.keys().all(|(index, _)| self.counts.channels.contains_key(index));
        let is_right = |index: u64, rows: &Rows| {
            let of = |direction| {
                let held = rows.rows.iter().filter(|((_, of), _)| *of == direction);
                let held: u64 = held.map(|(_, ends)| u64::from(*ends)).sum();
                held + moving.get(&(index, direction)).copied().unwrap_or(0)
            };
            let totals = [(rows.readers, Direction::Read), (rows.writers, Direction::Write)];
            totals
                .into_iter()
                .all(|(total, direction)| total < u32::MAX / 2 && u64::from(total) == of(direction))
                && rows.given.is_sound()
                && rows.given.all(|given| *given < MANY)
        };
        known && self.counts.channels.iter().all(|(index, rows)| is_right(*index, rows))
    }

    fn waiting_is_sound(&self) -> bool {
        let ahead = &self.counts.ahead;
        let mut stated = BTreeMap::<_, usize>::new();
        for one in ahead.about.values().flatten() {
            *stated.entry(one.from()).or_default() += 1;
        }
        ahead.stated == stated && self.waiting.queues.values().all(|queue| queue.len() <= MOST)
    }
}

impl Pair {
    /// Returns the guards in it.
    fn guards(&self) -> impl Iterator<Item = ((OpId, u16), Kind)> {
        let (first, second) = match self.kind {
            PairKind::Meeting { reader, writer } => {
                ((reader, Kind::Read), Some((writer, Kind::Write)))
            }
            PairKind::Taking { reader } => ((reader, Kind::Read), None),
            PairKind::Storing { writer } => ((writer, Kind::Write), None),
            PairKind::Watching { watcher } => ((watcher, Kind::Retired), None),
        };
        [Some(first), second].into_iter().flatten()
    }

    fn is_of(&self, op: OpId) -> bool {
        self.guards().any(|((of, _), _)| of == op)
    }

    /// Returns whether it has this name, and asks one of its two. Only of two can one be held.
    fn is_named(&self, name: OpId) -> bool {
        let mut guards = self.guards();
        let first = guards.next().map(|((op, _), _)| op);
        let second = guards.next().map(|((op, _), _)| op);
        let alone = second.is_none() && self.phase != Phase::Claiming { held: false };
        first == Some(name) && first != second && self.is_of(self.asked) && !alone
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{
        ChannelId, Estate, Few, Machine, Message, NodeId, Offer, Out, Parcel, Token,
    };
    use super::*;

    const HERE: NodeId = NodeId(1);
    const THERE: NodeId = NodeId(2);

    /// Returns a home with a pair, a stored value, ends, and an end on its way.
    fn estate() -> Estate<u32, ()> {
        let (mut machine, mut out) = (Machine::new(HERE), Out::new(HERE));
        let [plain, buffered] = [0, 2].map(|capacity| machine.create(capacity));
        for channel in [plain, buffered] {
            for direction in [Direction::Read, Direction::Write] {
                let Token { transit, .. } = machine.depart(channel, direction, THERE, &mut out);
                let arrives = Message::MoveIn { channel: channel.index, direction, transit };
                assert_eq!(machine.handle(THERE, arrives, &mut out), Ok(()));
            }
        }
        machine.depart(plain, Direction::Read, THERE, &mut out);
        let write = |channel| Offer::Write { channel, parcel: Parcel::new(7, vec![]) };
        let read = |channel: ChannelId| Offer::Read { channel, extended: false };
        let posts = [
            (0, false, vec![(0, write(buffered))]),
            (1, true, vec![(0, read(plain)), (1, read(buffered))]),
            (2, true, vec![(0, write(plain))]),
        ];
        for (op, multi, guards) in posts {
            let post = Message::Post { op, multi, guards: Few::from(guards) };
            assert_eq!(machine.handle(THERE, post, &mut out), Ok(()));
        }
        machine.into_estate()
    }

    type Tamper = fn(&mut Home<u32, ()>);

    #[test]
    fn an_estate_that_contradicts_itself_is_refused() {
        assert!(Machine::heir(estate()).is_some());
        let forgeries: [(&str, Tamper); 17] = [
            ("totals", |home| rows(home).readers = u32::MAX),
            ("rows", |home| {
                rows(home).rows.insert((THERE, Direction::Write), u32::MAX);
            }),
            ("journeys", |home| {
                home.counts.transits.pop_first();
            }),
            ("given", |home| {
                rows(home).given.insert(THERE, u64::MAX);
            }),
            ("next", |home| home.next = u64::MAX),
            ("a channel to be made", |home| home.next = 0),
            ("channels", |home| drop(home.counts.channels.remove(&0))),
            ("places", |home| channel(home, 1).promised = usize::MAX),
            ("an offered value", |home| channel(home, 1).on_offer = None),
            ("a value that is not there", |home| channel(home, 0).on_offer = Some(0)),
            ("returned values", |home| channel(home, 0).back = 1),
            ("a queue", |home| channel(home, 0).writers.clear()),
            ("a queue twice", |home| {
                let all = channel(home, 0).writers.clone();
                channel(home, 0).writers.extend(all);
            }),
            ("a guard of another kind", |home| {
                let all = std::mem::take(&mut channel(home, 0).writers);
                channel(home, 0).readers.extend(all);
            }),
            ("a pair", |home| {
                let names = home.pairs.keys_of(|_, _| true);
                for name in names {
                    home.pairs.remove(&name);
                }
            }),
            ("a pair of nobody", |home| {
                let name = OpId { node: THERE, seq: 1 };
                let pair = home.pairs.remove(&name).expect("a pair");
                home.pairs.insert(OpId { node: THERE, seq: 9 }, pair);
            }),
            ("statements", |home| {
                home.counts.ahead.stated.insert(THERE, usize::MAX);
            }),
        ];
        for (what, tamper) in forgeries {
            let mut estate = estate();
            tamper(&mut estate.home);
            assert!(Machine::heir(estate).is_none(), "{what}");
        }
    }

    fn rows(home: &mut Home<u32, ()>) -> &mut Rows {
        home.counts.channels.get_mut(&0).expect("a channel")
    }

    fn channel(home: &mut Home<u32, ()>, index: u64) -> &mut HomeChannel<u32, ()> {
        home.channels.get_mut(&index).expect("a channel")
    }
}
