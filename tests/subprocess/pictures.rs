//! `csp::network()` over several OS processes.

use csp::report::State;
use csp::{Channel, Network, Reader, Writer, multiprocess, parallel, process, spawn};
use rustix::process::Signal;

use crate::killed::signal;
use crate::{here, tests};

/// Copies the numbers, as an OS process.
#[multiprocess]
fn copies(from: Reader<u32>, to: Writer<u32>) -> csp::Result {
    from.iter().try_for_each(|number| Ok(to.write(number)?))
}

#[process]
fn reads(from: Reader<u32>) {
    while from.read().is_ok() {}
}

/// Has a process of its own in its OS process, and an OS process below.
#[multiprocess]
fn leads(from: Reader<u32>, below: Reader<u32>, to: Writer<u32>) -> csp::Result {
    let inside = spawn(reads(from));
    let last = parallel!(copies(below, to)).0;
    inside.join();
    last
}

/// Tells its number, and waits.
#[multiprocess]
fn tells(number: Writer<u32>, from: Reader<u32>) -> csp::Result {
    number.write(here())?;
    from.iter().for_each(drop);
    Ok(())
}

/// Tells what it sees of the network once the OS process below is blocked.
#[multiprocess]
fn looks(below: Reader<u32>, to: Writer<u32>, tell: Writer<String>) -> csp::Result {
    let inside = spawn(copies(below, to));
    tell.write(snapshot(&["/looks/copies"]).to_string())?;
    inside.join()
}

/// Returns a snapshot in which the processes with these ends of their paths are blocked.
fn snapshot(blocked: &[&str]) -> Network {
    loop {
        let network = csp::network();
        let is_blocked = |end: &&str| matches!(state(&network, end), Some(State::Blocked(_)));
        if blocked.iter().all(is_blocked) {
            return network;
        }
        csp::sleep(std::time::Duration::from_millis(5));
    }
}

/// Returns the state of the one process whose path ends so. One that is being started may be there twice.
fn state<'n>(network: &'n Network, end: &str) -> Option<&'n State> {
    let mut found = network.processes().iter().filter(|process| process.path().ends_with(end));
    let process = found.next()?;
    found.next().is_none().then(|| process.state())
}

/// Returns the operation for which this process is blocked, with the name of the channel and the file.
fn wait(network: &Network, end: &str) -> (String, Option<String>, String) {
    let Some(State::Blocked(wait)) = state(network, end) else { panic!("{end}: {network}") };
    let [want] = wait.wants() else { panic!("{end}: {network}") };
    let file = wait.place().file().rsplit('/').next().map(str::to_owned);
    (format!("{:?}", want.operation()), want.name().map(str::to_owned), file.expect("a file"))
}

tests! {
    fn processes_of_children_and_of_theirs_are_seen_where_they_wait() {
        let (a, b) = (Channel::new().named("a"), Channel::new().named("b"));
        let c = Channel::new().named("c");
        let leading = spawn(leads(a.reader(), b.reader(), c.writer()));
        let (to_a, to_b, from_c) = (a.writer(), b.writer(), c.reader());
        drop((a, b, c));
        let network = snapshot(&["/leads/reads", "/leads/copies"]);
        for (end, name) in [("/leads/reads", "a"), ("/leads/copies", "b")] {
            let (operation, channel, file) = wait(&network, end);
            assert_eq!((&*operation, channel.as_deref()), ("Read", Some(name)), "{network}");
            assert_eq!(file, "pictures.rs");
        }
        // The one that runs them waits for the one below, and not for a child of its parent.
        assert!(matches!(state(&network, "/leads"), Some(State::Blocked(_))), "{network}");
        // Each channel is there once, with the ends of all.
        for (name, holders) in [("a", ["law", "/leads/reads"]), ("b", ["law", "/leads/copies"])] {
            let line: Vec<_> = network.channels().iter().filter(|c| c.name() == Some(name)).collect();
            let [channel] = line[..] else { panic!("{name} is not there once: {network}") };
            let text = format!("{channel}");
            assert!(holders.iter().all(|holder| text.contains(holder)), "{text}");
        }
        drop((to_a, to_b));
        assert_eq!(from_c.read().ok(), None);
        assert!(leading.join().is_ok());
    }

    fn a_child_sees_itself_and_those_below() {
        let (a, b, told) = (Channel::new().named("a"), Channel::new(), Channel::new());
        let looking = spawn(looks(a.reader(), b.writer(), told.writer()));
        let (to_a, from_b, tells) = (a.writer(), b.reader(), told.reader());
        drop((a, b, told));
        let seen = tells.read().expect("a child that lives");
        assert!(seen.contains("/looks/copies: blocked at"), "{seen}");
        assert!(seen.contains("/looks: running"), "{seen}");
        // Its parent is above it.
        assert!(!seen.lines().any(|line| line.starts_with("law: ")), "{seen}");
        drop((to_a, from_b));
        assert!(looking.join().is_ok());
    }

    fn a_child_that_is_stopped_has_not_answered() {
        let (numbers, values) = (Channel::new(), Channel::new());
        let telling = spawn(tells(numbers.writer(), values.reader()));
        let number = numbers.reader().read().expect("its number");
        let to = values.writer();
        drop((numbers, values));
        signal(number, Signal::STOP);
        let network = csp::network();
        assert!(matches!(state(&network, "/tells"), Some(State::Unanswered)), "{network}");
        assert!(network.to_string().contains("did not answer"), "{network}");
        signal(number, Signal::CONT);
        snapshot(&["/tells"]);
        drop(to);
        assert_eq!(telling.join(), Ok(()));
    }
}

#[cfg(feature = "hosts")]
tests! {
    fn a_process_at_a_host_is_seen_there() {
        let hosts = csp::Hosts::command(["env"]);
        let (a, b) = (Channel::new().named("e"), Channel::new());
        let copying = spawn(copies(a.reader(), b.writer()).named("guest").at(&hosts));
        let (to, from) = (a.writer(), b.reader());
        drop((a, b));
        let network = snapshot(&["/guest@env"]);
        let (operation, channel, file) = wait(&network, "/guest@env");
        assert_eq!((&*operation, channel.as_deref(), &*file), ("Read", Some("e"), "pictures.rs"));
        // Its stand-in is not there besides.
        assert!(!network.processes().iter().any(|process| process.path().ends_with("/guest")));
        drop(to);
        assert_eq!(from.read().ok(), None);
        assert!(copying.join().is_ok());
    }
}
