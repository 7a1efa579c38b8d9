//! A link as frames, without the stream itself and without a clock. Its caller says which bytes came, how
//! many bytes the stream has taken, and what time it is.
//!
//! Four statements hold:
//!
//! - A message is received whole, once, in its order, or not at all.
//!
//! - A message that was not received is told as unsent or unknown once the link is lost. The peer
//!   has not received an unsent one.
//!
//! - A side that was started receives nothing from the moment on at which its starter may give it
//!   up.
//!
//! - A message that the peer leaves unhandled for too long loses the link, whatever else the peer says.
//!
//! - Bytes that follow no rule lose the link, and nothing else. They take a few
//!   times as much memory as they are long.
//!
//! A starter is judged by its clock, whenever it is asked. The silence of any other peer, and what it leaves
//! unhandled, is judged by `judge`, once all that it has said was read.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::frame::{FrameKind, StreamLimits};
use super::receiving::{CameFrame, Receiving};
use super::sending::Sending;
use crate::backend::subprocess::protocol::Wild;
use crate::backend::subprocess::transport::link::{LeftMessages, Outgoing};

/// The time without a word after which a peer is given up, unless another is asked for.
pub(in crate::backend::subprocess) const PEER_TIMEOUT: Duration = Duration::from_secs(10);
/// The time for which the news that messages were handled waits for company.
const ACK_AFTER: Duration = Duration::from_millis(5);
/// The longest time between two looks whether messages were handled.
const ACK_AT_LAST: Duration = Duration::from_millis(40);
/// The most pings that are remembered until they are answered.
const PINGS: usize = 8;

/// The side of a link: the two do not give up at the same time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(in crate::backend::subprocess) enum StreamSide {
    /// It has started the other side, and may give the work to others once that side is lost.
    Starter,
    /// It gives up first.
    Started,
}

/// The reason why a link is over.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(in crate::backend::subprocess) enum LinkLoss {
    /// The stream has ended.
    Ended,
    /// The stream has failed, in the system's words.
    Failed(String),
    /// The peer broke a rule.
    Wild(&'static str),
    /// The peer was not heard for so long.
    Silent(Duration),
    /// The peer has left something unhandled for so long.
    Unhandled(Duration),
}

impl fmt::Display for LinkLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("its connection has ended"),
            Self::Failed(error) => write!(f, "its connection has failed: {error}"),
            Self::Wild(rule) => Wild(rule).fmt(f),
            Self::Silent(time) => write!(f, "it was not heard for {time:?}"),
            Self::Unhandled(time) => write!(f, "it has not handled its messages for {time:?}"),
        }
    }
}

/// Whether this side has ended its work.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum LastCount {
    None,
    /// Its last count is to be said.
    Due,
    Said,
}

#[cfg_attr(test, derive(Clone, PartialEq, Eq, Hash, Debug))]
pub(super) struct Frames {
    side: StreamSide,
    timeout: Duration,
    pub(super) sending: Sending,
    receiving: Receiving,
    /// The length of the message that was received last and is being handled.
    taken: Option<usize>,
    /// The number of messages handled, and the number that the peer was told.
    handled: u64,
    told: u64,
    /// The weight of the messages that were handled and not told.
    untold: usize,
    /// The next look whether messages were handled, and the wait after it.
    look_at: Option<Duration>,
    patience: Duration,
    /// When the peer was last heard, or was about to begin.
    heard: Option<Duration>,
    /// When the peer was first heard. It can't handle anything before it runs.
    first_heard: Option<Duration>,
    /// When the last ping was sent that the peer has answered, and its number.
    answered: Duration,
    answered_number: u64,
    /// The pings that are not answered.
    pings: VecDeque<(u64, Duration)>,
    ping_at: Duration,
    last_ping: u64,
    /// The ping of the peer that is to be answered.
    asked: Option<u64>,
    last_count: LastCount,
    lost: Option<LinkLoss>,
}

impl Frames {
    pub(super) fn new(
        side: StreamSide,
        timeout: Duration,
        limits: StreamLimits,
        now: Duration,
    ) -> Self {
        Self {
            side,
            timeout,
            sending: Sending::new(limits),
            receiving: Receiving::new(limits),
            taken: None,
            handled: 0,
            told: 0,
            untold: 0,
            look_at: None,
            patience: ACK_AFTER,
            heard: None,
            first_heard: None,
            answered: now,
            answered_number: 0,
            pings: VecDeque::new(),
            ping_at: now,
            last_ping: 0,
            asked: None,
            last_count: LastCount::None,
            lost: None,
        }
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Counts silence from now on, because the peer is about to begin.
    pub(super) fn begin(&mut self, now: Duration) {
        self.heard = self.heard.max(Some(now));
    }

    /// Sends a message, as soon as the peer may have it.
    pub(super) fn send(&mut self, message: Outgoing) -> Result<(), Wild> {
        self.sending.send(message)
    }

    /// Appends the bytes that the stream is to take next, if there are any. The caller has had all
    /// earlier ones taken.
    pub(super) fn output(&mut self, now: Duration, to: &mut Vec<u8>) {
        if self.loss(now).is_some() {
            return;
        }
        let (begin, handled) = (to.len(), self.handled);
        // Pings and their answers come between the pieces of messages.
        if let Some(number) = self.asked.take() {
            self.sending.put_frame(FrameKind::Pong, handled, &number.to_le_bytes(), to);
        }
        if now >= self.ping_at {
            self.last_ping += 1;
            self.ping_at = now + self.timeout / 4;
            self.pings.push_back((self.last_ping, now));
            if self.pings.len() > PINGS {
                self.pings.pop_front();
            }
            let number = self.last_ping.to_le_bytes();
            self.sending.put_frame(FrameKind::Ping, handled, &number, to);
        }
        self.sending.put_pieces(handled, to);
        if self.last_count == LastCount::Due {
            self.last_count = LastCount::Said;
            self.sending.put_frame(FrameKind::Concluded, handled, &[], to);
        }
        // The news that messages were handled travels alone if nothing else does.
        let looks = self.look_at.is_some_and(|at| now >= at);
        if to.len() == begin && handled > self.told && (looks || self.should_tell()) {
            self.sending.put_frame(FrameKind::Handled, handled, &[], to);
        }
        if to.len() > begin {
            (self.told, self.untold) = (handled, 0);
            self.sending.was_put(now);
        }
        // Some messages may still wait to be handled.
        if self.told == self.receiving.came() {
            (self.look_at, self.patience) = (None, ACK_AFTER);
        } else if looks {
            self.patience = (self.patience * 2).min(ACK_AT_LAST);
            self.look_at = Some(now + self.patience);
        }
    }

    /// Returns whether the peer should be told now that messages were handled, because it may wait
    /// for that.
    pub(super) fn should_tell(&self) -> bool {
        self.untold >= self.sending.window() / 4
    }

    /// Records that the stream is offered so many bytes of those that were put out, and may have taken them at any
    /// time from now on. `written` says how many it was.
    pub(super) fn offer(&mut self, bytes: usize) {
        self.sending.offer(bytes);
    }

    /// Records that the stream has taken so many bytes of those that were put out.
    pub(super) fn written(&mut self, now: Duration, bytes: usize) {
        self.sending.written(now, bytes);
    }

    /// Handles bytes that have come by the stream.
    pub(super) fn input(&mut self, now: Duration, mut bytes: &[u8]) {
        // A part of a frame is heard as well, because a long frame takes its time on a slow link.
        #[cfg(test)]
        let is_unheard = self.sending.fault == super::model::FrameFault::PartIsUnheard
            && bytes.len() < super::frame::HEAD;
        #[cfg(not(test))]
        let is_unheard = false;
        if !bytes.is_empty() && !is_unheard && self.loss(now).is_none() {
            self.heard = Some(now);
            self.first_heard.get_or_insert(now);
        }
        while self.loss(now).is_none() && !bytes.is_empty() {
            let came = self.receiving.take_in(&mut bytes);
            let handled = came.and_then(|came| match came {
                Some(came) => self.came(now, came),
                None => Ok(()),
            });
            if let Err(wild) = handled {
                self.lose(LinkLoss::Wild(wild.0));
            }
        }
    }

    fn came(&mut self, now: Duration, frame: CameFrame) -> Result<(), Wild> {
        self.sending.handled(frame.handled)?;
        match frame.kind {
            FrameKind::Ping => self.asked = Some(frame.number),
            FrameKind::Pong => {
                if frame.number <= self.answered_number || frame.number > self.last_ping {
                    return Err(Wild("an answer to no ping"));
                }
                self.answered_number = frame.number;
                while let Some((number, sent)) = self.pings.front().copied()
                    && number <= frame.number
                {
                    self.pings.pop_front();
                    self.answered = sent;
                    #[cfg(test)]
                    if self.sending.fault == super::model::FrameFault::CountsFromAnswer {
                        self.answered = now;
                    }
                }
            }
            FrameKind::Last if self.look_at.is_none() => {
                self.look_at = Some(now + self.patience);
            }
            FrameKind::Concluded => self.sending.conclude(),
            FrameKind::Last | FrameKind::Piece | FrameKind::Handled => {}
        }
        #[cfg(test)]
        if self.sending.fault == super::model::FrameFault::HandledOnArrival {
            self.handled = self.receiving.came();
        }
        Ok(())
    }

    /// Returns the next message. The one before it was handled.
    pub(super) fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.has_handled();
        if self.has_concluded() {
            return None;
        }
        if self.side == StreamSide::Started && !self.may_receive(now) {
            return None;
        }
        let message = self.receiving.take()?;
        self.taken = Some(message.len());
        Some(message)
    }

    /// Returns whether a side that was started may handle what it is told. Messages that came
    /// before the end of the stream are handled.
    fn may_receive(&mut self, now: Duration) -> bool {
        #[cfg(test)]
        match self.sending.fault {
            super::model::FrameFault::ReceivesUnanswered => return self.loss(now).is_none(),
            super::model::FrameFault::ReceivesLate => return self.answered_number > 0,
            _ => {}
        }
        // Its starter may have given the work to others. Until the first answer the two do not
        // count the time from the same moment.
        self.answered_number > 0 && !matches!(self.loss(now), Some(LinkLoss::Silent(_)))
    }

    /// Has the peer told that nothing more is handled here. From now on nothing is received.
    pub(super) fn conclude(&mut self) {
        self.has_handled();
        if self.last_count == LastCount::None {
            self.last_count = LastCount::Due;
        }
    }

    fn has_concluded(&self) -> bool {
        #[cfg(test)]
        if self.sending.fault == super::model::FrameFault::ReceivesConcluded {
            return false;
        }
        self.last_count != LastCount::None
    }

    /// Records that the message that was received last has been handled.
    fn has_handled(&mut self) {
        if let Some(length) = self.taken.take() {
            #[cfg(test)]
            if self.sending.fault == super::model::FrameFault::HandledOnArrival {
                self.handled -= 1;
            }
            self.handled += 1;
            self.untold += self.receiving.handled(length);
        }
    }

    /// Returns whether a message may be there.
    pub(super) fn has_ready(&self) -> bool {
        self.receiving.has_ready()
    }

    /// Returns whether messages, or the last count, wait to be taken by the stream.
    pub(super) fn is_backed_up(&self) -> bool {
        self.sending.is_backed_up() || self.last_count == LastCount::Due
    }

    /// Returns the time at which `output` is to be called again if nothing happens before.
    /// `is_blocked`: the stream has not taken all that was put out.
    pub(super) fn due(&self, is_blocked: bool) -> Duration {
        let lost = self.given_up_at().min(self.unhandled_until());
        match self.look_at {
            _ if is_blocked => lost,
            Some(look_at) => lost.min(self.ping_at).min(look_at),
            None => lost.min(self.ping_at),
        }
    }

    /// Returns the time at which this side gives the other up if nothing is heard before.
    fn given_up_at(&self) -> Duration {
        match self.side {
            // From a moment at which its starter had not yet heard what it has answered.
            StreamSide::Started => self.answered + self.timeout,
            StreamSide::Starter => {
                // A peer that was not started yet is not silent.
                let Some(heard) = self.heard else { return Duration::MAX };
                #[cfg(test)]
                if self.sending.fault == super::model::FrameFault::GivesUpEarly {
                    return heard + self.timeout * 3 / 4;
                }
                heard + self.timeout * 3 / 2
            }
        }
    }

    /// Returns when the peer is given up if it handles nothing before, though it says something.
    fn unhandled_until(&self) -> Duration {
        let (Some(since), Some(first)) = (self.sending.waits_since(), self.first_heard) else {
            return Duration::MAX;
        };
        #[cfg(test)]
        if self.sending.fault == super::model::FrameFault::MayLeaveUnhandled {
            return Duration::MAX;
        }
        // As for silence, a side that was started gives up first.
        let limit = match self.side {
            StreamSide::Started => self.timeout,
            StreamSide::Starter => self.timeout * 3 / 2,
        };
        since.max(first) + limit
    }

    /// Returns whether the peer is given up unless it has said something that is not read yet.
    pub(super) fn may_give_up(&self, now: Duration) -> bool {
        now >= self.given_up_at().min(self.unhandled_until())
    }

    /// Gives the peer up if it was silent for too long, or has left something unhandled. Its caller has
    /// read everything that had come at this time.
    pub(super) fn judge(&mut self, now: Duration) {
        if self.lost.is_some() || !self.may_give_up(now) {
            return;
        }
        let is_silent = self.given_up_at() <= self.unhandled_until();
        let since = match self.side {
            _ if !is_silent => self.sending.waits_since(),
            StreamSide::Started => Some(self.answered),
            StreamSide::Starter => self.heard,
        };
        let time = now.saturating_sub(since.unwrap_or(now));
        self.lost =
            Some(if is_silent { LinkLoss::Silent(time) } else { LinkLoss::Unhandled(time) });
    }

    /// Returns why the link is lost, if it is. A side that was started looks at the clock. Its starter has
    /// time, and may have been stopped. So it reads first what has come meanwhile.
    pub(super) fn loss(&mut self, now: Duration) -> Option<&LinkLoss> {
        if self.side == StreamSide::Started && now >= self.given_up_at() {
            self.judge(now);
        }
        self.lost.as_ref()
    }

    /// Returns how long the peer has not been heard.
    pub(super) fn unheard(&self, now: Duration) -> Duration {
        now.saturating_sub(self.heard.unwrap_or(now))
    }

    /// Ends the link, unless it is lost already.
    pub(super) fn lose(&mut self, loss: LinkLoss) {
        self.lost.get_or_insert(loss);
    }

    /// Returns the messages that the peer has not handled, or may not have.
    pub(super) fn left(&mut self) -> LeftMessages {
        self.sending.left()
    }

    #[cfg(any(test, csp_fuzz))]
    pub(super) fn held(&self) -> usize {
        self.receiving.held()
    }
}
