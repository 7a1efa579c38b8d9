//! Programs that have connected by an address, and break the rules of the protocol. The room ends their links and serves
//! the others. Each program is this one, started again with a role.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, thread};

use super::{Fate, forgeries};
use crate::backend::subprocess::node::Node;
use crate::backend::subprocess::protocol::{ChannelId, Few, Message, NodeId, Offer};
use crate::backend::subprocess::transport::wire::samples::bytes_of;
use crate::{Channel, Writer, connect, process, publish, spawn};

/// Nothing takes so long.
const LONG: Duration = Duration::from_secs(60);
const ROLE: &str = "CSP_TEST_ROLE";
const ADDRESS: &str = "CSP_TEST_ADDRESS";
/// The most operations of a program that stand at another one.
const MOST_OPERATIONS: usize = 65_536;
/// The names on a link, as each side says them.
const SPEAKER: NodeId = NodeId(1);
const HEARER: NodeId = NodeId(2);

/// A line for all, and an end for the lines of others.
type Said = (String, Option<Writer<String>>);

struct Program {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Program {
    fn start(role: &str, address: &str) -> Self {
        let module = module_path!().split_once("::").expect("a crate").1;
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.args(["--exact", &format!("{module}::plays_its_role"), "--nocapture", "--quiet"]);
        command.env(ROLE, role).env(ADDRESS, address).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a program that can be started");
        let stdout = child.stdout.take().expect("an output");
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The harness writes lines of its own.
                if let Some((_, said)) = line.split_once("said: ") {
                    let _ = tell.send(said.to_owned());
                }
            }
        });
        Self { child, lines }
    }

    fn hear(&self) -> String {
        self.lines.recv_timeout(LONG).expect("a line")
    }

    /// Waits for this line, and skips others.
    fn hears(&self, line: &str) {
        self.hears_one(|heard| heard == line);
    }

    /// Waits for a line of this kind, and skips others.
    fn hears_one(&self, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.hear();
            if is_it(&line) {
                return line;
            }
        }
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().expect("an input"), "{line}").expect("it runs");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(line: impl std::fmt::Display) {
    println!("said: {line}");
}

/// This test is the program in its role. Without a role it does nothing.
#[test]
fn plays_its_role() {
    let Ok(role) = env::var(ROLE) else { return };
    let address = env::var(ADDRESS).unwrap_or_default();
    match role.as_str() {
        "room" => room(),
        "honest" => honest(&address),
        "forger" => forger(&address),
        "mute" => mute(&address),
        "crowd" => crowd(&address),
        other => panic!("no role is called {other}"),
    }
}

/// Passes each line on to all, and says who is gone, and why.
fn room() {
    let said = Channel::<Said>::new();
    let published = publish("127.0.0.1:0/room", said.writer()).expect("a place");
    say(published.address());
    let mut inboxes: Vec<Writer<String>> = Vec::new();
    for (line, inbox) in &said.reader() {
        inboxes.extend(inbox);
        inboxes.retain(|inbox| {
            let written = inbox.write(line.clone());
            let _ = written.as_ref().map_err(|error| say(format!("gone: {:?}", error.termination)));
            written.is_ok()
        });
        say(line);
    }
}

/// Says what it hears, and passes its input on.
fn honest(address: &str) {
    let said: Writer<Said> = connect(address).expect("a room");
    let inbox = Channel::new();
    let hears = inbox.reader();
    let join = ("honest is here".to_owned(), Some(inbox.writer()));
    drop(inbox);
    spawn(speak(said.clone()));
    said.write(join).expect("a room");
    hears.iter().for_each(say);
}

#[process(crate = crate, daemon)]
fn speak(said: Writer<Said>) {
    while let Some(Ok(line)) = crate::io(|| std::io::stdin().lines().next()) {
        said.write((line, None)).expect("a room");
    }
}

/// Sends each forgery, and writes a line after it. It connects again once its link has been ended.
fn forger(address: &str) {
    for (number, (bytes, _)) in forgeries(SPEAKER, HEARER).into_iter().enumerate() {
        let said: Writer<Said> = connect(address).expect("a room");
        let [room] = Node::here().programs()[..] else { panic!("two links") };
        Node::here().say(room, &bytes);
        let is_heard = said.write((format!("forgery {number}"), None)).is_ok();
        say(if is_heard { "heard" } else { "refused" });
    }
}

/// Hears that it has joined, and handles nothing after that. It answers pings.
fn mute(address: &str) {
    let said: Writer<Said> = connect(address).expect("a room");
    let inbox = Channel::new();
    let hears = inbox.reader();
    said.write(("mute is here".to_owned(), Some(inbox.writer()))).expect("a room");
    say(hears.read().expect("its own line"));
    Node::here().falls_silent();
    loop {
        thread::park();
    }
}

/// Has as many operations stand in the room as a program may, and one more once it is told to.
fn crowd(address: &str) {
    let said: Writer<Said> = connect(address).expect("a room");
    let inbox = Channel::new();
    let hears = inbox.reader();
    said.write(("crowd is here".to_owned(), Some(inbox.writer()))).expect("a room");
    hears.read().expect("its own line");
    let [room] = Node::here().programs()[..] else { panic!("two links") };
    // The room has made its channel first.
    let channel = ChannelId { home: HEARER, index: 0 };
    let stands = |number: usize| {
        let (op, guards) = ((1 << 50) + number as u64, Few::one((0, Offer::Retired { channel })));
        Node::here().say(room, &bytes_of(Message::Post { op, multi: false, guards }));
    };
    // The line is the last one, while it is being written.
    (1..MOST_OPERATIONS).for_each(stands);
    said.write(("crowd is full".to_owned(), None)).expect("it keeps to the limit");
    hears.read().expect("its own line");
    say("full");
    std::io::stdin().lines().next();
    stands(MOST_OPERATIONS);
    let is_heard = said.write(("one too many".to_owned(), None)).is_ok();
    say(if is_heard { "heard" } else { "refused" });
}

#[test]
fn each_forgery_ends_the_link_of_its_author_and_no_other() {
    let room = Program::start("room", "");
    let address = room.hear();
    let mut honest = Program::start("honest", &address);
    honest.hears("honest is here");
    let forger = Program::start("forger", &address);
    for (number, (bytes, fate)) in forgeries(SPEAKER, HEARER).into_iter().enumerate() {
        let expected = if fate == Fate::Ignored { "heard" } else { "refused" };
        assert_eq!(forger.hear(), expected, "{number}: {bytes:?}");
        let line = format!("still here after {number}");
        honest.tell(&line);
        honest.hears(&line);
    }
}

#[test]
fn a_member_that_answers_pings_only_is_given_up() {
    let room = Program::start("room", "");
    let address = room.hear();
    let mute = Program::start("mute", &address);
    mute.hears("mute is here");
    room.hears("mute is here");
    // The line goes to the other one first.
    let honest = Program::start("honest", &address);
    let gone = room.hear();
    assert!(gone.starts_with("gone: ") && gone.contains("has not handled its messages"), "{gone}");
    honest.hears("honest is here");
}

/// Its own operations count, and not those of others.
#[test]
fn a_member_with_more_operations_than_the_limit_loses_its_link() {
    let room = Program::start("room", "");
    let address = room.hear();
    let mut honest = Program::start("honest", &address);
    honest.hears("honest is here");
    let mut crowd = Program::start("crowd", &address);
    crowd.hears("full");
    honest.tell("before");
    honest.hears("before");
    crowd.tell("one more");
    crowd.hears("refused");
    honest.tell("after");
    honest.hears("after");
    let gone = room.hears_one(|line| line.starts_with("gone: "));
    assert!(gone.contains("more than 65,536 operations of one program"), "{gone}");
}
