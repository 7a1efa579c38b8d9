//! The thread that reads and writes all streams of this OS process. It never waits for one of them: the
//! descriptors do not block, and `epoll` tells which can go on.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::{Errno, ioctl_fionbio};

use super::frames::{Frames, LinkLoss};
use super::output::{Output, StreamOutput, StreamWrite};
use super::state::{StreamState, now};
use crate::backend::subprocess::protocol::NodeId;
use crate::backend::subprocess::transport::inbox::StreamNews;
use crate::backend::subprocess::transport::link::LinkWriter;
use crate::backend::subprocess::transport::mailbox::Mailbox;
use crate::system::helper::Helper;
use crate::system::mutex::lock;
use crate::system::{forked, quiet};

/// The bytes that are read at once.
const READ: usize = 64 << 10;
/// A stream with more to read lets the others have their turn after so many reads, or writes.
const READS: usize = 16;
const WRITES: usize = 16;
/// Something that is due and not done is looked at again after this time.
const SOON: Duration = Duration::from_millis(1);

/// The part of a link that the thread and the node share.
pub(super) struct SharedStream {
    number: u64,
    peer: NodeId,
    news: &'static StreamNews,
    mailbox: &'static Mailbox,
    state: Mutex<StreamState>,
    output: Output,
    /// The thread has been asked to look.
    asked: AtomicBool,
}

impl SharedStream {
    pub(super) fn new(
        peer: NodeId,
        frames: Frames,
        news: &'static StreamNews,
        mailbox: &'static Mailbox,
    ) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        Self {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            peer,
            news,
            mailbox,
            state: Mutex::new(StreamState::new(frames)),
            output: Output::new(),
            asked: AtomicBool::new(false),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, StreamState> {
        lock(&self.state)
    }

    /// Has the thread look what there is to write.
    pub(super) fn ask(&self) {
        if !self.asked.swap(true, Ordering::SeqCst) {
            tell(StreamJob::Look(self.number));
        }
    }

    /// Ends the link once everything has been read that is there, because the peer is known to be
    /// dead.
    pub(super) fn end(&self) {
        tell(StreamJob::End(self.number));
    }

    /// Ends the link, because the node has no use for it any more. Nobody is told of its loss.
    pub(super) fn close(&self) {
        tell(StreamJob::Close(self.number));
    }

    /// Returns the marks by which the queue of events knows its descriptors, as far as it has them.
    #[cfg(test)]
    pub(super) fn queued(&self) -> Vec<u64> {
        use std::os::fd::AsRawFd;
        let queue = COMMON.get().expect("a queue").epoll.as_raw_fd();
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{queue}")).expect("a queue");
        let marks = info.lines().filter_map(|line| {
            let mark = line.split("data:").nth(1)?.split_whitespace().next()?;
            u64::from_str_radix(mark, 16).ok()
        });
        marks.filter(|mark| mark >> 1 == self.number).collect()
    }

    /// Writes nothing from now on. At the return nothing is being written.
    pub(super) fn end_output(&self) {
        self.output.end();
    }

    fn tell_node(&self) {
        self.news.put(self.peer);
        self.mailbox.notify_or_ring();
    }
}

impl LinkWriter for SharedStream {
    /// Writes on the thread that has sent something, which holds no lock. The thread of all streams does the rest.
    fn write(&self) {
        // A copy made by `fork` would write into the stream of the OS process that it is a copy of.
        if COMMON.get().is_some_and(Common::is_here) {
            let written = self.output.write_at_once(&self.state);
            if written.leaves_more {
                self.ask();
            }
            if written.has_room {
                self.tell_node();
            }
        }
    }
}

/// The function that is called, once, when a link is lost. It runs on the thread of all streams.
pub(super) type OnLoss = Box<dyn FnOnce(LinkLoss) + Send>;

/// The part of a link that the thread alone has.
struct Stream {
    input: OwnedFd,
    shared: Arc<SharedStream>,
    /// The queue of events tells when the stream takes something again.
    is_blocked: bool,
    /// The time at which it has something to do though nothing happens.
    due: Duration,
    /// The reason why nothing is written any more, and the latest time of the end. The peer's last words
    /// are still read.
    ending: Option<(LinkLoss, Duration)>,
    on_loss: Option<OnLoss>,
}

enum StreamJob {
    Add(Stream),
    Look(u64),
    End(u64),
    Close(u64),
}

/// The mark of the descriptor that wakes the thread.
const WAKE: u64 = 0;

/// Returns the mark of a descriptor of a stream: its number, and which of the two it is.
fn mark(number: u64, is_output: bool) -> EventData {
    EventData::new_u64(number << 1 | u64::from(is_output))
}

struct Common {
    epoll: OwnedFd,
    wake: OwnedFd,
    is_woken: AtomicBool,
    jobs: Mutex<Vec<StreamJob>>,
    /// The OS process that uses it. A copy made by `fork` has the same queue, and no thread for it.
    generation: u32,
}

impl Common {
    fn is_here(&self) -> bool {
        self.generation == forked::generation()
    }
}

static COMMON: OnceLock<Common> = OnceLock::new();

static THREAD: Helper = Helper::new("csp streams", 256 << 10);

fn make_common() -> io::Result<Common> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN)?;
    forked::watch();
    let (is_woken, jobs, generation) =
        (AtomicBool::new(false), Mutex::default(), forked::generation());
    Ok(Common { epoll, wake, is_woken, jobs, generation })
}

fn common() -> io::Result<&'static Common> {
    match COMMON.get() {
        Some(common) => Ok(common),
        None => {
            // If two threads make it, one has made it for nothing.
            let made = make_common()?;
            Ok(COMMON.get_or_init(|| made))
        }
    }
}

/// Begins to read and write a stream.
pub(super) fn add(
    input: OwnedFd,
    output: OwnedFd,
    shared: Arc<SharedStream>,
    on_loss: OnLoss,
) -> io::Result<()> {
    let common = common()?;
    if !common.is_here() {
        return Err(io::Error::other("a copy that `fork` has made can have no streams"));
    }
    ioctl_fionbio(&input, true)?;
    ioctl_fionbio(&output, true)?;
    THREAD.need(move || serve(common))?;
    // The thread may hear of both before it knows the stream. It forgets what it does not know.
    let number = shared.number;
    let stream = Stream::new(input, output, shared, Some(on_loss));
    epoll::add(&common.epoll, &stream.input, mark(number, false), EventFlags::empty())?;
    stream.add_output(common)?;
    tell(StreamJob::Add(stream));
    Ok(())
}

fn tell(job: StreamJob) {
    let Some(common) = COMMON.get().filter(|common| common.is_here()) else { return };
    lock(&common.jobs).push(job);
    if !common.is_woken.swap(true, Ordering::SeqCst) {
        let _ = rustix::io::write(&common.wake, &1_u64.to_ne_bytes());
    }
}

/// The news of a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StreamEvent {
    /// There may be something to write.
    Write,
    /// There may be something to read, too.
    Read,
    /// The peer has closed its side.
    Closed,
}

fn serve(common: &'static Common) {
    quiet::ignore_this_thread();
    ignore_broken_pipes();
    let mut streams: HashMap<u64, Stream> = HashMap::new();
    let (mut events, mut buffer) = (Vec::with_capacity(64), Vec::with_capacity(READ));
    // No stream is due earlier.
    let mut due = Duration::MAX;
    loop {
        // The wait.
        events.clear();
        let wait = (due != Duration::MAX).then(|| due.saturating_sub(now()));
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        let _ = epoll::wait(&common.epoll, spare_capacity(&mut events), wait.as_ref());
        // The nodes' wishes.
        let mut look = Vec::new();
        if events.iter().any(|event| event.data.u64() == WAKE) {
            let _ = rustix::io::read(&common.wake, &mut [0; 8]);
            common.is_woken.store(false, Ordering::SeqCst);
            let jobs = std::mem::take(&mut *lock(&common.jobs));
            for job in jobs {
                match job {
                    StreamJob::Add(stream) => {
                        let number = stream.shared.number;
                        let mark = mark(number, false);
                        let _ = epoll::modify(&common.epoll, &stream.input, mark, EventFlags::IN);
                        streams.insert(number, stream);
                        look.push((number, StreamEvent::Read));
                    }
                    StreamJob::Look(number) => look.push((number, StreamEvent::Write)),
                    StreamJob::End(number) => look.push((number, StreamEvent::Closed)),
                    StreamJob::Close(number) => drop(streams.remove(&number)),
                }
            }
        }
        // The streams that can go on, and those whose time has come.
        look.extend(events.iter().filter_map(what_happened));
        let now = now();
        if now >= due {
            let is_due = streams.values().filter(|stream| stream.due <= now);
            look.extend(is_due.map(|stream| (stream.shared.number, StreamEvent::Write)));
            let later = streams.values().map(|stream| stream.due).filter(|due| *due > now);
            due = later.min().unwrap_or(Duration::MAX);
        }
        for (number, event) in look {
            let Some(stream) = streams.get_mut(&number) else { continue };
            match stream.go_on(common, event, &mut buffer) {
                Ok(next) => {
                    stream.due = next;
                    due = due.min(next);
                }
                Err(loss) => {
                    if let Some(mut stream) = streams.remove(&number) {
                        stream.shared.tell_node();
                        if let Some(on_loss) = stream.on_loss.take() {
                            on_loss(loss);
                        }
                    }
                }
            }
        }
    }
}

fn what_happened(event: &epoll::Event) -> Option<(u64, StreamEvent)> {
    let (mark, flags) = (event.data.u64(), event.flags);
    let is_output = mark & 1 == 1;
    let is_closed = flags.intersects(EventFlags::ERR | EventFlags::HUP);
    let what = match (is_output, is_closed) {
        _ if mark == WAKE => return None,
        (true, true) => StreamEvent::Closed,
        (true, false) => StreamEvent::Write,
        (false, _) => StreamEvent::Read,
    };
    Some((mark >> 1, what))
}

/// Writing to a peer that is gone is an error, and not the death of a program that has not asked for
/// it.
fn ignore_broken_pipes() {
    // SAFETY: the set is this thread's own, and is made before it is used.
    unsafe {
        let mut signals = std::mem::zeroed();
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut());
    }
}

/// A queue of events forgets a descriptor once all copies of it are closed, and not earlier. A copy of this
/// OS process may have some.
impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(common) = COMMON.get().filter(|common| common.is_here()) {
            let _ = epoll::delete(&common.epoll, &self.input);
            if let Some(output) = self.shared.output.take() {
                let _ = epoll::delete(&common.epoll, &output);
            }
        }
    }
}

impl Stream {
    fn new(
        input: OwnedFd,
        output: OwnedFd,
        shared: Arc<SharedStream>,
        on_loss: Option<OnLoss>,
    ) -> Self {
        shared.output.begin(output);
        Self { input, shared, is_blocked: false, due: Duration::MAX, ending: None, on_loss }
    }

    fn add_output(&self, common: &Common) -> io::Result<()> {
        let mark = mark(self.shared.number, true);
        match &*self.shared.output.lock() {
            Some(to) => Ok(epoll::add(&common.epoll, &to.stream, mark, EventFlags::empty())?),
            None => Ok(()),
        }
    }

    /// Reads what is there and writes what there is room for. Returns the time at which it has
    /// something to do though nothing happens, or why the link is lost.
    fn go_on(
        &mut self,
        common: &Common,
        event: StreamEvent,
        buffer: &mut Vec<u8>,
    ) -> Result<Duration, LinkLoss> {
        self.shared.asked.store(false, Ordering::SeqCst);
        let went = match event {
            StreamEvent::Closed => Err(LinkLoss::Ended),
            _ if self.ending.is_some() => Ok(()),
            StreamEvent::Write => self.write(common),
            StreamEvent::Read => self.read(buffer).and_then(|_| self.write(common)),
        };
        if let Err(loss) = went
            && self.ending.is_none()
        {
            self.ending = Some((loss, now() + self.shared.lock().frames.timeout()));
        }
        // The peer's last words are still there. Others have their turns between them.
        let (mut until, at) = (Duration::MAX, now());
        let may_give_up = self.shared.lock().frames.may_give_up(at);
        if let Some((loss, end)) = self.ending.clone() {
            until = end;
            if self.read(buffer) != Ok(true) || at >= end || may_give_up {
                self.shared.lock().frames.lose(loss);
            }
        } else if may_give_up {
            self.judge(at, buffer);
        }
        if self.ending.is_some() {
            self.shared.end_output();
        }
        let mut state = self.shared.lock();
        match state.frames.loss(now()) {
            Some(loss) => Err(loss.clone()),
            // A thread that writes may be late with what is due.
            None => Ok(state.frames.due(self.is_blocked).min(until).max(at + SOON)),
        }
    }

    /// Gives the peer up if it deserves that, once everything was read that had come at this time. This side may
    /// have been stopped. A peer that never stops writing is judged all the same.
    fn judge(&mut self, at: Duration, buffer: &mut Vec<u8>) {
        for _ in 0..READS {
            match self.read(buffer) {
                Ok(true) => {}
                Ok(false) => break,
                Err(loss) => return self.shared.lock().frames.lose(loss),
            }
        }
        self.shared.lock().frames.judge(at);
    }

    /// Reads a few times. Returns whether there may be more, of which `epoll` tells.
    fn read(&mut self, buffer: &mut Vec<u8>) -> Result<bool, LinkLoss> {
        for _ in 0..READS {
            buffer.clear();
            match rustix::io::read(&self.input, spare_capacity(buffer)) {
                Ok(0) => return Err(LinkLoss::Ended),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::CONNRESET) => return Err(LinkLoss::Ended),
                Err(error) => return Err(LinkLoss::Failed(io::Error::from(error).to_string())),
            }
            let mut state = self.shared.lock();
            let now = now();
            state.frames.input(now, buffer);
            let is_over = state.frames.loss(now).is_some();
            let tells = state.frames.has_ready() && !std::mem::replace(&mut state.is_told, true);
            drop(state);
            if tells {
                self.shared.tell_node();
            }
            if is_over {
                return Ok(false);
            }
            // A short read leaves nothing, mostly. An end is only seen by a further read.
            if buffer.len() < READ && self.ending.is_none() {
                break;
            }
        }
        Ok(true)
    }

    /// Writes what there is room for, a few times. If another thread writes, that one does so.
    fn write(&mut self, common: &Common) -> Result<(), LinkLoss> {
        if !self.shared.output.turn.take() {
            return Ok(());
        }
        let (mut tells, mut writes) = (false, WRITES);
        let went = loop {
            let went = self.write_some(common, &mut writes, &mut tells);
            if self.shared.output.turn.end() {
                break went;
            }
            if went.is_err() || self.is_blocked {
                self.shared.output.turn.pass();
                break went;
            }
        };
        if tells {
            self.shared.tell_node();
        }
        went
    }

    fn write_some(
        &mut self,
        common: &Common,
        writes: &mut usize,
        tells: &mut bool,
    ) -> Result<(), LinkLoss> {
        let shared = Arc::clone(&self.shared);
        let mut output = shared.output.lock();
        let Some(output) = &mut *output else { return Ok(()) };
        while *writes > 0 {
            *writes -= 1;
            match output.write_once(&shared.state, tells)? {
                StreamWrite::Nothing => return Ok(()),
                StreamWrite::Some => self.wait_for_room(common, output, false),
                StreamWrite::Blocked => {
                    self.wait_for_room(common, output, true);
                    return Ok(());
                }
            }
        }
        // It goes on when the others had their turn.
        self.wait_for_room(common, output, true);
        Ok(())
    }

    /// Has `epoll` tell when the stream takes something again, or not.
    fn wait_for_room(&mut self, common: &Common, to: &mut StreamOutput, is_blocked: bool) {
        to.is_blocked = is_blocked;
        if self.is_blocked != is_blocked {
            self.is_blocked = is_blocked;
            let flags = if is_blocked { EventFlags::OUT } else { EventFlags::empty() };
            let mark = mark(self.shared.number, true);
            let _ = epoll::modify(&common.epoll, &to.stream, mark, flags);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Seek, Write};
    use std::os::fd::FromRawFd;

    use super::super::frame::{FrameHead, FrameKind, NUMBER, StreamLimits};
    use super::super::frames::{PEER_TIMEOUT, StreamSide};
    use super::*;
    use crate::backend::subprocess::transport::link::Outgoing;

    /// Returns a file in memory, which is always ready.
    fn file() -> File {
        // SAFETY: the name is a string, and the descriptor is new.
        unsafe { File::from_raw_fd(libc::memfd_create(c"stream".as_ptr(), libc::MFD_CLOEXEC)) }
    }

    fn stream(input: &File, output: &File) -> Stream {
        let frames = Frames::new(StreamSide::Starter, PEER_TIMEOUT, StreamLimits::USUAL, now());
        let (news, mailbox) = (StreamNews::default(), Mailbox::default());
        let (news, mailbox) = (Box::leak(Box::new(news)), Box::leak(Box::new(mailbox)));
        let shared = Arc::new(SharedStream::new(NodeId(7), frames, news, mailbox));
        let copy = |file: &File| file.try_clone().expect("a descriptor").into();
        Stream::new(copy(input), copy(output), shared, None)
    }

    /// The peer has written much more than one turn takes. Its stream may have failed otherwise.
    #[test]
    fn a_stream_reads_so_much_in_its_turn_and_no_more() {
        let mut pings = Vec::new();
        for number in 0..60_000_u64 {
            FrameHead { kind: FrameKind::Ping, length: NUMBER, handled: 0 }.put(&mut pings);
            pings.extend(number.to_le_bytes());
        }
        let turn = READS * READ;
        assert!(pings.len() > turn);
        for event in [StreamEvent::Read, StreamEvent::Closed] {
            let (mut input, output) = (file(), file());
            input.write_all(&pings).expect("memory");
            input.rewind().expect("a file");
            let mut stream = stream(&input, &output);
            let mut buffer = Vec::with_capacity(READ);
            let common = common().expect("a queue");
            assert!(stream.go_on(common, event, &mut buffer).is_ok());
            assert_eq!(input.stream_position().expect("a file"), turn as u64);
            // The last turn sees the end.
            let loss = stream.go_on(common, event, &mut buffer).err();
            assert_eq!(loss.is_some(), event == StreamEvent::Closed);
        }
    }

    /// A peer that takes everything at once lets the others have their turn.
    #[test]
    fn a_stream_writes_so_much_in_its_turn_and_no_more() {
        let (input, mut output) = (file(), file());
        let mut stream = stream(&input, &output);
        let message = Outgoing { head: vec![7; 8 << 20], tail: None, sent: 0 };
        assert!(stream.shared.lock().frames.send(message).is_ok());
        let mut buffer = Vec::with_capacity(READ);
        let common = common().expect("a queue");
        assert!(stream.go_on(common, StreamEvent::Write, &mut buffer).is_ok());
        let written = output.stream_position().expect("a file");
        assert!(written > 0 && written < ((WRITES + 1) * READ) as u64, "{written}");
        assert!(stream.is_blocked, "the queue of events calls it again");
    }
}
