//! The home's side (the owning node's): which nodes hold ends of its channels. There is a row for
//! each node and direction, and one for each end on its way. The rows are never reduced to one
//! number: the death of a node deletes its rows, as if the node had retired all its ends.
//! Invariant: a channel's totals are the sums of its rows, those in transit included.
//!
//! One node has charge of an end in transit: the home of the channel that carries it, or the node
//! that was given it directly. When a node dies, the home of the end asks the node in charge
//! whether the end was lost with the dead node. No other node can know.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::home::{Home, HomeChannel, Leaving};
use super::rights::dead::Dead;
use super::rights::void::{Journey, Voids};
use super::rights::waiting::{Ahead, Statements};
use super::table::{Latest, Table};
use super::{Departure, Direction, Ending, Message, NodeId, OpId, Out, Parcel, TransitId, Wild};

#[cfg(test)]
use super::proof::faults::Fault;

#[derive(Clone, Default, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) channels: Table<u64, Rows>,
    pub(super) transits: BTreeMap<TransitId, Transit>,
    /// Journeys that ended before they were known to have begun. The two messages came by different
    /// ways. Only this node and dead nodes are believed before the beginning is known.
    pub(super) early: BTreeSet<TransitId>,
    /// Journeys that are over without an arrival, as far as this home knows: channel and direction
    /// of the end, and how it set out. Such an end may arrive all the same. Only those that were given up last are
    /// remembered.
    pub(super) given_up: Latest<TransitId, ((u64, Direction), Journey), REMEMBERED>,
    pub(super) voids: Voids,
    /// For each node, the number of its journeys up to which all are known to have begun. A link
    /// keeps their order.
    pub(super) seen: BTreeMap<NodeId, u64>,
    /// Ends inside values that stand here, or that were given from here and have not been heard of.
    pub(super) charge: BTreeMap<TransitId, Charge>,
    /// Statements about nodes that are not yet known to be dead here.
    pub(super) ahead: Statements,
}

#[derive(Clone, Default, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Rows {
    handles: u32,
    pub(super) rows: BTreeMap<(NodeId, Direction), u32>,
    pub(super) readers: u32,
    pub(super) writers: u32,
    had_reader: bool,
    had_writer: bool,
    /// The number of values that each node was given and has not given back.
    pub(super) given: Table<NodeId, u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Transit {
    pub(super) channel: u64,
    pub(super) direction: Direction,
    pub(super) via: NodeId,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Charge {
    pub(super) home: NodeId,
    /// `None`: the value is here.
    pub(super) given_to: Option<NodeId>,
}

/// The number of journeys that are remembered after they were given up.
const REMEMBERED: usize = 65_536;

impl Rows {
    fn add(&mut self, direction: Direction) {
        match direction {
            Direction::Read => {
                self.readers += 1;
                self.had_reader = true;
            }
            Direction::Write => {
                self.writers += 1;
                self.had_writer = true;
            }
        }
    }

    fn sub(&mut self, direction: Direction, ends: u32) {
        let total = match direction {
            Direction::Read => &mut self.readers,
            Direction::Write => &mut self.writers,
        };
        *total = total.saturating_sub(ends);
    }

    fn readers_gone(&self) -> bool {
        self.readers == 0 && (self.had_reader || self.handles == 0)
    }

    fn retired(&self) -> bool {
        let writers_gone = self.writers == 0 && (self.had_writer || self.handles == 0);
        writers_gone || self.readers_gone()
    }
}

impl Counts {
    pub(super) fn create(&mut self, index: u64) {
        let rows = Rows { handles: 1, ..Rows::default() };
        self.channels.insert(index, rows);
    }

    pub(super) fn remove(&mut self, index: u64) {
        self.channels.remove(&index);
    }

    pub(super) fn readers_gone(&self, index: u64) -> bool {
        self.channels.get(&index).is_none_or(Rows::readers_gone)
    }

    pub(super) fn unreachable(&self, index: u64) -> bool {
        self.channels
            .get(&index)
            .is_none_or(|rows| rows.readers == 0 && rows.writers == 0 && rows.handles == 0)
    }

    /// Returns whether the node has an end of the channel: of this direction, or of any.
    #[inline]
    pub(super) fn holds(
        &self,
        index: u64,
        node: NodeId,
        direction: Option<Direction>,
    ) -> Option<bool> {
        let rows = &self.channels.get(&index)?.rows;
        let has = |direction| rows.contains_key(&(node, direction));
        Some(match direction {
            Some(direction) => has(direction),
            None => has(Direction::Read) || has(Direction::Write),
        })
    }

    pub(super) fn transit(&self, transit: TransitId) -> Option<&Transit> {
        self.transits.get(&transit)
    }

    pub(super) fn charge(&self, transit: TransitId) -> Option<&Charge> {
        self.charge.get(&transit)
    }

    pub(super) fn given_up(&self, transit: TransitId) -> Option<((u64, Direction), Journey)> {
        self.given_up.get(&transit).copied()
    }

    /// Returns the number of the next journey of this node, as far as is known.
    pub(super) fn next_journey(&self, node: NodeId) -> u64 {
        self.seen.get(&node).copied().unwrap_or(0)
    }

    /// Records that the journey is over without an arrival.
    pub(super) fn give_up(&mut self, transit: TransitId, channel: u64, direction: Direction) {
        self.given_up.insert(transit, ((channel, direction), Journey::Real));
    }

    /// Returns whether the node was given a value of this channel that it has not given back.
    pub(super) fn was_given(&self, index: u64, node: NodeId) -> bool {
        let rows = self.channels.get(&index);
        rows.is_none_or(|rows| rows.given.get(&node).is_some_and(|given| *given > 0))
    }

    /// Records that the node has given a value back.
    pub(super) fn gives_back(&mut self, index: u64, node: NodeId) {
        if let Some(given) =
            self.channels.get_mut(&index).and_then(|rows| rows.given.get_mut(&node))
        {
            *given = given.saturating_sub(1);
        }
    }

    /// Takes charge of the ends in a value that has come here, or has come back.
    pub(super) fn take_charge<V>(&mut self, parcel: &Parcel<V>, dead: &Dead) {
        for token in &parcel.tokens {
            // No node would ever report that its journey is over.
            if dead.contains(&token.channel.home) {
                continue;
            }
            let charge = Charge { home: token.channel.home, given_to: None };
            self.charge.insert(token.transit, charge);
        }
    }

    pub(super) fn hand_over<V>(&mut self, me: NodeId, to: NodeId, index: u64, parcel: &Parcel<V>) {
        if to != me
            && let Some(rows) = self.channels.get_mut(&index)
        {
            match rows.given.get_mut(&to) {
                Some(given) => *given += 1,
                None => drop(rows.given.insert(to, 1)),
            }
        }
        for token in &parcel.tokens {
            // If the value is given to this node itself, it has also arrived.
            if to == me {
                self.charge.remove(&token.transit);
            } else if let Some(charge) = self.charge.get_mut(&token.transit) {
                charge.given_to = Some(to);
            }
        }
    }

    /// Destroys a value that nobody will read: its ends are dropped.
    pub(super) fn destroy<V, P>(&mut self, parcel: Parcel<V>, out: &mut Out<V, P>) {
        for token in &parcel.tokens {
            self.charge.remove(&token.transit);
        }
        parcel.destroy(out);
    }

    #[cfg(test)]
    pub(super) fn counted(&self, index: u64, direction: Direction) -> u32 {
        let rows = self.channels.get(&index);
        rows.map_or(0, |rows| match direction {
            Direction::Read => rows.readers,
            Direction::Write => rows.writers,
        })
    }

    #[cfg(test)]
    pub(super) fn check_quiet(&self, tokens: usize) -> Option<&'static str> {
        if !self.early.is_empty() {
            return Some("an end arrived that never set out");
        }
        if !self.ahead.is_empty() {
            return Some("a question is not answered");
        }
        match self.charge.len() > tokens {
            true => Some("in charge of ends that are not here"),
            false => None,
        }
    }
}

impl<V: Clone, P: Clone> Home<V, P> {
    pub(super) fn drop_handle(&mut self, index: u64, out: &mut Out<V, P>) {
        if let Some(rows) = self.counts.channels.get_mut(&index) {
            rows.handles = rows.handles.saturating_sub(1);
        }
        self.recount(index, out);
    }

    pub(super) fn join(&mut self, index: u64, node: NodeId, direction: Direction) {
        if let Some(rows) = self.counts.channels.get_mut(&index) {
            *rows.rows.entry((node, direction)).or_default() += 1;
            rows.add(direction);
        }
    }

    pub(super) fn retire(
        &mut self,
        index: u64,
        node: NodeId,
        direction: Direction,
        ends: u32,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        // Void ends are dropped with the others.
        let void = self.counts.voids.of(node, (index, direction)).min(ends);
        if void < ends {
            self.retire_held(index, node, direction, ends - void, out)?;
        }
        self.counts.voids.retire(node, (index, direction), void);
        Ok(())
    }

    pub(super) fn retire_held(
        &mut self,
        index: u64,
        node: NodeId,
        direction: Direction,
        ends: u32,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        let Some(rows) = self.counts.channels.get_mut(&index) else {
            return Ok(());
        };
        let row = rows.rows.get_mut(&(node, direction));
        let row = row.ok_or(Wild("ends retired that it never had"))?;
        *row = row.checked_sub(ends).ok_or(Wild("more ends retired than it had"))?;
        if *row == 0 {
            rows.rows.remove(&(node, direction));
        }
        rows.sub(direction, ends);
        self.recount(index, out);
        Ok(())
    }

    /// Ends a channel if all ends of one side have been dropped.
    fn recount(&mut self, index: u64, out: &mut Out<V, P>) {
        let retired = self.counts.channels.get(&index).is_some_and(Rows::retired);
        if retired {
            self.end(index, Ending::Retired, out);
            self.stir(index, out);
        }
    }

    pub(super) fn move_out(
        &mut self,
        from: NodeId,
        channel: u64,
        direction: Direction,
        transit: TransitId,
        via: NodeId,
        out: &mut Out<V, P>,
    ) {
        // The journeys of a node begin in order.
        self.counts.seen.insert(from, transit.seq.saturating_add(1));
        #[cfg(test)]
        if self.fault == Fault::TransitUncounted {
            return;
        }
        if self.counts.early.remove(&transit) {
            return self.journey_over(transit, via, out);
        }
        // The node that would have charge of it is dead, and so is the value that carries it.
        if self.dead.contains(&via) {
            self.counts.give_up(transit, channel, direction);
            return;
        }
        let Some(rows) = self.counts.channels.get_mut(&channel) else {
            return self.counts.give_up(transit, channel, direction);
        };
        rows.add(direction);
        let row = Transit { channel, direction, via };
        self.counts.transits.insert(transit, row);
    }

    fn journey_over(&mut self, transit: TransitId, via: NodeId, out: &mut Out<V, P>) {
        self.counts.charge.remove(&transit);
        if via != self.id {
            out.to(via, Message::Settled { transit });
        }
    }

    pub(super) fn move_in(
        &mut self,
        from: NodeId,
        channel: u64,
        direction: Direction,
        transit: TransitId,
        out: &mut Out<V, P>,
    ) {
        // Counted for its new holder before it is discounted as in transit.
        self.join(channel, from, direction);
        self.arrived(from, channel, transit, out);
        self.counts.given_up.remove(&transit);
    }

    pub(super) fn dropped(
        &mut self,
        from: NodeId,
        channel: u64,
        transit: TransitId,
        out: &mut Out<V, P>,
    ) {
        match self.counts.transits.get(&transit).copied() {
            // An end that was destroyed before it left does not arrive, except by a mistake of the
            // node that destroyed it. The node where it arrives has made none.
            Some(row) if transit.origin == from => {
                self.counts.give_up(transit, row.channel, row.direction);
            }
            Some(_) => {}
            // It was given up, and does not arrive any more.
            None => self.counts.given_up.remove(&transit),
        }
        self.arrived(from, channel, transit, out);
    }

    fn arrived(&mut self, from: NodeId, channel: u64, transit: TransitId, out: &mut Out<V, P>) {
        if let Some(row) = self.counts.transits.remove(&transit) {
            // A node that had charge of it and reports this itself knows already.
            if row.via != from {
                self.journey_over(transit, row.via, out);
            }
            self.discount(row, out);
        } else if self.counts.channels.contains_key(&channel) && self.may_be_early(transit) {
            self.counts.early.insert(transit);
        }
    }

    fn discount(&mut self, row: Transit, out: &mut Out<V, P>) {
        if let Some(rows) = self.counts.channels.get_mut(&row.channel) {
            rows.sub(row.direction, 1);
        }
        self.recount(row.channel, out);
    }

    pub(super) fn settled(&mut self, transit: TransitId) {
        self.counts.charge.remove(&transit);
    }

    /// Answers whether an end that `dead` sent out was lost: has its value come here, or was it
    /// never posted?
    pub(super) fn asked(
        &mut self,
        from: NodeId,
        transit: TransitId,
        dead: NodeId,
        out: &mut Out<V, P>,
    ) {
        if !self.dead.contains(&dead) {
            self.counts.ahead.push(dead, Ahead::Ask { from, transit });
        } else if self.counts.charge(transit).is_none_or(|charge| charge.home != from) {
            out.to(from, Message::Gone { transit, dead });
        }
    }

    /// Records that an end was lost with `dead`, unless the dead node itself has reported the
    /// arrival.
    pub(super) fn gone(
        &mut self,
        from: NodeId,
        transit: TransitId,
        dead: NodeId,
        out: &mut Out<V, P>,
    ) {
        if !self.dead.contains(&dead) {
            self.counts.ahead.push(dead, Ahead::Gone { from, transit });
        } else if let Some(row) = self.counts.transits.remove(&transit) {
            self.counts.give_up(transit, row.channel, row.direction);
            self.counts.charge.remove(&transit);
            self.given_up(row.channel, dead, out);
            self.discount(row, out);
        } else if self.may_be_early(transit) {
            self.counts.early.insert(transit);
        }
    }

    /// Returns whether the news that the end has set out is still to come.
    pub(super) fn may_be_early(&self, transit: TransitId) -> bool {
        !self.dead.contains(&transit.origin)
            && self.counts.next_journey(transit.origin) <= transit.seq
    }

    /// Poisons this channel if that is the dead node's departure: it held ends of the channel.
    fn given_up(&mut self, index: u64, dead: NodeId, out: &mut Out<V, P>) {
        if self.dead.get(&dead) == Some(&Departure::Poisons) {
            self.end(index, Ending::Lost(dead), out);
        }
    }

    /// Gives up the offers and ends of a node whose processes have all ended. The node is not dead:
    /// it answers questions, and gives back the values that it was given.
    pub(super) fn left(&mut self, node: NodeId, out: &mut Out<V, P>) {
        self.drop_offers(node, out);
        self.finish_all(node, out);
        self.drop_rows(node, false, out);
    }

    /// Gives up the offers, ends and handles of the home's own processes, which have all ended.
    pub(super) fn abandon(&mut self, out: &mut Out<V, P>) {
        self.left(self.id, out);
        let mut handled = Vec::new();
        for (index, rows) in self.counts.channels.each_mut() {
            if std::mem::take(&mut rows.handles) > 0 {
                handled.push(*index);
            }
        }
        handled.sort_unstable();
        for index in handled {
            self.recount(index, out);
        }
    }

    /// Returns whether nobody needs this home any more, once its processes have left. Only retired
    /// channels remain then, and others can be told of those.
    pub(super) fn is_over(&self) -> bool {
        let is_over = |channel: &HomeChannel<V, P>| {
            matches!(channel.ending, Some(Ending::Retired)) && channel.stored.is_empty()
        };
        self.posts.is_empty()
            && self.pairs.is_empty()
            && self.extended.is_empty()
            && self.waiting.is_empty()
            && self.channels.all(is_over)
    }

    /// Ends the extended reads of this node, and those that a writer of it waits for.
    pub(super) fn finish_all(&mut self, node: NodeId, out: &mut Out<V, P>) {
        let finished: Vec<OpId> = self
            .extended
            .iter()
            .filter(|(reader, waiting)| reader.node == node || waiting.writer.node == node)
            .map(|(reader, _)| *reader)
            .collect();
        for reader in finished {
            let _ = self.finish(reader, out);
        }
    }

    /// Removes the free offers of a node that is gone. Offers in a pair wait for the answer of the other
    /// half.
    pub(super) fn drop_offers(&mut self, node: NodeId, out: &mut Out<V, P>) {
        let theirs: Vec<OpId> = self.posts.keys_of(|op, _| op.node == node);
        for op in theirs {
            let Some(post) = self.posts.get_mut(&op) else {
                continue;
            };
            match post.engaged {
                Some(_) => post.leaving = Leaving::Dead,
                None => self.remove(op, out),
            }
        }
    }

    /// Drops the ends of a node. `is_lost`: their channels end.
    pub(super) fn drop_rows(&mut self, node: NodeId, is_lost: bool, out: &mut Out<V, P>) {
        #[cfg(test)]
        if self.fault == Fault::KeepsRows {
            return;
        }
        self.counts.voids.forget(node);
        let mut held = Vec::new();
        for (index, rows) in self.counts.channels.each_mut() {
            let mut any = false;
            for direction in [Direction::Read, Direction::Write] {
                if let Some(ends) = rows.rows.remove(&(node, direction)) {
                    rows.sub(direction, ends);
                    any = true;
                }
            }
            if any {
                held.push(*index);
            }
        }
        held.sort_unstable();
        for index in held {
            if is_lost {
                self.end(index, Ending::Lost(node), out);
            }
            self.recount(index, out);
        }
    }

    /// Reports ends as lost that the dead node had been given, or had sent out in a value that did
    /// not leave. Ends in the dead node's charge, as the home of the channel that carried them,
    /// count as lost too, as far as is known.
    pub(super) fn drop_transits(&mut self, node: NodeId, out: &mut Out<V, P>) {
        let charge = self.counts.charge.iter();
        let given: Vec<(TransitId, NodeId)> = charge
            .filter(|(_, charge)| charge.given_to == Some(node))
            .map(|(transit, charge)| (*transit, charge.home))
            .collect();
        for (transit, home) in given {
            self.counts.charge.remove(&transit);
            let dead = node;
            out.to(home, Message::Gone { transit, dead });
        }
        let transits = self.counts.transits.iter();
        let open: Vec<(TransitId, NodeId)> = transits
            .filter(|(transit, row)| row.via == node || transit.origin == node)
            .map(|(transit, row)| (*transit, row.via))
            .collect();
        for (transit, via) in open {
            if via == node {
                self.gone(self.id, transit, node, out);
            } else {
                let dead = node;
                out.to(via, Message::Ask { transit, dead });
            }
        }
    }
}
