//! The one door to standard error: a thread of its own writes what the library says there.
//!
//! Invariant: only that thread waits for standard error. Its lock may be held and its pipe may be full, so [`say`] only
//! queues a text. The queue has a bound. A note in the place of the texts that did not fit says how much they were.
//!
//! Queued texts are written before the program ends, if that takes no longer than [`LIMIT`]. `exit` and the return of `main`
//! wait so long. So does `abort`, unless other code has a handler for its signal. Announced texts count as queued.
#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::forked::{self, Afresh};
use super::helper::Helper;
use super::quiet;

/// How long the end of the program waits for queued texts.
const LIMIT: Duration = Duration::from_secs(1);

/// As much is queued, in bytes. One text may go beyond it, because it has only been looked at before.
const ROOM: usize = 1 << 20;

/// If nothing was taken for this long, texts that could wait no longer do.
const STALLED: Duration = Duration::from_secs(1);

/// A source of texts. Lines of one source follow each other. A text of another source begins a
/// line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Source(pub(crate) u64);

/// The library itself.
const OURS: Source = Source(0);

enum Item {
    Text(Source, Vec<u8>),
    /// This many bytes had no room.
    Dropped(usize),
}

struct TextQueue {
    items: VecDeque<Item>,
    bytes: usize,
    /// The thread has taken an item and writes it.
    writes: bool,
    /// Texts that are about to be queued.
    announced: usize,
    /// When something was written last, or came into an empty queue.
    moved: Instant,
    /// The source of a line that has not ended.
    open: Option<Source>,
}

struct Door {
    queue: Mutex<TextQueue>,
    /// The thread waits for texts. Others wait for the thread to write.
    changed: Condvar,
}

static DOOR: Afresh<Door> = Afresh::new();
static WRITER: Helper = Helper::new("csp stderr", 128 << 10);

/// How many items are queued, announced or being written, for handlers of signals. In a copy made by `fork` it means nothing.
static PENDING: AtomicUsize = AtomicUsize::new(0);
/// The generation that `PENDING` is of.
static PENDING_IN: AtomicUsize = AtomicUsize::new(0);

impl Door {
    fn here() -> &'static Door {
        DOOR.get(|| Door {
            queue: Mutex::new(TextQueue {
                items: VecDeque::new(),
                bytes: 0,
                writes: false,
                announced: 0,
                moved: Instant::now(),
                open: None,
            }),
            changed: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, TextQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&'static self, source: Source, text: Vec<u8>) {
        let mut queue = self.lock();
        if queue.is_over() {
            queue.moved = Instant::now();
        }
        if queue.bytes < ROOM {
            queue.bytes += text.len();
            queue.items.push_back(Item::Text(source, text));
        } else if let Some(Item::Dropped(bytes)) = queue.items.back_mut() {
            *bytes += text.len();
        } else {
            queue.items.push_back(Item::Dropped(text.len()));
        }
        queue.show();
        drop(queue);
        self.changed.notify_all();
        at_the_end();
        // Without a thread it stays queued: the next text tries again, and at the end it is written in any case.
        let _ = WRITER.need(|| self.write_on());
    }

    fn write_on(&self) {
        quiet::ignore_this_thread();
        loop {
            let mut queue = self.lock();
            while queue.items.is_empty() {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            drop(queue);
            // The user's threads write whole under this lock, and may keep it for ever. Nothing is taken out before it is had, so that
            // the end of the program finds all.
            let mut stderr = io::stderr().lock();
            let mut queue = self.lock();
            let Some(text) = queue.take() else { continue };
            queue.writes = true;
            drop(queue);
            // If nobody reads any more, nobody misses it.
            let _ = stderr.write_all(&text);
            drop(stderr);
            let mut queue = self.lock();
            queue.writes = false;
            queue.moved = Instant::now();
            queue.show();
            drop(queue);
            self.changed.notify_all();
        }
    }

    /// Waits until all is written, and writes itself what another thread's lock keeps the writer from.
    fn flush(&self) {
        let deadline = Instant::now() + LIMIT;
        let mut queue = self.lock();
        while !queue.is_over() && (WRITER.runs() || queue.announced > 0) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        while !queue.writes
            && let Some(text) = queue.take()
        {
            if !write_now(&text, Duration::ZERO) {
                break;
            }
        }
        queue.show();
    }
}

impl TextQueue {
    fn is_over(&self) -> bool {
        self.items.is_empty() && !self.writes && self.announced == 0
    }

    /// Tells the handlers of signals.
    fn show(&self) {
        let pending = self.items.len() + usize::from(self.writes) + self.announced;
        PENDING_IN.store(forked::generation() as usize, Ordering::Relaxed);
        PENDING.store(pending, Ordering::Release);
    }

    /// Takes the next text as it is to be written.
    fn take(&mut self) -> Option<Vec<u8>> {
        let (source, mut text) = match self.items.pop_front()? {
            Item::Text(source, text) => {
                self.bytes -= text.len();
                (source, text)
            }
            Item::Dropped(bytes) => {
                let note = format!(
                    "csp: {bytes} bytes for standard error were dropped here, because it took nothing for a while\n"
                );
                (OURS, note.into_bytes())
            }
        };
        if self.open.is_some_and(|open| open != source) {
            text.insert(0, b'\n');
        }
        if let Some(last) = text.last() {
            self.open = (*last != b'\n').then_some(source);
        }
        Some(text)
    }
}

/// Queues a report, which ends its last line.
pub(crate) fn say(text: String) {
    Door::here().add(OURS, text.into_bytes());
}

/// Queues lines that somebody else has written.
pub(crate) fn pass_on(source: Source, lines: Vec<u8>) {
    if !lines.is_empty() {
        Door::here().add(source, lines);
    }
}

/// Returns whether lines may come: there is room, or there has been none for so long that nobody should wait
/// for it.
pub(crate) fn takes_lines() -> bool {
    let queue = Door::here().lock();
    queue.bytes < ROOM || queue.moved.elapsed() >= STALLED
}

/// A report that will be written when its cause has been dealt with. Meanwhile the program does not end without it.
pub(crate) struct Announced(&'static Door);

/// Announces a report.
pub(crate) fn announce() -> Announced {
    let door = Door::here();
    at_the_end();
    let mut queue = door.lock();
    queue.announced += 1;
    queue.show();
    drop(queue);
    Announced(door)
}

impl Announced {
    /// Queues the report.
    pub(crate) fn say(self, text: String) {
        say(text);
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.announced -= 1;
        queue.show();
        drop(queue);
        self.0.changed.notify_all();
    }
}

/// Writes the queued texts and then this, before the program is aborted.
#[cold]
pub(crate) fn last_words(text: &str) {
    Door::here().flush();
    write_now(text.as_bytes(), LIMIT);
}

/// Makes the end of the program wait for queued texts.
fn at_the_end() {
    #[cfg(unix)]
    {
        use std::sync::atomic::AtomicBool;
        static REGISTERED: AtomicBool = AtomicBool::new(false);
        if !REGISTERED.swap(true, Ordering::Relaxed) {
            // SAFETY: the handler may be called at any time, and never unwinds.
            unsafe { libc::atexit(at_exit) };
            #[cfg(not(loom))]
            before_abort();
        }
    }
}

/// Writes the queued texts, for a program that ends without passing through `exit` of C.
pub(crate) fn flush() {
    Door::here().flush();
}

#[cfg(unix)]
extern "C" fn at_exit() {
    let _ = std::panic::catch_unwind(flush);
}

/// Writes past all locks, and waits at most this long until somebody takes the text. Returns false
/// if nobody did.
#[cfg(unix)]
pub(crate) fn write_now(mut text: &[u8], limit: Duration) -> bool {
    /// A pipe that is ready takes this much without waiting.
    const PIECE: usize = 4096;
    let limit = libc::c_int::try_from(limit.as_millis()).unwrap_or(libc::c_int::MAX);
    while !text.is_empty() {
        let mut ready = libc::pollfd { fd: libc::STDERR_FILENO, events: libc::POLLOUT, revents: 0 };
        let piece = text.len().min(PIECE);
        // SAFETY: both may be called in the handler of a signal, and get memory that is there.
        let written = unsafe {
            if libc::poll(&raw mut ready, 1, limit) != 1 || ready.revents & libc::POLLOUT == 0 {
                return false;
            }
            libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), piece)
        };
        match usize::try_from(written) {
            Ok(written) => text = &text[written..],
            Err(_) => return false,
        }
    }
    true
}

#[cfg(not(unix))]
pub(crate) fn write_now(text: &[u8], _: Duration) -> bool {
    io::stderr().write_all(text).is_ok()
}

/// Waits, at most [`LIMIT`], until the queued texts have been written. May be called in the handler of a
/// signal.
#[cfg(unix)]
pub(crate) fn settle() {
    const STEP: Duration = Duration::from_millis(1);
    for _ in 0..LIMIT.as_millis() / STEP.as_millis() {
        if PENDING.load(Ordering::Acquire) == 0
            || PENDING_IN.load(Ordering::Relaxed) != forked::generation() as usize
        {
            return;
        }
        let step = libc::timespec { tv_sec: 0, tv_nsec: STEP.as_nanos() as _ };
        // SAFETY: may be called in a handler, and only reads.
        unsafe { libc::nanosleep(&raw const step, std::ptr::null_mut()) };
    }
}

/// Makes `abort` wait for queued texts, if nobody else has asked for its signal.
#[cfg(all(unix, not(loom)))]
fn before_abort() {
    extern "C" fn on_abort(signal: libc::c_int) {
        settle();
        // SAFETY: both may be called in a handler. The signal is blocked meanwhile, and ends the program when this returns.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
    // SAFETY: an action of zeros is valid, and the handler does only things that a handler may do.
    unsafe {
        let mut present: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGABRT, std::ptr::null(), &raw mut present);
        if present.sa_sigaction == libc::SIG_DFL {
            let mut ours: libc::sigaction = std::mem::zeroed();
            ours.sa_sigaction = on_abort as extern "C" fn(libc::c_int) as libc::sighandler_t;
            ours.sa_flags = libc::SA_ONSTACK;
            libc::sigaction(libc::SIGABRT, &raw const ours, std::ptr::null_mut());
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn queue() -> TextQueue {
        TextQueue {
            items: VecDeque::new(),
            bytes: 0,
            writes: false,
            announced: 0,
            moved: Instant::now(),
            open: None,
        }
    }

    fn all(mut queue: TextQueue) -> String {
        let texts = std::iter::from_fn(|| queue.take());
        String::from_utf8(texts.flatten().collect()).unwrap()
    }

    #[test]
    fn what_another_source_says_begins_a_line() {
        let mut queue = queue();
        for (source, text) in [(1, "a"), (1, "b"), (2, "c\n"), (0, "d\n"), (1, "e"), (0, "f\n")] {
            queue.bytes += text.len();
            queue.items.push_back(Item::Text(Source(source), text.into()));
        }
        assert_eq!(all(queue), "ab\nc\nd\ne\nf\n");
    }

    #[test]
    fn where_something_was_dropped_a_note_stands() {
        // It has no thread, so nothing is written.
        let mut queue = queue();
        for text in [Item::Text(OURS, b"a\n".to_vec()), Item::Dropped(7)] {
            queue.bytes += if matches!(text, Item::Text(..)) { 2 } else { 0 };
            queue.items.push_back(text);
        }
        let all = all(queue);
        assert!(all.starts_with("a\ncsp: 7 bytes") && all.ends_with('\n'), "{all}");
    }
}
