//! A link that is one reliable stream of bytes, or two, one each way.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use super::frame::StreamLimits;
use super::frames::{Frames, LinkLoss, StreamSide};
use super::state::now;
use super::streams::{self, SharedStream};
use crate::backend::subprocess::protocol::{NodeId, Wild};
use crate::backend::subprocess::transport::inbox::StreamNews;
use crate::backend::subprocess::transport::link::{
    LeftMessages, Link, LinkWriter, LostLink, News, Outgoing,
};
use crate::backend::subprocess::transport::mailbox::Mailbox;
use crate::backend::subprocess::transport::ring::Peek;
use crate::channel::far::Bytes;

pub(in crate::backend::subprocess) struct StreamLink {
    shared: Arc<SharedStream>,
    side: StreamSide,
    /// Something was sent, and nobody was asked to write it.
    has_sent: bool,
}

/// The two descriptors of a stream.
pub(in crate::backend::subprocess) struct StreamEnds {
    pub(in crate::backend::subprocess) input: OwnedFd,
    pub(in crate::backend::subprocess) output: OwnedFd,
}

impl StreamEnds {
    /// Returns both directions of a socket.
    pub(in crate::backend::subprocess) fn of_socket(socket: UnixStream) -> io::Result<Self> {
        Ok(Self { input: socket.try_clone()?.into(), output: socket.into() })
    }
}

/// The node that has a link: where it is told of news, and how it waits.
#[derive(Clone, Copy)]
pub(in crate::backend::subprocess) struct StreamOwner {
    pub(in crate::backend::subprocess) news: &'static StreamNews,
    pub(in crate::backend::subprocess) mailbox: &'static Mailbox,
}

/// Tells a link of the beginning of its peer, and ends it when the peer is known to be dead.
pub(in crate::backend::subprocess) struct StreamEnder(Arc<SharedStream>);

impl StreamEnder {
    /// Counts silence from now on, because the peer is about to begin.
    pub(in crate::backend::subprocess) fn begin(&self) {
        self.0.lock().frames.begin(now());
        self.0.ask();
    }

    /// Returns how long the peer has not been heard.
    pub(in crate::backend::subprocess) fn unheard(&self) -> Duration {
        self.0.lock().frames.unheard(now())
    }

    /// Has everything read that the peer has left in the stream. Then the link is lost.
    pub(in crate::backend::subprocess) fn end(&self) {
        self.0.end();
    }
}

impl StreamLink {
    /// Makes the link to `peer`. `on_loss` is called once, after everything that the peer has sent
    /// has come, on a thread that must not wait. It is not called if the link is dropped before.
    pub(in crate::backend::subprocess) fn new(
        ends: StreamEnds,
        side: StreamSide,
        timeout: Duration,
        peer: NodeId,
        owner: StreamOwner,
        on_loss: impl FnOnce(LinkLoss) + Send + 'static,
    ) -> io::Result<Self> {
        let frames = Frames::new(side, timeout, StreamLimits::USUAL, now());
        let shared = Arc::new(SharedStream::new(peer, frames, owner.news, owner.mailbox));
        streams::add(ends.input, ends.output, Arc::clone(&shared), Box::new(on_loss))?;
        Ok(Self { shared, side, has_sent: false })
    }

    pub(in crate::backend::subprocess) fn ender(&self) -> StreamEnder {
        StreamEnder(Arc::clone(&self.shared))
    }
}

impl Drop for StreamLink {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Link for StreamLink {
    fn send(&mut self, head: &[u8], tail: Option<Bytes>) -> Result<(), Wild> {
        self.has_sent = true;
        let message = Outgoing { head: head.to_vec(), tail, sent: 0 };
        self.shared.lock().frames.send(message)
    }

    /// Does nothing, because another thread writes as soon as there is room.
    fn flush(&mut self) -> Result<(), Wild> {
        Ok(())
    }

    fn news(&mut self) -> News {
        News { published: false, room: false, backed_up: false }
    }

    fn writer(&mut self) -> Option<Arc<dyn LinkWriter>> {
        std::mem::take(&mut self.has_sent).then(|| Arc::clone(&self.shared) as _)
    }

    fn receive(&mut self, into: &mut Vec<u8>) -> Result<bool, Wild> {
        let mut state = self.shared.lock();
        let message = state.frames.receive(now());
        state.is_told &= message.is_some();
        let asks = state.frames.should_tell();
        drop(state);
        if asks {
            self.shared.ask();
        }
        let has_come = message.is_some();
        match message {
            Some(message) => *into = message,
            None => into.clear(),
        }
        Ok(has_come)
    }

    /// Returns nothing, because the news of all streams stand in one place.
    fn peek(&self) -> Option<Peek> {
        None
    }

    fn has_news(&self) -> bool {
        self.shared.lock().is_told
    }

    /// Returns that nothing was received, because its peer waits for no room.
    fn has_consumed(&self) -> bool {
        false
    }

    fn is_backed_up(&self) -> bool {
        let mut state = self.shared.lock();
        let is_backed_up = state.frames.is_backed_up();
        state.waits_for_room |= is_backed_up;
        is_backed_up
    }

    fn conclude(&mut self) {
        self.has_sent = true;
        self.shared.lock().frames.conclude();
    }

    /// Returns nothing to a side that was started, because that side ends itself.
    fn loss(&mut self) -> Option<LostLink> {
        if self.side == StreamSide::Started {
            return None;
        }
        match self.shared.lock().frames.loss(now())? {
            LinkLoss::Ended => Some(LostLink::Ended),
            loss => Some(LostLink::Broken(loss.to_string())),
        }
    }

    fn left(&mut self) -> Result<LeftMessages, Wild> {
        self.shared.end_output();
        Ok(self.shared.lock().frames.left())
    }
}

#[cfg(test)]
#[allow(unsafe_code, reason = "makes copies of this OS process")]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Instant;

    use super::super::frame::{FrameHead, FrameKind, HEAD, LONGEST_BODY, NUMBER};
    use super::super::frames::PEER_TIMEOUT;
    use super::*;

    struct Side {
        link: StreamLink,
        owner: StreamOwner,
        lost: mpsc::Receiver<LinkLoss>,
    }

    const PEER: NodeId = NodeId(7);
    /// Nothing takes so long.
    const LONG: Duration = Duration::from_secs(300);

    fn side(ends: StreamEnds, side: StreamSide, timeout: Duration) -> Side {
        let (news, mailbox) = (StreamNews::default(), Mailbox::default());
        let owner =
            StreamOwner { news: Box::leak(Box::new(news)), mailbox: Box::leak(Box::new(mailbox)) };
        let (tell, lost) = mpsc::channel();
        let on_loss = move |loss| drop(tell.send(loss));
        let link = StreamLink::new(ends, side, timeout, PEER, owner, on_loss).expect("a stream");
        Side { link, owner, lost }
    }

    fn of_socket(socket: UnixStream) -> StreamEnds {
        StreamEnds::of_socket(socket).expect("a descriptor")
    }

    fn sockets() -> (StreamEnds, StreamEnds) {
        let (here, there) = UnixStream::pair().expect("two sockets");
        (of_socket(here), of_socket(there))
    }

    fn pipes() -> (StreamEnds, StreamEnds) {
        let (to, from) = (std::io::pipe().expect("a pipe"), std::io::pipe().expect("a pipe"));
        let here = StreamEnds { input: from.0.into(), output: to.1.into() };
        (here, StreamEnds { input: to.0.into(), output: from.1.into() })
    }

    fn pair((here, there): (StreamEnds, StreamEnds), timeout: Duration) -> (Side, Side) {
        (side(here, StreamSide::Starter, timeout), side(there, StreamSide::Started, timeout))
    }

    impl Side {
        fn send(&mut self, message: &[u8]) {
            self.link.send(&message[..1], Some(Bytes::copy(&message[1..]))).expect("short");
            assert_eq!(self.link.news(), News { published: false, room: false, backed_up: false });
            self.link.writer().expect("something to write").write();
        }

        /// Waits until there are messages, and takes them all. A side that was started is told of messages
        /// that it may not have yet.
        fn receive(&mut self) -> Vec<Vec<u8>> {
            loop {
                while self.owner.news.is_empty() {
                    thread::yield_now();
                }
                assert!(self.owner.news.take().iter().all(|peer| *peer == PEER));
                let all = self.take();
                if !all.is_empty() {
                    return all;
                }
            }
        }

        fn take(&mut self) -> Vec<Vec<u8>> {
            let (mut all, mut message) = (Vec::new(), Vec::new());
            while self.link.receive(&mut message).expect("tame") {
                all.push(message.clone());
            }
            all
        }

        fn loss(&self) -> LinkLoss {
            self.lost.recv_timeout(LONG).expect("a loss")
        }
    }

    fn message(number: usize) -> Vec<u8> {
        vec![number as u8; [1, 40, 300_000, 9, 65_520, 2_000_000][number % 6]]
    }

    #[test]
    fn messages_cross_pipes_and_sockets_both_ways_at_once() {
        for ends in [pipes(), sockets()] {
            let (mut one, mut other) = pair(ends, PEER_TIMEOUT);
            let run = |side: &mut Side| {
                (0..60).for_each(|number| side.send(&message(number)));
                let mut received = Vec::new();
                while received.len() < 60 {
                    received.extend(side.receive());
                }
                assert!(received.into_iter().eq((0..60).map(message)));
            };
            thread::scope(|scope| {
                scope.spawn(|| run(&mut one));
                run(&mut other);
            });
        }
    }

    #[test]
    fn a_link_is_lost_after_all_that_was_said() {
        for ends in [pipes(), sockets()] {
            let (mut one, mut other) = pair(ends, PEER_TIMEOUT);
            (0..20).for_each(|number| other.send(&message(number)));
            let mut received = Vec::new();
            while received.len() < 5 {
                received.extend(one.receive());
            }
            // It was all written.
            while other.link.is_backed_up() {
                received.extend(one.take());
                thread::yield_now();
            }
            drop(other);
            assert_eq!(one.loss(), LinkLoss::Ended);
            received.extend(one.take());
            assert!(received.into_iter().eq((0..20).map(message)));
        }
    }

    #[test]
    fn a_silent_peer_is_lost_by_both_sides() {
        let timeout = Duration::from_millis(60);
        for (role, limit) in
            [(StreamSide::Starter, timeout * 3 / 2), (StreamSide::Started, timeout)]
        {
            let (ends, silent) = UnixStream::pair().expect("two sockets");
            let mut one = side(of_socket(ends), role, timeout);
            one.send(&message(2));
            one.link.ender().begin();
            assert!(matches!(one.loss(), LinkLoss::Silent(time) if time >= limit));
            // The stream took none of its last bytes, or it took all.
            let LeftMessages { unsent, unknown } = one.link.left().expect("messages");
            assert_eq!([unsent, unknown].concat(), [message(2)]);
            drop(silent);
        }
    }

    /// It reads everything, and would say something within any limit. On a busy machine it may say nothing for some 100 ms, and would be silent.
    #[test]
    fn a_peer_that_answers_pings_only_is_lost() {
        let (ends, mut there) = UnixStream::pair().expect("two sockets");
        let mut one = side(of_socket(ends), StreamSide::Starter, Duration::from_secs(1));
        one.send(&message(1));
        let mut heads = 0;
        let mut head = [0; HEAD];
        // The loss closes the stream.
        while there.read_exact(&mut head).is_ok() {
            let FrameHead { kind, length, .. } =
                FrameHead::parse(head, LONGEST_BODY).expect("tame");
            let mut body = vec![0; length];
            there.read_exact(&mut body).expect("the rest of a frame");
            heads += usize::from(kind == FrameKind::Last);
            // It is silent before the message has come, because silence does not count then.
            let mut answer = Vec::new();
            if kind == FrameKind::Ping && heads > 0 {
                FrameHead { kind: FrameKind::Pong, length, handled: 0 }.put(&mut answer);
                answer.extend(body);
            } else if kind == FrameKind::Last {
                FrameHead { kind: FrameKind::Ping, length: NUMBER, handled: 0 }.put(&mut answer);
                answer.extend([1; NUMBER]);
            }
            let _ = there.write_all(&answer);
        }
        assert_eq!(heads, 1);
        let loss = one.loss();
        let limit = Duration::from_millis(1500);
        assert!(matches!(loss, LinkLoss::Unhandled(time) if time >= limit), "{loss:?}");
        assert_eq!(one.link.left().expect("messages").unknown, [message(1)]);
    }

    #[test]
    fn nonsense_ends_the_link_and_is_told() {
        let (ends, mut wild) = UnixStream::pair().expect("two sockets");
        let one = side(of_socket(ends), StreamSide::Starter, PEER_TIMEOUT);
        wild.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").expect("a socket");
        assert!(matches!(one.loss(), LinkLoss::Wild(_)));
        // Its stream is closed.
        wild.set_read_timeout(Some(LONG)).expect("a socket");
        let mut rest = Vec::new();
        let _ = wild.read_to_end(&mut rest);
        assert!(rest.len() < 100);
    }

    #[test]
    fn sending_never_waits_for_a_peer_that_does_not_read() {
        let (ends, there) = UnixStream::pair().expect("two sockets");
        let mut one = side(of_socket(ends), StreamSide::Starter, PEER_TIMEOUT);
        for number in 0..60 {
            one.send(&message(number));
        }
        assert!(one.link.is_backed_up());
        drop(there);
        assert_eq!(one.loss(), LinkLoss::Ended);
        let LeftMessages { unsent, unknown } = one.link.left().expect("messages");
        assert!(unknown.into_iter().chain(unsent).eq((0..60).map(message)));
    }

    /// A peer that reads nothing and writes without end has its turns, and no more.
    #[test]
    fn a_peer_that_never_stops_writing_keeps_no_other_waiting() {
        let (here, there) = pipes();
        drop(there.input);
        let mut loud = side(here, StreamSide::Starter, PEER_TIMEOUT);
        let mut pings = Vec::new();
        for number in 0..170_u64 {
            let handled = 0;
            FrameHead { kind: FrameKind::Ping, length: NUMBER, handled }.put(&mut pings);
            pings.extend(number.to_le_bytes());
        }
        let (mut one, mut other) = pair(pipes(), PEER_TIMEOUT);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                let output = there.output.try_clone().expect("a descriptor");
                let (is_over, pings) = (&is_over, &pings);
                scope.spawn(move || {
                    let mut output = File::from(output);
                    while !is_over.load(Ordering::Relaxed) && output.write_all(pings).is_ok() {}
                });
            }
            loud.send(&message(0));
            for round in 0..20 {
                one.send(&message(round));
                assert!(other.receive() == [message(round)]);
            }
            is_over.store(true, Ordering::Relaxed);
            // The writers may wait for room.
            drop(loud);
        });
    }

    /// Returns the median time of a message and its answer.
    fn round_trip(one: &mut Side, other: &mut Side) -> Duration {
        let mut times: Vec<Duration> = (0..2_000)
            .map(|_| {
                let began = Instant::now();
                one.send(&message(1));
                assert_eq!(other.receive(), [message(1)]);
                other.send(&message(1));
                assert_eq!(one.receive(), [message(1)]);
                began.elapsed()
            })
            .collect();
        times.sort_unstable();
        times[times.len() / 2]
    }

    /// By turns, because the machine may be busy. All peers are here, so the thread of the streams has two
    /// thousand.
    #[test]
    #[ignore = "it measures, and needs 9,000 descriptors"]
    fn a_message_among_a_thousand_streams_takes_as_long_as_alone() {
        let ratios: Vec<f64> = (0..5)
            .map(|_| {
                let (mut one, mut other) = pair(sockets(), PEER_TIMEOUT);
                let alone = round_trip(&mut one, &mut other);
                let many: Vec<(Side, Side)> =
                    (0..1_000).map(|_| pair(sockets(), PEER_TIMEOUT)).collect();
                let among = round_trip(&mut one, &mut other);
                drop(many);
                println!("{alone:?} alone, {among:?} among 1,000");
                among.as_secs_f64() / alone.as_secs_f64()
            })
            .collect();
        let best = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        println!("{ratios:.2?}");
        assert!(best <= 1.3, "{ratios:.2?}");
    }

    /// A copy of this OS process, which only waits for its end. It ends with the test, because it has the
    /// descriptors of all others.
    struct Copy(libc::pid_t);

    impl Copy {
        fn make() -> Self {
            // SAFETY: the copy does nothing that needs another thread or a lock.
            match unsafe { libc::fork() } {
                0 => loop {
                    // SAFETY: as above.
                    unsafe { libc::pause() };
                },
                copy => Self(copy),
            }
        }
    }

    impl Drop for Copy {
        fn drop(&mut self) {
            // SAFETY: it is a child of this OS process that nobody else waits for.
            unsafe {
                libc::kill(self.0, libc::SIGKILL);
                libc::waitpid(self.0, std::ptr::null_mut(), 0);
            }
        }
    }

    #[test]
    fn a_stream_leaves_the_queue_of_events_though_a_copy_has_its_descriptors() {
        let (one, other) = pair(sockets(), PEER_TIMEOUT);
        let (mut this, mut that) = pair(sockets(), PEER_TIMEOUT);
        assert_eq!(one.link.shared.queued().len(), 2);
        let _copy = Copy::make();
        let shared = Arc::clone(&one.link.shared);
        drop((one, other));
        // The thread hears of that ahead of the last message at the latest.
        for number in 0..10 {
            this.send(&[number; 9]);
            assert_eq!(that.receive(), [[number; 9]]);
        }
        let queued = shared.queued();
        assert!(queued.is_empty(), "{queued:?}");
    }

    #[test]
    fn an_end_that_is_asked_for_comes_after_what_is_in_the_stream() {
        let (mut one, mut other) = pair(pipes(), PEER_TIMEOUT);
        (0..3).for_each(|number| other.send(&[number; 9]));
        while other.link.is_backed_up() {
            thread::yield_now();
        }
        one.link.ender().end();
        assert_eq!(one.loss(), LinkLoss::Ended);
        assert_eq!(one.take(), [[0; 9], [1; 9], [2; 9]]);
    }
}
