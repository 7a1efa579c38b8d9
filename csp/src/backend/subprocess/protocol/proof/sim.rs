//! The world of the models: a network of machines, links that keep their order, processes that
//! follow scripts, and death. Also the statements that must hold: in every state, and when nothing
//! is left to happen. A node may die in the middle of a step, with any part of its messages
//! published.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use super::faults::Fault;
use crate::backend::subprocess::protocol::{
    ChannelId, Departure, Direction, Event, Machine, Message, NodeId, Offer, OpId, Out, Outcome,
    Parcel, TakenPromise, Token, Wild,
};
use crate::report::termination::Fate;

pub(super) type Value = u32;

/// A guard in a script. Channels and ends go by the number of the channel in the setup.
#[derive(Clone, Debug)]
pub(super) enum Guard {
    Read(usize),
    Extended(usize),
    Write(usize),
    /// A value that carries a new end of another channel.
    Send(usize, usize, Direction),
    Retired(usize),
    /// A read of the value that was promised. The promise was read from the former channel, and
    /// brought an end of the latter.
    Late(usize, usize),
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    Communicate(Vec<Guard>),
    /// It may be withdrawn as long as it waits.
    Timed(Vec<Guard>),
    /// Its process may be left as it is as long as it waits, and then never goes on.
    Left(Vec<Guard>),
    /// It has other guards that the machine does not know. One of those may be served at any
    /// moment.
    Mixed(Vec<Guard>),
    /// Mixed only because its process may take it back. It stands on when it is let go.
    Pending(Vec<Guard>),
    /// It has a `skip`, so it takes only a communication that is possible now.
    Poll(Vec<Guard>),
    Drop(usize, Direction),
    Poison(usize),
    /// Gives a promise back, as in [`Guard::Late`], if its value has not come.
    GiveBack(usize, usize),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Setup {
    pub(super) nodes: usize,
    /// The home (owning node) and capacity of each channel.
    pub(super) channels: Vec<(usize, usize)>,
    /// Channels that are for one value, which is promised by a value of the other channel.
    pub(super) late: Vec<(usize, usize)>,
    /// The node and script of each process.
    pub(super) processes: Vec<(usize, Vec<Action>)>,
    /// Ends held from the start in addition to the ends that the scripts use: process, channel,
    /// direction.
    pub(super) spare: Vec<(usize, usize, Direction)>,
    /// Nodes that may die, and how many of them do.
    pub(super) mortal: Vec<usize>,
    pub(super) deaths: usize,
    /// Nodes whose processes may leave together, at any moment.
    pub(super) leaving: Vec<usize>,
    pub(super) poisons: bool,
    pub(super) fault: Option<Fault>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Process {
    at: usize,
    waiting: Option<OpId>,
    withdrawn: bool,
    /// The writer's name and the channel of an extended read that is not finished.
    finishing: Option<(OpId, ChannelId)>,
    ends: BTreeMap<(ChannelId, Direction), u32>,
    over: bool,
    /// The promise that it has read, whose value has not come.
    promise: Option<Value>,
    /// The operation in which it was left as it is. It keeps its ends.
    abandoned: Option<OpId>,
    /// Which side has a mixed operation.
    had: Had,
    /// The guards of this step: the value it would write, and the channel where it would read with
    /// an extended rendezvous.
    offered: Vec<(Option<Value>, Option<ChannelId>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Had {
    Free,
    /// Held or performed by the machine.
    ByMachine,
    /// Served elsewhere.
    Elsewhere,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct State {
    pub(super) machines: Vec<Option<Machine<Value, ()>>>,
    links: Vec<VecDeque<Message<Value, ()>>>,
    noticed: Vec<bool>,
    left: Vec<bool>,
    /// The last words of the nodes that nobody needed any more.
    farewells: Vec<Vec<u64>>,
    pub(super) processes: Vec<Process>,
    deaths: usize,
    /// The ghost state: what has happened to each value.
    values: BTreeMap<Value, Ghost>,
    /// The last value that each reader had from each writer on each channel.
    order: BTreeMap<(usize, usize, u64), Value>,
    pub(super) broken: Option<&'static str>,
}

#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
struct Ghost {
    channel: usize,
    /// The answer to its writer.
    told: Option<Told>,
    /// The home of the channel had not read its offer, alone or with others of that home, when it died.
    unheard: bool,
    read: bool,
    /// It is a promise that was given back after it was read.
    given_back: bool,
    /// A node had it in hand when it died.
    perhaps_lost: bool,
}

/// The answer to the writer of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Told {
    Written,
    Returned,
    /// It may have been read.
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Step {
    Go(usize),
    Withdraw(usize),
    Abandon(usize),
    /// A mixed operation is served elsewhere. It is withdrawn in another step.
    Serve(usize),
    Finish(usize),
    /// The processes of a node are over. Its home goes on if others need it.
    Leave(usize),
    /// Nobody needs the home any more.
    Bury(usize),
    Deliver(usize, usize),
    Notice(usize, usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Move {
    Step(Step),
    /// The node of this step dies in it, after this many of its messages have been published.
    Dies(Step, usize),
    Kill(usize),
}

fn node(index: usize) -> NodeId {
    NodeId(index as u64)
}

fn index(node: NodeId) -> usize {
    node.0 as usize
}

impl State {
    pub(super) fn deaths_left(&self) -> usize {
        self.deaths
    }
}

impl Setup {
    fn channel(&self, number: usize) -> ChannelId {
        let home = self.channels[number].0;
        let before = self.channels[..number].iter();
        ChannelId {
            home: node(home),
            index: before.filter(|(other, _)| *other == home).count() as u64,
        }
    }

    fn number(&self, channel: ChannelId) -> usize {
        (0..self.channels.len())
            .find(|number| self.channel(*number) == channel)
            .expect("a channel of the setup")
    }

    fn promise(&self, from: usize, late: usize) -> TakenPromise {
        TakenPromise { from: self.channel(from), late: self.channel(late), turn: 0 }
    }

    fn needs(&self, process: usize) -> BTreeSet<(usize, Direction)> {
        let mut needed = BTreeSet::new();
        for action in &self.processes[process].1 {
            match action {
                Action::Communicate(guards)
                | Action::Timed(guards)
                | Action::Left(guards)
                | Action::Mixed(guards)
                | Action::Pending(guards)
                | Action::Poll(guards) => {
                    for guard in guards {
                        match guard {
                            Guard::Read(c) | Guard::Extended(c) | Guard::Retired(c) => {
                                needed.insert((*c, Direction::Read));
                            }
                            Guard::Write(c) => {
                                needed.insert((*c, Direction::Write));
                            }
                            Guard::Send(c, end, direction) => {
                                needed.insert((*c, Direction::Write));
                                needed.insert((*end, *direction));
                            }
                            Guard::Late(..) => {}
                        }
                    }
                }
                Action::Drop(..) | Action::GiveBack(..) => {}
                Action::Poison(c) => {
                    needed.insert((*c, Direction::Write));
                }
            }
        }
        needed
    }

    pub(super) fn start(&self) -> State {
        // Machines with their channels, and processes without ends.
        let mut machines: Vec<Machine<Value, ()>> =
            (0..self.nodes).map(|n| Machine::new(node(n))).collect();
        for (home, capacity) in &self.channels {
            machines[*home].create(*capacity);
        }
        for (late, _) in &self.late {
            machines[self.channels[*late].0].promise(self.channel(*late));
        }
        let processes = self.processes.iter().map(|_| Process {
            at: 0,
            waiting: None,
            withdrawn: false,
            finishing: None,
            ends: BTreeMap::new(),
            over: false,
            promise: None,
            abandoned: None,
            had: Had::Free,
            offered: Vec::new(),
        });
        let mut processes: Vec<Process> = processes.collect();
        // Each process gets the ends that its script uses, at its own node.
        for process in 0..self.processes.len() {
            let mut needed: Vec<_> = self.needs(process).into_iter().collect();
            for (who, channel, direction) in &self.spare {
                if *who == process {
                    needed.push((*channel, *direction));
                }
            }
            for (number, direction) in needed {
                let channel = self.channel(number);
                *processes[process].ends.entry((channel, direction)).or_default() += 1;
                let (home, here) = (index(channel.home), self.processes[process].0);
                if home == here {
                    machines[home].add_end(channel, direction);
                    continue;
                }
                let mut out = Out::new(node(home));
                let token = machines[home].depart(channel, direction, node(here), &mut out);
                let mut out = Out::new(node(here));
                machines[here].arrive(token, &mut out);
                for (to, message) in out.send {
                    let mut quiet = Out::new(to);
                    machines[index(to)]
                        .handle(node(here), message, &mut quiet)
                        .expect("an arrival");
                }
            }
        }
        // The first handles go, because every end exists by now.
        for number in 0..self.channels.len() {
            let channel = self.channel(number);
            let mut out = Out::new(channel.home);
            machines[index(channel.home)].drop_handle(channel, &mut out);
        }
        if let Some(fault) = self.fault {
            machines.iter_mut().for_each(|machine| machine.plant(fault));
        }
        State {
            machines: machines.into_iter().map(Some).collect(),
            links: vec![VecDeque::new(); self.nodes * self.nodes],
            noticed: vec![false; self.nodes * self.nodes],
            left: vec![false; self.nodes],
            farewells: vec![Vec::new(); self.nodes],
            processes,
            deaths: self.deaths,
            values: BTreeMap::new(),
            order: BTreeMap::new(),
            broken: None,
        }
    }

    fn link(&self, from: usize, to: usize) -> usize {
        from * self.nodes + to
    }

    pub(super) fn steps(&self, state: &State) -> Vec<Step> {
        let mut steps = Vec::new();
        // The processes.
        for (p, process) in state.processes.iter().enumerate() {
            if process.over {
                if !process.ends.is_empty() && process.abandoned.is_none() {
                    steps.push(Step::Go(p));
                }
                continue;
            }
            if process.finishing.is_some() {
                steps.push(Step::Finish(p));
            } else if process.waiting.is_none() {
                steps.push(Step::Go(p));
            } else if matches!(
                self.processes[p].1.get(process.at),
                Some(Action::Mixed(_) | Action::Pending(_))
            ) {
                match process.had {
                    Had::Free => steps.push(Step::Serve(p)),
                    Had::Elsewhere if !process.withdrawn => steps.push(Step::Withdraw(p)),
                    _ => {}
                }
            } else if !process.withdrawn
                && matches!(self.processes[p].1.get(process.at), Some(Action::Timed(_)))
            {
                steps.push(Step::Withdraw(p));
            } else if matches!(self.processes[p].1.get(process.at), Some(Action::Left(_))) {
                steps.push(Step::Abandon(p));
            }
        }
        // The nodes that leave.
        for leaver in &self.leaving {
            match &state.machines[*leaver] {
                Some(_) if !state.left[*leaver] => steps.push(Step::Leave(*leaver)),
                Some(machine) if machine.is_over() => steps.push(Step::Bury(*leaver)),
                _ => {}
            }
        }
        // The links, and the news of a death once the link is empty.
        for from in 0..self.nodes {
            for to in 0..self.nodes {
                if state.machines[to].is_none() {
                    continue;
                }
                if !state.links[self.link(from, to)].is_empty() {
                    steps.push(Step::Deliver(from, to));
                } else if state.machines[from].is_none() && !state.noticed[self.link(to, from)] {
                    steps.push(Step::Notice(to, from));
                }
            }
        }
        steps
    }

    pub(super) fn moves(&self, state: &State, moves: &mut Vec<Move>) {
        let steps = self.steps(state);
        if state.deaths > 0 {
            for mortal in &self.mortal {
                if state.machines[*mortal].is_some() {
                    moves.push(Move::Kill(*mortal));
                }
            }
            for step in &steps {
                let who = self.actor(*step);
                if self.mortal.contains(&who) {
                    let mut after = state.clone();
                    let out = self.perform(&mut after, *step);
                    for published in 0..=out.send.len() {
                        moves.push(Move::Dies(*step, published));
                    }
                }
            }
        }
        moves.extend(steps.into_iter().map(Move::Step));
    }

    /// Drops a dead node's last messages to another node, as far as nobody has acted upon them.
    /// They were not published.
    pub(super) fn lose_tail(&self, state: &mut State, dead: usize, to: usize) {
        let link = &mut state.links[self.link(dead, to)];
        while let Some(
            Message::Post { .. }
            | Message::Cancel { .. }
            | Message::Refuse { .. }
            | Message::Held { .. }
            | Message::Finish { .. }
            | Message::Retire { .. }
            | Message::MoveIn { .. },
        ) = link.back()
        {
            link.pop_back();
        }
    }

    pub(super) fn actor(&self, step: Step) -> usize {
        match step {
            Step::Go(p)
            | Step::Serve(p)
            | Step::Withdraw(p)
            | Step::Abandon(p)
            | Step::Finish(p) => self.processes[p].0,
            Step::Leave(who) | Step::Bury(who) => who,
            Step::Deliver(_, to) => to,
            Step::Notice(survivor, _) => survivor,
        }
    }

    pub(super) fn apply(&self, state: &mut State, moved: Move) {
        match moved {
            Move::Step(step) => {
                let out = self.perform(state, step);
                let who = self.actor(step);
                self.publish(state, who, out.send);
                self.report(state, who, out.events);
            }
            Move::Dies(step, published) => {
                let who = self.actor(step);
                let mut out = self.perform(state, step);
                let published = published.min(out.send.len());
                for (_, message) in out.send.drain(published..) {
                    // The value was given to this node, and not yet given back.
                    if let Message::Back { parcel, .. } = message {
                        let fate = state.values.entry(parcel.body).or_default();
                        fate.perhaps_lost = true;
                    }
                }
                self.publish(state, who, out.send);
                // Nobody has seen the values that its processes were given in this step.
                for event in out.events {
                    if let Outcome::Done { parcel: Some(parcel), .. } = event.outcome {
                        let fate = state.values.entry(parcel.body).or_default();
                        fate.perhaps_lost = true;
                    }
                }
                self.die(state, who);
            }
            Move::Kill(who) => self.die(state, who),
        }
        self.check_always(state);
    }

    fn die(&self, state: &mut State, who: usize) {
        state.deaths -= 1;
        state.machines[who] = None;
        self.is_left(state, who);
    }

    fn is_left(&self, state: &mut State, who: usize) {
        state.left[who] = true;
        for (p, process) in state.processes.iter_mut().enumerate() {
            if self.processes[p].0 == who {
                process.over = true;
                process.waiting = None;
                process.finishing = None;
                process.ends.clear();
            }
        }
    }

    fn publish(&self, state: &mut State, from: usize, send: Vec<(NodeId, Message<Value, ()>)>) {
        for (to, message) in send {
            if !state.noticed[self.link(from, index(to))] {
                state.links[self.link(from, index(to))].push_back(message);
            }
        }
    }

    fn perform(&self, state: &mut State, step: Step) -> Out<Value, ()> {
        let who = self.actor(step);
        let mut out = Out::new(node(who));
        let Some(mut machine) = state.machines[who].take() else {
            return out;
        };
        // The gate decides about mixed operations, as their processes would.
        let had: BTreeMap<OpId, Had> =
            state.processes.iter().filter_map(|p| Some((p.waiting?, p.had))).collect();
        let had = Arc::new(Mutex::new(had));
        let gate = Arc::clone(&had);
        out.gate = Box::new(move |op, _| {
            let mut had = gate.lock().expect("not poisoned");
            // An operation that has only just begun is not known yet, and is free.
            let had = had.entry(op).or_insert(Had::Free);
            let free = *had == Had::Free;
            if free {
                *had = Had::ByMachine;
            }
            free
        });
        let is_pending = |process: &Process, p: usize| {
            matches!(self.processes[p].1.get(process.at), Some(Action::Pending(_)))
        };
        let pending: Vec<OpId> = (state.processes.iter().enumerate())
            .filter(|(p, process)| is_pending(process, *p))
            .filter_map(|(_, process)| process.waiting)
            .collect();
        let (fault, again) = (self.fault, Arc::clone(&had));
        out.stands_again = Box::new(move |op| {
            let stands = pending.contains(&op);
            if stands && fault != Some(Fault::StaysHeld) {
                again.lock().expect("not poisoned").insert(op, Had::Free);
            }
            stands
        });
        match step {
            Step::Go(p) => self.go(state, p, &mut machine, &mut out),
            Step::Withdraw(p) => {
                state.processes[p].withdrawn = true;
                if let Some(op) = state.processes[p].waiting {
                    machine.withdraw(op, &mut out);
                }
            }
            Step::Abandon(p) => {
                let process = &mut state.processes[p];
                process.abandoned = process.waiting.take();
                process.over = true;
                let promise = process.promise.take().and_then(|body| {
                    let Some(Action::Left(guards)) = self.processes[p].1.get(process.at) else {
                        return None;
                    };
                    let [Guard::Late(from, late)] = guards[..] else { return None };
                    state.values.entry(body).or_default().given_back = true;
                    Some((self.promise(from, late), body))
                });
                if let Some(op) = process.abandoned {
                    machine.abandon(op, promise, &mut out);
                }
            }
            Step::Serve(p) => state.processes[p].had = Had::Elsewhere,
            Step::Finish(p) => {
                if let Some((op, channel)) = state.processes[p].finishing.take() {
                    machine.finish(op, channel, &mut out);
                }
            }
            Step::Leave(_) => {
                self.is_left(state, who);
                machine.leave(&mut out);
                // No process is there to hear of it.
                out.events.clear();
            }
            Step::Bury(_) => {
                state.farewells[who] = machine.farewell();
                return out;
            }
            Step::Deliver(from, to) => {
                let message = state.links[self.link(from, to)].pop_front();
                let message = message.expect("a message to deliver");
                let result = machine.handle(node(from), message, &mut out);
                if let Err(Wild(what)) = result {
                    state.broken = Some(what);
                }
            }
            Step::Notice(survivor, dead) => {
                state.noticed[self.link(survivor, dead)] = true;
                let unread = std::mem::take(&mut state.links[self.link(survivor, dead)]);
                for message in &unread {
                    let Message::Post { multi: false, guards, .. } = message else { continue };
                    for (_, offer) in guards {
                        if let Offer::Write { parcel, .. } = offer {
                            state.values.entry(parcel.body).or_default().unheard = true;
                        }
                    }
                }
                let departure = match self.poisons && state.farewells[dead].is_empty() {
                    true => Departure::Poisons,
                    false => Departure::Retires,
                };
                let farewell = &state.farewells[dead];
                let heard = machine.lost(node(dead), departure, farewell, unread.into(), &mut out);
                if heard.is_err() {
                    state.broken = Some("a machine took what it had said itself for wild");
                }
            }
        }
        // The processes learn which operations the gate has given away.
        let asked = had.lock().expect("not poisoned");
        for process in &mut state.processes {
            if let Some(now) = process.waiting.and_then(|op| asked.get(&op))
                && process.had != Had::Elsewhere
            {
                process.had = *now;
            }
        }
        drop(asked);
        if let Some((_, Wild(what))) = out.broken.first() {
            state.broken = Some(what);
        }
        if out.wild {
            state.broken = Some("a machine took itself for wild");
        }
        state.machines[who] = Some(machine);
        out
    }

    fn go(
        &self,
        state: &mut State,
        p: usize,
        machine: &mut Machine<Value, ()>,
        out: &mut Out<Value, ()>,
    ) {
        let process = &mut state.processes[p];
        let action = self.processes[p].1.get(process.at);
        // The script has ended, so the process drops its ends.
        let (Some(action), false) = (action, process.over) else {
            process.over = true;
            for ((channel, direction), held) in std::mem::take(&mut process.ends) {
                for _ in 0..held {
                    machine.drop_end(channel, direction, out);
                }
            }
            return;
        };
        match action {
            Action::Communicate(guards)
            | Action::Timed(guards)
            | Action::Left(guards)
            | Action::Mixed(guards)
            | Action::Pending(guards)
            | Action::Poll(guards) => {
                // An operation of all guards whose ends it still has.
                let mut offers = Vec::new();
                process.offered.clear();
                process.withdrawn = false;
                for (g, guard) in guards.iter().enumerate() {
                    let value = ((p << 16) | (process.at << 3) | g) as Value;
                    let (offer, value) = self.offer(guard, value, process, machine, out);
                    // The process no longer has this end, so the script does without this guard.
                    let Some(offer) = offer else { continue };
                    if let Some(value) = value {
                        let fate = state.values.entry(value).or_default();
                        fate.channel = self.number(offer.channel());
                    }
                    let extended = match &offer {
                        Offer::Read { channel, extended: true } => Some(*channel),
                        _ => None,
                    };
                    process.offered.push((value, extended));
                    offers.push(offer);
                }
                if offers.is_empty() {
                    process.at += 1;
                    return;
                }
                let mixed = matches!(action, Action::Mixed(_) | Action::Pending(_));
                process.had = Had::Free;
                let op = machine.begin((0..).zip(offers).collect(), mixed, out);
                process.waiting = Some(op);
                if matches!(action, Action::Poll(_)) {
                    machine.probe(op, out);
                }
            }
            Action::Drop(number, direction) => {
                let channel = self.channel(*number);
                if let Some(held) = process.ends.remove(&(channel, *direction)) {
                    for _ in 0..held {
                        machine.drop_end(channel, *direction, out);
                    }
                }
                process.at += 1;
            }
            Action::GiveBack(from, late) => {
                if let Some(body) = process.promise.take() {
                    let channel = self.channel(*late);
                    machine.give_back(self.promise(*from, *late), body, out);
                    state.values.entry(body).or_default().given_back = true;
                    process.ends.remove(&(channel, Direction::Read));
                    machine.drop_end(channel, Direction::Read, out);
                }
                process.at += 1;
            }
            Action::Poison(number) => {
                machine.poison(self.channel(*number), (), out);
                process.at += 1;
            }
        }
    }

    fn offer(
        &self,
        guard: &Guard,
        value: Value,
        process: &Process,
        machine: &mut Machine<Value, ()>,
        out: &mut Out<Value, ()>,
    ) -> (Option<Offer<Value>>, Option<Value>) {
        let has = |number: usize, direction| {
            process.ends.contains_key(&(self.channel(number), direction))
        };
        match guard {
            Guard::Read(c) | Guard::Extended(c) if has(*c, Direction::Read) => {
                let offer = Offer::Read {
                    channel: self.channel(*c),
                    extended: matches!(guard, Guard::Extended(_)),
                };
                (Some(offer), None)
            }
            Guard::Late(_, c) if has(*c, Direction::Read) && process.promise.is_some() => {
                (Some(Offer::Read { channel: self.channel(*c), extended: false }), None)
            }
            Guard::Retired(c) if has(*c, Direction::Read) => {
                let channel = self.channel(*c);
                (Some(Offer::Retired { channel }), None)
            }
            Guard::Write(c) if has(*c, Direction::Write) => {
                let offer = Offer::Write {
                    channel: self.channel(*c),
                    parcel: Parcel::new(value, Vec::new()),
                };
                (Some(offer), Some(value))
            }
            Guard::Send(c, end, direction)
                if has(*c, Direction::Write) && has(*end, *direction) =>
            {
                let channel = self.channel(*c);
                let via = channel.home;
                let token = machine.depart(self.channel(*end), *direction, via, out);
                let offer = Offer::Write { channel, parcel: Parcel::new(value, vec![token]) };
                (Some(offer), Some(value))
            }
            _ => (None, None),
        }
    }

    /// Reports events to the processes of the node.
    fn report(&self, state: &mut State, who: usize, events: Vec<Event<Value, ()>>) {
        for event in events {
            // The event belongs to one waiting process.
            let found = (0..state.processes.len()).find(|p| {
                self.processes[*p].0 == who && state.processes[*p].waiting == Some(event.op)
            });
            let is_left = |process: &Process| process.abandoned == Some(event.op);
            let Some(p) = found else {
                if state.processes.iter().any(is_left) {
                    continue;
                }
                state.broken = Some("an operation ended twice");
                return;
            };
            let process = &mut state.processes[p];
            process.waiting = None;
            let offered = std::mem::take(&mut process.offered);
            // The fate of its values, as their writer is told it.
            let (chosen, otherwise) = match &event.outcome {
                Outcome::Done { guard, .. } => (Some(usize::from(*guard)), Told::Returned),
                Outcome::Ended { fate: Fate::Unknown, .. } => (None, Told::Unknown),
                Outcome::Ended { fate: Fate::Returned, .. }
                | Outcome::Withdrawn
                | Outcome::Released => (None, Told::Returned),
            };
            for (guard, (value, _)) in offered.iter().enumerate() {
                if let Some(ghost) = value.and_then(|value| state.values.get_mut(&value)) {
                    let is_written = chosen == Some(guard);
                    ghost.told = Some(if is_written { Told::Written } else { otherwise });
                }
            }
            // The process goes on, or ends.
            match event.outcome {
                Outcome::Done { .. } if process.had == Had::Elsewhere => {
                    state.broken = Some("an operation was served twice");
                }
                Outcome::Done { guard, parcel } => {
                    process.at += 1;
                    let (wrote, extended) = offered[usize::from(guard)];
                    if let Some(parcel) = parcel {
                        if wrote.is_some() {
                            state.broken = Some("a writer was given a value");
                        }
                        process.finishing = extended.map(|channel| (event.op, channel));
                        self.received(state, p, parcel);
                    }
                }
                Outcome::Withdrawn => process.at += 1,
                // It begins again, with the values that it would have written the first time.
                Outcome::Released => {
                    for (value, _) in offered {
                        if let Some(value) = value {
                            state.values.remove(&value);
                        }
                    }
                }
                Outcome::Ended { .. } if process.had == Had::Elsewhere => process.at += 1,
                Outcome::Ended { .. } => process.over = true,
            }
        }
    }

    fn received(&self, state: &mut State, p: usize, parcel: Parcel<Value>) {
        let fate = state.values.entry(parcel.body).or_default();
        if fate.read && !std::mem::take(&mut fate.given_back) {
            state.broken = Some("a value was read twice");
        }
        fate.read = true;
        let writer = (parcel.body >> 16) as usize;
        let last = state.order.insert((p, writer, fate.channel as u64), parcel.body);
        // A value that comes back from a dead node is late.
        let late = state.deaths < self.deaths
            || state.left.contains(&true)
            || state.processes.iter().any(|process| process.abandoned.is_some());
        if last.is_some_and(|last| last > parcel.body) && !late {
            state.broken = Some("values of one writer changed places");
        }
        let process = &mut state.processes[p];
        let promised = |token: &Token| {
            let number = self.number(token.channel);
            self.late.iter().any(|(late, _)| *late == number) && token.direction == Direction::Read
        };
        process.promise = parcel.tokens.iter().any(promised).then_some(parcel.body);
        for Token { channel, direction, .. } in parcel.tokens {
            *process.ends.entry((channel, direction)).or_default() += 1;
        }
    }

    /// Returns whether a step may never be taken: a time-out, or service elsewhere.
    pub(super) fn is_patient(&self, state: &State, step: Step) -> bool {
        match step {
            Step::Serve(_) | Step::Leave(_) | Step::Abandon(_) => true,
            Step::Withdraw(p) => state.processes[p].had != Had::Elsewhere,
            _ => false,
        }
    }

    fn alive(&self, state: &State, channel: ChannelId) -> bool {
        state.machines[index(channel.home)].is_some()
    }

    fn check_always(&self, state: &mut State) {
        let all_live = (0..self.channels.len()).all(|c| self.alive(state, self.channel(c)));
        for ghost in state.values.values() {
            if ghost.read && ghost.told == Some(Told::Returned) {
                state.broken = Some("a value was read that its writer still has");
            }
            if ghost.told == Some(Told::Unknown) && all_live {
                state.broken = Some("a value may have been read, and each home lives");
            }
            if ghost.told == Some(Told::Unknown) && ghost.unheard {
                state.broken = Some("a value may have been read that nobody was offered");
            }
        }
        for machine in state.machines.iter().flatten() {
            if let Some(broken) = machine.home.check() {
                state.broken = Some(broken);
            }
        }
    }

    /// Checks the statements that must hold when nothing except time-outs is left to happen.
    pub(super) fn check_quiet(&self, state: &State) -> Option<&'static str> {
        let steps = self.steps(state);
        if steps.iter().any(|step| !self.is_patient(state, *step)) {
            return None;
        }
        for machine in state.machines.iter().flatten() {
            if let Some(broken) = machine.home.check_quiet() {
                return Some(broken);
            }
        }
        // Each home's counts agree with the ends that processes and values hold.
        let mut stored = BTreeSet::new();
        let mut truth: BTreeMap<(ChannelId, Direction), u32> = BTreeMap::new();
        for machine in state.machines.iter().flatten() {
            for parcel in machine.home.values() {
                stored.insert(parcel.body);
                for token in &parcel.tokens {
                    *truth.entry((token.channel, token.direction)).or_default() += 1;
                }
            }
        }
        for process in &state.processes {
            for (end, held) in &process.ends {
                *truth.entry(*end).or_default() += held;
            }
        }
        // The death of a home may take ends with it that were on their way through it.
        let homes_live = (0..self.channels.len()).all(|c| self.alive(state, self.channel(c)));
        for number in 0..self.channels.len() {
            let channel = self.channel(number);
            let Some(machine) = &state.machines[index(channel.home)] else {
                continue;
            };
            let held = |direction| truth.get(&(channel, direction)).copied().unwrap_or(0);
            for direction in [Direction::Read, Direction::Write] {
                let counted = machine.home.counted(channel.index, direction);
                if held(direction) == 0 && counted > 0 {
                    return Some("ends are counted that nobody holds");
                }
                if held(direction) > 0 && counted == 0 && homes_live {
                    return Some("ends are held that nobody counts");
                }
            }
            let both = held(Direction::Read) > 0 && held(Direction::Write) > 0;
            if both && homes_live && machine.home.retired(channel.index) {
                return Some("a channel has retired while both sides have ends");
            }
        }
        // No operation waits in vain.
        for (p, process) in state.processes.iter().enumerate() {
            let Some(op) = process.waiting else { continue };
            if process.had == Had::ByMachine {
                return Some("an operation is held and never let go");
            }
            if process.withdrawn {
                return Some("an operation was withdrawn and never told");
            }
            if matches!(self.processes[p].1.get(process.at), Some(Action::Poll(_))) {
                return Some("a poll waits");
            }
            if !state.machines.iter().flatten().any(|machine| machine.home.stands(op)) {
                return Some("an operation waits that stands nowhere");
            }
        }
        // No written value has disappeared.
        for (value, fate) in &state.values {
            // A promised value may have gone to the channel from which its promise was read.
            let late = self.late.iter().find(|(late, _)| *late == fate.channel);
            let channels = [Some(fate.channel), late.map(|(_, from)| *from)];
            let channels = || channels.into_iter().flatten().map(|number| self.channel(number));
            if !channels().all(|channel| self.alive(state, channel)) {
                continue;
            }
            let ended = channels().any(|channel| {
                let machine = state.machines[index(channel.home)].as_ref();
                machine.is_some_and(|machine| machine.home.has_dropped(channel.index))
            });
            if fate.told == Some(Told::Written)
                && !fate.read
                && !fate.perhaps_lost
                && !ended
                && !stored.contains(value)
            {
                return Some("a value was written and is nowhere");
            }
        }
        // A promised value is where a reader will look for it, also if its first reader never goes on.
        for (late, from) in &self.late {
            let (late, from) = (self.channel(*late), self.channel(*from));
            let (Some(home), Some(origin)) =
                (&state.machines[index(late.home)], &state.machines[index(from.home)])
            else {
                continue;
            };
            let end = (late, Direction::Read);
            let is_left = |process: &&Process| process.abandoned.is_some();
            let looks = |process: &Process| process.ends.contains_key(&end);
            let carries = |parcel: &&Parcel<Value>| {
                parcel.tokens.iter().any(|token| (token.channel, token.direction) == end)
            };
            let promised = state.processes.iter().filter(|p| !is_left(p)).any(looks)
                || origin.home.values().any(|parcel| carries(&parcel));
            let left = state.processes.iter().any(|process| is_left(&process) && looks(process));
            if left && !promised && home.home.has_a_value(late.index) {
                return Some("a promised value is where nobody reads it");
            }
        }
        None
    }
}
