//! The host processes that this OS process has started.
//!
//! Invariant: a host has one host process at most. Those who need it at the same time wait for one attempt to start it, and share the
//! result. Nothing here is locked while a host process starts.

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::greeting::{self, Greeted, Prelude};
use super::progress::HostStart;
use super::sending::{write_file, write_hello};
use super::way;
use super::words::{
    Awake, CarriedBytes, FromHost, Hello, SystemText, ToHost, WorkerEnd, read, say,
};
use crate::backend::subprocess::boot::reaper::{self, Exit, Killer, Mourner};
use crate::backend::subprocess::boot::{VARIABLE, child};
use crate::backend::subprocess::node::control::streams::StreamInvitation;
use crate::backend::subprocess::node::{self, Heard};
use crate::backend::subprocess::protocol::{Departure, NodeId};
use crate::backend::subprocess::transport::stream::{LinkLoss, StreamEnder, StreamEnds};
use crate::backend::subprocess::values::causes::NodeLoss;
use crate::backend::subprocess::values::{codec, text};
use crate::process::definition::HostCommand;
use crate::report::termination::LostHost;
use crate::system::mutex::lock;
use crate::system::{forked, quiet};
use crate::wait::quietly;

/// The time that a host process may take until it greets. A login at a distant host takes some seconds.
const START: Duration = Duration::from_secs(60);

/// The time that the command of a lost host has to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A host process that runs.
pub(super) struct RunningHost {
    id: NodeId,
    workers: Mutex<LiveWorkers>,
}

#[derive(Default)]
struct LiveWorkers {
    next: u64,
    /// Those who wait for the news of a worker.
    waiting: HashMap<u64, mpsc::Sender<(WorkerNews, Awake)>>,
    /// The reason why the host is lost.
    lost: Option<NodeLoss>,
}

pub(super) enum WorkerNews {
    Prepared(Result<NodeId, String>),
    Ended(WorkerEnd),
    /// The host is lost.
    Lost(NodeLoss),
}

/// A worker, as the thread that stands for it has it.
pub(super) struct HostedWorker {
    host: Arc<RunningHost>,
    number: u64,
    news: mpsc::Receiver<(WorkerNews, Awake)>,
}

impl RunningHost {
    /// Begins the life of a worker.
    pub(super) fn worker(self: &Arc<Self>) -> HostedWorker {
        let (tell, news) = mpsc::channel();
        let mut workers = lock(&self.workers);
        workers.next += 1;
        let number = workers.next;
        match workers.lost.clone() {
            Some(loss) => drop(tell.send((WorkerNews::Lost(loss), Awake::begin()))),
            None => drop(workers.waiting.insert(number, tell)),
        }
        HostedWorker { host: Arc::clone(self), number, news }
    }

    /// Tells those who wait for one worker.
    fn tell(&self, worker: u64, news: WorkerNews) {
        let mut workers = lock(&self.workers);
        let is_last = matches!(news, WorkerNews::Ended(_));
        let tell = match is_last {
            true => workers.waiting.remove(&worker),
            false => workers.waiting.get(&worker).cloned(),
        };
        let _ = tell.map(|tell| tell.send((news, Awake::begin())));
    }

    fn hear(&self, word: FromHost, heard: &mut Heard) {
        match word {
            FromHost::Ready => {}
            FromHost::Prepared(worker, place) => {
                let place = place.map_err(text::reason).and_then(|place| {
                    let is_right = node::control::streams::may_be_behind(self.id, NodeId(place));
                    is_right
                        .then_some(NodeId(place))
                        .ok_or_else(|| "it names a wrong place".to_owned())
                });
                self.tell(worker, WorkerNews::Prepared(place));
            }
            FromHost::Ended(worker, end) => self.tell(worker, WorkerNews::Ended(end.tamed())),
            FromHost::Memory(carried) => {
                carried.arrived().into_iter().for_each(|it| heard.carried(it));
            }
        }
    }

    fn is_lost(&self, loss: &NodeLoss) {
        let mut workers = lock(&self.workers);
        workers.lost = Some(loss.clone());
        for (_, tell) in workers.waiting.drain() {
            let _ = tell.send((WorkerNews::Lost(loss.clone()), Awake::begin()));
        }
    }

    fn runs(&self) -> bool {
        lock(&self.workers).lost.is_none()
    }
}

impl HostedWorker {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn say(&self, word: &ToHost) -> Result<(), String> {
        say(self.host.id, word)
    }

    /// Returns the node of the host.
    pub(super) fn host(&self) -> NodeId {
        self.host.id
    }

    /// Waits for the next news. The thread counts as awake afterwards for as long as the second value lives.
    pub(super) fn wait(&self) -> (WorkerNews, Option<Awake>) {
        match self.news.recv() {
            Ok((news, awake)) => (news, Some(awake)),
            Err(_) => {
                let message = "its host process says nothing more".to_owned();
                let loss = NodeLoss { process: "unknown".to_owned(), message, host: None };
                (WorkerNews::Lost(loss), None)
            }
        }
    }
}

impl Drop for HostedWorker {
    fn drop(&mut self) {
        let unended = lock(&self.host.workers).waiting.remove(&self.number);
        if unended.is_some() {
            let _ = self.say(&ToHost::Kill(self.number));
        }
    }
}

/// The attempts to start the host process of one host.
#[derive(Default)]
struct Attempts {
    state: Mutex<AttemptState>,
    is_over: Condvar,
}

#[derive(Default)]
struct AttemptState {
    is_on: bool,
    /// Their number.
    done: u64,
    last: Option<Result<Arc<RunningHost>, String>>,
}

/// Returns the host process of a host. If there is none, it is started.
pub(super) fn connect(host: &HostCommand) -> Result<Arc<RunningHost>, String> {
    static HOSTS: OnceLock<Mutex<HashMap<u64, Arc<Attempts>>>> = OnceLock::new();
    if forked::is_copy() {
        return Err(
            "this OS process is a copy that `fork` has made, and only the original can start more"
                .to_owned(),
        );
    }
    let attempts =
        Arc::clone(lock(HOSTS.get_or_init(Mutex::default)).entry(host.number).or_default());
    let mut state = lock(&attempts.state);
    if state.is_on {
        // The attempt of another, whatever becomes of it.
        let mine = state.done;
        while state.done == mine {
            state = attempts.is_over.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        return state.last.clone().unwrap_or_else(|| Err("it was not started".to_owned()));
    }
    if let Some(Ok(running)) = &state.last
        && running.runs()
    {
        return Ok(Arc::clone(running));
    }
    state.is_on = true;
    drop(state);
    let result = begin(host);
    let mut state = lock(&attempts.state);
    state.is_on = false;
    state.done += 1;
    state.last = Some(result.clone());
    attempts.is_over.notify_all();
    result
}

/// The command that has been started. Dropping it ends the command, and all that the command has started in its group.
struct Launcher {
    killer: Killer,
    exited: mpsc::Receiver<Exit>,
}

impl Launcher {
    /// Ends the command, which may say its last words before. Returns its exit and these words.
    fn end(&self) -> String {
        let by_itself = self.exited.recv_timeout(LAST_WORDS);
        let exit = by_itself.or_else(|_| {
            self.killer.kill();
            self.exited.recv()
        });
        exit.map(|exit| text::reason(plain(&exit.to_string()))).unwrap_or_default()
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        self.killer.kill();
        // Its exit may have been taken already.
        let _ = self.exited.recv();
        self.killer.end_group();
    }
}

/// Returns whether a variable of this program is one of a host's processes, too.
fn travels(name: &OsString) -> bool {
    let name = name.as_encoded_bytes();
    let stays = [&b"CSP_CORES"[..], b"CSP_HOSTS", VARIABLE.as_bytes()];
    (name.starts_with(b"CSP_") || name.starts_with(b"RUST_")) && !stays.contains(&name)
}

fn hello(host: &HostCommand, invitation: StreamInvitation) -> io::Result<Hello> {
    let (in_main, depth) = child::about();
    let pair =
        |(name, value): (OsString, OsString)| (SystemText::from(&*name), SystemText::from(&*value));
    let usual = env::vars_os().filter(|(name, _)| travels(name));
    let environment = usual.chain(host.environment.iter().cloned()).map(pair).collect();
    Ok(Hello {
        invitation,
        executable: greeting::executable()?,
        in_main,
        depth,
        arguments: env::args_os().map(|word| SystemText::from(&*word)).collect(),
        folder: env::current_dir().ok().map(|folder| SystemText::from(folder.as_os_str())),
        environment,
    })
}

/// Starts the host process of a host.
fn begin(host: &HostCommand) -> Result<Arc<RunningHost>, String> {
    let failed = |reason: String| format!("the host `{}` could not be had: {reason}", host.name);
    let system = |error: io::Error| failed(error.to_string());
    let (start, program) = (HostStart::begin(&host.name), way::program(host));
    // The command.
    let mut child = way::command(host)
        .map_err(failed)?
        .spawn()
        .map_err(|error| failed(format!("`{program}` could not be run ({error})")))?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (exit, exited) = mpsc::channel();
    let killer = reaper::watch(child, None, Mourner { exit, gone: None, leads: true }, None)
        .map_err(system)?;
    let launcher = Launcher { killer, exited };
    let (Some(stdin), Some(mut stdout)) = (stdin, stdout) else {
        return Err(failed("it has no standard input or output".to_owned()));
    };
    // The greetings, and the executable if it is not there.
    let mut prelude = Prelude::default();
    let ended = |reason: String, prelude: &Prelude| {
        let (exit, come) = (launcher.end(), plain(&prelude.words()));
        let come = match tail(&come) {
            "" => String::new(),
            come => format!("; it wrote: {}", text::reason(come.to_owned())),
        };
        failed(format!("{reason}{come}; `{program}` has ended: {exit}"))
    };
    let mut has_copied = false;
    loop {
        let heard = prelude.hear(&mut stdout, Instant::now() + START, &mut || start.look());
        match heard.map_err(|reason| ended(reason, &prelude))? {
            Greeted::Begins => break,
            Greeted::NeedsExecutable if !has_copied => {
                has_copied = true;
                copy(&stdin, &start)
                    .map_err(|error| ended(format!("it took no copy ({error})"), &prelude))?;
            }
            Greeted::NeedsExecutable => {
                return Err(ended("it asks for a second copy".to_owned(), &prelude));
            }
        }
    }
    let invitation = StreamInvitation::draw(host.peer_timeout);
    let id = invitation.id();
    let hello = hello(host, invitation).map_err(system)?;
    let bytes = codec::pack(&hello, Vec::new()).map_err(|error| failed(error.to_string()))?;
    write_hello(&stdin, &bytes, Instant::now() + START)
        .map_err(|error| ended(format!("it heard nothing ({error})"), &prelude))?;
    // The link. It counts as awake until its thread has taken the news.
    let (tell, news) = mpsc::channel();
    let tell_word = tell.clone();
    node::control::streams::hear_control(id, move |word| {
        let _ = tell_word.send((HostNews::Word(word), Awake::begin()));
    });
    let ends = StreamEnds { input: OwnedFd::from(stdout), output: OwnedFd::from(stdin) };
    let on_loss = move |loss| drop(tell.send((HostNews::Lost(loss), Awake::begin())));
    let ender = match node::control::streams::prepare_stream(&hello.invitation, ends, on_loss) {
        Ok(ender) => {
            // It has greeted.
            ender.begin();
            Arc::new(ender)
        }
        Err(error) => {
            node::control::streams::forget_control(id);
            launcher.end();
            return Err(system(error));
        }
    };
    let running = Arc::new(RunningHost { id, workers: Mutex::default() });
    let (ready, is_ready) = mpsc::channel();
    let watched =
        WatchedHost { host: host.clone(), running: Arc::clone(&running), launcher, news, ready };
    watched.begin(Arc::clone(&ender)).map_err(system)?;
    // It is lost at last if it says nothing.
    match is_ready.recv_timeout(START) {
        Ok(Ok(())) => {
            start.has_started();
            Ok(running)
        }
        Ok(Err(reason)) => Err(reason),
        Err(_) => {
            ender.end();
            Err(failed("its host process does not begin".to_owned()))
        }
    }
}

/// Sends the very file of this executable.
fn copy(to: impl AsFd, start: &HostStart) -> io::Result<()> {
    let file = File::open("/proc/self/exe")?;
    let size = file.metadata()?.len();
    write_file(to, file, START, |written| start.copied(written, size))
}

/// Returns a text with the ends of lines that the system has. A terminal has others, and `ssh` too.
fn plain(text: &str) -> String {
    text.replace("\r\n", "\n").trim_end().to_owned()
}

/// Returns the end of a text.
fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(2048);
    let start = (start..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[start..]
}

enum HostNews {
    Word(Vec<u8>),
    Lost(LinkLoss),
}

/// A host process that runs, as the thread has it that hears it.
struct WatchedHost {
    host: HostCommand,
    running: Arc<RunningHost>,
    launcher: Launcher,
    news: mpsc::Receiver<(HostNews, Awake)>,
    ready: mpsc::Sender<Result<(), String>>,
}

impl WatchedHost {
    /// Starts that thread.
    fn begin(self, ender: Arc<StreamEnder>) -> io::Result<()> {
        let id = self.running.id;
        let end = Arc::clone(&ender);
        node::started(
            id,
            // Its thread kills the command, which may say its last words before.
            move |_| end.end(),
            move |carried| say(id, &ToHost::Memory(CarriedBytes::from(carried))).is_ok(),
        );
        let started = thread::Builder::new()
            .name(format!("csp host {}", self.host.name.replace('\0', "\u{fffd}")))
            .stack_size(256 << 10)
            .spawn(move || self.run(&ender));
        if started.is_err() {
            node::ended(id, false, Departure::Poisons, "host".to_owned(), "no thread".to_owned());
            node::control::streams::forget_control(id);
        }
        started.map(drop)
    }

    fn run(self, ender: &StreamEnder) {
        // It does nothing by itself: it handles words, which count as awake.
        quiet::lend_this_thread();
        let mut heard = Heard::default();
        let mut loss = None;
        for (news, _awake) in &self.news {
            match news {
                HostNews::Word(word) => match read(&word) {
                    Ok(FromHost::Ready) => drop(self.ready.send(Ok(()))),
                    Ok(word) => {
                        // Memory or a descriptor may be missing. Nobody may wait for ever because of that.
                        let hears = || self.running.hear(word, &mut heard);
                        if let Err(panic) = quietly::catch(hears) {
                            let what = text::reason(panic.told().0);
                            loss = loss.or(Some(format!("its words could not be handled: {what}")));
                            ender.end();
                        }
                    }
                    Err(error) => {
                        loss = loss.or(Some(format!("it says what can't be read ({error})")));
                        ender.end();
                    }
                },
                HostNews::Lost(lost) => {
                    let (broke, unheard) = (loss.is_some(), ender.unheard());
                    let loss = loss.take().unwrap_or_else(|| lost.to_string());
                    self.bury(loss, broke, unheard, &mut heard);
                    break;
                }
            }
        }
        quiet::give_back_this_thread();
    }

    /// Tells all who wait that the host is lost. The node reads what the host had sent before, and its words among that still count.
    fn bury(&self, loss: String, broke: bool, unheard: Duration, heard: &mut Heard) {
        let Self { host, running, launcher, ready, news } = self;
        let exit = launcher.end();
        let program = way::program(host);
        let lost = LostHost::new(host.name.clone(), unheard, Vec::new());
        let loss = NodeLoss {
            process: format!("host `{}`", host.name),
            message: format!("{loss}; `{program}` has ended: {exit}"),
            host: Some(lost),
        };
        let (broken, loss) = node::host_ended(running.id, loss);
        node::control::streams::forget_control(running.id);
        for (news, _awake) in news.try_iter() {
            if let HostNews::Word(word) = news
                && let (false, None, Ok(word)) = (broke, &broken, read(&word))
            {
                running.hear(word, heard);
            }
        }
        let reason = &loss.message;
        let _ = ready.send(Err(format!("the host `{}` could not be had: {reason}", host.name)));
        let message = format!("its host `{}` is lost: {reason}", host.name);
        running.is_lost(&NodeLoss { message, ..loss });
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::process::definition::HostWay;

    #[test]
    fn variables_that_concern_one_machine_stay_there() {
        for name in ["CSP_WATCH", "RUST_LOG", "RUST_BACKTRACE"] {
            assert!(travels(&name.into()), "{name}");
        }
        for name in ["CSP_CORES", "CSP_HOSTS", "CSP_SUBPROCESS", "PATH", "HOME", "XCSP_A"] {
            assert!(!travels(&name.into()), "{name}");
        }
    }

    #[test]
    fn a_result_counts_that_a_lost_host_had_sent() {
        let child = Command::new("true").spawn().expect("a program");
        let (exit, exited) = mpsc::channel();
        let killer = reaper::watch(child, None, Mourner { exit, gone: None, leads: true }, None)
            .expect("a reaper");
        let running = Arc::new(RunningHost { id: NodeId(77), workers: Mutex::default() });
        let (ended, other) = (running.worker(), running.worker());
        let (tell, news) = mpsc::channel();
        let (ready, _is_ready) = mpsc::channel();
        let way = HostWay::Command(vec!["true".into()]);
        let host = HostCommand::new("far".to_owned(), way);
        let watched = WatchedHost {
            host,
            running: Arc::clone(&running),
            launcher: Launcher { killer, exited },
            news,
            ready,
        };
        // The stream's thread tells of the end, and the node brings the word behind that.
        let end = WorkerEnd::Exited { told: None, exit: Some("well".to_owned()), broken: None };
        let word = codec::pack(&FromHost::Ended(ended.number(), end), Vec::new()).expect("a word");
        tell.send((HostNews::Word(word), Awake::begin())).expect("it is heard");
        watched.bury("it is gone".to_owned(), false, Duration::ZERO, &mut Heard::default());
        let exit = match ended.wait().0 {
            WorkerNews::Ended(WorkerEnd::Exited { exit, .. }) => exit,
            _ => None,
        };
        assert_eq!(exit.as_deref(), Some("well"));
        assert!(
            matches!(other.wait().0, WorkerNews::Lost(loss) if loss.message.contains("`far` is lost"))
        );
    }

    #[test]
    fn the_end_of_a_text_is_whole_characters() {
        let text = "ß".repeat(2000);
        assert_eq!(tail(&text).len(), 2048);
        assert_eq!(tail(&format!("{text}x")).len(), 2047);
        assert_eq!(tail(""), "");
    }
}
