//! The example `chat`, with real clients and a real signal.
#![cfg(unix)]

#[allow(dead_code, reason = "its `main` is not called")]
#[path = "../chat.rs"]
mod chat;
mod watchdog;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use csp::Signal;

struct Client {
    input: BufReader<TcpStream>,
    output: TcpStream,
}

impl Client {
    /// Comes, and waits until the room says so.
    fn come(server: SocketAddr, name: &str) -> Self {
        let mut client = Self::connect(server, name);
        client.until(&format!("* {name} has come"));
        client
    }

    fn connect(server: SocketAddr, name: &str) -> Self {
        let output = TcpStream::connect(server).expect("a server");
        let input = BufReader::new(output.try_clone().expect("a socket"));
        let mut client = Self { input, output };
        assert_eq!(client.line().as_deref(), Some("* what is your name?"));
        client.say(name);
        client
    }

    fn say(&mut self, text: &str) {
        self.output.write_all(format!("{text}\n").as_bytes()).expect("it is heard");
    }

    /// Returns the next line, or `None` at the end.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let size = self.input.read_line(&mut line).expect("text");
        (size > 0).then(|| line.trim_end().to_owned())
    }

    /// Reads on until this line has come. Returns the lines before it.
    fn until(&mut self, expected: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            match self.line() {
                Some(line) if line == expected => return before,
                Some(line) => before.push(line),
                None => panic!("never came: {expected}, but {before:?}"),
            }
        }
    }

    /// Says all that it wants to say, and leaves.
    fn leave(self) {
        self.output.shutdown(Shutdown::Both).expect("it was there");
    }
}

#[test]
fn clients_come_and_go_until_a_signal_comes() {
    let _over = watchdog::watchdog();
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = socket.local_addr().expect("an address");
    let serving = thread::spawn(move || chat::serve(socket.into(), csp::signals([Signal::INT])));

    // All hear what each says, and who comes and goes.
    let mut ann = Client::come(server, "ann");
    let mut bob = Client::come(server, "bob");
    assert_eq!(ann.line().as_deref(), Some("* bob has come"));
    ann.say("hello");
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.line().as_deref(), Some("ann: hello"));
    }
    bob.leave();
    assert_eq!(ann.line().as_deref(), Some("* bob has left"));

    // A name is taken while its client is there.
    let mut other = Client::connect(server, "ann");
    assert_eq!(other.line().as_deref(), Some("* somebody else is ann"));
    assert_eq!(other.line(), None);
    let mut bob = Client::come(server, "bob");
    ann.until("* bob has come");

    // A client that never says its name is nobody, and one that says half a line has said it.
    drop(TcpStream::connect(server).expect("a server"));
    bob.output.write_all(b"bye").expect("it is heard");
    bob.output.shutdown(Shutdown::Write).expect("it was there");
    assert_eq!(ann.line().as_deref(), Some("bob: bye"));
    assert_eq!(ann.line().as_deref(), Some("* bob has left"));

    // A crowd comes and goes. Nobody misses a line between its coming and its going. All lines have room in the backlog.
    const CROWD: usize = 50;
    const LINES: usize = 15;
    thread::scope(|scope| {
        for number in 0..CROWD {
            scope.spawn(move || {
                let name = format!("guest {number}");
                let mut guest = Client::come(server, &name);
                for n in 0..LINES {
                    guest.say(&n.to_string());
                    guest.until(&format!("{name}: {n}"));
                }
                guest.leave();
            });
        }
        let (mut left, mut heard) = (0, 0);
        while left < CROWD {
            let line = ann.line().expect("the server goes on");
            left += usize::from(line.ends_with(" has left"));
            heard += usize::from(line.starts_with("guest "));
        }
        assert_eq!(heard, CROWD * LINES);
    });

    // A client that does not read is thrown out, and meanwhile the others talk.
    let slow = Client::come(server, "slow");
    ann.until("* slow has come");
    let long = "x".repeat(15_000);
    loop {
        ann.say(&long);
        if ann.until(&format!("ann: {long}")).iter().any(|line| line == "* slow is too slow") {
            break;
        }
    }
    drop(slow);

    // The signal ends the server, and the server all connections.
    let this = std::process::id().to_string();
    let kill = Command::new("kill").args(["-INT", &this]).status();
    assert!(kill.expect("`kill` is there").success());
    let mut rest = String::new();
    ann.input.read_to_string(&mut rest).expect("text");
    assert_eq!(rest, "");
    let guests = serving.join().expect("it has ended, with all its processes");
    assert_eq!(guests, Ok(CROWD + 4));
    let left = csp::network();
    let left: Vec<_> = left.processes().iter().filter(|p| p.path().contains('/')).collect();
    assert!(left.is_empty(), "{left:#?}");
}
