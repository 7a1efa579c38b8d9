//! Every interleaving of two sides of a link that is lost: cut at any moment, noticed or not, with two
//! clocks that say the same time to sides that may be slow.

use std::time::Duration;

use stateright::{Checker, Model, Property};

use super::frame::{FrameKind, HEAD, StreamLimits};
use super::frames::{Frames, LinkLoss, StreamSide};
use crate::backend::subprocess::transport::link::{LeftMessages, Outgoing};

/// Mistakes that can be planted, to see that the model finds them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub(super) enum FrameFault {
    #[default]
    None,
    /// A message is told as handled when it has come.
    HandledOnArrival,
    /// A message that the peer has not acknowledged is told as unsent.
    UnknownIsUnsent,
    /// A message of which a part is out is not told.
    ForgetsBegun,
    /// A started side counts from the answer to its ping, and not from the ping.
    CountsFromAnswer,
    /// A started side receives before any ping of it was answered.
    ReceivesUnanswered,
    /// A started side receives without a look at the clock.
    ReceivesLate,
    /// A starter gives up after three quarters of the peer timeout.
    GivesUpEarly,
    /// A side receives something after it has said its last count.
    ReceivesConcluded,
    /// A side may leave messages unhandled for as long as it says something.
    MayLeaveUnhandled,
    /// A starter judges the silence before it has read what has come.
    JudgesUnread,
    /// A starter counts silence before the other side is about to begin.
    CountsUnbegun,
    /// A part of a frame is not heard.
    PartIsUnheard,
    /// An answer to what a write has put into the stream breaks a rule until that write has returned.
    AwaitsReport,
    /// The messages that are left are told while a write is on its way.
    LeftWhileWriting,
}

/// The mistakes that a link with many messages finds.
const OF_MESSAGES: [FrameFault; 3] =
    [FrameFault::HandledOnArrival, FrameFault::UnknownIsUnsent, FrameFault::ForgetsBegun];

/// The mistakes that a link with much time finds.
const OF_TIME: [FrameFault; 4] = [
    FrameFault::CountsFromAnswer,
    FrameFault::ReceivesUnanswered,
    FrameFault::ReceivesLate,
    FrameFault::GivesUpEarly,
];

const LIMITS: StreamLimits = StreamLimits { body: 2, window: 8, longest: 8, each: 1 };
/// A quarter of it is one tick.
const TIMEOUT: Duration = Duration::from_secs(4);

/// A small link, explored fully.
#[derive(Clone, Debug)]
struct StreamSetup {
    fault: FrameFault,
    /// The lengths of the messages of each side.
    messages: [Vec<usize>; 2],
    ticks: u64,
    /// How often each side puts something out, at most.
    puts: [u8; 2],
    /// The stream may take all but the last byte.
    takes_parts: bool,
    /// The stream may be cut.
    is_cut: bool,
    /// The started side says its last count at some time.
    concludes: bool,
    /// Messages are handled at some time.
    handles: bool,
    /// The starter says when the other side is about to begin.
    is_prepared: bool,
    /// The stream may carry all but the last byte.
    carries_parts: bool,
    /// A write returns some time after the stream has taken its bytes.
    returns_late: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct StreamState {
    sides: [Frames; 2],
    /// When the other side was about to begin.
    is_invited: Option<u64>,
    /// The other side runs.
    has_begun: bool,
    /// Bytes that were put out and that the stream has not taken.
    out: [Vec<u8>; 2],
    /// Bytes that the stream of each side carries.
    carried: [Vec<u8>; 2],
    now: u64,
    is_cut: bool,
    has_concluded: bool,
    /// The starter has heard that.
    heard_conclusion: bool,
    said: [u8; 2],
    puts: [u8; 2],
    /// The bytes that the stream has taken by a write that has not returned.
    unreported: [Option<usize>; 2],
    /// How many messages each side has received.
    received: [u8; 2],
    left: [Option<LeftMessages>; 2],
    /// When bytes came to each side for the first time, and for the last.
    came: [Option<(u64, u64)>; 2],
    /// When the stream had taken each message, or later.
    taken: [Vec<u64>; 2],
    broken: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum StreamStep {
    Invite,
    Begin,
    Send(usize),
    /// The stream takes what is put out, or all but a byte of it.
    Put(usize, bool),
    /// The write of a side returns.
    Report(usize),
    /// All that the stream carries comes, or all but a byte of it.
    Deliver(usize, bool),
    Receive(usize),
    /// A side reads what has come, and judges the other one.
    Judge(usize),
    /// The started side says its last count.
    Conclude,
    Tick,
    Cut,
    /// A side sees that the stream has ended.
    SeeEnd(usize),
    /// A side that has lost the link tells what is left.
    Bury(usize),
}

fn message(side: usize, number: u8, length: usize) -> Vec<u8> {
    (0..length).map(|_| side as u8 * 16 + number).collect()
}

fn frames(side: usize, fault: FrameFault, now: u64) -> Frames {
    let side = if side == 0 { StreamSide::Starter } else { StreamSide::Started };
    let mut frames = Frames::new(side, TIMEOUT, LIMITS, Duration::from_secs(now));
    if side == StreamSide::Started || fault == FrameFault::CountsUnbegun {
        frames.begin(Duration::from_secs(now));
    }
    frames.sending.fault = fault;
    frames
}

impl StreamSetup {
    fn is_said(&self, state: &StreamState, side: usize, bytes: &[u8]) -> Option<u8> {
        let number = bytes.first()? % 16;
        let length = *self.messages[side].get(usize::from(number))?;
        (number < state.said[side] && bytes == message(side, number, length)).then_some(number)
    }

    fn apply(&self, state: &mut StreamState, step: StreamStep) {
        let now = Duration::from_secs(state.now);
        match step {
            StreamStep::Invite => {
                state.is_invited = Some(state.now);
                state.sides[0].begin(now);
            }
            StreamStep::Begin => {
                state.has_begun = true;
                state.sides[1] = frames(1, self.fault, state.now);
            }
            StreamStep::Send(side) => {
                let number = state.said[side];
                let head = message(side, number, self.messages[side][usize::from(number)]);
                state.said[side] += 1;
                let message = Outgoing { head, tail: None, sent: 0 };
                state.sides[side].send(message).expect("a short one");
            }
            StreamStep::Put(side, all) => {
                let out = &mut state.out[side];
                if out.is_empty() {
                    state.sides[side].output(now, out);
                    state.puts[side] += u8::from(!out.is_empty());
                }
                let count = out.len() - usize::from(!all && !out.is_empty());
                state.sides[side].offer(out.len());
                if self.returns_late && count > 0 {
                    state.unreported[side] = Some(count);
                } else {
                    state.sides[side].written(now, count);
                }
                let taken: Vec<u8> = out.drain(..count).collect();
                if !state.is_cut {
                    state.carried[side].extend(taken);
                }
                if self.is_timed() && !state.sides[side].is_backed_up() {
                    state.taken[side].resize(usize::from(state.said[side]), state.now);
                }
            }
            StreamStep::Report(side) => {
                let count = state.unreported[side].take().unwrap_or(0);
                state.sides[side].written(now, count);
            }
            StreamStep::Judge(side) => {
                if self.fault != FrameFault::JudgesUnread {
                    self.deliver(state, 1 - side, 0);
                }
                state.sides[side].judge(now);
                self.check_judgement(state, side);
            }
            StreamStep::Deliver(side, all) => self.deliver(state, side, usize::from(!all)),
            StreamStep::Receive(side) => {
                let from = 1 - side;
                let Some(bytes) = state.sides[side].receive(now) else { return };
                if self.is_said(state, from, &bytes) != Some(state.received[side]) {
                    state.broken = Some("a message twice, or out of its order");
                }
                state.received[side] += 1;
                if side == 1 && matches!(state.sides[0].loss(now), Some(LinkLoss::Silent(_))) {
                    state.broken = Some("a side that is given up has received");
                }
            }
            StreamStep::Conclude => {
                state.has_concluded = true;
                state.sides[1].conclude();
            }
            StreamStep::Tick => state.now += 1,
            StreamStep::Cut => {
                state.is_cut = true;
                state.carried = Default::default();
            }
            StreamStep::SeeEnd(side) => state.sides[side].lose(LinkLoss::Ended),
            StreamStep::Bury(side) => state.left[side] = Some(state.sides[side].left()),
        }
        self.check(state);
    }

    /// Returns whether the state has the times that only the setups with clocks need.
    fn is_timed(&self) -> bool {
        self.ticks > 0
    }

    /// Delivers what the stream of this side carries, except for its last bytes.
    fn deliver(&self, state: &mut StreamState, side: usize, but: usize) {
        let (now, other) = (Duration::from_secs(state.now), 1 - side);
        let count = state.carried[side].len().saturating_sub(but);
        let bytes: Vec<u8> = state.carried[side].drain(..count).collect();
        if bytes.is_empty() {
            return;
        }
        if self.is_timed() {
            let first = state.came[other].map_or(state.now, |(first, _)| first);
            state.came[other] = Some((first, state.now));
        }
        // The last count is the only frame of that kind.
        let is_conclusion = |head: &[u8]| head[4] == FrameKind::Concluded as u8;
        state.heard_conclusion |= side == 1 && bytes.windows(HEAD).any(is_conclusion);
        state.sides[other].input(now, &bytes);
        if let Some(LinkLoss::Wild(rule)) = state.sides[other].loss(now) {
            state.broken = Some(rule);
        }
    }

    /// Checks that a side gives the other one up in time, and not before.
    fn check_judgement(&self, state: &mut StreamState, side: usize) {
        let now = Duration::from_secs(state.now);
        let limit = [6, 4][side];
        let loss = state.sides[side].loss(now).cloned();
        if side == 0 && matches!(loss, Some(LinkLoss::Silent(_))) {
            // Before it is about to begin, no peer is silent.
            let heard = state.came[0].map_or(state.is_invited, |(_, last)| Some(last));
            let is_too_early = heard.is_none_or(|heard| state.now < heard + limit);
            if is_too_early || !state.carried[1].is_empty() {
                state.broken = Some("a peer is given up that is not silent");
            }
        }
        // A message that is still to be received is unhandled.
        let oldest = state.taken[side].get(usize::from(state.received[1 - side]));
        if let (Some(taken), Some((first, _)), None) = (oldest, state.came[side], loss)
            && state.now >= taken.max(&first) + limit
        {
            state.broken = Some("a peer that handles nothing is never given up");
        }
    }

    fn check(&self, state: &mut StreamState) {
        // Everything that was not received is told, and what is told as unsent was not received.
        for side in 0..2 {
            let Some(left) = &state.left[side] else { continue };
            let numbers = |list: &[Vec<u8>]| -> Vec<u8> {
                list.iter().filter_map(|bytes| self.is_said(state, side, bytes)).collect()
            };
            let (unsent, unknown) = (numbers(&left.unsent), numbers(&left.unknown));
            let received = state.received[1 - side];
            if side == 0 && state.heard_conclusion && !unknown.is_empty() {
                state.broken = Some("something is unknown after the last count");
            }
            if unsent.iter().any(|number| *number < received) {
                state.broken = Some("an unsent message was received");
            }
            let told = |number: &u8| unsent.contains(number) || unknown.contains(number);
            if !(received..state.said[side]).all(|number| told(&number)) {
                state.broken = Some("a message that was not received is not told");
            }
        }
        // A started side that may have work has given up before its starter does so for silence.
        let now = Duration::from_secs(state.now);
        if let Some(LinkLoss::Silent(_)) = state.sides[0].loss(now)
            && state.received[1] > 0
            && state.sides[1].loss(now).is_none()
        {
            state.broken = Some("the starter has given up first");
        }
    }
}

impl Model for StreamSetup {
    type State = StreamState;
    type Action = StreamStep;

    fn init_states(&self) -> Vec<StreamState> {
        let mut sides = [frames(0, self.fault, 0), frames(1, self.fault, 0)];
        if !self.is_prepared {
            sides[0].begin(Duration::ZERO);
        }
        vec![StreamState {
            sides,
            is_invited: (!self.is_prepared).then_some(0),
            has_begun: false,
            out: Default::default(),
            carried: Default::default(),
            now: 0,
            is_cut: false,
            has_concluded: false,
            heard_conclusion: false,
            said: [0; 2],
            puts: [0; 2],
            unreported: [None; 2],
            received: [0; 2],
            left: Default::default(),
            came: Default::default(),
            taken: Default::default(),
            broken: None,
        }]
    }

    fn actions(&self, state: &StreamState, actions: &mut Vec<StreamStep>) {
        if state.broken.is_some() {
            return;
        }
        let now = Duration::from_secs(state.now);
        if state.is_invited.is_none() {
            actions.push(StreamStep::Invite);
        } else if !state.has_begun {
            actions.push(StreamStep::Begin);
        }
        for side in 0..2 {
            if side == 1 && !state.has_begun {
                continue;
            }
            let is_lost = state.sides[side].clone().loss(now).is_some();
            if !is_lost && usize::from(state.said[side]) < self.messages[side].len() {
                actions.push(StreamStep::Send(side));
            }
            let may_put = state.puts[side] < self.puts[side];
            let is_writing = state.unreported[side].is_some();
            if is_writing {
                actions.push(StreamStep::Report(side));
            }
            if !is_lost && !is_writing && (may_put || !state.out[side].is_empty()) {
                actions.push(StreamStep::Put(side, true));
                if self.takes_parts && state.out[side].is_empty() {
                    actions.push(StreamStep::Put(side, false));
                }
            }
            if !state.carried[1 - side].is_empty() {
                actions.push(StreamStep::Deliver(1 - side, true));
                if self.carries_parts {
                    actions.push(StreamStep::Deliver(1 - side, false));
                }
            }
            if !is_lost && state.sides[side].may_give_up(now) {
                actions.push(StreamStep::Judge(side));
            }
            if state.left[side].is_none() {
                if self.handles {
                    actions.push(StreamStep::Receive(side));
                }
                if is_lost {
                    if !is_writing || self.fault == FrameFault::LeftWhileWriting {
                        actions.push(StreamStep::Bury(side));
                    }
                } else if state.is_cut {
                    actions.push(StreamStep::SeeEnd(side));
                }
            }
        }
        if self.concludes && state.has_begun && !state.has_concluded {
            actions.push(StreamStep::Conclude);
        }
        if state.now < self.ticks {
            actions.push(StreamStep::Tick);
        }
        if self.is_cut && !state.is_cut {
            actions.push(StreamStep::Cut);
        }
    }

    fn next_state(&self, state: &StreamState, step: StreamStep) -> Option<StreamState> {
        let mut next = state.clone();
        self.apply(&mut next, step);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("sound", |_, state: &StreamState| state.broken.is_none()),
            Property::sometimes("all is received", |setup: &Self, state: &StreamState| {
                let is_received = |side: usize| {
                    usize::from(state.received[1 - side]) == setup.messages[side].len()
                };
                !setup.handles || (0..2).all(is_received)
            }),
            Property::sometimes("something is unknown", |setup: &Self, state: &StreamState| {
                !setup.is_cut || state.left.iter().flatten().any(|left| !left.unknown.is_empty())
            }),
        ]
    }
}

/// Returns a link with messages both ways, which is cut at any moment. All happens at one time.
fn many_messages(fault: FrameFault) -> StreamSetup {
    let messages = [vec![2, 3], vec![2]];
    StreamSetup {
        fault,
        messages,
        ticks: 0,
        puts: [4, 2],
        takes_parts: true,
        is_cut: true,
        concludes: false,
        handles: true,
        is_prepared: false,
        carries_parts: false,
        returns_late: false,
    }
}

/// Returns a link whose writes return late, so that answers to them may come before.
fn writes_return_late(fault: FrameFault) -> StreamSetup {
    StreamSetup { puts: [4, 2], takes_parts: false, returns_late: true, ..many_messages(fault) }
}

/// Returns a link whose started side handles some of the messages and no more.
fn few_are_handled(fault: FrameFault) -> StreamSetup {
    let messages = [vec![2, 3], vec![]];
    StreamSetup { messages, takes_parts: false, concludes: true, ..many_messages(fault) }
}

/// Returns a link with one message and all the time that both sides need to give up. Bytes that
/// are not delivered in time might as well be cut off.
fn much_time(fault: FrameFault) -> StreamSetup {
    let messages = [vec![2], vec![]];
    StreamSetup {
        fault,
        messages,
        ticks: 7,
        puts: [2, 1],
        takes_parts: false,
        is_cut: false,
        ..many_messages(fault)
    }
}

/// Returns a link with time, on which nothing is handled.
fn nothing_is_handled(fault: FrameFault) -> StreamSetup {
    StreamSetup { puts: [2, 2], ticks: 6, handles: false, ..much_time(fault) }
}

/// Returns a link to a side that is prepared and begins late. The stream carries parts of frames.
fn begins_late(fault: FrameFault) -> StreamSetup {
    StreamSetup {
        messages: [vec![], vec![]],
        puts: [1, 1],
        ticks: 6,
        is_prepared: true,
        carries_parts: true,
        ..much_time(fault)
    }
}

/// Explores all states. Returns their number, or what was wrong and after which steps.
fn explore(setup: StreamSetup) -> Result<usize, String> {
    let checker = setup
        .checker()
        .threads(2)
        .finish_when(stateright::HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    match checker.discovery("sound") {
        Some(path) => {
            let what = path.last_state().broken;
            let steps: Vec<String> =
                path.into_actions().iter().map(|step| format!("{step:?}")).collect();
            Err(format!("{what:?} after {}", steps.join("; ")))
        }
        None => {
            checker.assert_properties();
            Ok(checker.unique_state_count())
        }
    }
}

fn is_sound(setup: StreamSetup) {
    let states = explore(setup.clone()).unwrap_or_else(|wrong| panic!("{setup:?}: {wrong}"));
    println!("{states} states");
    assert!(states > 1000);
}

#[test]
fn a_lost_link_tells_all_that_was_not_received() {
    is_sound(many_messages(FrameFault::None));
}

#[test]
fn an_answer_may_come_before_the_write_has_returned() {
    is_sound(writes_return_late(FrameFault::None));
}

#[test]
fn a_side_that_has_said_its_last_count_leaves_nothing_unknown() {
    is_sound(few_are_handled(FrameFault::None));
}

#[test]
#[ignore = "it takes minutes without optimisation: ci/models.sh runs it"]
fn a_started_side_gives_up_before_its_starter() {
    is_sound(much_time(FrameFault::None));
}

#[test]
fn a_side_that_handles_nothing_is_given_up() {
    is_sound(StreamSetup { puts: [2, 1], ..nothing_is_handled(FrameFault::None) });
}

#[test]
fn a_side_is_not_silent_before_it_begins_or_while_a_part_comes() {
    is_sound(begins_late(FrameFault::None));
}

#[test]
#[ignore = "it takes minutes without optimisation: ci/models.sh runs it"]
fn both_hold_for_longer_links() {
    is_sound(StreamSetup { puts: [6, 4], ..many_messages(FrameFault::None) });
    is_sound(StreamSetup { puts: [2, 2], ..much_time(FrameFault::None) });
}

fn is_found(setup: StreamSetup) {
    match explore(setup.clone()) {
        Ok(states) => panic!("{:?} is not found in {states} states", setup.fault),
        Err(wrong) => println!("{:?}: {wrong}", setup.fault),
    }
}

#[test]
fn mistakes_about_messages_are_found() {
    OF_MESSAGES.into_iter().map(many_messages).for_each(is_found);
    is_found(few_are_handled(FrameFault::ReceivesConcluded));
    is_found(writes_return_late(FrameFault::AwaitsReport));
    is_found(writes_return_late(FrameFault::LeftWhileWriting));
}

#[test]
#[ignore = "it takes minutes without optimisation: ci/models.sh runs it"]
fn mistakes_about_time_are_found() {
    OF_TIME.into_iter().map(much_time).for_each(is_found);
    is_found(nothing_is_handled(FrameFault::MayLeaveUnhandled));
}

#[test]
#[ignore = "it takes minutes without optimisation: ci/models.sh runs it"]
fn mistakes_about_the_beginning_are_found() {
    is_found(begins_late(FrameFault::JudgesUnread));
    is_found(begins_late(FrameFault::CountsUnbegun));
    is_found(begins_late(FrameFault::PartIsUnheard));
}
