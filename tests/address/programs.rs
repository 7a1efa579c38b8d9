//! The programs of these tests.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, thread};

use csp::{Channel, ProgramKey, Published, Reader, Writer, alt, parallel, process, spawn};
use serde::{Deserialize, Serialize};

use crate::crossing::{borrower, customer, exchange, go_between, lender, letterbox, shelf, taker};
use crate::crowd::{crowd, hasty};
use crate::limits::{many, shut};

/// Nothing takes so long.
pub(crate) const LONG: Duration = Duration::from_secs(60);
const ROLE: &str = "CSP_TEST_ROLE";
const ADDRESS: &str = "CSP_TEST_ADDRESS";

/// The words of members to the room.
#[derive(Serialize, Deserialize)]
pub(crate) enum Said {
    Joined(String, Writer<String>),
    Line(String),
}

/// A program that runs, and the lines that it has written.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
}

impl Program {
    /// Starts this test program in a role, with an address.
    pub(crate) fn start(role: &str, address: &str) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.args(["--exact", "programs::plays_its_role", "--nocapture", "--quiet"]);
        Self::run(command.env(ROLE, role).env(ADDRESS, address))
    }

    /// Starts a program that has no threads but the library's and its own, so that the watch looks for deadlocks of all.
    pub(crate) fn plain(argument: &str) -> Self {
        Self::run(Command::new(env!("CARGO_BIN_EXE_waits_by_an_address")).arg(argument))
    }

    fn run(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a program that can be started");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("an output"));
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The harness writes lines of its own.
                if let Some((_, said)) = line.split_once("said: ") {
                    let _ = tell.send(said.to_owned());
                }
            }
        });
        Self { child, stdin, lines }
    }

    /// Waits for the next line.
    pub(crate) fn hear(&self) -> String {
        self.lines.recv_timeout(LONG).expect("a line")
    }

    /// Waits for this line, and skips others.
    pub(crate) fn hears(&self, line: &str) {
        while self.hear() != line {}
    }

    /// Waits until it says nothing more, because it has ended.
    pub(crate) fn falls_over(&self) {
        let over = loop {
            if let Err(over) = self.lines.recv_timeout(LONG) {
                break over;
            }
        };
        assert_eq!(over, mpsc::RecvTimeoutError::Disconnected);
    }

    /// Gives it a line.
    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("an input");
        writeln!(stdin, "{line}").expect("a program that runs");
    }

    pub(crate) fn end_of_input(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ends(&mut self) -> bool {
        self.end_of_input();
        self.child.wait().expect("a child").success()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a child");
        self.child.wait().expect("a child");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a line that the test hears.
pub(crate) fn say(line: impl std::fmt::Display) {
    println!("said: {line}");
}

pub(crate) fn lines() -> impl Iterator<Item = String> {
    std::iter::from_fn(|| csp::io(|| std::io::stdin().lines().next()).and_then(Result::ok))
}

/// This test is the program in its role. Without a role it does nothing.
#[test]
fn plays_its_role() {
    let Ok(role) = env::var(ROLE) else { return };
    let address = env::var(ADDRESS).unwrap_or_default();
    match role.as_str() {
        "room" => room(false),
        "passing_room" => room(true),
        "member" => member(&address),
        "stranger" => stranger(&address),
        "later" => later(&address),
        "visitor" => visitor(&address),
        "gates" => gates(),
        "kept_room" => kept_room(&address),
        "exchange" => exchange(),
        "taker" => taker(&address),
        "lender" => lender(&address),
        "shelf" => shelf(),
        "borrower" => borrower(&address),
        "crowd" => crowd(&address),
        "hasty" => hasty(&address),
        "shut" => shut(),
        "many" => many(&address),
        "adder" => adder(),
        "idle" => {
            let channel = Channel::<u32>::buffered(1);
            channel.writer().write(1).expect("room");
            say("idle");
            lines().for_each(drop);
        }
        "asker" => asker(&address),
        "chooser" => chooser(&address),
        "courier" => courier(),
        "customer" => customer(&address),
        "letterbox" => letterbox(),
        "go_between" => go_between(&address),
        other => panic!("no role is called {other}"),
    }
    say("over");
}

/// A room, until its input ends. It says each line that it has heard.
fn room(poison_passes: bool) {
    let said = Channel::new();
    let mut published = csp::publish("127.0.0.1:0/room", said.writer()).expect("a place");
    if poison_passes {
        published = published.poison_passes();
    }
    room_of(&said, &published);
}

/// A room with a key in a file, at a place.
fn kept_room(key_and_place: &str) {
    let (key, place) = key_and_place.split_once(' ').expect("a key and a place");
    let said = Channel::new();
    let key = ProgramKey::kept_in(key).expect("a key");
    let published = key.publish(place, said.writer()).expect("a place");
    room_of(&said, &published);
}

fn room_of(said: &Channel<Said>, published: &Published) {
    say(published.address());
    let serving = spawn(serve(said.reader()));
    for word in lines() {
        match word.as_str() {
            "renew" => {
                published.renew_secret();
                say(published.address());
            }
            "count" => say(published.members().len()),
            "cut" => published.members().into_iter().for_each(csp::Member::cut_off),
            _ => {}
        }
    }
    drop(serving);
    // Members that are there would keep it.
    std::process::exit(0);
}

#[process(daemon)]
fn serve(said: Reader<Said>) {
    let mut inboxes: Vec<Writer<String>> = Vec::new();
    for said in &said {
        let line = match said {
            Said::Joined(name, inbox) => {
                inboxes.push(inbox);
                format!("{name} is here")
            }
            Said::Line(line) => line,
        };
        say(&line);
        inboxes.retain(|inbox| inbox.write(line.clone()).is_ok());
    }
    say(format!("the room ends: {:?}", said.termination().expect("an end").poison().is_some()));
}

#[process(daemon)]
fn show(inbox: Reader<String>) {
    inbox.iter().for_each(|line| say(format!("heard {line}")));
    if let Some(end) = inbox.termination() {
        say(format!("the room is gone: {end:?}"));
    }
}

fn member(address: &str) {
    let said: Writer<Said> = csp::connect(address).expect("a room");
    let inbox = Channel::buffered(64);
    spawn(show(inbox.reader()));
    said.write(Said::Joined("member".to_owned(), inbox.writer())).expect("a room");
    drop(inbox);
    for line in lines() {
        match line.as_str() {
            "poison" => said.poison("as it was told"),
            "panic" => panic!("as it was told"),
            _ => {
                let written = said.write(Said::Line(line));
                say(if written.is_ok() { "written" } else { "not written" });
            }
        }
    }
}

/// A member that connects once it is told to.
fn later(address: &str) {
    say("not connected");
    lines().next().expect("a word");
    member(address);
}

/// Publishes two names, each until somebody has come by it.
fn gates() {
    parallel!(gate("first".to_owned()), gate("second".to_owned()));
}

#[process]
fn gate(name: String) {
    let visits = Channel::<String>::new();
    let published = csp::publish(&format!("127.0.0.1:0/{name}"), visits.writer()).expect("a place");
    say(format!("{name} {}", published.address()));
    let reader = visits.reader();
    drop(visits);
    say(format!("{name} {}", reader.read().expect("a visitor")));
    // From now on the visitor alone can write.
    drop(published);
    reader.iter().for_each(|line| say(format!("{name} {line}")));
    say(format!("{name} is gone"));
}

/// Writes that it has come, and each line.
fn visitor(address: &str) {
    let gate: Writer<String> = csp::connect(address).expect("a gate");
    gate.write("has come".to_owned()).expect("a gate");
    lines().for_each(|line| gate.write(line).expect("a gate"));
}

/// It has the wrong type.
fn stranger(address: &str) {
    say(csp::connect::<Writer<u32>>(address).expect_err("a refusal"));
    say(csp::connect::<Reader<Said>>(address).expect_err("a refusal"));
}

/// Adds what it is asked, one after the other.
fn adder() {
    let (questions, answers) = (Channel::<(u32, u32)>::new(), Channel::<u32>::new());
    let asked = csp::publish("127.0.0.1:0/questions", questions.writer()).expect("a place");
    let port =
        asked.address().rsplit_once(':').expect("a port").1.split('/').next().map(str::to_owned);
    let place = format!("127.0.0.1:{}/answers", port.expect("a port"));
    let answered = csp::publish(&place, answers.reader()).expect("the same place");
    say(format!("{} {}", asked.address(), answered.address()));
    let (question, answer) = (questions.reader(), answers.writer());
    while let Ok((a, b)) = question.read() {
        if answer.write(a + b).is_err() {
            break;
        }
    }
}

/// Asks a thousand times, and by the same connection.
fn asker(addresses: &str) {
    let (questions, answers) = addresses.split_once(' ').expect("two addresses");
    let questions: Writer<(u32, u32)> = csp::connect(questions).expect("an adder");
    let answers: Reader<u32> = csp::connect(answers).expect("an adder");
    let mut sum = 0;
    for n in 0..1_000 {
        questions.write((n, 1)).expect("an adder");
        sum += answers.read().expect("an adder");
    }
    say(sum);
}

/// Chooses among channels of this program and of two others.
fn chooser(addresses: &str) {
    let (one, other) = addresses.split_once(' ').expect("two addresses");
    let one: Reader<u32> = csp::connect(one).expect("a courier");
    let other: Reader<u32> = csp::connect(other).expect("a courier");
    let here = Channel::<u32>::new();
    spawn(count(here.writer(), 300));
    let own = here.reader();
    drop(here);
    let mut sums = [0_u32; 3];
    for _ in 0..900 {
        let (from, value) = alt! {
            value = one.read() => (0, value),
            value = other.read() => (1, value),
            value = own.read() => (2, value),
        }
        .expect("a value");
        sums[from] += value;
    }
    say(format!("{sums:?}"));
}

#[process]
fn count(to: Writer<u32>, up_to: u32) {
    for n in 0..up_to {
        to.write(n).expect("a reader");
    }
}

/// Publishes numbers, and waits until its input ends.
fn courier() {
    let numbers = Channel::new();
    let published = csp::publish("127.0.0.1:0/numbers", numbers.reader()).expect("a place");
    say(published.address());
    parallel!(count(numbers.writer(), 300));
    lines().for_each(drop);
    drop(published);
}
